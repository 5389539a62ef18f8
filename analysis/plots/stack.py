"""Speed-up stacks over team size."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.plots.style import REFERENCE, new_axes, paper_style
from analysis.speedup_stack import CAUSES

SPEEDUP_COLOUR = "#222222"

CAUSE_COLOURS = {
    "serial work": "#0072B2",
    "imbalance": "#56B4E9",
    "stragglers and barriers": "#E69F00",
    "coordination": "#CC79A7",
    "duplicates and conflicts": "#D55E00",
    "rework": "#F0E442",
    "failures": "#882255",
    "rate limits": "#009E73",
    "slower calls": "#BBBBBB",
}
"""Okabe and Ito's colours, a wine red and a grey: neighbours differ for any colour vision."""


def plot_stack(stacks: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the speed-up and what was lost to each cause as a bar for each team size.

    Parameters
    ----------
    stacks : DataFrame
        From `analysis.speedup_stack.speedup_stacks`, one series.
    ax : Axes, optional
        Where to draw; a new figure when absent.

    Returns
    -------
    Axes
        Bars reach n, the ideal; what is gained (calls quicker than one agent's) lies below 0.
    """
    ax = new_axes(ax)
    table = stacks.sort_values("n")
    places = np.arange(len(table))
    top, bottom = np.zeros(len(table)), np.zeros(len(table))
    for name in ("speed-up", *CAUSES):
        values = table[name].to_numpy(dtype=float)
        gains, lost = np.minimum(values, 0.0), np.maximum(values, 0.0)
        face = SPEEDUP_COLOUR if name == "speed-up" else CAUSE_COLOURS[name]
        ax.bar(places, lost, bottom=top, color=face, width=0.72, edgecolor="white", linewidth=0.5)
        ax.bar(places, gains, bottom=bottom, color=face, width=0.72, edgecolor="white", hatch="//")
        top, bottom = top + lost, bottom + gains
    for place, n, value in zip(places, table["n"], table["speed-up"], strict=True):
        ax.plot([place - 0.45, place + 0.45], [n, n], color=REFERENCE, linewidth=1.2)
        ax.annotate(
            f"{value:.1f}",
            (float(place), float(value)),
            xytext=(0, -2),
            textcoords="offset points",
            ha="center",
            va="top",
            color="white",
            fontsize=7.5,
        )
    ax.set_xticks(places, [f"{n:g}" for n in table["n"]])
    ax.set(xlabel="agents n", ylabel="speed-up, and what is missing to n")
    ax.set_axisbelow(True)
    if bottom.min() < 0.0:
        ax.axhline(0.0, color=REFERENCE, linewidth=0.8)
    return ax


def stack_figure(stacks: pd.DataFrame, title: str = "") -> Figure:
    """Return the speed-up stacks of a sweep, a panel a series.

    Parameters
    ----------
    stacks : DataFrame
        From `analysis.speedup_stack.speedup_stacks`.
    title : str
        The question that the sweep asks.
    """
    series = list(stacks.groupby("series", sort=False))
    columns = min(3, len(series))
    rows = -(-len(series) // columns)
    with paper_style():
        figure = Figure(figsize=(1.6 + 3.4 * columns, 0.9 + 3.1 * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).flatten()
        for ax, (name, table) in zip(axes, series, strict=False):
            plot_stack(table, ax)
            ax.set_title(textwrap.fill(str(name), 44))
        for ax in axes[len(series) :]:
            ax.set_axis_off()
        shown = [name for name in CAUSES if stacks[name].abs().max() > 0.005]
        handles = [
            figure.axes[0].bar(0, 0, color=CAUSE_COLOURS[name], label=name) for name in shown[::-1]
        ]
        reached = figure.axes[0].bar(0, 0, color=SPEEDUP_COLOUR, label="speed-up reached")
        figure.legend(handles=[*handles, reached], loc="outside right center")
        if (stacks[list(CAUSES)] < -0.005).any(axis=None):
            figure.supxlabel(
                "hatched, below 0: what a team spends less on than one agent", fontsize=8
            )
        if title:
            figure.suptitle(textwrap.fill(title, 44 * columns), x=0.01, ha="left", fontsize=10.5)
    return figure
