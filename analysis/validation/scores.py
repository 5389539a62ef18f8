"""Scores of a predictive distribution against what happened."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.statistics.clusters import clustered_share_interval
from analysis.statistics.intervals import Interval, ratio_of_means_interval
from simulator.distributions import Floats


def fair_crps(ensemble: Floats, truth: float) -> float:
    """Return the continuous ranked probability score of a sample of the forecast.

    ``E|X - y| - E|X - X'| / 2`` with the second mean over distinct pairs, so that the size of
    the sample does not matter (Ferro 2014); with one member, the absolute error.

    Parameters
    ----------
    ensemble : ndarray, shape (m,)
    truth : float
    """
    m = len(ensemble)
    return _distance(ensemble, truth) - _pairs(ensemble) / max(1, m * (m - 1))


def crps(ensemble: Floats, truth: float) -> float:
    """Return the continuous ranked probability score of a sample that is itself the forecast.

    ``E|X - y| - E|X - X'| / 2`` over all pairs, those of a member with itself too (Gneiting &
    Raftery 2007): few members are a coarse forecast, and score as one. With many it is `fair_crps`.

    Parameters
    ----------
    ensemble : ndarray, shape (m,)
    truth : float
    """
    return _distance(ensemble, truth) - _pairs(ensemble) / len(ensemble) ** 2


def _distance(ensemble: Floats, truth: float) -> float:
    return float(np.abs(ensemble - truth).mean())


def _pairs(ensemble: Floats) -> float:
    """Return the sum of |x_i - x_j| over pairs, each once, from the order statistics."""
    m = len(ensemble)
    ranks = 2.0 * np.arange(1, m + 1) - m - 1.0
    return float((ranks * np.sort(ensemble)).sum())


def mean_crps(ensemble: Floats, truths: Floats) -> float:
    """Return the mean of `crps` over the true values."""
    return float(np.mean([crps(ensemble, float(y)) for y in truths]))


def running_again(truths: Floats) -> float:
    """Return the mean score of each true replicate, with the others as the forecast of it.

    That is what it is worth to have run the same team as often already. It is NaN for a single
    replicate.
    """
    if len(truths) < 2:
        return float("nan")
    return float(np.mean([crps(np.delete(truths, i), float(y)) for i, y in enumerate(truths)]))


def ratio_to_again(scores: pd.DataFrame, clusters: Sequence[str]) -> Interval:
    """Return the mean score of predictions over that of running it again, with a 95 % interval.

    It is of how the ratio differs between clusters: teams that share a fit are predicted well or
    badly together, so that a fit counts once, with the sums of its teams' scores.

    Parameters
    ----------
    scores : DataFrame
        A row a team: ``predicted``, ``again`` (rows without it are left out) and the clusters'
        columns.
    clusters : sequence of str
        Columns that say which fit a team's prediction is of.

    Returns
    -------
    Interval
        Its ends are NaN for fewer than two clusters, and where running again scores 0, as of runs
        that are all alike.
    """
    known = scores[scores["again"].notna()]
    sums = known.groupby(list(clusters))[["predicted", "again"]].sum()
    predicted, again = (float(sums[name].sum()) for name in ("predicted", "again"))
    if again == 0.0:  # no team, or all runs alike
        return Interval(math.inf if predicted > 0.0 else math.nan, math.nan, math.nan)
    if len(sums) < 2:
        return Interval(predicted / again, math.nan, math.nan)
    return ratio_of_means_interval(sums["predicted"], sums["again"])


def noise_floor(truths: Floats) -> float:
    """Return an unbiased estimate of the mean CRPS of the true distribution, the least there is.

    That is half the mean distance of two draws (Gneiting & Raftery 2007). Of few replicates it may
    be above the score of a forecast by chance. It is NaN for a single replicate.
    """
    n = len(truths)
    return _pairs(truths) / (n * (n - 1)) if n > 1 else float("nan")


def covers(ensemble: Floats, truths: Floats, level: float) -> float:
    """Return the share of `truths` in the ensemble's central interval of probability `level`."""
    low, high = np.quantile(ensemble, [(1.0 - level) / 2, (1.0 + level) / 2])
    return float(np.mean((truths >= low - 1e-9) & (truths <= high + 1e-9)))


def coverage_of(teams: pd.DataFrame, share: str, clusters: Sequence[str]) -> Interval:
    """Return the mean over teams of the share of runs in their intervals, with a 95 % interval.

    Teams that share a fit are predicted well or badly together, and so are the runs of a team.

    Parameters
    ----------
    teams : DataFrame
        A row a team: ``runs``, their number, the column `share` (rows without it are left out) and
        the clusters' columns.
    share : str
        Name of the column with the shares.
    clusters : sequence of str
        Columns that say which fit a team's prediction is of.

    Returns
    -------
    Interval
        All of it is NaN without a team.
    """
    known = teams[teams[share].notna()]
    if known.empty:
        return Interval(math.nan, math.nan, math.nan)
    fit = known.groupby(list(clusters), dropna=False).ngroup()
    return clustered_share_interval(known[share], fit, known["runs"])


def pit(ensemble: Floats, truths: Floats, rng: np.random.Generator) -> Floats:
    """Return the probability integral transform of each truth, ties broken at random.

    Uniform on [0, 1] if the forecast is calibrated (Dawid 1984; randomised for discrete
    forecasts, Czado, Gneiting & Held 2009).
    """
    ordered = np.sort(ensemble)
    below = np.searchsorted(ordered, truths, "left")
    ties = np.searchsorted(ordered, truths, "right") - below
    return np.asarray((below + rng.random(len(truths)) * (ties + 1)) / (len(ordered) + 1))


def brier(probability: float, happened: Sequence[bool] | Floats) -> float:
    """Return the mean squared distance between a probability and what happened (0 or 1)."""
    return float(np.mean((np.asarray(happened, dtype=float) - probability) ** 2))


def brier_again(happened: Floats) -> float:
    """Return the mean Brier score of each outcome, with the share of the others as its forecast."""
    outcomes = np.asarray(happened, dtype=float)
    if len(outcomes) < 2:
        return float("nan")
    others = (outcomes.sum() - outcomes) / (len(outcomes) - 1)
    return float(np.mean((outcomes - others) ** 2))


def brier_floor(happened: Floats) -> float:
    """Return an unbiased estimate of the mean Brier score of the true probability.

    That is the variance of an outcome. It is NaN for a single one.
    """
    outcomes = np.asarray(happened, dtype=float)
    return float(np.var(outcomes, ddof=1)) if len(outcomes) > 1 else float("nan")
