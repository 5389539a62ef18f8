"""Writes simulated runs as the harness of the real team runs would have logged them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.traces.readers.llm_teams import read_team_runs
from analysis.traces.team_runs import TeamRuns
from simulator.engine import Simulation
from simulator.model.trace import Event, Trace
from simulator.scenario import Scenario

TASKS: list[dict[str, Any]] = [
    {"id": f"t{i}", "dependencies": [], "files": [f"f{i}.py"]} for i in range(20)
]
CLAIMING, DEALT = "decentralized", "preassign_nolead"
CONTEXT = {
    "system_tokens": 1200,
    "board_tokens_per_task": 0,
    "retention": 0.8,
    "turn_tokens": 400,
}
"""What made-up agents read and remember."""

_ACTS = {
    "done": ["claim_task", "complete_task"],
    "duplicate": [],
    "blocked": ["claim_blocked"],
    "failed_test": ["claim_task", "run_tests"],
    "lost": [],
    "unmarked": ["claim_task"],
}


def scenario(agent: dict[str, Any], mode: str, size: int, tasks: list[Any], seed: int) -> Scenario:
    """Return a team that works in rounds, as the harness lets it."""
    protocol: Any = "pre_assigned" if mode == DEALT else {"kind": "self_claim"}
    return Scenario.model_validate(
        {
            "name": "truth",
            "team": {"size": size, "agent": agent},
            "topology": "decentralised",
            "coordination": {"protocol": protocol},
            "workload": {"kind": "dag", "tasks": tasks},
            "workspace": {"kind": "last_writer_wins", "loss": 0.0},
            "limits": {"max_rounds": 60},
            "seed": seed,
        }
    )


def logged_run(
    truth: Scenario,
    mode: str,
    replication: int,
    cell: str = "p10",
    model: str = "truth",
    task_list: str = "toy",
) -> tuple[dict[str, Any], list[Any]]:
    """Return the row of a run and its events."""
    trace = Trace()
    row = Simulation(truth).run(replication, trace)
    size = truth.team.worker_count
    run_dir = f"{model}-{task_list}-{cell}-{mode}-{size}-{replication}"
    acts: dict[int, list[tuple[str, str | None, float | None]]] = {}
    events: list[Any] = []
    held: set[tuple[int | None, int | None]] = set()
    for event in trace.rows:
        if event.event is Event.ROUND_START:
            events.append(("round_start", event.time_s, run_dir, event.round, None, None, None))
        elif event.event is Event.ATTEMPT:
            assert event.call is not None
            for act in _ACTS[event.outcome or ""]:
                if act == "claim_task":
                    if (event.agent, event.task) in held:
                        continue  # a task that is tried again is still claimed
                    held.add((event.agent, event.task))
                code = 1.0 if act == "run_tests" else None
                acts.setdefault(event.call, []).append((act, None, code))
        elif event.event is Event.WRITE:
            assert event.call is not None
            path = f"f{event.artifact}.py"
            acts.setdefault(event.call, []).append(("edit_file", path, None))
        elif event.event is Event.HAND_IN:
            assert event.call is not None
            acts.setdefault(event.call, []).append(("complete_task", None, None))
        elif event.event is Event.CALL_END:
            assert event.agent is not None
            assert event.call is not None
            when = (event.time_s, run_dir, event.round)
            events.append(("agent_reply", *when, f"Dev{event.agent + 1}", None, None))
            events += [
                (act, *when, None, path, code) for act, path, code in acts.get(event.call, [])
            ]
    run = {
        "run_dir": run_dir,
        "model_dir": model,
        "mode": mode,
        "task_type": task_list,
        "p_label": cell,
        "p_true": 1.0,
        "n_teammates": size,
        "success": row.success,
        "wall_clock_seconds": row.makespan_s,
        "total_rounds": row.rounds,
        "concurrent_writes": row.concurrent_writes,
        "claims_blocked": row.blocked_claims,
        "total_input_tokens": row.input_tokens,
        "total_output_tokens": row.output_tokens,
    }
    return run, events


def write_runs(
    directory: Path,
    logged: Iterable[tuple[dict[str, Any], list[Any]]],
    tasks: list[Any] | dict[str, list[Any]] = TASKS,
) -> Path:
    """Write runs and events as the published data are laid out; return the directory.

    The tasks are those of all runs, or of each task list.
    """
    runs, events = [], []
    for run, log in logged:
        runs.append(run)
        events += log
    pd.DataFrame(runs).to_parquet(directory / "runs.parquet")
    columns = ["type", "ts", "run_dir", "round", "agent", "path", "returncode"]
    pd.DataFrame(events, columns=columns).to_parquet(directory / "events.parquet")
    for name, cell in {(run["task_type"], run["p_label"]) for run in runs}:
        (directory / "tasks" / name).mkdir(parents=True, exist_ok=True)
        own = tasks[name] if isinstance(tasks, dict) else tasks
        (directory / "tasks" / name / f"{cell}.json").write_text(json.dumps(own))
    return directory


def team_runs(
    directory: Path, logged: Iterable[tuple[dict[str, Any], list[Any]]], tasks: list[Any] = TASKS
) -> TeamRuns:
    """Write runs and read them back."""
    return read_team_runs(write_runs(directory, logged, tasks))
