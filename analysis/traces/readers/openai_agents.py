"""OpenAI's Agents SDK: traces and spans as its exporter writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from analysis.traces.answers import reason_of
from analysis.traces.collector import Collector
from analysis.traces.dialects import size_of
from analysis.traces.impossible import note_impossible
from analysis.traces.jsonstream import Record
from analysis.traces.reader import Reader
from analysis.traces.source import Head, Source
from analysis.traces.span import Span, span_of
from analysis.traces.spans import collect
from analysis.traces.usage import of_api
from analysis.traces.values import items, mapping, text, times_of

_KINDS = {
    "generation": "chat",
    "response": "chat",
    "function": "execute_tool",
    "agent": "invoke_agent",
    "handoff": "handoff",
}


class OpenAIAgents(Reader):
    """Objects ``trace`` and ``trace.span``: lines, a list, or batches under ``data``.

    A run is a group of traces (``group_id``) or, without one, a trace.
    """

    kind: ClassVar[str] = "openai_agents"

    def recognises(self, head: Head) -> float:
        """Return the share of rows that are traces or spans of the SDK."""
        return head.share(_is_one)

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files."""
        groups: dict[str, str] = {}
        spans = [s for source in sources for s in _spans(source, self.kind, groups, out)]
        for span in spans:
            span.belong_to(groups.get(span.trace_id))
        collect(spans, out)


def _is_one(row: Mapping[str, Any]) -> bool:
    rows = [mapping(each) for each in items(row.get("data"))[:5]] or [dict(row)]
    return any(
        each.get("object") == "trace.span"
        or (each.get("object") == "trace" and "workflow_name" in each)
        for each in rows
    )


def _spans(source: Source, form: str, groups: dict[str, str], out: Collector) -> Iterator[Span]:
    for record in source.records(frozenset({"data"}), out.skip):
        out.report.rows += 1
        raw = record.node
        if raw.get("object") == "trace":
            trace, group = text(raw.get("id")), text(raw.get("group_id"))
            if trace is not None and group is not None:
                groups[trace] = group
            continue
        found = _span(record, source.name, form, out)
        if found is not None:
            yield found


def _span(record: Record, source: str, form: str, out: Collector) -> Span | None:
    raw, data = record.node, mapping(record.node.get("span_data"))
    identity, trace = text(raw.get("id")), text(raw.get("trace_id"))
    place = f"{record.place}, span {identity!r}"
    start, end = times_of(raw.get("started_at"), raw.get("ended_at"))
    if identity is None or trace is None:
        out.skip(place, "no id or trace_id")
        return None
    if start is None or end is None or end < start:
        began, ended = (str(raw.get(name))[:40] for name in ("started_at", "ended_at"))
        out.skip(place, f"started_at is {began!r}, ended_at {ended!r}")
        return None
    kind, name = str(data.get("type")), text(data.get("name")) or ""
    operation = _KINDS.get(kind)
    response = mapping(data.get("response"))
    attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.agent.name": name if kind == "agent" else None,
        "gen_ai.tool.name": name if kind == "function" else None,
        "gen_ai.request.model": text(data.get("model")) or text(response.get("model")),
        "gen_ai.response.id": text(data.get("response_id")) or text(response.get("id")),
        "gen_ai.response.finish_reasons": reason_of(
            {"output": data.get("output"), "response": response}
        )
        if operation == "chat"
        else None,
        "to_agent": text(data.get("to_agent")),
        "tool_result_size_bytes": size_of(data.get("output")) if kind == "function" else None,
    }
    error = mapping(raw.get("error"))
    span = span_of(
        record.place,
        source,
        form,
        (trace, identity, text(raw.get("parent_id"))),
        name or kind,
        (start, end),
        {key: value for key, value in attributes.items() if value is not None},
        bool(error),
        _said(error),
    )
    usage = mapping(data.get("usage")) or mapping(response.get("usage"))
    note_impossible(usage, place, out)
    if operation == "chat" and usage:
        span.know({key: n for key, n in of_api(usage).items() if n is not None})
    return span


def _said(error: Mapping[str, Any]) -> str | None:
    """Return what an error says: its message, and what the program adds."""
    said = text(error.get("message")), text(mapping(error.get("data")).get("error"))
    return ": ".join(each for each in said if each is not None) or None
