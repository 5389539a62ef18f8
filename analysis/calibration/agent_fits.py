"""Fits one agent in one mode: all of its cells, with what is alike in them pooled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.calibration.agent_runs import AgentRuns, max_rounds
from analysis.calibration.cell import CellFit
from analysis.calibration.drafts import fit_drafts
from analysis.calibration.errors import call_correlation, error_share, independent, run_sigma
from analysis.calibration.estimates import Estimate, VectorFit, pool
from analysis.calibration.forgetting import Forgetfulness, by_list, fit_forgetting
from analysis.calibration.habit_fits import fit_habits
from analysis.calibration.habits import Habits, vague
from analysis.calibration.latency import (
    HUNG,
    Residual,
    between_rounds,
    fit_latencies,
    fit_residual,
    hung,
    mean_log_seconds,
)
from analysis.calibration.observations import mark_lost, round_overhead_s
from analysis.calibration.output_limits import Capacity, capacity_of, fits, loss_share
from analysis.calibration.redo import fit_redo
from analysis.calibration.seen_times import SHORTEST_S
from analysis.calibration.shares import Share, concentration, pool_shares
from analysis.calibration.styles import fit_styles
from analysis.calibration.tokens import fit_tokens
from analysis.calibration.trends import trends
from analysis.traces.team_runs import CELL
from simulator.distributions import Floats

_UNSEEN_IDLE_S, _UNSEEN_SIGMA = 2.0, 0.6
"""Median duration of an idle call, and its spread, if no idle call was observed."""
_IDLE_APART = 1.0
"""Largest standard deviation between an agent's cells of the log of the median idle call."""


def fit_agent(agent: AgentRuns) -> list[CellFit]:
    """Fit all cells of one agent and mode."""
    runs, calls, limit_s, priors = agent.runs, agent.calls, agent.limit_s, agent.priors
    by_cell = list(runs.groupby(CELL, sort=True))
    parts = [calls[calls["run_dir"].isin(cell["run_dir"])] for _, cell in by_cell]
    forgetting: list[Forgetfulness | None] = [None] * len(parts)
    if agent.told is not None:
        of_lists = by_list(parts, agent.waiting)
        forgetting[:] = fit_forgetting(of_lists, agent.told, priors["forgetting"])
    working = [part[~part["is_idle"]] for part in parts]
    together = pd.concat(working)
    latencies = fit_latencies(
        [each if len(each) else together for each in working], priors["latency"]
    )
    everything = pd.concat(parts)
    capacities = [
        capacity_of(fit, limit_s, agent.most_tasks, calls)
        for fit, calls in zip(latencies, working, strict=True)
    ]
    for i, capacity in enumerate(capacities):
        if "fits" not in calls:
            parts[i] = parts[i].assign(fits=np.inf if capacity is None else capacity)
        typical = parts[i]["fits"].to_numpy(dtype=float)
        if limit_s is not None and np.isfinite(typical).any():
            parts[i] = mark_lost(parts[i].assign(fits=fits(parts[i], typical, limit_s)), limit_s)
    used = [part[~part["is_idle"]] for part in parts]
    loss = pool_shares([loss_share(part) for part in used])
    redo = fit_redo(working, latencies)
    logs, every = _centred_residuals(latencies, working), pd.concat(working)
    astray = logs > np.log(HUNG)
    residual = fit_residual(logs[~astray], every["run_dir"][~astray])
    round_sigma = between_rounds(logs[~astray], every[~astray])
    all_logs = np.full(len(everything), np.nan)
    all_logs[~everything["is_idle"].to_numpy()] = np.where(astray, np.nan, logs)
    hang = pool_shares([hung(logs, every["run_dir"])])[0]
    idle_medians, idle_residuals = _idle_latencies([part[part["is_idle"]] for part in parts])
    styles = fit_styles(used, priors["one_by_one"])
    habits = _habits(used, agent.most_tasks)
    drafts = fit_drafts(used)
    own = [part[part["could_work"]] for part in parts]
    idle_first = pool_shares([_idle_share(part[part["is_first"]]) for part in own])
    later = [part[~part["is_first"]] for part in own]
    idle = pool_shares([_idle_share(part[~part["was_idle"]]) for part in later])
    again = pool_shares([_idle_share(part[part["was_idle"]]) for part in later])
    errors = pool_shares([error_share(part) for part in working])
    correlation = call_correlation(working)
    drift = trends(everything, all_logs, correlation.value)
    error_sigma = run_sigma([independent(part, correlation.value) for part in working])
    logged = [(cell, part) for (_, cell), part in zip(by_cell, parts, strict=True)]
    tokens = fit_tokens(logged, priors["tokens"])
    return [
        CellFit(
            cell=dict(zip(CELL, (str(each) for each in key), strict=True)),
            runs=len(cell),
            calls=len(parts[i]),
            max_rounds=max_rounds(cell) or agent.most_rounds,
            latency=latencies[i],
            redo=redo[i],
            residual=residual,
            idle_median=idle_medians[i],
            idle_residual=idle_residuals[i],
            one_by_one=styles[i],
            habits=habits[i],
            drafts=drafts[i],
            idle_first=idle_first[i],
            idle=idle[i],
            idle_again=again[i],
            error=errors[i],
            error_run_sigma=error_sigma,
            call_correlation=correlation,
            round_sigma=round_sigma,
            hung=hang,
            trends=drift,
            limit_s=limit_s,
            capacity=None if (tasks := capacities[i]) is None else Capacity(tasks),
            truncation_loss=loss[i],
            overhead_s=round_overhead_s(cell, parts[i]),
            tokens=tokens[i],
            forgetting=forgetting[i],
        )
        for i, (key, cell) in enumerate(by_cell)
    ]


