"""What the events of a Codex rollout tell: a session with its calls and its tools."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.traces.archives import stem_of
from analysis.traces.collector import Collector
from analysis.traces.dialects import size_of
from analysis.traces.jsonstream import Skip
from analysis.traces.readers._codex_order import (
    META,
    Event,
    apart,
    identity_of,
    in_order,
    once,
    parent_of,
)
from analysis.traces.source import Source
from analysis.traces.values import count, mapping, nanoseconds, pick, text, wrong_time

_ASKED = "user_message"
_ANSWERED = {_ASKED, "function_call_output", "custom_tool_call_output", "task_started"}
_CALLS = {"function_call", "custom_tool_call", "local_shell_call"}
_OUTPUTS = {"function_call_output", "custom_tool_call_output"}
_ENDS = {"exec_command_end", "mcp_tool_call_end"}
_ABORTED = "turn_aborted"
_FAILURES = {"error", "stream_error", _ABORTED}
_EXIT = re.compile(r"^(?:Exit code:|Process exited with code) (-?\d+)\s*$", re.MULTILINE)
_TOLD = 400
"""Characters at the beginning of a tool's output in which its exit code is told."""

_LONG_ID = 16
"""Characters of an id that a file's name does not have by chance."""

_COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")


@dataclass(slots=True)
class Call:
    """One attempt; `usage` is None where it failed."""

    place: str
    start: int | None
    end: int
    model: str | None
    usage: dict[str, Any] | None
    key: tuple[Any, ...]
    error: str | None = None
    stopped: str | None = None
    turn: int = 0


@dataclass(slots=True)
class Tool:
    """A call of a tool; one without an end has not been answered."""

    place: str
    name: str | None
    start: int
    end: int | None = None
    failed: bool = False
    size: int | None = None


@dataclass
class Session:
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
    calls: list[Call] = field(default_factory=list)
    tools: dict[str, Tool] = field(default_factory=dict)
    model: str | None = None
    asked: int | None = None
    stopped: str | None = None
    turn: int = 0
    totals: dict[str, int] = field(default_factory=dict)
    has_meta: bool = False
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def names(self) -> dict[str, str | None]:
        """The fields of each call that name its run, session and agent."""
        return {
            "session_id": self.own,
            "agent_id": self.own,
            "agent_name": self.name,
            "agent_role": self.role,
            "parent_agent_id": self.parent,
        }


def read_rollouts(sources: Sequence[Source], out: Collector) -> list[Session]:
    """Return the sessions in files.

    A file has one, unless several were put together. One that is in several files, such as copies
    or parts, is put together, and lines that several of them have count once.
    """
    found = [each for source in sources for each in _sessions(source, out.skip, out)]
    ids = {session.own for session in found if session.has_meta}
    parts: dict[str, list[Session]] = {}
    for session in found:
        named = (own for own in ids if len(own) >= _LONG_ID and own in session.own)
        own = session.own if session.has_meta else next(named, session.own)
        parts.setdefault(own, []).append(session)
    sessions = []
    for own, some in parts.items():
        if not any(session.has_meta for session in some):
            out.notes.append(
                f"{some[0].source.name}: its beginning, which names the session, is missing"
            )
        if len(some) > 1:
            out.notes.append(f"session {own} is in {len(some)} files: read as one")
        sessions.append(some[0] if len(some) == 1 else _joined(own, some, out))
    return sessions


def _events(source: Source, skip: Skip) -> Iterator[Event]:
    for record in source.records(frozenset(), skip):
        payload, moment = record.node.get("payload"), nanoseconds(record.node.get("timestamp"))
        if isinstance(payload, dict) and moment is not None:
            yield Event(record.place, moment, text(record.node.get("type")), payload)
        elif isinstance(payload, dict):
            skip(record.place, f"an event {wrong_time(record.node.get('timestamp'))}")
        else:
            skip(record.place, "no payload")


def _sessions(source: Source, skip: Skip, out: Collector) -> Iterator[Session]:
    """Yield the sessions in a file."""
    name, events = stem_of(source.path), list(_events(source, skip))
    out.report.rows += len(events)
    is_moved = False
    for some in apart(events, name):
        ordered, moved = in_order(some, name)
        is_moved |= moved
        yield _session(source, ordered)
    if is_moved:
        out.notes.append(f"{source.name}: its lines are not in the order of their times: put in it")


