"""Teams beside a reference: by how much each takes more or less, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from analysis.decisions.side_by_side import SHARES, SPENT, Comparison, SideBySide
from analysis.plots.colours import REFERENCE, colour, marker
from analysis.plots.numbers import number_multiples
from analysis.plots.style import HALO, PAGE_IN, footnote, headline, new_axes, paper_style

_LABELS = {
    "makespan_s": "time",
    "cost_usd": "cost",
    "tokens": "tokens",
    "success": "runs finished",
    "quality": "tasks right",
}
_MOST_PERCENT = 3.0
"""Largest change that is drawn on an axis of percent; with larger ones it is one of multiples."""
_FURTHER = 0.1
"""How far a bar without an end reaches beyond all ends, as a share of their range."""


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
        what = "times what {} takes" if left.get_xscale() == "log" else "% more than {}"
        left.set_xlabel(f"{what.format(found.reference)}, until success")
        right.set_xlabel(f"points more than {found.reference}")
        if teams > 1:
            handles, labels = left.get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower left", ncols=min(teams, 3))
        together = ", together for all teams" if teams > 1 else ""
        footnote(figure, f"bars: 95 % intervals{together}; open: not resolved")
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
        In percent, or in percentage points. Where something takes more than four times as much, in
        multiples of what the reference takes, on a logarithmic axis.
    """
    ax = new_axes(ax)
    teams = list(found.comparisons)
    drawn = [each for team in teams for each in found.comparisons[team] if each.metric in metrics]
    scale = _Scale.of(drawn)
    if scale.is_log:
        ax.set_xscale("log")
    for i, team in enumerate(teams):
        of_team = {each.metric: each for each in found.comparisons[team]}
        for row, metric in enumerate(metrics):
            place = row + (i - (len(teams) - 1) / 2) * 0.8 / len(teams)
            _draw(ax, of_team[metric], place, i, scale)
        ax.plot([], [], marker(i), color=colour(i), label=team)
    ax.axvline(scale.at(0.0), color=REFERENCE, linewidth=0.8, zorder=1)
    _say_not_known(ax, [each for each in ax.texts if each.get_text() == _UNKNOWN], scale.at(0.0))
    if scale.is_log:
        number_multiples(ax.xaxis)
    ax.set_yticks(range(len(metrics)), [_LABELS[metric] for metric in metrics])
    ax.set_ylim(len(metrics) - 0.5, -0.5)
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
    return ax


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where changes lie on the axis, and where bars end whose interval has no end."""

    is_log: bool
    ends: tuple[float, float]

    @staticmethod
    def of(drawn: Sequence[Comparison]) -> _Scale:
        """Return the scale on which these changes and their intervals are all seen."""
        values = np.array(
            [[each.change.low, each.change.estimate, each.change.high] for each in drawn]
        )
        finite = values[np.isfinite(values)]
        # At -100 % nothing is spent, which a logarithmic axis cannot show.
        is_log = bool((finite > _MOST_PERCENT).any() and drawn[0].metric in SPENT)
        at = _places(finite[finite > -1.0] if is_log else finite, is_log)
        same = float(is_log)
        low, high = min([same, *at]), max([same, *at])
        if is_log:
            further = (high / low) ** _FURTHER
            return _Scale(True, (low / further, high * further))
        further = _FURTHER * (high - low or 1.0)
        return _Scale(False, (low - further, high + further))

    def at(self, change: float) -> float:
        """Return the place of a change; an end of the axis where it has none."""
        if math.isfinite(change) and not (self.is_log and change <= -1.0):
            return float(_places(np.array([change]), self.is_log)[0])
        return self.ends[change > 0.0]


def _places(changes: npt.NDArray[np.float64], is_log: bool) -> npt.NDArray[np.float64]:
    return 1.0 + changes if is_log else 100.0 * changes


_UNKNOWN = "not known"


def _draw(ax: Axes, found: Comparison, place: float, i: int, scale: _Scale) -> None:
    change = found.change
    if math.isnan(change.estimate):
        ax.text(0.5, place, _UNKNOWN, color=colour(i), fontsize=7, va="center", ha="center",
                path_effects=HALO, transform=ax.get_yaxis_transform())  # fmt: skip
        return
    low, estimate, high = (scale.at(value) for value in (change.low, change.estimate, change.high))
    ax.hlines(place, low, high, color=colour(i), linewidth=2.5, alpha=0.4)
    for value, end, arrow in ((change.low, low, "<"), (change.high, high, ">")):
        if end == scale.ends[value > 0.0]:
            ax.plot(end, place, arrow, color=colour(i))
    is_open = found.verdict == "not resolved"
    ax.plot(estimate, place, marker(i), color=colour(i),
            markerfacecolor="white" if is_open else colour(i))  # fmt: skip


def _say_not_known(ax: Axes, texts: Sequence[Text], zero: float) -> None:
    """Put texts into the wider side of the panel, where no line says that a change is 0."""
    ax.get_xlim()  # else what was drawn since is not within the axis yet
    panel = ax.transData + ax.transAxes.inverted()
    share = float(panel.transform((zero, 0.0))[0])
    for text in texts:
        text.set_x((1.0 + share) / 2.0 if share < 0.5 else share / 2.0)
