"""Tells spans that were written several times from different spans with the same ids.

A trace that was exported twice has each span twice. But programs that number their spans from 1, or
draw ids with a fixed seed, give the spans of every run the same ids: these are other spans, which
began at other times, or have another model or other counts of tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.traces.collector import Collector
from analysis.traces.span import Key, Span
from simulator.words import counted

_SAME = ("request_model", "response_model", "input_tokens", "output_tokens", "tool_name")
"""Fields that are equal in two versions of a span, where both have them."""

_STORE = "langfuse"
_TOLD_AT_FIRST = tuple(name for name in _SAME if name != "output_tokens")
"""The same of versions that end at one time, in a store that is told later how much was written;
its ids are drawn anew in every run."""


def unique_spans(spans: Iterable[Span], out: Collector) -> dict[Key, Span]:
    """Return spans by key, each once: the version that ends last, or that has written most.

    If most of a file's spans that have the ids of others of their trace differ from these, they are
    of another run: its trace and its session get a number. So do runs one after another in a file.
    """
    by_file: dict[tuple[str, str], list[Span]] = {}
    for span in spans:
        by_file.setdefault((span.trace_id, span.source), []).append(span)
    runs: dict[str, list[dict[str, Span]]] = {}
    others = 0
    first: Span | None = None
    for (trace, _), mine in by_file.items():
        known = runs.setdefault(trace, [])
        for part in _parts(mine):
            number = next((i for i, each in enumerate(known) if _is_run(part, each)), len(known))
            if number == len(known):
                known.append({})
            if number:
                others += len(part)
                first = first or part[0]
            _take(part, known[number], number, out)
    if first is not None:
        out.notes.append(
            f"{counted(others, 'span')} with the ids of others, but other times, models or tokens: "
            f"taken for other runs (first: {first.where})"
        )
    return {span.key: span for known in runs.values() for each in known for span in each.values()}


def _parts(spans: Sequence[Span]) -> list[list[Span]]:
    """Return the runs in the spans of one trace in one file: more than one if most ids repeat."""
    seen: dict[str, Span] = {}
    same = other = 0
    for span in spans:
        before = seen.setdefault(span.span_id, span)
        if before is not span:
            is_same = _is_same(before, span)
            same, other = same + is_same, other + (not is_same)
    if other <= same:
        return [list(spans)]
    parts: list[list[Span]] = [[]]
    ids: set[str] = set()
    for span in spans:
        if span.span_id in ids:
            parts.append([])
            ids.clear()
        ids.add(span.span_id)
        parts[-1].append(span)
    return parts


def _is_run(spans: Sequence[Span], known: dict[str, Span]) -> bool:
    """Tell whether spans are of a run that is known in part."""
    shared = [(known[span.span_id], span) for span in spans if span.span_id in known]
    return 2 * sum(_is_same(*pair) for pair in shared) >= len(shared)


def _is_same(one: Span, other: Span) -> bool:
    """Tell whether two spans of one id are the same; log records tell of parts of a span."""
    if one.is_log or other.is_log:
        return True
    if one.start_ns != other.start_ns:
        return False
    is_update = one.form == other.form == _STORE and one.end_ns == other.end_ns
    names = _TOLD_AT_FIRST if is_update else _SAME
    pairs = ((one.fields.get(name), other.fields.get(name)) for name in names)
    return all(a == b for a, b in pairs if a is not None and b is not None)


def _wrote(span: Span) -> int:
    return span.fields.get("output_tokens") or 0


def _take(spans: Sequence[Span], known: dict[str, Span], number: int, out: Collector) -> None:
    """Add spans to those of a run; of each id the version that ends last is kept."""
    unlike: list[Span] = []
    for span in spans:
        if number:
            span.move_to_run(number + 1)
        before = known.setdefault(span.span_id, span)
        if before is span:
            continue
        if before.is_log != span.is_log:  # a record with more about the span
            kept, more = (span, before) if before.is_log else (before, span)
            kept.fill_from(more)
            known[span.span_id] = kept
            continue
        out.duplicate(span.where)
        if not _is_same(before, span):
            unlike.append(span)
        if (span.end_ns, _wrote(span)) > (before.end_ns, _wrote(before)):
            known[span.span_id] = span
    if unlike:
        out.notes.append(
            f"spans told twice, and not alike: {len(unlike)}; the one that ends last counts "
            f"(first: {unlike[0].where})"
        )
