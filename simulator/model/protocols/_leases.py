"""Leases: claims that end by themselves, some seconds or some rounds after they were made."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Self

from simulator.model.agenda import Agenda
from simulator.model.board import Board


class Leases:
    """Which tasks are claimed since when, and until when.

    Parameters
    ----------
    seconds : float or None
        How long a claim lasts; None where it ends with rounds, or not at all.
    rounds : int or None
        How many rounds follow that in which a claim was made, before it ends.
    agenda : Agenda
    board : Board
        The one whose tasks are claimed: when a task is done, its lease is of no consequence.
    """

    __slots__ = ("_agenda", "_board", "_round", "_rounds", "_seconds", "_since")

    def __init__(
        self, seconds: float | None, rounds: int | None, agenda: Agenda, board: Board
    ) -> None:
        self._seconds = seconds
        self._rounds = rounds
        self._agenda = agenda
        self._board = board
        self._since: dict[int, float] = {}
        """When each task was claimed, in seconds or in rounds, the first first."""
        self._round = 0

    def fork(self, board: Board) -> Self:
        """Return an independent copy for a copy of the board; timers set stay with this one."""
        other = copy.copy(self)
        other._board = board
        other._since = self._since.copy()
        return other

    @property
    def sets_timers(self) -> bool:
        """Whether leases end while calls go on."""
        return self._seconds is not None

    def begin(self, task: int, expire: Callable[[int], None]) -> None:
        """Let a task be claimed from now on; `expire` is called with it when the lease ends."""
        self._since.pop(task, None)
        if self._seconds is None:
            self._since[task] = self._round
            return
        self._since[task] = now = self._agenda.now
        held = partial(self._is_held, task, now)
        self._agenda.at(now + self._seconds, partial(self._expire, task, now, expire), held)

    def end(self, task: int) -> None:
        """Let the lease of a task end, if it has one, without consequences."""
        self._since.pop(task, None)

    def end_all(self) -> None:
        """Let all leases end without consequences."""
        self._since.clear()

    def begin_round(self, number: int) -> list[int]:
        """Note that a round begins; return the tasks whose leases have ended, the oldest first."""
        self._round = number
        if self._rounds is None:
            return []
        over = []
        for task, since in self._since.items():
            if since + self._rounds >= number:
                break
            over.append(task)
        for task in over:
            del self._since[task]
        return [task for task in over if not self._board.done[task]]

    def _is_held(self, task: int, since_s: float) -> bool:
        """Return whether a claim made then still holds the task."""
        return not self._board.done[task] and self._since.get(task) == since_s

    def _expire(self, task: int, since_s: float, expire: Callable[[int], None]) -> None:
        if self._is_held(task, since_s):
            expire(task)
