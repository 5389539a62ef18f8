"""Real runs beside runs simulated with the parameters fitted to them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.plots.colours import colour
from analysis.plots.numbers import shorten_log
from analysis.plots.style import PAGE_IN, new_axes, paper_style
from analysis.validation.real_and_simulated import Compared

_NAMES = {"decentralized": "self-claimed", "preassign_nolead": "pre-assigned"}

_PANELS = (
    ("calls", "latency_s", "call duration (s)", True),
    ("calls", "tasks", "tasks attempted in a call", False),
    ("runs", "total_rounds", "rounds of a run", True),
    ("runs", "straggler_gap_s", "longest - mean call of a round (s)", True),
    ("runs", "concurrent_writes", "concurrent writes of a run", False),
    ("runs", "total_tokens", "tokens of a run", True),
)

_PLACES = {
    "left": 0.07, "right": 0.99, "top": 0.91, "bottom": 0.16, "wspace": 0.07, "hspace": 0.32
}  # fmt: skip
"""Places of the panels, whose labels are always the same: to find them took longer than to draw."""


def posterior_predictive_figure(real: Compared, simulated: Compared) -> Figure:
    """Return distribution functions of what was seen and what is simulated, mode by mode."""
    with paper_style():
        figure = Figure(figsize=(PAGE_IN, 4.6))
        axes = figure.subplots(2, 3, sharey=True, gridspec_kw=_PLACES)
        for ax, (table, column, label, is_log) in zip(axes.flat, _PANELS, strict=True):
            plot_distribution(
                getattr(real, table), getattr(simulated, table), column, label, is_log, ax=ax
            )
        for ax in axes[:, 0]:
            ax.set_ylabel("share of calls or runs up to")
        modes = sorted(real.runs["mode"].unique())
        handles = [
            Line2D([], [], color=colour(i), label=_NAMES.get(m, m)) for i, m in enumerate(modes)
        ]
        handles += [
            Line2D([], [], color="black", label="real"),
            Line2D([], [], color="black", linestyle="--", label="simulated"),
        ]
        figure.legend(handles=handles, loc="lower center", ncols=len(handles))
        figure.suptitle(
            "Posterior predictive check: real runs and the calibrated simulator", fontsize=10
        )
    return figure


def plot_distribution(
    real: pd.DataFrame,
    simulated: pd.DataFrame,
    column: str,
    label: str,
    is_log: bool,
    ax: Axes | None = None,
) -> Axes:
    """Draw the distribution function of a column, real (solid) and simulated (dashed), by mode."""
    ax = new_axes(ax)
    for i, mode in enumerate(sorted(real["mode"].unique())):
        for frame, line in ((real, "-"), (simulated, "--")):
            values = np.sort(
                frame.loc[frame["mode"] == mode, column].dropna().to_numpy(dtype=float)
            )
            if is_log:
                values = np.maximum(values, 0.05)
            if len(values):
                share = np.arange(1, len(values) + 1) / len(values)
                ax.step(values, share, where="post", color=colour(i), linestyle=line, linewidth=1.3)
    if is_log:
        ax.set_xscale("log")
        shorten_log(ax.xaxis)
    ax.set(xlabel=label, ylim=(0, 1.02))
    return ax
