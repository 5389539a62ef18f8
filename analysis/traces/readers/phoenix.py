"""Spans with a separate context: Phoenix's data frames, OpenTelemetry's console exporters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from analysis.traces.collector import Collector
from analysis.traces.dialects import FIRST_TOKEN
from analysis.traces.impossible import note_impossible
from analysis.traces.jsonstream import Record
from analysis.traces.reader import Reader
from analysis.traces.source import Head, Source
from analysis.traces.span import Span, span_of, spans_of
from analysis.traces.spans import collect
from analysis.traces.values import items, mapping, nanoseconds, pick, text, times_of

_PREFIX = "attributes."


class Phoenix(Reader):
    """Spans with ``context.span_id``, attributes and a kind: objects, or rows of a table.

    Phoenix's client returns them, and the console exporter of OpenTelemetry's Python SDK prints
    them, perhaps among other output. Attributes are nested (``llm: {token_count: {prompt: 9}}``),
    or flat columns.
    """

    kind: ClassVar[str] = "phoenix"

    def recognises(self, head: Head) -> float:
        """Return the share of rows that are such spans."""
        return head.share(_is_span)

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files."""
        collect((s for source in sources for s in _spans(source, self.kind, out)), out)


def _is_span(row: Mapping[str, Any]) -> bool:
    if isinstance(row.get("data"), list):
        return any(_is_span(mapping(each)) for each in row["data"][:5])
    kinds = {"span_kind", "spanKind", "attributes.openinference.span.kind"}
    has_context = "context.span_id" in row or "spanId" in mapping(row.get("context"))
    has_context |= "span_id" in mapping(row.get("context"))
    is_printed = isinstance(row.get("attributes"), dict) and "start_time" in row
    return has_context and (is_printed or not kinds.isdisjoint(row))


def _spans(source: Source, form: str, out: Collector) -> Iterator[Span]:
    records = source.records(frozenset({"data"}), out.skip)
    return spans_of(records, source.name, form, out, _span)


def _span(record: Record, source: str, form: str, out: Collector) -> Span | None:
    raw = record.node
    context = mapping(raw.get("context"))
    identity = text(pick(raw, "context.span_id")) or text(pick(context, "span_id", "spanId"))
    trace = text(pick(raw, "context.trace_id")) or text(pick(context, "trace_id", "traceId"))
    place = f"{record.place}, span {identity!r}"
    if identity is None or trace is None:
        out.skip(place, "no span_id or trace_id")
        return None
    began, ended = pick(raw, "start_time", "startTime"), pick(raw, "end_time", "endTime")
    start, end = times_of(began, ended)
    if start is None or end is None or end < start:
        out.skip(place, f"start_time is {str(began)[:40]!r}, end_time {str(ended)[:40]!r}")
        return None
    attributes = _flat(raw)
    attributes.setdefault("openinference.span.kind", pick(raw, "span_kind", "spanKind"))
    if str(attributes["openinference.span.kind"]).upper() == "TOOL":
        attributes.setdefault("tool.name", raw.get("name"))
    for event in items(raw.get("events")):
        if mapping(event).get("name") == "exception":
            attributes = mapping(mapping(event).get("attributes")) | attributes
        elif mapping(event).get("name") in FIRST_TOKEN:
            at = nanoseconds(mapping(event).get("timestamp"))
            if at is not None and at >= start:  # the first of them
                first = {"gen_ai.response.time_to_first_chunk": (at - start) / 1e9}
                attributes = first | attributes
    status = mapping(raw.get("status"))
    code = text(pick(raw, "status_code", "statusCode")) or text(status.get("status_code"))
    parent = text(pick(raw, "parent_id", "parentId"))
    note_impossible(attributes, place, out)
    return span_of(
        record.place,
        source,
        form,
        (trace, identity, parent),
        text(raw.get("name")) or "",
        (start, end),
        attributes,
        str(code).upper() == "ERROR",
        text(pick(raw, "status_message", "statusMessage")) or text(status.get("description")),
        around=mapping(mapping(raw.get("resource")).get("attributes")) or None,
    )


def _flat(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes under dotted names."""
    found: dict[str, Any] = {}
    waiting: list[tuple[str, Any]] = [("", mapping(raw.get("attributes")))]
    waiting += [
        (name.removeprefix(_PREFIX), value)
        for name, value in raw.items()
        if name.startswith(_PREFIX) and value is not None
    ]
    while waiting:
        prefix, value = waiting.pop()
        if prefix:
            found[prefix] = value
        if isinstance(value, dict):
            waiting += [(f"{prefix}.{k}" if prefix else str(k), v) for k, v in value.items()]
    return found
