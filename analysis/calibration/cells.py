"""One fit a cell: what the simulated agents need, as a scenario.

The unit is the reply. How many tasks it attempted depends on who hands them out:

* Agents that claim tasks themselves attempt ``max(edits, claims + blocked claims, completions,
  1)`` in a reply that did anything; duplicates and blocked claims are attempts too.
* Pre-assigned agents own their tasks, so that a reply attempts what it completes. A reply that
  completes nothing although its agent has tasks left is idle.

Everything is estimated directly from replies and runs, but for two habits of self-claiming
agents that leave no direct trace (`deference` and the `noise` of their choice): those are set
so that simulated idle replies and concurrent writes match the real ones (see `matching`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from scipy import stats

from analysis.calibration.latency import (
    FEWEST,
    Floats,
    LatencyFit,
    Residual,
    fit_latency,
    fit_residual,
)
from analysis.calibration.rounding import four_digits
from analysis.calibration.tokens import TokenFit, fit_tokens
from analysis.traces.llm_teams import CELL, TeamRuns, read_team_runs
from simulator.errors import TeamsimError
from simulator.model.protocols.pre_assigned import PreAssigned
from simulator.model.tasks import Task, TaskGraph

SELF_CLAIM = "decentralized"
"""The mode in which agents claim tasks themselves; the others are pre-assigned."""

MAX_ROUNDS = 60
"""The harness gives up after as many rounds."""


@dataclass(frozen=True)
class CellFit:
    """What was estimated for one cell, all team sizes together."""

    cell: dict[str, str]
    runs: int
    latency: LatencyFit
    idle_median_s: float
    idle_residual: Residual
    batch: dict[int, float]
    """Tasks a reply takes on, and their probabilities."""
    error: float
    """Probability that an attempt that could succeed does not."""
    error_run_sigma: float
    dependency_blindness: float
    idle: float
    """Probability that a reply takes no task although its agent has one."""
    idle_run_sigma: float
    deference: float
    noise: float
    overhead_s: float
    tokens: TokenFit

    @property
    def name(self) -> str:
        """The cell's name, also of its scenario and its file."""
        return "-".join(self.cell[key] for key in CELL)

    @property
    def claims_itself(self) -> bool:
        """Whether agents claim tasks themselves."""
        return self.cell["mode"] == SELF_CLAIM

    def agent(self) -> dict[str, Any]:
        """Return the simulated agent, as a scenario says it."""
        fit = self.latency
        return {
            "latency": {
                "kind": "seconds",
                "base": four_digits(fit.base_s),
                "per_work_unit_s": four_digits(fit.per_task_s),
                "residual": fit.residual.spec(),
                "idle": self.idle_residual.spec(self.idle_median_s),
            },
            "batch": {
                "kind": "empirical",
                "values": list(self.batch),
                "weights": [four_digits(weight) for weight in self.batch.values()],
            },
            **self.tokens.spec(),
            "behaviour": {
                "idle": {
                    "probability": four_digits(self.idle),
                    "run_sigma": four_digits(self.idle_run_sigma),
                },
                "deference": four_digits(self.deference),
                "chatter": 1,
                "dependency_blindness": four_digits(self.dependency_blindness),
            },
            "errors": {
                "probability": {
                    "probability": four_digits(self.error),
                    "run_sigma": four_digits(self.error_run_sigma),
                },
                "detection": 1,
            },
        }

    def scenario(self, tasks: list[dict[str, Any]], size: int = 1) -> dict[str, Any]:
        """Return the cell as a scenario of `size` agents on `tasks`."""
        protocol: dict[str, Any] = {"kind": "pre_assigned"}
        if self.claims_itself:
            protocol = {"kind": "self_claim", "choice": "noisy", "noise": four_digits(self.noise)}
        return {
            "name": self.name,
            "question": f"What do teams of {self.cell['model_dir']} make of this task list?",
            "seed": 1,
            "replications": 200,
            "team": {"size": size, "agent": self.agent()},
            "topology": "decentralised",
            "coordination": {
                "protocol": protocol,
                "timing": "rounds",
                "round_overhead_s": four_digits(self.overhead_s),
            },
            "workload": {"kind": "dag", "tasks": tasks},
            "limits": {"max_rounds": MAX_ROUNDS},
        }

    def report(self) -> dict[str, Any]:
        """Return the fit as a row of the report."""
        residual = self.latency.residual
        mean_batch = sum(size * weight for size, weight in self.batch.items())
        return {
            **self.cell,
            "runs": self.runs,
            "calls": self.latency.calls,
            "base_s": self.latency.base_s,
            "per_task_s": self.latency.per_task_s,
            "residual": residual.kind,
            "residual_scale": residual.scale,
            "residual_ks": residual.ks,
            "residual_aic_gain": residual.aic_gain,
            "run_sigma": residual.run_sigma,
            "idle_s": self.idle_median_s,
            "batch_mean": mean_batch,
            "error": self.error,
            "error_run_sigma": self.error_run_sigma,
            "blindness": self.dependency_blindness,
            "idle": self.idle,
            "idle_run_sigma": self.idle_run_sigma,
            "deference": self.deference,
            "noise": self.noise,
            "overhead_s": self.overhead_s,
            "system_tokens": self.tokens.system,
            "retention": self.tokens.retention,
            "message_tokens": self.tokens.message,
            "output_tokens": self.tokens.output,
            "output_tokens_per_task": self.tokens.per_task,
            "input_error": self.tokens.input_error,
        }


