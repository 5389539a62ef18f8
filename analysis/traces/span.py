"""One span of any tracing system, with its attributes interpreted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from analysis.traces.collector import Collector
from analysis.traces.dialects import (
    ANY_AGENTS_NODE,
    call_fields,
    doubtful_cache,
    doubtful_reasoning,
    error_of,
    may_be_chat,
    operation_of,
    slots_of,
    with_metadata,
)
from analysis.traces.jsonstream import Record
from analysis.traces.values import mapping, names_in, pick, text

_WRAPPER = re.compile(
    r"(Runnable\w*|\w*Parser|\w*PromptTemplate|LangGraph|LLMChain|ChannelWrite\w*|Branch|__\w+__)"
    r"(<.*>)?",
    re.DOTALL,
)
"""Spans that frameworks mark as agents although they are steps of an agent."""

_AGENT_RUN = re.compile(r"(?:agent_run|invoke_agent) \[?([^\]]+)\]?")
"""Names that Google's ADK and the conventions give to the span of an agent at work."""

_TOOL_RUN = re.compile(r"^(?:execute_tool|running tool:?)(?=\s|$)")
"""Beginnings of names that the conventions and Pydantic AI give to the span of a tool."""

_HANDOFF = re.compile(
    r"(?:transfer|hand_?off)(?:[ _]back)?[ _]to[ _](?:(?:an?|the|another)[ _])?(.+)", re.IGNORECASE
)
_ANY_AGENT = {"agent", "coworker", "co-worker", "specialist", "expert", "human"}
"""What tools hand over to whose arguments say to whom."""

_TARGETS = ("agent_name", "agent", "to_agent", "to", "target", "recipient", "coworker", "agent_id",
            "destination", "name")  # fmt: skip
_LONGEST_NAME = 100
"""Characters: what is longer is no agent's name."""

_NO_TOOLS = {"(merged tools)"}
"""What Google's ADK calls a span that is no tool but repeats the results of several."""

CLAUDE_CODE = "claude_code."
"""Beginning of the names of Claude Code's own spans: without an agent they are the main one's."""

_STEP_NS = 2_000_000
"""Spans below these are no agent's work: frameworks mark formatting and parsing as agents."""

Key = tuple[str, str]


