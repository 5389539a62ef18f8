"""The tables that every trace reader fills: calls, messages, runs and agents.

Names follow the OpenTelemetry GenAI conventions with the prefix dropped. What a source does not
say is null, never 0. ``input_tokens`` is the total, cached tokens included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.traces.team_runs import TeamRuns

_TEXT, _INT, _FLOAT = "string", "Int64", "Float64"

CALLS = {
    "source": _TEXT,
    "source_format": _TEXT,
    "run_id": _TEXT,
    "trace_id": _TEXT,
    "span_id": _TEXT,
    "parent_span_id": _TEXT,
    "operation_name": _TEXT,
    "agent_id": _TEXT,
    "agent_name": _TEXT,
    "agent_role": _TEXT,
    "provider_name": _TEXT,
    "request_model": _TEXT,
    "response_model": _TEXT,
    "start_ns": _INT,
    "end_ns": _INT,
    "first_chunk_s": _FLOAT,
    "queue_s": _FLOAT,
    "retry_wait_s": _FLOAT,
    "input_tokens": _INT,
    "cache_read_input_tokens": _INT,
    "cache_write_input_tokens": _INT,
    "output_tokens": _INT,
    "reasoning_output_tokens": _INT,
    "attempt": _INT,
    "call_id": _TEXT,
    "status": _TEXT,
    "error_type": _TEXT,
    "http_status": _INT,
    "finish_reason": _TEXT,
    "tool_name": _TEXT,
    "cost_usd": _FLOAT,
    "quality_time": _TEXT,
    "quality_tokens": _TEXT,
}
"""One row an attempt of an operation: chat, execute_tool, invoke_agent, ... (name: dtype).