def calibrate_directory(
    directory: Path, out: Path, progress: Callable[[int, int], None] | None = None
) -> pd.DataFrame:
    """Fit every cell of a directory of real runs; write one scenario a cell and a report.

    Returns
    -------
    DataFrame
        The report, a row a cell; also in ``OUT/fit_report.csv``.

    Raises
    ------
    TeamsimError
        If the directory cannot be read or `out` cannot be written.
    """
    real = read_team_runs(directory)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TeamsimError(f"{out} cannot be made: {error.strerror}") from None
    fits = fit_cells(real, progress=progress)
    for fit in fits:
        tasks = real.tasks[fit.cell["task_type"], fit.cell["p_label"]]
        document = fit.scenario(tasks)
        header = (
            f"# Fitted by `teamsim calibrate` to {fit.runs} runs in {directory.resolve().name}\n"
        )
        text = yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=100)
        (out / f"{fit.name}.yaml").write_text(header + text, encoding="utf-8")
    write_profiles(real, fits, out / "profiles")
    report = pd.DataFrame([fit.report() for fit in fits])
    report.to_csv(out / "fit_report.csv", index=False)
    cells = pd.DataFrame([{"scenario": f"{fit.name}.yaml", **fit.cell} for fit in fits])
    cells.to_csv(out / "cells.csv", index=False)
    return report


def write_profiles(real: TeamRuns, fits: Sequence[CellFit], directory: Path) -> None:
    """Write one agent profile for each model and mode, its cells pooled.

    The two matched habits are the medians over the cells.
    """
    directory.mkdir(exist_ok=True)
    calls = _with_attempts(real)
    for (model, mode), runs in real.runs.groupby(["model_dir", "mode"]):
        mine = calls[calls["run_dir"].isin(runs["run_dir"])]
        cell = {"model_dir": str(model), "mode": str(mode), "task_type": "all", "p_label": "all"}
        same = [fit for fit in fits if (fit.cell["model_dir"], fit.cell["mode"]) == (model, mode)]
        deference, noise = (
            float(np.median([getattr(fit, habit) for fit in same]))
            for habit in ("deference", "noise")
        )
        pooled = with_habits(fit_cell(cell, runs, mine, mine), deference, noise)
        source = (
            f"fitted by teamsim calibrate to {len(runs)} runs and {len(mine)} calls of {model}, "
            f"{mode}, teams of {runs['n_teammates'].min()} to {runs['n_teammates'].max()}"
        )
        if pooled.claims_itself:
            source += f"; choice noise {four_digits(noise)}"
        text = yaml.safe_dump(
            {"source": source, **pooled.agent()},
            sort_keys=False,
            default_flow_style=None,
            width=100,
        )
        (directory / f"{model}-{mode}.yaml").write_text(text, encoding="utf-8")


def fit_cells(
    real: TeamRuns, match: bool = True, progress: Callable[[int, int], None] | None = None
) -> list[CellFit]:
    """Return the fit of every cell.

    Parameters
    ----------
    real : TeamRuns
    match : bool
        Whether to set, by simulation, what replies alone do not show.
    progress : callable, optional
        Told ``(cells done, cells in all)``.
    """
    from analysis.calibration.matching import match_habits  # it simulates cells, hence knows them

    calls = _with_attempts(real)
    fits = []
    cells = real.runs.groupby(CELL, sort=True)
    for key, runs in cells:
        cell = dict(zip(CELL, (str(part) for part in key), strict=True))
        mine = calls[calls["run_dir"].isin(runs["run_dir"])]
        pool = calls[(calls["model_dir"] == cell["model_dir"]) & (calls["mode"] == cell["mode"])]
        fit = fit_cell(cell, runs, mine, pool)
        if match and fit.claims_itself:
            tasks = real.tasks[cell["task_type"], cell["p_label"]]
            fit = match_habits(fit, tasks, runs, mine)
        fits.append(fit)
        if progress is not None:
            progress(len(fits), cells.ngroups)
    return fits


