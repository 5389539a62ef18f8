"""Intervals for means, quantiles and ratios of means of simulated runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.statistics.quantiles import quantile_of, ranks_around
from analysis.statistics.roots import root_between
from simulator.experiment.intervals import (
    SHARE_METRICS,
    Interval,
    interval_of_metric,
    interval_of_moments,
    mean_interval,
    proportion_interval,
    student_quantile,
)

__all__ = [
    "SHARE_METRICS",
    "Interval",
    "difference_of_shares_interval",
    "interval_of_metric",
    "mean_interval",
    "proportion_interval",
    "quantile_interval",
    "ratio_of_means_interval",
    "ratio_of_products_interval",
    "replications_for_quantile",
]

Array = npt.NDArray[np.float64]


def quantile_interval(values: npt.ArrayLike, share: float, confidence: float = 0.95) -> Interval:
    """Return a quantile of independent values and an interval between two of them.

    The ends are order statistics whose ranks the binomial distribution gives, so that the
    coverage is at least `confidence` whatever the distribution (David & Nagaraja 2003, section
    7.1). With too few values for an end, the end is not known.

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
        In the unit of `values`; an end is infinite if there are too few values for it (see
        `replications_for_quantile`).
    """
    x = np.sort(np.asarray(values, dtype=np.float64))
    count = len(x)
    below, above = ranks_around(count, share, confidence)
    estimate = quantile_of(x, share)
    low = min(float(x[below - 1]), estimate) if below > 0 else -math.inf
    high = max(float(x[above]), estimate) if above < count else math.inf
    return Interval(estimate, low, high)


def replications_for_quantile(share: float, confidence: float = 0.95) -> int:
    """Return the fewest replications that bound a quantile on both sides.

    All n values are below it with probability ``share**n``, and above it with probability
    ``(1 - share)**n``. Neither may be more than half of ``1 - confidence``. The 99th percentile
    needs 368 replications at 95 % confidence.

    Parameters
    ----------
    share : float
        Of the distribution below the quantile, between 0 and 1.
    confidence : float
        Coverage of the interval, 0 to 1.
    """
    return math.ceil(math.log((1.0 - confidence) / 2) / math.log(max(share, 1.0 - share)))


def ratio_of_means_interval(
    numerator: npt.ArrayLike,
    denominator: npt.ArrayLike,
    confidence: float = 0.95,
    are_shares: bool = False,
) -> Interval:
    """Return mean(numerator) / mean(denominator) with an interval.

    Parameters
    ----------
    numerator, denominator : array_like, shape (replications,)
        Value i of both comes from the same replication.
    confidence : float
        Coverage, 0 to 1.
    are_shares : bool
        Whether the values are from 0 to 1, and those seen leave others open.

    Returns
    -------
    Interval
        That of `ratio_of_products_interval`, which describes the method and the errors raised.
    """
    return ratio_of_products_interval([numerator], [denominator], confidence, are_shares)


def ratio_of_products_interval(
    above: Sequence[npt.ArrayLike],
    below: Sequence[npt.ArrayLike],
    confidence: float = 0.95,
    are_shares: bool = False,
) -> Interval:
    """Return a product of means over a product of means, with an interval.

    Value i of all comes from the same replication, so that positive correlation narrows the
    interval. For two means it is Fieller's (1954): all ratios r for which the paired t test of
    ``numerator - r * denominator`` does not reject a mean of 0. For products it is the same, with
    each product linearised in its means. The test allows for skewness (`mean_interval`), as where
    only one of the two is skewed: of ten pairs, a lognormal value of sigma 1 over a constant, it
    holds 90 % and Fieller's 84 %. Outcomes (all values 0 or 1, with at least one 1) and shares have
    an interval of their own (`proportion_interval`), because after ten successes of ten the
    probability of success may still be 0.7. The parts are combined on the logarithmic scale by the
    method of variance estimates recovery, with the correlations in the sample (Zou & Donner 2008).

    Parameters
    ----------
    above, below : sequences of array_like, each of shape (replications,)
        With means from 0 up.
    confidence : float
        Coverage, 0 to 1.
    are_shares : bool
        Whether all values are shares, not only outcomes.

    Returns
    -------
    Interval
        Between 0 and infinity. The upper end is infinite if the product below is not significantly
        different from 0; the estimate is infinite if that product is 0.

    Raises
    ------
    ValueError
        If they have different lengths, or a mean is negative.
    """
    tops = [np.asarray(each, dtype=np.float64) for each in above]
    bottoms = [np.asarray(each, dtype=np.float64) for each in below]
    lengths = {each.shape for each in (*tops, *bottoms)}
    if len(lengths) > 1:
        raise ValueError(f"paired samples differ in length: {sorted(lengths)}")
    least = min(float(each.mean()) for each in (*tops, *bottoms))
    if least < 0.0:
        raise ValueError(f"a ratio is of means from 0 up, found {least:g}")
    product = math.prod(float(each.mean()) for each in tops)
    divisor = math.prod(float(each.mean()) for each in bottoms)
    estimate = product / divisor if divisor > 0.0 else math.inf
    if len(tops[0]) < 2 or divisor == 0.0:
        return Interval(estimate, 0.0, math.inf)
    parts = [_share_part(x, 1, confidence) for x in tops if are_shares or _is_outcome(x)]
    parts += [_share_part(x, -1, confidence) for x in bottoms if are_shares or _is_outcome(x)]
    over, under = (
        [x for x in side if not (are_shares or _is_outcome(x))] for side in (tops, bottoms)
    )
    if over or under:
        parts.append(_fieller(over, under, len(tops[0]), confidence))
    if product == 0.0:
        return Interval(0.0, 0.0, math.prod(part.high for part in parts))
    down = _distance([_log_ratio(part.estimate, part.low) for part in parts], parts)
    up = _distance([_log_ratio(part.high, part.estimate) for part in parts], parts)
    return Interval(estimate, estimate * math.exp(-down), estimate * math.exp(up))


def difference_of_shares_interval(
    first: npt.ArrayLike, second: npt.ArrayLike, confidence: float = 0.95
) -> Interval:
    """Return mean(first) - mean(second) of values between 0 and 1, with an interval.

    Of outcomes, all 0 or 1, only pairs that differ tell: it is the share of pairs in which only the
    first is 1, less the share in which only the second is. So it is, too, where all pairs differ by
    the same, as others may differ by anything. Of other shares it is the difference of both means,
    and the interval reaches to the ends of `mean_interval` of the differences. The intervals of the
    two shares (`proportion_interval`) are combined by the method of variance estimates recovery,
    with the correlation in the sample (Newcombe 1998; Zou & Donner 2008). So the difference of two
    shares that were 1 in all of ten replications is not known to be 0, as a paired t interval would
    say.

    Parameters
    ----------
    first, second : array_like, shape (replications,)
        Between 0 and 1; value i of both comes from the same replication.
    confidence : float
        Coverage, 0 to 1.

    Returns
    -------
    Interval
        Between -1 and 1.

    Raises
    ------
    ValueError
        If they have different lengths, or a value is below 0 or above 1.
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape:
        raise ValueError(f"paired samples differ in length: {x.shape} and {y.shape}")
    found, apart = _difference(x, y, confidence), x - y
    if np.isin([x, y], (0.0, 1.0)).all() or np.ptp(apart) <= 1e-9:  # rounding
        return _difference(np.maximum(apart, 0.0), np.maximum(-apart, 0.0), confidence)
    paired = mean_interval(apart, confidence)
    low, high = min(found.low, paired.low), max(found.high, paired.high)
    return Interval(found.estimate, max(-1.0, low), min(1.0, high))


