"""The effects of parameters, as bars."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.plots.colours import REFERENCE, colour
from analysis.plots.style import PAGE_IN, paper_style
from analysis.statistics.completion import runs_finished
from analysis.statistics.curves import TIMES


def plot_sensitivity(table: pd.DataFrame, metric: str, ax: Axes | None = None) -> Axes:
    """Draw how much each parameter changes a metric, the most important on top.

    Parameters
    ----------
    table : DataFrame
        From `analysis.decisions.sensitivity.sensitivity`.
    metric : str
        The metric, for the label.
    ax : Axes, optional
        Where to draw; a new figure when absent.

    Returns
    -------
    Axes
        Morris: mean size of the effect with its interval. Sobol: total index, and within it the
        share of the parameter alone. A stroke is where noise alone may put it. If not all runs
        finished, a note says how many did.
    """
    if ax is None:  # names are long
        with paper_style():
            ax = Figure(
                figsize=(PAGE_IN, 0.8 + 0.3 * len(table)), layout="constrained"
            ).add_subplot()
    places = range(len(table))
    if "ST" in table:
        ax.barh(places, table["ST"], xerr=table["ST_conf"], color=colour(5), height=0.6)
        ax.barh(places, table["S1"], color=colour(0), height=0.3)
        label = f"share of the variance of {metric}: alone (dark), with interactions (light)"
        ax.set_xlim(left=0.0)
    else:
        ax.barh(places, table["mu_star"], xerr=table["mu_star_conf"], color=colour(0), height=0.6)
        label = f"mean change of {metric} over the whole range"
    if table["chance"].notna().any():
        ax.plot(table["chance"], places, "|", color=REFERENCE, markersize=12, markeredgewidth=1.5)
        label += "\n(stroke: as much as noise alone may make it)"
    finished, runs = (int(table[name].iloc[0]) for name in ("finished", "runs"))
    if finished < runs:
        until = ", failed ones started again" if metric in TIMES else ", all as they ended"
        label += f"\n({runs_finished(finished, runs)}{until})"
    ax.set_xlabel(label)
    ax.set_yticks(list(places), [_short(path) for path in table["parameter"]])
    ax.invert_yaxis()
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
    ax.axvline(0.0, color=REFERENCE, linewidth=0.8)
    ax.set_axisbelow(True)
    return ax


def _short(path: str) -> str:
    """Return a path without its obvious parts."""
    for ending in (".value", ".probability"):
        path = path.removesuffix(ending)
    return path.removeprefix("team.agent.")
