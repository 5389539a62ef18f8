"""Plain tables of calls: CSV, Parquet or JSON rows, with columns found by name or given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, ClassVar

from analysis.traces.answers import failed_by
from analysis.traces.archives import stem_of
from analysis.traces.canonical import CACHE_HIT, CALLS, CHATS
from analysis.traces.collector import Collector
from analysis.traces.column_names import (
    TIMES,
    cache_in,
    found_columns,
    found_tasks,
    found_times,
    total_in,
)
from analysis.traces.jsonstream import Record
from analysis.traces.other_formats import other_format, printed_events
from analysis.traces.reader import Reader
from analysis.traces.run_tables import note_on_runs
from analysis.traces.source import Head, Source
from analysis.traces.table_cells import TableCells
from analysis.traces.table_columns import check_told, columns_of, filled
from analysis.traces.table_costs import read_costs
from analysis.traces.table_counts import (
    caches_apart,
    counts_of,
    is_of_gateway,
    note_on_totals,
    of_answered,
    reasoning_apart,
)
from analysis.traces.table_orients import (
    TOKENS,
    columns_in,
    frame_in,
    have_length,
    pages_of,
    unfolded,
)
from analysis.traces.table_rows import (
    flat,
    names_of,
    note_on_chains,
    operation_of,
    says_operations,
    tool_of,
)
from analysis.traces.table_status import statuses_of, without_unknown
from analysis.traces.table_sums import NoCalls, are_of_whole_hours, no_calls_in
from analysis.traces.table_times import EXTRA, Times
from analysis.traces.values import is_cache_hit, names_in, pick, text
from simulator.errors import TeamsimError, unknown_name
from simulator.model.trace import COLUMNS as EVENT_COLUMNS
from simulator.words import counted

_FEWEST_KNOWN = 2
"""Known columns from which a table is taken for one of calls that lacks their times."""

_OWN_REASONS = ("finish_reason_raw", "native_finish_reason")
"""Columns of OpenRouter with a provider's own word for why an answer ended: it has one for all
errors, and one for all that was refused."""

_SHOWN = 6
"""Most names of a column that a message lists."""

_ARE_EVENTS = (
    "these are the events of a simulated run, as `teamsim run --trace` writes them, and no calls; "
    "`teamsim timeline SCENARIO --out DIRECTORY` writes the same run as spans, which can be read: "
    "DIRECTORY/otlp.jsonl"
)

_IDS = {"run_id", "agent_id", "parent_agent_id", "session_id", "task_id"}

_SUMS = "with the sums of all others, or of those of a run,"

_OF_HOURS = (
    "its rows are of whole hours or days, and so the sums of many calls, which have no times: "
    "export the calls themselves from a gateway, or write spans"
)

_OF_GROUPS = ("run_id", "agent_id")
"""Columns of which calls with the same values follow each other."""


def _are_events(names: Iterable[str]) -> bool:
    """Return whether columns are those of the simulator's own events."""
    return EVENT_COLUMNS.keys() <= set(names)


