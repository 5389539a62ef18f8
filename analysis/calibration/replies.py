"""Estimates what agents do from their replies.

How many tasks a reply attempted depends on who hands them out:

* Agents that claim tasks themselves attempt ``max(edits, claims + blocked claims, completions,
  1)`` in a reply that did anything; duplicates and blocked claims are attempts too.
* Pre-assigned agents own their tasks, so that a reply attempts what it completes. A reply that
  completes nothing although its agent has tasks left is idle.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
from scipy import stats

from analysis.traces.llm_teams import SELF_CLAIM, TeamRuns
from simulator.distributions import Floats
from simulator.model.protocols.pre_assigned import PreAssigned
from simulator.model.tasks import Task, TaskGraph


def with_attempts(real: TeamRuns) -> pd.DataFrame:
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
            deals[kind, p, n] = Counter(PreAssigned().owners(graphs[kind, p], int(n)))
        counts.append(deals[kind, p, n][int(agent)])
    return np.asarray(counts, dtype=np.float64)


def idleness(calls: pd.DataFrame, mode: str) -> tuple[float, float]:
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


def batch_sizes(working: pd.DataFrame) -> dict[int, float]:
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


def error_rate(working: pd.DataFrame, mode: str) -> tuple[float, float]:
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


def blindness(working: pd.DataFrame, mode: str) -> float:
    """Return the share of claims that were blocked by a dependency."""
    if mode != SELF_CLAIM:
        return 0.0
    blocked = float(working["blocked"].sum())
    return blocked / max(1.0, blocked + float(working["claims"].sum()))


def round_overhead_s(runs: pd.DataFrame, calls: pd.DataFrame) -> float:
    """Return the mean seconds a round takes beyond its longest call."""
    longest = calls.groupby(["run_dir", "round"])["latency_s"].max().groupby(level=0).sum()
    indexed = runs.set_index("run_dir")
    extra = indexed["wall_clock_seconds"] - longest.reindex(indexed.index)
    return float(max(0.0, extra.sum() / indexed["total_rounds"].sum()))
