"""Interactive charts of a sweep, as Plotly figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analysis.plots.stack import CAUSE_COLOURS, SPEEDUP_COLOUR
from analysis.plots.style import colour
from analysis.speedup_stack import CAUSES

_SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x")


def _layout(figure: Any, x: str, y: str) -> Any:
    figure.update_layout(
        template="plotly_white",
        margin={"l": 60, "r": 10, "t": 10, "b": 50},
        height=340,
        showlegend=False,
        xaxis_title=x,
        yaxis_title=y,
        font={"family": "system-ui, sans-serif", "size": 13},
        hovermode="closest",
    )
    return figure


def series_of(curves: pd.DataFrame) -> list[str]:
    """Return the names of the series, in the order of their colours."""
    return [str(name) for name in curves["series"].drop_duplicates()]


def curve_chart(curves: pd.DataFrame, metric: str, x: str, y: str) -> Any:
    """Return a metric against the swept field: a line and a band for each series.

    Parameters
    ----------
    curves : DataFrame
        From `analysis.curves.curves_against`.
    metric : str
        Column of it that has ``_low`` and ``_high`` beside it.
    x, y : str
        Labels of the axes.

    Returns
    -------
    plotly.graph_objects.Figure
        Traces carry the number of their series in ``meta``, for the page to toggle them.
    """
    figure = go.Figure()
    numeric = pd.api.types.is_numeric_dtype(curves["x"])
    for i, name in enumerate(series_of(curves)):
        line = curves[(curves["series"] == name) & curves[metric].notna()]
        line = line.sort_values("x") if numeric else line
        low, high = line[f"{metric}_low"], line[f"{metric}_high"]
        where = line["x"].tolist()
        figure.add_trace(
            go.Scatter(
                x=[*where, *where[::-1]],
                y=[*high, *low[::-1]],
                mode="lines",
                fill="toself",
                fillcolor=colour(i),
                opacity=0.18,
                line={"width": 0},
                hoverinfo="skip",
                meta=i,
            )
        )
        figure.add_trace(
            go.Scatter(
                x=where,
                y=line[metric].tolist(),
                mode="lines+markers",
                name=name or metric,
                line={"color": colour(i), "width": 2},
                marker={"symbol": _SYMBOLS[i % len(_SYMBOLS)], "size": 7},
                customdata=list(zip(low, high, strict=True)),
                hovertemplate=(
                    f"{name or metric}<br>{x} %{{x}}<br>{y} %{{y:.4g}} "
                    "(%{customdata[0]:.4g} to %{customdata[1]:.4g})<extra></extra>"
                ),
                meta=i,
            )
        )
    return _layout(figure, x, y)


def stack_chart(stacks: pd.DataFrame) -> Any:
    """Return the speed-up stack of one series, bars over team size."""
    table = stacks.sort_values("n")
    sizes = [f"{n:g}" for n in table["n"]]
    figure = go.Figure()
    colours = {"speed-up": SPEEDUP_COLOUR, **CAUSE_COLOURS}
    for name in ("speed-up", *CAUSES):
        figure.add_trace(
            go.Bar(
                x=sizes,
                y=table[name].tolist(),
                name=name,
                marker={"color": colours[name]},
                hovertemplate=f"{name}: %{{y:.2f}} of n = %{{x}}<extra></extra>",
            )
        )
    _layout(figure, "agents n", "speed-up, and what is missing to n")
    figure.update_layout(barmode="relative", showlegend=True, height=420)
    figure.update_layout(legend={"orientation": "h", "y": -0.2})
    return figure


def pareto_chart(points: pd.DataFrame, names: Sequence[str]) -> Any:
    """Return makespan against cost, quality in the hover, the front as a line.

    Parameters
    ----------
    points : DataFrame
        ``series, name, makespan_s, cost, quality, is_best`` (on the front).
    names : sequence of str
        The series, in the order of their colours.
    """
    figure = go.Figure()
    front = points[points["is_best"]].sort_values("cost")
    figure.add_trace(
        go.Scatter(
            x=front["cost"].tolist(),
            y=front["makespan_s"].tolist(),
            mode="lines",
            line={"color": "#666666", "dash": "dot", "width": 1.5},
            hoverinfo="skip",
            meta=-1,
        )
    )
    for i, name in enumerate(names):
        mine = points[points["series"] == name]
        figure.add_trace(
            go.Scatter(
                x=mine["cost"].tolist(),
                y=mine["makespan_s"].tolist(),
                mode="markers",
                name=name,
                marker={
                    "color": colour(i),
                    "symbol": _SYMBOLS[i % len(_SYMBOLS)],
                    "size": [13 if best else 8 for best in mine["is_best"]],
                },
                customdata=list(zip(mine["name"], mine["quality"], strict=True)),
                hovertemplate=(
                    "%{customdata[0]}<br>%{x:.4g}, %{y:.4g} s, quality %{customdata[1]:.3f}"
                    "<extra></extra>"
                ),
                meta=i,
            )
        )
    return _layout(figure, "cost", "makespan (simulated s)")
