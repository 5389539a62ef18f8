"""Predicts runs of calibrated teams that may never have been run.

Parameters are drawn from their uncertainty and simulated, so that a prediction is a distribution.
The pilot's own runs are carried over to the predicted team (see `carry_over`): a prediction is a
mixture of the simulated runs and of the runs carried over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from analysis.calibration.store import Calibrated
from analysis.traces.team_runs import CELL
from analysis.validation.carry_over import carried_over, trust_in_changes
from simulator.experiment import replicate
from simulator.experiment.pool import Progress, in_processes
from simulator.scenario import Scenario, parse_study
from simulator.scenario.source import Source

METRICS = [
    "wall_clock_seconds",
    "total_tokens",
    "total_rounds",
    "success",
    "concurrent_writes",
    "claims_blocked",
    "calls",
]
"""The metrics of a run that are predicted, under the names that real runs have.

Time, tokens and rounds are those of a run as it ends, finished or not, because they are scored
against real runs that were cut off in the same way. They are not the time that the work takes, and
must be read together with ``success``.
"""

COLUMNS = [*CELL, "n_teammates", "replication", *METRICS]
"""Columns of a table of predictions, a row a simulated replication."""

Adjust = Callable[[dict[str, Any]], dict[str, Any]]
"""Changes a scenario document."""

_PER_DRAW = 4
"""Replications for each draw of the parameters."""


@dataclass(frozen=True)
class Target:
    """The teams to predict.

    Attributes
    ----------
    team_sizes : sequence of int
    changes : mapping
        Fields of the calibrated scenario that differ, dotted paths and values.
    """

    team_sizes: Sequence[int]
    changes: Mapping[str, Any]


def predict_cells(
    cells: Sequence[Calibrated],
    target: Target,
    replications: int,
    workers: int = 1,
    progress: Progress | None = None,
    carry_over: bool = True,
    adjust: Adjust | None = None,
) -> pd.DataFrame:
    """Simulate calibrated cells at every team size.

    Parameters
    ----------
    cells : sequence of Calibrated
    target : Target
    replications : int
        Of each cell and size.
    workers : int
        Processes.
    progress : callable, optional
        Told ``(jobs done, jobs in all)``: a job is a cell at a team size.
    carry_over : bool
        Whether pilot runs are carried over; if not, the prediction is the simulation alone.
    adjust : callable, optional
        Changes every scenario before it is simulated (for ablations); a function of a module.

    Returns
    -------
    DataFrame
        `COLUMNS`, a row a replication; times in seconds.
    """
    wanted = [(number, int(n)) for number in range(len(cells)) for n in target.team_sizes]
    alike = [(number, int(n)) for number, cell in enumerate(cells) for n in _sizes(cell.pilot)]
    jobs = [_Job(*each, cells[each[0]], target.changes, replications, adjust) for each in wanted]
    if carry_over:
        known = set() if target.changes else set(wanted)
        more = [each for each in alike if each not in known]
        jobs += [_Job(*each, cells[each[0]], {}, replications, adjust) for each in more]
    simulated = in_processes(_simulate, jobs, workers, progress)
    if carry_over:
        unchanged = {(job.number, job.n): runs for job, runs in zip(jobs, simulated, strict=True)
                     if not job.changes}  # fmt: skip
        of_pilot = [{n: unchanged[number, n] for n in _sizes(cell.pilot)}
                    for number, cell in enumerate(cells)]  # fmt: skip
        trust = trust_in_changes(
            (cell.pilot, runs) for cell, runs in zip(cells, of_pilot, strict=True)
        )
    rng = np.random.default_rng(20261121)
    parts = []
    for (number, n), runs in zip(wanted, simulated, strict=False):
        cell, here = cells[number], runs
        if carry_over:
            here = carried_over(cell.pilot, of_pilot[number], here, n, trust, rng)
        where: dict[str, Any] = {**cell.fit.cell, "n_teammates": n}
        parts.append(here.assign(**where, replication=np.arange(len(here)))[COLUMNS])
    return pd.concat(parts, ignore_index=True)


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


def _simulate(job: _Job) -> pd.DataFrame:
    rows = [
        (
            row.makespan_s,
            row.input_tokens + row.output_tokens,
            row.rounds,
            row.success,
            row.concurrent_writes,
            row.blocked_claims,
            row.calls,
        )
        for scenario in _draws(job)
        for row in replicate(scenario)
    ]
    return pd.DataFrame(rows, columns=METRICS).head(job.replications)


def parse_changes(
    topology: str | None, protocol: str | None, workload: str | None
) -> dict[str, Any]:
    """Return the changes that options of the command line ask for.

    Each is the name of a kind, a mapping in YAML, or a YAML file with one.

    Raises
    ------
    TeamsimError
        If a file cannot be read or is no YAML.
    """
    paths = {
        "topology": topology,
        "coordination.protocol": protocol,
        "workload": workload,
    }
    return {path: _mapping(text) for path, text in paths.items() if text is not None}


def _mapping(text: str) -> Any:
    if text.endswith((".yaml", ".yml")):
        return Source.read(Path(text)).data
    return Source.parse(text, repr(text)).data


def _draws(job: _Job) -> list[Scenario]:
    """Return scenarios of a cell, each with parameters drawn from their uncertainty."""
    cell, changes = job.cell, job.changes
    rng = np.random.default_rng([job.n, sum(cell.fit.name.encode())])
    scenarios = []
    for draw in range(-(-job.replications // _PER_DRAW)):
        document = cell.fit.draw(rng).scenario(cell.tasks, job.n)
        if job.adjust is not None:
            document = job.adjust(document)
        document |= {"seed": draw, "replications": _PER_DRAW}
        scenarios.append(Scenario.model_validate(_changed(document, changes)))
    return scenarios


def _changed(document: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with the fields at dotted paths set."""
    for path, value in changes.items():
        *parents, last = path.split(".")
        node = document
        for key in parents:
            node = node[key]
        node[last] = value
    return document


def check_target(cells: Sequence[Calibrated], target: Target) -> None:
    """Check, before the work is done, that a target gives valid scenarios.

    Raises
    ------
    ScenarioError
        Naming what is wrong, where, and what is allowed.
    """
    for cell in cells:
        for n in target.team_sizes:
            document = _changed(cell.fit.scenario(cell.tasks, int(n)), target.changes)
            study = parse_study(yaml.safe_dump(document), f"prediction of {cell.fit.name}")
            assert study.base.replications
