"""Selects the best of several systems, and tells how sure this is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.statistics.intervals import Interval, mean_interval
from simulator import special
from simulator.experiment.intervals import student_quantile

Array = npt.NDArray[np.float64]


def paired_difference(
    first: npt.ArrayLike, second: npt.ArrayLike, confidence: float = 0.95
) -> Interval:
    """Return mean(first) - mean(second) with the paired t interval.

    Value i of both comes from the same replication. With common random numbers the two are
    positively correlated, which makes the interval narrower than that of independent samples (Law
    2015, section 10.2.1).

    Raises
    ------
    ValueError
        If the two have different lengths.
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape:
        raise ValueError(f"paired samples differ in length: {x.shape} and {y.shape}")
    return mean_interval(x - y, confidence)


def difference_errors(values: npt.ArrayLike) -> Array:
    """Return the standard errors of the differences of means of all pairs of systems.

    Parameters
    ----------
    values : array_like, shape (systems, replications)
        Column r of all comes from the same replication; at least two.

    Returns
    -------
    ndarray, shape (systems, systems)
        0 on the diagonal.
    """
    x = np.asarray(values, dtype=np.float64)
    errors = np.zeros((len(x), len(x)))
    # Not from the covariances: if two systems are nearly equal, only rounding errors would remain.
    for i in range(len(x)):
        errors[i] = (x - x[i]).std(axis=1, ddof=1) / np.sqrt(x.shape[1])
    return errors


def difference_skewness(values: npt.ArrayLike) -> Array:
    """Return the skewness of the differences of all pairs of systems, as `mean_interval` has it.

    Parameters
    ----------
    values : array_like, shape (systems, replications)
        Column r of all comes from the same replication; at least two.

    Returns
    -------
    ndarray, shape (systems, systems)
        Row i, column j: of the values of system i less those of j; 0 where they never vary.
    """
    x = np.asarray(values, dtype=np.float64)
    return np.stack([_skewness(each - x) for each in x])


def _skewness(x: Array) -> Array:
    count = x.shape[1]
    sd = x.std(axis=1, ddof=1)
    centred = (x - x.mean(axis=1, keepdims=True)) / np.where(sd > 0.0, sd, np.inf)[:, None]
    return np.asarray((centred**3).mean(axis=1) * (count / (count - 1)) ** 1.5)


def rank(
    samples: Mapping[str, npt.ArrayLike],
    smaller_is_better: bool = True,
    confidence: float = 0.95,
    indifference: float = 0.01,
    sure: Collection[str] | None = None,
) -> pd.DataFrame:
    """Return systems in the order of their means, with bounds of how sure each is the best.

    Parameters
    ----------
    samples : mapping of str to array_like, shape (replications,)
        Value i of each comes from the same replication. The number of replications must not depend
        on the values.
    smaller_is_better : bool
    confidence : float
        Coverage of the interval of each mean, and joint coverage of all the differences.
    indifference : float
        Share of the best mean that does not matter.
    sure : collection of str, optional
        Systems whose further values are known to be the same; those that never vary when absent.

    Returns
    -------
    DataFrame
        A row a system, the best first: ``system, mean, low, high``; ``behind, behind_low,
        behind_high``: how much worse than the first, with a paired interval that allows for
        skewness (`mean_interval`), corrected by Bonferroni for all pairs, since the first is chosen
        by the same samples; ``may_be_best``: whether no other is known to be better (Nelson &
        Matejcik 1995); ``p_best``: a lower bound of the probability that no other is better by more
        than the indifference; NaN if nothing is known, as where another was better or worse by the
        same in all replications, which are not sure to be so again, and at most 0.99, as the tails
        of a t distribution cannot be trusted further.

    Raises
    ------
    ValueError
        If the samples have different lengths, or there is none.
    """
    if not samples:
        raise ValueError("there is nothing to rank")
    names = list(samples)
    values = [np.asarray(samples[name], dtype=np.float64) for name in names]
    if len({len(each) for each in values}) > 1:
        raise ValueError("paired samples differ in length")
    table = np.stack(values) * (1.0 if smaller_is_better else -1.0)
    systems, count = table.shape
    means = table.mean(axis=1)
    behind = means[:, None] - means[None, :]
    rivals = max(1, systems - 1)
    rounding = 1e-12 * float(np.abs(means).max())
    if count > 1:
        errors = difference_errors(table)
        tail = (1.0 - confidence) / (systems * rivals)
        skewness = difference_skewness(table)
        t = -student_quantile(min(tail, 0.5), count - 1)
        down, up = (_distances(t, sign * skewness, count) * errors for sign in (1.0, -1.0))
        zone = indifference * abs(float(means.min()))
        with np.errstate(divide="ignore", invalid="ignore"):
            # For all pairs, the p-value of one being worse than the other by more than the zone.
            surprise = (zone - behind) / errors
            # Of skewed differences that of Hall's transformation, if it is less.
            surprise = np.fmin(surprise, -_transformed(-surprise, skewness, count))
        surprise = np.where(errors > 0.0, surprise, np.where(behind <= zone, np.inf, -np.inf))
        # Pairs that all differ by the same may differ by what none of them has shown.
        varies = np.ptp(table, axis=1) > 0.0
        may_vary = varies if sure is None else np.array([name not in sure for name in names])
        is_level = (errors <= rounding) & (may_vary[:, None] | may_vary[None, :])
        np.fill_diagonal(is_level, False)
        surprise = np.where(is_level, -np.inf, surprise)
        down, up = (np.where(is_level, np.inf, each) for each in (down, up))
        np.fill_diagonal(surprise, np.inf)
        wrong = rivals * special.stdtr(count - 1, -surprise.min(axis=1))
        p_best = np.where(wrong < 1.0, np.minimum(1.0 - wrong, 0.99), np.nan)
    else:
        down = np.full_like(behind, np.inf)
        np.fill_diagonal(down, 0.0)
        up = down
        p_best = np.full(systems, 0.99 if systems == 1 else np.nan)
    may_be_best = (behind - down <= rounding).all(axis=1)
    order = np.argsort(means, kind="stable")
    first = order[0]
    rows = []
    for i in order:
        own = mean_interval(values[i], confidence)
        rows.append(
            {
                "system": names[i],
                "mean": own.estimate,
                "low": own.low,
                "high": own.high,
                "behind": float(behind[i, first]),
                "behind_low": float(behind[i, first] - down[i, first]),
                "behind_high": float(behind[i, first] + up[i, first]),
                "may_be_best": bool(may_be_best[i]),
                "p_best": float(p_best[i]),
            }
        )
    return pd.DataFrame(rows)


