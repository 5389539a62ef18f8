"""The tables that every trace reader fills: calls, messages, runs, agents and tasks.

Names follow the OpenTelemetry GenAI conventions, without the prefix. A value that the source does
not give is null, never 0. ``input_tokens`` is the total, cached tokens included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from analysis.traces.report import ReadingReport
from analysis.traces.team_runs import TeamRuns

_TEXT, _INT, _FLOAT = "string", "Int64", "Float64"

CALLS = {
    "source": _TEXT,
    "source_format": _TEXT,
    "run_id": _TEXT,
    "session_id": _TEXT,
    "trace_id": _TEXT,
    "span_id": _TEXT,
    "parent_span_id": _TEXT,
    "operation_name": _TEXT,
    "agent_id": _TEXT,
    "parent_agent_id": _TEXT,
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
    "cache_write_1h_input_tokens": _INT,
    "output_tokens": _INT,
    "reasoning_output_tokens": _INT,
    "attempt": _INT,
    "call_id": _TEXT,
    "task_id": _TEXT,
    "status": _TEXT,
    "error_type": _TEXT,
    "http_status": _INT,
    "finish_reason": _TEXT,
    "tool_name": _TEXT,
    "result_size": _INT,
    "cost_usd": _FLOAT,
    "quality_time": _TEXT,
    "quality_tokens": _TEXT,
}
"""One row an attempt of an operation: chat, execute_tool, invoke_agent, ... (name: dtype).

``run_id`` is one team at work; ``session_id`` is a session of the source (in a team, a member's);
``queue_s`` is the wait of a call before it began, also for people; ``result_size`` is the size of a
tool's result, in characters or bytes. ``task_id`` is the task that a call was made for.
``cache_write_1h_input_tokens`` are those of the tokens written to a cache that it keeps for an hour
(Anthropic's price of them is another).
``status`` is ok, error, timeout or cancelled. ``quality_time`` is exact, 1s, parent_event or
estimated (the start is estimated, the length is not); ``quality_tokens`` is exact or placeholder
(counts that the writer did not know yet are missing).
"""

CHATS = frozenset({"chat", "text_completion", "generate_content"})
"""Operations that are a call of a model."""

CACHE_HIT = "cache_hit"
"""Operation of a request that a gateway answered from its cache: no model was asked."""

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
    "depth": _INT,
    "tools": _INT,
    "context_window": _INT,
}
"""One row an agent of a run."""

TASKS = {"run_id": _TEXT, "task_id": _TEXT, "agent_id": _TEXT, "needs": _TEXT}
"""One row a task and a task that must be done before it, in runs whose source says so; `needs` is
null for a task that waits for none. ``agent_id`` is whose task it is."""


def no_tasks() -> pd.DataFrame:
    """Return the table of tasks of a source that tells of none."""
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in TASKS.items()})


def model_of(calls: pd.DataFrame) -> pd.Series:
    """Return the model that answered each call, else the one that was asked."""
    return calls["response_model"].fillna(calls["request_model"]).astype("string")


def named_models(calls: pd.DataFrame) -> pd.Series:
    """Return the model of each call; one that has no name is called ``agent``."""
    return model_of(calls).fillna("agent").astype(str)


@dataclass(frozen=True)
class Traces:
    """The tables that were read.

    Attributes
    ----------
    calls, messages, runs, agents : DataFrame
        The columns of `CALLS`, `MESSAGES`, `RUNS` and `AGENTS`.
    skipped : list of str
        Rows and spans that could not be used, with file, place and reason (the first 1,000;
        `report` counts all).
    notes : list of str
        Changes and remarks: duplicates dropped, nested spans merged, coarse clocks.
    team : TeamRuns or None
        More about runs of teams on task lists, if the source has it.
    report : ReadingReport
        Counts of what was read and what was left out.
    tasks : DataFrame
        The columns of `TASKS`.
    prices : mapping
        Prices per million tokens, by model, of models whose names are replaced by neutral ones.
    called : mapping
        What neutral names of roles, tools and models stand for: never written anywhere.
    """

    calls: pd.DataFrame
    messages: pd.DataFrame
    runs: pd.DataFrame
    agents: pd.DataFrame
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    team: TeamRuns | None = None
    report: ReadingReport = field(default_factory=ReadingReport)
    tasks: pd.DataFrame = field(default_factory=no_tasks)
    prices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    called: Mapping[str, str] = field(default_factory=dict)

    @property
    def chats(self) -> pd.DataFrame:
        """The calls of models."""
        return self.calls[self.calls["operation_name"].isin(CHATS)].reset_index(drop=True)

    @property
    def tools(self) -> pd.DataFrame:
        """The calls of tools."""
        return self.calls[self.calls["operation_name"] == "execute_tool"].reset_index(drop=True)
