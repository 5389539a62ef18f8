"""Team-size scaling curves: metrics and speed-up against n, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from analysis.statistics import (
    Interval,
    interval_of_metric,
    quantile_interval,
    ratio_of_means_interval,
)
from simulator.errors import TeamsimError, unknown_name
from simulator.model.metrics import NUMERIC_METRICS
from simulator.scenario import Study

SIZE = "team.size"
"""The axis that a scaling curve is drawn against."""

SERIES = "series"
"""In place of a swept field: a point a named series."""

NUMBERS = frozenset({*NUMERIC_METRICS, "tokens", "error_rate", "overhead_s"})
"""Columns of numbers, those of `with_derived` among them."""

RATIOS = ("speedup", "error_amplification")
"""What `curves_against` gives against the baseline."""

QUANTILES = {"_p50": 0.5, "_p95": 0.95, "_p99": 0.99}
"""What a metric's name may end in: that quantile over replications in place of the mean."""

_PAIRED = ["replication", "makespan_s", "quality"]

_BEFORE_AXES, _AFTER_AXES = "parallel_fraction", "replication"


def interval_of(results: pd.DataFrame, metric: str, confidence: float = 0.95) -> Interval:
    """Return the mean of a metric over replications, or the quantile that its name ends in."""
    for ending, share in QUANTILES.items():
        if metric.endswith(ending):
            values = results[metric.removesuffix(ending)].to_numpy()
            return quantile_interval(values, share, confidence)
    return interval_of_metric(results[metric].to_numpy(), metric, confidence)


def with_derived(results: pd.DataFrame) -> pd.DataFrame:
    """Return `results` with the columns ``tokens``, ``error_rate`` and ``overhead_s``."""
    return results.assign(
        tokens=results["input_tokens"] + results["output_tokens"],
        error_rate=1.0 - results["quality"],
        overhead_s=results["agents"] * results["makespan_s"] - results["work_s"],
    )


def check_figure(study: Study) -> None:
    """Refuse a picture that its sweep cannot give, before the sweep is run.

    Raises
    ------
    TeamsimError
        If the sweep does not vary the field, or there is no such metric.
    """
    figure = study.points[0].scenario.figure
    if figure is None:
        return
    metrics = {*NUMBERS, *RATIOS, *(name + end for name in NUMBERS for end in QUANTILES)}
    for name in (*figure.y, *figure.log_y):
        if name not in metrics:
            raise TeamsimError(f"figure: {unknown_name('metric', name, metrics)}")
    names = {point.series for point in study.points}
    for name in (name for pair in figure.crossings for name in pair):
        if name not in names:
            raise TeamsimError(f"figure: {unknown_name('series', name, names)}")
    if len(study.points) > 1 and figure.x not in {*study.axes, SERIES}:
        raise TeamsimError(f"figure: {unknown_name('swept field', figure.x, study.axes)}")


def axes_of(results: pd.DataFrame) -> list[str]:
    """Return the swept dotted paths of a results table."""
    columns = list(results.columns)
    return columns[columns.index(_BEFORE_AXES) + 1 : columns.index(_AFTER_AXES)]


def with_series(results: pd.DataFrame, x: str = SIZE) -> pd.DataFrame:
    """Return `results` with columns ``x`` (the swept field `x`) and ``series``.

    A series is named by the sweep, or by the values of all its other axes.

    Raises
    ------
    TeamsimError
        If the sweep does not vary `x`.
    """
    axes = axes_of(results)
    if x == SERIES and results[SERIES].ne("").all():
        return results.assign(x=results[SERIES])
    if x not in axes:
        raise TeamsimError(
            f"the sweep does not vary {x}: there is no curve to draw against it "
            f"(it varies {', '.join(axes) or 'nothing'})"
        )
    values = results[x].astype(int) if x == SIZE else results[x]
    if results["series"].ne("").any():
        return results.assign(x=values)
    others = [axis for axis in axes if axis != x]
    parts = [results[axis].map(partial(name_value, axis)).tolist() for axis in others]
    rows = zip(*parts, strict=True) if parts else [()] * len(results)
    series = [", ".join(filter(None, row)) for row in rows]
    return results.assign(x=values, series=series)


def name_value(axis: str, value: object) -> str:
    """Return ``parallel fraction 0.5`` for a number, the bare word for a name, nothing for null."""
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return ""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    short = axis.rpartition(".")[2].replace("_", " ")
    is_a_word = not text[:1].isdigit() and text not in {"True", "False"}
    return text if is_a_word else f"{short} {text}"