def _centred_residuals(fits: Sequence[VectorFit], working: Sequence[pd.DataFrame]) -> Floats:
    """Return the logarithms of durations over the expected ones; the median of each cell is 0."""
    logs = [
        np.log(np.maximum(calls["latency_s"].to_numpy(dtype=float), SHORTEST_S))
        - mean_log_seconds(fit.at, calls)
        for fit, calls in zip(fits, working, strict=True)
    ]
    return np.concatenate([each - np.median(each) if len(each) else each for each in logs])


def _idle_latencies(idle: Sequence[pd.DataFrame]) -> tuple[list[VectorFit], list[Residual]]:
    """Return the log of the median length of idle calls, pooled, and their common residual."""
    logs = [
        np.log(np.maximum(calls["latency_s"].to_numpy(dtype=float), SHORTEST_S)) for calls in idle
    ]
    known = [each for each in logs if len(each)]
    if sum(len(each) for each in known) < 3:
        unseen = VectorFit(np.log([_UNSEEN_IDLE_S]), np.asarray([[0.25]]))
        spread = Residual(
            "lognormal",
            Estimate.of(_UNSEEN_SIGMA, 0.3, "log"),
            Estimate.of(0.0),
            np.nan,
            np.nan,
            0.0,
        )
        return [unseen] * len(idle), [spread] * len(idle)
    everything = np.concatenate(known)
    spread_all = max(0.1, float(everything.std()))
    centre = float(np.median(everything))
    medians = pool(
        [
            VectorFit(
                np.asarray([float(np.median(each)) if len(each) else centre]),
                np.asarray([[1.57 * spread_all**2 / max(len(each), 0.1)]]),
            )
            for each in logs
        ],
        np.asarray([_IDLE_APART]),
    )
    centred = np.concatenate([each - np.median(each) for each in known])
    runs = pd.concat([calls["run_dir"] for calls in idle])
    return medians, [fit_residual(centred, runs)] * len(idle)


def _habits(working: Sequence[pd.DataFrame], most: int) -> list[Habits]:
    """Return each cell's habits; the habits over all cells of the agent are the prior."""
    common = fit_habits(pd.concat(working, ignore_index=True), vague(most))
    if len(working) == 1:  # its own runs are no prior
        return [common]
    strength = concentration(np.stack([_first_calls(calls) for calls in working]))
    return [fit_habits(calls, common.weakened(strength)) for calls in working]


def _first_calls(calls: pd.DataFrame) -> Floats:
    """Count the agents whose first call took one of several tasks, few, most and all."""
    first = calls[~calls.duplicated(["run_dir", "agent"]) & (calls["ready"] > 1)]
    share = (first["attempts"] / first["ready"]).to_numpy()
    one = (first["attempts"] == 1).to_numpy()
    few, everything = ~one & (share < 0.5), ~one & (share >= 1.0)
    most = ~(one | few | everything)
    return np.asarray([group.sum() for group in (one, few, most, everything)], dtype=np.float64)


def _idle_share(calls: pd.DataFrame) -> Share:
    return Share.of(calls["is_idle"], calls["run_dir"])
