"""A scenario under a battery of faults, with and without each of its patterns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pydantic import ValidationError

from analysis.statistics.chance import are_sure
from analysis.statistics.completion import time_to_success
from analysis.statistics.differences import difference_to_success
from analysis.statistics.intervals import Interval
from simulator.experiment import run_each
from simulator.experiment.pool import Progress
from simulator.scenario import Scenario
from simulator.scenario.changes import with_changes
from simulator.scenario.resilience import Resilience

NO_FAULT, ALL, NONE = "nothing", "all patterns", "no pattern"

_MOST = 20.0
"""A run is stopped after this many times the makespan, or the calls, of a run without faults."""


@dataclass(frozen=True)
class Trial:
    """One fault of the battery, as a change of a scenario."""

    name: str
    changes: Mapping[str, Any]
    """Dotted paths and values."""


def battery(scenario: Scenario, healthy_s: float) -> list[Trial]:
    """Return the standard faults; they begin after a quarter of the time of a healthy run.

    Parameters
    ----------
    scenario : Scenario
    healthy_s : float
        Mean length of its runs without faults, finished or not, in simulated seconds.

    Returns
    -------
    list of Trial
        Faults of one agent; of half the team at once; of the coordinator, if there is one; of the
        provider; of replies; of the network, if agents talk.
    """
    at_s = lasts_s = healthy_s / 4
    half = list(range(max(1, scenario.team.worker_count // 2)))

    def scripted(name: str, kind: str, agent: Any = None, **more: Any) -> Trial:
        return Trial(name, {"faults": [{"at_s": at_s, "kind": kind, "agent": agent, **more}]})

    def of_agents(name: str, **faults: Any) -> Trial:
        return Trial(name, {f"agents.faults.{key}": value for key, value in faults.items()})

    trials = [
        scripted("one worker 4 x slower", "slow", 0, factor=4.0),
        scripted("one worker stalls for a while", "stall", 0, for_s=lasts_s),
        scripted("one worker crashes and is repaired", "crash", 0, for_s=lasts_s),
        scripted("one worker is lost", "kill", 0),
        scripted("half the workers crash together", "crash", half, for_s=lasts_s),
        scripted("one worker confidently wrong", "wrong", 0),
        scripted("one worker silent for a while", "silent", 0, for_s=lasts_s),
        scripted("provider down", "outage", for_s=lasts_s),
        scripted("provider 4 x slower", "brownout", for_s=lasts_s, factor=4.0),
        Trial("5 % of requests fail", {"provider.errors": {"probability": 0.05}}),
        of_agents("5 % of replies malformed", malformed=0.05),
        of_agents("2 % of requests 20 x slower", slow={"probability": 0.02, "factor": 20}),
        of_agents("2 % of requests never return", stall=0.02),
    ]
    if scenario.staff["coordinator"]:
        trials[4:4] = [
            scripted("coordinator crashes, is repaired", "crash", "coordinator", for_s=lasts_s),
            scripted("coordinator is lost", "kill", "coordinator"),
        ]
    partition = {"at_s": at_s, "duration_s": lasts_s}
    if scenario.team.worker_count > 1:
        trials.append(Trial("team cut in two for a while", {"network.partitions": [partition]}))
    trials.append(
        Trial("a fifth of messages lost", {"network.loss": 0.2, "network.duplication": 0.05})
    )
    return trials


def configurations(scenario: Scenario) -> dict[str, dict[str, Any]]:
    """Return the sets of the scenario's patterns to try: all, all but one, and none."""
    patterns = scenario.resilience
    said = patterns.model_dump(exclude_unset=True, exclude_none=True)
    default = Resilience().model_dump()
    configured = [name for name in said if said[name] != default[name]]
    if not configured:
        return {NONE: {}}
    found = {ALL: said}
    if len(configured) > 1:
        for name in configured:
            gone = {name, "supervisor"} if name == "detector" else {name}
            found[f"without {name.replace('_', ' ')}"] = {
                key: value for key, value in said.items() if key not in gone
            }
    return {**found, NONE: {}}


