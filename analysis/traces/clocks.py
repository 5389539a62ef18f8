"""Says what is odd in the times of all calls: coarse clocks, and dates that are none."""

from __future__ import annotations

import pandas as pd

from analysis.traces.time_units import FIRST_DATE, LAST_DATE
from simulator.words import percent


def notes_on_clocks(calls: pd.DataFrame) -> list[str]:
    """Return what is odd in the times of the calls of a canonical table."""
    known = calls[calls["quality_time"] != "estimated"].dropna(subset=["start_ns"])
    return [note for note in (_quantised(known["start_ns"]), _early(known)) if note is not None]


def _quantised(starts: pd.Series) -> str | None:
    if len(starts) < 50:
        return None
    whole = float((starts % 1_000_000_000 == 0).mean())
    if whole <= 0.9:
        return None
    return f"starts are whole seconds in {percent(whole)} of calls: gaps are coarse"


def _early(calls: pd.DataFrame) -> str | None:
    """Return what to say where ns since 1970 that are no dates would be some in another unit.

    Times since a run's start may be as large, but the first of them is hardly so.
    """
    early = calls[calls["start_ns"] < FIRST_DATE]
    if early.empty:
        return None
    first, last = int(early["start_ns"].min()), int(early["start_ns"].max())
    for unit, word in ((10**6, "milliseconds"), (1000, "microseconds")):
        if FIRST_DATE <= first * unit <= last * unit <= LAST_DATE:
            return (
                f"{early['source'].iloc[0]}: calls begin {first / 1e9:,.0f} s after 1970 began, or "
                f"later; if these are {word} and not nanoseconds, the first was on "
                f"{pd.Timestamp(first * unit).date()}, and all are taken as too short"
            )
    return None
