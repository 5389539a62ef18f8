"""Interactive charts of a sweep, as Plotly draws them.

They are documents, and no objects of the package plotly: to import it, and to let it check all that
it is given, took a tenth of the time of a report. Tests let it check charts of all kinds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.breakdown.causes import CAUSES
from analysis.plots.colours import CAUSE_COLOURS, REFERENCE, SPEEDUP_COLOUR, colour
from analysis.plots.known import all_finished, reason, within_reach
from analysis.plots.labels import balanced, metric_label, stack_labels
from analysis.statistics.completion import runs_finished
from analysis.statistics.curves import not_known

_SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x")
_HEIGHT = 340

Trace = dict[str, Any]


@dataclass(frozen=True)
class Chart:
    """A chart. ``Plotly.newPlot`` takes its two parts, and so does `plotly.graph_objects.Figure`.

    Attributes
    ----------
    data : list of dict
        Its traces.
    layout : dict
    """

    data: list[Trace]
    layout: dict[str, Any]


def _layout(x: str, y: str, height: int = _HEIGHT, below: str = "nonnegative") -> dict[str, Any]:
    """Return the layout of a chart; no metric is below 0, so an axis of zeros has no -1 either.

    The label of a low chart is above it, where it needs no second line.
    """
    is_low = height < _HEIGHT
    above = {"title": {"text": y, "x": 0.0, "xref": "paper", "font": {"size": 13}}}
    beside = {"title": {"text": balanced(y, 26).replace("\n", "<br>"), "font": {"size": 13}}}
    return {
        "template": {"data": {"scatter": [{"type": "scatter"}]}},  # none: plotly has one of its own
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 50, "r": 10, "t": 30, "b": 40}
        if is_low
        else {"l": 60, "r": 10, "t": 10, "b": 50},
        "height": height,
        "showlegend": False,
        **(above if is_low else {}),
        "xaxis": {"title": {"text": x, "font": {"size": 13}}},
        "yaxis": {**({} if is_low else beside), "rangemode": below},
        "font": {"family": "system-ui, sans-serif", "size": 13},
        "hovermode": "closest",
    }


def series_of(curves: pd.DataFrame) -> list[str]:
    """Return the names of the series, in the order of their colours."""
    return [str(name) for name in curves["series"].drop_duplicates()]


def band(line: pd.DataFrame, metric: str, **how: Any) -> Trace:
    """Return the band between a metric's ends over ``x``, drawn as it is said."""
    where = line["x"].tolist()
    low, high = within_reach(line, metric)
    return {
        "type": "scatter",
        "x": [*where, *where[::-1]],
        "y": [*high, *low[::-1]],
        "mode": "lines",
        "fill": "toself",
        "line": {"width": 0},
        "hoverinfo": "skip",
        **how,
    }


def curve_chart(curves: pd.DataFrame, metric: str, x: str, y: str, height: int = _HEIGHT) -> Chart:
    """Return a metric against the swept field: a line and a band for each series.

    A band that several series have is drawn once, in grey (`has_shared_bands`). Marks are open if
    not all runs finished. If the metric is not known, since no run finished, there is an x below
    the panel.

    Parameters
    ----------
    curves : DataFrame
        From `analysis.statistics.curves.curves_against`.
    metric : str
        Column of it that has ``_low`` and ``_high`` beside it.
    x, y : str
        Labels of the axes.
    height : int
        Of the figure, in pixels.

    Returns
    -------
    Chart
        Traces carry the number of their series in ``meta``, or a list of several, for the page to
        toggle them.
    """
    traces: list[Trace] = []
    numeric = pd.api.types.is_numeric_dtype(curves["x"])
    for i, name in enumerate(series_of(curves)):
        whole = curves[curves["series"] == name]
        whole = whole.sort_values("x") if numeric else whole
        line = whole[np.isfinite(whole[metric].astype(float))]
        where, finished = line["x"].tolist(), line["finished"] == line["runs"]
        _add_band(traces, band(line, metric, fillcolor=colour(i), opacity=0.18, meta=i))
        said = [
            _span(*ends) for ends in zip(line[f"{metric}_low"], line[f"{metric}_high"], strict=True)
        ]
        counts = [_finished(*each) for each in zip(line["finished"], line["runs"], strict=True)]
        symbol = _SYMBOLS[i % len(_SYMBOLS)]
        traces.append(
            {
                "type": "scatter",
                "x": where,
                "y": line[metric].tolist(),
                "mode": "lines+markers",
                "name": name or metric,
                "line": {"color": colour(i), "width": 2},
                "marker": {
                    "symbol": [symbol if each else f"{symbol}-open" for each in finished],
                    "size": 8,
                },
                "customdata": list(zip(said, counts, strict=True)),
                "hovertemplate": (
                    f"{name or metric}<br>{x} %{{x}}<br>{y} %{{y:.4g}} "
                    "(%{customdata[0]})%{customdata[1]}<extra></extra>"
                ),
                "meta": i,
            }
        )
        unknown = whole.loc[not_known(whole, metric), "x"].tolist()
        if unknown:
            why = reason(whole, metric)
            traces.append(_at_the_foot(unknown, i, f"{name or metric}<br>{x} %{{x}}<br>", why))
    chart = Chart(traces, _layout(x, y, height))
    if not_known(curves, metric).any():
        _make_room_at_the_foot(chart, curves, metric)
    if not numeric:
        places = curves["x"].drop_duplicates().tolist()
        chart.layout["xaxis"] |= {"categoryorder": "array", "categoryarray": places}
    return chart


