"""Spans of Braintrust's logs and experiments: what its API, BTQL and downloads return."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from analysis.traces.collector import Collector
from analysis.traces.impossible import note_impossible
from analysis.traces.jsonstream import Record
from analysis.traces.reader import Reader
from analysis.traces.source import Head, Source
from analysis.traces.span import Span, span_of, spans_of
from analysis.traces.spans import collect
from analysis.traces.values import items, mapping, nanoseconds, pick, rows_on, text

_OPERATIONS = {"llm": "chat", "tool": "execute_tool"}
"""Types of spans that are operations; tasks and functions only have some inside of them."""

_METRICS = {
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
    "tokens": "gen_ai.usage.total_tokens",
    "prompt_cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "prompt_cache_creation_tokens": "gen_ai.usage.cache_write.input_tokens",
    "completion_reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "time_to_first_token": "gen_ai.response.time_to_first_chunk",
    "estimated_cost": "gen_ai.usage.cost",
}

_PAGES = frozenset({"data", "events"})


class Braintrust(Reader):
    """Rows with ``span_attributes``, ``metrics`` and ``metadata``; times are in the metrics."""

    kind: ClassVar[str] = "braintrust"

    def recognises(self, head: Head) -> float:
        """Return the share of rows that are such spans, or pages of them."""
        return head.share(_is_span)

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files."""
        collect((s for source in sources for s in _spans(source, self.kind, out)), out)


def _is_span(row: Mapping[str, Any]) -> bool:
    rows = rows_on(row, _PAGES)
    return any({"span_id", "span_attributes", "metrics"} <= each.keys() for each in rows)


def _spans(source: Source, form: str, out: Collector) -> Iterator[Span]:
    records = source.records(_PAGES, out.skip)
    own = (record for record in records if "span_id" in record.node)
    return spans_of(own, source.name, form, out, _span)


def _span(record: Record, source: str, form: str, out: Collector) -> Span | None:
    raw = record.node
    about, metrics = mapping(raw.get("span_attributes")), mapping(raw.get("metrics"))
    metadata = mapping(raw.get("metadata"))
    identity = text(raw.get("span_id"))
    trace = text(pick(raw, "root_span_id")) or identity
    place = f"{record.place}, span {identity!r}"
    start, end = nanoseconds(metrics.get("start")), nanoseconds(metrics.get("end"))
    if identity is None or trace is None or start is None or end is None or end < start:
        out.skip(place, f"no id, or its start is {str(metrics.get('start'))[:40]!r}, "
                 f"its end {str(metrics.get('end'))[:40]!r}")  # fmt: skip
        return None
    kind, name = text(about.get("type")), text(about.get("name")) or ""
    operation = _OPERATIONS.get(str(kind))
    attributes = {
        known: metrics[told] for told, known in _METRICS.items() if metrics.get(told) is not None
    }
    if operation is not None:
        attributes["gen_ai.operation.name"] = operation
    if operation == "execute_tool":
        attributes["gen_ai.tool.name"] = name
    attributes |= {
        "gen_ai.request.model": metadata.get("model"),
        "gen_ai.provider.name": metadata.get("provider"),
        "langfuse.observation.output": raw.get("output"),
        "metadata": metadata or None,
        "error.type": text(mapping(raw.get("error")).get("name")),
    }
    note_impossible(attributes, place, out)
    error = raw.get("error")
    return span_of(
        record.place,
        source,
        form,
        (trace, identity, next((text(each) for each in items(raw.get("span_parents"))), None)),
        name,
        (start, end),
        {key: value for key, value in attributes.items() if value is not None},
        error not in (None, "", {}),
        text(error) or text(mapping(error).get("message")),
    )
