"""Logs of Inspect AI: whole ones (``.json``), and the samples in its archives (``.eval``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from analysis.traces.canonical import CACHE_HIT
from analysis.traces.collector import Collector
from analysis.traces.dialects import size_of, status_of
from analysis.traces.impossible import note_impossible
from analysis.traces.jsonstream import Record
from analysis.traces.reader import Reader
from analysis.traces.source import Head, Source
from analysis.traces.span import Span, span_of
from analysis.traces.spans import collect
from analysis.traces.usage import counts
from analysis.traces.values import amount, count, items, length_ns, mapping, nanoseconds, text
from simulator.errors import TeamsimError

_SAMPLE = {"id", "epoch", "input", "target"}

_OF_SAMPLES = ("messages", "events", "scores", "model_usage")
"""Lists and objects of which a sample, or its summary, has one: rows of a table have none."""

_DEEPEST = 100
"""Spans above a call that are looked at."""

_HEADER = "header.json"
"""The file of an archive that stands for the log without its samples."""

_JOURNAL, _BESIDE = "_journal", {"summaries.json", "reductions.json"}
"""The directory and the other files of an archive that tell of samples."""


class InspectAI(Reader):
    """Samples with their ``events``; a run is a sample in an epoch.

    Calls of models and tools have the time at which they began (``timestamp``) and ended
    (``completed``); of a call that was sent again only the last attempt has a known length
    (``working_time``). Agents are told by their spans, or by the role of the model; models that
    score are those of their scorer. Input does not include cached tokens, unless a total shows that
    it does. An answer from Inspect's own cache asks no model.
    """

    kind: ClassVar[str] = "inspect_ai"

    def recognises(self, head: Head) -> float:
        """Return whether the first object is a log, or a sample."""
        if head.layout not in {"document", "lines"} or not head.rows:
            return 0.0
        return float(any(_is_one(row) for row in head.rows[:3]))

    def knows(self, path: Path) -> bool:
        """Return whether a file of an archive tells of its samples, but has none."""
        above = list(path.parents)[:3]
        if path.name in _BESIDE:
            return _is_header(above[0] / _HEADER)
        journal = next((n for n, each in enumerate(above) if each.name == _JOURNAL), None)
        return journal is not None and _is_header(above[journal].parent / _HEADER)

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files."""
        collect((s for source in sources for s in _spans(source, self.kind, out)), out)


def _is_one(row: Mapping[str, Any]) -> bool:
    return _is_log(row) or (
        row.keys() >= _SAMPLE
        and any(isinstance(row.get(name), (list, dict)) for name in _OF_SAMPLES)
    )


def _is_log(row: Mapping[str, Any]) -> bool:
    """Tell whether a row is a log: an ``eval`` may be a number in a table, but has a task here."""
    is_one = count(row.get("version")) is not None and "status" in row
    return is_one and "task" in mapping(row.get("eval"))


def _is_header(path: Path) -> bool:
    """Tell whether a file is the header of an archive."""
    try:
        return path.is_file() and any(map(_is_log, Source(path, str(path)).head.rows))
    except TeamsimError:
        return False


def _spans(source: Source, form: str, out: Collector) -> Iterator[Span]:
    for record in source.records(frozenset({"samples"}), out.skip):
        if record.node.keys() >= _SAMPLE:
            yield from _Sample(record, source, form).spans(out)


