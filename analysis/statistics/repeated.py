"""Tasks that are attempted several times: how many are right always, and how many ever.

The tables have a row for each task. Both statistics are means over tasks, so that what they say
depends on how the tasks differ: of two sets with the same share right, the one with easy and hard
tasks has more that are always right, and fewer that are ever.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simulator.experiment.intervals import Interval, proportion_interval

Array = npt.NDArray[np.float64]


def always_right(right: npt.ArrayLike, attempts: int, k: int, confidence: float = 0.95) -> Interval:
    """Return the share of tasks of which k attempts are all right: pass^k.

    Without bias for each task, ``C(c, k) / C(n, k)`` of n attempts of which c are right (Yao et
    al. 2024, tau-bench, section 3).

    Parameters
    ----------
    right : array_like of int, shape (tasks,)
        Attempts at each task that were right.
    attempts : int
        Attempts at each task, at least k.
    k : int
        At least 1.
    confidence : float
        Of the interval, over tasks.

    Returns
    -------
    Interval

    Raises
    ------
    ValueError
        If k is not between 1 and `attempts`, or a count is not between 0 and `attempts`.
    """
    return proportion_interval(_all_of(_counts(right, attempts, k), attempts, k), confidence)


def ever_right(right: npt.ArrayLike, attempts: int, k: int, confidence: float = 0.95) -> Interval:
    """Return the share of tasks of which one of k attempts is right: coverage or pass@k.

    Without bias for each task, ``1 - C(n - c, k) / C(n, k)`` (Chen et al. 2021, section 2.1; Brown
    et al. 2024). Parameters, result and errors are those of `always_right`.
    """
    wrong = attempts - _counts(right, attempts, k)
    return proportion_interval(1.0 - _all_of(wrong, attempts, k), confidence)


def _counts(right: npt.ArrayLike, attempts: int, k: int) -> Array:
    counts = np.asarray(right, dtype=float)
    if not 1 <= k <= attempts:
        raise ValueError(f"k is {k}; it must be between 1 and the {attempts} attempts at each task")
    if counts.size and not (counts.min() >= 0 and counts.max() <= attempts):
        raise ValueError(f"a task was right {counts.max():g} times of {attempts}")
    return counts


def _all_of(counts: Array, attempts: int, k: int) -> Array:
    """Return the probability that k of the attempts, drawn without replacement, are among these."""
    share = np.ones_like(counts)
    for i in range(k):
        share *= np.maximum(counts - i, 0.0) / (attempts - i)
    return share