def _difference(x: Array, y: Array, confidence: float) -> Interval:
    """Return the difference of two shares, by the interval of each and their correlation."""
    one, other = (proportion_interval(values, confidence) for values in (x, y))
    r, difference = _correlation(x, y), one.estimate - other.estimate

    def distance(a: float, b: float) -> float:
        return math.sqrt(max(0.0, a * a - 2.0 * r * a * b + b * b))

    down = distance(one.estimate - one.low, other.high - other.estimate)
    up = distance(one.high - one.estimate, other.estimate - other.low)
    return Interval(difference, max(-1.0, difference - down), min(1.0, difference + up))


@dataclass(frozen=True, slots=True)
class _Part:
    """A factor of a ratio of products: its interval, and the influence of each replication."""

    estimate: float
    low: float
    high: float
    influence: Array
    """Relative to the estimate, shape (replications,)."""


def _is_outcome(x: Array) -> bool:
    return bool(x.any() and ((x == 0.0) | (x == 1.0)).all())


def _share_part(x: Array, power: int, confidence: float) -> _Part:
    found = proportion_interval(x, confidence)
    influence = power * x / (found.estimate or 1.0)
    if power > 0:
        return _Part(found.estimate, found.low, found.high, influence)
    high = 1.0 / found.low if found.low > 0.0 else math.inf
    return _Part(1.0 / found.estimate, 1.0 / found.high, high, influence)


