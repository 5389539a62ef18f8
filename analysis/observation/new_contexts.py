"""Agents that begin each request with a new context: nodes of graphs, agents without memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.requests import Requests
from analysis.calibration.rounding import four_digits
from simulator.words import percent

_FEWEST = 3
"""Fewest requests after others of their agent for which it is told."""

_SHARE = 0.8
"""Share of these requests that must begin with less than was read before."""


def begin_requests_anew(context: dict[str, Any], requests: Requests) -> str | None:
    """Let a context be dropped between two requests, if it was so in the trace.

    A request begins anew if its first call reads less than the last call of the request before,
    which had turns that made its context grow. A twin keeps as large a share of the context as
    such first calls read. The cache holds nothing of it but the system prompt: this is as large as
    what such calls found there. If contexts shrink between requests alone, no window was full.

    Parameters
    ----------
    context : dict
        As a scenario says it; changed in place.
    requests : Requests

    Returns
    -------
    str or None
        What was found; None if requests go on with their contexts.
    """
    table = _request_ends(requests)
    later = table[(table["turns_before"] > 1) & table[["first", "before"]].notna().all(axis=1)]
    anew = later["first"] < later["before"]
    if len(later) < _FEWEST or anew.mean() < _SHARE:
        return None
    begun = later[anew]
    first, left = float(begun["first"].mean()), float((begun["before"] + begun["wrote"]).mean())
    has_cache = bool((requests.turns["cached"] > 0).any())
    system = float(begun["cached"].mean() if has_cache else context.get("system_tokens", 0.0))
    system = min(system, first)
    start = float(table.loc[table["turns_before"] == 0, "first"].mean())
    context |= {
        "system_tokens": four_digits(system),
        "start_tokens": four_digits(max(0.0, start - system)),
        "retention": four_digits(float(np.clip((first - system) / (left - system), 0.0, 1.0))),
    }
    context.pop("request_tokens", None)
    within = requests.turns.groupby("request", sort=False)["input"].diff()
    if not (within < 0.0).any():
        # What was taken for a window that was full is the end of a request.
        for name in ("window_tokens", "compaction"):
            context.pop(name, None)
    return (
        f"{len(begun):,} of {len(later):,} requests after others began with a new context, of "
        f"{first:,.0f} tokens, {percent(system / first)} of it cached"
    )


def _request_ends(requests: Requests) -> pd.DataFrame:
    """Return what the first call of each request read, and the last call before it."""
    turns = requests.turns
    each = turns.groupby("request", sort=False)
    table = pd.DataFrame(
        {
            "agent": each["session"].first() + "/" + each["agent"].first(),
            "turns": each.size(),
            "first": each["input"].nth(0).to_numpy(),
            "cached": each["cached"].nth(0).to_numpy(),
            "last": each["input"].nth(-1).to_numpy(),
            "written": each["output"].nth(-1).to_numpy(),
        }
    )
    before = table.groupby("agent", sort=False)
    return table.assign(
        before=before["last"].shift(),
        wrote=before["written"].shift().fillna(0.0),
        turns_before=before["turns"].shift().fillna(0),
    )
