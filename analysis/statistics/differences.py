"""How much more one team spends until success than another, where runs may fail."""

from __future__ import annotations

import math

import numpy as np

from analysis.statistics.completion import UNKNOWN
from analysis.statistics.intervals import Interval, mean_interval, proportion_interval
from simulator.distributions import Floats


def difference_to_success(
    before: Floats,
    before_done: Floats,
    after: Floats,
    after_done: Floats,
    confidence: float = 0.95,
    may_fail: bool = False,
) -> Interval:
    """Return how much more is spent until success in one setting than in another.

    It is ``mean(after) / mean(after_done) - mean(before) / mean(before_done)``. Where runs fail,
    the intervals of three parts are combined by the method of variance estimates recovery, with the
    correlations in the sample (Zou & Donner 2008): of what runs spend, for shares of runs that
    finish as they were found (`mean_interval` of the paired differences), and of either share
    (`proportion_interval`, so that after ten successes of ten the eleventh run may fail).

    Parameters
    ----------
    before, after : ndarray, shape (replications,)
        What each run spent, finished or not; value i of both is of the same replication.
    before_done, after_done : ndarray, shape (replications,)
        1 where it finished, else 0.
    confidence : float
        Coverage of the interval.
    may_fail : bool
        As for `analysis.statistics.completion.ratio_to_success`.

    Returns
    -------
    Interval
        In the unit of what is spent; `UNKNOWN` where either never finished.
    """
    if not (before_done.any() and after_done.any()):
        return UNKNOWN
    if np.array_equal(before, after) and np.array_equal(before_done, after_done):
        return Interval(0.0, 0.0, 0.0)  # the same runs
    if before_done.all() and after_done.all() and not may_fail:
        return mean_interval(after - before, confidence)
    shares = [proportion_interval(done, confidence) for done in (after_done, before_done)]
    takes = [float(x.mean()) / share.estimate
             for x, share in zip((after, before), shares, strict=True)]  # fmt: skip
    spent = after / shares[0].estimate - before / shares[1].estimate
    own = mean_interval(spent, confidence)
    if not (math.isfinite(own.low) and math.isfinite(own.high)):  # a single run
        return own
    # How much less, and how much more, success may take in each setting by the share of runs.
    less, more = (
        [abs(take * (share.estimate / end - 1.0)) if end > 0.0 else math.inf
         for take, share, end in zip(takes, shares, ends, strict=True)]
        for ends in ([each.high for each in shares], [each.low for each in shares])
    )  # fmt: skip
    pulls = [spent, -after_done, before_done]  # up to factors, which correlations do not show
    down = _combined([own.estimate - own.low, less[0], more[1]], pulls)
    up = _combined([own.high - own.estimate, more[0], less[1]], pulls)
    return Interval(own.estimate, own.estimate - down, own.estimate + up)


def _combined(distances: list[float], pulls: list[Floats]) -> float:
    """Return how far an end of a sum is from its estimate, given the ends of its parts."""
    lengths = [float(each.std()) for each in pulls]
    square = 0.0
    for i, one in enumerate(distances):
        square += one * one
        for j in range(i):
            if lengths[i] > 0.0 and lengths[j] > 0.0:
                correlation = float(np.corrcoef(pulls[i], pulls[j])[0, 1])
                square += 2.0 * one * distances[j] * correlation
    return math.sqrt(max(0.0, square))