class _Sample:
    """One sample: its run, and where in the file it is."""

    def __init__(self, record: Record, source: Source, form: str) -> None:
        raw = record.node
        self._raw, self._place, self._source, self._form = raw, record.place, source.name, form
        self.task = f"{raw.get('id')}"
        named = f"{source.path.stem}/{self.task}/{raw.get('epoch')}"
        self.run = text(raw.get("uuid")) or named
        self._begun: dict[str | None, Mapping[str, Any]] = {}

    def spans(self, out: Collector) -> Iterator[Span]:
        """Yield the spans of the sample's events."""
        events = [mapping(each) for each in items(self._raw.get("events"))]
        out.report.rows += len(events)
        out.run(run_id=self.run, task_id=self.task, trial=count(self._raw.get("epoch")))
        ends = {
            text(e.get("id")): e.get("timestamp") for e in events if e.get("event") == "span_end"
        }
        starting = {text(e.get("agent_span_id")): _identity(e, n) for n, e in enumerate(events)}
        self._begun = {text(e.get("id")): e for e in events if e.get("event") == "span_begin"}
        last = max((n for e in events for n in _times(e) if n is not None), default=None)
        for number, each in enumerate(events):
            place = f"{self._place}, sample {self.task!r}, event {number}"
            if each.get("event") == "span_begin":
                identity = text(each.get("id"))
                above = starting.get(identity) or text(each.get("parent_id"))
                end = nanoseconds(ends.get(identity)) or last
                yield from self._span(each, place, (identity, above), end)
            elif each.get("event") in ("model", "tool"):
                ids = _identity(each, number), text(each.get("span_id"))
                yield from self._call(each, place, ids, out)

    def _span(
        self,
        each: Mapping[str, Any],
        place: str,
        ids: tuple[str | None, str | None],
        end: int | None,
    ) -> Iterator[Span]:
        start, (identity, above) = nanoseconds(each.get("timestamp")), ids
        if start is None or identity is None or end is None or end < start:
            return
        is_agents = text(each.get("type")) == "agent"
        name = text(each.get("name")) or ""
        said = {
            "gen_ai.operation.name": "invoke_agent" if is_agents else "span",
            "gen_ai.agent.name": name if is_agents else None,
        }
        yield self._made(place, (identity, above), name, (start, end), said)

    def _call(
        self, each: Mapping[str, Any], place: str, ids: tuple[str, str | None], out: Collector
    ) -> Iterator[Span]:
        """Yield a call of a model or a tool; none that has not ended."""
        start, end = _times(each)
        if each.get("pending") is True:
            out.skip(place, "it had not ended when the log was written")
            return
        if start is None or end is None or end < start:
            began, ended = (str(each.get(name))[:40] for name in ("timestamp", "completed"))
            out.skip(place, f"timestamp is {began!r}, completed {ended!r}")
            return
        retries, worked = count(each.get("retries")) or 0, length_ns(each.get("working_time"), 1e9)
        if retries and worked is not None:
            start = max(start, end - worked)
        is_model = each.get("event") == "model"
        said = _model(each, retries, self._scorer(ids[1])) if is_model else _tool(each)
        error = each.get("error")
        message = text(error) or text(mapping(error).get("message"))
        failed = bool(error) or each.get("failed") is True
        name = text(each.get("model" if is_model else "function")) or ""
        span = self._made(place, ids, name, (start, end), said, failed, message)
        if is_model and not failed and said["gen_ai.operation.name"] == "chat":
            usage = mapping(mapping(each.get("output")).get("usage"))
            note_impossible(usage, place, out)
            span.know({key: n for key, n in _counts(usage).items() if n is not None})
        if not is_model and failed:
            kind = text(mapping(error).get("type")) or "tool_error"
            span = replace(span, status=status_of(kind), error_type=kind)
        yield span

    def _scorer(self, inside: str | None) -> str | None:
        """Return the scorer that a call is for: it is no part of what the solver's agents do."""
        for _ in range(_DEEPEST):
            begun = self._begun.get(inside)
            if begun is None or begun.get("type") == "scorer":
                return None if begun is None else text(begun.get("name"))
            inside = text(begun.get("parent_id"))
        return None

    def _made(
        self,
        place: str,
        ids: tuple[str, str | None],
        name: str,
        times: tuple[int, int],
        said: Mapping[str, Any],
        failed: bool = False,
        message: str | None = None,
    ) -> Span:
        known = {key: value for key, value in said.items() if value is not None}
        short = None if message is None else message.splitlines()[0][:200]
        return span_of(
            place, self._source, self._form, (self.run, *ids), name, times, known, failed, short
        )


def _identity(event: Mapping[str, Any], number: int) -> str:
    return text(event.get("uuid")) or f"event-{number}"


def _times(event: Mapping[str, Any]) -> tuple[int | None, int | None]:
    return nanoseconds(event.get("timestamp")), nanoseconds(event.get("completed"))


def _model(each: Mapping[str, Any], retries: int, scorer: str | None) -> dict[str, Any]:
    """Return the attributes of a call of a model."""
    output = mapping(each.get("output"))
    choice = mapping(next(iter(items(output.get("choices"))), None))
    return {
        "gen_ai.operation.name": CACHE_HIT if each.get("cache") == "read" else "chat",
        "gen_ai.agent.name": text(each.get("role")) or scorer,
        "gen_ai.request.model": text(each.get("model")),
        "gen_ai.response.model": text(output.get("model")),
        "gen_ai.response.finish_reasons": text(choice.get("stop_reason")),
        "gen_ai.request.attempt": retries + 1 if retries else None,
        "gen_ai.usage.cost": amount(mapping(output.get("usage")).get("total_cost")),
    }


def _tool(each: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a call of a tool."""
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": text(each.get("function")),
        "gen_ai.tool.call.id": text(each.get("id")),
        "tool_result_size_bytes": size_of(each.get("result")),
    }


def _counts(usage: Mapping[str, Any]) -> dict[str, int | None]:
    names = ("input_tokens", "output_tokens", "total_tokens", "input_tokens_cache_read",
             "input_tokens_cache_write", "reasoning_tokens")  # fmt: skip
    plain, wrote, total, read, written, thought = (count(usage.get(name)) for name in names)
    return counts(plain, read, written, wrote, reasoning=thought, total=total, includes_cache=False)
