"""Ranks teams by their time to success, though the quickest is chosen by the same runs."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

from analysis.statistics.completion import linearised, ratio_to_success, to_success
from analysis.statistics.intervals import Interval, interval_of_metric
from analysis.statistics.selection import rank

if TYPE_CHECKING:
    import pandas as pd

_LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
"""Probabilities that are tried where runs may fail, the least first."""


def rank_by_time(
    systems: Mapping[str, pd.DataFrame],
    confidence: float = 0.95,
    indifference: float = 0.01,
    may_fail: bool = False,
    sure: Collection[str] | None = None,
) -> pd.DataFrame:
    """Return teams in the order of their times to success, with bounds of how sure that is.

    Parameters
    ----------
    systems : mapping of str to DataFrame
        A row a replication, with ``makespan_s`` and ``success``; row i of each is of the same
        replication. Some run of each finished.
    confidence : float
        Joint coverage of the intervals of all times, and of all differences.
    indifference : float
        Share of the best time that does not matter.
    may_fail : bool
        Whether runs may fail though all of these finished (see `ratio_to_success`).
    sure : collection of str, optional
        Teams whose further runs are known to be the same; those that never vary when absent.

    Returns
    -------
    DataFrame
        As `analysis.statistics.selection.rank` returns it, in seconds, but ``low`` and ``high``
        hold for all teams together (Bonferroni). So they hold for the first, too, whose mean is
        the least in part by luck: of twenty equal teams, the 95 % interval of the one that seems
        quickest holds its mean in 70 to 80 % of studies if it allows for no choice. Where runs
        may fail, ``p_best`` and ``may_be_best`` allow for failures that a team's own runs do not
        show.
    """
    ranked = rank(
        {name: linearised(rows["makespan_s"], rows["success"]) for name, rows in systems.items()},
        confidence=confidence,
        indifference=indifference,
        sure=sure,
    )
    each = 1.0 - (1.0 - confidence) / len(systems)
    may_fail = may_fail or not all(rows["success"].all() for rows in systems.values())
    times = [interval_of_time(systems[name], each, may_fail) for name in ranked["system"]]
    ranked["low"], ranked["high"] = [time.low for time in times], [time.high for time in times]
    return _allowing_for_failures(ranked, systems, confidence, indifference) if may_fail else ranked


def interval_of_time(rows: pd.DataFrame, confidence: float, may_fail: bool) -> Interval:
    """Return the time to success of runs, in seconds; the mean makespan where none may fail.

    Parameters
    ----------
    rows : DataFrame
        A row a replication, with ``makespan_s`` and ``success``.
    confidence : float
        Coverage of the interval.
    may_fail : bool
        Whether further runs may fail though all of these finished.
    """
    if may_fail:
        return to_success(rows["makespan_s"], rows["success"], confidence)
    return interval_of_metric(rows["makespan_s"], "makespan_s", confidence)


def _allowing_for_failures(
    ranked: pd.DataFrame,
    systems: Mapping[str, pd.DataFrame],
    confidence: float,
    indifference: float,
) -> pd.DataFrame:
    """Return a ranking that is no surer than the shares of runs that finished are known."""
    names = ranked["system"].tolist()
    rivals = max(1, len(names) - 1)

    def least(name: str, of: str, error: float) -> float:
        """Return how many times as long as another a team takes at least, but for an error."""
        (longer, longer_done), (shorter, shorter_done) = (
            (rows["makespan_s"].to_numpy(dtype=float), rows["success"].to_numpy(dtype=float))
            for rows in (systems[name], systems[of])
        )
        confidence = 1.0 - 2.0 * min(error, 0.5)
        return ratio_to_success(
            longer, longer_done, shorter, shorter_done, confidence, may_fail=True
        ).low

    def sure(first: str) -> float:
        found = math.nan
        for level in _LEVELS:
            error = (1.0 - level) / rivals
            if any(least(name, first, error) * (1.0 + indifference) < 1.0
                   for name in names if name != first):  # fmt: skip
                break
            found = level
        return found

    of_a_pair = (1.0 - confidence) / (len(names) * rivals)
    as_quick = np.array([least(name, names[0], of_a_pair) <= 1.0 for name in names])
    # NaN, where nothing is known by the one or by the other, stays NaN.
    p_best = [p if math.isnan(p) else float(np.minimum(p, sure(name)))
              for name, p in zip(names, ranked["p_best"], strict=True)]  # fmt: skip
    return ranked.assign(may_be_best=ranked["may_be_best"] | as_quick, p_best=p_best)
