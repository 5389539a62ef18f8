"""Predicts runs of calibrated teams that may never have been run.

Parameters are drawn from their uncertainty and simulated, so that a prediction is a distribution.
Teams of all sizes have the same draws and random numbers, so that what is between two of them is
known better than either (common random numbers).
The pilot's own runs are carried over to the predicted team (see `carry_over`): a prediction is a
mixture of the simulated runs and of the runs carried over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.cell import CellFit
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
_DRAWS_TOGETHER = 10
"""Draws that are simulated as one job: few, so that no process waits long for the last one."""
_OF_PILOT = 2
"""The pilot's own teams have so many times fewer replications than those that are predicted. With
random numbers of their own, and as many, they made predictions vary as much, by their seed."""


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
        Told how many cells at a team size are done, in part, too, and how many there are.
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
    targets = target.of(cells)
    draws = [_Draws(cell, seed) for cell in cells]
    teams = [
        _Team(team.cell, team.n, draws[team.cell], target.changes_of(team), replications, adjust)
        for team in targets
    ]
    if carry_over:
        known = {(team.number, team.n) for team in teams if not team.changes}
        alike = [(number, n) for number, cell in enumerate(cells) for n in cell.sizes]
        more = [each for each in alike if each not in known]
        fewer = -(-replications // _OF_PILOT)
        teams += [_Team(*each, draws[each[0]], {}, fewer, adjust) for each in more]
    jobs = sum(team.jobs for team in teams)
    rows = begin(rows_of, chain.from_iterable(map(_jobs, teams)), workers)

    def finish(progress: Progress | None) -> pd.DataFrame:
        def tell(done: float, _: int) -> None:
            if progress is not None:
                progress(done * len(teams) / jobs, len(teams))

        of_jobs = iter(rows(tell))
        simulated = [
            as_table(chain.from_iterable(islice(of_jobs, team.jobs))).head(team.replications)
            for team in teams
        ]
        pilots, trust = _pilots(cells, teams, simulated) if carry_over else ([], [])
        rng = np.random.default_rng([20261121, seed] if seed else 20261121)
        parts, where = [], []
        for team, runs in zip(targets, simulated, strict=False):
            cell, here = cells[team.cell], runs
            limit = team.max_rounds or cell.fit.max_rounds
            if carry_over:
                here = carried_over(pilots[team.cell], here, team.n, limit, trust[team.cell], rng)
            parts.append(here)
            where.append({**cell.fit.cell, "n_teammates": team.n, "max_rounds": limit})
        return _with_teams(parts, where)

    return finish


def _with_teams(parts: Sequence[pd.DataFrame], where: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return the runs of all teams in one table, with what each team is."""
    table = pd.concat(parts, ignore_index=True)
    counts = [len(part) for part in parts]
    of_run = pd.DataFrame(where).loc[np.repeat(np.arange(len(where)), counts)]
    table["replication"] = np.concatenate([np.arange(count) for count in counts])
    return table.join(of_run.reset_index(drop=True))[COLUMNS]


def _pilots(
    cells: Sequence[Calibrated], teams: Sequence[_Team], simulated: Sequence[pd.DataFrame]
) -> tuple[list[PilotRuns], list[dict[str, float]]]:
    """Return the runs of each cell, real and simulated, and how far to trust their changes."""
    unchanged = {(team.number, team.n): runs for team, runs in zip(teams, simulated, strict=True)
                 if not team.changes}  # fmt: skip
    known_shares = success_shares([cell.pilot for cell in cells])
    pilots = [
        PilotRuns(
            cell.pilot,
            {n: unchanged[number, n] for n in cell.sizes},
            shares,
            cell.fit.max_rounds,
        )
        for number, (cell, shares) in enumerate(zip(cells, known_shares, strict=True))
    ]
    return pilots, trust_in_changes(pilots)


class _Draws:
    """Fits of a cell, drawn from their uncertainty: the same for its teams of all sizes."""

    def __init__(self, cell: Calibrated, seed: int) -> None:
        self.cell, self.seed = cell, seed
        self._rng = np.random.default_rng([sum(cell.fit.name.encode()), *([seed] if seed else [])])
        self._made: list[CellFit] = []

    def fit(self, number: int) -> CellFit:
        """Return one of the draws; each is made once."""
        while len(self._made) <= number:
            self._made.append(self.cell.fit.draw(self._rng))
        return self._made[number]


@dataclass(frozen=True)
class _Team:
    """One cell at one team size, with the target's changes or as in the pilot."""

    number: int
    n: int
    draws: _Draws
    changes: Mapping[str, Any]
    replications: int
    adjust: Adjust | None

    @property
    def draws_made(self) -> int:
        """How many draws of the parameters its replications take."""
        return -(-self.replications // _PER_DRAW)

    @property
    def jobs(self) -> int:
        """How many jobs they are."""
        return -(-self.draws_made // _DRAWS_TOGETHER)


def _jobs(team: _Team) -> Iterator[list[dict[str, Any]]]:
    """Yield the scenarios that one process simulates in a row."""
    scenarios = _scenarios(team)
    while some := list(islice(scenarios, _DRAWS_TOGETHER)):
        yield some


def _scenarios(team: _Team) -> Iterator[dict[str, Any]]:
    """Yield scenarios of a cell, each with parameters drawn from their uncertainty."""
    draws = team.draws
    for draw in range(team.draws_made):
        document = draws.fit(draw).scenario(draws.cell.tasks, team.n)
        if team.adjust is not None:
            document = team.adjust(document)
        document |= {"seed": 10_000 * draws.seed + draw, "replications": _PER_DRAW}
        yield changed(document, team.changes)