def _add_band(traces: list[Trace], drawn: Trace) -> None:
    """Add a band, or let one that is the same stand for both: several would be one dark block."""
    for other in traces:
        if all(other.get(key) == drawn[key] for key in ("fill", "x", "y")):
            owners = [*_owners(other), *_owners(drawn)]
            other |= {"fillcolor": REFERENCE, "opacity": 0.12, "meta": owners}
            return
    traces.append(drawn)


def has_shared_bands(chart: Chart) -> bool:
    """Return whether several series of a `curve_chart` have one band, which is grey."""
    return any(len(_owners(trace)) > 1 for trace in chart.data)


def _owners(trace: Trace) -> list[int]:
    """Return the numbers of the series that a trace of a `curve_chart` belongs to."""
    return [trace["meta"]] if isinstance(trace["meta"], int) else trace["meta"]


def _make_room_at_the_foot(chart: Chart, curves: pd.DataFrame, metric: str) -> None:
    """Give the x marks of `_at_the_foot` their own axis, between the panel and its labels."""
    series = curves["series"].nunique()
    strip = min(0.06 + 0.04 * series, 0.3)
    chart.layout["yaxis"] |= {
        "domain": [strip + 0.12, 1.0],
        "showticklabels": bool(np.isfinite(curves[metric].astype(float)).any()),
    }
    chart.layout["yaxis2"] = {"domain": [0.0, strip], "range": [series, -0.4], "visible": False}
    chart.layout["xaxis"] |= {"anchor": "free", "position": 0.0}
    chart.layout["annotations"] = [
        {
            "text": f"\N{MULTIPLICATION SIGN}: not known, {reason(curves, metric)}",
            "xref": "paper",
            "yref": "paper",
            "x": 0.0,
            "y": strip,
            "xanchor": "left",
            "yanchor": "bottom",
            "showarrow": False,
            "font": {"size": 11, "color": "#5a5a5a"},
        }
    ]


def _at_the_foot(where: Sequence[Any], series: int, said: str, why: str) -> Trace:
    """Return a trace of x marks on an axis of their own, independent of the metric's axis."""
    cross = {"color": colour(series), "symbol": "x-thin-open", "size": 8, "line": {"width": 2}}
    return {
        "type": "scatter",
        "x": list(where),
        "y": [0.5 + series] * len(where),
        "yaxis": "y2",
        "mode": "markers",
        "marker": cross,
        "hovertemplate": f"{said}not known: {why}<extra></extra>",
        "meta": series,
    }


def _span(low: float, high: float) -> str:
    """Return an interval in words, without ends that are not known."""
    if not (math.isfinite(low) or math.isfinite(high)):
        return "interval not known"
    if not math.isfinite(high):
        return f"{low:.4g} or more"
    return f"{low:.4g} to {high:.4g}" if math.isfinite(low) else f"up to {high:.4g}"


def _finished(finished: int, runs: int) -> str:
    return "" if finished == runs else f"<br>{runs_finished(finished, runs)}"


