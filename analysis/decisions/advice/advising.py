"""Advice on a scenario: candidates, replications, verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from analysis.decisions.advice.contest import contest
from analysis.decisions.advice.structures import candidates, leave_out_own, replicate
from analysis.decisions.advice.verdict import Advice
from analysis.decisions.advice.wish import TIME_ONLY, Wish
from analysis.statistics.chance import are_sure
from simulator.errors import TeamsimError
from simulator.experiment.pool import Processes, Progress
from simulator.scenario import Scenario

SIZES = (2, 3, 4, 6, 8, 12, 16)
"""Team sizes that are tried."""


def advise(
    scenario: Scenario,
    wish: Wish = TIME_ONLY,
    sizes: Sequence[int] = SIZES,
    replications: int = 2000,
    first: int = 30,
    workers: int = 1,
    progress: Progress | None = None,
) -> Advice:
    """Compare one agent with teams, and say what to do.

    All systems are replicated `first` times with the same random numbers. The replications of
    those that may be the best are then doubled, again and again. This ends when it is known, with
    the wanted confidence and to within the indifference, which system is best and whether a team
    is worth it, or when `replications` are reached.

    A run that does not finish is started again: time, or cost and time together, are those until
    success (see `analysis.statistics.completion`).

    Parameters
    ----------
    scenario : Scenario
    wish : Wish
    sizes : sequence of int
        Team sizes to be tried.
    replications : int
        Most of each system, at least 2.
    first : int
        Replications at the first look, at least 2.
    workers : int
        Processes.
    progress : callable, optional
        Told ``(replications done, replications of this look)``.

    Raises
    ------
    TeamsimError
        If there is nothing to compare, or a number is out of its range.
    """
    if min(first, replications) < 2:
        raise TeamsimError("at least 2 replications are needed to tell systems apart")
    systems = candidates(scenario, sizes)
    if len(systems) < 2:
        raise TeamsimError("there is no team to compare: none of the sizes and structures fits")

    with Processes(workers) as pool:

        def simulate(names: Sequence[str], begin: int, end: int) -> dict[str, pd.DataFrame]:
            asked = {name: systems[name] for name in names}
            return replicate(asked, end, workers, progress, begin, pool)

        rows = simulate(list(systems), 0, min(first, replications))
        same_as_own = leave_out_own(rows)
        sure = {name for name, each in rows.items() if are_sure(systems[name], each)}
        advice = contest(rows, simulate, wish, replications, sure)
        return replace(advice, same_as_own=same_as_own)
