"""Scaling curves against team size."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from analysis.curves import scaling_curves, with_derived
from analysis.laws import amdahl_speedup, fit_power_law
from analysis.plots.direct_labels import name_series
from analysis.plots.style import (
    HALO,
    REFERENCE,
    colour,
    draw_band,
    footnote,
    headline,
    new_axes,
    panel_grid,
    paper_style,
    row_ends,
)

_METRICS = [
    "makespan_s",
    "success",
    "straggler_gap_s",
    "messages",
    "deliveries",
    "tokens",
    "quality",
    "cost_usd",
]

_TITLES = (
    "Time to finish",
    "Speed-up",
    "Success",
    "Straggler gap a round",
    "Messages",
    "Deliveries",
    "Tokens",
    "Quality",
    "Cost",
)


def plot_scaling(curves: pd.DataFrame, metric: str, label: str, ax: Axes | None = None) -> Axes:
    """Draw a metric against team size, a line a series, with its interval as a band.

    Parameters
    ----------
    curves : DataFrame
        From `analysis.curves.scaling_curves`.
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
    if not curves[metric].notna().any():
        return _nothing_to_draw(ax, curves, label)
    for i, (name, line) in enumerate(_lines(curves, metric)):
        draw_band(ax, line, "n", metric, i, name)
    ax.set_ylabel(label)
    _size_axis(ax, curves)
    return ax


def plot_speedup(curves: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw speed-up against team size beside Amdahl's curve of each parallel fraction.

    Amdahl's p is the workload's own: the share of work off its critical path. Work whose
    chain overlaps with the rest may lie above the curve.
    """
    ax = plot_scaling(curves, "speedup", "speed-up over one agent", ax)
    ax.axhline(1.0, color=REFERENCE, linewidth=0.8)
    n = np.arange(1, int(curves["n"].max()) + 1)
    best = float(np.nanmax(curves["speedup_high"].to_numpy(dtype=float), initial=1.0))
    bounds = {p: amdahl_speedup(n, p) for p in sorted(set(_fractions(curves)))}
    top = min(1.6 * best, 1.15 * max(best, *(bound[-1] for bound in bounds.values())))
    ax.set_ylim(0, top)
    for p, bound in bounds.items():
        ax.plot(n, bound, color=REFERENCE, linestyle=(0, (4, 2)), linewidth=1.0, zorder=1)
        last = int(np.flatnonzero(bound <= 0.9 * top)[-1])
        ax.annotate(
            f"Amdahl, p = {p:.2g}",
            (n[last], bound[last]),
            xytext=(-1, 2),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=7,
            color=REFERENCE,
            path_effects=HALO,
        )
    return ax


def plot_power_law(curves: pd.DataFrame, metric: str, label: str, ax: Axes | None = None) -> Axes:
    """Draw a metric against team size on log-log axes with the fitted exponent of each series."""
    # What is not positive has no place on a log axis, but its series keeps its colour.
    curves = curves.assign(**{metric: curves[metric].where(curves[metric] > 0)})
    if not curves[metric].notna().any():
        return _nothing_to_draw(new_axes(ax), curves, label)
    ax = plot_scaling(curves, metric, label, ax)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    _size_axis(ax, curves)
    fits = {}
    for i, (_, line) in enumerate(_lines(curves, metric)):
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
            f"$\\propto n^{{{fit.exponent:.2f}}}$",
            transform=ax.transAxes,
            ha="right" if falls else "left",
            va="top",
            color=colour(i),
            path_effects=HALO,
        )
    return ax


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
        deliveries; tokens with their exponents, quality, cost.

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
    if not curves["cost_usd"].any():  # no prices
        curves["cost_usd"] = np.nan
    with paper_style():
        figure, axes = panel_grid(9)
        time, speedup, success, gap, messages, deliveries, tokens, quality, cost = axes
        plot_scaling(curves, "makespan_s", "makespan (simulated s)", time)
        plot_speedup(curves, speedup)
        plot_scaling(curves, "success", "runs that finish all tasks", success)
        plot_scaling(curves, "straggler_gap_s", "longest - mean call (s)", gap)
        plot_power_law(curves, "messages", "messages sent", messages)
        plot_power_law(curves, "deliveries", "message deliveries", deliveries)
        plot_power_law(curves, "tokens", "tokens read and written", tokens)
        plot_scaling(curves, "quality", "tasks done without a fault", quality)
        plot_scaling(curves, "cost_usd", "US dollars", cost)
        for ax in (time, gap, cost):
            ax.set_ylim(bottom=0)
        for ax in (success, quality):
            ax.set_ylim(-0.03, 1.05)
        for ax, name in zip(axes, _TITLES, strict=True):
            ax.set_title(name)
        _mark_baseline(time, curves)
        footnote(figure, "bands: 95 % intervals of the mean")
        headline(figure, title)
        name_series(figure, row_ends(axes))
    return figure


def _nothing_to_draw(ax: Axes, curves: pd.DataFrame, label: str) -> Axes:
    ax.text(0.5, 0.5, "none", transform=ax.transAxes, ha="center", color=REFERENCE)
    ax.set(ylabel=label, yticks=[], xlim=(1, curves["n"].max()))
    _size_axis(ax, curves)
    return ax


def _lines(curves: pd.DataFrame, metric: str | None = None) -> list[tuple[str, pd.DataFrame]]:
    """Return the series to draw with their names, sorted by n: those with more than one size.

    All panels see the same series in the same order, hence in the same colours; sizes at which
    `metric` is null are left out.
    """
    found = []
    for name, line in curves.groupby("series", sort=False):
        if line["n"].nunique() > 1 or curves["n"].nunique() == 1:
            shown = line if metric is None else line[line[metric].notna()]
            found.append((str(name), shown.sort_values("n")))
    return found


def _fractions(curves: pd.DataFrame) -> list[float]:
    """Return the parallel fraction of each series."""
    return [float(line["parallel_fraction"].iloc[0]) for _, line in _lines(curves)]


def _mark_baseline(ax: Axes, curves: pd.DataFrame) -> None:
    """Mark the single agent that speed-up is measured against."""
    alone = curves[curves["is_baseline"]]
    if alone.empty:
        alone = curves[curves["n"] == 1]
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
    if ax.get_xscale() == "log" or (len(sizes) <= 10 and sizes[-1] >= 16 * sizes[0]):
        ax.set_xscale("log", base=2)
        ax.set_xticks([n for n in sizes if n & (n - 1) == 0] if len(sizes) > 6 else sizes)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        ax.xaxis.set_minor_locator(NullLocator())
    elif len(sizes) <= 8:
        ax.set_xticks(sizes)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
