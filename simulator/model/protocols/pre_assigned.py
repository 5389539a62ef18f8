"""Tasks dealt out before the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Literal

from simulator.model.protocols._dealt import Dealt, in_turn
from simulator.model.protocols._hands import Hands
from simulator.model.protocols._protocol import Protocol, Setting
from simulator.model.tasks import TaskGraph


class PreAssigned(Protocol):
    """Every task has its agent from the start and nobody else touches it.

    ``deal: round_robin`` deals in topological order. ``deal: longest_first`` gives the task
    with the longest size to who has least (LPT, Graham 1969). With `keep_chains`, a task with
    dependencies goes to the agent of the last one listed, so that a chain stays together
    (with round robin, the rule of the harness of arXiv 2603.12229). A task of a `dag` that says who
    does it (`family`, `worker`) goes to that agent.
    """

    kind: Literal["pre_assigned"] = "pre_assigned"
    deal: Literal["round_robin", "longest_first"] = "round_robin"
    """Who gets the next task."""
    keep_chains: bool = True
    """Give a task to the agent of its last dependency rather than to the next in turn."""
    work_ahead: bool = True
    """Let one call do a task together with the tasks it depends on, in order."""

    @property
    def is_random(self) -> bool:
        """Whether agents choose by chance."""
        return False

    def dispatcher(self, setting: Setting) -> Hands:
        """Return the state of this protocol for one replication."""
        families = [spec.family for spec in setting.specs]
        owners = self.owners(setting.board.graph, setting.workers, families)
        return Dealt(setting, owners, self.work_ahead)

    def owners(
        self, graph: TaskGraph, workers: int, families: Sequence[str] | None = None
    ) -> Sequence[int]:
        """Return the agent of each task, shape (N,); `families` are those of the agents."""
        told = _told_owners(graph, families or [""] * workers) if graph.doers else {}
        if self.deal == "longest_first":
            return self._longest_first(graph, workers, told)
        return in_turn(graph, workers, told, self.keep_chains)

    def _longest_first(self, graph: TaskGraph, workers: int, told: Mapping[int, int]) -> list[int]:
        head = list(range(len(graph)))  # the task whose agent each task goes to
        weight = list(graph.sizes)
        if self.keep_chains:
            for task in graph.order:
                if graph.dependencies[task] and task not in told:
                    head[task] = head[graph.dependencies[task][-1]]
                    weight[head[task]] += graph.sizes[task]
        heads = [task for task in range(len(graph)) if head[task] == task and task not in told]
        owner, busy = [0] * len(graph), [0.0] * workers
        for task, agent in told.items():
            owner[task] = agent
            busy[agent] += weight[task]
        loads = [(load, agent) for agent, load in enumerate(busy)]
        heapify(loads)
        for task in sorted(heads, key=lambda each: -weight[each]):
            load, agent = heappop(loads)
            owner[task] = agent
            heappush(loads, (load + weight[task], agent))
        return [owner[head[task]] for task in range(len(graph))]


def _told_owners(graph: TaskGraph, families: Sequence[str]) -> dict[int, int]:
    """Return the agents of the tasks that say who does them."""
    found: dict[int, int] = {}
    turns: dict[str | None, int] = {}
    for task in graph.order:
        family, number = graph.doers[task]
        if family is None and number == 0:
            continue
        those = [i for i, each in enumerate(families) if each == family]
        those = those or list(range(len(families)))
        if number == 0:
            turns[family] = number = turns.get(family, 0) + 1
        found[task] = those[(number - 1) % len(those)]
    return found
