"""The picture of a sweep, as the command and the results of programs draw it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from simulator.errors import TeamsimError
from simulator.experiment.manifest import Manifest, scenario_of
from simulator.scenario.costs import HOW_TO_PRICE, MONEY, is_cost_known, unknown_metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from simulator.scenario.figure import Figure as FigureSpec

_OF_ONE_TEAM = ("makespan_s", "cost_usd", "quality", "tokens")
"""Metrics that are drawn of one team, if none is asked for."""


def picture(
    results: pd.DataFrame,
    manifest: Manifest,
    x: str = "",
    y: Sequence[str] = (),
    series: Sequence[str] = (),
) -> tuple[str, Figure]:
    """Return the name and the picture of a sweep: asked for, of its scenario, or over team size.

    Where one team was run, and so nothing varies, it is how its runs spread.

    Raises
    ------
    TeamsimError
        If there is no such field or metric, or nothing is to be drawn but costs that are not known
        or comparisons with a single agent that the sweep does not have.
    """
    from analysis.plots import scaling_figure, sweep_figure
    from analysis.plots.default import figure_of, has_sizes, wanted_figure

    y, series = (tuple(dict.fromkeys(names)) for names in (y, series))  # each is drawn once
    question = manifest["question"]
    is_asked = bool(x or y or series)
    if len(manifest["points"]) == 1 and not (x or series):
        return "spread", _spread(results, manifest, y)
    if not is_asked and not manifest["figure"] and has_sizes(results):
        return "scaling", scaling_figure(results, question)
    wanted = (
        figure_of(results, manifest, x, y, series) if is_asked else wanted_figure(results, manifest)
    )
    _check_costs_drawn(wanted.y, manifest)
    _check_baseline(wanted, results)
    return "figure", sweep_figure(results, wanted, "" if is_asked else question)


def _spread(results: pd.DataFrame, manifest: Manifest, y: Sequence[str]) -> Figure:
    """Return how the runs of one team spread; their costs only where they are known."""
    from analysis.plots.spread import spread_figure

    unknown = unknown_metrics(scenario_of(manifest["points"][0]))
    metrics = tuple(y) or tuple(name for name in _OF_ONE_TEAM if name not in unknown)
    _check_costs_drawn(metrics, manifest)
    return spread_figure(results, metrics, "" if y else manifest["question"])


def _check_costs_drawn(metrics: Sequence[str], manifest: Manifest) -> None:
    """Refuse to draw costs as 0 where no point of a sweep says a price."""
    drawn = [name for name in metrics if any(name.startswith(money) for money in MONEY)]
    scenarios = map(scenario_of, manifest["points"])
    if drawn and not any(map(is_cost_known, scenarios)):
        raise TeamsimError(
            f"{drawn[0]}: what a run costs is not known, since the sweep was made without prices; "
            f"{HOW_TO_PRICE}"
        )


def _check_baseline(wanted: FigureSpec, results: pd.DataFrame) -> None:
    """Refuse a picture of comparisons with a single agent where a sweep has none."""
    from analysis.statistics.curves import RATIOS
    from analysis.statistics.series import SIZE, no_baseline

    has_one = wanted.x == SIZE and SIZE in results and bool(results[SIZE].eq(1).any())
    if set(wanted.y) <= {*RATIOS} and not has_one and results["baseline_point"].isna().all():
        raise TeamsimError(no_baseline(wanted.y[0]))
