"""Scaling curves against team size."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from analysis.curves import scaling_curves
from analysis.laws import amdahl_speedup, fit_power_law
from analysis.plots.style import REFERENCE, colour, marker, new_axes, paper_style

_METRICS = ["makespan_s", "messages", "deliveries", "tokens", "straggler_gap_s", "success"]


def plot_scaling(
    curves: pd.DataFrame, metric: str, label: str, ax: Axes | None = None
) -> Axes:
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
    for i, (_, line) in enumerate(_lines(curves, metric)):
        n, y = line["n"].to_numpy(), line[metric].to_numpy(dtype=float)
        low = line[f"{metric}_low"].to_numpy(dtype=float)
        high = line[f"{metric}_high"].to_numpy(dtype=float)
        ax.fill_between(n, low, high, color=colour(i), alpha=0.2, linewidth=0)
        ax.plot(n, y, color=colour(i), marker=marker(i))
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
    shown = _lines(curves, "speedup")
    fractions = sorted({float(line["parallel_fraction"].iloc[0]) for _, line in shown})
    for p in fractions:
        bound = amdahl_speedup(n, p)
        ax.plot(n, bound, color=REFERENCE, linestyle=(0, (4, 2)), linewidth=1.0, zorder=1)
        ax.annotate(
            f"Amdahl, p = {p:.2g}",
            (n[-1], bound[-1]),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=7.5,
            color=REFERENCE,
        )
    ax.set_ylim(bottom=0)
    return ax


def plot_power_law(
    curves: pd.DataFrame, metric: str, label: str, ax: Axes | None = None
) -> Axes:
    """Draw a metric against team size on log-log axes with the fitted exponent of each series."""
    ax = plot_scaling(curves, metric, label, ax)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    for i, (_, line) in enumerate(_lines(curves, metric)):
        positive = line[line[metric] > 0]
        if positive["n"].nunique() < 3:
            continue
        fit = fit_power_law(positive["n"], positive[metric])
        n = np.asarray([positive["n"].min(), positive["n"].max()])
        ax.plot(n, fit(n), color=colour(i), linestyle=":", linewidth=1.0)
        ax.annotate(
            f"n^{fit.exponent:.2f}",
            (n[-1], fit(n)[-1]),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=colour(i),
        )
    _size_axis(ax, curves)
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
        Six panels: makespan, speed-up beside Amdahl, success, messages, tokens, straggler gap.

    Raises
    ------
    TeamsimError
        If the sweep does not vary ``team.size``.
    """
    results = results.assign(tokens=results["input_tokens"] + results["output_tokens"])
    curves = scaling_curves(results, _METRICS)
    with paper_style():
        figure = Figure(figsize=(10.2, 6.0), layout="constrained")
        axes = figure.subplots(2, 3)
        plot_scaling(curves, "makespan_s", "makespan (simulated s)", axes[0, 0])
        axes[0, 0].set_ylim(bottom=0)
        plot_speedup(curves, axes[0, 1])
        plot_scaling(curves, "success", "runs that finish all tasks", axes[0, 2])
        axes[0, 2].set_ylim(-0.03, 1.05)
        plot_power_law(curves, "deliveries", "message deliveries", axes[1, 0])
        plot_power_law(curves, "tokens", "tokens read and written", axes[1, 1])
        plot_scaling(curves, "straggler_gap_s", "longest - mean call (s)", axes[1, 2])
        axes[1, 2].set_ylim(bottom=0)
        titles = (
            "Time to finish",
            "Speed-up",
            "Success",
            "Communication",
            "Tokens",
            "Straggler gap a round",
        )
        for ax, name in zip(axes.flat, titles, strict=True):
            ax.set_title(name)
        _mark_baseline(axes[0, 0], curves)
        _legend(figure, curves)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _lines(curves: pd.DataFrame, metric: str) -> list[tuple[str, pd.DataFrame]]:
    """Return the series to draw: those with more than one size, each sorted by n."""
    found = []
    for name, line in curves.groupby("series", sort=False):
        if line["n"].nunique() > 1 or curves["n"].nunique() == 1:
            found.append((str(name), line[line[metric].notna()].sort_values("n")))
    return found


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
        )


def _legend(figure: Figure, curves: pd.DataFrame) -> None:
    names = [name for name, _ in _lines(curves, "makespan_s")]
    if names == [""]:
        return
    handles = [
        Line2D([], [], color=colour(i), marker=marker(i), label=name)
        for i, name in enumerate(names)
    ]
    band = Line2D([], [], color="#bbbbbb", linewidth=6, alpha=0.6, label="95 % interval")
    figure.legend(
        handles=[*handles, band], loc="outside lower center", ncols=min(len(handles) + 1, 4)
    )


def _size_axis(ax: Axes, curves: pd.DataFrame) -> None:
    ax.set_xlabel("agents n")
    sizes = sorted(curves["n"].unique())
    if ax.get_xscale() == "log":
        powers = [n for n in sizes if n & (n - 1) == 0] if len(sizes) > 6 else sizes
        ax.set_xticks(powers)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.margins(x=0.12)
    elif len(sizes) <= 8:
        ax.set_xticks(sizes)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