@dataclass(slots=True)
class Span:
    """One span, with times in ns; `place` is its place in the file.

    `fields` are the fields of a call under canonical names; `around` are the attributes of the
    resource around the span, which may name the session. A log record that does not say how long
    its call took has no start. `task` is its task, if it has a name, `parent_task` the one that it
    is a part of, `needs` are those that it waits for; `links` are the spans that it names as
    causes. `cache` says whether the input lacks the cached tokens, where that is in doubt, and how
    many they are; `thought` whether the output lacks those of the reasoning.
    """

    place: str
    source: str
    form: str
    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int
    operation: str | None
    fields: dict[str, Any]
    status: str = "ok"
    error_type: str | None = None
    session: str | None = None
    agent_id: str | None = None
    agent_name: str | None = None
    node: str | None = None
    weak_agent: str | None = None
    parent_agent: str | None = None
    transfer: tuple[str | None, str] | None = None
    scope: str | None = None
    is_log: bool = False
    around: Mapping[str, Any] | None = None
    has_start: bool = True
    task: str | None = None
    parent_task: str | None = None
    needs: tuple[str, ...] = ()
    cache: tuple[bool | None, int] | None = None
    thought: tuple[bool | None, int] | None = None
    links: tuple[Key, ...] = ()

    @property
    def where(self) -> str:
        """Its place, in words."""
        return f"{self.place}, span {self.span_id!r}"

    @property
    def key(self) -> Key:
        """Its key."""
        return self.trace_id, self.span_id

    def know(self, fields: Mapping[str, Any]) -> None:
        """Add fields of the call."""
        self.fields.update(_with_seconds(dict(fields), (self.start_ns, self.end_ns)))

    def name_tool(self) -> None:
        """Name a tool that no attribute names by its span."""
        if self.operation == "execute_tool" and "tool_name" not in self.fields:
            name = _TOOL_RUN.sub("", self.name).strip()
            if name and not name.startswith(CLAUDE_CODE):
                self.fields["tool_name"] = name

    def forget_zeros(self) -> None:
        """Forget the counts of a call that failed, if all are 0: so writers say that none came."""
        counts = (n for name, n in self.fields.items() if name.endswith("_tokens"))
        if self.status != "ok" and not any(counts):
            self.forget_counts()

    @property
    def has_counts(self) -> bool:
        """Whether it tells how many tokens were read or written."""
        return not self.fields.keys().isdisjoint({"input_tokens", "output_tokens"})

    def become_chat(self) -> None:
        """Be a call of a model."""
        self.operation = "chat"

    def forget_counts(self) -> None:
        """Forget the counts of tokens, which are those of the calls inside."""
        self.fields = {name: n for name, n in self.fields.items() if not name.endswith("_tokens")}

    def take_fields(self) -> dict[str, Any]:
        """Return the fields of the call and forget them, to save memory with large files."""
        fields, self.fields = self.fields, {}
        return fields

    def follow(self, links: Iterable[Key]) -> None:
        """Set the spans that it names as causes."""
        self.links = tuple(links)

    def belong_to(self, session: str | None) -> None:
        """Set the session; None if it has none."""
        self.session = session

    def move_to_run(self, number: int) -> None:
        """Belong to another run, which has the ids of a first one: to a trace of its own."""
        end = f"#{number}"
        session = self.session or text((self.around or {}).get("session.id"))
        self.session = None if session is None else session + end
        self.links = tuple(
            (trace + end if trace == self.trace_id else trace, span) for trace, span in self.links
        )
        self.trace_id += end

    def stand_in(self, around: Mapping[str, Any]) -> None:
        """Add the attributes of the resource, which may stand after the span."""
        self.around = around

    def go_on_to(self, end: Span) -> None:
        """Last until another span of the same call ends, and take over what that one knows."""
        self.end_ns = end.end_ns
        self.fill_from(end)

    def fill_from(self, other: Span) -> None:
        """Take over the fields that only another span of the same call has.

        Where it has the answer's tokens itself, the model has answered, whatever failed later.
        """
        is_answered = bool(self.fields.get("output_tokens"))
        self.fields = other.fields | self.fields
        if self.status == "ok" and other.status != "ok" and not is_answered:
            self.status, self.error_type = other.status, other.error_type
        self.operation = self.operation or other.operation
        self.session = self.session or other.session
        self.agent_id = self.agent_id or other.agent_id
        self.agent_name = self.agent_name or other.agent_name

    def names_agent(self, also_any_node: bool = False) -> tuple[str, str | None] | None:
        """Return id and name of the agent that the span itself names."""
        if self.agent_id is not None or self.agent_name is not None:
            return self.agent_id or self.agent_name or "", self.agent_name
        if self.node is not None and (also_any_node or self.node not in ANY_AGENTS_NODE):
            return self.node, self.node
        return None

    def agent_at_work(self) -> tuple[str, str | None] | None:
        """Return id and name of the agent if the span is a whole piece of its work.

        So is the span of a node of LangGraph: a chain that is called as the node is.
        """
        named = self.names_agent()
        if named is None or self.operation == "invoke_agent":
            return named
        return named if self.operation is None and self.name == named[1] else None


def spans_of(
    records: Iterable[Record],
    source: str,
    form: str,
    out: Collector,
    understand: Callable[[Record, str, str, Collector], Span | None],
) -> Iterator[Span]:
    """Yield the spans of records; each record counts as a row that was read.

    Parameters
    ----------
    records : iterable of Record
    source, form : str
        The file, and its format.
    out : Collector
    understand : callable
        Returns the span of a record; None if it has none, or an invalid one.
    """
    for record in records:
        out.report.rows += 1
        found = understand(record, source, form, out)
        if found is not None:
            yield found


