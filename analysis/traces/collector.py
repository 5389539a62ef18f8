"""Gathers the rows that readers find, and makes tables of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pandas as pd
from pandas.api.types import pandas_dtype

from analysis.traces.answers import failed_by
from analysis.traces.canonical import AGENTS, CACHE_HIT, CALLS, CHATS, MESSAGES, RUNS, TASKS, Traces
from analysis.traces.clocks import late_chunk, notes_on_clocks
from analysis.traces.copied_calls import may_be_copies, parts_of_answers, told_before
from analysis.traces.report import ReadingReport, shortened
from analysis.traces.team_runs import TeamRuns
from analysis.traces.tools_without_agents import with_agents
from analysis.traces.two_formats import DATE_NS, agents_gone, each_once, messages_once
from simulator.words import counted

_MOST_PROBLEMS = 1000
"""Number of problems whose text is kept; all are counted."""

_OF_A_REPEAT = [
    "response_model",
    "request_model",
    "input_tokens",
    "output_tokens",
    "start_ns",
    "end_ns",
]
"""What a call has in common with one that it repeats, whatever else they have."""

_dtype: Callable[[str], Any] = cache(pandas_dtype)
"""The type of a name of one: pandas tries all that it knows, every time."""

_FEWEST_COPIES = 3
"""Calls of a run, timed from its start, that repeat another's by more than chance."""


@dataclass
class _Task:
    agent_id: str | None = None
    needs: dict[str, None] = field(default_factory=dict)


def _rows_of(tasks: Mapping[tuple[str, str], _Task]) -> Iterator[dict[str, Any]]:
    for (run, name), task in tasks.items():
        known: list[str | None] = [each for each in task.needs if (run, each) in tasks]
        for need in known or [None]:
            yield {"run_id": run, "task_id": name, "agent_id": task.agent_id, "needs": need}


