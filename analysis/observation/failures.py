"""Calls that failed in a trace, and the errors of the twin's provider that stand for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.retries import retries_in
from analysis.calibration.rounding import four_digits
from analysis.observation.twin import Twin
from analysis.traces.canonical import CHATS
from simulator.words import percent


def let_calls_fail(twin: Twin, calls: pd.DataFrame) -> None:
    """Let requests fail at the provider as often as those of the trace did, and be billed alike.

    Parameters
    ----------
    twin : Twin
    calls : DataFrame
        Calls that the twin is made of, in the canonical table.
    """
    hits = sum(fit.failed.hits - 0.5 for fit in twin.fits.values())
    asked = sum(fit.failed.hits + fit.failed.misses - 1.0 for fit in twin.fits.values())
    if hits < 1.0 or hits >= asked:
        if hits >= 1.0:
            twin.lack("calls that go well: none did; in their place: a profile's")
        return
    share = hits / asked
    after = np.asarray([fit.failed_s for fit in twin.fits.values()])
    known = after[np.isfinite(after)]
    said: dict[str, Any] = {"probability": four_digits(share)}
    if len(known) and known.mean() > 0.0:
        said["after_s"] = four_digits(float(known.mean()))
    bill = bill_of(calls)
    if bill:
        said["bill"] = bill
    retry = retries_in(calls)
    twin.say("provider", {"errors": said, **({"retry": retry.said()} if retry else {})})
    if retry is not None:
        twin.explain("provider.retry", retry.why())
    error = (share * (1.0 - share) / asked) ** 0.5
    twin.explain(
        "provider.errors",
        f"{hits:,.0f} of {asked:,.0f} calls failed: {percent(share, 2)} ± "
        f"{percent(error, 2)}; seconds: their mean"
        + ("; bill: their tokens, beside those of calls that were answered" if bill else ""),
    )


def bill_of(calls: pd.DataFrame) -> dict[str, float]:
    """Return what is billed of calls that failed, as a scenario says it; empty if it is nothing.

    A call whose tokens are told is billed. How much it found in the cache, and wrote, is told
    relative to calls that were answered.
    """
    chats = calls[calls["operation_name"].isin(CHATS)]
    names = ["input_tokens", "cache_read_input_tokens", "output_tokens"]
    tokens = chats[names].astype("Float64").astype(float)
    is_failed = (chats["status"].fillna("ok") == "error").to_numpy(dtype=bool)
    failed, answered = tokens[is_failed], tokens[~is_failed & tokens["input_tokens"].notna()]
    billed = failed[failed["input_tokens"].gt(0.0)].fillna(0.0)
    if billed.empty:
        return {}
    read, cached, wrote = billed.sum()
    found = {"share": len(billed) / len(failed)}
    usual = answered["cache_read_input_tokens"].sum() / max(1.0, answered["input_tokens"].sum())
    if usual > 0.0:
        found["cached"] = min(1.0, float(cached / read / usual))
    usual = float(answered["output_tokens"].mean())
    if usual > 0.0:
        found["written"] = min(1.0, float(wrote / len(billed) / usual))
    return {name: four_digits(value) for name, value in found.items()}
