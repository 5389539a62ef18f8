"""By what runs of much work differ from runs of little, in what each of their turns is like.

In short sessions of coding agents a turn writes more, adds more to the context, and waits longer
for tools than in long ones. A twin that draws them from what all turns have in common has short
sessions that are too short and too cheap.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.estimates import Estimate
from analysis.calibration.requests import Requests
from analysis.calibration.rounding import four_digits
from analysis.calibration.seen_times import SHORTEST_S, resolution_s
from simulator.distributions import Floats
from simulator.experiment.intervals import student_quantile
from simulator.model.workloads.resampled import MOST_POWER

FEWEST_RUNS = 40
"""Fewest runs of which powers are estimated."""

_CONFIDENCE = 0.95
"""A power is left out if its interval of this confidence holds 0, or chance explains it."""
_RISK = 1.0 - _CONFIDENCE
_FLIPS = 999
_STEPS = 50
_CLOSE = 1e-9


@dataclass(frozen=True)
class FittedPowers:
    """Powers of a run's work by which its turns differ.

    Attributes
    ----------
    runs : int
        Runs that they were fitted to.
    at_work : float
        Work of a run whose turns are as those of all runs: the geometric mean over turns.
    powers : dict of str to Estimate
        Those that are not 0, as far as the runs tell.
    """

    runs: int
    at_work: float
    powers: Mapping[str, Estimate]

    def spec(self) -> dict[str, Any]:
        """Return ``by_work`` as a scenario says it; empty where nothing differs."""
        if not self.powers:
            return {}
        said = {name: four_digits(each.value) for name, each in self.powers.items()}
        return {"at_work": four_digits(self.at_work), **said}


def fit_by_work(
    requests: Requests, work: Mapping[str, float], without: Sequence[str] = ()
) -> FittedPowers | None:
    """Fit the powers to the turns of runs.

    Parameters
    ----------
    requests : Requests
        Of one agent in each run: its sessions are the runs.
    work : mapping of str to float
        The work of each run, by its name.
    without : sequence of str
        Tools that start sub-agents, whose seconds are those.

    Returns
    -------
    FittedPowers or None
        None if there are too few runs.
    """
    turns, tools = (
        rows[rows["session"].astype(str).isin(list(work))]
        for rows in (requests.turns, requests.tools)
    )
    if turns["session"].nunique() < FEWEST_RUNS:
        return None
    logs = {name: math.log(each) for name, each in work.items()}
    names = turns["session"].astype(str)
    found: dict[str, Estimate] = {}
    for name, values, of_run, is_log in (
        ("output", turns["output"].clip(lower=1.0), names, True),
        ("growth", turns["growth"].where(turns["growth"] >= 0.0), names, False),
        ("tools", *_seconds(turns, tools, without), True),
    ):
        known = values.notna().to_numpy()
        power = _power(
            values.to_numpy(dtype=np.float64)[known], of_run.to_numpy()[known], logs, is_log
        )
        if power is not None:
            found[name] = power
    return FittedPowers(len(logs), float(np.exp(names.map(logs).mean())), found)


def _seconds(
    turns: pd.DataFrame, tools: pd.DataFrame, without: Sequence[str]
) -> tuple[pd.Series, pd.Series]:
    """Return how long tools take, as a share of what is usual for each, and in which run."""
    if tools.empty:
        gaps = turns[turns["gap_s"].notna()]
        return _told(gaps["gap_s"]), gaps["session"].astype(str)
    own = tools[~tools["tool"].isin(list(without)) & tools["seconds"].notna()]
    logs = np.log(_told(own["seconds"]))
    usual = logs.groupby(own["tool"].astype(str)).transform("mean")
    return np.exp(logs - usual), own["session"].astype(str)


def _told(seconds: pd.Series) -> pd.Series:
    """Return times; of what a coarse clock shows as 0, the half of what it shows next."""
    known = seconds.to_numpy(dtype=np.float64)
    clock_s = resolution_s(known) if known.any() else 0.0
    return seconds.clip(lower=max(SHORTEST_S, clock_s / 2.0))


def _power(
    values: Floats, runs: npt.NDArray[Any], logs: Mapping[str, float], is_log: bool
) -> Estimate | None:
    """Return the power of the work of which values are, if it is not 0 as far as they tell.

    Both its interval and `chance` must say so. Runs that hardly differ in their work may show a
    power beyond what a scenario takes, which is brought back to that.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Positive if `is_log`, else at least 0.
    runs : ndarray of str, shape (n,)
    logs : mapping
        Logarithm of each run's work.
    is_log : bool
        Whether means of logarithms follow it, which a few huge values hardly move. Else means of
        values do, some of which may be 0.
    """
    y = np.log(values) if is_log else values
    names, run = np.unique(runs, return_inverse=True)
    x = np.asarray([logs[name] for name in names], dtype=np.float64)
    if len(names) < FEWEST_RUNS or np.ptp(x) == 0.0 or not values.any():
        return None
    slope, error = regression_of_runs(y, run.ravel(), x, has_log_link=not is_log)
    reach = student_quantile(0.5 + _CONFIDENCE / 2, len(names) - 2) * error
    if abs(slope) <= reach or chance(y, run.ravel(), x, has_log_link=not is_log) > _RISK:
        return None
    return Estimate(float(np.clip(slope, -MOST_POWER, MOST_POWER)), error)


def regression_of_runs(
    y: Floats, run: npt.NDArray[np.intp], x: Floats, has_log_link: bool
) -> tuple[float, float]:
    """Return the slope of values on a number that their run has, and its standard error.

    Runs differ by more than chance among their values: each run's mean counts by the sum of both
    variances, of which that between runs is estimated by the method of moments (DerSimonian &
    Laird 1986). The error is that of the jackknife, which holds whatever the variances are: the
    sandwich HC3 (MacKinnon & White 1985).

    Parameters
    ----------
    y : ndarray, shape (n,)
    run : ndarray of int, shape (n,)
        Which of the runs each is of.
    x : ndarray, shape (runs,)
    has_log_link : bool
        Whether the logarithm of the mean is linear in `x`, by quasi-likelihood with a standard
        deviation in proportion to the mean (McCullagh & Nelder 1989, chapter 9). Else the mean is.

    Notes
    -----
    In simulations of 60 runs of 1 to 100 values (standard deviation between runs 0.5, within 1.3,
    or of skewed values 30 % of which are 0), 95 % intervals hold 93 to 96 %; of runs that differ
    twice as much, 90 to 95 %.
    """
    design = np.stack([np.ones_like(x), x - x[run].mean()], axis=1)
    fit = _fit(y, run, design, has_log_link)
    weights, off, bread = fit.weights, fit.off, fit.bread
    leverage = weights * np.einsum("ij,jk,ik->i", design, bread, design)
    scores = design * (weights * off / np.maximum(1.0 - leverage, 1e-9))[:, None]
    covariance = bread @ (scores.T @ scores) @ bread
    return float(fit.at[1]), math.sqrt(float(covariance[1, 1]))


def chance(y: Floats, run: npt.NDArray[np.intp], x: Floats, has_log_link: bool) -> float:
    """Return how probable it is that runs alike in their mean seem to differ as much with `x`.

    What each run adds to the score of the slope has a random sign where there is none: the sum is
    compared with sums under 999 sets of signs (Hemerik, Goeman & Finos 2020, "Robust testing in
    generalized linear models by sign flipping score contributions"). Intervals of the slope alone
    leave out 0 too often where one run decides it: one far larger than all others, or far out.

    Parameters
    ----------
    y, run, x, has_log_link
        As `regression_of_runs` takes them.
    """
    fit = _fit(y, run, np.ones((len(x), 1)), has_log_link)
    scores = (x - fit.weights @ x / fit.weights.sum()) * fit.weights * fit.off
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (_FLIPS, len(scores)))
    as_far = np.abs(signs @ scores) >= abs(float(scores.sum())) * (1.0 - _CLOSE)
    return (1.0 + float(as_far.sum())) / (_FLIPS + 1.0)


@dataclass(frozen=True)
class _Fit:
    """A fit of the means of runs.

    Attributes
    ----------
    at : ndarray, shape (columns,)
    off, weights : ndarray, shape (runs,)
        How far each run's mean is from the expected one, in units of which the standard deviation
        is alike, and how much it counts.
    bread : ndarray, shape (columns, columns)
        Inverse of the weighted squares of the design.
    """

    at: Floats
    off: Floats
    weights: Floats
    bread: Floats


def _fit(y: Floats, run: npt.NDArray[np.intp], design: Floats, has_log_link: bool) -> _Fit:
    """Fit the means of runs to a design of shape (runs, columns), the first column of ones.

    By Newton's method, with weights of the fit before. The others are those of
    `regression_of_runs`.
    """
    counts = np.bincount(run).astype(np.float64)
    means = np.bincount(run, y) / counts
    at = np.zeros(design.shape[1])
    at[0] = math.log(y.mean()) if has_log_link else y.mean()
    for _ in range(_STEPS):
        expected = np.exp(design @ at) if has_log_link else design @ at
        unit = expected if has_log_link else np.ones_like(expected)
        off = (means - expected) / unit
        within = (((y - means[run]) / unit[run]) ** 2).sum() / max(1.0, counts.sum() - len(counts))
        weights = 1.0 / (_between(off, counts, float(within)) + within / counts)
        bread = np.linalg.inv(design.T @ (weights[:, None] * design))
        step = bread @ (design.T @ (weights * off))
        at = at + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < _CLOSE:
            break
    return _Fit(at, off, weights, bread)


def _between(off: Floats, counts: Floats, within: float) -> float:
    """Return the variance between runs, given how far their means are from the expected ones."""
    if within <= 0.0:
        return float((off**2).mean()) or 1.0
    weights = counts / within
    spread = float(weights @ off**2) - (len(counts) - 2.0)
    return max(0.0, spread / float(weights.sum() - (weights**2).sum() / weights.sum()))
