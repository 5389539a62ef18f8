"""The systems that an advice compares: what each takes beside the best, with joint bounds."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter

from analysis.decisions.advice import Advice
from analysis.plots.colours import REFERENCE, colour
from analysis.plots.numbers import short_number
from analysis.plots.style import PAGE_IN, footnote, headline, new_axes, paper_style
from simulator.words import four_figures

_MOST = 16
"""Systems that are drawn, the best first, and one agent."""

_FURTHEST = 20.0
"""Times what the best takes: bars that reach further, and beyond all estimates, end in an arrow."""

_TICKS = (0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 20.0)
_MANY = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 1e4, 1e5, 1e6)


def advice_figure(advice: Advice, table: pd.DataFrame, title: str = "") -> Figure:
    """Return the picture of an advice.

    Parameters
    ----------
    advice : Advice
    table : DataFrame
        Its table, the best first, without costs that are not known.
    title : str
        The advice in a sentence.

    Returns
    -------
    Figure
    """
    shown = table[(np.arange(len(table)) < _MOST) | (table["n"] == 1)]
    left_out = len(table) - len(shown)
    with paper_style():
        height = 1.4 + 0.2 * len(shown)
        figure = Figure(figsize=(PAGE_IN, height), layout="constrained")
        plot_advice(advice, shown, figure.add_subplot())
        said = [
            "bars: joint bounds, which hold for all systems together",
            "grey: known not to be the best",
            "open: not known to fulfil the conditions",
            "+: known not to",
        ]
        said += [f"{left_out} that are further behind are left out"] if left_out else []
        footnote(figure, "; ".join(said))
        headline(figure, title)
    return figure


def plot_advice(advice: Advice, table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw what each system takes beside the best, with its bounds, and write time and cost.

    Parameters
    ----------
    advice : Advice
    table : DataFrame
        Rows of its table, the first on top.
    ax : Axes, optional
        Where to draw; a new figure when absent.

    Returns
    -------
    Axes
        Times what the advised system takes, on a logarithmic axis.
    """
    ax = new_axes(ax)
    behind = table.get("behind", pd.Series(dtype=float)).astype(float)
    estimates = 1.0 + behind[np.isfinite(behind)]
    furthest = max([_FURTHEST, *1.2 * estimates])
    for place, row in enumerate(table.to_dict("records")):
        _draw(ax, row, place, furthest)
    ax.axvline(1.0, color=REFERENCE, linewidth=0.8, zorder=1)
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.set_xlim(max(low, 1.0 / _FURTHEST), min(high, 1.1 * furthest))
    ax.xaxis.set_major_locator(FixedLocator(_TICKS if furthest == _FURTHEST else _MANY))
    ax.xaxis.set_major_formatter(short_number)
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_yticks(range(len(table)), table["system"].tolist())
    for label in ax.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == advice.best else "normal")
    ax.set_ylim(len(table) - 0.5, -0.5)
    beside = ax.secondary_yaxis("right")
    beside.set_yticks(range(len(table)), [_amounts(row) for row in table.to_dict("records")])
    beside.tick_params(length=0)
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
    is_time = np.allclose(table["objective"], table["time_to_success_s"], equal_nan=True)
    what = "time until success" if is_time else "cost and time together"
    ax.set_xlabel(f"{what}, times that of the best")
    return ax


def _draw(ax: Axes, row: Mapping[Hashable, Any], place: int, furthest: float) -> None:
    behind, low, high = (
        float(row.get(name, math.nan)) for name in ("behind", "behind_low", "behind_high")
    )
    if not math.isfinite(behind):
        said = "not compared" if row["finished"] else "finished no run"
        ax.text(0.5, place, said, color=REFERENCE, fontsize=7, va="center", ha="center",
                transform=ax.get_yaxis_transform())  # fmt: skip
        return
    drawn = colour(0) if row["may_be_best"] else REFERENCE
    least, middle, most = np.clip(1.0 + np.array([low, behind, high]), 1.0 / _FURTHEST, furthest)
    ax.hlines(place, least, most, color=drawn, linewidth=2.5, alpha=0.4)
    if 1.0 + high > furthest:
        ax.plot(furthest, place, ">", color=drawn)
    fulfils = row["fulfils"]
    ax.plot(
        middle,
        place,
        "+" if fulfils == "no" else "o",
        color=drawn,
        markersize=6 if fulfils == "no" else 4,
        markerfacecolor=drawn if fulfils == "yes" else "white",
    )


def _amounts(row: Mapping[Hashable, Any]) -> str:
    """Return time and cost of a system in words."""
    time, cost = (float(row[name]) for name in ("time_to_success_s", "cost_usd"))
    said = f"{four_figures(time)} s" if math.isfinite(time) else ""
    return f"{said}   {four_figures(cost)} USD" if math.isfinite(cost) else said
