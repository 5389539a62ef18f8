"""Draws how good predictions are: scores beside baselines, coverage, and the PIT histogram."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.plots.colours import REFERENCE, colour, marker
from analysis.plots.style import PAGE_IN, new_axes, paper_style
from analysis.validation.baselines import BASELINES
from analysis.validation.compare import LEVELS, Validation
from simulator.words import percent

NAMES = {
    "wall_clock_seconds": "wall clock",
    "total_tokens": "tokens",
    "total_rounds": "rounds",
}

_APART = 0.012
"""Distance of the strokes of two metrics, else one on the other."""

_PLACES = {"left": 0.09, "right": 0.99, "top": 0.92, "bottom": 0.29, "wspace": 0.3}
"""Places of the panels, whose labels are always the same: to find them took longer than to draw."""


def validation_figure(validation: Validation) -> Figure:
    """Return the picture of a validation."""
    with paper_style():
        figure = Figure(figsize=(PAGE_IN, 3.0))
        scores, coverage, histogram = figure.subplots(
            1, 3, width_ratios=(1.5, 1, 1), gridspec_kw=_PLACES
        )
        plot_scores(validation, ax=scores)
        plot_coverage(validation, ax=coverage)
        plot_pit(validation, ax=histogram)
        handles, names = scores.get_legend_handles_labels()
        more, their_names = coverage.get_legend_handles_labels()
        figure.legend(
            [*handles, *more], [*names, *their_names], loc="lower center", ncols=4,
            fontsize=8,
        )  # fmt: skip
    return figure


def plot_scores(validation: Validation, ax: Axes | None = None) -> Axes:
    """Draw the mean CRPS of floor, running again, prediction and baselines, a row a metric."""
    ax = new_axes(ax)
    rows = {row["metric"]: row for row in validation.summary.to_dict("records")}
    metrics = [name for name in NAMES if name in rows]
    for row, metric in enumerate(metrics):
        others = [rows[metric][name] for name in BASELINES if name in rows[metric]]
        ax.plot(
            others,
            [row] * len(others),
            "|",
            color=REFERENCE,
            markersize=11,
            label="baselines" if not row else None,
        )
        best = rows[metric]["best"]
        if isinstance(best, str):
            ax.annotate(
                best,
                (rows[metric][best], row),
                (0, 8),
                textcoords="offset points",
                ha="left",
                fontsize=7,
                color=REFERENCE,
            )
        ax.plot(
            rows[metric]["floor"],
            row,
            marker="D",
            color="black",
            linestyle="none",
            label="noise floor" if not row else None,
        )
        ax.plot(
            rows[metric]["again"],
            row,
            marker="D",
            color="black",
            markerfacecolor="none",
            linestyle="none",
            zorder=4,  # it may lie on the prediction
            label="running it again" if not row else None,
        )
        ax.plot(
            rows[metric]["predicted"],
            row,
            marker="o",
            color=colour(0),
            linestyle="none",
            markersize=7,
            label="teamsim" if not row else None,
        )
    ax.set_yticks(range(len(metrics)), [NAMES[m] for m in metrics])
    ax.set(
        xlabel="CRPS of the logarithm (0 is perfect)",
        title="Score",
        ylim=(len(metrics) - 0.4, -0.7),
    )
    ax.grid(axis="x")
    return ax


def plot_coverage(validation: Validation, ax: Axes | None = None) -> Axes:
    """Draw the share of true runs in the central intervals against their probability.

    Strokes are 95 % intervals of the shares.
    """
    ax = new_axes(ax)
    rows = {row["metric"]: row for row in validation.summary.to_dict("records")}
    ax.plot([0, 1], [0, 1], color=REFERENCE, linewidth=1, linestyle=":")
    for i, metric in enumerate(name for name in NAMES if name in rows):
        seen, low, high = (
            [rows[metric][f"cover_{level:.0%}{end}"] for level in LEVELS]
            for end in ("", "_low", "_high")
        )
        ax.plot(LEVELS, seen, color=colour(i), marker=marker(i), label=NAMES[metric])
        ax.vlines(np.add(LEVELS, _APART * (i - 1)), low, high, color=colour(i), linewidth=1)
    ax.set(
        xlabel="probability of the interval",
        ylabel="share of runs inside",
        title="Coverage",
        xlim=(0.4, 1),
        ylim=(0.3, 1.02),
    )
    return ax


def plot_pit(validation: Validation, ax: Axes | None = None) -> Axes:
    """Draw the histogram of the probability integral transforms; flat is calibrated."""
    ax = new_axes(ax)
    bins = np.linspace(0, 1, 11)
    for i, metric in enumerate(name for name in NAMES if name in validation.pits):
        density, _ = np.histogram(validation.pits[metric], bins, density=True)
        ax.stairs(density, bins, color=colour(i), linewidth=1.4)
    ax.axhline(1, color=REFERENCE, linewidth=1, linestyle=":")
    ax.set(xlabel="rank among predictions", ylabel="density", title="PIT", ylim=(0, None))
    return ax


def summary_table(validation: Validation) -> pd.DataFrame:
    """Return the rows to print: scores, the best baseline, skill, coverage, errors."""
    summary = validation.summary
    columns = {
        "metric": summary["metric"].map(lambda name: NAMES.get(name, name)),
        "cells": summary["cells"],
        "floor": summary["floor"],
        "again": summary["again"],
        "teamsim": summary["predicted"],
        "ratio": summary["ratio"],
        "ratio, 95 % low": summary["ratio_low"],
        "ratio, 95 % high": summary["ratio_high"],
        **{name: summary[name] for name in BASELINES if name in summary},
        "skill": summary["skill"],
        **{
            f"in {percent(level)}{said}": summary[f"cover_{level:.0%}{end}"]
            for level in LEVELS
            for said, end in (("", ""), (", 95 % low", "_low"), (", 95 % high", "_high"))
        },
        "|log median|": summary["median_error"],
        "best's": summary["best_median_error"],
    }
    return pd.DataFrame(columns)