class Table(Reader):
    """A row for each call. Needed: a duration, or a start and an end.

    Times are ISO texts or numbers. The column's name gives the unit; otherwise the unit is guessed
    from the size of the values, and a note says so.
    """

    kind: ClassVar[str] = "table"

    def recognises(self, head: Head) -> float:
        """Return how likely it is a table of calls; less likely than any format with a name."""
        names = columns_in(head, pages_of(head))
        if _are_events(names) or printed_events(head) is not None:
            return 0.0
        times = found_times(names)
        if not have_length(times) or head.layout == "binary":
            return 0.0
        known = found_columns(names)
        of_calls = not TOKENS.isdisjoint(known)
        if not of_calls and "agent_id" not in known and other_format(head) is not None:
            return 0.0
        if head.layout in {"table", "parquet"}:
            return 0.4 if of_calls else 0.3
        if pages_of(head) or frame_in(head) is not None:
            return 0.35 if of_calls else 0.0
        is_flat = head.share(lambda row: not any(isinstance(v, list) for v in row.values()))
        return 0.35 * is_flat if of_calls else 0.0

    def lacks(self, head: Head) -> str | None:
        """Return which columns a table of calls lacks; None if it is none, or lacks nothing."""
        names = columns_in(head, pages_of(head))
        if _are_events(names):
            return _ARE_EVENTS
        known = found_columns(names)
        times = found_times(names)
        of_calls = not TOKENS.isdisjoint(known)
        is_known = of_calls and len(known) >= _FEWEST_KNOWN
        if head.layout == "binary" or not is_known or other_format(head) is not None:
            return None
        missing = [what for what in ("start", "end") if what not in times]
        if not missing or "duration" in times:
            return None
        there = ", ".join(repr(name) for name, _ in times.values()) or "no column"
        allowed = "; ".join(
            f"{what}: {', '.join(TIMES[what][:_SHOWN])}" for what in ("duration", *missing)
        )
        return (
            f"a table of calls ({', '.join(map(repr, known.values()))}) without their times: it "
            f"lacks a duration, or {' and '.join(missing)} ({there} has times). Names that are "
            f"known, with a unit at their end or without (_ms, _s, ...): {allowed}. Name another "
            "with --column duration_s=NAME, or start_s and end_s"
        )

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files."""
        known = [*CALLS, *EXTRA]
        for name in columns:
            if name not in known:
                raise TeamsimError(unknown_name("column", name, known))
        for source in sources:
            _read_table(source, columns, self.kind, out)


def _rows_of(source: Source, out: Collector) -> tuple[list[dict[str, Any]], list[str], list[str]]:
    """Return the rows of a file, their places, and the names of the columns."""
    nested = pages_of(source.head)
    records = source.records(nested, out.skip)
    if source.head.layout in {"lines", "document"}:
        records = (row for each in records for row in unfolded(each))
    found = [(_row_of(each), each.place) for each in records]
    rows, places = [row for row, _ in found], [place for _, place in found]
    out.report.rows += len(rows)
    columns = (name for row in rows for name in row)
    is_folded = bool(nested) or frame_in(source.head) is not None
    names = dict.fromkeys([*(() if is_folded else source.head.columns), *columns])
    return rows, places, list(names)


def _row_of(record: Record) -> dict[str, Any]:
    """Return a row, with the run, the agent and the task that an object around it names."""
    row = flat(record.node)
    for around in record.around:
        known = found_columns(row)
        told = found_columns(around)
        row |= {
            told[ours]: around[told[ours]]
            for ours in ("run_id", "agent_id", "task_id")
            if ours in told and ours not in known and isinstance(around[told[ours]], (str, int))
        }
    return row


def _read_table(source: Source, columns: Mapping[str, str], form: str, out: Collector) -> None:
    rows, places, names = _rows_of(source, out)
    if not rows:
        return
    _check_names(names, columns, source.name)
    table = TableCells(source, rows, places, out)
    known = columns_of(rows, names, columns, table.holds_counts)
    chosen = known.chosen
    table.note(note_on_runs(names), *known.notes)
    empty = set(names).difference(filled(rows, names))
    times = Times(table.text_or_number, table.dates, names, empty, columns, source.name, places)
    groups, runs = (_groups(table, chosen, ours) for ours in (_OF_GROUPS, _OF_GROUPS[:1]))
    starts, ends, notes = times.of(groups, runs)
    if times.has_ends and are_of_whole_hours(starts, ends):
        out.skip(source.name, _OF_HOURS)
        return
    out.notes.extend(notes)
    read = {name: table.numbers(name, theirs) for name, theirs in chosen.items() if _is_count(name)}
    read_costs(read, table, names, chosen, columns)
    cache = cache_in(names) or _gateways(known.cached, table, read)
    words = _words(rows, chosen)
    table.note(without_unknown(words, chosen), note_on_chains(words, read, chosen))
    waiting = found_tasks(names)
    is_sure = "operation" in str(chosen.get("operation_name", "")).lower()
    tells_chats = says_operations(words.get("operation_name", []))
    tells_models = tells_chats and _tell_models(read, words)
    totals = None if (total := total_in(names)) is None else table.numbers("input_tokens", total)
    statuses = statuses_of(rows, known, _by_row({**read, **words}))
    telling = of_answered(read, statuses)
    apart, notes = caches_apart(telling, totals, known, words, rows)
    thinks_apart, more = reasoning_apart(telling, totals, words, len(rows))
    table.note(*notes, *more, note_on_totals(read, totals), *table.notations())
    left_out = _left_out(
        table,
        places,
        no_calls_in(rows, read, words, (starts, ends) if times.has_moments else None),
        out,
    )
    for i, (place, values) in enumerate(zip(places, _by_row({**read, **words}), strict=False)):
        start, end = starts[i], ends[i]
        if i in left_out:
            continue
        if start is None or end is None or end < start:
            out.skip(place, times.wrong_in(i) or "no duration, or one below 0")
            continue
        fields = values | counts_of(values, apart[i], thinks_apart[i]) | statuses[i]
        fields["run_id"] = fields.get("run_id") or stem_of(source.path)
        qualities = _qualities(fields, times.has_moments)
        fields |= {name: fields.get(name) or said for name, said in qualities.items()}
        operation = operation_of(
            text(fields.get("operation_name")), is_sure, tells_chats, tells_models, fields
        )
        if operation == "execute_tool" and fields.get("tool_name") is None:
            fields["tool_name"] = tool_of(rows[i])
        is_hit = cache is not None and operation in CHATS and is_cache_hit(rows[i].get(cache))
        fields["operation_name"] = CACHE_HIT if is_hit else operation
        if (first := times.first_chunk(i)) is not None:
            fields["first_chunk_s"] = first
        out.call(place, source.name, form, **fields, start_ns=start, end_ns=end)
        if waiting is not None:
            _add_task(rows[i], waiting, fields, out)


def _left_out(table: TableCells, places: Sequence[str], found: NoCalls, out: Collector) -> set[int]:
    """Count the rows that are no calls of their own as told of already, say so, and return them."""
    for what, some in (("that stand above already", found.copies), (_SUMS, found.sums)):
        for i in sorted(some):
            out.duplicate(places[i])
        if some:
            first = places[min(some)].rpartition(", ")[2]
            table.note(f"{counted(len(some), 'row')} {what} left out ({first})")
    table.note(found.note)
    return found.copies | found.sums


def _words(
    rows: Sequence[Mapping[str, Any]], chosen: Mapping[str, str]
) -> dict[str, list[str | None]]:
    """Return the texts of the rows, by canonical name."""
    found = {
        name: names_of((row.get(theirs) for row in rows), name in _IDS)
        for name, theirs in chosen.items()
        if CALLS.get(name) == "string" and name not in {"source", "source_format"}
    }
    if "finish_reason" in found:
        own = [text(pick(row, *_OWN_REASONS)) for row in rows]
        pairs = zip(found["finish_reason"], own, strict=True)
        found["finish_reason"] = [
            its if failed_by(said) and failed_by(its) else said for said, its in pairs
        ]
    return found


def _tell_models(*columns: Mapping[str, Sequence[Any]]) -> bool:
    """Tell whether a row has a model or tokens."""
    told = (each for some in columns for name in TOKENS for each in some.get(name, ()))
    return any(each is not None for each in told)


def _by_row(columns: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yield the values of each row; without end where there are no columns."""
    for values in zip(*columns.values(), strict=True) if columns else repeat(()):
        yield dict(zip(columns, values, strict=True))


