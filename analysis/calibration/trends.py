"""Drift: trends of agents' behaviour with the number of calls that they have made."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.calibration.estimates import Estimate
from analysis.calibration.habits import Ints
from simulator.distributions import Floats


def trends(calls: pd.DataFrame, logs: Floats) -> dict[str, Estimate]:
    """Return the trends a call, within runs and agents.

    Parameters
    ----------
    calls : DataFrame
        As `analysis.calibration.observations.observe` returns them.
    logs : ndarray, shape (calls,)
        Logarithms of the durations of working calls over those their work lets expect, NaN
        for idle calls.

    Returns
    -------
    dict
        ``latency_trend`` (of the logarithm), ``error_trend`` (of the share of attempts that
        fail), ``idle_trend`` (of the probability of idling although there is work).
    """
    agent = calls.groupby(["run_dir", "agent"], sort=False)
    made = np.asarray(agent.cumcount(), dtype=np.float64)
    who = np.asarray(agent.ngroup(), dtype=np.int64)
    run = pd.factorize(calls["run_dir"])[0].astype(np.int64)
    tried = np.maximum(calls["tried"].to_numpy(), calls["completed"].to_numpy()).astype(float)
    completed = calls["completed"].to_numpy(dtype=float)
    works = (tried > 0) & ~calls["is_idle"].to_numpy(dtype=bool)
    failed = np.asarray(np.where(works, 1.0 - completed / np.maximum(tried, 1.0), np.nan))
    could = calls["could_work"].to_numpy(dtype=bool)
    idle = np.asarray(np.where(could, calls["is_idle"].to_numpy(dtype=float), np.nan))
    return {
        "latency_trend": slope(logs, made, who, run),
        "error_trend": slope(failed, made, who, run),
        "idle_trend": slope(idle, made, who, run),
    }


def slope(values: Floats, x: Floats, groups: Ints, clusters: Ints) -> Estimate:
    """Return the slope of `values` on `x` within groups, its error robust to clusters.

    Least squares with an effect of each group; values that are NaN are left out.
    """
    seen = np.isfinite(values)
    frame = pd.DataFrame({"y": values[seen], "x": x[seen], "cluster": clusters[seen]})
    within = frame[["y", "x"]] - frame[["y", "x"]].groupby(groups[seen]).transform("mean")
    spread = float((within["x"] ** 2).sum())
    if spread < 1e-9:
        return Estimate(0.0, 0.0)
    at = float((within["x"] * within["y"]).sum()) / spread
    scores = (within["x"] * (within["y"] - at * within["x"])).groupby(frame["cluster"]).sum()
    k = len(scores)
    error = np.sqrt(float((scores**2).sum()) * k / max(1, k - 1)) / spread
    return Estimate(at, float(error))
