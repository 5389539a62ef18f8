"""Sessions of opencode: its storage of JSON files, its data base, and ``opencode export``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from analysis.traces.collector import Collector
from analysis.traces.dialects import size_of
from analysis.traces.error_kinds import error_kind
from analysis.traces.impossible import note_impossible
from analysis.traces.reader import Reader
from analysis.traces.readers._opencode_files import (
    Message,
    Stored,
    is_data_base,
    is_one,
    parent_of,
    records_of,
    root_of,
)
from analysis.traces.source import Head, Source
from analysis.traces.usage import counts
from analysis.traces.values import amount, count, length_ns, mapping, nanoseconds, pick, text

_WITHOUT_CALLS = {"project", "session_diff", "session_share", "todo", "migration"}
"""Directories of the storage."""

_TASK = "task"
"""The tool that starts a sub-agent."""

_WRITTEN = {"text", "reasoning"}
"""Types of parts that the model writes."""

_ABORTED = "MessageAbortedError"
_CUT = "MessageOutputLengthError"
_FIRST_WAIT_NS, _LONGEST_WAIT_NS, _DOUBLINGS = 2 * 10**9, 30 * 10**9, 4
"""How long opencode waits before it tries again, twice as long each time, if no answer says it."""


class Opencode(Reader):
    """Sessions, messages and parts of messages: a file each, rows of a data base, or one document.

    A call is a step of an assistant's message. It begins with the message, or when the tools of the
    step before have ended, and ends with what it wrote last, or when its first tool begins. A run
    is a session with those of its sub-agents. In the files the input is without the cached tokens.
    """

    kind: ClassVar[str] = "opencode"

    def recognises(self, head: Head) -> float:
        """Return the share of rows that are of a session, or 0.9 for a data base of opencode."""
        if head.layout == "binary":
            return 0.9 if is_data_base(head) else 0.0
        return head.share(is_one)

    def knows(self, path: Path) -> bool:
        """Return whether a file of the storage has no calls: projects, changes, lists of things."""
        return "storage" in path.parts and not _WITHOUT_CALLS.isdisjoint(path.parts)

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files; messages and their parts may be in files of their own."""
        stored = Stored()
        for source in sources:
            for record in records_of(source, out.skip):
                stored.add(record, source.name, out)
        calls = {}
        for child, parent, call_id in _started(stored):
            stored.start(child, parent)
            calls[child] = call_id
        for message in stored.messages.values():
            if message.info.get("role") == "assistant":
                _add(message, stored, calls, self.kind, out)


