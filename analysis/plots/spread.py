"""How the runs of one team spread: what share of them takes or costs at most so much."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.plots.colours import REFERENCE, colour
from analysis.plots.labels import metric_label
from analysis.plots.numbers import shorten
from analysis.plots.style import footnote, headline, panel_grid, paper_style
from analysis.statistics.curves import NUMBERS, unknown_metric, with_derived
from simulator.errors import TeamsimError


def spread_figure(results: pd.DataFrame, metrics: Sequence[str], title: str = "") -> Figure:
    """Return a panel a metric: the empirical distribution of the runs of one team.

    Parameters
    ----------
    results : DataFrame
        A row a replication.
    metrics : sequence of str
        Metrics of a run.
    title : str
        The question that the scenario asks.

    Raises
    ------
    TeamsimError
        If there is no such metric of a run.
    """
    results = with_derived(results)
    for name in metrics:
        if name not in NUMBERS or name not in results:
            raise TeamsimError(unknown_metric(name))
    with paper_style():
        figure, axes = panel_grid(len(metrics))
        for i, (ax, name) in enumerate(zip(axes, metrics, strict=True)):
            values = results[name].dropna().to_numpy(float)
            _draw_shares(ax, values)
            ax.axvline(values.mean(), color=REFERENCE, linestyle="--", linewidth=1)
            ax.set_xlabel(textwrap.fill(metric_label(name), 30))
            ax.set_ylim(0, 1.03)
            ax.locator_params(axis="x", nbins=5)
            if name in ("quality", "success"):
                ax.set_xlim(0, 1.03)
            shorten(ax.xaxis)
            if not i:
                ax.set_ylabel("share of runs with at most this")
        headline(figure, title)
        finished = int(np.count_nonzero(results["success"]))
        runs = f"{len(results)} runs, of which {finished} finished all tasks"
        footnote(figure, f"{runs}; dashed: the mean; band: 95 % of the whole curve")
    return figure


def _draw_shares(ax: Axes, values: np.ndarray) -> None:
    """Draw the share of values at or below each, in the band of Dvoretzky, Kiefer and Wolfowitz.

    With Massart's constant, the whole true curve lies within sqrt(log(2 / 0.05) / 2 n) of it in at
    least 95 % of experiments (P. Massart, Annals of Probability 18, 1990).
    """
    ax.ecdf(values, color=colour(0))
    at, share = np.sort(values), np.arange(1, len(values) + 1) / len(values)
    half = math.sqrt(math.log(2 / 0.05) / (2 * len(values)))
    low, high = np.clip(share - half, 0, 1), np.clip(share + half, 0, 1)
    ax.fill_between(at, low, high, step="post", color=colour(0), alpha=0.18, linewidth=0)
