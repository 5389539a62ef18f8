"""Rollout files of Codex (JSON lines, one session a file)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from analysis.traces.collector import Collector
from analysis.traces.dialects import size_of, status_of
from analysis.traces.reader import Reader
from analysis.traces.source import Head, Source
from analysis.traces.usage import of_api
from analysis.traces.values import count, mapping, nanoseconds, pick, text

_ANSWERED = {"user_message", "function_call_output", "custom_tool_call_output", "task_started"}
_CALLS = {"function_call", "custom_tool_call", "local_shell_call"}
_OUTPUTS = {"function_call_output", "custom_tool_call_output"}
_ENDS = {"exec_command_end", "mcp_tool_call_end"}
_FAILURES = {"error", "stream_error", "turn_aborted"}
_TOO_FAST_NS = 100_000_000
"""No call of a model is this short; calls copied from a parent with new times are."""

_EXIT = re.compile(r"^(?:Exit code:|Process exited with code) (-?\d+)\s*$", re.MULTILINE)
_TOLD = 400
"""Characters at the beginning of a tool's output in which its exit code is told."""

_COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")


class Codex(Reader):
    """``{timestamp, type, payload}`` lines that begin with ``session_meta``.

    A call ends with a ``token_count`` event and starts when there was something to answer: the
    last user message, turn context or tool output before it. It asked for tools if it wrote a call
    of one, and ended its turn if it wrote an answer only. Input includes cached tokens. A fork
    and a sub-agent's session begin with a copy of their parent's calls, which count once.
    """

    kind: ClassVar[str] = "codex"

    def recognises(self, head: Head) -> float:
        """Return the share of lines that are a rollout's events."""
        return head.share(_is_event)

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files."""
        sessions = [_read_rollout(source, out) for source in sources]
        by_id = {session.own: session for session in sessions}
        for session in sessions:
            _add(session, by_id, self.kind, out)


def _is_event(row: Mapping[str, Any]) -> bool:
    kind = text(row.get("type"))
    if not isinstance(row.get("payload"), dict):
        return False
    known = {"session_meta", "turn_context", "event_msg", "response_item", "compacted",
             "world_state"}  # fmt: skip
    return kind in known or ("timestamp" in row and kind is not None)


@dataclass(slots=True)
class _Call:
    """One attempt; `usage` is None where it failed."""

    place: str
    start: int | None
    end: int
    model: str | None
    usage: dict[str, Any] | None
    key: tuple[Any, ...]
    error: str | None = None
    stopped: str | None = None


@dataclass(slots=True)
class _Tool:
    place: str
    name: str | None
    start: int
    end: int | None = None
    failed: bool = False
    size: int | None = None


@dataclass
class _Session:
    """The contents of a rollout."""

    source: Source
    own: str
    began: int | None = None
    parent: str | None = None
    forked_from: str | None = None
    depth: int | None = None
    name: str | None = None
    role: str | None = None
    provider: str | None = None
    calls: list[_Call] = field(default_factory=list)
    tools: dict[str, _Tool] = field(default_factory=dict)
    model: str | None = None
    asked: int | None = None
    stopped: str | None = None
    totals: dict[str, int] = field(default_factory=dict)
    has_meta: bool = False

    @property
    def names(self) -> dict[str, str | None]:
        """The fields of each call that name its run, session and agent."""
        return {
            "session_id": self.own,
            "trace_id": self.own,
            "agent_id": self.own,
            "agent_name": self.name,
            "agent_role": self.role,
            "parent_agent_id": self.parent,
        }


def _read_rollout(source: Source, out: Collector) -> _Session:
    session = _Session(source, source.path.stem)
    for record in source.records(frozenset(), out.skip):
        out.report.rows += 1
        event = record.node
        payload, moment = event.get("payload"), nanoseconds(event.get("timestamp"))
        if not isinstance(payload, dict) or moment is None:
            out.skip(record.place, "no payload or timestamp")
            continue
        kind, inner = text(event.get("type")), text(payload.get("type"))
        if kind == "session_meta":
            _note_meta(session, payload, moment)
        elif kind == "turn_context":
            session.model, session.asked = text(payload.get("model")) or session.model, moment
        elif inner == "token_count":
            _note_count(session, record.place, payload, moment, out)
        elif inner in _FAILURES:
            said = text(payload.get("message")) or text(payload.get("reason")) or str(inner)
            key, model = (inner, said, moment), session.model
            call = _Call(record.place, session.asked, moment, model, None, key, said[:200])
            session.calls.append(call)
            session.asked = moment
        else:
            _note_tool(session, record.place, payload, moment)
            _note_stop(session, inner, payload)
            if inner in _ANSWERED:
                session.asked, session.stopped = moment, None
    return session


def _note_meta(session: _Session, payload: Mapping[str, Any], moment: int) -> None:
    """Take the file's own metadata, the first ones; later ones are copies of the parent's."""
    if session.has_meta:
        return
    source = payload.get("source")
    sub = mapping(source).get("subagent")
    spawn = mapping(mapping(sub).get("thread_spawn"))
    session.has_meta = True
    session.own = text(pick(payload, "id", "session_id")) or session.own
    session.began = moment
    session.parent = text(pick(payload, "parent_thread_id")) or text(spawn.get("parent_thread_id"))
    session.forked_from = text(payload.get("forked_from_id"))
    session.depth = count(spawn.get("depth"))
    session.name = text(pick(payload, "agent_nickname")) or text(spawn.get("agent_nickname"))
    role = text(pick(payload, "agent_role")) or text(spawn.get("agent_role"))
    session.role = role or (sub if isinstance(sub, str) else None)
    session.provider = text(payload.get("model_provider"))


def _note_count(
    session: _Session, place: str, payload: Mapping[str, Any], moment: int, out: Collector
) -> None:
    info = mapping(payload.get("info"))
    said = mapping(info.get("total_token_usage"))
    total = {name: n for name, each in said.items() if (n := count(each)) is not None}
    last = mapping(info.get("last_token_usage"))
    if not total and not last:
        return  # only rate limits
    if total and total == session.totals:
        return  # the same count again
    grown = {name: n - session.totals.get(name, 0) for name, n in total.items()}
    restarted = any(n < 0 for n in grown.values())
    usage = last or (total if restarted else grown)
    session.totals = total or session.totals
    key = (*(usage.get(name) for name in _COUNTS), *(total.get(name) for name in _COUNTS))
    start = session.asked
    session.asked = moment
    if start is None or start > moment:
        out.skip(place, "a token count without anything asked before it")
        return
    stopped, session.stopped = session.stopped, None
    session.calls.append(
        _Call(place, start, moment, session.model, dict(usage), key, None, stopped)
    )


def _note_stop(session: _Session, inner: str | None, payload: Mapping[str, Any]) -> None:
    """Note why a call ended, which no field says, by what it wrote: a tool's call, or an answer.

    A tool's call may stand before the token count of its response or after it.
    """
    is_answer = inner == "message" and text(payload.get("role")) == "assistant"
    if inner in _CALLS:
        last = session.calls[-1] if session.calls else None
        if last is not None and last.error is None and last.end == session.asked:
            last.stopped = "tool_calls"
        else:
            session.stopped = "tool_calls"
    elif (is_answer or inner == "agent_message") and session.stopped is None:
        session.stopped = "stop"


def _note_tool(session: _Session, place: str, payload: Mapping[str, Any], moment: int) -> None:
    inner, number = text(payload.get("type")), text(payload.get("call_id"))
    if number is None:
        return
    tool = session.tools.get(number)
    if inner in _CALLS and tool is None:
        name = text(payload.get("name")) or ("shell" if inner == "local_shell_call" else None)
        session.tools[number] = _Tool(place, name, moment)
    elif tool is None:
        return
    elif inner in _OUTPUTS:
        tool.end = tool.end or moment
        output = payload.get("output")
        tool.size = size_of(output)
        said = mapping(mapping(output).get("metadata"))
        told = _EXIT.search(str(mapping(output).get("output") or output)[:_TOLD])
        tool.failed |= told is not None and told.group(1) != "0"
        tool.failed |= bool(count(said.get("exit_code"))) or mapping(output).get("success") is False
    elif inner in _ENDS:
        tool.end = moment
        tool.failed |= bool(count(payload.get("exit_code")))
        tool.failed |= "Err" in mapping(payload.get("result"))


def _add(session: _Session, by_id: Mapping[str, _Session], form: str, out: Collector) -> None:
    run = _run_of(session, by_id)
    own = session.own
    out.agent(run, own, name=session.name, role=session.role, parent_agent_id=session.parent)
    if session.parent is not None and session.began is not None:
        out.message(
            run_id=run,
            msg_id=f"{own}-spawn",
            src_agent_id=session.parent,
            dst_agent_id=own,
            sent_ns=session.began,
            recv_ns=session.began,
            kind="delegate",
            inferred=False,
        )
    copied = _copied(session, by_id)
    mine = session.calls[copied:]
    for call in session.calls[:copied]:
        out.duplicate(call.place)
    for place, call in enumerate(mine, start=1):
        _add_call(session, run, place, call, form, out)
    since = session.calls[copied - 1].end if copied else -1
    origin = by_id.get(session.forked_from or session.parent or "")
    theirs = set() if origin is None else set(origin.tools)
    for number, tool in session.tools.items():
        is_mine = tool.start > since and number not in theirs
        if is_mine and tool.end is not None and tool.end >= tool.start:
            _add_tool(session, run, number, tool, form, out)


def _run_of(session: _Session, by_id: Mapping[str, _Session]) -> str:
    """Return the root session: a sub-agent belongs to its parent's run, a fork to its own."""
    seen = {session.own}
    while session.parent is not None and session.parent not in seen:
        seen.add(session.parent)
        above = by_id.get(session.parent)
        if above is None:
            return session.parent
        session = above
    return session.own


