"""Steady states: how long a warm-up lasts, and the mean of correlated observations after it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.statistics import Interval, mean_interval


def mser5(values: npt.ArrayLike, batch: int = 5) -> int:
    """Return how many observations to delete as warm-up, by MSER-5.

    The truncation that makes the standard error of the mean of what is left smallest, computed
    on means of five, among those that delete at most half (White, Cobb & Spratt 2000; Franklin &
    White 2008).

    Parameters
    ----------
    values : array_like, shape (observations,)
        In the order of time, at least twice `batch`.
    batch : int
        Observations whose means are looked at.

    Raises
    ------
    ValueError
        If there are too few.
    """
    x = np.asarray(values, dtype=np.float64)
    count = len(x) // batch
    if count < 2:
        raise ValueError(f"MSER-{batch} needs at least {2 * batch} observations, not {len(x)}")
    means = x[: count * batch].reshape(count, batch).mean(axis=1)
    # Sums over what is left when the first d means are gone, for all d at once.
    left = np.arange(count, 0, -1)
    total = np.cumsum(means[::-1])[::-1]
    squares = np.cumsum((means**2)[::-1])[::-1]
    criterion = (squares - total**2 / left) / left**2
    return int(np.argmin(criterion[: count // 2 + 1])) * batch


def steady_mean(values: npt.ArrayLike, confidence: float = 0.95, batches: int = 20) -> Interval:
    """Return the mean after the warm-up, with an interval by batch means.

    Parameters
    ----------
    values : array_like, shape (observations,)
        Of one long run, in the order of time.
    confidence : float
        Coverage, if batches are long enough to be independent (Schmeiser 1982: 10 to 30 of
        them).
    batches : int
        Batches into which what is left is cut.

    Raises
    ------
    ValueError
        If there are too few observations for the batches.
    """
    x = np.asarray(values, dtype=np.float64)
    left = x[mser5(x) :]
    size = len(left) // batches
    if size < 1:
        raise ValueError(f"{len(left)} observations are too few for {batches} batches")
    means = left[len(left) - size * batches :].reshape(batches, size).mean(axis=1)
    return mean_interval(means, confidence)


def is_independent(values: npt.ArrayLike, level: float = 0.05) -> bool:
    """Return whether a sequence passes von Neumann's test of independence.

    The ratio of the mean square of successive differences to the variance (von Neumann 1941),
    by its normal approximation; for batch means, a check that batches are long enough.

    Parameters
    ----------
    values : array_like, shape (observations,)
        At least eight.
    level : float
        Probability of failing for independent normal values.
    """
    x = np.asarray(values, dtype=np.float64)
    count = len(x)
    spread = float(((x - x.mean()) ** 2).sum())
    if count < 8 or spread == 0.0:
        return True
    lagged = 1.0 - float((np.diff(x) ** 2).sum()) / (2.0 * spread)
    z = lagged * np.sqrt((count**2 - 1) / (count - 2))
    return bool(z <= stats.norm.ppf(1.0 - level))
