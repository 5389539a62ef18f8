"""Requests as they were and as their model draws them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.calibration.request_draws import RequestDraws
from analysis.calibration.request_model import RequestModel
from analysis.plots.style import PAGE_IN, colour, new_axes, paper_style
from simulator.distributions import Floats

_DRAWS = 40
"""Draws of all requests that bands are made of."""

_PANELS = (
    ("turns", "turns"),
    ("seconds", "seconds"),
    ("llm_s", "seconds of the model"),
    ("tool_s", "seconds of tools and pauses"),
    ("input_tokens", "input tokens"),
    ("output_tokens", "output tokens"),
)

_SHARES = np.linspace(0.005, 0.995, 100)


def request_figure(real: pd.DataFrame, model: RequestModel) -> Figure:
    """Return distribution functions of requests that were seen, and bands of drawn ones.

    Each draw is of all requests, of their models and with their first contexts, how many turns
    they take drawn too; bands hold the middle 95 % of the draws.

    Parameters
    ----------
    real : DataFrame
        Whole requests: ``model, context_tokens, turns`` and what they took.
    model : RequestModel
    """
    real = real[real["model"].isin(model.models)]
    drawn = _drawn(real, model)
    with paper_style():
        figure = Figure(figsize=(PAGE_IN, 4.6), layout="constrained")
        axes = figure.subplots(2, 3, sharey=True)
        for ax, (name, label) in zip(axes.flat, _PANELS, strict=True):
            plot_band(real[name].to_numpy(dtype=float), drawn[name], label, ax=ax)
        for ax in axes[:, 0]:
            ax.set_ylabel("share of requests up to")
        handles = [
            Line2D([], [], color="black", label="real"),
            Patch(color=colour(0), alpha=0.4, label="95 % of the draws"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=2)
        figure.suptitle("Posterior predictive check: requests", fontsize=10)
    return figure


def _drawn(real: pd.DataFrame, model: RequestModel) -> dict[str, Floats]:
    """Return draws of each quantity, shape (draws, requests)."""
    rng = np.random.default_rng(0)
    draws = RequestDraws(model, _DRAWS, rng)
    each = [
        draws.of(str(name), float(context), None, rng)
        for name, context in zip(real["model"], real["context_tokens"], strict=True)
    ]
    return {name: np.stack([one[name] for one in each], axis=1) for name, _ in _PANELS}


def plot_band(real: Floats, drawn: Floats, label: str, ax: Axes | None = None) -> Axes:
    """Draw the distribution function of `real` (n,) and the band of those `drawn` (draws, n)."""
    ax = new_axes(ax)
    values = np.quantile(np.maximum(drawn, 0.5), _SHARES, axis=1)
    low, high = np.quantile(values, [0.025, 0.975], axis=1)
    ax.fill_betweenx(_SHARES, low, high, color=colour(0), alpha=0.4, linewidth=0)
    ordered = np.sort(np.maximum(real, 0.5))
    share = np.arange(1, len(ordered) + 1) / len(ordered)
    ax.step(ordered, share, where="post", color="black", linewidth=1)
    ax.set_xscale("log")
    ax.set(xlabel=label, ylim=(0, 1.02))
    return ax
