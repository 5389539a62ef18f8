"""Formats that are known by sight but not read: what to export in their place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from analysis.traces.column_names import found_columns, found_times
from analysis.traces.encodings import delimiter_of, encoding_of
from analysis.traces.source import ZIP, Head
from analysis.traces.values import items, mapping

_AS_TABLE = "export a table with a row a call (start, end, model, tokens, agent)"
_EXPORTED = "export those of its LLM Observability, which have ids, names and metrics"

_AS_CALLS = "export the calls themselves from a gateway, or write spans"

_OTHERS: tuple[tuple[str, frozenset[str], str], ...] = (
    (
        "spans of Zipkin without attributes of calls of models (gen_ai.*, ...)",
        frozenset({"traceId", "id", "timestamp", "duration"}),
        "instrument the clients of the models, whose spans are read",
    ),
    ("spans of Datadog", frozenset({"start_ns", "duration", "meta"}), _EXPORTED),
    *(
        ("a report of usage, which has sums of many calls", frozenset(fields), _AS_CALLS)
        for fields in (
            {"starting_at", "ending_at", "results"},  # Anthropic's Admin API
            {"start_time", "end_time", "results", "object"},  # OpenAI's
            {"usage_input_tokens_no_cache", "usage_output_tokens"},  # Anthropic's console, as CSV
            {"inputTokens", "outputTokens", "modelsUsed"},  # ccusage
        )
    ),
    (
        "a report of Cursor's usage, which does not say how long calls took",
        frozenset({"Date", "Max Mode", "Cache Read", "Output Tokens"}),
        "Cursor keeps it nowhere",
    ),
    (
        "events of AutoGen, which do not say how long calls took",
        frozenset({"type", "messages", "response", "prompt_tokens", "completion_tokens"}),
        "let its runtime and the client of the model write spans of OpenTelemetry",
    ),
    ("what Cline shows", frozenset({"ts", "type", "say"}), _AS_TABLE),
    ("analytics of Aider", frozenset({"event", "properties", "user_id"}), _AS_TABLE),
    ("a trajectory of mini-SWE-agent", frozenset({"trajectory_format", "messages"}), _AS_TABLE),
    ("events of OpenHands", frozenset({"timestamp", "source", "llm_metrics"}), _AS_TABLE),
    ("a trajectory of SWE-agent", frozenset({"trajectory", "info"}), _AS_TABLE),
    (
        "answers of a batch of requests",
        frozenset({"custom_id", "response"}),
        "they have no times, without which nothing can be fitted",
    ),
    (
        "answers of a batch of requests",
        frozenset({"custom_id", "result"}),
        "they have no times, without which nothing can be fitted",
    ),
)
"""What rows are, the fields by which it is seen, and what to do."""

_STREAMS: tuple[tuple[str, frozenset[str], frozenset[str], str], ...] = (
    (
        "what `claude -p --output-format stream-json` prints (or a program like it)",
        frozenset({"system", "assistant", "user", "result"}),
        frozenset({"type", "session_id"}),
        "its messages have no times; the session's file in ~/.claude/projects has them",
    ),
    (
        "what `codex exec --json` prints",
        frozenset({"thread.started", "turn.started", "turn.completed", "item.completed"}),
        frozenset({"type"}),
        "its events have no times; the session's file in ~/.codex/sessions has them",
    ),
)
"""What programs print while they work: kinds of events, fields of all of them, what to do."""

_TIMED = {"timestamp", "time", "ts", "created_at"}

_SEEN = 20
"""Rows that are looked at."""


_SHOWN = 8
"""Most columns that a message lists."""


def other_format(head: Head) -> str | None:
    """Return what a file holds that is of no format that is read, and what to do; None if unknown.

    Parameters
    ----------
    head : Head
        The start of the file.
    """
    if head.start.startswith(ZIP):
        return f"it is a zip archive without traces: {_AS_TABLE}"
    if (printed := printed_events(head)) is not None:
        return printed
    rows = [inside for row in head.rows[:_SEEN] for inside in _with_inside(row)]
    for what, fields, instead in _OTHERS:
        if any(fields <= row.keys() for row in rows):
            return f"it holds {what}, a format that is not read: {instead}"
    return None


def printed_events(head: Head) -> str | None:
    """Return which events of a program these are, that say no times, and what to read instead.

    One of them has the length and the tokens of the whole run, and would pass for a call.
    """
    rows = [row for row in head.rows[:_SEEN] if isinstance(row.get("type"), str)]
    for what, kinds, fields, instead in _STREAMS:
        known = [row for row in rows if row["type"] in kinds and fields <= row.keys()]
        is_timed = any(_TIMED & row.keys() for row in known)
        if 2 * len(known) > len(head.rows[:_SEEN]) and not is_timed:
            return f"it is {what}, a format that is not read: {instead}"
    return None


def _with_inside(row: dict[str, Any]) -> list[Mapping[str, Any]]:
    """Return a row and the first of those in its pages of data, and their attributes."""
    pages = items(row.get("data")) or [row.get("data")]
    lists = (items(row.get(name)) for name in ("messages", "sessions"))
    found = [row, *(mapping(each) for each in pages[:_SEEN])]
    found += [mapping(each) for some in lists for each in some[:_SEEN]]
    found += [mapping(each.get("info")) for each in found]
    found += [mapping(each.get("attributes")) for each in found]
    return found + [mapping(each) for inside in found for each in items(inside.get("spans"))[:1]]


def columns_of(head: Head) -> str:
    """Say which columns a table has, and what a table of calls needs; empty for other files."""
    if head.layout not in {"table", "parquet"} or not head.columns:
        twice = _repeated(head.start)
        if twice is not None:
            return f". It has the column {twice!r} twice: a table has a name for each column"
        return "; if it is one of these, name it with --format"
    names = list(head.columns)
    shown = ", ".join(map(repr, names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")
    return (
        f". Its columns are {shown}: a table of calls needs a duration, or a start and an end; "
        "name them with --column duration_s=NAME, or start_s and end_s"
    )


def _repeated(start: bytes) -> str | None:
    """Return a name that the header of a table of calls has twice; None if it is none."""
    text = start[:4096].decode(encoding_of(start), "replace")
    line = next((line for line in text.splitlines() if line.strip()), "")
    names = [name.strip(' "') for name in line.split(delimiter_of(line))]
    if not found_times(names) or not found_columns(names):
        return None
    return next((name for name, n in Counter(names).items() if n > 1), None)
