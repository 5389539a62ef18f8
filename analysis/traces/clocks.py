"""Says what is odd in the times of all calls: coarse clocks, dates that are none, endless calls."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from analysis.traces.canonical import CHATS
from analysis.traces.time_units import FIRST_DATE, LAST_DATE
from simulator.words import counted, percent

_DAY_NS = 86_400 * 10**9

_LATE, _CLOCK_S = 1.05, 0.1
"""A first token comes before the end of its call, but for clocks that differ a little."""

_HOUR_NS = 3_600 * 10**9
"""Answers take less: clients give up after ten minutes unless told otherwise."""

_FAR = 100.0
"""Times the median from which a tool's call of more than an hour is no ordinary one of its kind."""


def late_chunk(first_s: float | None, start_ns: int | None, end_ns: int | None) -> str | None:
    """Return what to say of a first token that came after the end of its call; None if none did."""
    if first_s is None or start_ns is None or end_ns is None:
        return None
    lasted = (end_ns - start_ns) / 1e9
    if first_s <= _LATE * lasted + _CLOCK_S:
        return None
    return f"its first token came after {first_s:g} s, and it took {lasted:g} s"


def notes_on_clocks(calls: pd.DataFrame) -> list[str]:
    """Return what is odd in the times of the calls of a canonical table."""
    known = calls[calls["quality_time"] != "estimated"].dropna(subset=["start_ns"])
    said = _quantised(known["start_ns"]), _early(known), _momentary(calls)
    return [note for note in (*said, *_endless(calls)) if note is not None]


def _endless(calls: pd.DataFrame) -> Iterator[str]:
    """Yield what to say of calls that hardly went on for as long as they seem to."""
    known = calls.dropna(subset=["start_ns", "end_ns"])
    lasted = (known["end_ns"] - known["start_ns"]).astype(float)
    is_long, is_chat = lasted > _HOUR_NS, known["operation_name"].isin(CHATS)
    is_tool = known["operation_name"] == "execute_tool"
    usual = lasted[is_tool].groupby(known["tool_name"].fillna("")).transform("median")
    is_odd = (lasted > _FAR * usual.reindex(lasted.index)).fillna(False)
    for some, what in ((is_chat, "a model"), (is_tool & is_odd, "tools")):
        long = lasted[is_long & some]
        if long.empty:
            continue
        longest = known.loc[long[long == long.max()].index]
        where = f"{longest['source'].iloc[0]}, run {longest['run_id'].iloc[0]}"
        yield (
            f"{counted(len(long), 'call')} of {what} took more than an hour, the longest "
            f"{long.max() / _HOUR_NS:.3g} hours ({where}): if the computer slept "
            "meanwhile, that was no work, but counts as work here"
        )


def _momentary(calls: pd.DataFrame) -> str | None:
    """Return what to say of answered calls of a model that end when they begin."""
    answered = calls[calls["operation_name"].isin(CHATS) & (calls["status"].fillna("ok") == "ok")]
    at_once = answered[(answered["start_ns"] == answered["end_ns"]).fillna(False)]
    if at_once.empty:
        return None
    return (
        f"{counted(len(at_once), 'call')} of {len(answered):,} of a model end when they begin, the "
        f"first in {at_once['source'].iloc[0]}: their lengths are not known, and taken as 0"
    )


def _quantised(starts: pd.Series) -> str | None:
    at_midnight = starts.ge(FIRST_DATE).any() and (starts % _DAY_NS == 0).all()
    if at_midnight and (len(starts) == 1 or starts.duplicated().any()):
        return "calls begin at midnight: only their days are known, and all of a day overlap"
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
