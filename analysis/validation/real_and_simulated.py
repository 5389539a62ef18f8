"""Runs of teams, real and simulated, in the same columns, so that they can be compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.checked_runs import MEASURED, Team, checked_runs
from analysis.calibration.observations import observe
from analysis.calibration.store import Calibrated
from analysis.traces.team_runs import CELL, TeamRuns
from simulator.experiment.pool import Processes, Progress, begin


@dataclass(frozen=True)
class Compared:
    """Runs and calls.

    Attributes
    ----------
    runs : DataFrame
        A row a run: `CELL`, ``n_teammates, wall_clock_seconds, total_tokens, total_rounds,
        success, concurrent_writes, idle_rounds, failed_tests, straggler_gap_s, calls,
        idle_calls``.
    calls : DataFrame
        A row a call: `CELL`, ``n_teammates, latency_s, tasks`` (0: idle).
    """

    runs: pd.DataFrame
    calls: pd.DataFrame


def real(team: TeamRuns, calls: pd.DataFrame | None = None) -> Compared:
    """Return real runs in the common columns; `calls`, as observed, need not be observed again."""
    calls = observe(team) if calls is None else calls
    by_round = calls.groupby(["run_dir", "round"]).agg(
        done=("completed", "sum"),
        longest=("latency_s", "max"),
        mean=("latency_s", "mean"),
        agents=("agent", "size"),
    )
    together = by_round[by_round["agents"] > 1]
    gap = (together["longest"] - together["mean"]).groupby(level="run_dir").mean()
    idle_rounds = (by_round["done"] == 0).groupby(level="run_dir").sum()
    by_run = calls.groupby("run_dir").agg(
        failed_tests=("failed_tests", "sum"), idle_calls=("is_idle", "sum")
    )
    runs = team.runs.assign(
        total_tokens=team.runs["total_input_tokens"] + team.runs["total_output_tokens"]
    ).set_index("run_dir")
    runs = runs.join(by_run).assign(straggler_gap_s=gap, idle_rounds=idle_rounds)
    shown = calls.rename(columns={"attempts": "tasks"})[
        [*CELL, "n_teammates", "latency_s", "tasks"]
    ]
    return Compared(runs.reset_index()[_RUN_COLUMNS], shown)


_RUN_COLUMNS = [*CELL, "n_teammates", *MEASURED]


def simulated(
    cells: Sequence[Calibrated],
    team_sizes: Sequence[int],
    replications: int,
    traced: int = 5,
    workers: int | Processes = 1,
    progress: Progress | None = None,
) -> Compared:
    """Simulate calibrated cells, each replication with parameters of its own.

    Parameters
    ----------
    cells : sequence of Calibrated
    team_sizes : sequence of int
    replications : int
        Runs of each cell and size.
    traced : int
        Of those, how many also give their calls.
    workers, progress
        As for `simulator.experiment.pool.in_processes`.
    """
    return begin_simulated(cells, team_sizes, replications, traced, workers)(progress)


def begin_simulated(
    cells: Sequence[Calibrated],
    team_sizes: Sequence[int],
    replications: int,
    traced: int = 5,
    workers: int | Processes = 1,
) -> Callable[[Progress | None], Compared]:
    """Return a function that does what `simulated` does.

    Other processes simulate meanwhile, if they run already.
    """
    teams = [(cell, n) for cell in cells for n in team_sizes]
    parts = begin(checked_runs, (_team(*each, replications, traced) for each in teams), workers)

    def finish(progress: Progress | None) -> Compared:
        runs, calls = [], []
        for (cell, n), (rows, ended) in zip(teams, parts(progress), strict=True):
            where: dict[str, Any] = {**cell.fit.cell, "n_teammates": n}
            if n == 1:  # nobody to wait for
                where["straggler_gap_s"] = np.nan
            runs.append(pd.DataFrame(rows, columns=MEASURED).assign(**where)[_RUN_COLUMNS])
            shown = pd.DataFrame(ended, columns=["latency_s", "tasks"])
            calls.append(shown.assign(**cell.fit.cell, n_teammates=n))
        return Compared(pd.concat(runs, ignore_index=True), pd.concat(calls, ignore_index=True))

    return finish


def _team(cell: Calibrated, n: int, replications: int, traced: int) -> Team:
    rng = np.random.default_rng([n, sum(cell.fit.name.encode())])
    documents = [
        {**cell.fit.draw(rng).scenario(cell.tasks, n), "seed": i} for i in range(replications)
    ]
    return Team(documents, traced)
