"""Team-size scaling curves: metrics and speed-up against n, with intervals.

Metrics are means of runs as they ended, whether or not they finished the work; but how long the
work takes is a time to success (see `analysis.statistics.completion`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from analysis.statistics.completion import UNKNOWN, quantile_to_finish, speedup, to_success
from analysis.statistics.intervals import (
    Interval,
    interval_of_metric,
    quantile_interval,
    ratio_of_means_interval,
)
from analysis.statistics.series import SERIES, SIZE, no_baseline, with_series
from simulator.errors import TeamsimError, unknown_name
from simulator.model.metrics import NUMERIC_METRICS
from simulator.scenario import Study
from simulator.scenario.costs import is_money
from simulator.scenario.figure import Figure

if TYPE_CHECKING:
    import pandas as pd

NUMBERS = frozenset({*NUMERIC_METRICS, "tokens", "error_rate", "overhead_s"})
"""Columns of numbers, those of `with_derived` among them."""

RATIOS = ("speedup", "error_amplification")
"""The columns of `curves_against` that compare with the baseline."""

QUANTILES = {"_p50": 0.5, "_p95": 0.95, "_p99": 0.99}
"""Suffixes of a metric's name that ask for a quantile over replications, not the mean."""

TIMES = frozenset({"makespan_s", "overhead_s"})
"""Metrics of how long the work takes: until success, where failed runs are started again."""

TO_SUCCESS = "_to_success"
"""Suffix of the name of anything that runs spend: until success, not in one run."""

_OF_POINTS = ("series", "x", "point", "baseline_point", "parallel_fraction")

Columns: TypeAlias = Mapping[str, npt.NDArray[Any]]
"""Columns of some rows: data frames of single points would take most of the time of curves."""


def interval_of(results: Columns | pd.DataFrame, metric: str, confidence: float = 0.95) -> Interval:
    """Return the mean of a metric over replications, or the quantile that its name ends in."""
    for ending, share in QUANTILES.items():
        if metric.endswith(ending):
            values = np.asarray(results[metric.removesuffix(ending)])
            return quantile_interval(values, share, confidence)
    return interval_of_metric(np.asarray(results[metric]), metric, confidence)


def estimate_of(
    results: Columns | pd.DataFrame,
    metric: str,
    confidence: float = 0.95,
    may_fail: bool = True,
) -> Interval:
    """Return the estimate of a metric at a point, as curves show it.

    Parameters
    ----------
    results : mapping of str to ndarray, or DataFrame
        The point's rows, one for each replication.
    metric : str
        If it is one of `TIMES`, or ends in `TO_SUCCESS`: the mean spent until a run has finished,
        where failed runs are started again; NaN if none finished. A quantile of a time counts runs
        that did not finish as longer than all others. For all other metrics see `interval_of`.
    confidence : float
        Coverage of the interval.
    may_fail : bool
        Whether further runs may fail though all of these finished, so that what is spent until
        success may be more. Where it is false, intervals are of runs that finish.
    """
    finished = results["success"]
    spent = metric.removesuffix(TO_SUCCESS)
    if metric in TIMES or spent != metric:
        if may_fail or not np.asarray(finished).all():
            return to_success(results[spent], finished, confidence)
        return interval_of(results, spent, confidence)
    for ending, share in QUANTILES.items():
        time = metric.removesuffix(ending)
        if time != metric and time in TIMES:
            return quantile_to_finish(results[time], finished, share, confidence)
    return interval_of(results, metric, confidence)


def with_derived(results: pd.DataFrame) -> pd.DataFrame:
    """Return `results` with the columns ``tokens``, ``error_rate`` and ``overhead_s``.

    ``overhead_s`` is the agents' time without first attempts. For a run that did not finish it is
    all of their time, since its first attempts have to be made again.
    """
    kept_s = results["work_s"].where(results["success"].astype(bool), 0.0)
    return results.assign(
        tokens=results["input_tokens"] + results["output_tokens"],
        error_rate=1.0 - results["quality"],
        # Never below 0, but for rounding.
        overhead_s=(results["agents"] * results["makespan_s"] - kept_s).clip(lower=0.0),
    )


