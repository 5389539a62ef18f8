"""Which tasks agents forget: how many others wait for them.

A run that ends with one forgotten task has left undone what waits for it, and their number tells
which task it is. Of what is noticed in time this is not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from simulator.distributions import Floats
from simulator.model.tasks import Task, TaskGraph


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

    def shares(self, forgotten: int | None) -> Floats:
        """Return the shares of tasks of each number among those that are done, shape (K,).

        Parameters
        ----------
        forgotten : int or None
            The number, as its place in `numbers`, of a task of which no other is done that waits
            for it; all are done where none is.
        """
        kept = slice(None) if forgotten is None else self._kept[forgotten]
        counts = np.bincount(self._of[kept], minlength=len(self.numbers)).astype(float)
        return np.asarray(counts / max(counts.sum(), 1.0))


def stalled_at(
    calls: pd.DataFrame, for_good: pd.Series, waiting: WaitingTasks
) -> dict[str, tuple[int, bool]]:
    """Return for runs that end with forgotten tasks how many tasks wait for each of those at most.

    Parameters
    ----------
    calls : DataFrame
        Of a cell: ``run_dir, claims, completed``.
    for_good : Series
        How many tasks each of some calls has forgotten for good, by the call's label.
    waiting : WaitingTasks
        Of the cell's list.

    Returns
    -------
    dict
        By run: the number, as its place in `WaitingTasks.numbers`, and whether it is known to be
        just that, as only one task is forgotten.
    """
    runs = calls["run_dir"].reindex(for_good.index.intersection(calls.index))
    forgotten = for_good.reindex(runs.index).groupby(runs.to_numpy()).sum()
    sums = calls[calls["run_dir"].isin(forgotten.index)]
    sums = sums.groupby("run_dir")[["claims", "completed"]].sum()
    done = np.minimum(sums["completed"], sums["claims"] - forgotten)
    # All but one of them are among those that are left, and wait for no other.
    most = len(waiting) - done - (forgotten - 1)
    return {
        str(run): (waiting.found(int(most[run])), bool(count == 1))
        for run, count in forgotten.items()
    }


def which_tasks(
    calls: pd.DataFrame,
    for_good: pd.Series,
    stalled: Mapping[str, tuple[int, bool]],
    waiting: WaitingTasks,
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return which tasks each call may have finished, and whether it is known.

    Parameters
    ----------
    calls : DataFrame
        Those that have finished tasks.
    for_good : Series
        As of `stalled_at`.
    stalled : mapping
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
    run, names = pd.factorize(calls["run_dir"])
    places = [stalled.get(name, (None, False)) for name in names]
    shares = np.reshape([waiting.shares(place) for place, _ in places], (-1, len(waiting.numbers)))
    of_call = shares[run]
    stays = calls.index.isin(for_good.index)
    known = np.zeros(len(calls), dtype=bool)
    for i in np.flatnonzero(stays):
        place, is_one = places[run[i]]
        known[i] = is_one
        of_call[i] = 0.0
        if is_one:
            of_call[i, place] = 1.0
        else:
            counts = waiting.counts[: (place or 0) + 1]
            of_call[i, : len(counts)] = counts / counts.sum()
    return of_call, known
