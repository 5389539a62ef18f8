"""Hands: the tasks of each agent that can start, the base of protocols that deal tasks out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np

from simulator.model.board import Board
from simulator.model.protocols._dispatcher import Dispatcher, Setting
from simulator.model.protocols._hand import Hand

_FEW = 100
"""Up to so many tasks are looked through one by one: NumPy takes as long for a few as for these."""


class Hands(Dispatcher):
    """Each agent's tasks, of which its hand has those that can start.

    ``board.owner`` says whose a task is; a subclass sets it.
    """

    __slots__ = ("_turn", "order", "rank", "ready")

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.order = self.board.graph.order
        self.rank = self.board.graph.ranks
        self.ready = [Hand() for _ in range(setting.workers)]
        self._turn = 0

    def fork(self, board: Board) -> Self:
        """Return an independent copy that works on a copy of the board."""
        other = super().fork(board)
        other.ready = [hand.copy() for hand in self.ready]
        return other

    def task_ready(self, task: int) -> int:
        """Note that `task` can start; it concerns its owner."""
        owner = self.board.owner[task]
        hand = self.ready[owner]  # a name has a type, so that what is compiled calls it as C does
        hand.put(self.rank[task])
        return owner

    def has_tasks(self, agent: int) -> bool:
        """Return whether one of the agent's tasks can start."""
        return bool(self.ready[agent])

    def choose(self, agent: int, count: int) -> list[int] | None:
        """Return the agent's first tasks that can start."""
        ready, order = self.ready[agent], self.order
        return [order[ready.take()] for _ in range(min(count, len(ready)))]

    def take_those(self, agent: int, count: int, may: Callable[[int], bool]) -> list[int]:
        """Return the agent's first tasks that can start and that it `may` do; the others stay."""
        ready, order = self.ready[agent], self.order
        picks: list[int] = []
        kept: list[int] = []
        while ready and len(picks) < count:
            rank = ready.take()
            if may(order[rank]):
                picks.append(order[rank])
            else:
                kept.append(rank)
        for rank in kept:
            ready.put(rank)
        return picks

    def due(self, agent: int) -> int:
        """Return how many of the agent's own tasks on the board are left."""
        return sum(map(self.board.is_listed, self._own(agent)))

    def _left_to(self, agent: int) -> list[int]:
        """Return the agent's own tasks that are left, in topological order."""
        return sorted(self._own(agent), key=self.rank.__getitem__)

    def _own(self, agent: int) -> list[int]:
        """Return the agent's own tasks that are left, as they are numbered."""
        board = self.board
        found: list[int] = []
        if len(board.done) <= _FEW:
            for task in range(len(board.done)):
                if board.owner[task] == agent and not board.done[task]:
                    found.append(task)
        else:
            is_left = (np.asarray(board.owner) == agent) & (np.asarray(board.done) == 0)
            found = np.flatnonzero(is_left).tolist()
        return found

    def may_attempt(self, agent: int, task: int) -> bool:
        """Return True: the agent owns the task."""
        return True

    def attempt_ended(self, agent: int, task: int, done: bool) -> None:
        """Put a task that failed its tests back in the agent's hand."""
        if not done:
            self.ready[self.board.owner[task]].put(self.rank[task])

    def returned(self, agent: int, task: int) -> None:
        """Put the task back in the agent's hand."""
        ready, rank = self.ready[self.board.owner[task]], self.rank[task]
        if not self.board.missing[task] and not self.board.done[task] and rank not in ready:
            ready.put(rank)

    def give_away(self, agent: int) -> int:
        """Deal the agent's tasks to the others in turn, each chain to one of them."""
        here = self.here
        if not here:
            return 0
        board, dealt = self.board, dict[int, int]()
        for task in self._left_to(agent):
            needed = board.graph.dependencies[task]
            heir = dealt.get(needed[-1]) if needed else None
            if heir is None:
                heir = here[self._turn % len(here)]
                self._turn += 1
            dealt[task] = heir
        for task, heir in dealt.items():
            self.hand_over(task, heir)
        self.wake(*dict.fromkeys(dealt.values()))
        return len(dealt)

    def hand_over(self, task: int, heir: int) -> None:
        """Move a task from one hand to another."""
        was_ready = self.rank[task] in self.ready[self.board.owner[task]]
        self.forget(task)
        self.board.give(task, heir)
        if was_ready:
            self.ready[heir].put(self.rank[task])

    def forget(self, task: int) -> None:
        """Take the task out of its owner's hand."""
        owner = self.board.owner[task]
        if owner >= 0:
            self.ready[owner].discard(self.rank[task])
