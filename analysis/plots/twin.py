"""A twin beside the observed runs: intervals of the simulated runs, and what was observed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.observation.comparison import Comparison
from analysis.plots.colours import REFERENCE
from analysis.plots.style import PAGE_IN, footnote, headline, new_axes, paper_style
from analysis.statistics.ranges import few_for_range
from simulator.words import percent

_TICKS = (
    (2.5, (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.4, 1.6, 1.8, 2)),
    (100.0, (0.1, 0.2, 0.5, 1, 2, 5, 10)),
    (float("inf"), (0.01, 0.1, 1, 10, 100)),
)
"""Largest ratio of the axis' ends, and its ticks."""

_SIMULATED, _OBSERVED, _MISFIT = "#56B4E9", "#000000", "#D55E00"


def plot_twin(table: pd.DataFrame, ax: Axes | None = None, relative: bool = True) -> Axes:
    """Draw simulated intervals, and observed values on them.

    Parameters
    ----------
    table : DataFrame
        Rows of `analysis.observation.comparison.Comparison.table`.
    ax : Axes, optional
        Where to draw; a new figure when absent.
    relative : bool
        Whether values are shown as multiples of the observed median, on a log scale.
    """
    ax = new_axes(ax)
    places = np.arange(len(table))
    for place, row in zip(places, table.to_dict("records"), strict=True):
        unit = row["observed"] if relative and row["observed"] > 0.0 else 1.0
        low, middle, high = (row[name] / unit for name in ("low", "median", "high"))
        seen = tuple(row[name] / unit for name in ("observed_low", "observed", "observed_high"))
        if relative:
            low, seen = max(low, 1e-3), tuple(max(each, 1e-3) for each in seen)
        ax.plot([low, high], [place, place], color=_SIMULATED, linewidth=7, alpha=0.8,
                solid_capstyle="butt")  # fmt: skip
        ax.plot([middle, middle], [place - 0.2, place + 0.2], color="#0072B2", linewidth=1.6)
        ax.plot([seen[0], seen[2]], [place, place], color=_OBSERVED, linewidth=0.9)
        ax.plot(seen[1], place, "o" if row["fits"] else "X", markersize=5,
                color=_OBSERVED if row["fits"] else _MISFIT)  # fmt: skip
    ax.set_yticks(places, [_label(row) for row in table.to_dict("records")])
    ax.set_ylim(len(table) - 0.4, -0.6)
    if relative:
        ax.set_xscale("log")
        ax.axvline(1.0, color=REFERENCE, linewidth=0.6, zorder=0)
        ax.set_xlabel("multiple of the observed median")
        lowest, highest = ax.get_xlim()
        ticks = next(each for most, each in _TICKS if highest / lowest <= most)
        shown = [tick for tick in ticks if lowest <= tick <= highest]
        ax.set_xticks(shown, [f"{tick:g}" for tick in shown])
        ax.minorticks_off()
    else:
        ax.set_xlim(-0.02, 1.02)
        ax.xaxis.set_major_formatter(lambda value, _: percent(value))
        ax.set_xlabel("share of the agents' time")
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
    ax.set_axisbelow(True)
    return ax


def _label(row: Mapping[Hashable, Any]) -> str:
    name, unit, value = str(row["name"]), row["unit"], float(row["observed"])
    if unit == "share":
        return name.removeprefix("time: ")
    return f"{name}\n{short_number(value)} {unit}".rstrip()


def short_number(value: float) -> str:
    """Return a number in few characters: 3.8 M, 12.4 k, 0.25."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            scale = 1e3 if letter == "k" else size
            return f"{value / scale:.3g} {letter}"
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def twin_figure(comparison: Comparison, title: str = "") -> Figure:
    """Return the picture of a twin beside the observed runs."""
    table = comparison.table
    shares = table[table["unit"] == "share"]
    rest = table[(table["unit"] != "share") & (table["observed"] > 0.0)]
    with paper_style():
        tall = max(len(shares), len(rest))
        figure = Figure(figsize=(PAGE_IN, 1.5 + 0.36 * tall), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1.15, 1.0])
        plot_twin(rest, left)
        left.set_title("runs")
        plot_twin(shares, right, relative=False)
        right.set_title("where the time went")
        spread = "least to most" if few_for_range(comparison.runs) else "80 % of runs"
        handles = [
            Line2D([], [], color=_SIMULATED, linewidth=7, alpha=0.8,
                   label="simulated, 80 % of runs"),
            Line2D([], [], color="#0072B2", marker="|", linestyle="", markersize=9,
                   markeredgewidth=1.6, label="simulated median"),
            Line2D([], [], color=_OBSERVED, marker="o", markersize=5, linewidth=0.9,
                   label=f"observed median, {spread}"),
            Line2D([], [], color=_MISFIT, marker="X", linestyle="", markersize=5,
                   label="observed median outside"),
        ]  # fmt: skip
        shown = handles[: 3 + bool(len(comparison.misfits))]
        figure.legend(handles=shown, loc="outside lower center", ncols=2)
        headline(figure, title)
        runs = f"{comparison.runs:,} observed run{'s' if comparison.runs != 1 else ''}"
        footnote(figure, f"{runs}, {comparison.replications:,} simulated")
    return figure
