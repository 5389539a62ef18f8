"""Leases: claims that end by themselves, some seconds or some rounds after they were made."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Self

from simulator.model.agenda import Agenda
from simulator.model.metrics import Metrics


class Leases:
    """Which tasks are claimed since when, and until when.

    Whoever ends a claim ends its lease.

    Parameters
    ----------
    seconds : float or None
        How long a claim lasts; None where it ends with rounds, or not at all.
    rounds : int or None
        How many rounds follow that in which a claim was made, before it ends.
    agenda : Agenda
    metrics : Metrics
        Counts the leases that run out.
    """

    __slots__ = (
        "_agenda",
        "_inherited",
        "_metrics",
        "_round",
        "_rounds",
        "_seconds",
        "_since",
        "_suspended",
    )

    def __init__(
        self, seconds: float | None, rounds: int | None, agenda: Agenda, metrics: Metrics
    ) -> None:
        self._seconds = seconds
        self._rounds = rounds
        self._agenda = agenda
        self._metrics = metrics
        self._since: dict[int, float] = {}
        """When each task was claimed, in seconds or in rounds."""
        self._suspended: dict[int, float] = {}
        """The same of tasks that wait for their review."""
        self._inherited: set[int] = set()
        """Tasks whose leases the other side of a partition counts."""
        self._round = 0

    def fork(self, expire: Callable[[int], None]) -> Self:
        """Return those of the minority's side of a partition, which run out when these do.

        It counts those that begin on its side only; `expire` is as of `begin`.
        """
        other = copy.copy(self)
        other._since = self._since.copy()
        other._suspended = self._suspended.copy()
        lasting = {**self._since, **self._suspended}
        other._inherited = set(lasting)
        for task, since in lasting.items():
            other._set_timer(task, since, expire)
        return other

    @property
    def sets_timers(self) -> bool:
        """Whether leases end while calls go on."""
        return self._seconds is not None

    def begin(self, task: int, expire: Callable[[int], None]) -> None:
        """Let a task be claimed from now on; `expire` is called with it when the lease runs out.

        A lease in rounds runs out where a round begins.
        """
        self.end(task)
        self._since[task] = since = self._round if self._seconds is None else self._agenda.now
        self._set_timer(task, since, expire)

    def _set_timer(self, task: int, since: float, expire: Callable[[int], None]) -> None:
        if self._seconds is None:
            return
        ends_s = max(since + self._seconds, self._agenda.now)
        held = partial(self._is_held, task, since)
        # A call that ends at that very instant has ended before.
        self._agenda.at(ends_s, partial(self._end_now, task, since, expire), held)

    def _end_now(self, task: int, since: float, expire: Callable[[int], None]) -> None:
        """Let a lease run out after what is already to happen at this instant."""
        if not self._is_held(task, since):
            return
        held = partial(self._is_held, task, since)
        ends_s = self._agenda.instant_ends_s()
        self._agenda.at(ends_s, partial(self._run_out, task, since, expire), held)

    def suspend(self, task: int) -> None:
        """Keep the lease of a task from running out until it is resumed."""
        if task in self._since:
            self._suspended[task] = self._since.pop(task)

    def resume(self, task: int, expire: Callable[[int], None]) -> None:
        """Let a suspended lease run out at its time, or if that is past, now or with the round."""
        if task not in self._suspended:
            return
        self._since[task] = since = self._suspended.pop(task)
        if self._seconds is not None and since + self._seconds <= self._agenda.now:
            self._end_now(task, since, expire)  # the first has come to nothing

    def end(self, task: int) -> None:
        """Let the lease of a task end, if it has one, without consequences."""
        self._since.pop(task, None)
        self._suspended.pop(task, None)
        self._inherited.discard(task)

    def end_all(self) -> None:
        """Let all leases end without consequences."""
        self._since.clear()
        self._suspended.clear()
        self._inherited.clear()

    def begin_round(self, number: int) -> list[int]:
        """Note that a round begins; return the tasks whose leases run out, the oldest first."""
        self._round = number
        if self._rounds is None:
            return []
        last = number - self._rounds  # whoever claimed before has had its rounds
        over = [task for task, since in self._since.items() if since < last]
        over.sort(key=lambda task: self._since[task])
        for task in over:
            self._count(task)
        return over

    def _is_held(self, task: int, since_s: float) -> bool:
        """Return whether a claim made then still holds the task."""
        return self._since.get(task) == since_s

    def _run_out(self, task: int, since_s: float, expire: Callable[[int], None]) -> None:
        if self._is_held(task, since_s):
            self._count(task)
            expire(task)

    def _count(self, task: int) -> None:
        """Count a lease that runs out, and let it end."""
        self._metrics.lease_expiries += task not in self._inherited
        self.end(task)
