"""Confidence intervals of means: what is printed, and what decides when to stop replicating."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SHARE_METRICS = frozenset({"success", "quality", "error_rate", "utilisation", "availability"})
"""Metrics that lie between 0 and 1 in every replication."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence interval; an end that is not known is infinite."""

    estimate: float
    low: float
    high: float


def interval_of_metric(values: npt.ArrayLike, metric: str, confidence: float = 0.95) -> Interval:
    """Return the mean of a metric over replications, with the interval that suits it.

    Parameters
    ----------
    values : array_like, shape (replications,)
    metric : str
        Its name: `proportion_interval` for `SHARE_METRICS`, `mean_interval` for all others.
    confidence : float
        Coverage, 0 to 1.
    """
    suits = proportion_interval if metric in SHARE_METRICS else mean_interval
    return suits(values, confidence)


def mean_interval(values: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the mean of independent values and an interval that allows for their skewness.

    Student's t interval of skewed values holds the mean too seldom: of ten exponential ones in
    90 %, of ten lognormal ones with sigma 1 in 84 %. So it is extended to where Hall's (1992,
    section 3) cubic transformation of the t statistic puts the ends, which brings them to 94 and
    90 %. It is never narrower than Student's, and about 10 % wider for ten normal values. What no
    value shows it cannot know: ten values that happen to hold no straggler tell of none.

    Parameters
    ----------
    values : array_like, shape (replications,)
    confidence : float
        Coverage, 0 to 1.

    Returns
    -------
    Interval
        In the unit of `values`; of width 0 for values all alike, without ends for a single one.
    """
    from scipy import stats

    x = np.asarray(values, dtype=np.float64)
    count, mean = len(x), float(x.mean())
    if count < 2:
        return Interval(mean, -math.inf, math.inf)
    sd = float(x.std(ddof=1))
    if sd == 0.0:
        return Interval(mean, mean, mean)
    t = float(stats.t.ppf(0.5 + confidence / 2, count - 1)) / math.sqrt(count)
    skewness = float((((x - mean) / sd) ** 3).mean()) * (count / (count - 1)) ** 1.5
    low = max(t, _untransformed(t, skewness, count))
    high = min(-t, _untransformed(-t, skewness, count))
    return Interval(mean, mean - low * sd, mean - high * sd)


def _untransformed(t: float, skewness: float, count: int) -> float:
    """Return where Hall's transformation of the standardised mean takes the value `t`.

    It flattens where the cube is 0, and says nothing of what is beyond.
    """
    if abs(skewness) < 1e-6:
        return t
    cube = max(0.0, 1.0 + skewness * (t - skewness / (6.0 * count)))
    return 3.0 / skewness * (math.cbrt(cube) - 1.0)


def proportion_interval(values: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the mean of values between 0 and 1, with an interval between 0 and 1.

    Of outcomes, all 0 or 1, it is Clopper and Pearson's (1934), which holds the probability at
    least as often as it says: after 100 successes of 100 it reaches down to 0.964. Of other
    shares it is that of as many outcomes as have the same standard error (Korn & Graubard 1998:
    the effective sample size), extended to the ends of `mean_interval`, as far as these are
    between 0 and 1. Values all alike say that others have a probability of at most what
    Clopper and Pearson allow after no success, and may be anything from 0 to 1.

    Parameters
    ----------
    values : array_like, shape (replications,)
        Between 0 and 1; booleans too.
    confidence : float
        Coverage, 0 to 1.

    Returns
    -------
    Interval
        Of a width above 0.

    Notes
    -----
    Degrees of freedom of the standard error are those of Satterthwaite (1946), from the kurtosis.
    In simulations 95 % intervals hold outcomes in 95 % and more, shares of correct tasks in 93 %
    and more at 10 to 400 replications, also where errors come in clusters (intra-class
    correlation 0.5), and ten values of a beta distribution that is almost all at 1 in 85 %.

    Raises
    ------
    ValueError
        If a value is below 0 or above 1.
    """
    from scipy import stats

    x = np.asarray(values, dtype=np.float64)
    if x.min() < -_ROUNDING or x.max() > 1.0 + _ROUNDING:
        raise ValueError(f"shares are from 0 to 1, found {x.min():g} to {x.max():g}")
    x = np.clip(x, 0.0, 1.0)
    count, mean = len(x), float(x.mean())
    if ((x == 0.0) | (x == 1.0)).all():
        return Interval(mean, *_clopper_pearson(mean, count, confidence))
    if np.ptp(x) <= _ROUNDING:
        unseen = _clopper_pearson(0.0, count, confidence)[1]
        return Interval(mean, mean * (1.0 - unseen), mean + (1.0 - mean) * unseen)
    squares, tail = (x - mean) ** 2, 0.5 + confidence / 2
    kurtosis = float((squares**2).mean() / squares.mean() ** 2)
    # A variance that a few values make is known to no more degrees of freedom than there are.
    degrees = min(count - 1.0, 2.0 * count / max(kurtosis - 1.0, 1.0))
    shrunk = float(stats.norm.ppf(tail) / stats.t.ppf(tail, degrees))
    effective = count * mean * (1.0 - mean) / float(x.var(ddof=1)) * shrunk**2
    low, high = _clopper_pearson(mean, max(count, effective), confidence)
    skewed = mean_interval(x, confidence)
    return Interval(mean, min(low, max(skewed.low, 0.0)), max(high, min(skewed.high, 1.0)))


_ROUNDING = 1e-9
"""By which a share of times may miss its bounds."""


def _clopper_pearson(share: float, count: float, confidence: float) -> tuple[float, float]:
    """Return the interval of a probability after `share` of `count` trials, whole or not."""
    from scipy import stats

    tail, successes = (1.0 - confidence) / 2, share * count
    failures = count - successes
    low = float(stats.beta.ppf(tail, successes, failures + 1.0)) if share > 0.0 else 0.0
    high = float(stats.beta.ppf(1.0 - tail, successes + 1.0, failures)) if share < 1.0 else 1.0
    return low, high
