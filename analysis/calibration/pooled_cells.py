"""Agents fitted to all of their cells together: what a profile says, which may meet any tasks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.calibration.agent_runs import agents_of
from analysis.calibration.cell import CellFit
from analysis.calibration.cells import Told, fit_agents, observed
from analysis.calibration.estimates import UNTOLD, Estimate, Probability, VectorFit
from analysis.calibration.hyperpriors import VAGUE
from analysis.calibration.latency import mean_log_seconds
from analysis.calibration.output_limits import between_cells
from analysis.calibration.seen_times import SHORTEST_S
from analysis.traces.team_runs import AGENT, CELL, TeamRuns
from simulator.experiment.intervals import student_over_normal
from simulator.experiment.pool import Processes

_MOST = 0.99 * UNTOLD.error
"""The largest error of a habit that some cell tells."""


def pooled_fits(
    team: TeamRuns,
    fits: Sequence[CellFit],
    workers: int | Processes = 1,
    seen: tuple[pd.DataFrame, Told] | None = None,
) -> list[CellFit]:
    """Return one fit for each agent and mode, with all of its cells together.

    The two habits that are matched by simulation are medians over the cells. Their standard errors
    are those of the habit at a task list that is none of the cells, or that of the only cell. How
    many tasks fit into a reply is a matter of the task list.

    Parameters
    ----------
    team : TeamRuns
    fits : sequence of CellFit
        Of the cells.
    workers : int or Processes
        Processes for the fits (see `simulator.experiment.pool.in_processes`).
    seen : tuple, optional
        What `observed` returns of the agents, where that is known.
    """
    return with_habits_of(fit_pooled(team, fits, workers, seen), fits)


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


def fit_pooled(
    team: TeamRuns,
    fits: Sequence[CellFit],
    workers: int | Processes = 1,
    seen: tuple[pd.DataFrame, Told] | None = None,
) -> list[CellFit]:
    """Return the fits of `pooled_fits` without the two habits, which need not be in `fits` yet."""
    names = ["task_type", "p_label"]
    calls, told = seen or observed(team, AGENT)
    cells = pd.Series(calls[CELL].itertuples(index=False, name=None), index=calls.index)
    tasks = {
        tuple(fit.cell[each] for each in CELL): fit.capacity.tasks if fit.capacity else np.inf
        for fit in fits
    }
    everything = dict.fromkeys(names, "all")
    calls = calls.assign(fits=cells.map(tasks), **everything)
    runs = team.runs.assign(**everything)
    agents = agents_of(replace(team, runs=runs), calls, told, AGENT, VAGUE)
    pooled: list[CellFit] = []
    for agent, (fit,) in zip(agents, fit_agents(agents, workers), strict=True):
        slow = _slowness(fit.latency, agent.calls, cells)
        fitting = np.asarray([tasks[cell] for cell in slow.index])
        capacity = between_cells(fitting, slow.to_numpy(), team.most_tasks)
        pooled.append(replace(fit, capacity=capacity))
    return pooled


def _slowness(latency: VectorFit, calls: pd.DataFrame, cells: pd.Series) -> pd.Series:
    """Return the mean logarithm, over the runs of each cell, of how long their calls take.

    That is beside what is expected of all cells together.
    """
    working = calls[~calls["is_idle"]]
    seconds = np.maximum(working["latency_s"].to_numpy(dtype=float), SHORTEST_S)
    logs = pd.Series(np.log(seconds) - mean_log_seconds(latency.at, working), index=working.index)
    by_run = logs.groupby([cells[working.index], working["run_dir"]]).mean()
    return by_run.groupby(level=0).mean()
