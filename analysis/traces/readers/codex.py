"""Rollout files of Codex (JSON lines, one session a file)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from analysis.traces.collector import Collector
from analysis.traces.dialects import status_of
from analysis.traces.error_kinds import error_kind
from analysis.traces.impossible import note_impossible
from analysis.traces.reader import Reader
from analysis.traces.readers._codex_events import Call, Session, Tool, read_rollouts
from analysis.traces.source import Head, Source
from analysis.traces.usage import of_api
from analysis.traces.values import count, text

_TOO_FAST_NS = 100_000_000
"""No call of a model is this short; calls copied from a parent with new times are."""


class Codex(Reader):
    """``{timestamp, type, payload}`` lines that begin with ``session_meta``.

    A call ends with a ``token_count`` event and starts when there was something to answer: the
    last user message, turn context or tool output before it. It asked for tools if it wrote a call
    of one, and ended its turn if it wrote an answer only, or a person asked next. Calls from one
    question of a person to the next are one trace: what passes between is a person's pause. Input
    includes cached tokens. A fork and a sub-agent's session begin with a copy of their parent's
    calls, which count once.
    """

    kind: ClassVar[str] = "codex"

    def recognises(self, head: Head) -> float:
        """Return the share of lines that are a rollout's events."""
        return head.share(_is_event)

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files."""
        sessions = read_rollouts(sources, out)
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


def _add(session: Session, by_id: Mapping[str, Session], form: str, out: Collector) -> None:
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
    for where, why in session.skipped:
        out.skip(where, why)
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


def _run_of(session: Session, by_id: Mapping[str, Session]) -> str:
    """Return the root session: a sub-agent belongs to its parent's run, a fork to its own."""
    seen = {session.own}
    while session.parent is not None and session.parent not in seen:
        seen.add(session.parent)
        above = by_id.get(session.parent)
        if above is None:
            return session.parent
        session = above
    return session.own


def _copied(session: Session, by_id: Mapping[str, Session]) -> int:
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
    session: Session, run: str, number: int, call: Call, form: str, out: Collector
) -> None:
    out.agent(run, session.own, model=call.model)
    note_impossible(call.usage or {}, call.place, out)
    usage = {} if call.usage is None else of_api(call.usage)
    if call.usage is not None and "reasoning_output_tokens" in call.usage:
        usage["reasoning_output_tokens"] = count(call.usage["reasoning_output_tokens"])
    failed = call.error is not None
    out.call(
        call.place,
        session.source.name,
        form,
        run_id=run,
        trace_id=f"{session.own}/{call.turn}",
        span_id=f"{session.own}-{number}",
        operation_name="chat",
        provider_name=session.provider,
        response_model=call.model,
        start_ns=call.start if call.start is not None and call.start <= call.end else None,
        end_ns=call.end,
        status=status_of(str(call.error)) if failed else "ok",
        error_type=error_kind(None, call.error) if failed else None,
        finish_reason=call.stopped,
        quality_time="parent_event",
        quality_tokens=None if failed else "exact",
        **session.names,
        **usage,
    )


def _add_tool(
    session: Session, run: str, number: str, tool: Tool, form: str, out: Collector
) -> None:
    out.call(
        tool.place,
        session.source.name,
        form,
        run_id=run,
        trace_id=session.own,
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
