"""Advise on the size and structure of a team, and compare teams."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import pandas as pd

from analysis.decisions.advice import SIZES, TIME_ONLY, Wish, in_words, moves, thresholds
from analysis.decisions.advice import advise as give_advice
from analysis.decisions.side_by_side import SideBySide
from analysis.decisions.side_by_side import compare as hold_beside
from simulator.api.results import AdviceResult, ComparisonResult, with_origin
from simulator.api.running import Loadable, base_of
from simulator.experiment import run_each
from simulator.experiment.pool import Progress
from simulator.scenario import Scenario
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


def compare(
    teams: Mapping[str, Loadable],
    replications: int | None = None,
    seed: int | None = None,
    workers: int = 1,
) -> ComparisonResult:
    """Compare teams with the first of them, all run with the same random numbers.

    Parameters
    ----------
    teams : mapping of str to str, Path, Study or Scenario
        By their names.
    replications : int, optional
        Of each team; the most that any of them says when absent.
    seed : int, optional
        The first team's when absent.
    workers : int

    Raises
    ------
    TeamsimError
        If there are fewer than two teams or replications, or a scenario is wrong.
    """
    bases = {name: base_of(each) for name, each in teams.items()}
    if seed is None:
        seed = next((each.seed for each in bases.values()), 0)
    count = replications or max((each.replications for each in bases.values()), default=0)
    rows = runs_of(bases, seed, count, workers)
    found = hold_beside(rows, {name: is_cost_known(each) for name, each in bases.items()})
    return ComparisonResult(with_origin(rows_of(found), found.reference, seed), found)


def runs_of(
    teams: Mapping[str, Scenario],
    seed: int,
    replications: int,
    workers: int,
    progress: Progress | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the runs of each team, all with the same random numbers."""
    if not teams:
        return {}
    same = [each.model_copy(update={"seed": seed}) for each in teams.values()]
    rows = run_each(same, replications, workers, progress).to_pandas()
    return {name: rows[rows["point"] == i] for i, name in enumerate(teams)}


def rows_of(found: SideBySide) -> pd.DataFrame:
    """Return a comparison as a table, a row a metric of a team."""
    return pd.DataFrame(
        {
            "team": team,
            "reference": found.reference,
            "metric": each.metric,
            "reference_value": each.reference.estimate,
            "value": each.value.estimate,
            "value_low": each.value.low,
            "value_high": each.value.high,
            "change": each.change.estimate,
            "change_low": each.change.low,
            "change_high": each.change.high,
            "verdict": each.verdict,
            "replications": found.replications[team],
        }
        for team, comparisons in found.comparisons.items()
        for each in comparisons
    )
