"""Plain tables of calls: CSV, Parquet or JSON rows, with columns found by name or given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from analysis.traces.canonical import CACHE_HIT, CALLS, CHATS
from analysis.traces.collector import Collector
from analysis.traces.column_names import (
    TIMES,
    amounts_in,
    cache_in,
    cents_in,
    currency_in,
    found_columns,
    found_counts,
    found_tasks,
    found_times,
    other_costs_in,
    total_in,
    unread_counts,
)
from analysis.traces.decimals import Notations
from analysis.traces.reader import Reader
from analysis.traces.run_tables import note_on_runs
from analysis.traces.source import Head, Source
from analysis.traces.table_counts import caches_apart, counts_of, status_in
from analysis.traces.table_rows import (
    flat,
    is_blank,
    name_in,
    operation_of,
    tool_of,
    without_dollar,
)
from analysis.traces.table_times import EXTRA, Times
from analysis.traces.values import MOST_COUNT, amount, is_cache_hit, names_in, text
from simulator.errors import TeamsimError, unknown_name
from simulator.model.trace import COLUMNS as EVENT_COLUMNS

_FEWEST_KNOWN = 2
"""Known columns from which a table is taken for one of calls that lacks their times."""

_SHOWN = 6
"""Most names of a column that a message lists."""

_ARE_EVENTS = (
    "these are the events of a simulated run, as `teamsim run --trace` writes them, and no calls; "
    "`teamsim timeline SCENARIO --out DIRECTORY` writes the same run as spans, which can be read: "
    "DIRECTORY/otlp.jsonl"
)

_DOLLARS = {"USD", "$", "US$", "US DOLLAR", "US DOLLARS"}

_TOKENS = ("input_tokens", "output_tokens", "response_model")


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
        names = dict.fromkeys([*head.columns, *(n for row in head.rows[:20] for n in flat(row))])
        if _are_events(names):
            return 0.0
        times = found_times(names)
        has_length = "duration" in times or {"start", "end"} <= times.keys()
        if not has_length or head.layout == "binary":
            return 0.0
        of_calls = not set(_TOKENS).isdisjoint(found_columns(names))
        if head.layout in {"table", "parquet"}:
            return 0.4 if of_calls else 0.3
        is_flat = head.share(lambda row: not any(isinstance(v, list) for v in row.values()))
        return 0.35 * is_flat if of_calls else 0.0

    def lacks(self, head: Head) -> str | None:
        """Return which columns a table of calls lacks; None if it is none, or lacks nothing."""
        names = dict.fromkeys([*head.columns, *(n for row in head.rows[:20] for n in flat(row))])
        if _are_events(names):
            return _ARE_EVENTS
        known = found_columns(names)
        times = found_times(names)
        of_calls = not set(_TOKENS).isdisjoint(known)
        if head.layout == "binary" or not of_calls or len(known) < _FEWEST_KNOWN:
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


def _read_table(source: Source, columns: Mapping[str, str], form: str, out: Collector) -> None:
    rows, places = [], []
    nested = frozenset({"data"}) if source.head.layout == "document" else frozenset[str]()
    for record in source.records(nested, out.skip):
        rows.append(flat(record.node))
        places.append(record.place)
    out.report.rows += len(rows)
    names = list(dict.fromkeys([*source.head.columns, *(name for row in rows for name in row)]))
    _check_names(names, columns, source.name)
    if (note := note_on_runs(names)) is not None:
        out.notes.append(f"{source.path.name}: {note}")
    table = _Table(source, rows, places, out)
    chosen = _chosen(table, names, columns, out)
    times = Times(table.text_or_number, names, columns, source.name, places)
    starts, ends, notes = times.of(_groups(table, chosen))
    out.notes.extend(notes)
    read = {name: table.numbers(name, theirs) for name, theirs in chosen.items() if _is_count(name)}
    _read_costs(read, table, names, chosen, columns, out)
    cache = cache_in(names)
    words = {
        name: [name_in(row.get(theirs)) for row in rows]
        for name, theirs in chosen.items()
        if CALLS.get(name) == "string" and name not in {"source", "source_format"}
    }
    waiting = found_tasks(names)
    is_sure = "operation" in str(chosen.get("operation_name", "")).lower()
    total = total_in(names)
    totals = table.numbers("input_tokens", total) if total is not None else None
    apart, notes = caches_apart(read, totals, chosen, words, rows)
    out.notes.extend(f"{source.path.name}: {note}" for note in notes)
    out.notes.extend(table.notes())
    for i, place in enumerate(places):
        start, end = starts[i], ends[i]
        if start is None or end is None or end < start:
            out.skip(place, times.wrong_in(i) or "no duration, or one below 0")
            continue
        fields = {name: values[i] for name, values in (read | words).items()}
        fields |= counts_of(fields, apart[i], totals[i] if totals else None) | status_in(fields)
        for name, value in (
            ("run_id", source.path.stem),
            ("quality_time", "exact" if times.has_moments else "estimated"),
            ("quality_tokens", "exact" if fields.get("input_tokens") is not None else None),
        ):
            if fields.get(name) is None:
                fields[name] = value
        operation = operation_of(text(fields.get("operation_name")), is_sure, fields)
        if operation == "execute_tool" and fields.get("tool_name") is None:
            fields["tool_name"] = tool_of(rows[i])
        is_hit = cache is not None and operation in CHATS and is_cache_hit(rows[i].get(cache))
        fields["operation_name"] = CACHE_HIT if is_hit else operation
        first = times.first_chunk(i)
        if first is not None:
            fields["first_chunk_s"] = first
        fields |= {"start_ns": start, "end_ns": end}
        out.call(place, source.name, form, **fields)
        task, needs = (text(rows[i].get(name)) for name in waiting) if waiting else (None, None)
        if task is not None:
            out.task(str(fields["run_id"]), task, names_in(needs), text(fields.get("agent_id")))


def _chosen(
    table: _Table, names: Sequence[str], columns: Mapping[str, str], out: Collector
) -> dict[str, str]:
    """Return the table's column of each canonical one; note which may be counts, and are not."""
    chosen = {**found_columns(names), **{k: v for k, v in columns.items() if k not in EXTRA}}
    # A canonical name is the surest.
    chosen = {**chosen, **{name: name for name in CALLS if name in names and name not in columns}}
    chosen |= found_counts(names, chosen, table.holds_counts)
    unread = unread_counts(names, [*chosen.values(), *columns.values()])
    if some := list(filter(table.holds_counts, unread)):
        out.notes.append(
            f"{table.name}: {', '.join(map(repr, some[:_SHOWN]))} not read; if they are counts of "
            "tokens, say which with --column"
        )
    return chosen


