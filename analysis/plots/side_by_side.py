"""Teams beside a reference: by how much each takes more or less, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.decisions.side_by_side import SHARES, SPENT, Comparison, SideBySide
from analysis.plots.colours import REFERENCE, colour, marker
from analysis.plots.style import PAGE_IN, footnote, headline, new_axes, paper_style

_LABELS = {
    "makespan_s": "time",
    "cost_usd": "cost",
    "tokens": "tokens",
    "success": "runs finished",
    "quality": "tasks right",
}
_WIDEST = 10.0
"""Largest change that is drawn as a share; longer bars end in an arrow."""


def comparison_figure(found: SideBySide, title: str = "") -> Figure:
    """Return the picture of a comparison: what teams spend on the left, shares on the right.

    Parameters
    ----------
    found : SideBySide
    title : str
        The question that the comparison asks.

    Returns
    -------
    Figure
    """
    with paper_style():
        teams = len(found.comparisons)
        height = 1.3 + 0.22 * len(SPENT) * (teams + 0.5)
        figure = Figure(figsize=(PAGE_IN, height), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        plot_changes(found, SPENT, left)
        plot_changes(found, SHARES, right)
        left.set_xlabel(f"% more than {found.reference}, until success")
        right.set_xlabel(f"points more than {found.reference}")
        if teams > 1:
            handles, labels = left.get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower left", ncols=min(teams, 3))
        footnote(figure, "bars: 95 % intervals, together for all teams; open: not resolved")
        headline(figure, title)
    return figure


def plot_changes(found: SideBySide, metrics: Sequence[str], ax: Axes | None = None) -> Axes:
    """Draw the change of each metric as a point with its interval, a row a metric and team.

    Parameters
    ----------
    found : SideBySide
    metrics : sequence of str
        Of `SPENT` or of `SHARES`.
    ax : Axes, optional
        Where to draw; a new figure when absent.

    Returns
    -------
    Axes
        In percent, or in percentage points.
    """
    ax = new_axes(ax)
    teams = list(found.comparisons)
    for i, team in enumerate(teams):
        of_team = {each.metric: each for each in found.comparisons[team]}
        for row, metric in enumerate(metrics):
            place = row + (i - (len(teams) - 1) / 2) * 0.8 / len(teams)
            _draw(ax, of_team[metric], place, i, team if row == 0 else "")
    ax.axvline(0.0, color=REFERENCE, linewidth=0.8, zorder=1)
    ax.set_yticks(range(len(metrics)), [_LABELS[metric] for metric in metrics])
    ax.set_ylim(len(metrics) - 0.5, -0.5)
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
    return ax


def _draw(ax: Axes, found: Comparison, place: float, i: int, label: str) -> None:
    change = found.change
    if math.isnan(change.estimate):
        beside = ax.get_yaxis_transform()
        ax.text(0.03, place, "not known", color=colour(i), fontsize=7, va="center",
                transform=beside)  # fmt: skip
        ax.plot([], [], marker(i), color=colour(i), label=label or "_")
        return
    low, estimate, high = 100.0 * np.clip([change.low, change.estimate, change.high], -1.0, _WIDEST)
    ax.hlines(place, low, high, color=colour(i), linewidth=2.5, alpha=0.4)
    if change.high > _WIDEST:
        ax.plot(high, place, ">", color=colour(i))
    is_open = found.verdict == "not resolved"
    ax.plot(estimate, place, marker(i), color=colour(i), label=label or "_",
            markerfacecolor="white" if is_open else colour(i))  # fmt: skip
