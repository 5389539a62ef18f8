"""Scaling curves against team size."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from analysis.plots.bands import draw_band, mark_not_known, say_shared
from analysis.plots.colours import REFERENCE, colour
from analysis.plots.direct_labels import label_along, name_series
from analysis.plots.known import all_finished, finish_note, say_not_known, why_not_known
from analysis.plots.labels import balanced, metric_label
from analysis.plots.numbers import shorten_large, shorten_log
from analysis.plots.style import (
    HALO,
    footnote,
    headline,
    new_axes,
    panel_grid,
    paper_style,
    row_ends,
)
from analysis.statistics.curves import not_known, scaling_curves, with_derived
from analysis.statistics.law_fits import PowerLaw, fit_power_law
from analysis.statistics.laws import amdahl_speedup

_METRICS = [
    "makespan_s",
    "success",
    "straggler_gap_s",
    "messages_to_success",
    "deliveries_to_success",
    "tokens_to_success",
    "quality",
    "cost_usd_to_success",
]

_TITLES = [
    "Speed-up",
    "Success",
    "Straggler gap a round",
    "Messages",
    "Deliveries",
    "Tokens",
    "Quality",
    "Cost",
]
"""Titles of the panels after the first."""


def plot_scaling(curves: pd.DataFrame, metric: str, label: str, ax: Axes | None = None) -> Axes:
    """Draw a metric against team size, a line a series, with its interval as a band.

    Marks are open where not all runs finished; an x below the panel is a size at which the metric
    is not known, since no run finished or nobody said a price.

    Parameters
    ----------
    curves : DataFrame
        From `analysis.statistics.curves.scaling_curves`.
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
    if not _is_known(curves, metric).any():
        return _nothing_to_draw(ax, curves, metric, label)
    for i, (name, line) in enumerate(_lines(curves)):
        draw_band(ax, line, "n", metric, i, name)
    ax.set_ylabel(say_not_known(label, curves, metric))
    shorten_large(ax.yaxis)
    _size_axis(ax, curves)
    return ax


