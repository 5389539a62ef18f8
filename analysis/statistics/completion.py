"""How long the work takes if some runs do not finish it.

A run that ends at a deadline, a budget or a deadlock shows only that the work takes longer: it is
censored. So a time is never a mean over the runs as they ended. It is
the **time to success**: a run that fails is started again, until one finishes. The number of runs
is geometric, and by Wald's identity the expected time is the mean length of all runs over the share
that finished (Auger & Hansen 2005, "expected running time"). Where all runs finish, this is the
mean makespan; where none does, it is not known, and at least as long as all runs together. The
same holds for whatever else the runs spend: tokens, messages, money.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from analysis.statistics.intervals import (
    Interval,
    mean_interval,
    quantile_interval,
    ratio_of_means_interval,
    ratio_of_products_interval,
)
from analysis.statistics.unseen import most_unseen_percent
from simulator.distributions import Floats

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN = Interval(math.nan, math.nan, math.nan)
"""The interval if no run finished."""


def time_to_success(rows: pd.DataFrame, confidence: float = 0.95) -> Interval:
    """Return the expected time until a run has finished, where failed runs are started again.

    Parameters
    ----------
    rows : DataFrame
        A row a replication, with ``makespan_s`` and ``success``.
    confidence : float
        Coverage of the interval.

    Returns
    -------
    Interval
        In simulated seconds; `UNKNOWN` where no run finished.
    """
    return to_success(rows["makespan_s"], rows["success"], confidence)


def to_success(spent: npt.ArrayLike, finished: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the mean spent until a run has finished, where failed runs are started again.

    Parameters
    ----------
    spent : array_like, shape (replications,)
        What each run spent, finished or not: seconds, tokens, US dollars.
    finished : array_like of bool, shape (replications,)
    confidence : float
        Coverage of the interval.

    Returns
    -------
    Interval
        In the unit of `spent`, ``mean(spent) / mean(finished)``; `UNKNOWN` if none finished. Even
        if all finished, the upper end allows for a share below 1, as the runs are few.
    """
    x, done = _numbers(spent), _numbers(finished)
    if not done.any():
        return UNKNOWN
    if not x.any():  # nothing was spent
        return mean_interval(x, confidence)
    return ratio_of_products_interval((x,), (done,), confidence)


