"""The findings as plain values, for programs and for the summary that people read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.observation.activity import MODEL, TOOL
from analysis.observation.observe import Observation, middle_run
from analysis.observation.roles import named_roles, roles_by_agent
from analysis.observation.runs import cause_table
from analysis.observation.structure import LEAD, MESH, SINGLE
from analysis.observation.workload import work_in_turn
from analysis.statistics.ranges import range_of_runs
from analysis.traces.canonical import CHATS, model_of
from analysis.traces.error_kinds import is_name

NOT_NAMED = "not named"
"""Errors without a name."""

_MEASURES = ("makespan_s", "cost_usd", "input_tokens", "output_tokens", "calls", "turns",
             "tool_calls", "agents", "peak", "at_work", "failed_calls", "retries",
             "tool_errors")  # fmt: skip


def findings(observation: Observation, directory: Path | None) -> dict[str, Any]:
    """Return all findings, as values of JSON.

    Returns
    -------
    dict
        ``reading`` (what was read and what was left out); ``notes``;
        ``structure`` (``kind, confidence, evidence, lead, stages, in_rounds, in_turn, runs,
        agreeing``; ``in_turn``: one agent works at a time);
        ``runs`` (for each measure ``median, low, high``: the median run, and the values between
        which 80 % of runs are, of fewer than nine all; null where nothing is known); ``costs``
        (where they come from); ``agents`` (a role each: ``role, agents, calls, input_tokens,
        output_tokens, cost_usd, seconds``); ``started`` and ``told`` (``from, to, times``, by
        role); ``tools`` (``tool, calls, errors, seconds``); ``errors`` (of models: ``error,
        calls``); ``time`` (share of the agents' time by cause); ``concurrency`` (share of the time
        by agents at work); ``critical_path`` (its shares by role and what was done); ``twin``
        (``file, tasks, workers, replications, missing, assumptions, runs, of_runs, of_time``);
        ``comparison`` (a measure each, with ``name, unit, observed, observed_low, observed_high,
        low, median, high, inside, fits, reason``); ``next`` (commands). Times are in seconds, costs
        in US dollars.
    """
    structure, twin = observation.structure, observation.twin
    found = {
        "reading": observation.traces.report.to_dict(),
        "notes": [*observation.traces.notes, *observation.notes],
        "structure": {
            "kind": structure.kind,
            "confidence": round(structure.confidence, 3),
            "evidence": structure.evidence,
            "lead": structure.lead or None,
            "stages": list(structure.order),
            "in_rounds": structure.in_rounds,
            "in_turn": work_in_turn(observation.runs, observation.structure),
            "runs": structure.runs,
            "agreeing": structure.agreeing,
        },
        "runs": {name: _quantiles(observation.table[name]) for name in _MEASURES},
        "costs": observation.costs,
        "agents": role_table(observation).to_dict("records"),
        "started": _started(observation).to_dict("records"),
        "told": told(observation).to_dict("records"),
        "tools": tool_table(observation).to_dict("records"),
        "errors": error_table(observation).to_dict("records"),
        "time": time_shares(observation),
        "concurrency": _concurrency(observation),
        "critical_path": path_shares(observation).to_dict("records"),
        "middle_run": middle_run(observation),
        "twin": {
            "file": None if directory is None else str(directory / "team.yaml"),
            "tasks": twin.tasks,
            "workers": len(twin.worker_roles),
            "replications": observation.comparison.replications,
            "missing": list(dict.fromkeys(twin.missing)),
            "assumptions": list(twin.document.get("assumptions", ())),
            **_stands_for(observation),
        },
        "comparison": observation.comparison.table.to_dict("records"),
        "next": [] if directory is None else next_commands(observation, directory),
    }
    return _plain(found)  # type: ignore[no-any-return]


def _stands_for(observation: Observation) -> dict[str, float]:
    """Return how many runs the twin is made of, and their share of the time of all."""
    structure, table = observation.structure, observation.table
    kinds = table["run_id"].map(dict(structure.kinds)).fillna(structure.kind)
    own = table[kinds == structure.kind]
    whole_s = float(table["makespan_s"].sum())
    share = float(own["makespan_s"].sum()) / whole_s if whole_s > 0.0 else 1.0
    return {"runs": len(own), "of_runs": len(table), "of_time": share}


def _quantiles(values: pd.Series) -> dict[str, float | None]:
    known = values.dropna().to_numpy(dtype=float)
    names = ("median", "low", "high")
    if not len(known):
        return dict.fromkeys(names)
    return dict(zip(names, (float(np.median(known)), *range_of_runs(known)), strict=True))


def role_table(observation: Observation) -> pd.DataFrame:
    """Return the totals of each role: ``role, agents, calls, ..., seconds`` in the model."""
    calls = observation.traces.calls
    chats = calls[calls["operation_name"].isin(CHATS)]
    roles = roles_by_agent(observation.roles)
    frame = pd.DataFrame(
        {
            "role": named_roles(chats["run_id"], chats["agent_id"], roles),
            "agent": chats["run_id"].astype(str)
            + "\x1f"
            + chats["agent_id"].fillna("").astype(str),
            "model": model_of(chats),
            "calls": 1,
            **{
                name: chats[name].astype("Float64").astype(float)
                for name in ("input_tokens", "output_tokens", "cost_usd")
            },
            "seconds": ((chats["end_ns"] - chats["start_ns"]) / 1e9)
            .astype("Float64")
            .astype(float),
        }
    )
    each = frame.groupby("role", sort=False)
    sums = each[["calls", "input_tokens", "output_tokens", "cost_usd", "seconds"]].sum(min_count=1)
    sums.insert(0, "agents", each["agent"].nunique())
    sums["models"] = [
        ", ".join(some["model"].dropna().value_counts().index[:3]) for _, some in each
    ]
    return sums.sort_values("calls", ascending=False).reset_index()


def _started(observation: Observation) -> pd.DataFrame:
    agents = observation.traces.agents
    below = agents[agents["parent_agent_id"].notna()]
    return _pairs(observation, below["run_id"], below["parent_agent_id"], below["agent_id"])


def told(observation: Observation) -> pd.DataFrame:
    """Return who told whom how often, by role: ``from, to, times``."""
    said = observation.traces.messages
    said = said.dropna(subset=["src_agent_id", "dst_agent_id"])
    return _pairs(observation, said["run_id"], said["src_agent_id"], said["dst_agent_id"])


def _pairs(
    observation: Observation, runs: pd.Series, sources: pd.Series, targets: pd.Series
) -> pd.DataFrame:
    roles = roles_by_agent(observation.roles)
    frame = pd.DataFrame(
        {"from": named_roles(runs, sources, roles), "to": named_roles(runs, targets, roles)}
    )
    for name, ids in (("from", sources), ("to", targets)):
        unknown = [known or str(each) for known, each in zip(frame[name], ids, strict=True)]
        frame[name] = unknown
    if frame.empty:
        return frame.assign(times=[])
    return frame.groupby(["from", "to"]).size().rename("times").reset_index()


def tool_table(observation: Observation) -> pd.DataFrame:
    """Return ``tool, calls, errors, seconds`` (in all) of each tool, the longest first."""
    calls = observation.traces.calls
    rows = calls[calls["operation_name"] == "execute_tool"]
    frame = pd.DataFrame(
        {
            "tool": rows["tool_name"].fillna("tool").astype(str),
            "calls": 1,
            "errors": rows["status"].isin(["error", "timeout"]).astype(int),
            "seconds": ((rows["end_ns"] - rows["start_ns"]) / 1e9).astype("Float64").astype(float),
        }
    )
    sums = frame.groupby("tool", sort=False)[["calls", "errors", "seconds"]].sum()
    return sums.sort_values("seconds", ascending=False).reset_index()


def error_table(observation: Observation) -> pd.DataFrame:
    """Return ``error, calls`` of calls of models that failed, by name, the most frequent first.

    An error that has only a message, which may quote a prompt, or nothing, is `NOT_NAMED`.
    """
    calls = observation.traces.calls
    failed = calls["operation_name"].isin(CHATS) & calls["status"].isin(["error", "timeout"])
    kinds = calls.loc[failed, "error_type"].fillna("").astype(str)
    named = kinds.where(kinds.map(is_name), NOT_NAMED)
    return named.value_counts().rename_axis("error").rename("calls").reset_index()


def time_shares(observation: Observation) -> dict[str, float]:
    """Return the share of all agents' time by cause, the largest first."""
    spent = cause_table(observation.runs).groupby("cause")["seconds"].sum()
    total = float(spent.sum())
    return {
        str(cause): float(seconds) / total
        for cause, seconds in spent.sort_values(ascending=False).items()
    }


