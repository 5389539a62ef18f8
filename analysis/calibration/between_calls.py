"""Time between the calls of sessions, of which a session without loops has none."""

from __future__ import annotations

import pandas as pd

from analysis.calibration.gaps import Gap
from simulator.words import percent

_LEAST = 0.05
"""Share of the sessions' time from which it is worth a word."""


def time_between(calls: pd.DataFrame) -> Gap | None:
    """Return that the time between calls was not estimated; None if there is hardly any.

    Parameters
    ----------
    calls : DataFrame
        The canonical table, of the calls of one model.
    """
    known = calls.dropna(subset=["start_ns", "end_ns"]).sort_values("start_ns")
    if known.empty:
        return None
    by = [known["run_id"].astype(str), known["agent_id"].fillna("").astype(str)]
    seconds = (known[["start_ns", "end_ns"]] - known["start_ns"].iloc[0]).astype(float) / 1e9
    ends = seconds["end_ns"].groupby(by).cummax()
    apart = (seconds["start_ns"] - ends.groupby(by).shift()).clip(lower=0.0).sum()
    whole = (ends.groupby(by).max() - seconds["start_ns"].groupby(by).min()).sum()
    if not apart > _LEAST * whole:
        return None
    why = f"what it is was not seen, and it is {percent(apart / whole)} of their sessions"
    return Gap("time between calls", why, "none: the calls of a session follow each other")
