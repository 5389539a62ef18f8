"""Numbers of a page as whole columns of differences: short, and quick to read in a browser."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Columns = dict[str, list[int]]
"""Columns of equal length by their names; the one of times, ``t``, holds differences of ticks."""

NOBODY = -1
"""Stands in columns for an agent or a task that is not there."""

TICKS = 10_000_000
"""Ticks of a whole run: times on a page are exact to one."""


class Ticks:
    """Simulated seconds as whole ticks of a run.

    Parameters
    ----------
    makespan_s : float
        How long the run lasted.
    """

    __slots__ = ("tick_s",)

    def __init__(self, makespan_s: float) -> None:
        self.tick_s = makespan_s / TICKS if makespan_s > 0.0 else 1.0

    def at(self, seconds: float) -> int:
        """Return the tick nearest to a time."""
        return round(seconds / self.tick_s)

    def differences(self, times: Iterable[float]) -> list[int]:
        """Return the first of ascending times in ticks, and by how much each is after the last."""
        found, before = [], 0
        for time_s in times:
            tick = self.at(time_s)
            found.append(tick - before)
            before = tick
        return found

    def columns(self, times: Sequence[float], **others: list[int]) -> Columns:
        """Return columns with ascending times, in seconds, as differences of ticks."""
        return {"t": self.differences(times), **others}


def number(value: int | None) -> int:
    """Return a number as columns hold it."""
    return NOBODY if value is None else value