def _check_names(names: Sequence[str], columns: Mapping[str, str], file: str) -> None:
    """Raise an error if a table lacks columns that were named, or holds no calls."""
    if _are_events(names) and not columns:
        raise TeamsimError(f"{file}: {_ARE_EVENTS}")
    for ours, theirs in columns.items():
        if theirs not in names:
            raise TeamsimError(f"{file}: {unknown_name(f'column (for {ours})', theirs, names)}")


def _read_costs(
    read: dict[str, list[Any]],
    table: _Table,
    names: Sequence[str],
    chosen: Mapping[str, str],
    columns: Mapping[str, str],
    out: Collector,
) -> None:
    """Have costs in dollars; those in cents become some, those in other currencies are errors."""
    cents = None if "cost_usd" in columns else cents_in(names)
    if cents is not None:
        values = table.numbers("cost_usd", cents)
        read["cost_usd"] = [None if value is None else value / 100.0 for value in values]
        out.notes.append(f"{table.name}: column {cents!r} is in cents")
    cost = cents or chosen.get("cost_usd")
    currency = None if cost is None or cost in columns.values() else currency_in(names, cost)
    if currency is not None:
        read["cost_usd"] = table.in_dollars(read["cost_usd"], currency)
    if others := [name for name in other_costs_in(names) if name not in columns.values()]:
        out.notes.append(
            f"{table.name}: {', '.join(map(repr, others))} not read, as costs are in US dollars"
        )


def _is_count(name: str) -> bool:
    return CALLS.get(name) in {"Int64", "Float64"} and name not in {"start_ns", "end_ns"}


def _groups(table: _Table, chosen: Mapping[str, str]) -> list[str]:
    names = [chosen[name] for name in ("run_id", "agent_id") if name in chosen]
    return ["\x1f".join(str(row.get(name)) for name in names) for row in table.rows]


