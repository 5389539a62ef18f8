"""What an agent has written for tasks that could not start: whether it writes it again."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.model.agents.draws import OwnDraws
from simulator.model.agents.kind import Working
from simulator.model.streams import Purpose


class Drafts:
    """The tasks whose last attempt by an agent was blocked: their files are written.

    A call that attempts such tasks writes all of them again, or leaves all as they are: it only
    claims them, or hands them in.

    Parameters
    ----------
    kind : Working
    draws : OwnDraws
    """

    __slots__ = ("_are_left", "_p", "_persistence", "_rolls", "_tasks")

    def __init__(self, kind: Working, draws: OwnDraws) -> None:
        self._p, self._persistence = kind.leave_drafts, kind.leaving_persistence
        self._rolls = draws.rolls(Purpose.DRAFTS)
        self._tasks: set[int] = set()
        self._are_left = False

    def settle(self, picks: Sequence[int]) -> None:
        """Settle whether the call that attempts `picks` leaves drafts as they are."""
        p = self._p
        if self._are_left:
            p += (1.0 - p) * self._persistence
        self._are_left = not self._tasks.isdisjoint(picks) and self._rolls() < p

    def writes(self, task: int, is_blocked: bool) -> bool:
        """Return whether an attempt of the call writes its files; note whether it is blocked."""
        is_left = self._are_left and task in self._tasks
        if is_blocked:
            self._tasks.add(task)
        else:
            self._tasks.discard(task)
        return not is_left

    def forget(self) -> None:
        """Lose all drafts."""
        self._tasks.clear()
        self._are_left = False
