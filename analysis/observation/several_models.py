"""One agent that stands for calls of several models: as long on average as theirs together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.calls import timed
from analysis.calibration.gaps import COEFFICIENTS
from analysis.observation.scaling import scaled
from simulator.distributions import DISTRIBUTIONS

_GRID = (np.arange(10_000) + 0.5) / 10_000


def with_mean_duration(latency: Mapping[str, Any], chats: pd.DataFrame) -> dict[str, Any]:
    """Return a latency that has been fitted to calls of several models, with their mean duration.

    A family of durations given tokens fits one model. The calls of two, of which one takes three
    times as long, are in two heaps: what lies between them has another mean.

    Parameters
    ----------
    latency : mapping
        As a scenario says it, of the kind ``tokens`` or ``seconds``.
    chats : DataFrame
        The calls that it was fitted to, in the canonical table.
    """
    calls = timed(chats)
    seconds = calls["duration_s"].to_numpy(dtype=float)
    if latency["kind"] == "seconds":
        expected = _mean(latency["base"])
    else:
        calls = calls[calls[["input", "output"]].notna().all(axis=1)]
        seconds = calls["duration_s"].to_numpy(dtype=float)
        cached = calls["cached"].fillna(0.0).to_numpy(dtype=float)
        uncached = np.clip(calls["input"].to_numpy(dtype=float) - cached, 0.0, None)
        tokens = np.column_stack((uncached, cached, calls["output"].to_numpy(dtype=float)))
        base, *rates = (float(latency[name]) for name in COEFFICIENTS)
        expected = float((base + tokens @ np.asarray(rates) / 1000.0).mean())
        expected *= _mean(latency.get("residual", 1.0))
    if not len(seconds) or not expected > 0.0:
        return dict(latency)
    factor = float(seconds.mean()) / expected
    names = (*COEFFICIENTS, "base")
    return {
        name: scaled(value, factor) if name in names else value for name, value in latency.items()
    }


def _mean(said: Any) -> float:
    """Return the mean of a distribution as a scenario says it, with its effects."""
    if not isinstance(said, Mapping):
        return float(said)
    drawn = DISTRIBUTIONS.get(str(said["kind"])).model_validate(said).transform(_GRID)
    variance = sum(
        float(said.get(name, 0.0)) ** 2 for name in ("run_sigma", "agent_sigma", "phase_sigma")
    )
    return float(np.mean(drawn) * np.exp(variance / 2.0))
