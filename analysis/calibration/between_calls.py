"""Time between the calls of sessions, of which a session without loops has none."""

from __future__ import annotations

import pandas as pd

from analysis.calibration.gaps import Gap
from simulator.words import percent

_LEAST = 0.05
"""Share of the sessions' time from which it is worth a word."""


def time_between(calls: pd.DataFrame, is_its: pd.Series) -> Gap | None:
    """Return that the time between calls was not estimated; None if there is hardly any.

    Parameters
    ----------
    calls : DataFrame
        The canonical table.
    is_its : Series of bool
        Which of them are the calls of one model.
    """
    known = calls.dropna(subset=["start_ns", "end_ns"]).sort_values("start_ns")
    who = known["run_id"].astype(str) + "\0" + known["agent_id"].fillna("").astype(str)
    times = (known[["start_ns", "end_ns"]] - known["start_ns"].min()).astype(float) / 1e9
    times = times.rename(columns={"start_ns": "start", "end_ns": "end"}).assign(who=who)
    own = times[is_its.reindex(times.index)]
    spans = own.groupby("who").agg(first=("start", "min"), last=("end", "max"))
    everything = times.join(spans, on="who", how="inner")
    during = everything["start"].between(everything["first"], everything["last"])
    whole, apart = float((spans["last"] - spans["first"]).sum()), _apart(own)
    unseen = _apart(everything[during])
    if not apart > _LEAST * whole:
        return None
    why = "what it is was not seen"
    if apart - unseen > _LEAST * whole:
        why = "calls of other models or of tools"
        if unseen > _LEAST * whole:
            why = f"some of it {why}, and what the rest is was not seen"
    return Gap(
        "time between calls",
        f"{why}: {percent(apart / whole)} of their sessions",
        "none: the calls of a session follow each other",
    )


def _apart(times: pd.DataFrame) -> float:
    """Return how long nothing goes on, in seconds, of rows in the order of their starts."""
    ends = times["end"].groupby(times["who"]).cummax()
    return float((times["start"] - ends.groupby(times["who"]).shift()).clip(lower=0.0).sum())