def span_of(
    place: str,
    source: str,
    form: str,
    ids: tuple[str, str, str | None],
    name: str,
    times: tuple[int, int],
    attributes: Mapping[str, Any],
    failed: bool = False,
    message: str | None = None,
    *,
    scope: str | None = None,
    around: Mapping[str, Any] | None = None,
    is_log: bool = False,
    has_start: bool = True,
) -> Span:
    """Return a span with its attributes interpreted.

    Parameters
    ----------
    place, source, form : str
        Its place, its file, and the file's format.
    ids : tuple
        Trace, span and parent.
    name : str
    times : tuple of int
        Start and end, ns.
    attributes : mapping
    failed : bool
        Whether its status is an error; `message` is the message of the status.
    scope : str, optional
        The instrumentation that wrote it.
    around : mapping, optional
        Attributes of its resource.
    is_log : bool
        Whether it was made of a log record.
    has_start : bool
        Whether the start is known; if not, it is that of the record.
    """
    said = with_metadata(slots_of(attributes))
    operation = operation_of(name, said)
    if operation is None and _AGENT_RUN.fullmatch(name):
        operation = "invoke_agent"
    if text(said.get("tool")) in _NO_TOOLS:
        operation = None
    status, error = error_of(said, failed, message) if operation else ("ok", None)
    is_whole = operation is not None and may_be_chat(operation, said)
    agent_id, agent_name = text(said.get("agent_id")), text(said.get("agent_name"))
    node = text(said.get("node"))
    if operation == "invoke_agent" and agent_id is None and agent_name is None:
        agent_name = text(said.get("entity")) or _own_name(name, times)
        operation = operation if agent_name or node else None
    weak_agent = text(said.get("weak_agent"))
    if name.startswith(CLAUDE_CODE):
        asked_by = text(said.get("query_source"))
        weak_agent = asked_by if asked_by in {"subagent", "auxiliary"} else "main"
    return Span(
        place,
        source,
        form,
        *ids,
        name,
        *times,
        operation,
        _with_seconds(call_fields(said, "chat" if is_whole else operation), times)
        if operation
        else {},
        status,
        error,
        text(said.get("session")),
        agent_id,
        agent_name,
        node,
        weak_agent,
        text(said.get("parent_agent")),
        _transfer(name, operation, said),
        scope,
        is_log,
        around,
        has_start,
        text(said.get("task")),
        text(said.get("parent_task")),
        tuple(names_in(said.get("needs"))),
        doubtful_cache(said) if operation == "chat" or is_whole else None,
        doubtful_reasoning(said) if operation == "chat" or is_whole else None,
    )


def _with_seconds(fields: dict[str, Any], times: tuple[int, int]) -> dict[str, Any]:
    """Return the fields; a first chunk after the end of its call was written in milliseconds."""
    first, lasted = fields.get("first_chunk_s"), (times[1] - times[0]) / 1e9
    if first is not None and first > lasted >= first / 1000.0:
        fields["first_chunk_s"] = first / 1000.0
    return fields


def _own_name(name: str, times: tuple[int, int]) -> str | None:
    """Return the agent of a span that names none; None if the span is only a step."""
    if _WRAPPER.fullmatch(name) or times[1] - times[0] < _STEP_NS:
        return None
    run = _AGENT_RUN.fullmatch(name)
    return (run.group(1) if run else name).strip() or None


def _transfer(name: str, operation: str | None, said: Mapping[str, Any]) -> Any:
    """Return to whom a span hands over, and how; None if it does not."""
    target = text(said.get("transfer_to"))
    mode = text(said.get("transfer"))
    if target is None and operation in {"execute_tool", "handoff", None}:
        found = _HANDOFF.fullmatch((text(said.get("tool")) or name).strip())
        target = found.group(1) if found else None
        if target is not None and target.lower() in _ANY_AGENT:
            target, mode = text(pick(mapping(said.get("arguments")), *_TARGETS)), "pass_control"
            target = target if target is None or len(target) <= _LONGEST_NAME else None
    if target is None and mode is None:
        return None
    return target, "delegate" if mode == "return_to_caller" else "handoff"
