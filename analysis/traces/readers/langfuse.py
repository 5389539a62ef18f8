"""Langfuse: traces with observations, observations alone; JSON, JSON lines, CSV, Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from analysis.traces.answers import reason_of
from analysis.traces.collector import Collector
from analysis.traces.dialects import READING, size_of
from analysis.traces.impossible import COSTS, note_impossible, note_impossible_buckets
from analysis.traces.jsonstream import Record
from analysis.traces.reader import Reader
from analysis.traces.source import Head, Source
from analysis.traces.span import Span, span_of
from analysis.traces.spans import collect
from analysis.traces.usage import cost_of, of_buckets
from analysis.traces.values import amount, count, mapping, nanoseconds, pick, text, times_of

_KINDS = {
    "GENERATION": "chat",
    "TOOL": "execute_tool",
    "AGENT": "invoke_agent",
    "EMBEDDING": "embeddings",
    "RETRIEVER": "retrieval",
}
_OTHERS = {"SPAN", "EVENT", "CHAIN", "EVALUATOR", "GUARDRAIL"}


class Langfuse(Reader):
    """A trace with ``observations`` (or ``{trace, observations}``), a session, a list, or rows.

    Traces of one session are one run. Names are in camelCase (interface, API) or snake_case
    (blob exports).
    """

    kind: ClassVar[str] = "langfuse"

    def recognises(self, head: Head) -> float:
        """Return the share of rows that are traces or observations."""
        return head.share(_is_trace_or_observation)

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files; traces and observations may be in separate files."""
        sessions: dict[str, str] = {}
        spans = [s for source in sources for s in _spans(source, self.kind, sessions, out)]
        for span in spans:
            span.belong_to(span.session or sessions.get(span.trace_id))
        collect(spans, out)


def _is_trace_or_observation(row: Mapping[str, Any]) -> bool:
    if isinstance(row.get("observations"), list):
        return True
    if isinstance(row.get("traces"), list):  # a session
        return any("observations" in mapping(each) for each in row["traces"][:5])
    if isinstance(row.get("data"), list):  # a page of the API
        return any(_is_observation(each) or "observations" in mapping(each) for each in row["data"])
    return _is_observation(row)


_TOKENS = "TOKENS"
"""The unit of usage; the first versions of Langfuse know others, such as CHARACTERS."""


def _is_observation(row: Any) -> bool:
    if not isinstance(row, dict) or str(row.get("type")).upper() not in {*_KINDS, *_OTHERS}:
        return False
    return pick(row, "traceId", "trace_id") is not None and (
        "startTime" in row or "start_time" in row
    )


def _spans(source: Source, form: str, sessions: dict[str, str], out: Collector) -> Iterator[Span]:
    for record in source.records(frozenset({"observations", "data", "traces"}), out.skip):
        out.report.rows += 1
        raw = record.node
        session = _session_around(record)
        if pick(raw, "startTime", "start_time") is None and "timestamp" in raw:
            trace, named = text(raw.get("id")), text(pick(raw, "sessionId", "session_id"))
            if trace is not None and named is not None:
                sessions[trace] = named
            continue
        found = _span(raw, session, record.place, source.name, form, out)
        if found is not None:
            yield found


def _session_around(record: Record) -> str | None:
    for each in reversed(record.around):
        trace = mapping(each.get("trace")) or each
        session = text(pick(trace, "sessionId", "session_id"))
        if session is None and "createdAt" in each and "startTime" not in each:
            session = text(each.get("id"))
        if session is not None:
            return session
    return None