def curves_against(
    results: pd.DataFrame, metrics: Sequence[str], x: str = SIZE, confidence: float = 0.95
) -> pd.DataFrame:
    """Return each metric, the speed-up and the error amplification against a swept field.

    Parameters
    ----------
    results : DataFrame
        A sweep over `x` and any other axes, a row a replication.
    metrics : sequence of str
        Columns whose means are wanted; with ``_p50``, ``_p95`` or ``_p99`` at the end, that
        quantile.
    x : str
        Dotted path of the field.
    confidence : float
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        A row a series and x: ``series, x, point, is_baseline, parallel_fraction``; for each metric
        ``<metric>, <metric>_low, <metric>_high, <metric>_sd`` (mean, its t interval, standard
        deviation over replications); ``speedup`` (mean makespan
        of the baseline over mean makespan) and ``error_amplification`` (mean share of tasks not
        correct over the baseline's), with paired bootstrap intervals. The baseline is the point
        that the scenario names, else the same series at one agent where x is ``team.size``;
        without either, and for an error-free baseline, the ratios are null.
    """
    table = with_series(results, x)
    rows = []
    for (series, value, point), group in table.groupby(["series", "x", "point"], sort=False):
        row: dict[str, object] = {
            "series": series,
            "x": value,
            "point": point,
            "is_baseline": group["baseline_point"].iloc[0] == point,
            "parallel_fraction": group["parallel_fraction"].iloc[0],
        }
        for metric in metrics:
            interval = interval_of(group, metric, confidence)
            row[metric] = interval.estimate
            row[f"{metric}_low"], row[f"{metric}_high"] = interval.low, interval.high
            if metric in group:
                row[f"{metric}_sd"] = float(group[metric].astype(float).std())
        pairs = _baseline_of(table, group, x)[_PAIRED].merge(
            group[_PAIRED], on="replication", suffixes=("_alone", "")
        )
        times = pairs["makespan_s_alone"], pairs["makespan_s"]
        errors = 1.0 - pairs["quality"], 1.0 - pairs["quality_alone"]
        row.update(_ratio("speedup", *times, confidence))
        row.update(_ratio("error_amplification", *errors, confidence))
        rows.append(row)
    return pd.DataFrame(rows)


def scaling_curves(
    results: pd.DataFrame, metrics: Sequence[str], confidence: float = 0.95
) -> pd.DataFrame:
    """Return `curves_against` ``team.size``, with a column ``n`` for it."""
    return curves_against(results, metrics, SIZE, confidence).rename(columns={"x": "n"})


def _baseline_of(table: pd.DataFrame, group: pd.DataFrame, x: str) -> pd.DataFrame:
    """Return the rows of the point that `group` is held against, none if there is none."""
    baseline = group["baseline_point"].iloc[0]
    alone: pd.DataFrame = group.iloc[:0]
    if pd.notna(baseline):
        alone = table.loc[table["point"] == baseline]
    elif x == SIZE:
        alone = table.loc[(table["series"] == group["series"].iloc[0]) & (table["x"] == 1)]
    return alone


def crossing(first: pd.DataFrame, second: pd.DataFrame, metric: str, log_x: bool) -> float | None:
    """Return the first x at which two curves cross, by linear interpolation; None if none.

    Parameters
    ----------
    first, second : DataFrame
        Rows of two series from `curves_against`.
    metric : str
        Their column.
    log_x : bool
        Whether to interpolate on a logarithmic axis.
    """
    both = first.merge(second, on="x", suffixes=("_first", "_second")).sort_values("x")
    x = both["x"].to_numpy(dtype=float)
    gap = (both[f"{metric}_first"] - both[f"{metric}_second"]).to_numpy(dtype=float)
    turns = np.flatnonzero(gap[:-1] * gap[1:] < 0.0)
    if not len(turns):
        return None
    i = int(turns[0])
    share = gap[i] / (gap[i] - gap[i + 1])
    if log_x:
        return float(x[i] * (x[i + 1] / x[i]) ** share)
    return float(x[i] + share * (x[i + 1] - x[i]))


def _ratio(
    name: str, above: pd.Series[float], below: pd.Series[float], confidence: float
) -> dict[str, object]:
    """Return a ratio of means with its interval under `name`, null where there is none."""
    if not below.any():
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    interval = ratio_of_means_interval(above.to_numpy(), below.to_numpy(), confidence)
    return {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