def changed(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """Return the scenario with dotted fields set; ``agents`` stands for every kind of agent.

    Raises
    ------
    pydantic.ValidationError
        If the scenario cannot be changed so.
    """
    team, spread = scenario.team, dict[str, Any]()
    everybody = [f"team.groups.{name}.agent" for name in team.groups or {}] or ["team.agent"]
    for path, value in changes.items():
        first, _, rest = path.partition(".")
        places = [f"{agent}.{rest}" for agent in everybody] if first == "agents" else [path]
        spread |= dict.fromkeys(places, value)
    return with_changes(scenario, spread)


def chaos(
    scenario: Scenario, replications: int, workers: int = 1, progress: Progress | None = None
) -> pd.DataFrame:
    """Run a scenario under every fault of the battery and with every configuration of patterns.

    The scenario's own script of faults is left out; its faults of agents, provider and network are
    kept. A run that takes twenty times as long as without faults is stopped.

    Parameters
    ----------
    scenario : Scenario
    replications : int
        Replications of each fault and configuration, with the same random numbers for all.
    workers : int
        Processes.
    progress : callable, optional
        Told ``(replications done, replications in all)``.

    Returns
    -------
    DataFrame
        A row a fault and configuration: ``fault, patterns, completed`` (share of runs),
        ``lost_tasks`` (of the workload: not done, or not right), ``makespan_s``, ``makespan_low``
        and ``makespan_high`` (time to success and its 95 % interval, where failed runs are started
        again; null if no run was completed), ``recovery_s`` (a lower bound for runs that were not
        completed: the time until they ended), ``wasted_tokens``, ``retries``; ``extra_tokens`` and
        ``extra_usd`` (until success, compared with the same patterns without the fault), each with
        ``_low`` and ``_high``, a 95 % interval
        (`analysis.statistics.differences.difference_to_success`); ``is_sure``, whether nothing in
        them is random, so that further runs are like those made. Tasks, recovery, wasted tokens
        and retries are means of runs as they ended.
    """
    quiet = changed(scenario, {"faults": []})
    healthy = run_each([quiet], replications, workers, progress).to_pandas()
    healthy_s, calls = float(healthy["makespan_s"].mean()), float(healthy["calls"].mean())
    stop = {
        "limits.deadline_s": min(quiet.limits.deadline_s or float("inf"), _MOST * healthy_s),
        "limits.max_calls": min(quiet.limits.max_calls, int(_MOST * calls) + 1000),
    }
    tried: dict[tuple[str, str], Scenario] = {}
    for trial in [Trial(NO_FAULT, {}), *battery(quiet, healthy_s)]:
        for name, patterns in configurations(scenario).items():
            try:
                changes = {**stop, **trial.changes, "resilience": patterns}
                tried[trial.name, name] = changed(quiet, changes)
            except ValidationError:
                continue  # for example a partition, with a protocol that does not allow one
    results = run_each(
        list(tried.values()), replications, workers, _after(replications, progress)
    ).to_pandas()
    return _table(results, tried)


def _after(before: int, progress: Progress | None) -> Progress | None:
    """Return how to tell of replications that follow others, which are done."""
    if progress is None:
        return None
    return lambda done, most: progress(before + done, before + most)


def _table(results: pd.DataFrame, tried: Mapping[tuple[str, str], Scenario]) -> pd.DataFrame:
    tokens = results["input_tokens"] + results["output_tokens"]
    results = results.assign(tokens=tokens, lost_tasks=results["tasks"] - results["tasks_correct"])
    means = ["lost_tasks", "recovery_s", "wasted_tokens", "retries"]
    may_fail = not bool(results["success"].all())
    groups = [runs for _, runs in results.sort_values("replication").groupby("point")]
    quiet = {patterns: runs for (fault, patterns), runs in zip(tried, groups, strict=True)
             if fault == NO_FAULT}  # fmt: skip
    sure = {
        each: are_sure(scenario, runs)
        for (each, scenario), runs in zip(tried.items(), groups, strict=True)
    }
    rows = []
    for (fault, patterns), runs in zip(tried, groups, strict=True):
        is_sure = sure[fault, patterns]
        time = _exact(time_to_success(runs), is_sure)
        row: dict[str, object] = {
            "fault": fault,
            "patterns": patterns,
            "completed": float(runs["success"].mean()),
            "makespan_s": time.estimate,
            "makespan_low": time.low,
            "makespan_high": time.high,
        }
        row |= {name: float(runs[name].mean()) for name in means}
        for name, column in (("extra_tokens", "tokens"), ("extra_usd", "cost_usd")):
            extra = _extra(column, quiet[patterns], runs, may_fail)
            extra = _exact(extra, is_sure and sure[NO_FAULT, patterns])
            row |= {name: extra.estimate, f"{name}_low": extra.low, f"{name}_high": extra.high}
        row["is_sure"] = is_sure
        rows.append(row)
    return pd.DataFrame(rows)


def _exact(found: Interval, is_sure: bool) -> Interval:
    """Return an interval, without width if all runs are sure to be the same and it is known."""
    if not is_sure or not math.isfinite(found.estimate):
        return found
    return Interval(found.estimate, found.estimate, found.estimate)


def _extra(column: str, quiet: pd.DataFrame, runs: pd.DataFrame, may_fail: bool) -> Interval:
    """Return how much more runs spend until success than runs without the fault."""
    (before, before_done), (after, after_done) = (
        (rows[column].to_numpy(dtype=float), rows["success"].to_numpy(dtype=float))
        for rows in (quiet, runs)
    )
    return difference_to_success(before, before_done, after, after_done, may_fail=may_fail)
