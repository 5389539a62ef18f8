"""Tasks dealt out before the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Literal, Self

from simulator.model.board import Board
from simulator.model.protocols._hands import Hands
from simulator.model.protocols._protocol import Protocol, Setting
from simulator.model.streams import Purpose
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

    def dispatcher(self, setting: Setting) -> Hands:
        """Return the state of this protocol for one replication."""
        return _Dealt(self, setting)

    def owners(
        self, graph: TaskGraph, workers: int, families: Sequence[str] | None = None
    ) -> list[int]:
        """Return the agent of each task, shape (N,); `families` are those of the agents."""
        told = _told_owners(graph, families or [""] * workers)
        if self.deal == "longest_first":
            return self._longest_first(graph, workers, told)
        owner, turn = [0] * len(graph), 0
        for task in graph.order:
            needed = graph.dependencies[task]
            if task in told:
                owner[task] = told[task]
            elif self.keep_chains and needed:
                owner[task] = owner[needed[-1]]
            else:
                owner[task] = turn % workers
                turn += 1
        return owner

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
    for task in graph.order if graph.doers else ():
        family, number = graph.doers[task]
        if family is None and number == 0:
            continue
        those = [i for i, each in enumerate(families) if each == family]
        those = those or list(range(len(families)))
        if number == 0:
            turns[family] = number = turns.get(family, 0) + 1
        found[task] = those[(number - 1) % len(those)]
    return found


class _Dealt(Hands):
    """Hands dealt at the start, from which a call may also do what it frees itself."""

    __slots__ = ("_blind", "_blind_calls", "_blindness", "_is_blind", "_waiting")

    def __init__(self, protocol: PreAssigned, setting: Setting) -> None:
        super().__init__(setting)
        board, workers = self.board, setting.workers
        self.works_ahead = protocol.work_ahead
        families = [spec.family for spec in setting.specs]
        board.deal(protocol.owners(board.graph, workers, families))
        habits = [spec.behaviour for spec in setting.specs]
        self._blindness = [habit.dependency_blindness for habit in habits]
        self._blind_calls = [habit.blind_calls for habit in habits]
        self._waiting: list[list[int]] = [[] for _ in range(workers)]
        if any(self._blindness) or any(self._blind_calls):
            for task in reversed(self.order):
                if board.missing[task]:
                    self._waiting[board.owner[task]].append(task)
            purpose = Purpose.DEPENDENCY_BLINDNESS
            self._blind = [setting.uniforms(i, purpose) for i in range(workers)]
            self._is_blind = [setting.uniforms(i, Purpose.BLIND_CALL) for i in range(workers)]

    def fork(self, board: Board) -> Self:
        """Return an independent copy that works on a copy of the board."""
        other = super().fork(board)
        other._waiting = [tasks[:] for tasks in self._waiting]
        return other

    def choose(self, agent: int, count: int) -> list[int]:
        """Return the agent's first tasks that can start, and those that the call itself frees."""
        ready, order = self.ready[agent], self.order
        blindness = self._blindness[agent]
        if self._blind_calls[agent] and self._is_blind[agent]() < self._blind_calls[agent]:
            blindness = 1.0
        if count == 1 and not blindness:
            return [order[heappop(ready)]] if ready else []
        picks: list[int] = []
        freed: dict[int, int] = {}
        ahead: list[int] = []
        while len(picks) < count:
            if blindness and self._overlooks(agent, blindness, picks):
                continue
            if ahead and (not ready or ahead[0] < ready[0]):
                task = order[heappop(ahead)]
            elif ready:
                task = order[heappop(ready)]
            else:
                break
            if task in picks:
                continue
            picks.append(task)
            if self.works_ahead:
                self._free_dependents(agent, task, freed, ahead)
        return picks

    def hand_over(self, task: int, heir: int) -> None:
        """Move a task from one hand to another, also where it waits for others."""
        waiting = self._waiting[self.board.owner[task]]
        super().hand_over(task, heir)
        if task in waiting:
            waiting.remove(task)
            mine = self._waiting[heir]
            mine.append(task)
            mine.sort(key=self.rank.__getitem__, reverse=True)

    def _free_dependents(
        self, agent: int, task: int, freed: dict[int, int], ahead: list[int]
    ) -> None:
        board = self.board
        for other in board.graph.dependents[task]:
            if board.owner[other] == agent:
                freed[other] = freed.get(other, 0) + 1
                if freed[other] == board.missing[other]:
                    heappush(ahead, self.rank[other])

    def _overlooks(self, agent: int, blindness: float, picks: list[int]) -> bool:
        if self._blind[agent]() >= blindness:
            return False
        waiting, missing = self._waiting[agent], self.board.missing
        while waiting and not missing[waiting[-1]]:
            waiting.pop()
        if not waiting or waiting[-1] in picks:
            return False
        picks.append(waiting[-1])
        return True
