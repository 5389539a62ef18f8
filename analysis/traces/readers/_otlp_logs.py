"""Calls in OTLP log records: of Claude Code, Codex, Gemini CLI, and of the GenAI conventions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from zlib import crc32

from analysis.traces.collector import Collector
from analysis.traces.impossible import note_impossible
from analysis.traces.jsonstream import Record
from analysis.traces.readers._otlp_values import around_of, attributes_of, hex_id, value_of
from analysis.traces.span import Span, span_of
from analysis.traces.values import amount, exact_ns, pick, text

LOG_TIMES = frozenset(
    {"timeUnixNano", "time_unix_nano", "observedTimeUnixNano", "observed_time_unix_nano"}
)
"""Fields that only log records have."""

_DETAILS = "gen_ai.client.inference.operation.details"
"""The conventions' event of a call: what the span of the call says, or in place of it."""

_REQUESTS = ("api_request", "api_response", "websocket_request")
_FAILURES = ("api_error",)
_TOOLS = ("tool_result", "tool_call")
_STREAMED = ("sse_event",)
_ENDS = {"response.completed": True, "response.incomplete": True, "response.failed": False}
"""Kinds of Codex's events that end an answer, and whether it was one."""

_PROGRAM = re.compile(r"[\w-]+\.\w+")


def span_of_log(record: Record, source: str, form: str, out: Collector) -> Span | None:
    """Return the call that a log record tells of; None if it tells of none."""
    raw = record.node
    attributes = attributes_of(raw)
    body = value_of(raw.get("body"))
    name = _name(raw, attributes, body)
    event = name.rpartition(".")[2]
    kind = str(attributes.get("event.kind"))
    if event in _STREAMED and kind in _ENDS:
        attributes = {"success": _ENDS[kind], **attributes}
    elif name != _DETAILS and event not in {*_REQUESTS, *_FAILURES, *_TOOLS}:
        return None
    end = exact_ns(pick(raw, "timeUnixNano", "time_unix_nano")) or exact_ns(
        pick(raw, "observedTimeUnixNano", "observed_time_unix_nano")
    )
    has_start = name != _DETAILS and event not in _STREAMED
    if has_start and _only_announces(event, attributes):
        return None
    lasted = amount(attributes.get("duration_ms")) if has_start else 0.0
    if end is None or lasted is None or lasted * 1e6 > end:
        out.skip(f"{record.place}, {name}", "no time, or no duration_ms")
        return None
    note_impossible(attributes, f"{record.place}, {name}", out)
    resource, _ = around_of(record)
    if name != _DETAILS:
        attributes = {
            **({"success": False} if event in _FAILURES else {}),
            **attributes,
            "gen_ai.operation.name": "execute_tool" if event in _TOOLS else "chat",
        }
    session = text(attributes.get("session.id")) or text((resource or {}).get("session.id"))
    trace, of_span = text(pick(raw, "traceId", "trace_id")), text(pick(raw, "spanId", "span_id"))
    sequence = text(attributes.get("event.sequence")) or _digest(attributes)
    identity = f"{event}-{end}-{sequence}"
    if name == _DETAILS and of_span is not None:
        identity = hex_id(of_span)
    return span_of(
        record.place,
        source,
        form,
        (session or source if trace is None else hex_id(trace), identity, None),
        name if name == _DETAILS else f"{_program(name, body)}.{event}",
        (end - round(lasted * 1e6), end),
        attributes,
        around=resource,
        is_log=True,
        has_start=has_start,
    )


def _name(raw: Mapping[str, Any], attributes: Mapping[str, Any], body: Any) -> str:
    """Return the name of an event, which may be in any of four places."""
    places = (raw.get("eventName"), raw.get("event_name"), attributes.get("event.name"), body)
    return next((each for each in places if isinstance(each, str) and each), "")


def _program(name: str, body: Any) -> str:
    named = [each for each in (name, body) if isinstance(each, str) and _PROGRAM.fullmatch(each)]
    return named[0].rpartition(".")[0] if named else "claude_code"


def _digest(attributes: Mapping[str, Any]) -> str:
    """Return a short text that is the same for a record that was exported again."""
    return f"{crc32(repr(sorted(attributes.items(), key=str)).encode('utf-8', 'replace')):08x}"


def _only_announces(event: str, attributes: Mapping[str, Any]) -> bool:
    """Tell whether a record is of a request that is sent: another tells of its answer."""
    said = {"duration_ms", "input_tokens", "output_tokens", "cost_usd"}
    return event == "api_request" and said.isdisjoint(attributes)


def joined(spans: list[Span]) -> list[Span]:
    """Return the spans, in which each of Codex's requests ends when its answer does.

    One record says when the answer began, and how long that took; another, that it has ended, and
    its tokens. An answer whose request is not there is a call of which only the end is known.
    """
    ends = [span for span in spans if span.name.rpartition(".")[2] in _STREAMED and span.is_log]
    if not ends:
        return spans
    requests: dict[str | None, list[Span]] = {}
    for span in spans:
        if span.is_log and span.name.rpartition(".")[2] in _REQUESTS and span.status == "ok":
            requests.setdefault(span.session, []).append(span)
    for some in requests.values():
        some.sort(key=lambda span: span.end_ns)
    gone = set()
    for end in sorted(ends, key=lambda span: span.end_ns):
        before = [s for s in requests.get(end.session, ()) if s.end_ns <= end.end_ns]
        if before:
            requests[end.session] = requests[end.session][len(before) :]
            before[-1].go_on_to(end)
            gone.add(id(end))
    return [span for span in spans if id(span) not in gone]
