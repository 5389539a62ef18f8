"""Metrics of a sweep against one of its fields."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from analysis.plots.bands import (
    closed_ends,
    draw_band,
    mark_not_known,
    mark_unfinished,
    say_shared,
)
from analysis.plots.colours import REFERENCE, colour, marker
from analysis.plots.direct_labels import name_series
from analysis.plots.known import (
    all_finished,
    finish_note,
    open_note,
    reason,
    say_not_known,
    why_not_known,
)
from analysis.plots.labels import metric_label
from analysis.plots.numbers import shorten, shorten_log
from analysis.plots.style import (
    HALO,
    footnote,
    headline,
    new_axes,
    panel_grid,
    paper_style,
    row_ends,
)
from analysis.statistics.crossings import crossing_in_words, crossing_interval
from analysis.statistics.curves import RATIOS, curves_against, not_known, with_derived
from analysis.statistics.series import SERIES, SIZE
from simulator.scenario.figure import Figure as FigureSpec

_LETTERS_BELOW = 15
"""Letters of the values that fit below a logarithmic axis, where each is written."""

_ROWS_BESIDE = 4


def sweep_figure(results: pd.DataFrame, wanted: FigureSpec, title: str = "") -> Figure:
    """Return the picture of a sweep: a panel a metric, against one swept field.

    Parameters
    ----------
    results : DataFrame
        A row a replication.
    wanted : simulator.scenario.figure.Figure
        What to draw.
    title : str
        The question that the sweep asks.

    Returns
    -------
    Figure

    Raises
    ------
    TeamsimError
        If the sweep does not vary the field.
    """
    results = with_derived(results)
    metrics = [name for name in wanted.y if name not in RATIOS]
    curves = curves_against(results, metrics, wanted.x, by=wanted.series)
    if pd.api.types.is_bool_dtype(curves["x"]):  # as scenarios write it: it is no number
        curves["x"] = curves["x"].map({True: "true", False: "false"})
    in_rows = wanted.x == SERIES
    with paper_style():
        height = 0.35 + 0.3 * curves["series"].nunique() if in_rows else 2.1
        figure, axes = panel_grid(len(wanted.y), height, _ROWS_BESIDE if in_rows else 3)
        for i, (ax, metric) in enumerate(zip(axes, wanted.y, strict=True)):
            label = metric_label(metric, all_finished(curves))
            label = textwrap.fill(label, 22 if in_rows else 30)
            if in_rows:
                plot_rows(curves, metric, label, ax)
                ax.xaxis.set_major_locator(MaxNLocator(4))
                shorten(ax.xaxis)
                ax.tick_params(labelleft=i % _ROWS_BESIDE == 0)
                continue
            plot_against(curves, metric, label, ax)
            ax.set_xlabel(wanted.x_label or _name_of(wanted.x))
            values = sorted(curves["x"].unique())
            if wanted.log_x and pd.api.types.is_numeric_dtype(curves["x"]):
                _log_axis(ax, values)
            elif _are_apart(values):
                ax.set_xticks(values)
            elif _are_whole(values):
                ax.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
            shorten(ax.yaxis)
            if metric in wanted.log_y and (curves[metric] > 0.0).any():
                ax.set_yscale("log")
                shorten_log(ax.yaxis)
        for pair in wanted.crossings:
            _mark_crossing(axes[0], curves, pair, wanted)
        intervals = f"{'bars' if in_rows else 'bands'}: 95 % intervals"
        said = [intervals, say_shared(figure), open_note(curves, wanted.y)]
        said.append(finish_note(curves, wanted.y))
        footnote(figure, "; ".join(filter(None, said)))
        headline(figure, title)
        name_series(figure, row_ends(axes))
    return figure


def _name_of(path: str) -> str:
    return "agents n" if path == SIZE else path.rpartition(".")[2].replace("_", " ")


def plot_against(curves: pd.DataFrame, metric: str, label: str, ax: Axes | None = None) -> Axes:
    """Draw a metric against the swept field, a line a series, with its interval as a band.

    A field of names is drawn as points with error bars, in the order of the sweep. Marks are open
    where not all runs finished; an x below the panel is a value at which the metric is not known,
    since no run finished or nobody said a price.

    Parameters
    ----------
    curves : DataFrame
        From `analysis.statistics.curves.curves_against`.
    metric : str
        Column of it that has ``_low`` and ``_high`` beside it.
    label : str
        Label of the vertical axis, with its unit.
    ax : Axes, optional
        Where to draw; a new figure when absent.

    Returns
    -------
    Axes
    """
    ax = new_axes(ax)
    named = not pd.api.types.is_numeric_dtype(curves["x"])
    places = {value: i for i, value in enumerate(curves["x"].drop_duplicates())}
    lines = _lines(curves)
    for i, line in enumerate(lines):
        name = str(line["series"].iloc[0])
        if not named:
            draw_band(ax, line, "x", metric, i, name)
            continue
        x = line["x"].map(places).to_numpy(dtype=float) + 0.12 * (i - (len(lines) - 1) / 2)
        is_known = np.isfinite(line[metric].to_numpy(dtype=float))
        shown, at = line[is_known], x[is_known]
        y = shown[metric].to_numpy(dtype=float)
        low, high = closed_ends(ax, shown, metric, at, colour(i))
        bars = np.maximum(0.0, [y - low, high - y])
        ax.errorbar(at, y, bars, fmt=marker(i), color=colour(i), capsize=2, label=name)
        mark_unfinished(ax, shown, at, y, i)
        mark_not_known(ax, x[not_known(line, metric).to_numpy()], i)
    ax.set_ylabel(say_not_known(label, pd.concat(lines), metric))
    if named:
        ax.set_xticks(range(len(places)), [str(value).replace("_", "\n") for value in places])
    if metric in RATIOS:
        _mark_equal(ax, curves, metric)
    return ax


def plot_rows(curves: pd.DataFrame, metric: str, label: str, ax: Axes | None = None) -> Axes:
    """Draw a metric as a point with its interval in a row for each series, the first on top.

    A row whose metric is not known, since runs did not finish or nobody said a price, says so.
    Parameters and return value are those of `plot_against`.
    """
    ax = new_axes(ax)
    rows = pd.concat(_lines(curves))
    is_known = np.isfinite(rows[metric].to_numpy(dtype=float))
    shown, places = rows[is_known], np.flatnonzero(is_known).astype(float)
    y = shown[metric].to_numpy(dtype=float)
    low, high = closed_ends(ax, shown, metric, places, colour(0), sideways=True)
    ax.hlines(places, low, high, color=colour(0), linewidth=2.5, alpha=0.4)
    ax.plot(y, places, marker(0), color=colour(0))
    mark_unfinished(ax, shown, y, places, 0)
    beside: Any = {"transform": ax.get_yaxis_transform(), "va": "center"}
    for i in map(int, np.flatnonzero(not_known(rows, metric))):
        ax.text(
            0.03, float(i), reason(rows.iloc[[i]], metric), color=REFERENCE, fontsize=7, **beside
        )
    ax.set(xlabel=label, ylim=(len(rows) - 0.5, -0.5))
    ax.set_yticks(range(len(rows)), [textwrap.fill(str(name), 22) for name in rows["series"]])
    ax.grid(visible=True, axis="x")
    if metric in RATIOS:
        _mark_equal(ax, curves, metric, sideways=True)
    return ax


def _mark_equal(ax: Axes, curves: pd.DataFrame, metric: str, sideways: bool = False) -> None:
    """Draw where a ratio is 1; where none is known, say why."""
    if np.isfinite(curves[metric].to_numpy(dtype=float)).any():
        draw_at = ax.axvline if sideways else ax.axhline
        draw_at(1.0, color=REFERENCE, linewidth=0.8, zorder=1)
        return
    said = textwrap.fill(why_not_known(curves, metric), 24)
    ax.text(0.5, 0.5, said, transform=ax.transAxes, ha="center", va="center", color=REFERENCE)
    (ax.xaxis if sideways else ax.yaxis).set_ticks([])


def _mark_crossing(
    ax: Axes, curves: pd.DataFrame, pair: tuple[str, str], wanted: FigureSpec
) -> None:
    first, second = (curves[curves["series"] == name] for name in pair)
    found = crossing_interval(first, second, wanted.y[0], wanted.log_x)
    if found is None:
        return
    x = found.estimate
    # At the bottom, where the lines are above the middle of the panel.
    bottom, top = ax.get_ylim()
    near = pd.concat([first, second])
    near = near[near["x"].astype(float).ge(x) & near["x"].astype(float).le(3.0 * x)]
    is_high = bool(near[wanted.y[0]].mean() > (bottom + top) / 2)
    ax.axvline(x, color=REFERENCE, linestyle=(0, (2, 2)), linewidth=1.0, zorder=1)
    ax.annotate(
        crossing_in_words(found).replace(", ", ",\n"),
        (x, 0.0 if is_high else 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(3, 2 if is_high else -2),
        textcoords="offset points",
        va="bottom" if is_high else "top",
        fontsize=7.5,
        color=REFERENCE,
        path_effects=HALO,
    )


def _lines(curves: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the series, without those that are only a baseline."""
    found = [line for _, line in curves.groupby("series", sort=False)]
    in_rows = (curves["x"] == curves["series"]).all()
    several = [
        line
        for line in found
        if in_rows or not line["is_baseline"].all() or (len(line) > 1 and line["x"].is_unique)
    ]
    numeric = pd.api.types.is_numeric_dtype(curves["x"])
    return [line.sort_values("x") if numeric else line for line in several or found]


def _log_axis(ax: Axes, values: list[float]) -> None:
    powers_of_two = all(float(np.log2(value)).is_integer() for value in values if value > 0)
    ax.set_xscale("log", base=2 if powers_of_two else 10)
    if powers_of_two or sum(len(f"{value:g}") for value in values) <= _LETTERS_BELOW:
        ax.set_xticks(values)
    ax.xaxis.set_major_formatter(FuncFormatter(_plain))
    ax.xaxis.set_minor_locator(NullLocator())


def _are_apart(values: list[Any]) -> bool:
    """Return whether values are numbers whose labels fit below an axis."""
    return (
        1 < len(values) <= 6
        and not isinstance(values[0], str)
        and min(np.diff(values)) >= (values[-1] - values[0]) / 9
    )


def _are_whole(values: list[Any]) -> bool:
    """Return whether values are whole numbers, between which an axis has no number."""
    return all(not isinstance(value, str) and float(value).is_integer() for value in values)


def _plain(value: float, _: object) -> str:
    return f"{value:g}"