def plot_speedup(curves: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw speed-up against team size beside Amdahl's curve of each parallel fraction.

    Amdahl's p is the workload's own: the share of work off its critical path. Work whose
    chain overlaps with the rest may lie above the curve.
    """
    ax = plot_scaling(curves, "speedup", "speed-up over one agent", ax)
    if not _is_known(curves, "speedup").any():
        return ax
    ax.axhline(1.0, color=REFERENCE, linewidth=0.8)
    n = np.arange(1, int(curves["n"].max()) + 1)
    seen = curves[["speedup", "speedup_high"]].to_numpy(dtype=float)
    best = float(np.max(seen[np.isfinite(seen)], initial=1.0))
    bounds = {p: amdahl_speedup(n, p) for p in sorted(set(_fractions(curves)))}
    top = min(1.6 * best, 1.15 * max([best, *(bound[-1] for bound in bounds.values())]))
    ax.set_ylim(0, top)
    for bound in bounds.values():
        ax.plot(n, bound, color=REFERENCE, linestyle=(0, (4, 2)), linewidth=1.0, zorder=1)
    for p, bound in bounds.items():
        label_along(ax, n.astype(float), bound, f"Amdahl, p = {p:.2g}")
    return ax


def plot_power_law(curves: pd.DataFrame, metric: str, label: str, ax: Axes | None = None) -> Axes:
    """Draw a metric against team size on log-log axes with the fitted exponent of each series.

    Beside an exponent stands its 95 % interval, by the sizes' distances from the law.

    For amounts that runs spend, use the column ``<metric>_to_success``: runs that ended before the
    work was done have not spent what the work takes, and would distort a law.
    """
    # Values that are not positive cannot be on a log axis, but their series keeps its colour.
    positive = curves.assign(**{metric: curves[metric].where(curves[metric] > 0)})
    if not _is_known(positive, metric).any():
        return _nothing_to_draw(new_axes(ax), curves, metric, label)
    curves = positive
    ax = plot_scaling(curves, metric, label, ax)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    shorten_log(ax.yaxis)
    _size_axis(ax, curves)
    fits = {}
    for i, (_, whole) in enumerate(_lines(curves)):
        line = whole[_is_known(whole, metric)]
        if line["n"].nunique() < 3:
            continue
        fits[i] = fit_power_law(line["n"], line[metric])
        n = np.asarray([line["n"].min(), line["n"].max()])
        ax.plot(n, fits[i](n), color=colour(i), linestyle=":", linewidth=1.0)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low) ** (0.08 * len(fits)))  # room for the exponents
    falls = sum(fit.exponent < 0 for fit in fits.values()) > len(fits) / 2
    for place, (i, fit) in enumerate(fits.items()):
        ax.text(
            0.98 if falls else 0.03,
            0.98 - 0.085 * place,
            _exponent(fit),
            transform=ax.transAxes,
            ha="right" if falls else "left",
            va="top",
            color=colour(i),
            path_effects=HALO,
        )
    return ax


def _exponent(fit: PowerLaw) -> str:
    """Return the exponent of a law with its 95 % interval; without one where the fit is exact."""
    said = f"$\\propto n^{{{fit.exponent:z.2f}}}$"
    low, high = f"{fit.low:z.2f}", f"{fit.high:z.2f}"
    return said if low == high else f"{said} [{low}, {high}]"


def scaling_figure(results: pd.DataFrame, title: str = "") -> Figure:
    """Return the overview of a sweep over team size.

    Parameters
    ----------
    results : DataFrame
        A sweep over ``team.size``, a row a replication.
    title : str
        The question that the sweep asks.

    Returns
    -------
    Figure
        Nine panels: makespan, speed-up beside Amdahl, success; straggler gap, messages and
        deliveries; tokens with their exponents, quality, cost. Time, messages, tokens and cost are
        those until success, where failed runs are started again.

    Raises
    ------
    TeamsimError
        If the sweep does not vary ``team.size``.
    """
    results = with_derived(results)
    curves = scaling_curves(results, _METRICS)
    in_rounds = results.groupby("point")["rounds"].max() > 0
    curves["straggler_gap_s"] = curves["straggler_gap_s"].where(
        curves["point"].map(in_rounds).to_numpy()
    )
    with paper_style():
        figure, axes = panel_grid(9)
        time, speedup, success, gap, messages, deliveries, tokens, quality, cost = axes
        plot_scaling(curves, "makespan_s", metric_label("makespan_s", all_finished(curves)), time)
        plot_speedup(curves, speedup)
        plot_scaling(curves, "success", "runs that finish all tasks", success)
        plot_scaling(curves, "straggler_gap_s", "longest - mean call (s)", gap)
        for metric, ax in (
            ("messages_to_success", messages),
            ("deliveries_to_success", deliveries),
            ("tokens_to_success", tokens),
        ):
            plot_power_law(curves, metric, balanced(metric_label(metric), 30), ax)
        plot_scaling(curves, "quality", "tasks done without a fault", quality)
        plot_scaling(curves, "cost_usd_to_success", metric_label("cost_usd_to_success"), cost)
        for ax in (time, gap, cost):
            ax.set_ylim(bottom=0)
        for ax in (success, quality):
            ax.set_ylim(-0.03, 1.05)
        first = "Time to finish" if all_finished(curves) else "Time to success"
        for ax, name in zip(axes, [first, *_TITLES], strict=True):
            ax.set_title(name)
        _mark_baseline(time, curves)
        said = [
            "bands, brackets: 95 % intervals",
            say_shared(figure),
            finish_note(curves, _METRICS),
        ]
        footnote(figure, "; ".join(filter(None, said)))
        headline(figure, title)
        name_series(figure, row_ends(axes))
    return figure


def _is_known(curves: pd.DataFrame, metric: str) -> pd.Series[bool]:
    return pd.Series(np.isfinite(curves[metric].to_numpy(dtype=float)), curves.index, dtype=bool)


def _nothing_to_draw(ax: Axes, curves: pd.DataFrame, metric: str, label: str) -> Axes:
    said = textwrap.fill(why_not_known(curves, metric), 24)
    ax.text(0.5, 0.5, said, transform=ax.transAxes, ha="center", color=REFERENCE)
    ax.set(ylabel=say_not_known(label, curves, metric), yticks=[], xlim=(1, curves["n"].max()))
    for i, (_, line) in enumerate(_lines(curves)):
        mark_not_known(ax, line.loc[not_known(line, metric), "n"].to_numpy(dtype=float), i)
    _size_axis(ax, curves)
    return ax


def _lines(curves: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the series to draw with their names, sorted by n: those with more than one size.

    Where no series has, as where each point has a name, it is all of them. All panels see the same
    series in the same order, hence in the same colours.
    """
    sizes = curves.groupby("series", sort=False)["n"].nunique()
    return [
        (str(name), line.sort_values("n"))
        for name, line in curves.groupby("series", sort=False)
        if sizes[name] > 1 or sizes.max() == 1
    ]


def _fractions(curves: pd.DataFrame) -> list[float]:
    """Return the parallel fraction of each series."""
    return [float(line["parallel_fraction"].iloc[0]) for _, line in _lines(curves)]


def _mark_baseline(ax: Axes, curves: pd.DataFrame) -> None:
    """Mark the single agent that speed-up is measured against."""
    alone = curves[curves["is_baseline"]]
    if alone.empty:
        alone = curves[curves["n"] == 1]
    alone = alone[alone["makespan_s"].notna()]
    for value in alone["makespan_s"].drop_duplicates():
        ax.axhline(value, color=REFERENCE, linestyle="--", linewidth=0.9, zorder=1)
    if not alone.empty:
        ax.annotate(
            "one agent",
            (1.0, float(alone["makespan_s"].max())),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right",
            fontsize=7.5,
            color=REFERENCE,
            path_effects=HALO,
        )


def _size_axis(ax: Axes, curves: pd.DataFrame) -> None:
    ax.set_xlabel("agents n")
    sizes = sorted(int(n) for n in curves["n"].unique())
    ax.update_datalim([(n, 1.0) for n in sizes], updatey=False)  # where nothing is known, too
    ax.autoscale_view(scaley=False)
    if ax.get_xscale() == "log" or (len(sizes) <= 10 and sizes[-1] >= 16 * sizes[0]):
        ax.set_xscale("log", base=2)
        ax.set_xticks([n for n in sizes if n & (n - 1) == 0] if len(sizes) > 6 else sizes)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        ax.xaxis.set_minor_locator(NullLocator())
    elif len(sizes) <= 8:
        ax.set_xticks(sizes)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
