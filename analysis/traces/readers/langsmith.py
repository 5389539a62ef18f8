"""LangSmith: runs as its clients, its API and its bulk export write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from analysis.traces.answers import reason_of
from analysis.traces.collector import Collector
from analysis.traces.dialects import READING, size_of
from analysis.traces.impossible import note_impossible
from analysis.traces.jsonstream import Record
from analysis.traces.reader import Reader
from analysis.traces.source import Head, Source
from analysis.traces.span import Span, span_of, spans_of
from analysis.traces.spans import collect
from analysis.traces.usage import of_api
from analysis.traces.values import amount, items, mapping, nanoseconds, pick, text, times_of

_KINDS = {
    "llm": "chat",
    "tool": "execute_tool",
    "embedding": "embeddings",
    "retriever": "retrieval",
}


class LangSmith(Reader):
    """Runs with ``run_type``: lists, lines, trees by ``child_runs``, or rows of a table.

    A run in our tables is a conversation (``thread_id``, ``session_id`` or ``conversation_id`` of
    the metadata) or, without one, a trace. LangSmith's own ``session_id`` is its project.
    """

    kind: ClassVar[str] = "langsmith"

    def recognises(self, head: Head) -> float:
        """Return the share of rows that are runs."""
        return head.share(_is_run)

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files."""
        collect((s for source in sources for s in _spans(source, self.kind, out)), out)


def _is_run(row: Mapping[str, Any]) -> bool:
    if isinstance(row.get("runs"), list):
        return any("run_type" in mapping(each) for each in row["runs"])
    return "run_type" in row and ("start_time" in row or "id" in row)


def _spans(source: Source, form: str, out: Collector) -> Iterator[Span]:
    return spans_of(_runs(source, out), source.name, form, out, _span)


def _runs(source: Source, out: Collector) -> Iterator[Record]:
    """Yield runs and those inside them, each with its parent's id."""
    for record in source.records(frozenset({"runs"}), out.skip):
        waiting = [record.node]
        while waiting:
            run = waiting.pop()
            yield Record(record.place, run)
            for child in items(run.get("child_runs")):
                if isinstance(child, dict):
                    waiting.append(
                        {"parent_run_id": run.get("id"), "trace_id": run.get("trace_id")} | child
                    )


def _span(record: Record, source: str, form: str, out: Collector) -> Span | None:
    raw = record.node
    identity = text(pick(raw, "id", "run_id"))
    place = f"{record.place}, run {identity!r}"
    kind = str(raw.get("run_type")).lower()
    start, end = times_of(raw.get("start_time"), raw.get("end_time"))
    if identity is None:
        out.skip(place, "no id")
        return None
    if start is None or (end is None and kind in _KINDS) or (end is not None and end < start):
        began, ended = (str(raw.get(name))[:40] for name in ("start_time", "end_time"))
        out.skip(place, f"start_time is {began!r}, end_time {ended!r}")
        return None
    parents = items(raw.get("parent_run_ids"))
    parent = text(raw.get("parent_run_id")) or text(parents[-1] if parents else None)
    error = text(pick(raw, "error", "error_preview"))
    span = span_of(
        record.place,
        source,
        form,
        (text(raw.get("trace_id")) or _root(raw) or identity, identity, parent),
        text(raw.get("name")) or "",
        (start, end if end is not None else start),
        _attributes(raw, kind),
        error is not None or raw.get("status") == "error",
        None if error is None else error.splitlines()[0][:200],
    )
    if span.operation in READING:
        for usage in (raw, *_usages(raw)):
            note_impossible({k: v for k, v in mapping(usage).items() if k != "outputs"}, place, out)
        span.know(_counts(raw))
        first = _first_token(raw)
        if first is not None and first >= start:
            span.know({"first_chunk_s": (first - start) / 1e9})
    return span


def _root(raw: Mapping[str, Any]) -> str | None:
    """Return the trace that a dotted order begins with."""
    first = str(raw.get("dotted_order") or "").partition(".")[0]
    return first.partition("Z")[2] or None


def _attributes(raw: Mapping[str, Any], kind: str) -> dict[str, Any]:
    extra = mapping(raw.get("extra"))
    metadata = mapping(extra.get("metadata")) or mapping(raw.get("metadata"))
    invocation = mapping(extra.get("invocation_params"))
    said = {
        "gen_ai.operation.name": _KINDS.get(kind, "span"),
        "metadata": metadata,
        "gen_ai.agent.name": pick(metadata, "lc_agent_name", "agent_name"),
        "gen_ai.request.model": pick(metadata, "ls_model_name", "model_name", "model")
        or pick(invocation, "model", "model_name", "deployment_name"),
        "gen_ai.provider.name": metadata.get("ls_provider"),
        "gen_ai.usage.cost": amount(raw.get("total_cost")),
        "gen_ai.response.finish_reasons": reason_of(raw.get("outputs")),
    }
    if kind == "tool":
        said["gen_ai.tool.name"] = raw.get("name")
        outputs = raw.get("outputs")
        said["tool_result_size_bytes"] = size_of(mapping(outputs).get("output", outputs))
    return {name: value for name, value in said.items() if value is not None}


def _counts(raw: Mapping[str, Any]) -> dict[str, int]:
    """Return the token counts of the run, and what only its output message says of them."""
    found = _known(of_api(raw))  # 0 is written if not known
    for usage in _usages(raw):
        more = _known(of_api(mapping(usage)))
        if more and (not found or more.get("input_tokens") == found.get("input_tokens")):
            return more | found
    return found


def _known(counts: Mapping[str, int | None]) -> dict[str, int]:
    if not counts["input_tokens"] and not counts["output_tokens"]:
        return {}
    return {name: n for name, n in counts.items() if n is not None}


def _usages(raw: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the objects of a run that may hold counts, the likeliest first."""
    outputs = mapping(raw.get("outputs"))
    said = mapping(_generation(outputs).get("message")) or mapping(outputs.get("message"))
    yield outputs.get("usage_metadata")
    yield mapping(said.get("kwargs")).get("usage_metadata")
    yield said.get("usage_metadata")
    yield mapping(outputs.get("llm_output")).get("token_usage")
    yield outputs.get("usage")
    yield mapping(mapping(raw.get("extra")).get("metadata")).get("usage_metadata")


def _first_token(raw: Mapping[str, Any]) -> int | None:
    """Return when the first token came, ns: the run says it, or its events do."""
    told = nanoseconds(raw.get("first_token_time"))
    if told is not None:
        return told
    events = (mapping(each) for each in items(raw.get("events")))
    return next((nanoseconds(e.get("time")) for e in events if e.get("name") == "new_token"), None)


def _generation(outputs: Mapping[str, Any]) -> dict[str, Any]:
    first = next(iter(items(outputs.get("generations"))), None)
    return mapping(next(iter(items(first)), None) if isinstance(first, list) else first)
