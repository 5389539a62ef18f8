"""OTLP traces and logs, as JSON (camelCase or snake_case) and as protobuf."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from analysis.traces.attribute_names import KNOWN
from analysis.traces.collector import Collector
from analysis.traces.jsonstream import Record
from analysis.traces.reader import Reader
from analysis.traces.readers._otlp_protobuf import NESTED, is_protobuf, protobuf_records
from analysis.traces.source import Head, Source
from analysis.traces.span import Span, span_of
from analysis.traces.spans import collect
from analysis.traces.values import amount, exact_ns, items, mapping, pick, text

_OUTERMOST = ("resourceSpans", "resource_spans", "resourceLogs", "resource_logs", "batches")
_METRICS = ("resourceMetrics", "resource_metrics")
_ERRORS = {2, "2", "STATUS_CODE_ERROR", "ERROR", "Error"}

_LOG_TIMES = {
    "timeUnixNano",
    "time_unix_nano",
    "observedTimeUnixNano",
    "observed_time_unix_nano",
}
_REQUESTS = ("api_request", "api_response")
_FAILURES = ("api_error",)
_TOOLS = ("tool_result", "tool_call")
_PROGRAM = re.compile(r"[\w-]+\.\w+")
_RESOURCE = {"session.id"}


class Otlp(Reader):
    """Documents of ``resourceSpans`` or ``resourceLogs``: lines, an array, one, or protobuf."""

    kind: ClassVar[str] = "otlp"

    def recognises(self, head: Head) -> float:
        """Return the share of documents of spans or logs, or 0.9 if binary files are protobuf."""
        if head.layout == "binary":
            return 0.9 if is_protobuf(head.start) else 0.0
        return head.share(_is_document)

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files; spans of one trace may be spread over them."""
        spans = [span for source in sources for span in _spans(source, self.kind, out)]
        for span in spans:
            # In a large document the resource may stand after its spans.
            if span.around is not None and "resource" in span.around:
                span.stand_in(_of_resource(mapping(span.around["resource"])))
        collect(spans, out)


def _is_document(row: Mapping[str, Any]) -> bool:
    """Tell whether a row is a document, or a span alone."""
    if "startTimeUnixNano" in row or (
        "start_time_unix_nano" in row and isinstance(row.get("attributes"), list)
    ):
        return True
    around = row.get("trace")
    return any(
        isinstance(row.get(name), list)
        or (isinstance(around, dict) and isinstance(around.get(name), list))
        for name in (*_OUTERMOST, *_METRICS)
    )


def _spans(source: Source, form: str, out: Collector) -> Iterator[Span]:
    if source.head.layout == "binary":
        records = protobuf_records(source, out)
    else:
        records = source.records(NESTED | {"trace"}, out.skip)
    for record in records:
        out.report.rows += 1
        if any(name in record.node for name in _METRICS):
            continue
        if not _LOG_TIMES.isdisjoint(record.node):
            found = _of_log(record, source.name, form, out)
        elif not record.node.keys().isdisjoint({"spanId", "span_id", "name", "traceId"}):
            found = _of_span(record, source.name, form, out)
        else:
            continue  # a resource without spans
        if found is not None:
            yield found


def _of_span(record: Record, source: str, form: str, out: Collector) -> Span | None:
    raw = record.node
    span_id, trace_id = text(pick(raw, "spanId", "span_id")), text(pick(raw, "traceId", "trace_id"))
    place = f"{record.place}, span {span_id!r}"
    if span_id is None or trace_id is None:
        out.skip(place, "no spanId or traceId")
        return None
    times = []
    for name, other in (
        ("startTimeUnixNano", "start_time_unix_nano"),
        ("endTimeUnixNano", "end_time_unix_nano"),
    ):
        said = pick(raw, name, other)
        moment = exact_ns(said)
        if moment is None:
            out.skip(place, f"{name} is {str(said)[:40]!r}")
            return None
        times.append(moment)
    if times[1] < times[0]:
        out.skip(place, "it ends before it starts" if times[1] else "it has not ended")
        return None
    status = mapping(raw.get("status"))
    attributes = _attributes(raw)
    for event in items(raw.get("events")):
        if mapping(event).get("name") == "exception":
            attributes = _attributes(event) | attributes
    resource, scope = _around(record)
    code = status.get("code")
    return span_of(
        record.place,
        source,
        form,
        (_hex(trace_id), _hex(span_id), _parent(raw)),
        str(raw.get("name") or ""),
        (times[0], times[1]),
        attributes,
        isinstance(code, (int, str)) and code in _ERRORS,
        text(status.get("message")),
        scope=scope,
        around=resource,
    )


def _parent(raw: Mapping[str, Any]) -> str | None:
    parent = text(pick(raw, "parentSpanId", "parent_span_id"))
    return None if parent is None or not parent.strip("0") else _hex(parent)


