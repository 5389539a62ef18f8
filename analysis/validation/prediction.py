"""Predicts runs of calibrated teams that may never have been run.

Parameters are drawn from their uncertainty and simulated, so that a prediction is a distribution.
The pilot's own runs hold more information than the parameters fitted to them. So each run is
carried over to the predicted team by quantile delta mapping (Cannon, Sobie & Murdock 2015): it is
changed as the simulator changes a run of its rank. How far such changes can be trusted is measured
within the pilot, if it has several team sizes, by the regression of observed on simulated changes
between them. A prediction is a mixture of the simulated runs and of the runs carried over.
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
from simulator.distributions import Floats
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

MAPPED = ["wall_clock_seconds", "total_tokens", "total_rounds"]
"""Metrics that are carried over from pilot runs, on a log scale."""

Adjust = Callable[[dict[str, Any]], dict[str, Any]]
"""Changes a scenario document."""

_PER_DRAW = 4
"""Replications for each draw of the parameters."""
_MECHANISM_ALONE = 0.35
"""Share of replications that come from the simulation alone, not from single pilot runs."""
_NEARNESS = 0.8
"""Pilot teams have the weight ``exp(-|log(n / target)| / nearness)``: near sizes count more."""
_DOUBT = 0.5
"""Standard deviation of the prior of the share of a simulated change that is observed."""
_JITTER = 0.1
"""Spread (log) around a pilot run carried over: the kernel of the smoothed bootstrap."""


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
    jobs = []
    for number, cell in enumerate(cells):
        for n in target.team_sizes:
            jobs.append(_Job(number, cell, int(n), target.changes, "target", replications, adjust))
        if carry_over:
            for n in sorted(cell.pilot["n_teammates"].unique()):
                if target.changes or n not in target.team_sizes:
                    jobs.append(_Job(number, cell, int(n), {}, "pilot", replications, adjust))
    simulated = pd.concat(in_processes(_simulate, jobs, workers, progress), ignore_index=True)
    trust = _trust(cells, simulated) if carry_over else {}
    rng = np.random.default_rng(20261121)
    parts = []
    for number, cell in enumerate(cells):
        mine = simulated[simulated["cell"] == number]
        for n in target.team_sizes:
            here = mine[(mine["kind"] == "target") & (mine["n"] == n)]
            if carry_over:
                differs = bool(target.changes)
                here = _carried_over(cell.pilot, mine, here, int(n), differs, trust, rng)
            here = here.assign(**cell.fit.cell).assign(n_teammates=int(n))
            parts.append(here.assign(replication=np.arange(len(here)))[COLUMNS])
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class _Job:
    """One cell at one team size, with the target's changes or as in the pilot."""

    number: int
    cell: Calibrated
    n: int
    changes: Mapping[str, Any]
    kind: str
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
    frame = pd.DataFrame(rows, columns=METRICS).head(job.replications)
    return frame.assign(cell=job.number, kind=job.kind, n=job.n)


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


