"""Agents that begin each request with a new context: nodes of graphs, agents without memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.requests import Requests
from analysis.calibration.rounding import four_digits
from analysis.calibration.sessions import as_distribution
from analysis.calibration.windows import own_limit
from simulator.words import percent

_FEWEST = 3
"""Fewest requests that begin with less than was read before, for which it is told."""

_SHARE = 1.0 / 3.0
"""Share of the requests after others that must begin so. Of prompts that have nothing to do with
each other, half are shorter than the one before; of a context that is kept, only those after a
compaction are."""


def begin_requests_anew(context: dict[str, Any], requests: Requests) -> str | None:
    """Let a context be dropped between two requests, if it was so in the trace.

    A request begins anew if its first call reads no more than the last call of the request before:
    with the context kept, it would read all of that, what that call wrote, and the new request.
    Requests of a twin then begin as differently as those of the trace (`request_tokens`). The cache
    holds nothing of it but the system prompt: this is as large as what such calls found there. If
    contexts shrink between requests alone, no window was full.

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
    later = table[table[["first", "before"]].notna().all(axis=1)]
    anew = later["first"] <= later["before"]
    if anew.sum() < _FEWEST or anew.mean() < _SHARE:
        return None
    begins = later["first"].to_numpy(dtype=float)
    has_cache = bool((requests.turns["cached"] > 0).any())
    system = float(later["cached"].mean() if has_cache else context.get("system_tokens", 0.0))
    system = min(system, float(begins.min()))
    first = table.loc[table["before"].isna() & table["first"].notna(), "first"]
    context |= {
        "system_tokens": four_digits(system),
        "start_tokens": as_distribution(np.maximum(first.to_numpy(dtype=float) - system, 0.0)),
        "retention": 0,
        "request_tokens": as_distribution(begins - system),
    }
    if (table["turns"] == 1).all():
        # What calls add to the context is read by none.
        for name in ("turn_tokens", "first_turn_tokens"):
            context.pop(name, None)
    within = requests.turns.groupby("request", sort=False)["input"].diff()
    if not (within < 0.0).any():
        # What was taken for a window that was full is the end of a request.
        context.pop("compaction", None)
        if "window_tokens" in context:
            context["window_tokens"] = own_limit(float(requests.turns["input"].max()))
    return (
        f"{int(anew.sum()):,} of {len(later):,} requests after others began with no more than was "
        f"read before: each begins with a context of its own, of {begins.mean():,.0f} tokens, "
        f"{percent(system / begins.mean())} of it cached"
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
        }
    )
    before = table.groupby("agent", sort=False)
    return table.assign(before=before["last"].shift())
