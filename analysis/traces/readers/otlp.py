"""OTLP JSON lines: OpenTelemetry GenAI, OpenInference and Claude Code spans."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from analysis.traces.canonical import Collector, Traces
from analysis.traces.reading import Reader, first_object, json_lines
from analysis.traces.spans import Span, collect

_ERRORS = (2, "2", "STATUS_CODE_ERROR")


class Otlp(Reader):
    """``resourceSpans`` objects, one a line or one a file; children may come before parents."""

    kind: ClassVar[str] = "otlp"

    def recognises(self, path: Path) -> bool:
        """Return whether the first object has spans of resources."""
        if not path.is_file() or path.suffix not in {".json", ".jsonl", ".ndjson", ".otlp"}:
            return False
        return "resourceSpans" in first_object(path)

    def read(self, paths: Sequence[Path], columns: dict[str, str]) -> Traces:
        """Read the files."""
        out = Collector(self.kind)
        spans = [span for path in paths for span in _spans(path, out)]
        collect(spans, out)
        return out.traces()


def _spans(path: Path, out: Collector) -> Iterator[Span]:
    for number, document in _documents(path, out):
        for resource in _list(document, "resourceSpans"):
            for scope in _list(resource, "scopeSpans"):
                for span in _list(scope, "spans"):
                    found = _span(span, f"{path}:{number}", path, out)
                    if found is not None:
                        yield found


def _documents(path: Path, out: Collector) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a file of lines, or the one of a file that is one document."""
    try:
        whole = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError):
        yield from json_lines(path, out)
        return
    if isinstance(whole, dict):
        yield 1, whole


def _span(raw: dict[str, Any], where: str, path: Path, out: Collector) -> Span | None:
    number = raw.get("spanId")
    place = f"{where}, span {number!r}"
    if not number or not raw.get("traceId"):
        out.skip(place, "no spanId or traceId")
        return None
    times = []
    for name in ("startTimeUnixNano", "endTimeUnixNano"):
        try:
            times.append(int(raw[name]))
        except (KeyError, TypeError, ValueError):
            out.skip(place, f"{name} is {raw.get(name)!r}")
            return None
    if times[1] < times[0]:
        out.skip(place, "it ends before it starts")
        return None
    status = raw.get("status") or {}
    return Span(
        where=where,
        source=path,
        trace_id=str(raw["traceId"]),
        span_id=str(number),
        parent_id=raw.get("parentSpanId") or None,
        name=str(raw.get("name", "")),
        start_ns=times[0],
        end_ns=times[1],
        attributes={
            a["key"]: _value(a.get("value")) for a in _list(raw, "attributes") if "key" in a
        },
        is_error=status.get("code") in _ERRORS,
        message=status.get("message"),
    )


def _value(value: Any) -> Any:
    """Return the plain value of an OTLP AnyValue; integers may be strings."""
    if not isinstance(value, dict):
        return None
    if "intValue" in value:
        return int(value["intValue"])
    if "arrayValue" in value:
        return [_value(each) for each in _list(value["arrayValue"] or {}, "values")]
    for name in ("stringValue", "doubleValue", "boolValue"):
        if name in value:
            return value[name]
    return None


def _list(node: dict[str, Any], name: str) -> list[Any]:
    found = node.get(name)
    return found if isinstance(found, list) else []