``status`` is ok, error, timeout or cancelled; ``quality_time`` exact, 1s or parent_event;
``quality_tokens`` exact, placeholder or estimated.
"""

MESSAGES = {
    "run_id": _TEXT,
    "msg_id": _TEXT,
    "src_agent_id": _TEXT,
    "dst_agent_id": _TEXT,
    "sent_ns": _INT,
    "recv_ns": _INT,
    "kind": _TEXT,
    "tokens": _INT,
    "span_id": _TEXT,
    "parent_msg_id": _TEXT,
    "inferred": "boolean",
}
"""One row a message between agents; `inferred` from nesting where no span says it."""

RUNS = {
    "run_id": _TEXT,
    "task_id": _TEXT,
    "task_family": _TEXT,
    "team_topology": _TEXT,
    "n_agents": _INT,
    "start_ns": _INT,
    "end_ns": _INT,
    "outcome": _TEXT,
    "score": _FLOAT,
    "human_minutes": _FLOAT,
    "seed": _INT,
    "trial": _INT,
}
"""One row a run."""

AGENTS = {
    "run_id": _TEXT,
    "agent_id": _TEXT,
    "name": _TEXT,
    "role": _TEXT,
    "model": _TEXT,
    "parent_agent_id": _TEXT,
    "tools": _INT,
    "context_window": _INT,
}
"""One row an agent of a run."""


@dataclass(frozen=True)
class Traces:
    """What was read.

    Attributes
    ----------
    calls, messages, runs, agents : DataFrame
        The columns of `CALLS`, `MESSAGES`, `RUNS` and `AGENTS`.
    skipped : list of str
        Every row or span that could not be used, with file, place and reason.
    notes : list of str
        What was done to the rest: duplicates dropped, nested spans merged, clocks that are
        quantised.
    team : TeamRuns or None
        More about runs of teams on task lists, where the source has it.
    """

    calls: pd.DataFrame
    messages: pd.DataFrame
    runs: pd.DataFrame
    agents: pd.DataFrame
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    team: TeamRuns | None = None


class Collector:
    """Gathers rows while files are read.

    Parameters
    ----------
    source_format : str
        The reader's name.
    """

    def __init__(self, source_format: str) -> None:
        self._format = source_format
        self._calls: list[dict[str, Any]] = []
        self._messages: list[dict[str, Any]] = []
        self._runs: list[dict[str, Any]] = []
        self._agents: dict[tuple[str, str], dict[str, Any]] = {}
        self.skipped: list[str] = []
        self.notes: list[str] = []

    def call(self, source: Path, **fields: Any) -> None:
        """Add a call."""
        self._calls.append({"source": source.name, "source_format": self._format, **fields})

    def message(self, **fields: Any) -> None:
        """Add a message."""
        self._messages.append(fields)

    def run(self, **fields: Any) -> None:
        """Add what is known of a run."""
        self._runs.append(fields)

    def agent(self, run_id: str, agent_id: str, **fields: Any) -> None:
        """Add an agent, or what else is known of it."""
        row = self._agents.setdefault((run_id, agent_id), {"run_id": run_id, "agent_id": agent_id})
        row.update({name: value for name, value in fields.items() if value is not None})

    def skip(self, where: str, why: str) -> None:
        """Note a row that could not be used."""
        self.skipped.append(f"{where}: {why}")

    def traces(self) -> Traces:
        """Return the tables, duplicates dropped, runs completed from calls, clocks checked."""
        calls = _table(self._calls, CALLS)
        calls, dropped = _without_duplicates(calls)
        if dropped:
            self.notes.append(f"{dropped} calls dropped that repeat others (forked sessions)")
        calls = calls.sort_values(["run_id", "start_ns"], kind="stable").reset_index(drop=True)
        self._note_quantised_clock(calls)
        agents = _agents_of(calls, list(self._agents.values()))
        runs = _runs_of(calls, agents, _table(self._runs, RUNS))
        messages = _table(self._messages, MESSAGES)
        return Traces(calls, messages, runs, agents, self.skipped, self.notes)

    def _note_quantised_clock(self, calls: pd.DataFrame) -> None:
        starts = calls["start_ns"].dropna()
        if len(starts) >= 50:
            whole = float((starts % 1_000_000_000 == 0).mean())
            if whole > 0.9:
                self.notes.append(
                    f"starts are whole seconds in {whole:.0%} of calls: gaps are coarse"
                )


def _table(rows: Sequence[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(columns))
    return frame.astype(columns)


def _without_duplicates(calls: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Drop calls that repeat another of the same model, tokens, start and length."""
    key = calls[["response_model", "request_model", "input_tokens", "output_tokens"]].astype(str)
    key = key.assign(start=calls["start_ns"], length=calls["end_ns"] - calls["start_ns"])
    exact = calls[["input_tokens", "output_tokens", "start_ns", "end_ns"]].notna().all(axis=1)
    repeated = key.duplicated() & exact & (calls["operation_name"] == "chat").fillna(False)
    # Two agents may start at once by the same clock: only another run's copy is a repetition.
    first_run = calls.groupby([key[name] for name in key], dropna=False)["run_id"].transform(
        "first"
    )
    repeated &= calls["run_id"] != first_run
    repeated = repeated.fillna(False).astype(bool)
    return calls[~repeated], int(repeated.sum())


def _agents_of(calls: pd.DataFrame, known: list[dict[str, Any]]) -> pd.DataFrame:
    seen = calls.dropna(subset=["agent_id"])
    rows = {(row["run_id"], row["agent_id"]): dict(row) for row in known}
    for (run, agent), some in seen.groupby(["run_id", "agent_id"], sort=False):
        row = rows.setdefault((run, agent), {"run_id": run, "agent_id": agent})
        names, models = some["agent_name"].dropna(), some["response_model"].dropna()
        row.setdefault("name", names.iloc[0] if len(names) else None)
        row.setdefault("model", models.iloc[0] if len(models) else None)
    return _table(list(rows.values()), AGENTS)


def _runs_of(calls: pd.DataFrame, agents: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    spans = calls.groupby("run_id").agg(start_ns=("start_ns", "min"), end_ns=("end_ns", "max"))
    counts = agents.groupby("run_id")["agent_id"].nunique()
    named = known.set_index("run_id")
    rows = []
    for run in dict.fromkeys([*known["run_id"], *spans.index]):
        row: dict[str, Any] = {"run_id": run}
        if run in spans.index:
            row |= {"start_ns": spans.at[run, "start_ns"], "end_ns": spans.at[run, "end_ns"]}
            row["n_agents"] = int(counts.get(run, 1))
        if run in named.index:
            row |= {k: v for k, v in named.loc[run].items() if pd.notna(v)}
        rows.append(row)
    return _table(rows, RUNS)