def linearised(spent: npt.ArrayLike, finished: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return a number for each replication; their mean is `to_success`, with its standard error.

    With ``R = mean(spent) / mean(finished)`` it is ``R + (spent - R finished) / mean(finished)``:
    the linear part of the estimate (delta method; Casella & Berger 2002, section 5.5.4). So means
    and paired differences of these numbers have the intervals of times to success and of their
    differences. Where all finished, it is `spent` itself.

    Parameters
    ----------
    spent, finished : array_like, shape (replications,)

    Raises
    ------
    ValueError
        If none finished.
    """
    x, done = _numbers(spent), _numbers(finished)
    if not done.any():
        raise ValueError("no run finished: what it takes is not known")
    if done.all():
        return x
    share = done.mean()
    ratio = x.mean() / share
    return np.asarray(ratio + (x - ratio * done) / share)


def quantile_to_finish(
    spent: npt.ArrayLike, finished: npt.ArrayLike, share: float, confidence: float = 0.95
) -> Interval:
    """Return a quantile of what a single run spends to finish; others count as longer.

    Parameters
    ----------
    spent, finished : array_like, shape (replications,)
    share : float
        Share of the distribution below the quantile, between 0 and 1.
    confidence : float
        Coverage of the interval.

    Returns
    -------
    Interval
        In the unit of `spent`; infinite if it falls among the runs that did not finish, which count
        as longer than all others.
    """
    x, done = _numbers(spent), _numbers(finished).astype(bool)
    if done.all():
        return quantile_interval(x, share, confidence)
    ordered = np.sort(np.where(done, x, math.inf))
    ranks = quantile_interval(np.arange(len(x)), share, confidence)
    return Interval(*(_at(ordered, rank) for rank in (ranks.estimate, ranks.low, ranks.high)))


def speedup(
    alone: Mapping[str, npt.ArrayLike] | pd.DataFrame,
    team: Mapping[str, npt.ArrayLike] | pd.DataFrame,
    confidence: float = 0.95,
    may_fail: bool = False,
) -> Interval:
    """Return how many times sooner a team succeeds than one agent.

    Parameters
    ----------
    alone, team : mapping of str to array_like, or DataFrame
        Row i of both is of the same replication, with ``makespan_s`` and ``success``.
    confidence : float
        Coverage of the interval.
    may_fail : bool
        As for `ratio_to_success`.

    Returns
    -------
    Interval
        Time to success of one agent over that of the team; `UNKNOWN` if either never finished.

    Raises
    ------
    ValueError
        If the two have different lengths.
    """
    (before, alone_done), (after, team_done) = (
        (_numbers(rows["makespan_s"]), _numbers(rows["success"])) for rows in (alone, team)
    )
    return ratio_to_success(before, alone_done, after, team_done, confidence, may_fail)


def ratio_to_success(
    before: Floats,
    alone_done: Floats,
    after: Floats,
    team_done: Floats,
    confidence: float = 0.95,
    may_fail: bool = False,
) -> Interval:
    """Return the ratio of what one agent and what a team spends until success.

    Parameters
    ----------
    before, after : ndarray, shape (replications,)
        The amount spent by each run of one agent, and by each run of the team, finished or not.
    alone_done, team_done : ndarray, shape (replications,)
        1 where it finished, else 0.
    confidence : float
        Coverage of the interval.
    may_fail : bool
        Whether further runs may fail though all of these finished, as runs of the same study that
        failed would show. Where it is false and all finished, this is the ratio of two means; its
        interval then holds for runs that finish (see `unseen_failures`).

    Returns
    -------
    Interval
        `UNKNOWN` where either never finished.
    """
    if not (alone_done.any() and team_done.any()):
        return UNKNOWN
    if np.array_equal(before, after) and np.array_equal(alone_done, team_done):
        return Interval(1.0, 1.0, 1.0)  # the same runs: the baseline itself, for one
    if alone_done.all() and team_done.all() and not may_fail:
        return ratio_of_means_interval(before, after, confidence)
    return ratio_of_products_interval((before, team_done), (alone_done, after), confidence)


def with_time_to_success(summary: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return a summary whose ``makespan_s`` is a time to success where not all runs finished.

    Parameters
    ----------
    summary : DataFrame
        From `analysis.statistics.summaries.summary`, of `rows`.
    rows : DataFrame
        A row a replication, with ``makespan_s`` and ``success``.

    Returns
    -------
    DataFrame
        With that row changed: mean and interval are those of `time_to_success`, quantiles those of
        `quantile_to_finish`. The standard deviation is null, as censored times do not show it.
    """
    lengths, finished = rows["makespan_s"], rows["success"]
    if finished.all() or "makespan_s" not in summary.index:
        return summary
    row = row_to_success(list(summary.columns), lengths, finished)
    changed = summary.astype(float)
    changed.loc["makespan_s"] = row
    return changed


def row_to_success(
    columns: Sequence[str], lengths: npt.ArrayLike, finished: npt.ArrayLike
) -> dict[str, float]:
    """Return the row of a summary that is a time to success, as `with_time_to_success` does.

    Parameters
    ----------
    columns : sequence of str
        Those of the summary.
    lengths, finished : array_like, shape (replications,)
        The makespan of each run, in seconds, and whether it finished.
    """
    time = to_success(lengths, finished)
    row = {"mean": time.estimate, "low": time.low, "high": time.high, "sd": math.nan}
    for name in columns:
        if name[0] == "p" and name[1:].isdecimal():
            found = quantile_to_finish(lengths, finished, int(name[1:]) / 100)
            row |= {name: found.estimate, f"{name}_low": found.low, f"{name}_high": found.high}
    return {name: row[name] for name in columns}


def runs_finished(finished: int, runs: int) -> str:
    """Return ``37 of 100 runs finished``, or that all or none did."""
    if finished == runs:
        return f"all {runs:,} runs finished"
    return f"{f'{finished:,}' if finished else 'none'} of {runs:,} runs finished"


def unseen_failures(runs: int) -> str:
    """Say what intervals leave out if all runs of all teams finished.

    They then hold for runs that finish. If one of two teams fails in 1 % of runs, and that is not
    seen, 95 % intervals of the ratio of times to success hold in 76 % of studies of ten pairs, and
    in 1 % of studies of a hundred, where pairs are alike.

    Parameters
    ----------
    runs : int
        Of the team that has the fewest.
    """
    return (
        f"All runs finished, and the intervals are of runs that do. They leave out that up to "
        f"{most_unseen_percent(runs)} of a team's further runs may fail (95 % confidence)."
    )


def _numbers(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)


def _at(ordered: npt.NDArray[np.float64], rank: float) -> float:
    """Return the value at a rank, interpolated between ranks; infinite beyond the ends."""
    if not math.isfinite(rank):
        return rank
    below = math.floor(rank)
    if below == rank:
        return float(ordered[below])
    first, second = float(ordered[below]), float(ordered[below + 1])
    return first + (rank - below) * (second - first) if math.isfinite(second) else math.inf