class Collector:
    """Gathers rows while files are read."""

    def __init__(self) -> None:
        self._calls: dict[str, list[Any]] = {name: [] for name in CALLS}
        self._messages: list[dict[str, Any]] = []
        self._runs: list[dict[str, Any]] = []
        self._agents: dict[tuple[str, str], dict[str, Any]] = {}
        self._tasks: dict[tuple[str, str], _Task] = {}
        self.report = ReadingReport()
        self.skipped: list[str] = []
        self.notes: list[str] = []
        self.team: TeamRuns | None = None

    def call(self, where: str, source: str, source_format: str, **fields: Any) -> None:
        """Add a call of a model or of a tool; `where` is its place, for messages.

        One with a date at its end and none at its start is skipped: writers put 0 for what they do
        not know.
        """
        get = fields.get
        start_ns, end_ns = get("start_ns"), get("end_ns")
        if start_ns is not None and end_ns is not None and start_ns < DATE_NS <= end_ns:
            self.skip(where, f"it ends at a date, and starts {start_ns / 1e9:g} s after 1970 began")
            return
        for column, value in zip(self._calls.values(), map(get, CALLS), strict=True):
            column.append(value)
        self._calls["source"][-1] = source
        self._calls["source_format"][-1] = source_format
        chat = get("operation_name") in CHATS
        if chat and get("status") in {"ok", None} and (failed := failed_by(get("finish_reason"))):
            self._calls["status"][-1] = failed
            self._calls["error_type"][-1] = get("finish_reason")
        if (late := late_chunk(get("first_chunk_s"), start_ns, end_ns)) is not None:
            self.skip(where, late)
            self._calls["first_chunk_s"][-1] = None
        if get("operation_name") == CACHE_HIT:
            self.report.cache_hits.add(where)
        if chat and self._calls["status"][-1] not in {"ok", None}:
            self.report.failed.add(where)
        is_placeholder = get("quality_tokens") == "placeholder"
        if chat and get("input_tokens") == 0:  # no prompt is empty
            self._forget_zeros()
            is_placeholder = is_placeholder or get("status") in {"ok", None}
        if chat and is_placeholder:
            self.report.placeholders.add(where)

    def _forget_zeros(self) -> None:
        """Forget the counts of the last call that are 0, as writers count what they do not know."""
        for name, column in self._calls.items():
            if name.endswith("_tokens") and column[-1] == 0:
                column[-1] = None

    def team_runs(self, team: TeamRuns) -> None:
        """Keep runs of a team on task lists whole, beside their calls."""
        self.team = team

    def message(self, **fields: Any) -> None:
        """Add a message."""
        self._messages.append(fields)

    def run(self, **fields: Any) -> None:
        """Add a run, or more about it."""
        self._runs.append(fields)

    def agent(self, run_id: str, agent_id: str, **fields: Any) -> None:
        """Add an agent, or more about it."""
        row = self._agents.setdefault((run_id, agent_id), {"run_id": run_id, "agent_id": agent_id})
        row.update({name: value for name, value in fields.items() if value is not None})

    def task(
        self,
        run_id: str,
        task_id: str,
        needs: Iterable[str] = (),
        agent_id: str | None = None,
    ) -> None:
        """Add a task, or more about it: whose it is, and tasks that must be done before it."""
        task = self._tasks.setdefault((run_id, task_id), _Task())
        task.needs.update(dict.fromkeys(each for each in needs if each != task_id))
        if agent_id is not None:
            task.agent_id = agent_id

    def drop_task(self, run_id: str, task_id: str) -> None:
        """Forget a task that was given up; none waits for it."""
        self._tasks.pop((run_id, task_id), None)

    def skip(self, where: str, why: str) -> None:
        """Note a row or a value that could not be used."""
        problem = shortened(f"{where}: {why}")
        self.report.errors.add(problem)
        if len(self.skipped) < _MOST_PROBLEMS:
            self.skipped.append(problem)

    def duplicate(self, where: str, times: int = 1) -> None:
        """Count a call that is in the tables already."""
        self.report.duplicates.add(where, times)

    def traces(self) -> Traces:
        """Return the tables, duplicates dropped, runs completed from calls, clocks checked."""
        calls = _frame(self._calls, CALLS)
        self._calls = {name: [] for name in CALLS}
        calls = self._whole_answers(self._each_once(calls))
        if calls.duplicated(_OF_A_REPEAT).any():
            calls = self._without_duplicates(self._told_once(calls))
        calls = calls.sort_values(["run_id", "start_ns"], kind="stable").reset_index(drop=True)
        calls, said = with_agents(calls)
        self.notes += [*said, *notes_on_clocks(calls)]
        agents = _agents_of(calls, list(self._agents.values()))
        calls = _with_parents(calls, agents)
        runs = _runs_of(calls, agents, self._runs)
        messages = _table(self._messages, MESSAGES)
        report = self.report
        operations = calls["operation_name"]
        report.calls = int(operations.isin(CHATS).sum())
        report.tool_calls = int((operations == "execute_tool").sum())
        report.messages, report.agents, report.runs = len(messages), len(agents), len(runs)
        return Traces(
            calls,
            messages,
            runs,
            agents,
            self.skipped,
            self.notes,
            self.team,
            report,
            _table(list(_rows_of(self._tasks)), TASKS),
        )

    def _each_once(self, calls: pd.DataFrame) -> pd.DataFrame:
        """Drop what a second format tells of a call, and the runs and agents that only it has."""
        found = each_once(calls)
        for (kept, name), some in found.left_out.items():
            self._left_out(
                some,
                f"{counted(len(some), 'call')} of {name} left out that {kept} tells of too (one "
                "run in two formats)",
            )
        if found.left_out:
            self._messages = messages_once(self._messages, calls, found.calls)
            gone = set(calls["run_id"]) - set(found.calls["run_id"])
            agents = agents_gone(calls, found.calls)
            self._runs = [each for each in self._runs if each["run_id"] not in gone]
            self._agents = {
                key: row
                for key, row in self._agents.items()
                if key not in agents and key[0] not in gone
            }
            self._tasks = {key: task for key, task in self._tasks.items() if key[0] not in gone}
        return found.calls

    def _whole_answers(self, calls: pd.DataFrame) -> pd.DataFrame:
        """Drop rows that tell of a part of an answer, written while it was streamed."""
        parts, maybe = parts_of_answers(calls)
        if parts.any():
            n = int(parts.sum())
            self._left_out(calls[parts], f"{counted(n, 'part')} of streamed answers left out")
        if maybe.any():
            self.notes.append(
                f"{counted(int(maybe.sum()), 'call')} with the id, start and input of another, and "
                "less output: if they are parts of streamed answers, keep the last of each alone"
            )
        return calls[~parts]

    def _told_once(self, calls: pd.DataFrame) -> pd.DataFrame:
        """Drop calls that an earlier file of the same format, or row, has told of already."""
        repeated = told_before(calls)
        if repeated.any():
            n = int(repeated.sum())
            note = f"{counted(n, 'call')} left out that other files, or rows, tell of too"
            self._left_out(calls[repeated], note)
        calls = calls[~repeated]
        self.notes += [
            f"{name}: its calls are all alike but for whole seconds, and other files have the same "
            "of its runs: if it is a copy, leave it out"
            for name in may_be_copies(calls)
        ]
        return calls

    def _without_duplicates(self, calls: pd.DataFrame) -> pd.DataFrame:
        """Drop calls that repeat one of another run: same model, tokens, start and length."""
        exact = calls[["input_tokens", "output_tokens", "start_ns", "end_ns"]].notna().all(axis=1)
        exact &= calls["quality_time"] != "estimated"
        repeated = calls.duplicated(_OF_A_REPEAT) & exact.fillna(True)
        repeated &= calls["operation_name"].isin(CHATS)
        if not repeated.any():
            return calls
        # Two agents of a run may start at the same time; only a copy in another run repeats a call.
        first_run = calls.groupby(_OF_A_REPEAT, dropna=False)["run_id"].transform("first")
        repeated = (repeated & (calls["run_id"] != first_run)).fillna(False).astype(bool)
        repeated &= _are_copies(calls[repeated]).reindex(calls.index, fill_value=False)
        if repeated.any():
            n = int(repeated.sum())
            note = f"repeats left out (forked sessions): {counted(n, 'call')}"
            self._left_out(calls[repeated], note)
        return calls[~repeated]

    def _left_out(self, some: pd.DataFrame, note: str) -> None:
        """Count calls that are left out as duplicates, by the place of the first, and say so."""
        first = some.iloc[0]
        self.duplicate(f"{first['source']}, run {first['run_id']}", len(some))
        self.notes.append(note)