def _span(
    raw: Mapping[str, Any], session: str | None, where: str, source: str, form: str, out: Collector
) -> Span | None:
    identity, trace = text(raw.get("id")), text(pick(raw, "traceId", "trace_id"))
    place = f"{where}, observation {identity!r}"
    began, ended = pick(raw, "startTime", "start_time"), pick(raw, "endTime", "end_time")
    start, end = times_of(began, ended)
    kind = str(raw.get("type", "")).upper()
    if identity is None or trace is None:
        out.skip(place, "no id or traceId")
        return None
    if start is None or (end is None and kind in _KINDS) or (end is not None and end < start):
        out.skip(place, f"startTime is {str(began)[:40]!r}, endTime {str(ended)[:40]!r}")
        return None
    span = span_of(
        where,
        source,
        form,
        (trace, identity, text(pick(raw, "parentObservationId", "parent_observation_id"))),
        text(raw.get("name")) or "",
        (start, end if end is not None else start),
        _attributes(raw, kind),
        str(raw.get("level", "")).upper() == "ERROR",
        text(pick(raw, "statusMessage", "status_message")),
    )
    span.belong_to(text(pick(raw, "sessionId", "session_id")) or session or span.session)
    if span.operation in READING:
        note_impossible({name: raw.get(name) for name in COSTS}, place, out)
        unit = str(pick(raw, "unit") or pick(mapping(raw.get("usage")), "unit") or _TOKENS)
        if unit.upper() == _TOKENS:
            for usage in (pick(raw, "usageDetails", "usage_details"), raw.get("usage")):
                note_impossible_buckets(usage, place, out)
            span.know(_counts(raw))
        else:
            out.skip(place, f"its usage is in {unit[:40]}, not in {_TOKENS.lower()}")
        first = _first_chunk(raw, start)
        span.know({} if first is None else {"first_chunk_s": first})
    return span


def _attributes(raw: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the fields of an observation under the names of OpenTelemetry."""
    metadata = mapping(raw.get("metadata"))
    attributes = dict(mapping(metadata.get("attributes")))  # of an OpenTelemetry export
    attributes["metadata"] = metadata
    if kind in _KINDS:
        attributes["gen_ai.operation.name"] = _KINDS[kind]
    if kind == "GENERATION":
        reason = reason_of(raw.get("output")) or reason_of(metadata)
        if reason is not None:
            attributes.setdefault("gen_ai.response.finish_reasons", reason)
    if kind == "TOOL":
        attributes.setdefault("gen_ai.tool.name", raw.get("name"))
        size = size_of(raw.get("output"))
        if size is not None:
            attributes["tool_result_size_bytes"] = size
    model = text(pick(raw, "model", "providedModelName", "provided_model_name"))
    if model is not None:
        attributes["gen_ai.response.model"] = model
    costs = mapping(pick(raw, "costDetails", "cost_details"))
    cost = amount(
        pick(raw, "totalCost", "total_cost", "calculatedTotalCost", "calculated_total_cost")
    )
    cost = cost_of(costs) if cost is None and costs else cost
    if cost is not None:
        attributes["gen_ai.usage.cost"] = cost
    return attributes


def _counts(raw: Mapping[str, Any]) -> dict[str, int]:
    usage = mapping(pick(raw, "usageDetails", "usage_details")) or mapping(raw.get("usage"))
    sums = (
        pick(raw, "inputUsage", "input_usage", "promptTokens", "prompt_tokens"),
        pick(raw, "outputUsage", "output_usage", "completionTokens", "completion_tokens"),
    )
    if usage and any(count(each) for each in usage.values()):
        found = of_buckets(usage, *(each if count(each) else None for each in sums))
    else:
        found = {"input_tokens": count(sums[0]), "output_tokens": count(sums[1])}
        if not any(found.values()):  # some exports write 0 for a missing count
            found = {}
    return {name: n for name, n in found.items() if n is not None}


def _first_chunk(raw: Mapping[str, Any], start: int) -> float | None:
    began = nanoseconds(pick(raw, "completionStartTime", "completion_start_time"))
    if began is not None and began >= start:
        return (began - start) / 1e9
    return amount(pick(raw, "timeToFirstToken", "time_to_first_token"))
