"""Spans of which each is a row or an object with its attributes: of data bases, other tracers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from analysis.traces.attribute_names import COLUMNS, KNOWN
from analysis.traces.collector import Collector
from analysis.traces.column_names import UNITS, found_columns, plain, unit_in
from analysis.traces.dialects import FIRST_TOKEN
from analysis.traces.impossible import note_impossible
from analysis.traces.jsonstream import Record
from analysis.traces.reader import Reader
from analysis.traces.source import Head, Source
from analysis.traces.span import Span, span_of, spans_of
from analysis.traces.spans import collect
from analysis.traces.table_dates import as_iso, day_first
from analysis.traces.table_rows import is_missing
from analysis.traces.time_units import WORDS, lengths_in, unit_of_lengths
from analysis.traces.values import amount, flag, items, mapping, nanoseconds, parsed, text, times_of

_TRACE = ("trace_id", "operation_id")
_SPAN = ("span_id", "id")
_PARENT = ("parent_span_id", "parent_id", "operation_parent_id")
_NAME = ("span_name", "display_name", "name", "operation_name")
_START = ("start_time_unix_nano", "start_ns", "start_time", "start_timestamp", "start",
          "timestamp", "timestamp_utc")  # fmt: skip
_END = ("end_time_unix_nano", "end_ns", "end_time", "end_timestamp", "end")
_LASTS = ("duration_nano", "duration_ns", "duration_us", "duration_ms", "duration")
_ATTRIBUTES = ("span_attributes", "attributes", "tags", "labels", "custom_dimensions", "meta",
               "attributes_string", "attributes_number", "attributes_bool", "string_tag_map",
               "number_tag_map", "bool_tag_map")  # fmt: skip
"""Names of columns in lower case with underscores, the surest first; all attributes are read."""

_RESOURCE = ("resource_attributes", "otel_resource_attributes", "resource", "resources_string")
_MESSAGE = ("status_message", "otel_status_message", "exception_message")
_PENDING = "pending_span"
"""What Logfire writes when a span begins; the span itself follows when it ends."""

_FAILED = {"error", "status_code_error", "2"}
_NO_PARENT = {"undefined", "none", "null", "0"}

_OF_DATADOG = {
    "kind": "openinference.span.kind",
    "span_kind": "openinference.span.kind",
    "model_name": "gen_ai.request.model",
    "model_provider": "gen_ai.provider.name",
    "session_id": "session.id",
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "total_tokens": "gen_ai.usage.total_tokens",
    "cache_read_input_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_input_tokens": "gen_ai.usage.cache_write.input_tokens",
    "reasoning_output_tokens": "gen_ai.usage.reasoning.output_tokens",
    "time_to_first_token": "gen_ai.response.time_to_first_chunk",
}
"""What Datadog calls attributes, in its LLM Observability. Its input holds the cached tokens, which
its tracer adds for models of Anthropic."""

_OF_CALLS = {"input_tokens", "output_tokens", "response_model"}

_PAGES = frozenset({"data", "traces", "spans", "rows"})


class SpanRows(Reader):
    """A row or object a span: ids, name, start, end or duration, and its attributes in a mapping.

    So ClickHouse's ``otel_traces`` (CSV or JSON), BigQuery and other data bases keep what the
    OpenTelemetry collector sends them, and so Logfire, Zipkin, Datadog, Google Cloud and Azure
    export spans.
    """

    kind: ClassVar[str] = "spans"

    def recognises(self, head: Head) -> float:
        """Return the share of rows that are such spans, below that of formats with a name."""
        share = head.share(lambda row: any(map(_is_span, _inside(row))))
        if share == 0.0:
            return 0.0
        rows = [each for row in head.rows for each in _inside(row)]
        is_told = any(map(_tells, rows)) and _own_of_calls(rows) <= _told_of_calls(rows)
        return 0.6 * share if is_told else 0.0

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files."""
        collect((s for source in sources for s in _spans(source, self.kind, out)), out)


