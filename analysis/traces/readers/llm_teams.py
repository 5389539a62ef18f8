"""Reads runs of LLM coding teams as published with arXiv 2603.12229.

A directory holds ``runs.parquet`` (a row a run), ``events.parquet`` (the event log in order
within a run) and ``tasks/<task_type>/<p_label>.json`` (the task lists).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import ValidationError

from analysis.traces.collector import Collector
from analysis.traces.reader import Reader
from analysis.traces.source import Head, Source
from analysis.traces.team_run_tables import REPLY, read_run_tables
from analysis.traces.team_runs import CELL, TeamRuns
from simulator.documents import DocumentError, parse_json, read_text
from simulator.errors import TeamsimError
from simulator.model.tasks import Task, TaskGraph
from simulator.scenario.validation_words import words_of

_TASK = ("id", "dependencies", "files")
_ACTIONS = {
    "edit_file": "edits",
    "claim_task": "claims",
    "claim_blocked": "blocked",
    "complete_task": "completed",
    "run_tests": "tests",
}


class LlmTeams(Reader):
    """A directory with ``runs.parquet``, ``events.parquet`` and ``tasks/``."""

    kind: ClassVar[str] = "llm_teams"

    def recognises(self, head: Head) -> float:
        """Return 0: its tables are read together, by directory."""
        return 0.0

    def holds(self, directory: Path) -> bool:
        """Return whether it is a directory with both tables."""
        return (directory / "runs.parquet").is_file() and (directory / "events.parquet").is_file()

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the directory (one; several would mix their runs' names)."""
        if len(sources) > 1:
            raise TeamsimError(f"{sources[1].name}: one directory of team runs at a time")
        directory = sources[0].path
        team = read_team_runs(directory)
        out.team_runs(team)
        out.report.rows += len(team.calls)
        for problem in team.skipped:
            where, _, why = problem.partition(": ")
            out.skip(where, why)
        told = team.calls[["run_dir", "agent", "model_dir", "start_ts", "latency_s"]]
        for run, agent, model, start_s, took_s in told.itertuples(index=False, name=None):
            out.call(
                run,
                directory.name,
                self.kind,
                run_id=run,
                agent_id=agent,
                operation_name="chat",
                response_model=model,
                start_ns=int(start_s * 1e9),
                end_ns=int((start_s + took_s) * 1e9),
                status="ok",
                quality_time="exact",
            )
        for row in team.runs.itertuples(index=False):
            out.run(
                run_id=row.run_dir,
                task_id=f"{row.task_type}/{row.p_label}",
                task_family=row.task_type,
                team_topology=row.mode,
                n_agents=row.n_teammates,
                outcome="completed" if row.success else "max_rounds",
            )


def read_team_runs(directory: Path) -> TeamRuns:
    """Read a directory of real runs.

    Raises
    ------
    TeamsimError
        If a file or a column is missing, a value is of a wrong kind, no run is usable, or a cell
        has no task list.
    """
    runs, events, skipped = read_run_tables(directory)
    calls = _calls(events)
    counts = calls.groupby("run_dir").size().rename("calls")
    runs = runs.merge(counts, left_on="run_dir", right_index=True, how="left")
    edits = _edits(events)
    runs["concurrent_writes"] = runs["run_dir"].map(_concurrent_writes(edits)).fillna(0).astype(int)
    calls = _with_files(calls, edits)
    runs, calls = _without_gaps(directory / "events.parquet", runs, calls, skipped)
    calls = calls.merge(runs[["run_dir", *CELL, "n_teammates"]], on="run_dir")
    kinds = runs[["task_type", "p_label"]].drop_duplicates().itertuples(index=False)
    tasks = {(kind, p): _tasks(directory / "tasks" / kind / f"{p}.json") for kind, p in kinds}
    return TeamRuns(runs, calls, tasks, skipped)


