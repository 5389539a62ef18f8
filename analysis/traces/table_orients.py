"""Tables within objects of JSON: data frames by columns, by index or split, and pages of rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from analysis.traces.column_names import found_columns, found_times
from analysis.traces.jsonstream import Record
from analysis.traces.source import Head
from analysis.traces.table_rows import flat

_FEWEST = 2
"""Columns of a table."""

_PAGES = ("data", "rows", "results", "items", "records", "calls", "logs", "events", "requests")
"""Fields of objects that hold the rows of a table."""

_SEEN = 20
"""Rows that are looked at."""

TOKENS = {"input_tokens", "output_tokens", "response_model"}
"""Columns of which one says that rows are calls of models."""


def frame_in(head: Head) -> list[dict[str, Any]] | None:
    """Return the rows of the table that a file is as one object; None if it is none."""
    return rows_of_frame(head.rows[0]) if len(head.rows) == 1 else None


def unfolded(record: Record) -> Iterator[Record]:
    """Yield a record, or the rows of the table that it is."""
    rows = rows_of_frame(record.node)
    if rows is None:
        yield record
        return
    for i, row in enumerate(rows):
        yield Record(f"{record.place}, row {i}", row, record.around)


def rows_of_frame(node: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the rows of a table that is one object; None if it is none.

    pandas writes ``{column: {index: cell}}`` (``to_json()``), ``{index: {column: cell}}``, or
    ``{columns, index, data}``; others write ``{column: [cell, ...]}``. Columns are told by their
    names.
    """
    columns, data = node.get("columns"), node.get("data")
    if isinstance(columns, list) and isinstance(data, list) and _are_columns(map(str, columns)):
        names = list(map(str, columns))
        cells = [row for row in data if isinstance(row, list) and len(row) == len(names)]
        return [dict(zip(names, row, strict=True)) for row in cells] if cells == data else None
    inside = list(node.values())
    if len(inside) < 1 or not all(isinstance(each, (dict, list)) for each in inside):
        return None
    if all(isinstance(each, dict) for each in inside):
        return _of_mappings(node)
    is_even = all(isinstance(each, list) and len(each) == len(inside[0]) for each in inside)
    if not is_even or len(node) < _FEWEST or not _are_columns(node):
        return None
    return [dict(zip(node, cells, strict=True)) for cells in zip(*inside, strict=True)]


def _of_mappings(node: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]] | None:
    index: Sequence[str] = list(next(iter(node.values())))
    if len(node) >= _FEWEST and _are_columns(node):
        if any(list(each) != index for each in node.values()):
            return None
        return [{name: cells[key] for name, cells in node.items()} for key in index]
    return list(node.values()) if _are_columns(index) and _are_numbers(node) else None


def _are_columns(names: Iterable[str]) -> bool:
    """Tell whether names are those of the columns of a table of calls."""
    names = list(names)
    return bool(found_times(names)) and bool(found_columns(names))


def _are_numbers(names: Iterable[str]) -> bool:
    return all(name.isdigit() for name in names)


def pages_of(head: Head) -> frozenset[str]:
    """Return the field in which objects, as the pages of an API, have the rows of a table."""
    if head.layout in {"table", "parquet"} or not head.rows or frame_in(head) is not None:
        return frozenset()
    held = [name for name in _PAGES if all(map(_hold_rows, (row.get(name) for row in head.rows)))]
    if len(held) != 1:
        return frozenset()
    inside = columns_in(head, frozenset(held))
    is_page = _are_calls(inside) or not _are_calls(columns_in(head, frozenset()))
    return frozenset(held) if is_page else frozenset()


def _are_calls(names: Iterable[str]) -> bool:
    """Tell whether columns say how long a call took, and its tokens or model."""
    names = list(names)
    return have_length(found_times(names)) and not TOKENS.isdisjoint(found_columns(names))


def have_length(times: Collection[str]) -> bool:
    """Tell whether columns of times say how long a call took."""
    return "duration" in times or ("start" in times and "end" in times)


def _hold_rows(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value[:_SEEN])


def columns_in(head: Head, pages: frozenset[str]) -> dict[str, None]:
    """Return the columns of the first rows."""
    rows = head.rows[:_SEEN]
    columns: Iterable[str] = head.columns
    if (frame := frame_in(head)) is not None:
        return dict.fromkeys(name for row in frame[:_SEEN] for name in flat(row))
    for name in pages:
        rows = [each for row in rows for each in row[name][:_SEEN]]
        columns = ()
    return dict.fromkeys([*columns, *(n for row in rows for n in flat(row))])