@dataclass
class _Step:
    """A step of the model in a message: its parts, and what ended it."""

    parts: list[dict[str, Any]] = field(default_factory=list)
    end: dict[str, Any] = field(default_factory=dict)

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The calls of tools that it asked for."""
        return [part for part in self.parts if part.get("type") == "tool"]

    def times(self, name: str, *, of_tools: bool) -> list[int]:
        """Return when its parts began, or ended."""
        states = [mapping(part.get("state")) for part in self.tools]
        others = [part for part in self.parts if text(part.get("type")) in _WRITTEN]
        found = (nanoseconds(mapping(x.get("time")).get(name)) for x in states if of_tools)
        written = (nanoseconds(mapping(x.get("time")).get(name)) for x in others if not of_tools)
        return [at for at in (*found, *written) if at is not None]


def _steps(message: Message) -> list[_Step]:
    """Return the steps of a message; a message of which no step is told is one."""
    steps = [_Step()]
    for part in message.in_order:
        steps[-1].parts.append(part)
        if part.get("type") == "step-finish":
            steps[-1].end = part
            steps.append(_Step())
    whole = [step for step in steps if step.end or step.tools]
    return whole if whole and len(whole) > 1 else [_Step(message.in_order, _end_of(whole))]


def _end_of(steps: Sequence[_Step]) -> dict[str, Any]:
    return steps[-1].end if steps else {}


def _started(stored: Stored) -> Iterator[tuple[str, str, str | None]]:
    """Yield the sessions that tools have started, with the session and the call of the tool."""
    for message in stored.messages.values():
        for part in message.in_order:
            said = mapping(mapping(part.get("state")).get("metadata"))
            child = text(pick(said, "sessionId", "sessionID"))
            if part.get("tool") == _TASK and child is not None:
                yield child, str(message.info.get("sessionID")), text(part.get("callID"))


def _add(
    message: Message,
    stored: Stored,
    calls: Mapping[str, str | None],
    form: str,
    out: Collector,
) -> None:
    """Add the calls of a message, its attempts that failed, and its tools.

    `calls` are those of tools that have started sessions, by these.
    """
    info = message.info
    session = text(info.get("sessionID")) or message.source
    created = nanoseconds(mapping(info.get("time")).get("created"))
    if created is None:
        out.skip(message.place, "no time at which it was created")
        return
    parent = parent_of(session, stored.sessions)
    run, name = root_of(session, stored.sessions), text(pick(info, "agent", "mode"))
    model = text(pick(info, "modelID")) or text(mapping(info.get("model")).get("id"))
    out.agent(run, session, name=name, model=model, parent_agent_id=parent)
    known: dict[str, Any] = {
        "source": message.source,
        "source_format": form,
        "run_id": run,
        "session_id": session,
        "trace_id": session,
        "agent_id": session,
        "agent_name": name,
        "parent_agent_id": parent,
    }
    chat: dict[str, Any] = {
        "operation_name": "chat",
        "parent_span_id": calls.get(session),
        "provider_name": text(info.get("providerID")),
        "response_model": model,
    }
    start, attempt = _add_attempts(message, created, {**known, **chat}, out)
    steps = _steps(message)
    for number, step in enumerate(steps):
        is_last = number == len(steps) - 1
        end = _end(step, info, is_last)
        if end is None or end < start:
            out.skip(message.place, "it has not ended, or before it began")
            return
        first = min(step.times("start", of_tools=False), default=None)
        out.call(
            message.place,
            **known,
            **chat,
            **_outcome(step, info, is_last),
            **_tokens(step, info, len(steps) == 1, message.place, out),
            span_id=f"{info.get('id')}-{number}",
            start_ns=start,
            end_ns=end,
            first_chunk_s=None if first is None or first < start else (first - start) / 1e9,
            attempt=attempt if attempt > 1 else None,
            quality_time="exact",
        )
        for part in step.tools:
            _add_tool(part, message.place, known, out)
        start, attempt = max([end, *step.times("end", of_tools=True)]), 1


def _end(step: _Step, info: Mapping[str, Any], is_last: bool) -> int | None:
    """Return when the model had written a step: tools begin while it ends, and run on."""
    written = step.times("end", of_tools=False)
    begun = step.times("start", of_tools=True)
    if written or begun:
        return max([*written, *begun])
    completed = nanoseconds(mapping(info.get("time")).get("completed"))
    return completed if is_last else None


def _add_attempts(
    message: Message, created: int, known: Mapping[str, Any], out: Collector
) -> tuple[int, int]:
    """Add the attempts that failed; return when the last one began, and its number."""
    start, number = created, 1
    first = min((at for step in _steps(message) for at in step.times("start", of_tools=False)),
                default=None)  # fmt: skip
    for part in message.in_order:
        at = nanoseconds(mapping(part.get("time")).get("created"))
        if part.get("type") != "retry" or at is None or at < start:
            continue
        number = count(part.get("attempt")) or number
        out.call(
            message.place,
            **known,
            span_id=text(part.get("id")),
            start_ns=start,
            end_ns=at,
            attempt=number,
            status="error",
            **_error(mapping(part.get("error"))),
            quality_time="exact",
        )
        start = at + _wait_ns(mapping(part.get("error")), number)
        start = start if first is None else max(at, min(start, first))
        number += 1
    return start, number


def _wait_ns(error: Mapping[str, Any], attempt: int) -> int:
    """Return how long opencode waits after an attempt."""
    headers = mapping(mapping(error.get("data")).get("responseHeaders"))
    for name, unit_ns in (("retry-after-ms", 1e6), ("retry-after", 1e9)):
        if (told := length_ns(headers.get(name), unit_ns)) is not None:
            return told
    return min(_FIRST_WAIT_NS << min(max(attempt, 1) - 1, _DOUBLINGS), _LONGEST_WAIT_NS)


def _error(error: Mapping[str, Any]) -> dict[str, Any]:
    """Return kind and HTTP status of an error."""
    said = mapping(error.get("data"))
    http = count(said.get("statusCode"))
    message = f"{said.get('message') or ''} {said.get('responseBody') or ''}"
    return {"error_type": error_kind(text(error.get("name")), message, http), "http_status": http}


def _outcome(step: _Step, info: Mapping[str, Any], is_last: bool) -> dict[str, Any]:
    """Return how a step ended; an error of the message is that of its last step."""
    error = mapping(info.get("error")) if is_last else {}
    reason = text(pick(step.end, "reason")) or (text(info.get("finish")) if is_last else None)
    if error and error.get("name") != _CUT:
        status = "cancelled" if error.get("name") == _ABORTED else "error"
        return {"status": status, **_error(error)}
    if reason in {None, "unknown", "other"}:
        reason = "tool-calls" if step.tools else "length" if error else reason
    return {"status": "ok", "finish_reason": reason}


def _tokens(
    step: _Step, info: Mapping[str, Any], is_only: bool, place: str, out: Collector
) -> dict[str, Any]:
    """Return counts and cost of a step: its own, else those of the message that it is all of.

    Older versions counted the reasoning in the output, newer ones apart: the total shows it.
    """
    said = step.end or (info if is_only else {})
    told = mapping(said.get("tokens"))
    cache = mapping(told.get("cache"))
    note_impossible(told, place, out)
    found = counts(
        count(told.get("input")),
        count(cache.get("read")),
        count(cache.get("write")),
        count(told.get("output")),
        reasoning=count(told.get("reasoning")),
        total=count(told.get("total")),
        includes_cache=False,
    )
    if not any(found.values()):
        return {}
    # opencode has a price of 0 for models that it does not know, and for those of subscriptions.
    return {**found, "cost_usd": amount(said.get("cost")) or None, "quality_tokens": "exact"}


def _add_tool(
    part: Mapping[str, Any], place: str, known: Mapping[str, Any], out: Collector
) -> None:
    """Add a call of a tool that has ended."""
    state = mapping(part.get("state"))
    start, end = (nanoseconds(mapping(state.get("time")).get(name)) for name in ("start", "end"))
    if start is None or end is None or end < start:
        return
    said = mapping(state.get("metadata"))
    failed = state.get("status") == "error" or bool(amount(said.get("exit")))
    aborted = failed and "abort" in str(state.get("error")).lower()
    status = "cancelled" if aborted else "error" if failed else "ok"
    call_id, child = text(part.get("callID")), text(pick(said, "sessionId", "sessionID"))
    out.call(
        place,
        **known,
        operation_name="execute_tool",
        span_id=call_id,
        call_id=call_id,
        start_ns=start,
        end_ns=end,
        tool_name=text(part.get("tool")),
        status=status,
        error_type="tool_error" if status == "error" else None,
        result_size=size_of(state.get("output")),
        quality_time="exact",
    )
    if part.get("tool") == _TASK and child is not None:
        _add_errand(known, str(call_id), child, (start, end), out)


def _add_errand(
    known: Mapping[str, Any], call_id: str, child: str, times: tuple[int, int], out: Collector
) -> None:
    """Add what passes between an agent and the sub-agent that its tool has started."""
    own = str(known["agent_id"])
    for kind, ends, source, target, at in (
        ("delegate", "out", own, child, times[0]),
        ("return", "back", child, own, times[1]),
    ):
        out.message(
            run_id=known["run_id"],
            msg_id=f"{call_id}-{ends}",
            src_agent_id=source,
            dst_agent_id=target,
            sent_ns=at,
            recv_ns=at,
            kind=kind,
            span_id=call_id,
            inferred=False,
        )
