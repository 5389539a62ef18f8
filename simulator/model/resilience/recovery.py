"""How long it takes, after each fault, until the team is as quick as before."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import fsum

_BACK_TO = 0.9
"""Share of the throughput before the fault."""

_WINDOW_TASKS = 10
"""The throughput before is that of the last so many tasks."""


class Recovery:
    """Remembers when tasks were done and when something went wrong."""

    __slots__ = ("_done_s", "_faults_s")

    def __init__(self) -> None:
        self._done_s: list[float] = []
        self._faults_s: list[float] = []

    def done(self, now: float) -> None:
        """Note that a task is done."""
        self._done_s.append(now)

    def fault(self, now: float) -> None:
        """Note that something has gone wrong."""
        if not self._faults_s or self._faults_s[-1] != now:
            self._faults_s.append(now)

    def seconds(self, end_s: float, is_complete: bool) -> float:
        """Return the mean time to recover from a fault, in seconds.

        The throughput before a fault is that of the last ten tasks, in a window that reaches
        from the fault back to the first of them. The team has recovered at the first time from
        which on a window as long holds at least 90 % as many or, in a run that is complete, all
        that were left. Faults before the first task was done count until then; a team that
        never recovers, or has done its last task before, takes until `end_s`.
        """
        if not self._faults_s:
            return 0.0
        times = [self._after(fault_s, end_s, is_complete) for fault_s in self._faults_s]
        return fsum(times) / len(times)

    def _after(self, fault_s: float, end_s: float, is_complete: bool) -> float:
        done = self._done_s
        before = bisect_right(done, fault_s)
        if before == len(done):
            return end_s - fault_s
        if not before:
            return done[0] - fault_s
        first = max(0, before - _WINDOW_TASKS)
        started_s = done[first - 1] if first else 0.0
        window_s, count = fault_s - started_s, before - first
        wanted = _BACK_TO * count
        # The count in a window changes only where it begins at a task, or at the fault itself.
        starts = [fault_s, *done[before:]]
        for i, start_s in enumerate(starts):
            # A window that begins at a task holds that task.
            place = bisect_left(done, start_s, before) if i else before
            inside = bisect_right(done, start_s + window_s) - place
            if inside >= wanted or (is_complete and place + inside == len(done)):
                return start_s - fault_s if i else 0.0
        return end_s - fault_s
