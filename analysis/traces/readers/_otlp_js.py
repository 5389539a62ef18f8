"""Spans and log records as OpenTelemetry's JavaScript SDK has them, in the shape of OTLP.

Its console exporters print objects of their own, with times in microseconds; programs that write
spans into a file (such as Gemini CLI) write the SDK's objects as they are, with times of seconds
and nanoseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.traces.jsonstream import Record
from analysis.traces.values import amount, items, length_ns, mapping, nanoseconds, pick

_SCOPES = ("instrumentationScope", "instrumentationLibrary")
_CONTEXTS = ("_spanContext", "spanContext")


def is_js(row: Mapping[str, Any]) -> bool:
    """Tell whether a row is a span or a log record of the JavaScript SDK."""
    return _is_span(row) or _is_printed(row) or "hrTime" in row


def _is_span(row: Mapping[str, Any]) -> bool:
    context = mapping(pick(row, *_CONTEXTS))
    return "spanId" in context and "startTime" in row and "name" in row


def _is_printed(row: Mapping[str, Any]) -> bool:
    return (
        "timestamp" in row
        and not row.keys().isdisjoint(_SCOPES)
        and ("duration" not in row or {"id", "traceId"} <= row.keys())
    )


def in_otlp(record: Record) -> Record:
    """Return a record of the SDK as one of OTLP; any other one as it is."""
    raw = record.node
    if not is_js(raw):
        return record
    node = _span(raw) if _is_span(raw) or "duration" in raw else _log(raw)
    around = {"resource": {"attributes": _of_resource(mapping(raw.get("resource")))}}
    scope = {"scope": mapping(pick(raw, *_SCOPES))}
    return Record(record.place, node, (*record.around, around, scope))


def _span(raw: Mapping[str, Any]) -> dict[str, Any]:
    own = mapping(pick(raw, *_CONTEXTS))
    above = mapping(raw.get("parentSpanContext"))
    start = _moment(pick(raw, "startTime", "timestamp"))
    return {
        "traceId": pick(own, "traceId") or raw.get("traceId"),
        "spanId": pick(own, "spanId") or raw.get("id"),
        "parentSpanId": pick(above, "spanId") or pick(raw, "parentSpanId", "parentId"),
        "name": raw.get("name"),
        "startTimeUnixNano": start,
        "endTimeUnixNano": _end(raw, start),
        "attributes": mapping(raw.get("attributes")),
        "status": raw.get("status"),
        "events": [
            {**mapping(each), "timeUnixNano": _moment(mapping(each).get("time"))}
            for each in items(raw.get("events"))
        ],
        "links": [mapping(mapping(each).get("context")) for each in items(raw.get("links"))],
    }


def _log(raw: Mapping[str, Any]) -> dict[str, Any]:
    context = mapping(raw.get("spanContext"))
    return {
        "timeUnixNano": _moment(pick(raw, "hrTime", "timestamp")),
        "observedTimeUnixNano": _moment(raw.get("hrTimeObserved")),
        "traceId": pick(context, "traceId") or raw.get("traceId"),
        "spanId": pick(context, "spanId") or raw.get("spanId"),
        "eventName": pick(raw, "eventName", "_eventName"),
        "body": pick(raw, "body", "_body"),
        "attributes": mapping(raw.get("attributes")),
    }


def _moment(value: Any) -> int | None:
    """Return a moment in ns: a pair of seconds and ns, or a number or text that tells its unit."""
    return _pair(value) if isinstance(value, list) else nanoseconds(value)


def _pair(value: list[Any]) -> int | None:
    known = [n for each in value if (n := amount(each)) is not None]
    return round(known[0]) * 10**9 + round(known[1]) if len(known) == len(value) == 2 else None


def _end(raw: Mapping[str, Any], start: int | None) -> int | None:
    """Return when a span ended; None if it has not: then the SDK has zeros for its end."""
    ended = raw.get("ended", raw.get("_ended"))
    end, lasted = _moment(raw.get("endTime")), pick(raw, "duration", "_duration")
    if end:
        return end
    length = _pair(lasted) if isinstance(lasted, list) else length_ns(lasted, 1000)
    return None if start is None or length is None or ended is False else start + length


def _of_resource(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a resource, which versions of the SDK keep in different fields."""
    told = mapping(pick(resource, "attributes", "_attributes"))
    pairs = (each for each in items(resource.get("_rawAttributes")) if isinstance(each, list))
    return told or {str(each[0]): each[1] for each in pairs if len(each) == 2}
