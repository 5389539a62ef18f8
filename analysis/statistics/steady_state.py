"""Steady states: how long a warm-up lasts, and means of correlated observations after it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.statistics.intervals import Interval, mean_interval
from simulator.engine import Simulation
from simulator.experiment.pool import Progress
from simulator.model.trace import Event, Row, Trace
from simulator.scenario import Scenario

Array = npt.NDArray[np.float64]


def mser5(values: npt.ArrayLike, batch: int = 5) -> int:
    """Return how many observations to delete as warm-up, by MSER-5.

    Among the truncations that delete at most half, it is the one for which the standard error of
    the mean of the remaining observations is smallest, computed on means of five (White, Cobb &
    Spratt 2000; Franklin & White 2008).

    Parameters
    ----------
    values : array_like, shape (observations,)
        In the order of time, at least twice `batch`.
    batch : int
        Number of observations in each mean.

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
    # Sums over the means that remain without the first d, for all d at once.
    left = np.arange(count, 0, -1)
    total = np.cumsum(means[::-1])[::-1]
    squares = np.cumsum((means**2)[::-1])[::-1]
    criterion = (squares - total**2 / left) / left**2
    return int(np.argmin(criterion[: count // 2 + 1])) * batch


def steady_mean(values: npt.ArrayLike, confidence: float = 0.95, batches: int = 20) -> Interval:
    """Return the mean after the warm-up, with an interval by batch means.

    The warm-up is what MSER-5 deletes, but at least a tenth. Batches have ten correlation lengths
    of the remaining observations (`correlation_length`), as far as this leaves at least five
    batches (Law 2015, section 9.5.3). The interval is widened for the correlation that the batch
    means still have (Tafazzoli et al. 2011: Skart).

    Parameters
    ----------
    values : array_like, shape (observations,)
        Observations of one long run, in the order of time.
    confidence : float
        Coverage. Runs of some 100 correlation lengths reach it; with shorter runs it is less.
    batches : int
        Most batches of the remaining observations, five or more.

    Raises
    ------
    ValueError
        If there are too few observations for the batches.
    """
    x = np.asarray(values, dtype=np.float64)
    left = x[max(mser5(x), len(x) // 10) :]
    if len(left) < _FEWEST_BATCHES:
        raise ValueError(f"{len(left)} observations are too few for {_FEWEST_BATCHES} batches")
    return _batch_means([left], correlation_length([left]), confidence, batches)


@dataclass(frozen=True, slots=True)
class SteadyMean:
    """The mean of a process after its warm-up, from several runs."""

    interval: Interval
    deleted: int
    """Observations at the start of each run."""
    needed: int
    """Observations that each run needs for the interval to be trusted; too small a number if the
    runs are much too short."""
    is_long_enough: bool
    """Whether all runs have as many."""


def replication_deletion(runs: Sequence[npt.ArrayLike], confidence: float = 0.95) -> SteadyMean:
    """Return the mean of a process after its warm-up, by replication and deletion.

    (Law 2015, section 9.5.2.) All runs have the same warm-up: what MSER-5 deletes from their
    average, but at least a tenth. (Applied to each run alone, MSER-5 deletes busy times as
    warm-ups, so that the means are too small.) The interval is over the runs' means or, with few
    runs, over batches of them, as in `steady_mean`.

    Parameters
    ----------
    runs : sequence of array_like, each of shape (observations,)
        Independent, in the order of time; at least ten observations of each.
    confidence : float
        Coverage of the interval. Runs are long enough for it if each has ten correlation lengths
        (`correlation_length`), and all together 100.
    """
    series = [np.asarray(run, dtype=np.float64) for run in runs]
    shortest = min(len(x) for x in series)
    average = np.mean([x[:shortest] for x in series], axis=0)
    cut = max(mser5(average), shortest // 10)
    left = [x[cut:] for x in series]
    length = correlation_length(left)
    wanted = length * max(_RUN_LENGTHS, _TOTAL_LENGTHS / len(series))
    interval = _batch_means(left, length, confidence, most=20)
    needed = math.ceil(wanted * shortest / (shortest - cut))
    return SteadyMean(interval, cut, needed, shortest - cut >= wanted)


_FEWEST_BATCHES = 5
_BATCH_LENGTHS = 10.0
"""Correlation lengths of a batch."""

_RUN_LENGTHS, _TOTAL_LENGTHS = 10.0, 100.0
"""Correlation lengths that one run, and all together, need for an interval to be trusted."""


def correlation_length(runs: Sequence[npt.ArrayLike]) -> float:
    """Return how many observations tell as much about the mean as one independent observation.

    This is the integrated autocorrelation time, ``1 + 2 sum of autocorrelations``, pooled over the
    runs, about the mean of all. The sum ends at the first lag that is six times the sum so far
    (Sokal 1997).

    Parameters
    ----------
    runs : sequence of array_like, each of shape (observations,)
        Independent runs of one process, in the order of time.

    Returns
    -------
    float
        In observations, 1 or more. It is too small if the runs are hardly longer than it.
    """
    series = [np.asarray(run, dtype=np.float64) for run in runs]
    longest = max(len(x) for x in series)
    centre = float(np.concatenate(series).mean())
    products, pairs = np.zeros(longest), np.zeros(longest)
    for x in series:
        spectrum = np.fft.rfft(x - centre, 2 * len(x))
        products[: len(x)] += np.fft.irfft(spectrum * np.conj(spectrum))[: len(x)]
        pairs[: len(x)] += np.arange(len(x), 0, -1)
    if products[0] <= 0.0:
        return 1.0
    covariances = products / pairs
    sums = 2.0 * np.cumsum(covariances / covariances[0]) - 1.0
    ends = np.flatnonzero(np.arange(longest) >= 6.0 * sums)
    return max(1.0, float(sums[ends[0]] if len(ends) else sums.max()))


def _batch_means(runs: Sequence[Array], length: float, confidence: float, most: int) -> Interval:
    """Return the mean of runs with an interval over batches, at least one batch for each run."""
    independent = sum(len(run) for run in runs) / (_BATCH_LENGTHS * length)
    wanted = min(max(int(independent), _FEWEST_BATCHES), most)
    each = max(1, wanted // len(runs))
    means = np.array([_cut(run, each) for run in runs])
    found = mean_interval(means.ravel(), confidence)
    if each == 1 or np.ptp(means) == 0.0:
        return found
    away = means - means.mean()
    share = (away[:, 1:] ** 2 + away[:, :-1] ** 2).sum() / 2.0
    lagged = float((away[:, 1:] * away[:, :-1]).sum() / share) + 1.0 / means.size
    lagged = min(max(lagged, 0.0), _MOST_CORRELATION)
    wider = np.sqrt((1.0 + lagged) / (1.0 - lagged))
    return Interval(
        found.estimate,
        found.estimate - wider * (found.estimate - found.low),
        found.estimate + wider * (found.high - found.estimate),
    )


def _cut(run: Array, batches: int) -> Array:
    """Return the means of equal batches; observations left over are dropped at the beginning."""
    size = len(run) // batches
    means: Array = run[len(run) - size * batches :].reshape(batches, size).mean(axis=1)
    return means


_MOST_CORRELATION = 0.9
"""Largest correlation of neighbouring batch means for which the interval is widened."""


_DONE = frozenset({"done", "faulty", "given_up", "partial"})


def task_times(rows: Sequence[Row]) -> pd.DataFrame:
    """Return when each finished task could start, was begun and was done.

    Parameters
    ----------
    rows : sequence of Row
        The trace of one replication, without reviews.

    Returns
    -------
    DataFrame
        A row a task, in the order in which they could start: ``task, ready_s, begun_s, done_s``,
        ``wait_s`` (until the call that did it began) and ``time_in_system_s``.
    """
    ready: dict[int, float] = {}
    begun = {row.call: row.time_s for row in rows if row.event is Event.CALL_START}
    found = []
    for row in rows:
        if row.task is None:
            continue
        if row.event is Event.TASK_READY:
            ready.setdefault(row.task, row.time_s)
        elif row.event is Event.ATTEMPT and row.outcome in _DONE:
            start_s = ready.get(row.task, begun[row.call])
            found.append((row.task, start_s, max(start_s, begun[row.call]), row.time_s))
        elif row.event is Event.HAND_IN and row.outcome in _DONE:
            begun_s = row.time_s - (row.duration_s or 0.0)  # of the call that did it
            start_s = ready.get(row.task, begun_s)
            found.append((row.task, start_s, max(start_s, begun_s), row.time_s))
    table = pd.DataFrame(found, columns=["task", "ready_s", "begun_s", "done_s"])
    table = table.sort_values("ready_s", kind="stable", ignore_index=True)
    return table.assign(
        wait_s=table["begun_s"] - table["ready_s"],
        time_in_system_s=table["done_s"] - table["ready_s"],
    )


def steady_state(
    scenario: Scenario,
    replications: int,
    confidence: float = 0.95,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Return waits and times in system of a team with steady arrivals, after the warm-up.

    The means are those of `replication_deletion`.

    Parameters
    ----------
    scenario : Scenario
        Tasks that arrive; at least ten.
    replications : int
    confidence : float
        Coverage of the intervals.
    progress : callable, optional
        Told ``(replications done, replications in all)``.

    Returns
    -------
    DataFrame
        Rows ``wait_s`` and ``time_in_system_s``; columns ``measure, mean, low, high``;
        ``deleted`` (tasks of each replication); ``tasks_needed`` of a replication for the interval
        to be trusted; and ``is_long_enough``: whether there are as many.
    """
    simulation, parts = Simulation(scenario), []
    for replication in range(replications):
        trace = Trace(replication)
        simulation.run(replication, trace)
        parts.append(task_times(trace.rows))
        if progress is not None:
            progress(replication + 1, replications)
    rows = []
    for measure in ("wait_s", "time_in_system_s"):
        found = replication_deletion([part[measure].to_numpy() for part in parts], confidence)
        rows.append(
            {
                "measure": measure,
                "mean": found.interval.estimate,
                "low": found.interval.low,
                "high": found.interval.high,
                "deleted": found.deleted,
                "tasks_needed": found.needed,
                "is_long_enough": found.is_long_enough,
            }
        )
    return pd.DataFrame(rows)
