"""Which of several systems is best, and how sure one may be of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from analysis.statistics import Interval, mean_interval

Array = npt.NDArray[np.float64]


def paired_difference(
    first: npt.ArrayLike, second: npt.ArrayLike, confidence: float = 0.95
) -> Interval:
    """Return mean(first) - mean(second) with the paired t interval.

    Value i of both comes from the same replication: with common random numbers the interval is
    narrower than that of two samples by as much as they move together (Law 2015, section 10.2.1).

    Raises
    ------
    ValueError
        If the two have different lengths.
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape:
        raise ValueError(f"paired samples differ in length: {x.shape} and {y.shape}")
    return mean_interval(x - y, confidence)


def rank(
    samples: Mapping[str, npt.ArrayLike],
    smaller_is_better: bool = True,
    confidence: float = 0.95,
    resamples: int = 4000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return systems in the order of their means, and how likely each is the best.

    Parameters
    ----------
    samples : mapping of str to array_like, shape (replications,)
        Value i of each comes from the same replication.
    smaller_is_better : bool
    confidence : float
        Coverage of the interval of each mean, and joint coverage of all the differences.
    resamples : int
        Bootstrap resamples of the replications.
    seed : int
        Of the resampling.

    Returns
    -------
    DataFrame
        A row a system, the best first: ``system, mean, low, high``; ``behind, behind_low,
        behind_high``: how much worse than the first, with a paired t interval, corrected by
        Bonferroni for as many comparisons; ``may_be_best``: whether that interval does not
        exclude it (Nelson & Matejcik 1995); ``p_best``: share of the paired bootstrap resamples
        in which its mean is the best.

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
    count = table.shape[1]
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(count, np.full(count, 1.0 / count), size=resamples)
    means = table @ draws.T
    # A tie in a resample is shared.
    best = means <= means.min(axis=0) + 1e-12 * np.abs(means).max(axis=0)
    p_best = (best / best.sum(axis=0)).mean(axis=1)
    order = np.argsort(table.mean(axis=1), kind="stable")
    first = table[order[0]]
    joint = 1.0 - (1.0 - confidence) / max(1, len(names) - 1)
    rows = []
    for i in order:
        own = mean_interval(values[i], confidence)
        behind = paired_difference(table[i], first, joint)
        rows.append(
            {
                "system": names[i],
                "mean": own.estimate,
                "low": own.low,
                "high": own.high,
                "behind": behind.estimate,
                "behind_low": behind.low,
                "behind_high": behind.high,
                "may_be_best": behind.low <= 0.0,
                "p_best": float(p_best[i]),
            }
        )
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Selection:
    """What the procedure has selected, and at what expense."""

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

    With probability at least `confidence` it is the best, if that is better than the others by
    at least `indifference`, for normal replications. Common random numbers make it quicker.

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
        Replications after which the best so far is taken.

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
    h_squared = 2.0 * eta * degrees
    table = np.array(values)
    variances = {
        (i, j): float(np.var(table[i] - table[j], ddof=1))
        for i in range(systems)
        for j in range(systems)
        if i != j
    }
    alive, count = list(range(systems)), first_stage
    sums = table.sum(axis=1)
    while len(alive) > 1 and count < most:
        alive = [
            i
            for i in alive
            if all(
                sums[i]
                >= sums[j]
                - max(
                    0.0,
                    indifference / 2 * (h_squared * variances[i, j] / indifference**2 - count),
                )
                for j in alive
                if j != i
            )
        ] or [max(alive, key=lambda i: float(sums[i]))]
        if len(alive) == 1:
            break
        for i in alive:
            value = simulate(i, count)
            values[i].append(value)
            sums[i] += value
        count += 1
    best = max(alive, key=lambda i: float(np.mean(values[i])))
    return Selection(best, [len(each) for each in values])


def replications_for(values: npt.ArrayLike, relative: float, confidence: float = 0.95) -> int:
    """Return how many replications a relative precision will take, from a pilot.

    The least number with ``t s / sqrt(number) <= relative |mean|``, t of Student with ``number -
    1`` degrees of freedom (Law 2015, section 9.4.1).

    Parameters
    ----------
    values : array_like, shape (replications,)
        At least two.
    relative : float
        Half of the interval over the mean.
    confidence : float
        Coverage of the interval.

    Raises
    ------
    ValueError
        If the mean is 0: nothing is precise beside it.
    """
    x = np.asarray(values, dtype=np.float64)
    mean, tail = abs(float(x.mean())), 0.5 + confidence / 2
    if mean == 0.0:
        raise ValueError("the mean of the pilot is 0: there is no precision relative to it")
    widest = (relative * mean / float(x.std(ddof=1))) ** 2 if x.std(ddof=1) > 0.0 else math.inf
    count = max(2, math.ceil(float(stats.norm.ppf(tail)) ** 2 / widest))
    while float(stats.t.ppf(tail, count - 1)) ** 2 > widest * count:
        count += 1
    return count
