"""Fits the cells of real runs: a cell is an agent at work on a task list under a protocol.

Everything is estimated directly from replies and runs (see `observations`, `latency`, `habits`
and `tokens`) and pooled over the cells of the same agent and mode. Two habits of self-claiming
agents leave no direct trace: `deference` and the `noise` of their choice. They are set so that
simulated idle replies and concurrent writes match the real ones (see `matching`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.calibration.agent_fits import fit_agent
from analysis.calibration.agent_runs import AgentRuns, agents_of
from analysis.calibration.cell import CellFit
from analysis.calibration.forgetting import mark_forgotten
from analysis.calibration.habit_search import found_habits
from analysis.calibration.hyperpriors import Prior, shipped
from analysis.calibration.matching import matched, pool_habits, search_for
from analysis.calibration.observations import observe
from analysis.calibration.waits import IMPUTED, Waits, fit_waits
from analysis.traces.team_runs import AGENT, CELL, SELF_CLAIM, TeamRuns
from simulator.experiment.pool import Begun, Processes, Progress, begin

Told = dict[tuple[Hashable, ...], Waits]
"""Waits of agents that claim their tasks, by what is alike in the runs of each."""

_MANY_CALLS = 5_000
"""Calls of which the fits are worth another process, which takes a second of its processor for the
imports: they take some 0.5 ms a call."""
_MANY_TEAMS = 20
"""Teams of which the habits that are matched are worth one: 100 replications each, some 0.15 s."""


def fit_cells(
    real: TeamRuns,
    match: bool = True,
    workers: int | Processes = 1,
    progress: Progress | None = None,
    pooled: bool = True,
    priors: Mapping[str, Prior] | None = None,
    seen: tuple[pd.DataFrame, Told] | None = None,
) -> list[CellFit]:
    """Return the fit of every cell.

    Parameters
    ----------
    real : TeamRuns
    match : bool
        Whether to estimate by simulation the two habits that replies do not show.
    workers : int or Processes
        Processes for the fits (see `simulator.experiment.pool.in_processes`).
    progress : callable, optional
        Called with ``(cells done, cells in all)``.
    pooled : bool
        Whether the cells of an agent and mode are pooled.
    priors : mapping, optional
        Of an agent's parameters (see `hyperpriors`); those that ship.
    seen : tuple, optional
        What `observed` returns of cells that are pooled by agent or not, where that is known.
    """
    return begin_cells(real, match, workers, pooled, priors, seen)(progress)


def begin_cells(
    real: TeamRuns,
    match: bool = True,
    workers: int | Processes = 1,
    pooled: bool = True,
    priors: Mapping[str, Prior] | None = None,
    seen: tuple[pd.DataFrame, Told] | None = None,
    meanwhile: Callable[[], None] | None = None,
    fitted: Callable[[Sequence[CellFit]], None] | None = None,
) -> Callable[[Progress | None], list[CellFit]]:
    """Fit cells without the two habits, and return a function that returns them with these.

    Other processes match the habits meanwhile, if they run already.

    Parameters
    ----------
    real, match, workers, pooled, priors, seen
        As for `fit_cells`.
    meanwhile : callable, optional
        Called once, when other processes that can have begun to fit agents.
    fitted : callable, optional
        Told the cells of each agent, without the two habits, as soon as they are fitted, while
        other processes are at work.
    """
    together = AGENT if pooled else CELL
    calls, told = seen or observed(real, together)
    agents = agents_of(real, calls, told, together, priors or shipped().priors)
    of_agents, untold = _fit_agents(agents, workers, meanwhile, fitted)
    fits = [fit for cells in of_agents for fit in cells]

    def tell() -> None:
        if fitted is not None:
            for cells in untold:
                fitted(cells)

    if not match:
        tell()
        return lambda progress: fits
    searches = [search_for(fit, *_matched_data(real, calls, fit)) for fit in fits]
    teams = sum(len(search.teams) for search in searches if search is not None)
    is_begun = isinstance(workers, Processes) and workers.is_started
    found = begin(found_habits, searches, workers if is_begun or teams > _MANY_TEAMS else 1)
    tell()

    def finish(progress: Progress | None) -> list[CellFit]:
        whole = [matched(*each) for each in zip(fits, searches, found(progress), strict=True)]
        return _with_pooled_habits(whole) if pooled else whole

    return finish


def _with_pooled_habits(fits: Sequence[CellFit]) -> list[CellFit]:
    of = [tuple(fit.cell[key] for key in AGENT) for fit in fits]  # cells of an agent follow
    return [
        fit
        for agent in dict.fromkeys(of)
        for fit in pool_habits([each for each, key in zip(fits, of, strict=True) if key == agent])
    ]


def observed(
    real: TeamRuns, together: list[str], imputed: int = IMPUTED
) -> tuple[pd.DataFrame, Told]:
    """Return the replies, those in which an agent has forgotten a task marked, and the waits.

    The waits are those of agents that claim their tasks; runs alike in the columns `together` are
    told apart together, `imputed` times.
    """
    parts: list[pd.DataFrame] = []
    told: Told = {}
    for key, calls in observe(real).groupby(together, sort=False):
        if (calls["mode"] == SELF_CLAIM).all():
            told[key] = fit_waits(calls, imputed)
            parts.append(mark_forgotten(calls, told[key]))
        else:
            parts.append(calls)
    return pd.concat(parts).sort_index(), told


def _matched_data(
    real: TeamRuns, calls: pd.DataFrame, fit: CellFit
) -> tuple[list[dict[str, Any]], pd.DataFrame, pd.DataFrame]:
    keys = pd.Series(fit.cell)
    runs = real.runs[(real.runs[CELL] == keys[CELL]).all(axis=1)]
    tasks = real.tasks[fit.cell["task_type"], fit.cell["p_label"]]
    return tasks, runs, calls[calls["run_dir"].isin(runs["run_dir"])]


def _fit_agents(
    agents: Sequence[AgentRuns],
    workers: int | Processes,
    meanwhile: Callable[[], None] | None,
    fitted: Callable[[Sequence[CellFit]], None] | None,
) -> tuple[list[list[CellFit]], list[list[CellFit]]]:
    """Fit all cells of each agent, in other processes if these need not import what fits.

    Or if there are many calls. `meanwhile` is called when they have begun, where they run already.

    Returns
    -------
    (list, list)
        The cells of each agent, and those of them that `fitted` was not told of.
    """
    calls = sum(len(agent.calls) for agent in agents)
    are_copies = isinstance(workers, Processes) and workers.are_copies
    begun = Begun(fit_agent, agents, workers if are_copies or calls > _MANY_CALLS else 1)
    if meanwhile is not None:
        meanwhile()
    if not begun.is_shared:
        found = begun.finish()
        return found, found
    last_first: list[list[CellFit]] = []  # others begin with the first
    for number in reversed(range(len(agents))):
        last_first.append(begun.result(number))
        if fitted is not None and number:  # of the last of them when its habits are searched for
            fitted(last_first[-1])
    return last_first[::-1], last_first[-1:]
