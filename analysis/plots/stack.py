"""Speed-up stacks over team size."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.breakdown.causes import CAUSES
from analysis.plots.colours import CAUSE_COLOURS, REFERENCE, SPEEDUP_COLOUR
from analysis.plots.direct_labels import name_series
from analysis.plots.labels import stack_labels
from analysis.plots.style import (
    HALO,
    footnote,
    headline,
    new_axes,
    panel_grid,
    paper_style,
    row_ends,
)

_MANY, _SMALL_PT = 5, 6.5
"""From more bars on, the texts below them are so small."""

_SHOWN = 0.005
"""Smaller parts are drawn without a name."""


def plot_stack(stacks: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the speed-up and what was lost to each cause as a bar for each team size.

    Parameters
    ----------
    stacks : DataFrame
        From `analysis.breakdown.speedup_stack.speedup_stacks`, one series.
    ax : Axes, optional
        Where to draw; a new figure when absent.

    Returns
    -------
    Axes
        Bars reach n, the ideal. Gains (calls quicker than one agent's) are below 0. If not all runs
        finished, the number of pairs of runs that both finished stands below the size; if there is
        no such pair, there is an x in place of a bar. A stroke is the 95 % interval of the
        speed-up, where it has both ends.
    """
    ax = new_axes(ax)
    table = stacks.sort_values("n")
    places = np.arange(len(table))
    top, bottom = np.zeros(len(table)), np.zeros(len(table))
    for name in ("speed-up", *CAUSES):
        values = np.nan_to_num(table[name].to_numpy(dtype=float))
        gains, lost = np.minimum(values, 0.0), np.maximum(values, 0.0)
        face = SPEEDUP_COLOUR if name == "speed-up" else CAUSE_COLOURS[name]
        label = name if np.abs(values).max() > _SHOWN else ""
        look: Any = {"color": face, "width": 0.72, "edgecolor": "white", "linewidth": 0.5}
        names = (label, "") if values[-1] >= 0.0 else ("", label)
        ax.bar(places, lost, bottom=top, label=names[0], **look)
        ax.bar(places, gains, bottom=bottom, label=names[1], hatch="//", **look)
        top, bottom = top + lost, bottom + gains
    unknown = places[table["speed-up"].isna().to_numpy()]
    at_the_foot = ax.get_xaxis_transform()
    ax.plot(unknown, [0.04] * len(unknown), "x", color=REFERENCE, transform=at_the_foot)
    ends = table[["speed-up_low", "speed-up_high"]].to_numpy(dtype=float)
    drawn = np.isfinite(ends).all(axis=1)
    ax.vlines(places[drawn], *ends[drawn].T, color=REFERENCE, linewidth=1.2, path_effects=HALO)
    for place, n, value in zip(places, table["n"], table["speed-up"], strict=True):
        if np.isnan(value):
            continue
        ax.plot([place - 0.45, place + 0.45], [n, n], color=REFERENCE, linewidth=1.2)
        ax.annotate(
            f"{value:.1f}",
            (float(place), float(value)),
            xytext=(2, 1),  # beside the stroke
            textcoords="offset points",
            ha="left",
            va="bottom",
            fontsize=7,
            path_effects=HALO,
        )
    labels, axis = stack_labels(table)
    ax.set_xticks(places, labels, fontsize=_SMALL_PT if len(table) > _MANY else None)
    ax.set(xlabel=axis, ylabel="speed-up, and what is missing to n")
    ax.set_axisbelow(True)
    if bottom.min() < 0.0:
        ax.axhline(0.0, color=REFERENCE, linewidth=0.8)
    return ax


def stack_figure(stacks: pd.DataFrame, title: str = "") -> Figure:
    """Return the speed-up stacks of a sweep, a panel a series.

    Parameters
    ----------
    stacks : DataFrame
        From `analysis.breakdown.speedup_stack.speedup_stacks`.
    title : str
        The question that the sweep asks.
    """
    series = list(stacks.groupby("series", sort=False))
    with paper_style():
        figure, axes = panel_grid(len(series), 2.6)
        for ax, (name, table) in zip(axes, series, strict=True):
            plot_stack(table, ax)
            ax.set_title(textwrap.fill(str(name), 28))
        gains = (stacks[list(CAUSES)] < -_SHOWN).any(axis=None)
        what = "lines: the ideal n; strokes: 95 % intervals of the speed-up"
        what += "; hatched: less spent than by one agent" * bool(gains)
        what += "; k/m: pairs of runs that both finished, of all" * _some_unfinished(stacks)
        what += "; \N{MULTIPLICATION SIGN}: no such pair" * bool(stacks["speed-up"].isna().any())
        footnote(figure, what)
        headline(figure, title)
        name_series(figure, row_ends(axes))
    return figure


def _some_unfinished(stacks: pd.DataFrame) -> bool:
    return bool((stacks["finished"] < stacks["runs"]).any())