def _hex(identity: str) -> str:
    """Return an id in hexadecimal digits; proto3's JSON mapping writes some in base64."""
    if len(identity) in {12, 24} and identity[-1] == "=":
        try:
            return base64.b64decode(identity, validate=True).hex()
        except ValueError:
            return identity
    return identity


def _of_log(record: Record, source: str, form: str, out: Collector) -> Span | None:
    """Return the call in a log record, of Claude Code and tools that write the same events."""
    raw = record.node
    attributes = _attributes(raw)
    body = _value(raw.get("body"))
    name = next(
        (
            each
            for each in (
                raw.get("eventName"),
                raw.get("event_name"),
                attributes.get("event.name"),
                body,
            )
            if isinstance(each, str)
        ),
        "",
    )
    event = name.rpartition(".")[2]
    if event not in {*_REQUESTS, *_FAILURES, *_TOOLS}:
        return None
    end = exact_ns(pick(raw, "timeUnixNano", "time_unix_nano")) or exact_ns(
        pick(raw, "observedTimeUnixNano", "observed_time_unix_nano")
    )
    lasted = amount(attributes.get("duration_ms"))
    if end is None or lasted is None or lasted * 1e6 > end:
        out.skip(f"{record.place}, {name}", "no time, or no duration_ms")
        return None
    resource, _ = _around(record)
    named = [each for each in (name, body) if isinstance(each, str) and _PROGRAM.fullmatch(each)]
    program = named[0].rpartition(".")[0] if named else "claude_code"
    operation = "execute_tool" if event in _TOOLS else "chat"
    attributes = {
        **({"success": False} if event in _FAILURES else {}),
        **attributes,
        "gen_ai.operation.name": operation,
    }
    session = text(attributes.get("session.id")) or text((resource or {}).get("session.id"))
    start = end - round(lasted * 1e6)
    trace = text(pick(raw, "traceId", "trace_id")) or session or source
    sequence = text(attributes.get("event.sequence")) or record.place
    return span_of(
        record.place,
        source,
        form,
        (trace, f"{event}-{end}-{sequence}", None),
        f"{program}.{event}",
        (start, end),
        attributes,
        around=resource,
        is_log=True,
    )


def _attributes(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that are used, from a list of pairs or a mapping."""
    raw = node.get("attributes")
    if isinstance(raw, dict):
        return {key: value for key, value in raw.items() if key in KNOWN}
    found = {}
    for each in raw if isinstance(raw, list) else ():
        if isinstance(each, dict):
            key = each.get("key")
            if isinstance(key, str) and key in KNOWN:
                found[key] = _value(each.get("value"))
    return found


_VALUES = ("stringValue", "string_value", "boolValue", "bool_value")
_NUMBERS = ("intValue", "int_value", "doubleValue", "double_value")


def _value(value: Any) -> Any:
    """Return the plain value of an OTLP AnyValue; integers may be strings."""
    if not isinstance(value, dict):
        return value
    for name in _VALUES:
        if name in value:
            return value[name]
    for name in _NUMBERS:
        if name in value:
            number = amount(value[name])
            return value[name] if number is None else int(number) if "int" in name else number
    listed = pick(value, "arrayValue", "array_value")
    if listed is not None:
        return [_value(each) for each in items(mapping(listed).get("values"))]
    pairs = pick(value, "kvlistValue", "kvlist_value")
    if pairs is not None:
        each = (mapping(pair) for pair in items(mapping(pairs).get("values")))
        return {str(pair.get("key")): _value(pair.get("value")) for pair in each}
    return None


def _around(record: Record) -> tuple[dict[str, Any] | None, str | None]:
    """Return the resource's attributes that are used, and the instrumentation's name."""
    resource: dict[str, Any] | None = None
    scope: str | None = None
    for each in record.around:
        if "resource" in each:
            resource = each.get("_said")
            if resource is None:
                resource = each["_said"] = _of_resource(mapping(each["resource"]))
        elif "scope" in each or "instrumentationLibrary" in each:
            named = mapping(pick(each, "scope", "instrumentationLibrary"))
            scope = text(named.get("name")) or scope
    if resource is None and len(record.around) > 1:
        return record.around[1], scope  # the resource is still being read
    return resource or None, scope


def _of_resource(resource: Mapping[str, Any]) -> dict[str, Any]:
    raw = resource.get("attributes")
    if isinstance(raw, dict):
        return {key: value for key, value in raw.items() if key in _RESOURCE}
    pairs = (mapping(each) for each in items(raw))
    return {
        str(each["key"]): _value(each.get("value"))
        for each in pairs
        if isinstance(each.get("key"), str) and each["key"] in _RESOURCE
    }
