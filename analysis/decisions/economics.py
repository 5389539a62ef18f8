"""The cost of a team, and its value.

Time and cost are those until success: a run that does not finish is started again, and paid again
(see `analysis.statistics.completion`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd

from analysis.statistics.completion import UNKNOWN, ratio_to_success
from analysis.statistics.differences import difference_to_success
from analysis.statistics.intervals import Interval, ratio_of_means_interval

HOUR_S = 3600.0


def unit_costs(results: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Return the cost of a finished task and of a correct task, at each point.

    Parameters
    ----------
    results : DataFrame
        A sweep, a row a replication.
    confidence : float
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        A row a point: ``point, point_name, cost_usd`` (of a run as it ended), ``usd_per_task,
        usd_per_correct_task``, each of the last two with ``_low`` and ``_high``: mean cost over
        mean tasks, with its interval; infinite if no task was done. Runs that did not finish count
        with their tasks and with their cost.
    """
    rows = []
    for (point, name), group in results.groupby(["point", "point_name"], sort=False):
        row: dict[str, object] = {
            "point": point,
            "point_name": name,
            "cost_usd": float(group["cost_usd"].mean()),
        }
        for column, tasks in (
            ("usd_per_task", "tasks_done"),
            ("usd_per_correct_task", "tasks_correct"),
        ):
            if group[tasks].sum() > 0:
                found = ratio_of_means_interval(group["cost_usd"], group[tasks], confidence)
            else:
                found = Interval(math.inf, math.inf, math.inf)
            row[column] = found.estimate
            row[f"{column}_low"], row[f"{column}_high"] = found.low, found.high
        rows.append(row)
    return pd.DataFrame(rows)


def total_usd(results: pd.DataFrame, usd_per_hour: float) -> pd.Series[float]:
    """Return cost plus the value of the time that a run took, for each replication.

    If not all runs finished, `analysis.statistics.completion.to_success` turns this into the total
    until success: both parts recur with every run that is started again.

    Parameters
    ----------
    results : DataFrame
        With ``cost_usd`` and ``makespan_s``.
    usd_per_hour : float
        What an hour until the work is done is worth.
    """
    total: pd.Series[float] = results["cost_usd"] + usd_per_hour * results["makespan_s"] / HOUR_S
    return total


def break_even_usd_per_hour(
    alone: pd.DataFrame,
    team: pd.DataFrame,
    confidence: float = 0.95,
    advantage: Callable[[float], Interval] | None = None,
    may_fail: bool = False,
) -> Interval:
    """Return the value of an hour from which a team pays: extra cost over time saved.

    The interval has all values of an hour at which it is not known whether the team or one agent
    takes less in total, cost and value of the time together (Fieller 1954).

    Parameters
    ----------
    alone, team : DataFrame
        Replications of both; row i of both is of the same replication, with ``makespan_s``,
        ``cost_usd`` and ``success``.
    confidence : float
        Coverage of the interval.
    advantage : callable, optional
        Returns, for a value of an hour, the ratio of one agent's total to the team's, with an
        interval; computed from the two tables when absent.
    may_fail : bool
        As for `analysis.statistics.completion.ratio_to_success`; of no effect with `advantage`.

    Returns
    -------
    Interval
        US dollars an hour, of cost and time until success; infinite if the team saves no time, NaN
        if either never finished. If the team is cheaper and quicker anyway, the estimate is 0 or
        less. Values below 0 are not distinguished, so the interval then has all of them.
    """
    if not (alone["success"].any() and team["success"].any()):
        return UNKNOWN

    usd_of, hours_of, done = (
        [rows[column].to_numpy(dtype=float) / unit for rows in (alone, team)]
        for column, unit in (("cost_usd", 1.0), ("makespan_s", HOUR_S), ("success", 1.0))
    )

    def of_totals(usd_per_hour: float) -> Interval:
        before, after = (
            usd + usd_per_hour * hours for usd, hours in zip(usd_of, hours_of, strict=True)
        )
        return ratio_to_success(before, done[0], after, done[1], confidence, may_fail)

    ratio = cache(advantage or of_totals)  # both ends are sought from the same values on
    usd, hours = (
        [spent.sum() / finished.sum() for spent, finished in zip(each, done, strict=True)]
        for each in (usd_of, hours_of)
    )
    saved = hours[0] - hours[1]
    estimate = float((usd[1] - usd[0]) / saved) if saved > 0.0 else math.inf
    low = _first_value(lambda value: ratio(value).high >= 1.0)
    high = _first_value(lambda value: ratio(value).low > 1.0)
    if estimate < 0.0:
        return Interval(estimate, -math.inf, high)
    return Interval(estimate, min(low, estimate), max(high, estimate))


