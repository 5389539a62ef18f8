"""Predicts runs under a protocol from runs under another, of which only the totals are known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.calibration.analogues import Analogues
from analysis.calibration.protocol_names import has_claims, protocol_called
from analysis.calibration.run_fits import SCALED, RunFit, candidates
from analysis.calibration.run_teams import NAMES, TeamJob, TeamOf, run_team
from analysis.traces.named_tables import read_parquet, stored_in, with_stored
from analysis.traces.run_tables import MEASURES
from analysis.validation.scores import (
    brier,
    brier_again,
    coverage_of,
    covers,
    mean_crps,
    ratio_to_again,
    running_again,
)
from simulator.distributions import Floats
from simulator.errors import TeamsimError
from simulator.experiment.pool import Processes, Progress, in_processes

TEAM = ["model", "task_list", "protocol", "n"]
COLUMNS = [*TEAM, "replication", *NAMES.values()]
"""Columns of a table of predicted runs, a row a simulated run; seconds, tokens."""

_PILOT = b"teamsim.pilot_of_totals"


@dataclass(frozen=True)
class RunTarget:
    """What is to be predicted of every model and task list.

    Attributes
    ----------
    protocols : sequence of str
        Names; each fit's own if there are none.
    sizes : sequence of int
        Team sizes; each fit's own if there are none.
    meant : mapping
        What names of protocols mean, as for `protocol_called`.
    max_rounds : int or None
    topology : mapping, str or None
    """

    protocols: Sequence[str]
    sizes: Sequence[int]
    meant: Mapping[str, Any]
    max_rounds: int | None = None
    topology: Any = None


def predict_runs(
    fits: Sequence[RunFit],
    analogues: Analogues,
    target: RunTarget,
    replications: int,
    workers: int | Processes = 1,
    progress: Progress | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Simulate the teams of every model and task list, under each protocol and of each size.

    The fit is that of the protocol itself, if there is one, else of one in the same mode (tasks
    dealt out, or claimed), else of the other mode.

    Returns
    -------
    DataFrame
        `COLUMNS`.
    """
    jobs: list[TeamJob] = []
    labels: list[tuple[str, str, str, int]] = []
    for model, task_list in dict.fromkeys((fit.model, fit.task_list) for fit in fits):
        own = [fit for fit in fits if (fit.model, fit.task_list) == (model, task_list)]
        for name in target.protocols or [fit.protocol for fit in own]:
            spec = protocol_called(name, target.meant)
            fit = nearest_fit(own, name, spec)
            for n in target.sizes or fit.sizes:
                some = _jobs(fit, analogues, spec, n, target, replications, seed)
                jobs += some
                labels += [(model, task_list, name, n)] * len(some)
    tables = in_processes(run_team, jobs, workers, progress)
    parts = [
        rows.assign(model=label[0], task_list=label[1], protocol=label[2], n=label[3])
        for rows, label in zip(tables, labels, strict=True)
    ]
    table = pd.concat(parts, ignore_index=True)
    table["replication"] = table.groupby(TEAM).cumcount()
    return table[COLUMNS]


def nearest_fit(fits: Sequence[RunFit], protocol: str, spec: Mapping[str, Any]) -> RunFit:
    """Return the fit that says most of a protocol, that of most runs among equals."""
    claims = has_claims(spec)
    return max(fits, key=lambda fit: (fit.protocol == protocol, fit.claims == claims, fit.runs))


def _jobs(
    fit: RunFit,
    analogues: Analogues,
    spec: dict[str, Any],
    n: int,
    target: RunTarget,
    replications: int,
    seed: int,
) -> list[TeamJob]:
    """Return the replications of a team, shared out over the analogues by their weights."""
    claims = has_claims(spec)
    there, _ = candidates(analogues, fit.model, claims)
    matches = [match for match in fit.matches if match.analogue in there]
    weights = np.asarray([match.weight for match in matches])
    counts = _shared_out(weights / weights.sum(), replications)
    jobs = []
    for match, count in zip(matches, counts, strict=True):
        like = analogues.found[match.analogue]
        agent = like.fit(claims)
        if not count or agent is None:
            continue
        gaps, errors = carried(fit, match.gaps, analogues, claims)
        limit = target.max_rounds or fit.max_rounds
        team = TeamOf(agent, like.tasks, spec, n, limit, target.topology)
        jobs.append(TeamJob(team, count, 100_000 * seed + 1000 + match.analogue, gaps, errors))
    return jobs


def _shared_out(weights: Floats, count: int) -> list[int]:
    """Return whole numbers in proportion to weights, with `count` as their sum."""
    edges = np.round(np.cumsum(weights) * count).astype(int)
    return [int(each) for each in np.diff(edges, prepend=0)]