def _inside(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a row and the first of those that it holds, if it is a page or a trace."""
    inside = [mapping(each) for name in _PAGES for each in items(row.get(name))[:5]]
    inside += _rows_of(row)[:5]
    inside += [mapping(each) for one in list(inside) for each in items(one.get("spans"))[:5]]
    found = [_unwrapped(each) for each in (row, *inside)]
    has_trace = any(_first(_named(each), _TRACE) is not None for each in found)
    return found if has_trace else []


def _is_span(raw: Mapping[str, Any]) -> bool:
    named = _named(raw)
    has_times = _first(named, _START) is not None and (
        _first(named, _END) is not None or _first(named, _LASTS) is not None
    )
    return (
        has_times
        and _first(named, _SPAN) is not None
        and _first(named, _NAME) is not None
        and ("metrics" in named or "span_kind" in named or bool(_attributes(named)))
    )


def _tells(raw: Mapping[str, Any]) -> bool:
    """Tell whether attributes are of spans beyond doubt, and no notes beside a plain row."""
    named = _named(raw)
    return "span_attributes" in named or any(
        each in KNOWN and "." in each for each in _attributes(named)
    )


def _own_of_calls(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return what columns of their own tell of calls, as in tables with notes beside them."""
    return _OF_CALLS & found_columns({name for row in rows for name in row}).keys()


def _told_of_calls(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return what attributes tell of calls."""
    names = {name for row in rows for name in _attributes(_named(row)) if name in KNOWN}
    return {COLUMNS.get(KNOWN[name][0], "") for name in names}


def _unwrapped(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the span in an object of JSON:API, which has it as ``attributes``."""
    inside = mapping(raw.get("attributes"))
    return inside if {"span_id", "trace_id"} <= inside.keys() else raw


def _named(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields by their names in lower case with underscores."""
    return {plain(name): value for name, value in raw.items() if not is_missing(value)}


def _first(named: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((named[name] for name in names if name in named), None)


def _attributes(named: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in _ATTRIBUTES:
        found = {**mapping(named.get(each)), **found}
    if "start_ns" in named and ("metrics" in named or "span_kind" in named):
        told = {**named, **mapping(named.get("meta")), **mapping(named.get("metrics"))}
        found |= {
            known: told[name]
            for name, known in _OF_DATADOG.items()
            if not isinstance(told.get(name, {}), dict)
        }
    return found


@dataclass(frozen=True)
class _Times:
    """How the times of a file are written.

    Attributes
    ----------
    lasts : str or None
        The column of durations.
    unit : int or None
        Their unit, in ns.
    is_day_first : bool
        Whether dates such as ``2/3/2026`` begin with the day.
    """

    lasts: str | None
    unit: int | None
    is_day_first: bool

    def of(self, named: Mapping[str, Any]) -> tuple[int | None, int | None]:
        """Return start and end of a span, in ns."""
        both = [_first(named, names) for names in (_START, _END)]
        start, end = times_of(*as_iso(both, self.is_day_first))
        if end is None and start is not None and self.lasts is not None:
            length = lengths_in([named.get(self.lasts)], self.unit)[0]
            end = None if length is None else start + length
        return start, end


def _spans(source: Source, form: str, out: Collector) -> Iterator[Span]:
    records = (row for each in source.records(_PAGES, out.skip) for row in _by_row(each))
    spans = [each for each in records if _is_one(each)]
    how = _times_in([_named(_unwrapped(each.node)) for each in spans], source.name, out)

    def understand(record: Record, name: str, form: str, out: Collector) -> Span | None:
        return _span(record, name, form, out, how)

    return spans_of(spans, source.name, form, out, understand)


def _by_row(record: Record) -> Iterator[Record]:
    """Yield the rows of a record that has them by column; else the record itself."""
    rows = _rows_of(record.node)
    for i, row in enumerate(rows):
        yield Record(f"{record.place}, row {i}", row, record.around)
    if not rows:
        yield record


def _rows_of(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a page in which each column has its values, as Logfire answers."""
    columns = [mapping(each) for each in items(row.get("columns"))]
    names = [text(each.get("name")) for each in columns]
    values = [items(each.get("values")) for each in columns]
    if len({len(each) for each in values}) != 1 or None in names:
        return []
    return [dict(zip(map(str, names), each, strict=True)) for each in zip(*values, strict=True)]


def _is_one(record: Record) -> bool:
    """Tell whether a record is a span that has ended, and nothing around spans."""
    raw = _unwrapped(record.node)
    if raw.get("kind") == _PENDING:
        return False
    return not any(name in raw for name in _PAGES) and any(plain(name) in _SPAN for name in raw)


def _times_in(rows: Sequence[Mapping[str, Any]], file: str, out: Collector) -> _Times:
    """Return how times are written; note it where only their size tells the unit of durations."""
    starts = [_first(row, _START) for row in rows]
    is_day_first, note = day_first({"start": starts})
    notes = [] if note is None else [note]
    name = next((each for each in _LASTS if any(each in row for row in rows)), None)
    unit = None if name is None else unit_in(name)
    if name is not None and unit is None:
        known = [n for row in rows if (n := amount(row.get(name))) is not None]
        if any({"span_attributes", "start_ns"} & row.keys() for row in rows):
            unit = UNITS["ns"]  # as the collector's exporter of ClickHouse, and Datadog
        elif any("start_timestamp" in row for row in rows):
            unit = UNITS["s"]  # as Logfire
        elif all("tags" in row or "local_endpoint" in row for row in rows):
            unit = UNITS["us"]  # as Zipkin
        elif known:
            middle = float(np.median(known))
            unit = unit_of_lengths(middle)
            notes.append(f"{name!r} is taken as {WORDS[unit]} (its median is {middle:,.4g})")
    out.notes += [f"{file}: {note}" for note in notes]
    return _Times(name, unit, is_day_first)


def _span(record: Record, source: str, form: str, out: Collector, how: _Times) -> Span | None:
    raw = _unwrapped(record.node)
    named = _named(raw)
    identity = text(_first(named, _SPAN))
    around = (_first(_named(each), _TRACE) for each in reversed(record.around))
    trace = text(_first(named, _TRACE)) or next((text(each) for each in around if each), None)
    place = f"{record.place}, span {identity!r}"
    if identity is None or trace is None:
        out.skip(place, "no id of its own, or none of its trace")
        return None
    start, end = how.of(named)
    if start is None or end is None or end < start:
        began, ended = _first(named, _START), _first(named, (*_END, *_LASTS))
        out.skip(place, f"its start is {str(began)[:40]!r}, its end or length {str(ended)[:40]!r}")
        return None
    unread = [each for each in _ATTRIBUTES if _is_unread(named.get(each))]
    if unread:
        out.skip(place, f"column {unread[0]!r} is no mapping")
    attributes = _with_events(_attributes(named), named, start)
    status = mapping(named.get("status"))
    codes = (named.get("status_code"), named.get("otel_status_code"), status.get("code"))
    code = next((each for each in codes if each is not None), named.get("status"))
    failed = str(code).lower() in _FAILED or flag(named.get("success")) is False
    told = attributes.pop("error", None)
    failed = failed or (told is not None and str(told).lower() not in {"false", "0", ""})
    message = text(_first(named, _MESSAGE)) or text(status.get("message"))
    if failed and "exception_type" in named:
        attributes = {"exception.type": named["exception_type"]} | attributes
    note_impossible(attributes, place, out)
    parent = text(_first(named, _PARENT))
    return span_of(
        record.place,
        source,
        form,
        (trace, identity, None if parent is None or _is_none(parent) else parent),
        text(_first(named, _NAME)) or "",
        (start, end),
        {name: value for name, value in attributes.items() if name in KNOWN},
        failed,
        message or (None if isinstance(told, bool) else text(told)),
        scope=text(named.get("scope_name")) or text(named.get("otel_scope_name")),
        around=_resource(named),
    )


def _is_unread(value: Any) -> bool:
    """Tell whether a text is no mapping; lists, as of names that tag a span, are no attributes."""
    if not isinstance(value, str) or mapping(value) or isinstance(parsed(value), list):
        return False
    return value.strip() not in {"", "{}"}


def _is_none(parent: str) -> bool:
    return parent.lower() in _NO_PARENT or not parent.strip("0")


def _resource(named: Mapping[str, Any]) -> dict[str, Any] | None:
    found = mapping(_first(named, _RESOURCE))
    return mapping(found.get("attributes")) or found or None


def _with_events(said: dict[str, Any], named: Mapping[str, Any], start: int) -> dict[str, Any]:
    """Return attributes with what events say: errors, and when the first token came."""
    names = items(named.get("events_name"))
    fields = items(named.get("events_attributes"))
    times = items(named.get("events_timestamp"))
    for i, name in enumerate(names):
        if name == "exception" and i < len(fields):
            said = mapping(fields[i]) | said
        elif name in FIRST_TOKEN and i < len(times) and (at := nanoseconds(times[i])) is not None:
            said = {"gen_ai.response.time_to_first_chunk": max(at - start, 0) / 1e9} | said
    return said
