"""Hands that are dealt before the start: the tasks of each agent, and those that they free."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from typing import Self

from simulator.model.board import Board
from simulator.model.protocols._dispatcher import Setting
from simulator.model.protocols._hands import Hands
from simulator.model.streams import Purpose
from simulator.model.tasks import TaskGraph


def in_turn(
    graph: TaskGraph, workers: int, told: Mapping[int, int], keeps_chains: bool
) -> Sequence[int]:
    """Return the agent of each task, shape (N,), dealt one after the other.

    Parameters
    ----------
    graph : TaskGraph
    workers : int
    told : mapping of int to int
        The agents of tasks that say who does them.
    keeps_chains : bool
        Whether a task goes to the agent of its last dependency.
    """
    dependencies, tasks = graph.dependencies, len(graph)
    if not (told or graph.has_dependencies):  # the order is that in which they are listed
        turns: Sequence[int] = array("i", range(workers)) * (tasks // workers + 1)
        return turns[:tasks]
    owner, turn = [0] * tasks, 0
    for task in graph.order:
        needed = dependencies[task]
        if told and task in told:
            owner[task] = told[task]
        elif keeps_chains and needed:
            owner[task] = owner[needed[-1]]
        else:
            owner[task] = turn % workers
            turn += 1
    return owner


class Dealt(Hands):
    """Hands dealt at the start, from which a call may also do what it frees itself.

    Parameters
    ----------
    setting : Setting
    owners : sequence of int, shape (N,)
        The agent of each task.
    works_ahead : bool
        Whether a call may do a task together with those that it depends on.
    """

    __slots__ = ("_blind", "_blind_calls", "_blindness", "_is_blind", "_sees_waiting", "_waiting")

    def __init__(self, setting: Setting, owners: Sequence[int], works_ahead: bool) -> None:
        super().__init__(setting)
        board, workers = self.board, setting.workers
        self.works_ahead = works_ahead
        # Who holds a task is known, and stays: nothing to ask or to tell, but for other kinds.
        self.watches_attempts = type(self) is not Dealt
        board.deal(owners)
        habits = [spec.behaviour for spec in setting.specs]
        self._blindness = [habit.dependency_blindness for habit in habits]
        self._blind_calls = [habit.blind_calls for habit in habits]
        self._waiting: list[list[int]] = [[] for _ in range(workers)]
        self._sees_waiting = any(self._blindness) or any(self._blind_calls)
        if self._sees_waiting:
            for task in reversed(self.order):
                if board.missing[task] and board.is_listed(task):
                    self._waiting[board.owner[task]].append(task)
            purpose = Purpose.DEPENDENCY_BLINDNESS
            self._blind = [setting.uniforms(i, purpose) for i in range(workers)]
            self._is_blind = [setting.uniforms(i, Purpose.BLIND_CALL) for i in range(workers)]

    def fork(self, board: Board) -> Self:
        """Return an independent copy that works on a copy of the board."""
        other = super().fork(board)
        other._waiting = [tasks[:] for tasks in self._waiting]
        return other

    def task_appears(self, task: int) -> None:
        """Let its owner, who may be blind, see the task."""
        if self._sees_waiting:
            owner = self.board.owner[task]
            self._see(owner, task)
            self.wake(owner)

    def has_tasks(self, agent: int) -> bool:
        """Return whether one of the agent's tasks can start, or waits where a blind one sees it."""
        return bool(self.ready[agent] or self._waiting[agent])

    def choose(self, agent: int, count: int) -> list[int]:
        """Return the agent's first tasks that can start, and those that the call itself frees."""
        ready, order = self.ready[agent], self.order
        if count == 1 and not self._sees_waiting:
            return [] if ready.is_empty() else [order[ready.take()]]
        blindness = self._blindness[agent]
        if self._blind_calls[agent] and self._is_blind[agent]() < self._blind_calls[agent]:
            blindness = 1.0
        picks: list[int] = []
        freed: dict[int, int] = {}
        ahead: list[int] = []
        while len(picks) < count:
            if blindness and self._overlooks(agent, blindness, picks):
                continue
            if ahead and (not ready or ahead[0] < ready.first()):
                task = order[heappop(ahead)]
            elif ready:
                task = order[ready.take()]
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
            self._see(heir, task)

    def _see(self, agent: int, task: int) -> None:
        """Put a task that waits for others where its owner sees it, in topological order."""
        waiting = self._waiting[agent]
        waiting.append(task)
        waiting.sort(key=self.rank.__getitem__, reverse=True)

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