def _joined(own: str, parts: Sequence[Session], out: Collector) -> Session:
    """Return a session that is in several files, or several times in one."""

    def ignore(place: str, why: str) -> None:
        """Report nothing: the first reading has."""

    events = []
    for source in {part.source.path: part.source for part in parts}.values():
        name = stem_of(source.path)
        for some in apart(list(_events(source, ignore)), name):
            metas = {identity_of(each.payload) for each in some if each.kind == META}
            events += some if own in metas or not metas else []
    found, copies = once(events)
    for place in copies:
        out.duplicate(place)
    return _session(parts[0].source, in_order(found, own)[0])


def _session(source: Source, events: Sequence[Event]) -> Session:
    """Return what the events of a session tell, in their order."""
    session = Session(source, stem_of(source.path))
    for place, moment, kind, payload in events:
        inner = text(payload.get("type"))
        if kind == META:
            _note_meta(session, payload, moment)
        elif kind == "turn_context":
            session.model, session.asked = text(payload.get("model")) or session.model, moment
        elif inner == "token_count":
            _note_count(session, place, payload, moment)
        elif inner in _FAILURES:
            said = text(payload.get("message")) or text(payload.get("reason")) or str(inner)
            if inner == _ABORTED and said != inner:  # by the person: nothing has failed
                said = f"{inner}: {said}"
            key, model = (inner, said, moment), session.model
            call = Call(place, session.asked, moment, model, None, key, said[:200])
            call.turn = session.turn
            session.calls.append(call)
            session.asked = moment
        else:
            _note_tool(session, place, payload, moment)
            _note_stop(session, inner, payload)
            if inner == _ASKED:
                _end_turn(session)
            if inner in _ANSWERED:
                session.asked, session.stopped = moment, None
    return session


def _note_meta(session: Session, payload: Mapping[str, Any], moment: int) -> None:
    """Take the file's own metadata, the first ones; later ones are copies of the parent's."""
    if session.has_meta:
        return
    source = payload.get("source")
    sub = mapping(source).get("subagent")
    spawn = mapping(mapping(sub).get("thread_spawn"))
    session.has_meta = True
    session.own = identity_of(payload) or session.own
    session.began = moment
    session.parent = parent_of(payload)
    session.forked_from = text(payload.get("forked_from_id"))
    session.depth = count(spawn.get("depth"))
    session.name = text(pick(payload, "agent_nickname")) or text(spawn.get("agent_nickname"))
    role = text(pick(payload, "agent_role")) or text(spawn.get("agent_role"))
    session.role = role or (sub if isinstance(sub, str) else None)
    session.provider = text(payload.get("model_provider"))


def _note_count(session: Session, place: str, payload: Mapping[str, Any], moment: int) -> None:
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
        session.skipped.append((place, "a token count without anything asked before it"))
        return
    stopped, session.stopped = session.stopped, None
    session.calls.append(
        Call(place, start, moment, session.model, dict(usage), key, None, stopped, session.turn)
    )


def _note_stop(session: Session, inner: str | None, payload: Mapping[str, Any]) -> None:
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


def _end_turn(session: Session) -> None:
    """Begin a turn, as a person has asked; the call before has ended its own.

    It ended so even if it wrote a tool's call, unless one of its tools ran: what passed until the
    person asked was a pause.
    """
    session.turn += 1
    last = session.calls[-1] if session.calls else None
    if last is None or last.error is not None or last.start is None:
        return
    ran = (tool for tool in session.tools.values() if tool.start >= last.start)
    if all(tool.end is None for tool in ran):
        last.stopped = "stop"


def _note_tool(session: Session, place: str, payload: Mapping[str, Any], moment: int) -> None:
    inner, number = text(payload.get("type")), text(payload.get("call_id"))
    if number is None:
        return
    tool = session.tools.get(number)
    if inner in _CALLS and tool is None:
        name = text(payload.get("name")) or ("shell" if inner == "local_shell_call" else None)
        session.tools[number] = Tool(place, name, moment)
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