def _first_value(holds: Callable[[float], bool]) -> float:
    """Return the value of an hour from which a condition holds, to a part in a thousand."""
    low, high = 1e-4, 1e6
    if holds(low):
        return 0.0
    if not holds(high):
        return math.inf
    while high > 1.001 * low:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def marginal_returns(results: pd.DataFrame, usd_per_hour: float = 0.0) -> pd.DataFrame:
    """Return the gain of each further agent, from one team size of a sweep to the next.

    Parameters
    ----------
    results : DataFrame
        One series of a sweep over ``team.size``, a row a replication.
    usd_per_hour : float
        What an hour until the work is done is worth.

    Returns
    -------
    DataFrame
        A row for each size but the smallest: ``n``; for each further agent ``saved_s``,
        ``extra_usd`` and ``net_usd`` (the value of the time saved, less the extra cost), until
        success, each with ``_low`` and ``_high``, paired 95 % intervals
        (`analysis.statistics.differences.difference_to_success`); null if one of the two sizes
        never finished. If some run of the series failed, runs of all sizes may fail.
    """
    sizes = sorted(int(n) for n in results["team.size"].unique())
    may_fail = not bool(results["success"].all())
    worth = results.assign(total_usd=total_usd(results, usd_per_hour))
    by_size = {
        n: worth[worth["team.size"] == n].sort_values("replication").set_index("replication")
        for n in sizes
    }
    rows = []
    for before, n in pairwise(sizes):
        common = by_size[before].index.intersection(by_size[n].index)
        smaller, larger = (by_size[size].loc[common] for size in (before, n))
        row: dict[str, float] = {"n": n}
        for name, column, sign in (
            ("saved_s", "makespan_s", -1.0),
            ("extra_usd", "cost_usd", 1.0),
            ("net_usd", "total_usd", -1.0),
        ):
            (now, now_done), (after, after_done) = (
                (sign * each[column].to_numpy(dtype=float) / (n - before),
                 each["success"].to_numpy(dtype=float))
                for each in (smaller, larger)
            )  # fmt: skip
            found = difference_to_success(now, now_done, after, after_done, may_fail=may_fail)
            row |= {name: found.estimate, f"{name}_low": found.low, f"{name}_high": found.high}
        rows.append(row)
    return pd.DataFrame(rows)


def pareto_front(
    table: pd.DataFrame, smaller: Sequence[str], larger: Sequence[str] = ()
) -> pd.Series[bool]:
    """Return the rows on the Pareto front: no other is as good in all columns and better in one.

    A row with an unknown value (null) is not on the front, and excludes no other row from it.

    Parameters
    ----------
    table : DataFrame
    smaller, larger : sequence of str
        Columns in which less, or more, is better.
    """
    columns = [table[name].to_numpy(dtype=float) for name in smaller]
    columns += [-table[name].to_numpy(dtype=float) for name in larger]
    values = np.stack(columns, axis=1)
    beaten = [
        bool(((values <= row).all(axis=1) & (values < row).any(axis=1)).any()) for row in values
    ]
    unknown = np.isnan(values).any(axis=1)
    return ~pd.Series(beaten | unknown, index=table.index, dtype=bool)


def at_equal_budget(table: pd.DataFrame, budget_usd: float) -> pd.DataFrame:
    """Return the best point of each series that costs no more than a budget.

    Parameters
    ----------
    table : DataFrame
        From `analysis.statistics.curves.curves_against`, with ``series, x, cost_usd_to_success,
        makespan_s, quality``.
    budget_usd : float
        For the whole work, including failed runs that are started again.

    Returns
    -------
    DataFrame
        A row for each series that has an affordable point: its point with the highest quality, and
        of these the quickest. Points whose runs never finish are not affordable at any budget.
    """
    affordable = table[(table["cost_usd_to_success"] <= budget_usd) & table["makespan_s"].notna()]
    order = affordable.sort_values(["quality", "makespan_s"], ascending=[False, True])
    chosen = order.drop_duplicates("series")
    return chosen.sort_values("makespan_s", ignore_index=True)