def _concurrency(observation: Observation) -> list[dict[str, float]]:
    spent: dict[int, float] = {}
    for run in observation.runs:
        lengths = np.diff(run.activity.edges)
        for n, seconds in zip(run.activity.at_work().tolist(), lengths.tolist(), strict=True):
            spent[int(n)] = spent.get(int(n), 0.0) + seconds
    total = sum(spent.values())
    return [
        {"agents": n, "share": seconds / total if total else 0.0}
        for n, seconds in sorted(spent.items())
    ]


def path_shares(observation: Observation) -> pd.DataFrame:
    """Return the share of all critical paths by ``role`` and ``what``, the largest first."""
    path = observation.path.assign(seconds=observation.path["end_s"] - observation.path["start_s"])
    sums = path.groupby(["role", "what"])["seconds"].sum()
    total = float(sums.sum())
    shares = (sums / total if total else sums).sort_values(ascending=False)
    return shares.rename("share").reset_index()


def next_commands(observation: Observation, directory: Path) -> list[str]:
    """Return the three commands that follow, ready to copy: sweep, advise, chaos."""
    import shlex

    team, sweep = (shlex.quote(str(directory / name)) for name in ("team.yaml", "sweep"))
    sizes = [n for n in next(iter(observation.twin.document["sweep"].values())) if n > 1]
    tried = ",".join(str(n) for n in sizes or [2])
    return [
        f"teamsim sweep {team} --out {sweep} && teamsim plot {sweep}",
        f"teamsim advise {team} --sizes {tried}",
        f"teamsim chaos {team}",
    ]


def named_kind(kind: str, in_turn: bool) -> str:
    """Return a kind of structure in words; `in_turn` says that one agent works at a time."""
    if kind == SINGLE:
        return "one agent alone"
    if not in_turn or kind not in (MESH, LEAD):
        return kind
    return "agents who work in turn" if kind == MESH else f"{kind}, one at a time"


def describe_structure(observation: Observation) -> str:
    """Return the structure in words."""
    structure = observation.structure
    said = named_kind(structure.kind, work_in_turn(observation.runs, structure))
    if structure.lead:
        said += f" (the lead: {structure.lead})"
    if structure.order:
        said += f" ({' > '.join(structure.order)})"
    if structure.in_rounds:
        said += ", in rounds"
    return (
        f"{said}; confidence {structure.confidence:.2f}: {structure.agreeing} of "
        f"{structure.runs} runs, from {structure.evidence}"
    )


def short_cause(cause: str) -> str:
    """Return a cause as pictures and tables name it."""
    return (
        cause.removeprefix(TOOL) + " (tool)"
        if cause.startswith(TOOL)
        else ("the model" if cause == MODEL else cause)
    )


def _plain(value: Any) -> Any:
    """Return values as JSON allows them; unknown ones are null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value
