"""Team-size scaling curves: metrics and speed-up against n, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd

from analysis.statistics import mean_interval, ratio_of_means_interval
from simulator.errors import TeamsimError

SIZE = "team.size"
"""The axis that a scaling curve is drawn against."""

_BEFORE_AXES, _AFTER_AXES = "parallel_fraction", "replication"


def axes_of(results: pd.DataFrame) -> list[str]:
    """Return the swept dotted paths of a results table."""
    columns = list(results.columns)
    return columns[columns.index(_BEFORE_AXES) + 1 : columns.index(_AFTER_AXES)]


def with_series(results: pd.DataFrame) -> pd.DataFrame:
    """Return `results` with columns ``n`` (team size) and ``series``.

    A series is named by the sweep, or by the values of all its other axes.

    Raises
    ------
    TeamsimError
        If the sweep does not vary ``team.size``.
    """
    axes = axes_of(results)
    if SIZE not in axes:
        raise TeamsimError(f"the sweep does not vary {SIZE}: there is no scaling curve to draw")
    n = results[SIZE].astype(int)
    if results["series"].ne("").any():
        return results.assign(n=n)
    others = [axis for axis in axes if axis != SIZE]
    parts = [results[axis].map(partial(_name_value, axis)).tolist() for axis in others]
    rows = zip(*parts, strict=True) if parts else [()] * len(results)
    series = [", ".join(filter(None, row)) for row in rows]
    return results.assign(n=n, series=series)


def _name_value(axis: str, value: object) -> str:
    """Return ``parallel fraction 0.5`` for a number, the bare word for a name, nothing for null."""
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return ""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    short = axis.rpartition(".")[2].replace("_", " ")
    return f"{short} {text}" if text[:1].isdigit() else text


def scaling_curves(
    results: pd.DataFrame, metrics: Sequence[str], confidence: float = 0.95
) -> pd.DataFrame:
    """Return each metric and the speed-up against team size.

    Parameters
    ----------
    results : DataFrame
        A sweep over ``team.size`` and any other axes, a row a replication.
    metrics : sequence of str
        Columns whose means are wanted.
    confidence : float
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        A row a series and n: ``series, n, point, is_baseline, parallel_fraction``; for each metric
        ``<metric>, <metric>_low, <metric>_high`` (mean and t interval); ``speedup`` and its
        paired bootstrap interval: mean makespan of the baseline over mean makespan. The
        baseline is the point that the scenario names, else the same series at n = 1; without
        either the speed-up is null.
    """
    table = with_series(results)
    rows = []
    for (series, n, point), group in table.groupby(["series", "n", "point"], sort=False):
        row: dict[str, object] = {
            "series": series,
            "n": n,
            "point": point,
            "is_baseline": group["baseline_point"].iloc[0] == point,
            "parallel_fraction": group["parallel_fraction"].iloc[0],
        }
        for metric in metrics:
            interval = mean_interval(group[metric].to_numpy(), confidence)
            row[metric] = interval.estimate
            row[f"{metric}_low"], row[f"{metric}_high"] = interval.low, interval.high
        row.update(_speedup(table, group, confidence))
        rows.append(row)
    return pd.DataFrame(rows)


def _speedup(table: pd.DataFrame, group: pd.DataFrame, confidence: float) -> dict[str, object]:
    baseline = group["baseline_point"].iloc[0]
    if pd.notna(baseline):
        alone = table[table["point"] == baseline]
    else:
        alone = table[(table["series"] == group["series"].iloc[0]) & (table["n"] == 1)]
    if alone.empty:
        return {"speedup": None, "speedup_low": None, "speedup_high": None}
    pairs = alone[["replication", "makespan_s"]].merge(
        group[["replication", "makespan_s"]], on="replication", suffixes=("_alone", "_team")
    )
    interval = ratio_of_means_interval(
        pairs["makespan_s_alone"].to_numpy(), pairs["makespan_s_team"].to_numpy(), confidence
    )
    return {
        "speedup": interval.estimate,
        "speedup_low": interval.low,
        "speedup_high": interval.high,
    }