def check_figure(study: Study) -> None:
    """Check, before a sweep is run, that its picture can be drawn from it.

    Raises
    ------
    TeamsimError
        If the sweep does not vary the field, or there is no such metric.
    """
    figure = study.points[0].scenario.figure
    if figure is None:
        return
    try:
        check_names(figure, study.axes if len(study.points) > 1 else None)
    except TeamsimError as error:
        raise TeamsimError(f"figure: {error}") from None
    names = {point.series for point in study.points}
    for name in (name for pair in figure.crossings for name in pair):
        if name not in names:
            raise TeamsimError(f"figure: {unknown_name('series', name, names)}")
    has_baseline = any(
        point.baseline is not None or (figure.x == SIZE and point.overrides.get(SIZE) == 1)
        for point in study.points
    )
    if len(study.points) > 1 and not has_baseline and set(figure.y) <= {*RATIOS}:
        raise TeamsimError(f"figure: {no_baseline(figure.y[0])}")


def check_names(figure: Figure, axes: Sequence[str] | None) -> None:
    """Check that there are the metrics and the swept fields that a picture names.

    Parameters
    ----------
    figure : simulator.scenario.figure.Figure
    axes : sequence of str or None
        The swept fields; None where nothing is swept, and anything goes.

    Raises
    ------
    TeamsimError
        If there is no such metric, or no such swept field.
    """
    endings = ("", TO_SUCCESS, *QUANTILES)
    metrics = {*RATIOS, *(name + ending for name in NUMBERS for ending in endings)}
    for option, names in (("y", figure.y), ("log_y", figure.log_y)):
        for name in names:
            if name not in metrics:
                raise TeamsimError(f"{option}: {unknown_metric(name)}")
    if axes is None:
        return
    for option, names in (("x", (figure.x,)), ("series", figure.series)):
        for name in names:
            if name in metrics and name not in axes:
                raise TeamsimError(
                    f"{option}: {name!r} is a metric, which y names; {option} is a swept field "
                    f"(allowed: {', '.join(axes)})"
                )
            if name not in {*axes, SERIES}:
                raise TeamsimError(f"{option}: {unknown_name('swept field', name, axes)}")
    if figure.x in figure.series:
        raise TeamsimError(
            f"{figure.x} is on the horizontal axis, so each line would be a point: name another "
            "field for it (x), or for the lines (series)"
        )


def unknown_metric(name: str) -> str:
    """Return the message for a metric that there is not, without the suffixes it may have."""
    metric, dot, statistic = name.partition(".")
    column = f"{metric}_{statistic.replace('median', 'p50')}"
    if dot and metric in NUMBERS and column.removeprefix(metric) in QUANTILES:
        return f"unknown metric {name!r}; did you mean {column!r}?"
    if dot and metric in NUMBERS and statistic == "mean":
        return f"unknown metric {name!r}; did you mean {metric!r}? Means are drawn of it"
    said = unknown_name("metric", name, {*NUMBERS, *RATIOS})
    return f"{said.removesuffix(')')}; also with {', '.join((TO_SUCCESS, *QUANTILES))})"


def curves_against(
    results: pd.DataFrame,
    metrics: Sequence[str],
    x: str = SIZE,
    confidence: float = 0.95,
    by: Sequence[str] = (),
) -> pd.DataFrame:
    """Return each metric, the speed-up and the error amplification against a swept field.

    Parameters
    ----------
    results : DataFrame
        A sweep over `x` and any other axes, a row a replication.
    metrics : sequence of str
        Columns that are wanted, as `estimate_of` takes them.
    x : str
        Dotted path of the field.
    confidence : float
        Coverage of the intervals.
    by : sequence of str
        Swept fields whose values name the series (see `with_series`).

    Returns
    -------
    DataFrame
        A row a series and x: ``series, x, point, is_baseline, parallel_fraction``; ``runs``, and
        ``finished``: how many of them did all tasks; for each metric ``<metric>, <metric>_low,
        <metric>_high, <metric>_sd`` (mean, its interval, standard deviation over replications, of
        a time null where not all runs finished); ``baseline_finished``, how many runs of the
        baseline did; ``speedup`` (time to success of the baseline over that of the point; null
        where either never finished) and ``error_amplification`` (mean share of tasks not correct
        over the baseline's, of runs as they ended: a task not done is not correct), with paired
        intervals. Where all runs of the study finished, intervals are of runs that do. The
        baseline is the point that the scenario names, else the same series at one agent where x is
        ``team.size``; without either, and for an error-free baseline, the ratios are null.
    """
    table = with_series(results, x, by)
    may_fail = not bool(table["success"].all())
    needed = table.columns.intersection([*_OF_POINTS, "replication", *NUMBERS, *metrics])
    columns = {str(name): table[name].to_numpy() for name in needed}
    number = table.groupby(["series", "x", "point"], sort=False).ngroup().to_numpy()
    rows = []
    for i in range(number.max(initial=-1) + 1):
        group = _where(columns, number == i)
        first = {name: group[name][0] for name in _OF_POINTS}
        finished, runs = int(group["success"].sum()), len(group["success"])
        row: dict[str, object] = {
            "series": first["series"],
            "x": first["x"],
            "point": first["point"],
            "is_baseline": first["baseline_point"] == first["point"],
            "parallel_fraction": first["parallel_fraction"],
            "runs": runs,
            "finished": finished,
        }
        for metric in metrics:
            row.update(_named(metric, estimate_of(group, metric, confidence, may_fail)))
            if metric in group:
                is_known = metric not in TIMES or finished == runs
                row[f"{metric}_sd"] = _sd(group[metric]) if is_known else math.nan
        alone, team = _paired(_baseline_of(columns, first, x), group)
        row["baseline_finished"] = int(alone["success"].sum()) if len(alone["success"]) else None
        row.update(_named("speedup", speedup(alone, team, confidence, may_fail)))
        row.update(_named("error_amplification", _error_ratio(alone, team, confidence)))
        rows.append(row)
    import pandas as pd

    return pd.DataFrame(rows)


