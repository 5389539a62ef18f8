"""Fits the cells of real runs: a cell is an agent at work on a task list under a protocol.

Everything is estimated directly from replies and runs (see `observations`, `latency`, `habits`
and `tokens`) and pooled over the cells of the same agent and mode. Two habits of self-claiming
agents leave no direct trace: `deference` and the `noise` of their choice. They are set so that
simulated idle replies and concurrent writes match the real ones (see `matching`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.agent_runs import AgentRuns, agents_of, max_rounds
from analysis.calibration.cell import CellFit
from analysis.calibration.drafts import fit_drafts
from analysis.calibration.errors import call_correlation, error_share, independent, run_sigma
from analysis.calibration.estimates import Estimate, VectorFit, pool
from analysis.calibration.forgetting import (
    Forgetfulness,
    by_list,
    fit_forgetting,
    mark_forgotten,
)
from analysis.calibration.habit_fits import fit_habits
from analysis.calibration.habit_search import found_habits
from analysis.calibration.habits import Habits, vague
from analysis.calibration.hyperpriors import Prior, shipped
from analysis.calibration.latency import (
    HUNG,
    Residual,
    between_rounds,
    fit_latencies,
    fit_residual,
    hung,
    mean_log_seconds,
)
from analysis.calibration.matching import matched, pool_habits, search_for
from analysis.calibration.observations import (
    mark_lost,
    observe,
    round_overhead_s,
)
from analysis.calibration.output_limits import Capacity, capacity_of, fits, loss_share
from analysis.calibration.redo import fit_redo
from analysis.calibration.seen_times import SHORTEST_S
from analysis.calibration.shares import Share, concentration, pool_shares
from analysis.calibration.styles import fit_styles
from analysis.calibration.tokens import fit_tokens
from analysis.calibration.trends import trends
from analysis.calibration.waits import IMPUTED, Waits, fit_waits
from analysis.traces.team_runs import AGENT, CELL, SELF_CLAIM, TeamRuns
from simulator.distributions import Floats
from simulator.experiment.pool import Processes, Progress, begin

Told = dict[tuple[Hashable, ...], Waits]
"""Waits of agents that claim their tasks, by what is alike in the runs of each."""

_UNSEEN_IDLE_S, _UNSEEN_SIGMA = 2.0, 0.6
"""Median duration of an idle call, and its spread, if no idle call was observed."""
_IDLE_APART = 1.0
"""Largest standard deviation between an agent's cells of the log of the median idle call."""

_MANY_CALLS = 5_000
"""Calls of which the fits are worth another process, which takes a second of its processor for the
imports: they take some 0.5 ms a call."""
_MANY_TEAMS = 20
"""Teams of which the habits that are matched are worth one: 100 replications each, some 0.15 s."""


def fit_cells(
    real: TeamRuns,
    match: bool = True,
    workers: int | Processes = 1,
    progress: Progress | None = None,
    pooled: bool = True,
    priors: Mapping[str, Prior] | None = None,
    seen: tuple[pd.DataFrame, Told] | None = None,
) -> list[CellFit]:
    """Return the fit of every cell.

    Parameters
    ----------
    real : TeamRuns
    match : bool
        Whether to estimate by simulation the two habits that replies do not show.
    workers : int or Processes
        Processes for the fits (see `simulator.experiment.pool.in_processes`).
    progress : callable, optional
        Called with ``(cells done, cells in all)``.
    pooled : bool
        Whether the cells of an agent and mode are pooled.
    priors : mapping, optional
        Of an agent's parameters (see `hyperpriors`); those that ship.
    seen : tuple, optional
        What `observed` returns of cells that are pooled by agent or not, where that is known.
    """
    _, finish = begin_cells(real, match, workers, pooled, priors, seen)
    return finish(progress)


def begin_cells(
    real: TeamRuns,
    match: bool = True,
    workers: int | Processes = 1,
    pooled: bool = True,
    priors: Mapping[str, Prior] | None = None,
    seen: tuple[pd.DataFrame, Told] | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> tuple[list[CellFit], Callable[[Progress | None], list[CellFit]]]:
    """Return the fits without the two habits, and a function that returns them with these.

    Other processes match the habits meanwhile, if they run already.

    Parameters
    ----------
    real, match, workers, pooled, priors, seen
        As for `fit_cells`.
    meanwhile : callable, optional
        Called once, when other processes that can have begun to fit agents.
    """
    together = AGENT if pooled else CELL
    calls, told = seen or observed(real, together)
    agents = agents_of(real, calls, told, together, priors or shipped().priors)
    fits = [fit for cells in fit_agents(agents, workers, meanwhile) for fit in cells]
    if not match:
        return fits, lambda progress: fits
    searches = [search_for(fit, *_matched_data(real, calls, fit)) for fit in fits]
    teams = sum(len(search.teams) for search in searches if search is not None)
    is_begun = isinstance(workers, Processes) and workers.is_started
    found = begin(found_habits, searches, workers if is_begun or teams > _MANY_TEAMS else 1)

    def finish(progress: Progress | None) -> list[CellFit]:
        whole = [matched(*each) for each in zip(fits, searches, found(progress), strict=True)]
        return _with_pooled_habits(whole) if pooled else whole

    return fits, finish


def _with_pooled_habits(fits: Sequence[CellFit]) -> list[CellFit]:
    of = [tuple(fit.cell[key] for key in AGENT) for fit in fits]  # cells of an agent follow
    return [
        fit
        for agent in dict.fromkeys(of)
        for fit in pool_habits([each for each, key in zip(fits, of, strict=True) if key == agent])
    ]


def observed(
    real: TeamRuns, together: list[str], imputed: int = IMPUTED
) -> tuple[pd.DataFrame, Told]:
    """Return the replies, those in which an agent has forgotten a task marked, and the waits.

    The waits are those of agents that claim their tasks; runs alike in the columns `together` are
    told apart together, `imputed` times.
    """
    parts: list[pd.DataFrame] = []
    told: Told = {}
    for key, calls in observe(real).groupby(together, sort=False):
        if (calls["mode"] == SELF_CLAIM).all():
            told[key] = fit_waits(calls, imputed)
            parts.append(mark_forgotten(calls, told[key]))
        else:
            parts.append(calls)
    return pd.concat(parts).sort_index(), told


def _matched_data(
    real: TeamRuns, calls: pd.DataFrame, fit: CellFit
) -> tuple[list[dict[str, Any]], pd.DataFrame, pd.DataFrame]:
    keys = pd.Series(fit.cell)
    runs = real.runs[(real.runs[CELL] == keys[CELL]).all(axis=1)]
    tasks = real.tasks[fit.cell["task_type"], fit.cell["p_label"]]
    return tasks, runs, calls[calls["run_dir"].isin(runs["run_dir"])]


def fit_agents(
    agents: Sequence[AgentRuns],
    workers: int | Processes,
    meanwhile: Callable[[], None] | None = None,
) -> list[list[CellFit]]:
    """Fit all cells of each agent, in other processes if these need not import what fits.

    Or if there are many calls. `meanwhile` is called when they have begun, where they run already.
    """
    calls = sum(len(agent.calls) for agent in agents)
    are_copies = isinstance(workers, Processes) and workers.are_copies
    fits = begin(fit_agent, agents, workers if are_copies or calls > _MANY_CALLS else 1)
    if meanwhile is not None:
        meanwhile()
    return fits(None)


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