def _transformed(t: Array, skewness: Array, count: int) -> Array:
    """Return Hall's (1992) transformation of t statistics, which increases in them."""
    root = np.sqrt(count)
    return np.asarray(
        t + skewness * t**2 / (3 * root) + skewness**2 * t**3 / (27 * count) + skewness / (6 * root)
    )


def _distances(t: float, skewness: Array, count: int) -> Array:
    """Return how many standard errors a lower end is from its mean, at least `t`."""
    shifted = t / np.sqrt(count) - skewness / (6.0 * count)
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = 3.0 / skewness * (np.cbrt(np.maximum(0.0, 1.0 + skewness * shifted)) - 1.0)
    moved = np.where(np.abs(skewness) < 1e-6, t / np.sqrt(count), moved)
    return np.asarray(np.maximum(t, moved * np.sqrt(count)))


@dataclass(frozen=True)
class Selection:
    """The selected system, and the number of replications spent."""

    best: int
    replications: Sequence[int]
    """Of each system."""


def kim_nelson(
    simulate: Callable[[int, int], float],
    systems: int,
    indifference: float,
    confidence: float = 0.95,
    first_stage: int = 20,
    most: int = 100_000,
) -> Selection:
    """Select the system with the largest mean, fully sequentially (Kim & Nelson 2001).

    For normal replications, it is the best with probability at least `confidence`, if the best is
    better than the others by at least `indifference`. Common random numbers make it quicker.

    Parameters
    ----------
    simulate : callable
        ``simulate(system, replication)`` returns a value.
    systems : int
    indifference : float
        Differences smaller than this do not matter.
    confidence : float
        Probability of correct selection.
    first_stage : int
        Replications from which variances are estimated.
    most : int
        Replications after which the procedure stops and selects the best so far.

    Raises
    ------
    ValueError
        If there are fewer than two replications in the first stage, or no system.
    """
    if first_stage < 2 or systems < 1:
        raise ValueError("the procedure needs a system and two replications of it")
    values = [[simulate(i, r) for r in range(first_stage)] for i in range(systems)]
    degrees = first_stage - 1
    eta = 0.5 * ((2.0 * (1.0 - confidence) / max(1, systems - 1)) ** (-2.0 / degrees) - 1.0)
    h_squared: float = 2.0 * eta * degrees
    table = np.array(values)
    variances = {
        (i, j): float(np.var(table[i] - table[j], ddof=1))
        for i, j in permutations(range(systems), 2)
    }
    alive, count = list(range(systems)), first_stage
    sums = table.sum(axis=1)

    def reach(i: int, j: int) -> float:
        """Return by how much the sum of `i` may fall behind that of `j`."""
        return max(0.0, indifference / 2 * (h_squared * variances[i, j] / indifference**2 - count))

    while len(alive) > 1 and count < most:
        # With no sum allowed to fall behind, the largest mean is selected, ties or not.
        is_last = all(reach(i, j) == 0.0 for i, j in permutations(alive, 2))
        alive = [
            i for i in alive if all(sums[i] >= sums[j] - reach(i, j) for j in alive if j != i)
        ] or [max(alive, key=lambda i: float(sums[i]))]
        if is_last or len(alive) == 1:
            break
        for i in alive:
            value = simulate(i, count)
            values[i].append(value)
            sums[i] += value
        count += 1
    best = max(alive, key=lambda i: float(np.mean(values[i])))
    return Selection(best, [len(each) for each in values])