def not_known(curves: pd.DataFrame, metric: str) -> pd.Series[bool]:
    """Return the rows of `curves_against` whose metric is not known: no price, or no run finished.

    Parameters
    ----------
    curves : DataFrame
    metric : str
        A column of `curves`. Only money, times, amounts until success, quantiles of times and the
        speed-up can be unknown; all others are known even if runs did not finish.
    """
    import pandas as pd

    if metric == "speedup":
        return curves["finished"].eq(0) | curves["baseline_finished"].eq(0)
    unpriced = without_price(curves, metric)
    if metric in TIMES or metric.endswith(TO_SUCCESS):
        return curves["finished"].eq(0) | unpriced
    if any(metric.removesuffix(ending) in TIMES for ending in QUANTILES):
        return pd.Series(~np.isfinite(curves[metric].to_numpy()), curves.index, dtype=bool)
    return unpriced


def without_price(curves: pd.DataFrame, metric: str) -> pd.Series[bool]:
    """Return the rows of `curves_against` whose metric is money, and which have no price.

    Where no run finished, money until success is not known in any case, and not counted here.
    """
    import pandas as pd

    if not is_money(metric):
        return pd.Series(False, index=curves.index)
    is_open = metric.endswith(TO_SUCCESS) & curves["finished"].eq(0)
    return curves[metric].isna() & ~is_open


def scaling_curves(
    results: pd.DataFrame, metrics: Sequence[str], confidence: float = 0.95
) -> pd.DataFrame:
    """Return `curves_against` ``team.size``, with a column ``n`` for it."""
    return curves_against(results, metrics, SIZE, confidence).rename(columns={"x": "n"})


def _where(columns: Columns, is_in: npt.NDArray[np.bool_]) -> Columns:
    return {name: values[is_in] for name, values in columns.items()}


def _sd(values: npt.NDArray[Any]) -> float:
    known = values.astype(float)
    known = known[~np.isnan(known)]
    return float(known.std(ddof=1)) if len(known) > 1 else math.nan


def _baseline_of(columns: Columns, point: Mapping[str, Any], x: str) -> Columns:
    """Return the rows of the baseline of a point; none if it has no baseline."""
    import pandas as pd

    is_in = np.zeros(len(columns["point"]), dtype=bool)
    if pd.notna(point["baseline_point"]):
        is_in = columns["point"] == point["baseline_point"]
    elif x == SIZE:
        is_in = (columns["series"] == point["series"]) & (columns["x"] == 1)
    return _where(columns, is_in)


def _paired(alone: Columns, team: Columns) -> tuple[Columns, Columns]:
    """Return the rows of the replications that both have, in the same order."""
    _, first, second = np.intersect1d(
        alone["replication"], team["replication"], assume_unique=True, return_indices=True
    )
    names = ("makespan_s", "success", "quality")
    return {name: alone[name][first] for name in names}, {
        name: team[name][second] for name in names
    }


def _error_ratio(alone: Columns, team: Columns, confidence: float) -> Interval:
    above, below = 1.0 - team["quality"], 1.0 - alone["quality"]
    if not below.any():
        return UNKNOWN
    if all(np.array_equal(values, team[name]) for name, values in alone.items()):
        return Interval(1.0, 1.0, 1.0)  # the same runs: the baseline itself
    return ratio_of_means_interval(above, below, confidence, are_shares=True)


def _named(name: str, interval: Interval) -> dict[str, object]:
    """Return an interval as the three columns of a metric."""
    ends = {f"{name}_low": interval.low, f"{name}_high": interval.high}
    return {name: interval.estimate, **ends}
