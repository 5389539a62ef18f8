"""Observed requests, and requests drawn from their model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from analysis.calibration.request_draws import RequestDraws
from analysis.calibration.request_model import RequestModel
from analysis.calibration.subagents import SubagentFit
from analysis.calibration.turn_counts import kaplan_meier
from analysis.plots.colours import colour
from analysis.plots.numbers import shorten_log
from analysis.plots.style import PAGE_IN, new_axes, paper_style
from simulator.distributions import Floats

_DRAWS = 40
"""Number of draws of all requests, from which bands are made."""

_PANELS = (
    ("seconds", "seconds"),
    ("llm_s", "seconds of the model"),
    ("tool_s", "seconds of tools and pauses"),
    ("input_tokens", "input tokens"),
    ("output_tokens", "output tokens"),
)

_SHARES = np.linspace(0.005, 0.995, 100)


def request_figure(
    real: pd.DataFrame, model: RequestModel, below: Sequence[SubagentFit] = ()
) -> Figure:
    """Return distribution functions of observed requests, and bands of drawn ones.

    Each draw has all requests, with their models, first contexts and numbers of turns; bands are
    the middle 95 % of the draws. In the panel of turns, turns are drawn from their law, and the
    observed distribution takes account of requests that were cut short (Kaplan-Meier).

    Parameters
    ----------
    real : DataFrame
        Requests, including those cut short: ``model, context_tokens, turns, is_whole``, and their
        times and tokens.
    model : RequestModel
    below : sequence of SubagentFit, optional
        Draws a panel of how many sub-agents agents start, over all models.
    """
    real = real[real["model"].isin(model.models)]
    whole = real[real["is_whole"]]
    drawn = _drawn(whole, model)
    with paper_style():
        rows = 3 if below else 2
        figure = Figure(figsize=(PAGE_IN, 2.3 * rows), layout="constrained")
        axes = figure.subplots(rows, 3, sharey=True)
        for ax, (name, label) in zip(axes.flat[1:6], _PANELS, strict=True):
            plot_band(whole[name].to_numpy(dtype=float), drawn[name], label, ax=ax)
        _plot_turns(real, model, axes[0, 0])
        if below:
            _plot_subagents(below, axes[2, 0])
            for ax in axes[2, 1:]:
                ax.set_axis_off()
        for ax in axes[:2, 0]:
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
        draws.of(str(name), float(context), int(turns), rng)
        for name, context, turns in zip(
            real["model"], real["context_tokens"], real["turns"], strict=True
        )
    ]
    return {name: np.stack([one[name] for one in each], axis=1) for name, _ in _PANELS}


def _plot_turns(real: pd.DataFrame, model: RequestModel, ax: Axes) -> None:
    """Draw the distribution of turns: that of the law, over all models, and the observed one."""
    turns = real["turns"].to_numpy(dtype=np.int64)
    grid = np.arange(1, int(turns.max()) + 1)
    seen = 1.0 - kaplan_meier(turns, real["is_whole"].to_numpy(dtype=bool), grid)
    law = np.zeros(len(grid))
    for name, share in real["model"].value_counts(normalize=True).items():
        passed = np.cumsum(model.turns[str(name)])
        law += share * passed[np.minimum(grid, len(passed)) - 1]
    error = 1.96 * np.sqrt(law * (1.0 - law) / len(real))
    ax.fill_between(
        grid, law - error, law + error, color=colour(0), alpha=0.4, linewidth=0, step="post"
    )
    ax.step(grid, seen, where="post", color="black", linewidth=1)
    ax.set_xscale("log")
    shorten_log(ax.xaxis)
    ax.set(xlabel="turns", ylim=(0, 1.02))


def _plot_subagents(fits: Sequence[SubagentFit], ax: Axes) -> None:
    """Draw the distribution of how many sub-agents an agent starts, and that of the law."""
    counts = np.concatenate([fit.counts for fit in fits])
    grid = np.arange(0, int(counts.max()) + 1)
    seen = (counts[:, None] <= grid).mean(axis=0)
    law = sum(len(fit.counts) * (1.0 - fit.survival(grid)) for fit in fits) / len(counts)
    error = 1.96 * np.sqrt(law * (1.0 - law) / len(counts))
    ax.fill_between(
        grid, law - error, law + error, color=colour(0), alpha=0.4, linewidth=0, step="post"
    )
    ax.step(grid, seen, where="post", color="black", linewidth=1)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(
        xlabel="sub-agents of a session", ylabel="share of agents that start up to", ylim=(0, 1.02)
    )


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
    shorten_log(ax.xaxis)
    ax.set(xlabel=label, ylim=(0, 1.02))
    return ax
