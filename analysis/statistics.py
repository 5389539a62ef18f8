"""Intervals for simulated means and for ratios of paired means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence interval."""

    estimate: float
    low: float
    high: float


def mean_interval(values: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the mean of independent values and its Student t interval.

    Parameters
    ----------
    values : array_like, shape (replications,)
    confidence : float
        Coverage, 0 to 1.

    Returns
    -------
    Interval
        In the unit of `values`; of width 0 for a single value or values all alike.
    """
    x = np.asarray(values, dtype=np.float64)
    mean = float(x.mean())
    if len(x) < 2:
        return Interval(mean, mean, mean)
    half = stats.t.ppf(0.5 + confidence / 2, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
    return Interval(mean, float(mean - half), float(mean + half))


def quantile_interval(values: npt.ArrayLike, share: float, confidence: float = 0.95) -> Interval:
    """Return a quantile of independent values and an interval between two of them.

    The ends are order statistics whose ranks the binomial distribution gives, so that the
    coverage is at least `confidence` whatever the distribution (David & Nagaraja 2003, section
    7.1), as far as there are values enough: the ends are at most the least and the largest.

    Parameters
    ----------
    values : array_like, shape (replications,)
    share : float
        Of the distribution below the quantile, between 0 and 1.
    confidence : float
        Coverage, 0 to 1.

    Returns
    -------
    Interval
        In the unit of `values`.
    """
    x = np.sort(np.asarray(values, dtype=np.float64))
    tail = (1.0 - confidence) / 2
    low, high = np.asarray(stats.binom.ppf([tail, 1.0 - tail], len(x), share)).astype(int)
    estimate = float(np.quantile(x, share))
    first, last = x[max(0, low - 1)], x[min(len(x) - 1, high)]
    return Interval(estimate, min(float(first), estimate), max(float(last), estimate))


def ratio_of_means_interval(
    numerator: npt.ArrayLike,
    denominator: npt.ArrayLike,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Return mean(numerator) / mean(denominator) with a paired percentile-bootstrap interval.

    Value i of both comes from the same replication (common random numbers), so pairs are
    resampled together (Efron & Tibshirani 1993, section 13.3).

    Parameters
    ----------
    numerator, denominator : array_like, shape (replications,)
    confidence : float
        Coverage, 0 to 1.
    resamples : int
        Bootstrap resamples.
    seed : int
        Of the resampling.

    Raises
    ------
    ValueError
        If the two have different lengths.
    """
    x, y = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    if x.shape != y.shape:
        raise ValueError(f"paired samples differ in length: {x.shape} and {y.shape}")
    estimate = float(x.mean() / y.mean())
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(x), np.full(len(x), 1.0 / len(x)), size=resamples)
    tail = 100.0 * (1.0 - confidence) / 2
    # A resample of nothing but zeros has no ratio, or no upper bound.
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (counts @ x) / (counts @ y)
        low, high = np.percentile(ratios, [tail, 100.0 - tail])
    return Interval(estimate, float(low), float(high))


def ratio_of_products_interval(
    above: Sequence[npt.ArrayLike], below: Sequence[npt.ArrayLike], confidence: float = 0.95
) -> Interval:
    """Return a product of means over a product of means, with an interval.

    Value i of all comes from the same replication. The interval is Student's on the logarithm, by
    the delta method (Casella & Berger 2002, section 5.5.4).

    Parameters
    ----------
    above, below : sequences of array_like, each of shape (replications,)
        Positive in the mean.
    confidence : float
        Coverage, 0 to 1.

    Raises
    ------
    ValueError
        If they have different lengths.
    """
    tops = [np.asarray(each, dtype=np.float64) for each in above]
    bottoms = [np.asarray(each, dtype=np.float64) for each in below]
    lengths = {each.shape for each in (*tops, *bottoms)}
    if len(lengths) > 1:
        raise ValueError(f"paired samples differ in length: {sorted(lengths)}")
    logs = [np.log(each.mean()) for each in tops], [np.log(each.mean()) for each in bottoms]
    centre = float(np.sum(logs[0]) - np.sum(logs[1]))
    estimate = float(np.exp(centre))
    count = len(tops[0])
    if count < 2:
        return Interval(estimate, estimate, estimate)
    influence = np.zeros(count)
    for each in tops:
        influence += each / each.mean()
    for each in bottoms:
        influence -= each / each.mean()
    half = stats.t.ppf(0.5 + confidence / 2, count - 1) * influence.std(ddof=1) / np.sqrt(count)
    return Interval(estimate, float(np.exp(centre - half)), float(np.exp(centre + half)))


def summary(results: pd.DataFrame, metrics: list[str], confidence: float = 0.95) -> pd.DataFrame:
    """Return mean, interval and quantiles of each metric over replications.

    Parameters
    ----------
    results : DataFrame
        A row a replication.
    metrics : list of str
        Numeric columns of it.
    confidence : float
        Coverage of the interval of the mean.

    Returns
    -------
    DataFrame
        Index: metric; columns: mean, low, high, sd (over replications), p5, p50, p95, p99.
    """
    rows = {}
    for metric in metrics:
        values = results[metric].to_numpy(dtype=np.float64)
        interval = mean_interval(values, confidence)
        sd = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
        quantiles = np.percentile(values, [5, 50, 95, 99])
        rows[metric] = (interval.estimate, interval.low, interval.high, sd, *quantiles)
    columns = ["mean", "low", "high", "sd", "p5", "p50", "p95", "p99"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)