def _qualities(fields: Mapping[str, Any], has_moments: bool) -> dict[str, str | None]:
    """Return how sure the times and the counts of a row are, where it does not say so."""
    is_counted = fields.get("input_tokens") is not None
    return {
        "quality_time": "exact" if has_moments else "estimated",
        "quality_tokens": "exact" if is_counted else None,
    }


def _gateways(
    cached: str | None, table: TableCells, read: Mapping[str, Sequence[Any]]
) -> str | None:
    """Return the column ``cached`` if it says that a gateway has answered; note what it may say."""
    if cached is None:
        return None
    costs = read.get("cost_usd", [None] * len(table.rows))
    of_gateway = is_of_gateway([row.get(cached) for row in table.rows], costs)
    if of_gateway is not None:
        table.note(
            f"{cached!r} is taken to say that a gateway answered from its cache: this cost nothing"
            if of_gateway
            else f"{cached!r} not read; if it says that a gateway answered, call it 'cache_hit'"
        )
    return cached if of_gateway else None


def _add_task(
    row: Mapping[str, Any], waiting: tuple[str, str], fields: Mapping[str, Any], out: Collector
) -> None:
    """Add the task of a call, and those that it waits for, from the two columns that say them."""
    task, needs = (text(row.get(name)) for name in waiting)
    if task is not None:
        out.task(str(fields["run_id"]), task, names_in(needs), text(fields.get("agent_id")))


def _check_names(names: Sequence[str], columns: Mapping[str, str], file: str) -> None:
    """Raise an error if a table lacks columns that were named, or holds no calls."""
    check_told(columns, file)
    if _are_events(names) and not columns:
        raise TeamsimError(f"{file}: {_ARE_EVENTS}")
    for ours, theirs in columns.items():
        if theirs not in names:
            raise TeamsimError(f"{file}: {unknown_name(f'column (for {ours})', theirs, names)}")


def _is_count(name: str) -> bool:
    return CALLS.get(name) in {"Int64", "Float64"} and name not in {"start_ns", "end_ns"}


def _groups(table: TableCells, chosen: Mapping[str, str], ours: Sequence[str]) -> list[str]:
    names = [chosen[name] for name in ours if name in chosen]
    return ["\x1f".join(str(row.get(name)) for name in names) for row in table.rows]