def stack_chart(stacks: pd.DataFrame) -> Chart:
    """Return the speed-up stack of one series, bars over team size.

    If not all runs finished, the number of pairs of runs that both finished stands below the size.
    """
    table = stacks.sort_values("n")
    labels, axis = stack_labels(table)
    sizes = [label.replace("\n", "<br>") for label in labels]
    colours = {"speed-up": SPEEDUP_COLOUR, **CAUSE_COLOURS}
    bars: list[Trace] = [
        {
            "type": "bar",
            "x": sizes,
            "y": table[name].tolist(),
            "name": name,
            "marker": {"color": colours[name]},
            "hovertemplate": f"{name}: %{{y:.2f}} at n = %{{x}}<extra></extra>",
        }
        for name in ("speed-up", *CAUSES)
    ]
    halo, interval = (_strokes(sizes, table, *how) for how in ((4.5, "white"), (1.5, REFERENCE)))
    has_counts = bool((table["finished"] < table["runs"]).any())
    layout = _layout(axis, "speed-up, and what is missing to n", below="normal")
    layout |= {"barmode": "relative", "showlegend": True, "height": 440}
    layout["legend"] = {"orientation": "h", "y": -0.42 if has_counts else -0.3}
    layout["xaxis"]["type"] = "category"
    return Chart([*bars, halo, interval], layout)


def _strokes(sizes: Sequence[str], table: pd.DataFrame, width: float, face: str) -> Trace:
    """Return the 95 % intervals of the speed-ups, over all bars."""
    low, middle, high = (
        table[f"speed-up{end}"].to_numpy(dtype=float) for end in ("_low", "", "_high")
    )
    known = np.isfinite(low) & np.isfinite(high)
    said = [f"speed-up: {a:.2f} to {b:.2f} (95 %)" for a, b in zip(low, high, strict=True)]
    return {
        "type": "scatter",
        "x": [size for size, is_known in zip(sizes, known, strict=True) if is_known],
        "y": middle[known].tolist(),
        "error_y": {
            "array": (high - middle)[known].tolist(),
            "arrayminus": (middle - low)[known].tolist(),
            "symmetric": False,
            "width": 0,
            "thickness": width,
            "color": face,
        },
        "mode": "markers",
        "marker": {"size": 1, "color": face},
        "showlegend": False,
        "hovertemplate": [
            f"{text}<extra></extra>" for text, is_known in zip(said, known, strict=True) if is_known
        ],
    }


def pareto_chart(points: pd.DataFrame, names: Sequence[str], cost: str) -> Chart:
    """Return time to success against cost, with quality in the hover and the front as a line.

    Marks are open if not all runs finished.

    Parameters
    ----------
    points : DataFrame
        ``series, name, makespan_s, cost`` (until success), ``quality, finished, runs, is_best`` (on
        the front); points whose time is not known are left out.
    names : sequence of str
        The series, in the order of their colours.
    cost : str
        Label of the axis of costs.
    """
    points = points[points["makespan_s"].notna()]
    front = points[points["is_best"]].sort_values("cost")
    line: Trace = {
        "type": "scatter",
        "x": front["cost"].tolist(),
        "y": front["makespan_s"].tolist(),
        "mode": "lines",
        "line": {"color": "#666666", "dash": "dot", "width": 1.5},
        "hoverinfo": "skip",
        "meta": -1,
    }
    traces = [line]
    for i, name in enumerate(names):
        mine = points[points["series"] == name]
        counts = [_finished(*each) for each in zip(mine["finished"], mine["runs"], strict=True)]
        traces.append(
            {
                "type": "scatter",
                "x": mine["cost"].tolist(),
                "y": mine["makespan_s"].tolist(),
                "mode": "markers",
                "name": name,
                "marker": {
                    "color": colour(i),
                    "symbol": [
                        f"{_SYMBOLS[i % len(_SYMBOLS)]}{'-open' * bool(some)}"
                        for some in mine["finished"] < mine["runs"]
                    ],
                    "size": [13 if best else 8 for best in mine["is_best"]],
                },
                "customdata": list(zip(mine["name"], mine["quality"], counts, strict=True)),
                "hovertemplate": (
                    "%{customdata[0]}<br>%{x:.4g}, %{y:.4g} s, quality %{customdata[1]:.3f}"
                    "%{customdata[2]}<extra></extra>"
                ),
                "meta": i,
            }
        )
    return Chart(traces, _layout(cost, metric_label("makespan_s", all_finished(points))))
