"""Langfuse: JSON exports of traces with their observations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from analysis.traces.canonical import Collector, Traces
from analysis.traces.reading import Reader, first_object, nanoseconds
from analysis.traces.spans import Span, collect
from simulator.errors import TeamsimError

_OPERATIONS = {"GENERATION": "chat", "TOOL": "execute_tool", "AGENT": "invoke_agent"}


class Langfuse(Reader):
    """A trace with ``observations`` (or ``{trace, observations}``), a list of them, or lines.

    Traces of one session are one run. Usage buckets are disjoint: the input is their sum.
    """

    kind: ClassVar[str] = "langfuse"

    def recognises(self, path: Path) -> bool:
        """Return whether the first object is a trace or an observation."""
        if not path.is_file() or path.suffix not in {".json", ".jsonl"}:
            return False
        head = first_object(path)
        if isinstance(head.get("observations"), list):
            return True
        return "traceId" in head and str(head.get("type", "")).upper() in {
            *_OPERATIONS,
            "SPAN",
            "EVENT",
        }

    def read(self, paths: Sequence[Path], columns: dict[str, str]) -> Traces:
        """Read the files."""
        out = Collector(self.kind)
        collect([span for path in paths for span in _spans(path, out)], out)
        return out.traces()


def _spans(path: Path, out: Collector) -> Iterator[Span]:
    for place, document in enumerate(_documents(path), start=1):
        trace = document.get("trace") if isinstance(document.get("trace"), dict) else document
        observations = document.get("observations", [document])
        session = _pick(trace, "sessionId", "session_id") if isinstance(trace, dict) else None
        for raw in observations:
            found = _span(raw, session, f"{path}, trace {place}", path, out)
            if found is not None:
                yield found


def _documents(path: Path) -> list[dict[str, Any]]:
    text = path.read_text("utf-8")
    try:
        whole = json.loads(text)
    except ValueError:
        try:
            whole = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise TeamsimError(f"{path} is no JSON: {error}") from None
    documents = whole if isinstance(whole, list) else [whole]
    return [each for each in documents if isinstance(each, dict)]


def _span(raw: Any, session: Any, where: str, path: Path, out: Collector) -> Span | None:
    if not isinstance(raw, dict):
        out.skip(where, "an observation is no object")
        return None
    place = f"{where}, observation {raw.get('id')!r}"
    start, end = (
        nanoseconds(_pick(raw, *names))
        for names in (("startTime", "start_time"), ("endTime", "end_time"))
    )
    kind = str(raw.get("type", "")).upper()
    if start is None or (end is None and kind in _OPERATIONS):
        out.skip(
            place,
            f"startTime is {_pick(raw, 'startTime', 'start_time')!r}, "
            f"endTime {_pick(raw, 'endTime', 'end_time')!r}",
        )
        return None
    trace_id = _pick(raw, "traceId", "trace_id")
    return Span(
        where=where,
        source=path,
        trace_id=str(trace_id),
        span_id=str(raw.get("id")),
        parent_id=_pick(raw, "parentObservationId", "parent_observation_id"),
        name=str(raw.get("name") or ""),
        start_ns=start,
        end_ns=end if end is not None else start,
        attributes=_attributes(raw, kind, session),
        is_error=str(raw.get("level", "")).upper() == "ERROR",
        message=_pick(raw, "statusMessage", "status_message"),
    )


def _attributes(raw: dict[str, Any], kind: str, session: Any) -> dict[str, Any]:
    """Return what the observation says under the names of OpenTelemetry."""
    attributes: dict[str, Any] = {"gen_ai.conversation.id": session}
    if kind in _OPERATIONS:
        attributes["gen_ai.operation.name"] = _OPERATIONS[kind]
    if kind == "AGENT":
        attributes["gen_ai.agent.name"] = raw.get("name")
    if kind == "TOOL":
        attributes["gen_ai.tool.name"] = raw.get("name")
    attributes["gen_ai.response.model"] = raw.get("model") or _pick(
        raw, "providedModelName", "provided_model_name"
    )
    first = _pick(raw, "timeToFirstToken", "time_to_first_token")
    began = nanoseconds(_pick(raw, "completionStartTime", "completion_start_time"))
    start = nanoseconds(_pick(raw, "startTime", "start_time"))
    if first is None and began is not None and start is not None:
        first = (began - start) / 1e9
    attributes["gen_ai.response.time_to_first_chunk"] = first
    usage = _pick(raw, "usageDetails", "usage_details")
    if isinstance(usage, dict) and usage:
        read = _sum(usage, "cache_read")
        write = _sum(usage, "cache_creation") + _sum(usage, "cache_write")
        plain = usage.get("input", usage.get("prompt_tokens", usage.get("input_tokens")))
        output = usage.get("output", usage.get("completion_tokens", usage.get("output_tokens")))
        attributes["gen_ai.usage.input_tokens"] = None if plain is None else plain + read + write
        attributes["gen_ai.usage.cache_read.input_tokens"] = read or None
        attributes["gen_ai.usage.cache_write.input_tokens"] = write or None
        attributes["gen_ai.usage.output_tokens"] = output
    else:
        old = raw.get("usage") or {}
        attributes["gen_ai.usage.input_tokens"] = (
            raw.get("promptTokens") or old.get("input") or old.get("promptTokens")
        )
        attributes["gen_ai.usage.output_tokens"] = (
            raw.get("completionTokens") or old.get("output") or old.get("completionTokens")
        )
    return {name: value for name, value in attributes.items() if value is not None}


def _sum(usage: dict[str, Any], part: str) -> int:
    return sum(int(value or 0) for name, value in usage.items() if part in name)


def _pick(node: dict[str, Any], *names: str) -> Any:
    return next((node[name] for name in names if node.get(name) is not None), None)