def _copied(session: _Session, by_id: Mapping[str, _Session]) -> int:
    """Return how many calls at the beginning are copies from the session that was forked."""
    origin = session.forked_from or session.parent
    if origin is None or session.began is None:
        return 0
    above, alike = by_id.get(origin), 0
    if above is not None:
        for mine, theirs in zip(session.calls, above.calls, strict=False):
            if mine.key != theirs.key:
                break
            alike += 1
    # Copies keep their times, which are before the session, or have the time of the copying.
    early = 0
    for call in session.calls:
        is_new = call.start is None or call.end - call.start > _TOO_FAST_NS
        if call.end > session.began and is_new:
            break
        early += 1
    return max(alike, early)


def _add_call(
    session: _Session, run: str, number: int, call: _Call, form: str, out: Collector
) -> None:
    out.agent(run, session.own, model=call.model)
    usage = {} if call.usage is None else of_api(call.usage)
    if call.usage is not None and "reasoning_output_tokens" in call.usage:
        usage["reasoning_output_tokens"] = count(call.usage["reasoning_output_tokens"])
    failed = call.error is not None
    out.call(
        call.place,
        session.source.name,
        form,
        run_id=run,
        span_id=f"{session.own}-{number}",
        operation_name="chat",
        provider_name=session.provider,
        response_model=call.model,
        start_ns=call.start if call.start is not None and call.start <= call.end else None,
        end_ns=call.end,
        status=status_of(str(call.error)) if failed else "ok",
        error_type=call.error,
        finish_reason=call.stopped,
        quality_time="parent_event",
        quality_tokens=None if failed else "exact",
        **session.names,
        **usage,
    )


def _add_tool(
    session: _Session, run: str, number: str, tool: _Tool, form: str, out: Collector
) -> None:
    out.call(
        tool.place,
        session.source.name,
        form,
        run_id=run,
        span_id=number,
        call_id=number,
        operation_name="execute_tool",
        start_ns=tool.start,
        end_ns=tool.end,
        status="error" if tool.failed else "ok",
        error_type="tool_error" if tool.failed else None,
        tool_name=tool.name,
        result_size=tool.size,
        quality_time="exact",
        **session.names,
    )
