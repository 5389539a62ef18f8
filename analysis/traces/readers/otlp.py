"""OTLP traces and logs, as JSON (camelCase or snake_case) and as protobuf; those of JavaScript."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from analysis.traces.collector import Collector
from analysis.traces.dialects import FIRST_TOKEN
from analysis.traces.impossible import note_impossible
from analysis.traces.jsonstream import Record
from analysis.traces.reader import Reader
from analysis.traces.readers._otlp_js import in_otlp, is_js
from analysis.traces.readers._otlp_logs import LOG_TIMES, joined, span_of_log
from analysis.traces.readers._otlp_protobuf import NESTED, is_protobuf, protobuf_records
from analysis.traces.readers._otlp_values import (
    around_of,
    attribute,
    attributes_of,
    hex_id,
    of_resource,
)
from analysis.traces.source import Head, Source
from analysis.traces.span import Span, span_of
from analysis.traces.spans import collect
from analysis.traces.values import exact_ns, items, mapping, pick, text, times_of

_OUTERMOST = ("resourceSpans", "resource_spans", "resourceLogs", "resource_logs", "batches")
_METRICS = ("resourceMetrics", "resource_metrics")
_ERRORS = {2, "2", "STATUS_CODE_ERROR", "ERROR", "Error"}

_FINE = (1, "STATUS_CODE_OK")
"""Codes of spans whose writer says that they went well: an exception in them was handled."""

_TELLING = {"exception", "gen_ai.client.inference.operation.details", "gen_ai.choice"}
"""Events in spans whose attributes tell more about the span."""

_PENDING = "pending_span"
"""What Logfire writes when a span begins; the span itself follows when it ends."""

_ARGUMENTS = "gen_ai.tool.message"
"""The event of the span of a tool that holds its arguments."""


class Otlp(Reader):
    """Documents of ``resourceSpans`` or ``resourceLogs``: lines, an array, one, or protobuf.

    And what OpenTelemetry's JavaScript SDK prints, or writes into a file, as JSON.
    """

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
                span.stand_in(of_resource(mapping(span.around["resource"])))
        collect(joined(spans), out)


def _is_document(row: Mapping[str, Any]) -> bool:
    """Tell whether a row is a document, or a span alone."""
    if is_js(row):
        return True
    if "startTimeUnixNano" in row or (
        "start_time_unix_nano" in row and isinstance(row.get("attributes"), list)
    ):
        return True
    if isinstance(row.get("data"), list):  # a page of Phoenix's API
        return any(_is_document(each) for each in row["data"][:5] if isinstance(each, dict))
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
        records = source.records(NESTED | {"trace", "data"}, out.skip)
    for each in records:
        record = in_otlp(each)
        out.report.rows += 1
        if any(name in record.node for name in _METRICS):
            continue
        if not LOG_TIMES.isdisjoint(record.node):
            found = span_of_log(record, source.name, form, out)
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
    began = pick(raw, "startTimeUnixNano", "start_time_unix_nano")
    ended = pick(raw, "endTimeUnixNano", "end_time_unix_nano")
    start, end = times_of(began, ended, exact_ns)
    if start is None or end is None:
        name, said = ("startTimeUnixNano", began) if start is None else ("endTimeUnixNano", ended)
        out.skip(place, f"{name} is {str(said)[:40]!r}")
        return None
    if end < start:
        out.skip(place, "it ends before it starts" if end else "it has not ended")
        return None
    status = mapping(raw.get("status"))
    attributes = attributes_of(raw)
    for event in items(raw.get("events")):
        kind = text(mapping(event).get("name"))
        if kind in _TELLING and not (kind == "exception" and status.get("code") in _FINE):
            attributes = attributes_of(event) | attributes
        elif kind == _ARGUMENTS:
            said = attribute(event, "content")
            attributes = {"gen_ai.tool.call.arguments": said} | attributes
        elif kind in FIRST_TOKEN:
            at = exact_ns(pick(mapping(event), "timeUnixNano", "time_unix_nano"))
            if at is not None and at >= start:  # the first of them
                first = {"gen_ai.response.time_to_first_chunk": (at - start) / 1e9}
                attributes = first | attributes
    if attributes.get("logfire.span_type") == _PENDING:
        return None
    note_impossible(attributes, place, out)
    resource, scope = around_of(record)
    code = status.get("code")
    span = span_of(
        record.place,
        source,
        form,
        (hex_id(trace_id), hex_id(span_id), _parent(raw)),
        str(raw.get("name") or ""),
        (start, end),
        attributes,
        isinstance(code, (int, str)) and code in _ERRORS,
        text(status.get("message")),
        scope=scope,
        around=resource,
    )
    if raw.get("links"):
        span.follow(_links(raw))
    return span


def _links(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for each in items(raw.get("links")):
        link = mapping(each)
        trace, span = (
            text(pick(link, *names)) for names in (("traceId", "trace_id"), ("spanId", "span_id"))
        )
        if trace is not None and span is not None:
            yield hex_id(trace), hex_id(span)


def _parent(raw: Mapping[str, Any]) -> str | None:
    parent = text(pick(raw, "parentSpanId", "parent_span_id"))
    return None if parent is None or not parent.strip("0") else hex_id(parent)