class _Table:
    """The rows of one file."""

    def __init__(
        self, source: Source, rows: list[dict[str, Any]], places: list[str], out: Collector
    ) -> None:
        self._source = source
        self.rows = rows
        self._places = places
        self._out = out
        amounts = amounts_in(dict.fromkeys(name for row in rows[:1000] for name in row))
        self._notations = Notations(rows, amounts, source.head.may_have_decimal_commas)

    @property
    def name(self) -> str:
        """The name of the file."""
        return self._source.path.name

    def notes(self) -> list[str]:
        """Return what was taken for granted of the numbers of its columns."""
        return [f"{self.name}: {note}" for note in self._notations.notes()]

    def text_or_number(self, name: str, may_be_text: bool) -> list[Any]:
        """Return a column of times; invalid values are counted and become None."""
        how = self._notations.of(name, is_count=False)
        if may_be_text and any(_is_words(how.plain(row.get(name))) for row in self.rows[:50]):
            return [row.get(name) for row in self.rows]
        return [
            None if pd.isna(each) else each
            for each in self._checked(name, low=-np.inf, most=np.inf).tolist()
        ]

    def numbers(self, ours: str, theirs: str) -> list[float | int | None]:
        """Return a column of counts or amounts; invalid values are counted and become None."""
        whole = CALLS[ours] == "Int64"
        values = self._checked(theirs, low=0.0, most=float(MOST_COUNT), whole=whole)
        return [None if np.isnan(n) else round(n) if whole else n for n in values.tolist()]

    def holds_counts(self, name: str) -> bool:
        """Tell whether a column holds whole numbers, and one above 1: else it says yes or no."""
        how = self._notations.told(name, is_count=True)
        found = [
            amount(how.plain(row.get(name)))
            for row in self.rows
            if not is_blank(row.get(name)) and row.get(name) is not None
        ]
        return all(n is not None and n == round(n) for n in found) and any(
            n is not None and n > 1 for n in found
        )

    def in_dollars(self, costs: Sequence[float | None], currency: str) -> list[float | None]:
        """Return the costs that are in US dollars; one in another currency is an error."""
        found = []
        for place, row, cost in zip(self._places, self.rows, costs, strict=True):
            said = text(row.get(currency))
            is_dollar = said is None or said.upper() in _DOLLARS
            found.append(cost if is_dollar else None)
            if cost is not None and not is_dollar:
                self._out.skip(f"{place}, column {currency!r}", f"{said!r} is not USD")
        return found

    def _checked(
        self, name: str, low: float, most: float, whole: bool = False
    ) -> np.ndarray[Any, Any]:
        raw = pd.Series([_scalar(row.get(name)) for row in self.rows], dtype=object)
        if most == MOST_COUNT:
            raw = raw.map(without_dollar)
        raw = raw.map(self._notations.of(name, whole).plain)
        # pandas reads huge integers as objects.
        numbers = pd.to_numeric(raw, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        blank = raw.isna().to_numpy() | raw.map(is_blank).to_numpy(dtype=bool)
        self._say(np.isnan(numbers) & ~blank, name, raw, "is no number")
        with np.errstate(invalid="ignore"):
            bad = (numbers < low) | (numbers > most) | np.isinf(numbers)
            self._say(bad & (numbers < low), name, raw, f"is below {low:g}")
            self._say(bad & ~(numbers < low), name, raw, "is too large")
        return np.where(bad, np.nan, numbers)

    def _say(self, which: np.ndarray[Any, Any], name: str, raw: pd.Series, what: str) -> None:
        for i in np.flatnonzero(which):
            said = str(raw.iloc[i])[:40]
            self._out.skip(f"{self._places[i]}, column {name!r}", f"{said!r} {what}")


def _scalar(value: Any) -> Any:
    """Return a number or a text; booleans and nested objects are not numbers."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float, str, type(None))):
        return str(value)[:40]
    try:
        return float(value) if isinstance(value, int) else value
    except OverflowError:
        return float("inf")


def _is_words(value: Any) -> bool:
    if value is None or isinstance(value, (int, float)):
        return False
    try:
        float(str(value))
    except ValueError:
        return True
    return False
