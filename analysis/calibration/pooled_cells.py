"""Agents fitted to all of their cells together: what a profile says, which may meet any tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.calibration.agent_fits import fit_agent
from analysis.calibration.agent_runs import agents_of
from analysis.calibration.cell import CellFit
from analysis.calibration.cells import Told, observed
from analysis.calibration.estimates import UNTOLD, Estimate, Probability, VectorFit
from analysis.calibration.hyperpriors import VAGUE
from analysis.calibration.latency import mean_log_seconds
from analysis.calibration.output_limits import between_cells
from analysis.calibration.seen_times import SHORTEST_S
from analysis.traces.team_runs import AGENT, CELL, TeamRuns
from simulator.experiment.intervals import student_over_normal

_MOST = 0.99 * UNTOLD.error
"""The largest error of a habit that some cell tells."""


def pooled_fits(team: TeamRuns, fits: Sequence[CellFit]) -> list[CellFit]:
    """Return one fit for each agent and mode, with all of its cells together.

    The two habits that are matched by simulation are medians over the cells. Their standard errors
    are those of the habit at a task list that is none of the cells, or that of the only cell. How
    many tasks fit into a reply is a matter of the task list.

    Parameters
    ----------
    team : TeamRuns
    fits : sequence of CellFit
        Of the cells.
    """
    agents = PooledAgents(team, observed(team, AGENT))
    agents.fit(fits)
    return with_habits_of(agents.fits(), fits)


def with_habits_of(pooled: Sequence[CellFit], fits: Sequence[CellFit]) -> list[CellFit]:
    """Return the fits of agents with the two habits that were matched in their cells."""
    whole = []
    for fit in pooled:
        same = [each for each in fits if all(each.cell[key] == fit.cell[key] for key in AGENT)]
        deference, noise = (
            _over_cells([getattr(each, name) for each in same]) for name in ("deference", "noise")
        )
        whole.append(replace(fit, deference=deference, noise=noise))
    return whole


def _over_cells(cells: Sequence[Probability]) -> Probability:
    """Return the median over cells; where there is one, or none tells anything, it is theirs.

    Its error is that of the habit in another cell: the cells' own errors and how far they differ,
    which is as uncertain as they are few, and so has Student's quantile for the normal one (the
    total variance of multiple imputations, Rubin 1987). A habit that cells tell is known a little
    better than one of which nothing is known.
    """
    count = len(cells)
    if count == 1 or all(each == UNTOLD for each in cells):
        return cells[0]
    values = [each.value for each in cells]
    few = student_over_normal(0.975, count - 1)
    between = float(np.var(values, ddof=1)) * (1.0 + 1.0 / count) * few**2
    variance = float(np.mean([each.error**2 for each in cells])) + between
    return Estimate(float(np.median(values)), min(_MOST, math.sqrt(variance)))


class PooledAgents:
    """Agents that are fitted to all of their cells together, once each of these is.

    Parameters
    ----------
    team : TeamRuns
    seen : tuple
        What `observed` returns of the agents.
    """

    def __init__(self, team: TeamRuns, seen: tuple[pd.DataFrame, Told]) -> None:
        calls, told = seen
        everything = dict.fromkeys(["task_type", "p_label"], "all")
        self._most_tasks = team.most_tasks
        self._cell = pd.Series(calls[CELL].itertuples(index=False, name=None), index=calls.index)
        together = replace(team, runs=team.runs.assign(**everything))
        self._agents = {
            _key(agent.runs.iloc[0]): agent
            for agent in agents_of(together, calls.assign(**everything), told, AGENT, VAGUE)
        }
        self._fits: dict[tuple[str, ...], CellFit] = {}

    def fit(self, cells: Sequence[CellFit]) -> None:
        """Fit the agents of these cells, of which all are given."""
        tasks = {
            tuple(fit.cell[each] for each in CELL): fit.capacity.tasks if fit.capacity else np.inf
            for fit in cells
        }
        for key in dict.fromkeys(_key(fit.cell) for fit in cells):
            agent = self._agents[key]
            its_cells = self._cell[agent.calls.index]
            agent = replace(agent, calls=agent.calls.assign(fits=its_cells.map(tasks)))
            (fit,) = fit_agent(agent)
            slow = _slowness(fit.latency, agent.calls, its_cells)
            fitting = np.asarray([tasks[cell] for cell in slow.index])
            capacity = between_cells(fitting, slow.to_numpy(), self._most_tasks)
            self._fits[key] = replace(fit, capacity=capacity)

    def fits(self) -> list[CellFit]:
        """Return the fits of all agents, without the two habits."""
        return [self._fits[key] for key in self._agents]


def _key(said: Mapping[str, str] | pd.Series) -> tuple[str, ...]:
    return tuple(str(said[name]) for name in AGENT)


def _slowness(latency: VectorFit, calls: pd.DataFrame, cells: pd.Series) -> pd.Series:
    """Return the mean logarithm, over the runs of each cell, of how long their calls take.

    That is beside what is expected of all cells together.
    """
    working = calls[~calls["is_idle"]]
    seconds = np.maximum(working["latency_s"].to_numpy(dtype=float), SHORTEST_S)
    logs = pd.Series(np.log(seconds) - mean_log_seconds(latency.at, working), index=working.index)
    by_run = logs.groupby([cells[working.index], working["run_dir"]]).mean()
    return by_run.groupby(level=0).mean()