def fit_cell(
    cell: dict[str, str], runs: pd.DataFrame, calls: pd.DataFrame, pool: pd.DataFrame
) -> CellFit:
    """Fit one cell from its runs and replies; `pool` lends where the cell has too few.

    Parameters
    ----------
    cell : dict
        The cell's keys.
    runs : DataFrame
        A row a run of the cell.
    calls : DataFrame
        A row a reply of the cell, with ``attempts``.
    pool : DataFrame
        Replies of the same model and mode.
    """
    working, idle = calls[calls["attempts"] > 0], calls[calls["attempts"] == 0]
    if len(working) < FEWEST:
        working = pool[pool["attempts"] > 0]
    if len(idle) < FEWEST:
        idle = pool[pool["attempts"] == 0]
    idle_median, idle_residual = _idle_latency(idle)
    error, error_run_sigma = _errors(working, cell["mode"])
    idle_p, idle_run_sigma = _idleness(calls, cell["mode"])
    return CellFit(
        cell=cell,
        runs=len(runs),
        latency=fit_latency(working),
        idle_median_s=idle_median,
        idle_residual=idle_residual,
        batch=_batch(working),
        error=error,
        error_run_sigma=error_run_sigma,
        dependency_blindness=_blindness(working, cell["mode"]),
        idle=idle_p,
        idle_run_sigma=idle_run_sigma,
        deference=0.0,
        noise=0.5,
        overhead_s=_overhead(runs, calls),
        tokens=fit_tokens(runs, calls.groupby("run_dir")["attempts"].sum()),
    )


def _with_attempts(real: TeamRuns) -> pd.DataFrame:
    """Return the replies with ``attempts`` and ``left``, the tasks still to be done by then.

    What is left is counted at the start of the round: of the agent's own tasks where they were
    assigned, else of all.
    """
    calls = real.calls
    claims_itself = (calls["mode"] == SELF_CLAIM).to_numpy()
    active = calls[["edits", "claims", "blocked", "completed", "tests"]].sum(axis=1) > 0
    claimed = calls["claims"] + calls["blocked"]
    touched = np.maximum.reduce([calls["edits"], claimed, calls["completed"], active.astype(int)])
    total = np.asarray([len(real.tasks[key]) for key in _task_keys(calls)])
    attempts = np.minimum(np.where(claims_itself, touched, calls["completed"]), total)

    by_round = calls.groupby(["run_dir", "round"])["completed"].sum()
    before_round = by_round.groupby(level="run_dir").cumsum() - by_round
    index = pd.MultiIndex.from_frame(calls[["run_dir", "round"]])
    team_before = before_round.reindex(index).to_numpy()
    agent_before = calls.groupby(["run_dir", "agent"])["completed"].cumsum() - calls["completed"]

    left = np.where(claims_itself, total - team_before, _assigned(real) - agent_before)
    return calls.assign(attempts=attempts, left=np.maximum(left, 0))


def _task_keys(calls: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(calls["task_type"], calls["p_label"], strict=True))


def _assigned(real: TeamRuns) -> Floats:
    """Return how many tasks the agent of each reply would own if they were pre-assigned."""
    graphs = {
        key: TaskGraph.of([Task.model_validate(task) for task in tasks])
        for key, tasks in real.tasks.items()
    }
    deals: dict[tuple[str, str, int], Counter[int]] = {}
    calls = real.calls
    seat = calls.groupby("run_dir")["agent"].transform(lambda a: a.rank(method="dense")) - 1
    counts = []
    rows = zip(calls["task_type"], calls["p_label"], calls["n_teammates"], seat, strict=True)
    for kind, p, n, agent in rows:
        if (kind, p, n) not in deals:
            deals[kind, p, n] = Counter(PreAssigned().deal(graphs[kind, p], int(n)))
        counts.append(deals[kind, p, n][int(agent)])
    return np.asarray(counts, dtype=np.float64)


