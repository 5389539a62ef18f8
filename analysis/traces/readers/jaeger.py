"""Jaeger: traces as exported from its interface and its API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from analysis.traces.attribute_names import KNOWN
from analysis.traces.collector import Collector
from analysis.traces.impossible import note_impossible
from analysis.traces.jsonstream import Record
from analysis.traces.reader import Reader
from analysis.traces.source import Head, Source
from analysis.traces.span import Span, span_of, spans_of
from analysis.traces.spans import collect
from analysis.traces.values import amount, flag, items, mapping, rows_on, text


class Jaeger(Reader):
    """``{data: [{traceID, spans, processes}]}``: times in microseconds, attributes as tags."""

    kind: ClassVar[str] = "jaeger"

    def recognises(self, head: Head) -> float:
        """Return the share of rows that are traces of Jaeger, or pages of them."""
        return head.share(_is_trace)

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files."""
        collect((s for source in sources for s in _spans(source, self.kind, out)), out)


def _is_trace(row: Mapping[str, Any]) -> bool:
    rows = rows_on(row, ["data"])
    return any(
        "traceID" in each and any("spanID" in mapping(s) for s in items(each.get("spans"))[:5])
        for each in rows
    )


def _spans(source: Source, form: str, out: Collector) -> Iterator[Span]:
    records = source.records(frozenset({"data", "spans"}), out.skip)
    own = (record for record in records if "spanID" in record.node)
    return spans_of(own, source.name, form, out, _span)


def _span(record: Record, source: str, form: str, out: Collector) -> Span | None:
    raw = record.node
    identity, trace = text(raw.get("spanID")), text(raw.get("traceID"))
    start, lasts = amount(raw.get("startTime")), amount(raw.get("duration"))
    place = f"{record.place}, span {identity!r}"
    if identity is None or trace is None:
        out.skip(place, "no spanID or traceID")
        return None
    if start is None or lasts is None or start + lasts > 4e15:  # the year 2096
        out.skip(place, f"startTime is {str(raw.get('startTime'))[:40]!r}, or no duration")
        return None
    tags = _tags(raw.get("tags"))
    failed = flag(tags.get("error")) is True or tags.get("otel.status_code") == "ERROR"
    for log in items(raw.get("logs")):
        tags = _tags(mapping(log).get("fields")) | tags  # an exception is a log of its span
    around = None
    for each in record.around:
        process = mapping(mapping(each.get("processes")).get(str(raw.get("processID"))))
        around = _tags(process.get("tags")) or around
    began = int(start) * 1000
    note_impossible(tags, place, out)
    return span_of(
        record.place,
        source,
        form,
        (trace, identity, _parent(raw)),
        text(raw.get("operationName")) or "",
        (began, began + round(lasts * 1000)),
        {name: value for name, value in tags.items() if name in KNOWN and name != "error"},
        failed,
        text(tags.get("otel.status_description")),
        scope=text(tags.get("otel.scope.name")) or text(tags.get("otel.library.name")),
        around=around,
    )


def _parent(raw: Mapping[str, Any]) -> str | None:
    for each in items(raw.get("references")):
        if mapping(each).get("refType") == "CHILD_OF":
            return text(mapping(each).get("spanID"))
    return text(raw.get("parentSpanID"))


def _tags(raw: Any) -> dict[str, Any]:
    pairs = (mapping(each) for each in items(raw))
    return {str(pair.get("key")): pair.get("value") for pair in pairs}