def _fieller(
    tops: Sequence[Array], bottoms: Sequence[Array], count: int, confidence: float
) -> _Part:
    """Return the ratio of two products of means by Fieller, with an interval from 0 up."""
    above, below = (math.prod(float(x.mean()) for x in side) for side in (tops, bottoms))
    pulls = [_influence(side, count) for side in (tops, bottoms)]
    squared = student_quantile(0.5 + confidence / 2, count - 1) ** 2 / count
    (v_above, both), (_, v_below) = squared * np.cov(pulls[0], pulls[1])
    # The ratios r with (above - r below)^2 <= t^2 var(u - r w) / count: a quadratic inequality.
    a, b, c = below**2 - v_below, above * below - both, above**2 - v_above
    root = math.sqrt(max(0.0, b * b - a * c))
    low = float(c / (b + root)) if c > 0.0 else 0.0
    high = float((b + root) / a) if a > 0.0 else math.inf
    over, under = (pull - pull.mean() + at for pull, at in zip(pulls, (above, below), strict=True))
    low, high = _allowing_for_skewness(over, under, low, high, confidence)
    relative = pulls[0] / above - pulls[1] / below if above > 0.0 else np.zeros(count)
    return _Part(above / below, low, high, relative)


def _allowing_for_skewness(
    over: Array, under: Array, low: float, high: float, confidence: float
) -> tuple[float, float]:
    """Return ends outside Fieller's: where `mean_interval` of ``over - r under`` ends at 0."""
    count, means = len(over), (float(over.mean()), float(under.mean()))
    u, w = over - means[0], under - means[1]
    uu, uw, ww = (float(each.mean()) for each in (u * u, u * w, w * w))
    uuu, uuw, uww, www = (float(each.mean()) for each in (u**3, u * u * w, u * w * w, w**3))

    def interval(a: float, b: float) -> Interval:
        """Return the interval of the mean of ``a over - b under``, by the moments of both."""
        square = a * a * uu - 2.0 * a * b * uw + b * b * ww
        mean = a * means[0] - b * means[1]
        if square <= 1e-13 * (a * a * uu + b * b * ww):  # rounding
            return Interval(mean, mean, mean)
        cube = a**3 * uuu - 3.0 * a * b * (a * uuw - b * uww) - b**3 * www
        sd = math.sqrt(square * count / (count - 1))
        return interval_of_moments(mean, sd, cube / square**1.5, count, confidence)

    def least(ratio: float) -> float:
        return interval(1.0, ratio).low

    def most(inverse: float) -> float:
        return interval(inverse, 1.0).high

    if low > 0.0 > least(low):
        low = _root(least, low) if least(0.0) > 0.0 else 0.0
    if 0.0 < high < math.inf and most(1.0 / high) > 0.0:
        high = 1.0 / _root(most, 1.0 / high) if most(0.0) < 0.0 else math.inf
    return low, high


def _root(function: Callable[[float], float], upper: float) -> float:
    """Return where a function is 0, between 0 and `upper`, to a part in 10^9 of that."""
    return root_between(function, 0.0, upper, 1e-9 * upper)


def _influence(factors: Sequence[Array], count: int) -> Array:
    """Return the influence of each replication on a product of means."""
    total = np.zeros(count)
    for i, x in enumerate(factors):
        total += x * math.prod(float(y.mean()) for j, y in enumerate(factors) if j != i)
    return total


def _log_ratio(larger: float, smaller: float) -> float:
    return math.log(larger / smaller) if smaller > 0.0 else math.inf


def _distance(distances: Sequence[float], parts: Sequence[_Part]) -> float:
    """Return how far the end of a product is from its estimate, given the ends of its factors."""
    if math.inf in distances:
        return math.inf
    square = 0.0
    for i, (one, part) in enumerate(zip(distances, parts, strict=True)):
        square += one * one
        for other, another in zip(distances[:i], parts[:i], strict=True):
            square += 2.0 * one * other * _correlation(part.influence, another.influence)
    return math.sqrt(max(0.0, square))


def _correlation(x: Array, y: Array) -> float:
    """Return the correlation, 0 where one of the two never varies."""
    if np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])
