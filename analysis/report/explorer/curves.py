"""The curves of a setting: run, first coarsely and then finely, and drawn."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from analysis.plots.colours import colour
from analysis.plots.known import all_finished
from analysis.plots.labels import balanced, metric_label
from analysis.report.charts import band, curve_chart
from analysis.report.explorer.settings import Offered, Setting
from analysis.statistics.curves import RATIOS, curves_against, with_derived
from analysis.statistics.series import SIZE
from simulator.experiment import run_points
from simulator.experiment.pool import Progress
from simulator.scenario import Point
from simulator.scenario.costs import is_cost_known

PANELS = ("makespan_s", "cost_usd", "success", "quality", "speedup", "tokens")
"""Metrics, each with a chart."""

FINE = 24
"""Replications of each team size once a setting stays; the first of them are those of `COARSE`."""

COARSE = 4
"""Replications that are drawn while a control moves, where they are quick."""

ROUGH = 3
"""Replications where they are not, and of fewer sizes: intervals of two would fill the charts."""

_QUICK_S = 0.2
"""Seconds that the runs of a drawing may take while a control moves."""

HEIGHT = 250
"""Of a chart, in pixels: three rows fit a laptop's window."""

_MOST_KEPT = 16


@dataclass(frozen=True)
class Drawn:
    """What was found of a setting.

    Attributes
    ----------
    curves : DataFrame
        From `analysis.statistics.curves.curves_against`, of one series.
    is_priced : bool
        Whether its costs are known.
    replications : int
        Of each size.
    """

    curves: pd.DataFrame
    is_priced: bool
    replications: int


class Pace:
    """How long a run took when last some were made, so that the first drawing comes quickly."""

    __slots__ = ("_seconds_a_run",)

    def __init__(self) -> None:
        self._seconds_a_run = math.inf

    def learn(self, runs: int, seconds: float) -> None:
        """Note that so many runs took so long."""
        self._seconds_a_run = seconds / runs

    def replications(self, most: int) -> int:
        """Return how many replications are drawn while a control moves: `COARSE` or `ROUGH`.

        Parameters
        ----------
        most : int
            Agents of the largest team.
        """
        runs = COARSE * len(_sizes(most, COARSE))
        return COARSE if runs * self._seconds_a_run <= _QUICK_S else ROUGH


class Kept:
    """What was found of the settings that were seen last, so that they are not run again."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: OrderedDict[str, Drawn] = OrderedDict()

    def get(self, setting: Setting, least: int, make: Callable[[], Drawn]) -> Drawn:
        """Return what is known of a setting with at least so many replications, else make it."""
        key = setting.query()
        found = self._found.pop(key, None)
        if found is None or found.replications < least:
            found = make()
        self._found[key] = found
        while len(self._found) > _MOST_KEPT:
            self._found.popitem(last=False)
        return found


def drawn(
    offered: Offered,
    setting: Setting,
    replications: int,
    progress: Progress | None = None,
    pace: Pace | None = None,
) -> Drawn:
    """Run a setting.

    Parameters
    ----------
    offered : Offered
    setting : Setting
    replications : int
        Of each team size, with the same random numbers for all. With `COARSE` or fewer, not all
        sizes are run.
    progress : callable, optional
        Called with the progress; an exception that it raises ends the work.
    pace : Pace, optional
        Learns how long it took.

    Raises
    ------
    ScenarioError
        If the combination is not valid.
    """
    sizes = _sizes(setting.most, replications)
    studies = [offered.study(setting, n, replications) for n in sizes]
    points = [
        Point(i, str(n), {SIZE: n}, None, "", study.base)
        for i, (n, study) in enumerate(zip(sizes, studies, strict=True))
    ]
    begins = time.perf_counter()
    results = with_derived(run_points(points, [SIZE], progress=progress).to_pandas())
    if pace is not None:
        pace.learn(len(results), time.perf_counter() - begins)
    curves = curves_against(results, [name for name in PANELS if name not in RATIOS])
    return Drawn(curves, is_cost_known(points[-1].scenario), replications)


def _sizes(most: int, replications: int) -> Sequence[int]:
    """Return the sizes of teams that are run: fewer where there are few replications."""
    if replications <= ROUGH:
        return sorted({1, round(math.sqrt(most)), most})
    if replications <= COARSE:
        return sorted({1, 2, *(n for n in (4, 8, 16) if n < most), most})
    return range(1, most + 1) if most <= 8 else sorted({1, 2, 3, 4, 6, 8, *range(8, most, 4), most})


def charts_of(found: Drawn, pinned: Drawn | None = None, name: str = "") -> list[Any]:
    """Return a chart for each of `PANELS`; that of the cost says so where no price is known.

    Parameters
    ----------
    found : Drawn
    pinned : Drawn, optional
        Drawn behind it, dashed.
    name : str
        What the pinned one has other than the present one, for the hover.
    """
    finishes = all_finished(found.curves)
    return [_chart(found, metric, finishes, pinned, name) for metric in PANELS]


def _chart(found: Drawn, metric: str, finishes: bool, pinned: Drawn | None, name: str) -> Any:
    if metric == "cost_usd" and not found.is_priced:
        return _cost_unknown()
    chart = curve_chart(found.curves, metric, "agents n", metric_label(metric, finishes), HEIGHT)
    figure = go.Figure(chart.data, chart.layout)
    if pinned is not None and (metric != "cost_usd" or pinned.is_priced):
        _add_pinned(figure, pinned.curves, metric, name)
    return figure


def _add_pinned(figure: Any, curves: pd.DataFrame, metric: str, name: str) -> None:
    """Draw a metric of pinned curves in a figure: dashed, with its band."""
    line = curves[np.isfinite(curves[metric].astype(float))].sort_values("x")
    figure.add_trace(band(line, metric, fillcolor=colour(1), opacity=0.15))
    figure.add_trace(
        go.Scatter(
            x=line["x"].tolist(),
            y=line[metric].tolist(),
            mode="lines",
            line={"color": colour(1), "width": 2, "dash": "dash"},
            hovertemplate=f"pinned: {name}<br>%{{x}} agents: %{{y:.4g}}<extra></extra>",
        )
    )


def nothing() -> dict[str, Any]:
    """Return a chart of nothing."""
    return {"data": [], "layout": {"height": HEIGHT}}


_PRICE_HERE = "add the fields team.agent.price.input_per_mtok and output_per_mtok: US dollars"


def _cost_unknown() -> Any:
    """Return the chart of a cost that is not known: the reason in the place of a curve."""
    said = f"unknown: no price is said<br>({balanced(_PRICE_HERE, 34)})".replace("\n", "<br>")
    return go.Figure(
        layout={
            "template": "none",
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "height": HEIGHT,
            "title": {"text": metric_label("cost_usd"), "font": {"size": 13}},
            "xaxis": {"visible": False},
            "yaxis": {"visible": False},
            "font": {"family": "system-ui, sans-serif", "size": 13},
            "annotations": [
                {"text": said, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5,
                 "showarrow": False, "align": "center"}
            ],
        }
    )  # fmt: skip