def _carried_over(
    pilot: pd.DataFrame,
    simulated: pd.DataFrame,
    here: pd.DataFrame,
    n: int,
    differs: bool,
    trust: Mapping[str, float],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the replications `here`, with most of them replaced by pilot runs carried over."""
    sizes = pilot["n_teammates"].to_numpy(dtype=float)
    counts = pilot.groupby("n_teammates")["n_teammates"].transform("size").to_numpy()
    weights = np.exp(-np.abs(np.log(sizes / n)) / _NEARNESS) / counts
    chosen = rng.choice(len(pilot), len(here), p=weights / weights.sum())
    alone = rng.random(len(here)) < _MECHANISM_ALONE
    jitter = _JITTER * rng.standard_normal(len(here))
    columns: dict[str, Floats] = {}
    for metric in MAPPED:
        real = np.log(np.maximum(_of_pilot(pilot, metric), 1e-9))
        target = _logs(here, metric)
        carried = np.empty(len(pilot))
        for size in np.unique(sizes):
            there = _logs(_of_size(simulated, int(size), differs), metric)
            same = sizes == size
            carried[same] = real[same] + trust[metric] * _change(real[same], there, target)
        values = np.where(alone, target, carried[chosen] + jitter)
        if metric == "total_rounds":
            values = np.log(np.maximum(1.0, np.round(np.exp(values))))
        columns[metric] = np.exp(values)
    columns["success"] = _success(pilot, simulated, here, alone, chosen, differs, rng)
    return here.assign(**columns)


def _trust(cells: Sequence[Calibrated], simulated: pd.DataFrame) -> dict[str, float]:
    """Return for each metric the share of a simulated change that is observed, 0 to 1.

    It is the regression through the origin of observed changes (log means), between neighbouring
    team sizes of the pilot, on simulated ones, with a prior of 1 +- `_DOUBT`.
    """
    trust = {}
    for metric in MAPPED:
        precision, product = _DOUBT**-2, _DOUBT**-2
        for number, cell in enumerate(cells):
            mine = simulated[simulated["cell"] == number]
            logs = pd.Series(np.log(np.maximum(_of_pilot(cell.pilot, metric), 1e-9)))
            seen = logs.groupby(cell.pilot["n_teammates"].to_numpy()).agg(["mean", "var", "size"])
            means = [_logs(_of_size(mine, int(n), True), metric).mean() for n in seen.index]
            variance = np.maximum(seen["var"].fillna(0.25), 0.01) / seen["size"]
            noise = variance.to_numpy()[1:] + variance.to_numpy()[:-1]
            expected, found = np.diff(means), np.diff(seen["mean"])
            precision += float((expected**2 / noise).sum())
            product += float((expected * found / noise).sum())
        trust[metric] = float(np.clip(product / precision, 0.0, 1.0))
    return trust


def _of_size(simulated: pd.DataFrame, size: int, differs: bool) -> pd.DataFrame:
    kind = "pilot" if differs else "target"
    there = simulated[(simulated["n"] == size) & (simulated["kind"] == kind)]
    return there if len(there) else simulated[simulated["n"] == size]


def _change(values: Floats, before: Floats, after: Floats) -> Floats:
    """Return the change from `before` to `after` at the ranks that `values` have in `before`."""
    ordered = np.sort(before)
    middle = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    rank = np.clip(middle / (2.0 * len(ordered)), 0.02, 0.98)
    return np.asarray(np.quantile(after, rank) - np.quantile(ordered, rank))


def _success(
    pilot: pd.DataFrame,
    simulated: pd.DataFrame,
    here: pd.DataFrame,
    alone: np.ndarray[Any, np.dtype[np.bool_]],
    chosen: np.ndarray[Any, np.dtype[np.int64]],
    differs: bool,
    rng: np.random.Generator,
) -> Floats:
    """Return successes: simulated ones, or draws with the pilot's odds, changed as simulated.

    Half a success and half a failure are added to the pilot's counts at each size (Jeffreys). The
    logit of this share is then changed by as much as the simulator changes it.
    """
    target = _logit(here["success"])
    odds = {}
    for size in pilot["n_teammates"].unique().tolist():
        runs = pilot[pilot["n_teammates"] == size]
        there = _of_size(simulated, int(size), differs)
        odds[size] = _logit(runs["success"]) + target - _logit(there["success"])
    probability = 1.0 / (1.0 + np.exp(-pilot["n_teammates"].map(odds).to_numpy()))
    carried = rng.random(len(here)) < probability[chosen]
    return np.asarray(np.where(alone, here["success"].to_numpy(dtype=bool), carried))


def _logit(happened: pd.Series) -> float:
    hits, misses = float(happened.sum()) + 0.5, float((~happened.astype(bool)).sum()) + 0.5
    return float(np.log(hits / misses))


def _logs(runs: pd.DataFrame, metric: str) -> Floats:
    return np.asarray(np.log(np.maximum(runs[metric].to_numpy(dtype=float), 1e-9)))


def _of_pilot(pilot: pd.DataFrame, metric: str) -> Floats:
    if metric == "total_tokens":
        total = pilot["total_input_tokens"] + pilot["total_output_tokens"]
        return np.asarray(total, dtype=np.float64)
    return np.asarray(pilot[metric], dtype=np.float64)