def carried(
    fit: RunFit, gaps: Mapping[str, float], analogues: Analogues, claims: bool
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the logarithms of the factors of a predicted team, and their standard errors.

    A gap has the error of the runs' mean, against the spread between task lists. In the other mode
    only a share of it is found, with a spread of its own; the spread of the analogues is already
    part of the prediction, as far as there are several of them.
    """
    found, errors = {}, {}
    for name in SCALED:
        if name not in gaps:
            continue
        carry = analogues.carry[fit.claims]
        between = 2.0 * analogues.spread(fit.claims, name) ** 2
        kept = between / (between + fit.errors[name] ** 2)
        mean, variance = kept * gaps[name], kept * fit.errors[name] ** 2
        if claims != fit.claims:
            mean *= carry.share[name]
            variance *= carry.share[name] ** 2
            variance += carry.spread[name] ** 2 / fit.effective
        found[name], errors[name] = mean, float(np.sqrt(variance))
    return found, errors


def write_predicted_runs(table: pd.DataFrame, pilot: pd.DataFrame, path: Path) -> None:
    """Write predicted runs, with the runs that were calibrated on in the file's metadata."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    rows = json.loads(pilot.to_json(orient="split", index=False, double_precision=15))
    pq.write_table(with_stored(arrow, _PILOT, rows), path)


def is_of_totals(path: Path) -> bool:
    """Return whether a file has runs predicted from totals."""
    try:
        return _PILOT in (pq.read_schema(path).metadata or {})
    except (OSError, ValueError):
        return False


def read_predicted_runs(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what `write_predicted_runs` wrote.

    Raises
    ------
    TeamsimError
        If it is no such file, or damaged.
    """
    table = read_parquet(path, COLUMNS, ["n", *NAMES.values()])
    stored = stored_in(path, _PILOT)
    if stored is None:
        raise TeamsimError(f"{path} does not say which runs it is from: write it with predict")
    return table, pd.DataFrame(stored["data"], columns=stored["columns"])


def score_runs(predicted: pd.DataFrame, runs: pd.DataFrame, pilot: pd.DataFrame) -> pd.DataFrame:
    """Score predicted runs against real ones, beside running them again and the pilot's runs.

    Parameters
    ----------
    predicted : DataFrame
        As `predict_runs` returns it.
    runs : DataFrame
        Real runs, as of a `RunTable`.
    pilot : DataFrame
        The runs that were calibrated on.

    Returns
    -------
    DataFrame
        A row for each team and measure: mean CRPS of the logarithm (Brier score of ``success``) of
        the real runs, ``predicted``, run ``again``, and by the ``pilot``'s runs of the same model
        and task list, those of the same protocol if there are any; and whether 80 % intervals hold
        (``in 80 %``).
    """
    rows = []
    for key, truth in runs.groupby(TEAM):
        team = dict(zip(TEAM, key, strict=True))
        forecast = predicted[(predicted[TEAM] == pd.Series(team)).all(axis=1)]
        same = (pilot["model"] == team["model"]) & (pilot["task_list"] == team["task_list"])
        alike = same & (pilot["protocol"] == team["protocol"])
        own = pilot[alike if alike.any() else same]
        if forecast.empty:
            continue
        for name in (*MEASURES, "success"):
            seen, guess, before = (
                each[name].dropna().to_numpy(dtype=float) for each in (truth, forecast, own)
            )
            if not len(seen) or not len(guess):
                continue
            row = {**team, "measure": name, "runs": len(seen)}
            if name == "success":
                row |= {"predicted": brier(float(guess.mean()), seen), "again": brier_again(seen)}
                row["pilot"] = brier(float(before.mean()), seen) if len(before) else np.nan
            else:
                seen, guess, before = np.log(seen), np.log(np.maximum(guess, 1e-9)), np.log(before)
                row |= {"predicted": mean_crps(guess, seen), "again": running_again(seen)}
                row["pilot"] = mean_crps(before, seen) if len(before) else np.nan
                row["in 80 %"] = covers(guess, seen, 0.8)
            rows.append(row)
    return pd.DataFrame(rows)


def summary_of(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the means over teams of each measure, and the ratio to running it again.

    Its 95 % interval (``ratio_low, ratio_high``) is over models, task lists and protocols, and so
    is that of how many runs are in their 80 % intervals (``in 80 %, low`` and ``in 80 %, high``).
    """
    whole = scores[scores["again"].notna()]
    means = whole.groupby("measure", sort=False)[["again", "predicted", "pilot", "in 80 %"]].mean()
    means.insert(0, "teams", whole.groupby("measure").size())
    of_fits = TEAM[:-1]  # all but the size
    ratios = {name: ratio_to_again(rows, of_fits) for name, rows in whole.groupby("measure")}
    for name, end in (("ratio", "estimate"), ("ratio_low", "low"), ("ratio_high", "high")):
        means[name] = [getattr(ratios[measure], end) for measure in means.index]
    of_measure = [whole[whole["measure"] == measure] for measure in means.index]
    inside = [coverage_of(rows, "in 80 %", of_fits) for rows in of_measure]
    for end in ("low", "high"):
        means[f"in 80 %, {end}"] = [getattr(each, end) for each in inside]
    return means.reset_index()
