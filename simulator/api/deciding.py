"""Advise on the size and structure of a team."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from analysis.decisions.advice import (
    SIZES,
    TIME_ONLY,
    Wish,
    columns_in_words,
    in_words,
    moves,
    thresholds,
)
from analysis.decisions.advice import advise as give_advice
from simulator.api.arguments import seed_in, sizes_in, workers_in
from simulator.api.results import AdviceResult, with_origin
from simulator.api.running import Loadable, base_of
from simulator.arguments import whole
from simulator.documents import MOST_RUNS
from simulator.errors import TeamsimError, what_is
from simulator.experiment.pool import Progress
from simulator.scenario import Scenario
from simulator.scenario.costs import HOW_TO_PRICE, cost_notes, is_cost_known

_FEWEST_RUNS = 10


def advise(
    scenario: Loadable,
    wish: Wish | None = None,
    sizes: int | Sequence[int] = SIZES,
    replications: int = 2000,
    workers: int = 1,
    progress: Progress | None = None,
    seed: int | None = None,
) -> AdviceResult:
    """Advise whether a team is worth it, of what size and structure, and how sure that is.

    Parameters
    ----------
    scenario : str, Path, mapping, Study or Scenario
    wish : Wish, optional
        What is minimised, and under which conditions, as ``ts.Wish(usd_per_hour=20)``; the least
        time, with the quality of one agent, when absent.
    sizes : int or sequence of int
        Team sizes to try.
    replications : int
        Most runs of each candidate, at least 10.
    workers : int
        Processes, 0 for one for each core; the results do not depend on them.
    progress : callable, optional
        Called with the numbers of replications done and in all.
    seed : int, optional
        In place of the scenario's.

    Raises
    ------
    TeamsimError
        If the scenario is wrong, or cannot be varied so, or the wish is about costs that are not
        known.
    """
    base, wish = base_of(scenario), _wish_in(wish)
    _check_price(base, wish)
    if (root := seed_in(seed)) is not None:
        base = base.model_copy(update={"seed": root})
    sizes, workers = sizes_in(sizes), workers_in(workers)
    replications = whole("replications", replications, _FEWEST_RUNS, MOST_RUNS)
    advice = give_advice(base, wish, sizes, replications, workers=workers, progress=progress)
    if advice.verdict in ("team", "alone"):
        nearest = thresholds(base, advice, wish, workers=workers, progress=progress)
        advice = dataclasses.replace(advice, thresholds=nearest)
    others = moves(base, advice, wish, workers=workers, progress=progress)
    advice = dataclasses.replace(advice, moves=others)
    table = advice.table.sort_values(
        ["fulfils", "objective"],
        key=lambda column: column.eq("no") if column.name == "fulfils" else column,
    )
    said = in_words(advice, wish, base.assumptions)
    notes = [*columns_in_words(advice, wish), *cost_notes(base)]
    return AdviceResult(with_origin(table, base.name, base.seed), advice, said, notes)


def _check_price(scenario: Scenario, wish: Wish) -> None:
    """Refuse a wish about costs that are not known."""
    for name in ("usd_per_hour", "budget_usd"):
        if getattr(wish, name) is not None and not is_cost_known(scenario):
            raise TeamsimError(
                f"{name}: what a run costs is not known, since no price is said; {HOW_TO_PRICE}"
            )


def _wish_in(value: object) -> Wish:
    if value is None or isinstance(value, Wish):
        return value or TIME_ONLY
    raise TeamsimError(f"a wish is a Wish, as ts.Wish(usd_per_hour=20); found {what_is(value)}")
