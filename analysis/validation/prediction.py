"""Predicts runs of calibrated teams that may never have been run.

Parameters are drawn from their uncertainty and simulated, so that a prediction is a distribution.
The pilot's own runs are carried over to the predicted team (see `carry_over`): a prediction is a
mixture of the simulated runs and of the runs carried over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.simulated_runs import METRICS, as_table, rows_of
from analysis.calibration.store import Calibrated
from analysis.traces.team_runs import CELL
from analysis.validation.carry_over import PilotRuns, carried_over, success_shares, trust_in_changes
from analysis.validation.targets import Target, changed
from simulator.experiment.pool import Processes, Progress, begin

COLUMNS = [*CELL, "n_teammates", "max_rounds", "replication", *METRICS]
"""Columns of a table of predictions, a row a simulated replication."""

Adjust = Callable[[dict[str, Any]], dict[str, Any]]
"""Changes a scenario document."""

_PER_DRAW = 4
"""Replications for each draw of the parameters."""


def predict_cells(
    cells: Sequence[Calibrated],
    target: Target,
    replications: int,
    workers: int | Processes = 1,
    progress: Progress | None = None,
    carry_over: bool = True,
    adjust: Adjust | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Simulate calibrated cells at every team size.

    Parameters
    ----------
    cells : sequence of Calibrated
    target : Target
    replications : int
        Of each cell and size.
    workers : int or Processes
        Processes (see `simulator.experiment.pool.in_processes`).
    progress : callable, optional
        Told ``(jobs done, jobs in all)``: a job is a cell at a team size.
    carry_over : bool
        Whether pilot runs are carried over; if not, the prediction is the simulation alone.
    adjust : callable, optional
        Changes every scenario before it is simulated (for ablations).
    seed : int, from 0 to 10^9
        Root of all random numbers.

    Returns
    -------
    DataFrame
        `COLUMNS`, a row a replication; times in seconds.
    """
    return begin_prediction(cells, target, replications, workers, carry_over, adjust, seed)(
        progress
    )


def begin_prediction(
    cells: Sequence[Calibrated],
    target: Target,
    replications: int,
    workers: int | Processes = 1,
    carry_over: bool = True,
    adjust: Adjust | None = None,
    seed: int = 0,
) -> Callable[[Progress | None], pd.DataFrame]:
    """Return a function that does what `predict_cells` does.

    Other processes simulate meanwhile, if they run already.
    """
    teams = target.of(cells)
    jobs = [
        _Job(
            team.cell, team.n, cells[team.cell], target.changes_of(team), replications, adjust, seed
        )
        for team in teams
    ]
    if carry_over:
        known = {(job.number, job.n) for job in jobs if not job.changes}
        alike = [(number, n) for number, cell in enumerate(cells) for n in _sizes(cell.pilot)]
        more = [each for each in alike if each not in known]
        jobs += [_Job(*each, cells[each[0]], {}, replications, adjust, seed) for each in more]
    rows = begin(rows_of, [_draws(job) for job in jobs], workers)

    def finish(progress: Progress | None) -> pd.DataFrame:
        simulated = [as_table(each).head(replications) for each in rows(progress)]
        pilots, trust = _pilots(cells, jobs, simulated) if carry_over else ([], [])
        rng = np.random.default_rng([20261121, seed] if seed else 20261121)
        parts = []
        for team, runs in zip(teams, simulated, strict=False):
            cell, here = cells[team.cell], runs
            limit = team.max_rounds or cell.fit.max_rounds
            if carry_over:
                here = carried_over(pilots[team.cell], here, team.n, limit, trust[team.cell], rng)
            where: dict[str, Any] = {**cell.fit.cell, "n_teammates": team.n, "max_rounds": limit}
            parts.append(here.assign(**where, replication=np.arange(len(here)))[COLUMNS])
        return pd.concat(parts, ignore_index=True)

    return finish


def _pilots(
    cells: Sequence[Calibrated], jobs: Sequence[_Job], simulated: Sequence[pd.DataFrame]
) -> tuple[list[PilotRuns], list[dict[str, float]]]:
    """Return the runs of each cell, real and simulated, and how far to trust their changes."""
    unchanged = {(job.number, job.n): runs for job, runs in zip(jobs, simulated, strict=True)
                 if not job.changes}  # fmt: skip
    known_shares = success_shares([cell.pilot for cell in cells])
    pilots = [
        PilotRuns(
            cell.pilot,
            {n: unchanged[number, n] for n in _sizes(cell.pilot)},
            shares,
            cell.fit.max_rounds,
        )
        for number, (cell, shares) in enumerate(zip(cells, known_shares, strict=True))
    ]
    return pilots, trust_in_changes(pilots)


def _sizes(pilot: pd.DataFrame) -> list[int]:
    return sorted(int(n) for n in pilot["n_teammates"].unique())


@dataclass(frozen=True)
class _Job:
    """One cell at one team size, with the target's changes or as in the pilot."""

    number: int
    n: int
    cell: Calibrated
    changes: Mapping[str, Any]
    replications: int
    adjust: Adjust | None
    seed: int


def _draws(job: _Job) -> list[dict[str, Any]]:
    """Return scenarios of a cell, each with parameters drawn from their uncertainty."""
    cell, changes = job.cell, job.changes
    rng = np.random.default_rng(
        [job.n, sum(cell.fit.name.encode()), *([job.seed] if job.seed else [])]
    )
    scenarios = []
    for draw in range(-(-job.replications // _PER_DRAW)):
        document = cell.fit.draw(rng).scenario(cell.tasks, job.n)
        if job.adjust is not None:
            document = job.adjust(document)
        document |= {"seed": 10_000 * job.seed + draw, "replications": _PER_DRAW}
        scenarios.append(changed(document, changes))
    return scenarios
