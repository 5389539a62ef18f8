"""Steady states: how long a warm-up lasts, and means of correlated observations after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from analysis.statistics import Interval, mean_interval
from simulator.engine import Simulation
from simulator.model.trace import Event, Row, Trace
from simulator.scenario import Scenario


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
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Return waits and times in system of a team that is fed for long, the warm-up deleted.

    By replication and deletion (Law 2015, section 9.5.2): from each replication MSER-5 deletes a
    warm-up, and the interval is over the means of what is left.

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
        Rows ``wait_s`` and ``time_in_system_s``; columns ``measure, mean, low, high`` and
        ``deleted`` (tasks, mean over replications).
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
        cuts = [mser5(part[measure]) for part in parts]
        means = [part[measure].iloc[cut:].mean() for part, cut in zip(parts, cuts, strict=True)]
        interval = mean_interval(means, confidence)
        rows.append((measure, interval.estimate, interval.low, interval.high, np.mean(cuts)))
    return pd.DataFrame(rows, columns=["measure", "mean", "low", "high", "deleted"])
