"""Which tasks agents forget: how many others wait for them.

A run that ends with one forgotten task has left undone what waits for it, and their number tells
which task it is. Of what is noticed in time this is not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from simulator.distributions import Floats
from simulator.model.tasks import Task, TaskGraph

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class WaitingTasks:
    """How many tasks of a list wait for each, directly or not, itself among them.

    Parameters
    ----------
    tasks : sequence of mapping
        With ``id`` and ``dependencies``.

    Attributes
    ----------
    numbers, counts : ndarray, shape (K,)
        The different numbers, in ascending order, and of how many tasks each is.
    """

    def __init__(self, tasks: Sequence[Mapping[str, Any]]) -> None:
        graph = TaskGraph.of([Task.model_validate(task) for task in tasks])
        self.numbers, one_of_each, self._of, self.counts = np.unique(
            graph.waiting, return_index=True, return_inverse=True, return_counts=True
        )
        self._kept = [np.ones(len(graph), dtype=bool) for _ in one_of_each]
        for kept, task in zip(self._kept, map(int, one_of_each), strict=True):
            ahead = [task]
            while ahead:
                if kept[one := ahead.pop()]:
                    kept[one] = False
                    ahead += graph.dependents[one]

    @property
    def mean_log(self) -> float:
        """Mean logarithm of the number, over all tasks."""
        return float(self.counts @ np.log(self.numbers) / self.counts.sum())

    def __len__(self) -> int:
        """Return the number of tasks."""
        return len(self._of)

    def found(self, left: int) -> int:
        """Return the number, as its place in `numbers`, for which so many tasks are left.

        Where no task has just as many, something else was left too: it is the largest below.
        """
        return int(np.searchsorted(self.numbers, max(left, 1), side="right")) - 1

    @cached_property
    def shares(self) -> Floats:
        """Shares of tasks of each number among those that are done, shape (K + 1, K).

        A row for each number, as its place in `numbers`, of a task of which no other is done that
        waits for it; in the last one all are done.
        """
        rows = []
        for kept in [*self._kept, np.ones(len(self), dtype=bool)]:
            counts = np.bincount(self._of[kept], minlength=len(self.numbers)).astype(float)
            rows.append(counts / max(counts.sum(), 1.0))
        return np.stack(rows)


class Runs:
    """What the calls of a cell have claimed and completed in each of their R runs.

    Parameters
    ----------
    calls : DataFrame
        ``run_dir, claims, completed``.

    Attributes
    ----------
    of : ndarray of int, shape (calls,)
        The number of each call's run, from 0 in the order in which they come.
    claims, completed : ndarray, shape (R,)
    """

    def __init__(self, calls: pd.DataFrame) -> None:
        self.of = pd.factorize(calls["run_dir"])[0]
        self.claims, self.completed = (
            np.bincount(self.of, calls[name].to_numpy(dtype=float))
            for name in ("claims", "completed")
        )


def stalled_at(runs: Runs, for_good: Floats, waiting: WaitingTasks) -> tuple[Ints, Bools]:
    """Return for runs that end with forgotten tasks how many tasks wait for each of those at most.

    Parameters
    ----------
    runs : Runs
    for_good : ndarray, shape (calls,)
        How many tasks each call has forgotten for good.
    waiting : WaitingTasks
        Of the cell's list.

    Returns
    -------
    ndarray of int, shape (R,)
        The number, as its place in `WaitingTasks.numbers`, and -1 where none is forgotten.
    ndarray of bool, shape (R,)
        Whether it is known to be just that, as only one task is forgotten.
    """
    forgotten = np.bincount(runs.of, for_good)
    done = np.minimum(runs.completed, runs.claims - forgotten)
    # All but one of them are among those that are left, and wait for no other.
    most = len(waiting) - done - (forgotten - 1)
    places = np.full(len(most), -1)
    for run in np.flatnonzero(forgotten):
        places[run] = waiting.found(int(most[run]))
    return places, forgotten == 1


def which_tasks(
    run: Ints, for_good: Floats, stalled: tuple[Ints, Bools], waiting: WaitingTasks
) -> tuple[Floats, Bools]:
    """Return which tasks each call may have finished, and whether it is known.

    Parameters
    ----------
    run : ndarray of int, shape (calls,)
        The runs of those that have finished tasks, as in `Runs.of`.
    for_good : ndarray, shape (calls,)
        How many tasks each has forgotten for good.
    stalled
        As `stalled_at` returns it.
    waiting : WaitingTasks

    Returns
    -------
    ndarray, shape (calls, K)
        The shares of tasks for which so many wait: of what is done in the run, or where a call has
        forgotten tasks for good, of those that these may be.
    ndarray of bool, shape (calls,)
        Whether a call has forgotten for good the one task that has stalled its run.
    """
    places, are_one = stalled[0][run], stalled[1][run]
    of_call = np.take(waiting.shares, places, axis=0)
    stays = for_good > 0
    for i in np.flatnonzero(stays):
        of_call[i] = 0.0
        if are_one[i]:
            of_call[i, places[i]] = 1.0
        else:
            counts = waiting.counts[: places[i] + 1]
            of_call[i, : len(counts)] = counts / counts.sum()
    return of_call, stays & are_one
