"""Advise on the size and structure of a team."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from analysis.decisions.advice import SIZES, TIME_ONLY, Wish, in_words, moves, thresholds
from analysis.decisions.advice import advise as give_advice
from simulator.api.results import AdviceResult, with_origin
from simulator.api.running import Loadable, base_of
from simulator.experiment.pool import Progress
from simulator.scenario.costs import is_cost_known


def advise(
    scenario: Loadable,
    wish: Wish = TIME_ONLY,
    sizes: Sequence[int] = SIZES,
    replications: int = 2000,
    workers: int = 1,
    progress: Progress | None = None,
) -> AdviceResult:
    """Advise whether a team is worth it, of what size and structure, and how sure that is.

    Parameters
    ----------
    scenario : str, Path, Study or Scenario
    wish : Wish
        What is minimised, and under which conditions.
    sizes : sequence of int
        Team sizes to try.
    replications : int
        Most runs of each candidate.
    workers : int
    progress : callable, optional
        Called with the numbers of replications done and in all.

    Raises
    ------
    TeamsimError
        If the scenario is wrong, or cannot be varied so.
    """
    base = base_of(scenario)
    advice = give_advice(base, wish, sizes, replications, workers=workers, progress=progress)
    if advice.verdict in ("team", "alone"):
        nearest = thresholds(base, advice, wish, workers=workers, progress=progress)
        advice = dataclasses.replace(advice, thresholds=nearest)
    others = moves(base, advice, wish, workers=workers, progress=progress)
    advice = dataclasses.replace(advice, moves=others)
    if not is_cost_known(base):
        advice = dataclasses.replace(advice, table=advice.table.assign(cost_usd=math.nan))
    table = advice.table.sort_values(
        ["fulfils", "objective"],
        key=lambda column: column.eq("no") if column.name == "fulfils" else column,
    )
    return AdviceResult(with_origin(table, base.name, base.seed), advice, in_words(advice, wish))