def _idleness(calls: pd.DataFrame, mode: str) -> tuple[float, float]:
    """Return the probability that a reply takes nothing although it could; run spread (logit).

    A self-claiming agent in a team may have left open tasks to others: only teams of one count.
    """
    could = calls[calls["left"] > 0]
    if mode == SELF_CLAIM:
        could = could[could["n_teammates"] == 1]
    if could.empty:
        return 0.0, 0.0
    return _probability(could["attempts"] == 0, could["run_dir"])


def _probability(happened: pd.Series, runs: pd.Series) -> tuple[float, float]:
    """Return the share of trials in which it happened, and its spread between runs (logit).

    The spread is the overdispersion of the runs' shares by moments, carried to the logit scale
    by the delta method and held below 2.
    """
    table = happened.groupby(runs.to_numpy()).agg(["sum", "size"])
    hits, trials = table["sum"].to_numpy(dtype=float), table["size"].to_numpy(dtype=float)
    p = float(hits.sum() / trials.sum())
    if p in (0.0, 1.0):
        return p, 0.0
    spread = float(np.average((hits / trials - p) ** 2, weights=trials))
    excess = spread - p * (1.0 - p) * len(trials) / trials.sum()
    return p, min(2.0, float(np.sqrt(max(0.0, excess))) / (p * (1.0 - p)))


def _idle_latency(idle: pd.DataFrame) -> tuple[float, Residual]:
    if len(idle) < FEWEST:
        return 2.0, Residual("lognormal", 0.6, 0.0, float("nan"), 0.0)
    logs = np.log(np.maximum(idle["latency_s"].to_numpy(dtype=float), 0.05))
    median = float(np.median(logs))
    return float(np.exp(median)), fit_residual(logs - median, idle["run_dir"])


def _batch(working: pd.DataFrame) -> dict[int, float]:
    """Return the distribution of tasks taken on, where taking all that was left is censored.

    A reply that took everything it could have would perhaps have taken more (Kaplan & Meier
    1958). What the curve leaves open goes to the largest number seen.
    """
    taken = working["attempts"].to_numpy(dtype=float)
    whole = taken >= working["left"].to_numpy()
    curve = stats.ecdf(stats.CensoredData.right_censored(taken, whole)).cdf
    weights = np.diff(np.concatenate(([0.0], curve.probabilities)))
    batch = {int(q): float(w) for q, w in zip(curve.quantiles, weights, strict=True) if w > 1e-6}
    largest = int(taken.max())
    batch[largest] = batch.get(largest, 0.0) + max(0.0, 1.0 - sum(batch.values()))
    return dict(sorted((size, weight) for size, weight in batch.items() if weight > 1e-6))


def _errors(working: pd.DataFrame, mode: str) -> tuple[float, float]:
    """Return the probability that a valid attempt fails, and its spread between runs (logit).

    Blocked and duplicate attempts come out of the simulation by themselves: an attempt counts
    here if it was claimed or completed, or redid work outside any claim in a team of one. What
    pre-assigned agents fail to do shows as idle replies.
    """
    if mode != SELF_CLAIM:
        return 0.0, 0.0
    tried = np.maximum(working["completed"], working["claims"])
    redone = (tried == 0) & (working["blocked"] == 0) & (working["n_teammates"] == 1)
    tried = tried + redone.astype(int)
    run = working["run_dir"].to_numpy()
    failed = np.repeat([True, False], [len(run), len(run)])
    counts = np.concatenate([tried - working["completed"], working["completed"]])
    return _probability(
        pd.Series(np.repeat(failed, counts)), pd.Series(np.repeat(np.tile(run, 2), counts))
    )


def _blindness(working: pd.DataFrame, mode: str) -> float:
    """Return the share of claims that were blocked by a dependency."""
    if mode != SELF_CLAIM:
        return 0.0
    blocked = float(working["blocked"].sum())
    return blocked / max(1.0, blocked + float(working["claims"].sum()))


def _overhead(runs: pd.DataFrame, calls: pd.DataFrame) -> float:
    """Return the mean seconds a round takes beyond its longest call."""
    longest = calls.groupby(["run_dir", "round"])["latency_s"].max().groupby(level=0).sum()
    indexed = runs.set_index("run_dir")
    extra = indexed["wall_clock_seconds"] - longest.reindex(indexed.index)
    return float(max(0.0, extra.sum() / indexed["total_rounds"].sum()))


def with_habits(fit: CellFit, deference: float, noise: float) -> CellFit:
    """Return `fit` with other values of the two habits that replies do not show."""
    return replace(fit, deference=deference, noise=noise)
