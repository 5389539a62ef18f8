"""Drift: trends of agents' behaviour with the number of calls that they have made."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from analysis.calibration.estimates import Estimate
from analysis.calibration.habits import Ints
from analysis.traces.team_runs import CELL
from simulator.distributions import Floats

_ALIKE = (np.arange(20.0) / 20.0) ** 2
"""Correlations that are tried between any two trials of an agent."""


def trends(calls: pd.DataFrame, logs: Floats, correlation: float) -> dict[str, Estimate]:
    """Return the trends a call.

    How long a call takes does not decide how many follow, so that the trend of durations is the
    one within agents. Whether its attempts fail or it idles does decide it (see
    `slope_until_done`).

    Parameters
    ----------
    calls : DataFrame
        As `analysis.calibration.observations.observe` returns them.
    logs : ndarray, shape (calls,)
        Logarithms of the durations of working calls over those their work lets expect, NaN
        for idle calls.
    correlation : float
        Probability that an attempt has the outcome that its call's attempts share.

    Returns
    -------
    dict
        ``latency_trend`` (of the logarithm), ``error_trend`` (of the share of attempts that
        fail), ``idle_trend`` (of the probability of idling although there is work, of calls alike
        in whether the one before idled; an agent's first call has none before).
    """
    agent = calls.groupby(["run_dir", "agent"], sort=False)
    made = np.asarray(agent.cumcount(), dtype=np.float64)
    who = np.asarray(agent.ngroup(), dtype=np.int64)
    run = pd.factorize(calls["run_dir"])[0].astype(np.int64)
    team = [*CELL, "n_teammates"]
    its_team = np.asarray(calls.groupby(team).ngroup(), dtype=np.int64)
    and_before = np.asarray(calls.groupby([*team, "was_idle"]).ngroup(), dtype=np.int64)
    tried = np.maximum(calls["tried"].to_numpy(), calls["completed"].to_numpy()).astype(float)
    completed = calls["completed"].to_numpy(dtype=float)
    works = (tried > 0) & ~calls["is_idle"].to_numpy(dtype=bool)
    failed = np.asarray(np.where(works, 1.0 - completed / np.maximum(tried, 1.0), np.nan))
    counted = np.maximum(tried, 1.0) / (1.0 + np.maximum(0.0, tried - 1.0) * correlation**2)
    could = calls["could_work"].to_numpy(dtype=bool) & (made > 0)
    idle = np.asarray(np.where(could, calls["is_idle"].to_numpy(dtype=float), np.nan))
    return {
        "latency_trend": slope(logs, made, who, run),
        "error_trend": slope_until_done(failed, counted, made, who, its_team, run),
        "idle_trend": slope_until_done(idle, np.ones(len(idle)), made, who, and_before, run),
    }


def slope(values: Floats, x: Floats, groups: Ints, clusters: Ints) -> Estimate:
    """Return the slope of `values` on `x` within groups, its error robust to clusters.

    Least squares with an effect of each group; values that are NaN are left out. The error is NaN
    where nothing tells a slope.
    """
    seen = np.isfinite(values)
    frame = pd.DataFrame({"y": values[seen], "x": x[seen]})
    within = frame - frame.groupby(groups[seen]).transform("mean")
    return _through_origin(within["y"].to_numpy(), within["x"].to_numpy(), clusters[seen])


def slope_until_done(
    values: Floats, trials: Floats, x: Floats, agents: Ints, kinds: Ints, clusters: Ints
) -> Estimate:
    """Return the slope of `values` on `x` where an agent's values decide when it ends.

    Who fails goes on, and the last call of all is one that did not fail. So an effect of each agent
    would make a downward trend of what has none (Nickell 1981). Here agents differ by a random
    effect, and each value is compared with what the agent's values before let expect: such
    differences have mean 0 whenever the agent ends (a martingale's; exactly so for shares of a
    beta-binomial distribution too, whose expectation is linear in what was before). The correlation
    between an agent's trials is the likeliest.

    Parameters
    ----------
    values, trials, x : ndarray, shape (n,)
        In order within each agent; values that are NaN are left out. Each is the mean of so many
        independent trials.
    agents, kinds, clusters : ndarray of int, shape (n,)
        Whose they are; values of different kinds may have different means; the error is robust to
        clusters.
    """
    seen = np.isfinite(values)
    agents, kinds = agents[seen], kinds[seen]
    columns = [values[seen], x[seen], *(kinds == kind for kind in np.unique(kinds))]
    table = np.column_stack(columns).astype(np.float64)
    if not len(table):
        return Estimate(0.0, math.nan)
    tried = trials[seen]
    so_far = pd.DataFrame(np.column_stack([tried[:, None] * table, tried])).groupby(agents).cumsum()
    before = so_far.to_numpy()[:, :-1] - tried[:, None] * table
    count = so_far.to_numpy()[:, -1] - tried
    best, found = -np.inf, (table[:, 0], table[:, 1])
    for alike in _ALIKE:
        weight = alike / (1.0 - alike + alike * count)
        spread = np.sqrt((1.0 - alike) * (1.0 / tried + weight))
        new = (table - weight[:, None] * before) / spread[:, None]
        rest = new[:, :2] - new[:, 2:] @ np.linalg.lstsq(new[:, 2:], new[:, :2], rcond=None)[0]
        at = rest[:, 0] @ rest[:, 1] / max(rest[:, 1] @ rest[:, 1], 1e-12)
        left = float(((rest[:, 0] - at * rest[:, 1]) ** 2).sum())
        likelihood = -0.5 * len(new) * np.log(max(left, 1e-12)) - float(np.log(spread).sum())
        if likelihood > best:
            best, found = likelihood, (rest[:, 0], rest[:, 1])
    return _through_origin(*found, clusters[seen])


def _through_origin(y: Floats, x: Floats, clusters: Ints) -> Estimate:
    """Return the slope of a line through the origin, its error by a jackknife over the clusters."""
    places = np.unique(clusters, return_inverse=True)[1].ravel()
    own, products = np.bincount(places, x**2), np.bincount(places, x * y)
    spread = float(own.sum())
    if spread < 1e-9:
        return Estimate(0.0, math.nan)
    at, k = float(products.sum()) / spread, len(own)
    moved = (products - at * own) / np.maximum(spread - own, 1e-9)
    return Estimate(at, float(np.sqrt((moved**2).sum() * (k - 1) / k)))
