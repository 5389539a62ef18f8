"""The picture of a sweep, as the command and the results of programs draw it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from simulator.errors import TeamsimError
from simulator.experiment.manifest import Manifest, scenario_of
from simulator.scenario.costs import HOW_TO_PRICE, MONEY, is_cost_known
from simulator.scenario.figure import Figure as FigureSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def picture(
    results: pd.DataFrame,
    manifest: Manifest,
    x: str = "",
    y: Sequence[str] = (),
    series: Sequence[str] = (),
) -> tuple[str, Figure]:
    """Return the name and the picture of a sweep: asked for, of its scenario, or over team size.

    Raises
    ------
    TeamsimError
        If there is no such field or metric, or costs are to be drawn that are not known.
    """
    from analysis.plots import scaling_figure, sweep_figure
    from analysis.plots.default import figure_of, has_sizes, wanted_figure

    question = manifest["question"]
    is_asked = bool(x or y or series)
    if not is_asked and not manifest["figure"] and has_sizes(results):
        return "scaling", scaling_figure(results, question)
    wanted = (
        figure_of(results, manifest, x, y, series) if is_asked else wanted_figure(results, manifest)
    )
    _check_costs_drawn(wanted, manifest)
    return "figure", sweep_figure(results, wanted, "" if is_asked else question)


def _check_costs_drawn(wanted: FigureSpec, manifest: Manifest) -> None:
    """Refuse to draw costs as 0 where no point of a sweep says a price."""
    drawn = [name for name in wanted.y if any(name.startswith(money) for money in MONEY)]
    scenarios = map(scenario_of, manifest["points"])
    if drawn and not any(map(is_cost_known, scenarios)):
        raise TeamsimError(
            f"{drawn[0]}: what a run costs is not known, since the sweep was made without prices; "
            f"{HOW_TO_PRICE}"
        )
