"""Runs of teams, real and simulated, in the same columns, so that they can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.calibration.observations import observe
from analysis.calibration.store import Calibrated
from analysis.traces.team_runs import CELL, TeamRuns
from simulator.engine import Simulation
from simulator.experiment.pool import Processes, Progress, in_processes
from simulator.model.trace import Event, Trace
from simulator.scenario import Scenario


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


def real(team: TeamRuns) -> Compared:
    """Return real runs in the common columns."""
    calls = observe(team)
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


_MEASURED = [
    "wall_clock_seconds",
    "total_tokens",
    "total_rounds",
    "success",
    "concurrent_writes",
    "idle_rounds",
    "failed_tests",
    "straggler_gap_s",
    "calls",
    "idle_calls",
]
_RUN_COLUMNS = [*CELL, "n_teammates", *_MEASURED]


@dataclass(frozen=True)
class _Job:
    cell: Calibrated
    n: int
    replications: int
    traced: int


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
    jobs = [_Job(cell, n, replications, traced) for cell in cells for n in team_sizes]
    parts = in_processes(_simulate, jobs, workers, progress)
    return Compared(
        pd.concat([runs for runs, _ in parts], ignore_index=True),
        pd.concat([calls for _, calls in parts], ignore_index=True),
    )


def _simulate(job: _Job) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng([job.n, sum(job.cell.fit.name.encode())])
    rows, calls = [], []
    for i in range(job.replications):
        document = job.cell.fit.draw(rng).scenario(job.cell.tasks, job.n)
        simulation = Simulation(Scenario.model_validate({**document, "seed": i}))
        trace = Trace() if i < job.traced else None
        row = simulation.run(0, trace)
        rows.append(
            (
                row.makespan_s,
                row.input_tokens + row.output_tokens,
                row.rounds,
                row.success,
                row.concurrent_writes,
                row.idle_rounds,
                row.failed_tests,
                row.straggler_gap_s if job.n > 1 else np.nan,
                row.calls,
                row.idle_calls,
            )
        )
        if trace is not None:
            calls += _calls(trace)
    runs = pd.DataFrame(rows, columns=_MEASURED).assign(**job.cell.fit.cell)
    shown = pd.DataFrame(calls, columns=["latency_s", "tasks"]).assign(**job.cell.fit.cell)
    return runs.assign(n_teammates=job.n)[_RUN_COLUMNS], shown.assign(n_teammates=job.n)


def _calls(trace: Trace) -> list[tuple[float, int]]:
    """Return duration and number of attempts of each call."""
    attempts: dict[int, int] = {}
    ended = []
    for row in trace.rows:
        if row.event == Event.ATTEMPT and row.call is not None:
            attempts[row.call] = attempts.get(row.call, 0) + 1
        elif row.event == Event.CALL_END and row.call is not None and row.duration_s is not None:
            ended.append((row.duration_s, attempts.get(row.call, 0)))
    return ended
