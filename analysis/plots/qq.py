"""Fitted distributions against observed values, quantile by quantile."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.calibration.calls import CallFit, relative_durations
from analysis.plots.colours import REFERENCE, colour, marker
from analysis.plots.numbers import shorten_log
from analysis.plots.style import PAGE_IN, new_axes, paper_style
from simulator.distributions import Floats

_SHOWN = 5
_PROBABILITIES = np.concatenate(
    [np.linspace(0.005, 0.98, 60), 1.0 - np.geomspace(0.02, 0.0005, 20)]
)


def latency_figure(calls: pd.DataFrame, fits: Sequence[CallFit]) -> Figure:
    """Return QQ plots of durations given tokens, and of output tokens, model by model."""
    with paper_style():
        figure = Figure(figsize=(PAGE_IN, 3.3), layout="constrained")
        left, right = figure.subplots(1, 2)
        for i, fit in enumerate(fits[:_SHOWN]):
            mine = calls[calls["model"] == fit.model]
            ratio = relative_durations(fit, mine)
            scale = float(np.exp(fit.latency.at[4]))
            law = np.exp(scipy.stats.logistic.ppf(_PROBABILITIES, scale=scale))
            plot_qq(ratio, law, fit.model, i, ax=left)
            seen = mine["output"].to_numpy()
            plot_qq(
                np.maximum(seen, 1.0), fit.output.quantile(_PROBABILITIES), fit.model, i, ax=right
            )
        left.set(
            xlabel="fitted log-logistic",
            ylabel="duration over the one expected from its tokens",
            title="Durations given tokens",
        )
        right.set(
            xlabel="fitted family, session effects apart",
            ylabel="output tokens of a call",
            title="Output tokens",
        )
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def plot_qq(seen: Floats, law: Floats, label: str, series: int, ax: Axes | None = None) -> Axes:
    """Draw observed quantiles against those of a law, at the same probabilities."""
    ax = new_axes(ax)
    quantiles = np.quantile(seen, _PROBABILITIES)
    ax.plot(
        law,
        quantiles,
        linestyle="none",
        marker=marker(series),
        markersize=3,
        color=colour(series),
        label=label,
    )
    ends = [min(law.min(), quantiles.min()), max(law.max(), quantiles.max())]
    ax.plot(ends, ends, color=REFERENCE, linewidth=1, linestyle=":")
    ax.set_xscale("log")
    ax.set_yscale("log")
    shorten_log(ax.xaxis)
    shorten_log(ax.yaxis)
    return ax