def _edits(events: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each edit: ``run_dir, round, agent, path``; the last to reply made it."""
    kind = events["type"]
    reply = events[["round", "agent"]].where(kind == REPLY).groupby(events["run_dir"]).ffill()
    return events.loc[kind == "edit_file", ["run_dir", "path"]].join(reply)


def _concurrent_writes(edits: pd.DataFrame) -> pd.Series:
    """Return for each run how often several agents edited the same file in the same round."""
    writers = edits.groupby(["run_dir", "round", "path"], observed=True)["agent"].nunique()
    return (writers > 1).groupby(level="run_dir").sum()


def _with_files(calls: pd.DataFrame, edits: pd.DataFrame) -> pd.DataFrame:
    """Add the files that each reply edited."""
    reply = ["run_dir", "round", "agent"]
    files = edits.drop_duplicates([*reply, "path"])
    first = files.drop_duplicates(["run_dir", "agent", "path"])
    fresh = first.groupby(reply).size().rename("fresh_files")
    paths: defaultdict[tuple[Hashable, ...], list[str]] = defaultdict(list)
    for *key, path in files[[*reply, "path"]].itertuples(index=False, name=None):
        paths[tuple(key)].append(path)
    keys = calls[reply].itertuples(index=False, name=None)
    calls["paths"] = [tuple(paths.get(key, ())) for key in keys]
    calls["files"] = calls["paths"].map(len)
    calls = calls.merge(fresh, how="left", left_on=reply, right_index=True)
    new = files.drop_duplicates(["run_dir", "path"]).groupby(["run_dir", "round"]).size()
    index = pd.MultiIndex.from_frame(calls[["run_dir", "round"]].drop_duplicates()).sort_values()
    by_round = new.reindex(index, fill_value=0)
    before = by_round.groupby(level="run_dir").cumsum() - by_round
    calls = calls.merge(
        before.rename("files_there"), left_on=["run_dir", "round"], right_index=True
    )
    columns = ["fresh_files", "files_there"]
    calls[columns] = calls[columns].fillna(0).astype(int)
    return calls


def _calls(events: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each reply; the events up to the next reply or round are its actions."""
    kind, run = events["type"], events["run_dir"]
    is_reply = kind == REPLY
    starts_block = is_reply | kind.isin(["round_start", "run_start", "run_end", "initialize"])
    block = (starts_block | (run != run.shift())).cumsum()
    counted = {column: kind == action for action, column in _ACTIONS.items()}
    counted["failed_tests"] = (kind == "run_tests") & (events["returncode"].fillna(0) != 0)
    round_start = (
        events[kind == "round_start"]
        .groupby(["run_dir", "round"], observed=True)["ts"]
        .first()
        .rename("round_ts")
        .reset_index()
    )
    replies = events.loc[is_reply, ["run_dir", "round", "agent", "ts"]]
    replies = replies.merge(round_start, on=["run_dir", "round"], how="left")
    in_blocks = {
        column: np.bincount(block[is_it], minlength=len(events) + 1)[block[is_reply]]
        for column, is_it in counted.items()
    }
    replies = replies.assign(latency_s=replies["ts"] - replies["round_ts"], **in_blocks)
    return replies.rename(columns={"round_ts": "start_ts"}).drop(columns="ts")


def _without_gaps(
    path: Path, runs: pd.DataFrame, calls: pd.DataFrame, skipped: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out replies without a time, and runs without replies; add them to what is skipped."""
    wrong = calls[~(calls["latency_s"] >= 0)]
    skipped += [
        f"{path}: the reply of {reply.agent!r} in round {reply.round:g} of {reply.run_dir!r} has "
        "no time after the start of its round"
        for reply in wrong.itertuples(index=False)
    ]
    calls = calls[calls["latency_s"] >= 0]
    silent = ~runs["run_dir"].isin(calls["run_dir"])
    skipped += [f"{path}: no agent_reply of the run {run!r}" for run in runs["run_dir"][silent]]
    runs = runs[~silent].reset_index(drop=True)
    if runs.empty:
        reason = skipped[0] if skipped else "there are none in it"
        raise TeamsimError(f"{path.parent}: no usable runs; {reason}")
    return runs, calls[calls["run_dir"].isin(runs["run_dir"])].reset_index(drop=True)


def _tasks(path: Path) -> list[dict[str, Any]]:
    """Return the task list of a cell."""
    try:
        found = parse_json(read_text(path))
    except DocumentError as error:
        raise TeamsimError(f"{path}: {error} (the task list of a cell)") from None
    if not isinstance(found, list) or not found:
        raise TeamsimError(f"{path} is not a list of tasks with id, dependencies and files")
    tasks = []
    for i, said in enumerate(found, start=1):
        missing = next((n for n in _TASK if not isinstance(said, dict) or n not in said), None)
        if missing is not None:
            raise TeamsimError(f"{path}, task {i}: no {missing!r}")
        task = {name: said[name] for name in _TASK}
        try:
            Task.model_validate(task)
        except ValidationError as error:
            wrong = error.errors()[0]
            where = ".".join(str(step) for step in wrong["loc"])
            raise TeamsimError(f"{path}, task {i}: {where}: {words_of(dict(wrong))}") from None
        tasks.append(task)
    try:
        TaskGraph.of([Task.model_validate(task) for task in tasks])
    except ValueError as error:
        raise TeamsimError(f"{path}: {error}") from None
    return tasks
