"""MLflow: traces with their spans, of its second and third versions."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from analysis.traces.collector import Collector
from analysis.traces.impossible import note_impossible
from analysis.traces.jsonstream import Record
from analysis.traces.reader import Reader
from analysis.traces.source import Head, Source
from analysis.traces.span import Span, span_of, spans_of
from analysis.traces.spans import collect
from analysis.traces.values import exact_ns, items, mapping, parsed, pick, text, times_of

_ERRORS = {"ERROR", "STATUS_CODE_ERROR", "2", "SpanStatusCode.ERROR"}


class MLflow(Reader):
    """``{info, data: {spans}}`` objects, or rows of ``search_traces`` with a column of spans."""

    kind: ClassVar[str] = "mlflow"

    def recognises(self, head: Head) -> float:
        """Return the share of rows that are traces with spans of MLflow."""
        return head.share(_is_trace)

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files."""
        collect((s for source in sources for s in _spans(source, self.kind, out)), out)


def _is_trace(row: Mapping[str, Any]) -> bool:
    if any("info" in mapping(each) for each in items(row.get("traces"))[:5]):
        return True
    data, info = mapping(row.get("data")), mapping(row.get("info"))
    if isinstance(data.get("spans"), list) and (info or "request" in data):
        return True
    return any(_is_span(each) for each in items(row.get("spans"))[:5])


def _is_span(span: Any) -> bool:
    raw = mapping(span)
    named = any(name.startswith("mlflow.") for name in mapping(raw.get("attributes")))
    return named or (isinstance(raw.get("context"), dict) and "start_time" in raw)


def _spans(source: Source, form: str, out: Collector) -> Iterator[Span]:
    return spans_of(_records(source, out), source.name, form, out, _span)


def _records(source: Source, out: Collector) -> Iterator[Record]:
    """Yield records; if a record has others inside, yield these in its place."""
    for record in source.records(frozenset({"traces", "data", "spans"}), out.skip):
        raw = record.node
        inside = [Record(record.place, each, (*record.around, raw)) for each in _listed(raw)]
        yield from inside or [record]


def _listed(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the spans in a cell of a table or in a text."""
    spans = raw.get("spans")
    if spans is None and isinstance(raw.get("trace"), (str, dict)):
        spans = mapping(mapping(raw["trace"]).get("data")).get("spans")
    return [each for each in items(spans) if isinstance(each, dict)]


def _span(record: Record, source: str, form: str, out: Collector) -> Span | None:
    raw = record.node
    context = mapping(raw.get("context"))
    info: dict[str, Any] = {}
    for each in record.around:
        inside = mapping(mapping(each.get("trace")).get("info"))  # a row of `search_traces`
        info |= mapping(each.get("info")) or {**inside, **_said(each)}
    identity = text(pick(raw, "span_id")) or text(context.get("span_id"))
    trace = text(pick(info, "trace_id", "request_id"))
    trace = trace or text(pick(raw, "trace_id")) or text(context.get("trace_id"))
    place = f"{record.place}, span {identity!r}"
    if identity is None or trace is None:
        out.skip(place, "no span_id or trace_id")
        return None
    began = pick(raw, "start_time_unix_nano", "start_time", "start_time_ns")
    ended = pick(raw, "end_time_unix_nano", "end_time", "end_time_ns")
    start, end = times_of(began, ended, exact_ns)
    if start is None or end is None or end < start:
        out.skip(place, f"start_time is {str(began)[:40]!r}, end_time {str(ended)[:40]!r}")
        return None
    status = raw.get("status")
    code = text(pick(mapping(status), "code")) or text(raw.get("status_code")) or text(status)
    parent = text(pick(raw, "parent_span_id", "parent_id"))
    attributes = {name: _plain(value) for name, value in mapping(raw.get("attributes")).items()}
    asked = mapping(attributes.get("mlflow.spanInputs"))
    if "mlflow.llm.model" not in attributes and text(asked.get("model")) is not None:
        attributes["mlflow.llm.model"] = asked["model"]
    if attributes.get("mlflow.spanType") == "TOOL":
        attributes.setdefault("tool.name", raw.get("name"))
    for event in items(raw.get("events")):
        if mapping(event).get("name") == "exception":
            attributes = mapping(mapping(event).get("attributes")) | attributes
    note_impossible(attributes, place, out)
    return span_of(
        record.place,
        source,
        form,
        (trace, _hex(identity), None if parent is None else _hex(parent)),
        text(raw.get("name")) or "",
        (start, end),
        attributes,
        code in _ERRORS,
        text(mapping(status).get("message")) or text(raw.get("status_message")),
        around={"session.id": _session(info)},
    )


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "spans" and value is not None}


def _session(info: Mapping[str, Any]) -> str | None:
    metadata = mapping(pick(info, "trace_metadata", "request_metadata"))
    return text(metadata.get("mlflow.trace.session")) or text(
        mapping(info.get("tags")).get("mlflow.trace.session")
    )


def _plain(value: Any) -> Any:
    """Return an attribute: MLflow writes each as JSON text."""
    if isinstance(value, str) and value[:1] in {'"', "{", "["}:
        found = parsed(value)
        return value if found is None else found
    return value


def _hex(identity: str) -> str:
    """Return an id in hexadecimal digits; the third version writes it in base64."""
    if len(identity) == 12 and identity.endswith("="):
        try:
            return base64.b64decode(identity, validate=True).hex()
        except ValueError:
            return identity
    return identity.removeprefix("0x")
