"""Reads runs of LLM coding teams as published with arXiv 2603.12229.

A directory holds ``runs.parquet`` (a row a run), ``events.parquet`` (the event log in order
within a run) and ``tasks/<task_type>/<p_label>.json`` (the task lists).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.tables import read_parquet
from simulator.errors import TeamsimError

CELL = ["model_dir", "mode", "task_type", "p_label"]
"""What tells one experimental cell from another, team size apart."""

SELF_CLAIM = "decentralized"
"""The mode in which agents claim tasks themselves; in the others tasks are pre-assigned."""

_RUN_COLUMNS = [
    "run_dir",
    *CELL,
    "n_teammates",
    "success",
    "wall_clock_seconds",
    "total_rounds",
    "concurrent_writes",
    "claims_blocked",
    "total_input_tokens",
    "total_output_tokens",
]
_EVENT_COLUMNS = ["type", "ts", "run_dir", "round", "agent"]
_ACTIONS = {
    "edit_file": "edits",
    "claim_task": "claims",
    "claim_blocked": "blocked",
    "complete_task": "completed",
    "run_tests": "tests",
}


@dataclass(frozen=True)
class TeamRuns:
    """Real runs.

    Attributes
    ----------
    runs : DataFrame
        A row a run, the columns of ``runs.parquet``, and ``calls`` (replies in the log).
    calls : DataFrame
        A row a reply: ``run_dir, round, agent, latency_s``, the counts of what it did
        (``edits, claims, blocked, completed, tests``), the cell and ``n_teammates``.
    tasks : dict
        ``(task_type, p_label)`` to the list of tasks (id, dependencies, files).
    """

    runs: pd.DataFrame
    calls: pd.DataFrame
    tasks: dict[tuple[str, str], list[dict[str, Any]]]


def read_runs(directory: Path) -> pd.DataFrame:
    """Return ``runs.parquet`` of a directory of real runs.

    Raises
    ------
    TeamsimError
        If the file is missing, is no Parquet file, or lacks a column.
    """
    return read_parquet(directory / "runs.parquet", _RUN_COLUMNS)


def read_team_runs(directory: Path) -> TeamRuns:
    """Read a directory of real runs.

    Raises
    ------
    TeamsimError
        If a file or a column is missing, or a cell has no task list.
    """
    runs = read_runs(directory)
    events = read_parquet(directory / "events.parquet", _EVENT_COLUMNS)
    calls = _calls(events)
    counts = calls.groupby("run_dir").size().rename("calls")
    runs = runs.merge(counts, left_on="run_dir", right_index=True, how="left")
    _refuse_gaps(directory / "events.parquet", runs, calls)
    calls = calls.merge(runs[["run_dir", *CELL, "n_teammates"]], on="run_dir")
    kinds = runs[["task_type", "p_label"]].drop_duplicates().itertuples(index=False)
    tasks = {(kind, p): _tasks(directory / "tasks" / kind / f"{p}.json") for kind, p in kinds}
    return TeamRuns(runs, calls, tasks)


def _calls(events: pd.DataFrame) -> pd.DataFrame:
    """Return a row a reply; the events after it, up to the next reply or round, are its acts."""
    kind = events["type"].astype(str)
    is_reply = kind == "agent_reply"
    starts_block = is_reply | kind.isin(["round_start", "run_start", "run_end", "initialize"])
    block = starts_block.cumsum().rename("block")
    acts = kind[kind.isin(_ACTIONS)]
    counted = pd.crosstab(block[acts.index], acts).reindex(columns=list(_ACTIONS), fill_value=0)
    round_start = (
        events[kind == "round_start"]
        .groupby(["run_dir", "round"], observed=True)["ts"]
        .first()
        .rename("round_ts")
        .reset_index()
        .astype({"run_dir": str})
    )
    replies = events.loc[is_reply, ["run_dir", "round", "agent", "ts"]].assign(block=block)
    replies = replies.astype({"run_dir": str, "agent": str})
    replies = replies.merge(round_start, on=["run_dir", "round"], how="left")
    replies["latency_s"] = replies["ts"] - replies["round_ts"]
    replies = replies.join(counted.rename(columns=_ACTIONS), on="block")
    columns = list(_ACTIONS.values())
    replies[columns] = replies[columns].fillna(0).astype(int)
    return replies.drop(columns=["ts", "round_ts", "block"])


def _refuse_gaps(path: Path, runs: pd.DataFrame, calls: pd.DataFrame) -> None:
    silent = runs.loc[runs["calls"].isna(), "run_dir"]
    if not silent.empty:
        raise TeamsimError(
            f"{path}: no agent_reply of {len(silent)} runs, among them {silent.iloc[0]!r}"
        )
    wrong = calls[~(calls["latency_s"] >= 0)]
    if not wrong.empty:
        reply = wrong.iloc[0]
        raise TeamsimError(
            f"{path}: {len(wrong)} replies without a time after the start of their round, the "
            f"first by {reply['agent']!r} in round {reply['round']} of {reply['run_dir']!r}"
        )


def _tasks(path: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(path.read_text("utf-8"))
        return [
            {"id": task["id"], "dependencies": task["dependencies"], "files": task["files"]}
            for task in found
        ]
    except FileNotFoundError:
        raise TeamsimError(f"{path}: no such file (the task list of a cell)") from None
    except (ValueError, TypeError, KeyError) as error:
        raise TeamsimError(
            f"{path} is not a list of tasks with id, dependencies and files: {error!r}"
        ) from None
