"""Tasks dealt out before the start."""

from __future__ import annotations

from array import array
from heapq import heappop, heappush
from typing import Literal

from simulator.model.board import Board
from simulator.model.protocols._protocol import Dispatcher, Protocol, UniformsOf
from simulator.model.streams import Purpose
from simulator.model.tasks import TaskGraph
from simulator.scenario.agent import Behaviour


class PreAssigned(Protocol):
    """Every task has its agent from the start and nobody else touches it.

    Tasks are dealt round robin in topological order. With `keep_chains`, a task with
    dependencies goes to the agent of the last one listed, so that a chain stays together
    (the rule of the harness of arXiv 2603.12229).
    """

    kind: Literal["pre_assigned"] = "pre_assigned"
    keep_chains: bool = True
    """Give a task to the agent of its last dependency rather than to the next in turn."""
    work_ahead: bool = True
    """Let one call do a task together with the tasks it depends on, in order."""

    def dispatcher(
        self, board: Board, workers: int, behaviour: Behaviour, uniforms: UniformsOf
    ) -> Dispatcher:
        """Return the state of this protocol for one replication."""
        return _Hands(self, board, workers, behaviour.dependency_blindness, uniforms)

    def deal(self, graph: TaskGraph, workers: int) -> list[int]:
        """Return the agent of each task, shape (N,)."""
        owner, turn = [0] * len(graph), 0
        for task in graph.order:
            needed = graph.dependencies[task]
            if self.keep_chains and needed:
                owner[task] = owner[needed[-1]]
            else:
                owner[task] = turn % workers
                turn += 1
        return owner


class _Hands(Dispatcher):
    """Each agent's tasks: a heap of those that can start, in topological order."""

    def __init__(
        self,
        protocol: PreAssigned,
        board: Board,
        workers: int,
        blindness: float,
        uniforms: UniformsOf,
    ) -> None:
        self.works_ahead = protocol.work_ahead
        self._board = board
        self._order = board.graph.order
        self._rank = [0] * len(self._order)
        for rank, task in enumerate(self._order):
            self._rank[task] = rank
        board.owner[:] = array("i", protocol.deal(board.graph, workers))
        self._ready: list[list[int]] = [[] for _ in range(workers)]
        self._blindness = blindness
        self._waiting: list[list[int]] = [[] for _ in range(workers)]
        if blindness > 0.0:
            for task in reversed(self._order):
                if board.missing[task]:
                    self._waiting[board.owner[task]].append(task)
            self._blind = [uniforms(i, Purpose.DEPENDENCY_BLINDNESS) for i in range(workers)]

    def task_ready(self, task: int) -> int:
        """Note that `task` can start; it concerns its owner."""
        owner = self._board.owner[task]
        heappush(self._ready[owner], self._rank[task])
        return owner

    def choose(self, agent: int, count: int) -> list[int]:
        """Return the agent's first tasks that can start, and those that the call itself frees."""
        ready, order = self._ready[agent], self._order
        if count == 1 and not self._blindness:
            return [order[heappop(ready)]] if ready else []
        picks: list[int] = []
        freed: dict[int, int] = {}
        ahead: list[int] = []
        while len(picks) < count:
            if self._blindness and self._overlooks(agent, picks):
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

    def _free_dependents(
        self, agent: int, task: int, freed: dict[int, int], ahead: list[int]
    ) -> None:
        board = self._board
        for other in board.graph.dependents[task]:
            if board.owner[other] == agent:
                freed[other] = freed.get(other, 0) + 1
                if freed[other] == board.missing[other]:
                    heappush(ahead, self._rank[other])

    def _overlooks(self, agent: int, picks: list[int]) -> bool:
        if self._blind[agent]() >= self._blindness:
            return False
        waiting, missing = self._waiting[agent], self._board.missing
        while waiting and not missing[waiting[-1]]:
            waiting.pop()
        if not waiting or waiting[-1] in picks:
            return False
        picks.append(waiting[-1])
        return True

    def may_attempt(self, agent: int, task: int) -> bool:
        """Return True: the agent owns the task."""
        return True

    def attempt_ended(self, agent: int, task: int, done: bool) -> None:
        """Put a task that failed its tests back in the agent's hand."""
        if not done:
            heappush(self._ready[agent], self._rank[task])

    def pick_abandoned(self, agent: int, task: int) -> None:
        """Do nothing: the task comes back when its dependencies are done."""