def _are_copies(repeated: pd.DataFrame) -> pd.Series[bool]:
    """Tell which calls that repeat those of other runs are copies, and no more alike by chance.

    Calls that are alike to the date are. Where times are since a run's start, a first call may well
    be like that of another run, and so may all calls of equal length: a copy of a run's beginning
    has several, of different lengths.
    """
    runs = repeated.groupby("run_id")
    lengths = (repeated["end_ns"] - repeated["start_ns"]).groupby(repeated["run_id"])
    several = runs["start_ns"].transform("size").ge(_FEWEST_COPIES)
    several &= lengths.transform("nunique").gt(1)
    return (repeated["start_ns"].ge(DATE_NS) | several).astype(bool)


def _frame(columns: dict[str, list[Any]], dtypes: dict[str, str]) -> pd.DataFrame:
    # One by one, so that the list of each column can be freed as soon as the column is made. Arrays
    # have no index: pandas would spend longer on comparing those of series than on short columns.
    arrays = {name: pd.array(columns.pop(name), dtype=_dtype(dtypes[name])) for name in dtypes}
    return pd.DataFrame(arrays, copy=False)


def _table(rows: Sequence[dict[str, Any]], dtypes: dict[str, str]) -> pd.DataFrame:
    return _frame({name: [row.get(name) for row in rows] for name in dtypes}, dtypes)


def _agents_of(calls: pd.DataFrame, known: list[dict[str, Any]]) -> pd.DataFrame:
    rows = {(row["run_id"], row["agent_id"]): dict(row) for row in known}
    columns = ["run_id", "agent_id", "agent_name", "response_model", "parent_agent_id"]
    seen = calls[columns].drop_duplicates()
    for run, agent, name, model, parent in zip(*(seen[each] for each in columns), strict=True):
        if pd.isna(agent):
            continue
        row = rows.setdefault((run, agent), {"run_id": run, "agent_id": agent})
        for column, value in (("name", name), ("model", model), ("parent_agent_id", parent)):
            if row.get(column) is None and pd.notna(value):
                row[column] = value
    for (run, agent), row in rows.items():
        above = str(agent).rpartition("/")[0]  # an id may be a path: ``main/agent 3``
        if row.get("parent_agent_id") is None and (run, above) in rows:
            row["parent_agent_id"] = above
    for (run, agent), row in rows.items():
        row["depth"] = _depth(rows, run, agent)
    return _table(list(rows.values()), AGENTS)


def _depth(rows: dict[tuple[str, str], dict[str, Any]], run: str, agent: str) -> int:
    """Return how many agents are above one; in a circle of parents, each counts once."""
    above: list[str] = []
    while True:
        parent = rows.get((run, agent), {}).get("parent_agent_id")
        if parent is None or parent in above or len(above) > len(rows):
            return len(above)
        above.append(parent)
        agent = parent


def _with_parents(calls: pd.DataFrame, agents: pd.DataFrame) -> pd.DataFrame:
    """Add to each call the agent that started its agent."""
    if not agents["parent_agent_id"].notna().any():
        return calls
    parents = {
        (run, agent): parent
        for run, agent, parent in zip(
            agents["run_id"], agents["agent_id"], agents["parent_agent_id"], strict=True
        )
        if pd.notna(parent)
    }
    said = [parents.get(key) for key in zip(calls["run_id"], calls["agent_id"], strict=True)]
    return calls.assign(
        parent_agent_id=calls["parent_agent_id"].fillna(pd.Series(said, dtype="string"))
    )


def _runs_of(
    calls: pd.DataFrame, agents: pd.DataFrame, known: Sequence[dict[str, Any]]
) -> pd.DataFrame:
    of_runs = calls.groupby("run_id")
    starts, ends = of_runs["start_ns"].min(), of_runs["end_ns"].max()
    times = dict(zip(starts.index, zip(starts, ends, strict=True), strict=True))
    counts = Counter(agents["run_id"])
    said = {row["run_id"]: row for row in known}
    rows = []
    for run in dict.fromkeys([*said, *times]):
        row: dict[str, Any] = {"run_id": run}
        if run in times:
            row |= {"start_ns": times[run][0], "end_ns": times[run][1]}
            row["n_agents"] = counts.get(run, 1)
        row |= {name: value for name, value in said.get(run, {}).items() if pd.notna(value)}
        rows.append(row)
    return _table(rows, RUNS)
