"""Reads tables of runs, a row a run, of teams whose single calls nobody has kept."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.traces.column_names import UNITS, plain, unit_in
from analysis.traces.decimals import Notations
from analysis.traces.encodings import WINDOWS, delimiter_of, encoding_of, is_blank_line
from analysis.traces.source import COMPRESSIONS, UNREADABLE, Source
from analysis.traces.table_rows import is_blank, truth
from analysis.traces.time_units import unlike_others
from simulator.documents import MOST_NUMBER, MOST_OWN_BYTES
from simulator.errors import TeamsimError, unknown_name
from simulator.words import counted

MEASURES = ("seconds", "tokens", "rounds", "calls")
"""What is measured of a run: positive, and compared by its logarithm."""

_SECOND = UNITS["s"]

_FEWEST_RUNS = 4
"""Runs of which some may be in another unit: a few may well differ as much."""

_MOST_AGENTS = 10_000


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table of runs.

    Attributes
    ----------
    kind : str
        What its cells are: ``whole`` numbers from 1, numbers ``above 0``, a ``yes or no``.
    also : tuple of str
        Other names under which it is found, if nobody says which it is.
    is_needed : bool
        Whether every run must say it.
    """

    kind: Literal["text", "whole", "above 0", "yes or no"]
    also: tuple[str, ...] = ()
    is_needed: bool = False


COLUMNS: dict[str, Column] = {
    "model": Column("text", ("model_dir", "model_name")),
    "protocol": Column("text", ("condition", "mode"), is_needed=True),
    "n": Column("whole", ("n_teammates", "n_agents", "team_size"), is_needed=True),
    "seconds": Column("above 0", ("wall_clock_seconds", "wall_s", "wall"), is_needed=True),
    "tokens": Column("above 0", ("total_tokens",)),
    "input_tokens": Column("above 0", ("total_input_tokens",)),
    "output_tokens": Column("above 0", ("total_output_tokens",)),
    "rounds": Column("whole", ("total_rounds",)),
    "calls": Column("whole", ("total_calls",)),
    "success": Column("yes or no", ("succeeded",)),
    "task_list": Column("text", ("task_type",)),
    "max_rounds": Column("whole"),
}
"""The columns of a table of runs, by our names."""

_COUNTS = {"n", "tokens", "input_tokens", "output_tokens", "rounds", "calls", "max_rounds"}

_OF_RUNS_ALONE = {
    name for name in COLUMNS if name not in ("model", "input_tokens", "output_tokens")
}
"""Columns that a table of calls does not have."""


@dataclass(frozen=True)
class RunTable:
    """Runs, of which only the totals are known.

    Attributes
    ----------
    runs : DataFrame
        `COLUMNS`, a row a run: text for ``model, protocol, task_list``, else numbers, NaN where it
        is not known; ``success`` is 1 or 0.
    notes : list of str
        What was taken as not known, and why.
    """

    runs: pd.DataFrame
    notes: list[str]

    def of(self, protocols: Sequence[str] = (), sizes: Sequence[int] = ()) -> RunTable:
        """Return the runs under some protocols, and of some team sizes; all if none is named.

        Raises
        ------
        TeamsimError
            If there are none.
        """
        for name, wanted in (("protocol", protocols), ("n", sizes)):
            there = sorted(self.runs[name].unique())
            for each in wanted:
                if each not in there:
                    raise TeamsimError(unknown_name(f"{name} of a run", str(each), map(str, there)))
        chosen = self.runs
        if protocols:
            chosen = chosen[chosen["protocol"].isin(list(protocols))]
        if sizes:
            chosen = chosen[chosen["n"].isin(list(sizes))]
        if chosen.empty:
            raise TeamsimError(f"no run is of {', '.join(protocols)} and of {sizes} agents")
        return RunTable(chosen.reset_index(drop=True), self.notes)


def note_on_runs(names: Iterable[str]) -> str | None:
    """Return what to say of a table whose rows are taken for calls, if they may be runs.

    They may if the table says how many agents there were, and how long all took.
    """
    there = set(map(plain, names))
    missing = [name for name in _needed() if {name, *COLUMNS[name].also}.isdisjoint(there)]
    if not missing:
        return "each row is taken for a call; if they are runs, give them to `teamsim calibrate`"
    says_agents = not there.isdisjoint(COLUMNS["n"].also)
    if missing == ["protocol"] or (says_agents and set(missing) <= {"protocol", "seconds"}):
        return (
            "each row is taken for a call; if they are runs, `teamsim calibrate` needs a column "
            "that says how each team shared its work: 'protocol', or --column protocol=NAME"
        )
    return None


def _needed() -> list[str]:
    return [name for name, column in COLUMNS.items() if column.is_needed]


def is_run_table(path: Path, columns: Mapping[str, str]) -> bool:
    """Return whether a file is a table of runs: by the columns that are named, or by its header."""
    name = path.with_suffix("") if path.suffix in COMPRESSIONS else path
    if name.suffix not in (".csv", ".tsv", ".txt", ".parquet") or not path.is_file():
        return False
    if not _OF_RUNS_ALONE.isdisjoint(columns):
        return True
    try:
        header = set(map(plain, _rows(path)[0]))
    except TeamsimError:
        return False
    return all(not {name, *COLUMNS[name].also}.isdisjoint(header) for name in _needed())


def read_run_table(path: Path, columns: Mapping[str, str] | None = None) -> RunTable:
    """Read a table of runs (CSV with a header, or Parquet).

    Cells are apart by commas, tabs, bars, or by semicolons, with which decimals may have commas. A
    total of 0 was not counted, and is not known.

    Parameters
    ----------
    path : Path
    columns : mapping, optional
        Our names (`COLUMNS`) to those in the table, where they are not found by name.

    Raises
    ------
    TeamsimError
        Naming the file, and the column or the line and cell, that is wrong.
    """
    header, rows, is_european = _rows(path)
    there = list(rows)
    filled = {name for i, name in enumerate(header) if any(cells[i] for _, cells in there)}
    places = _places(path, header, filled, columns or {})
    found: dict[str, list[str | float]] = {name: [] for name in places}
    uncounted = dict.fromkeys(places, 0)
    unit = unit_in(header[places["seconds"]]) or _SECOND
    amounts = {header[place] for name, place in places.items() if COLUMNS[name].kind != "text"}
    cells_by_name = [dict(zip(header, cells, strict=True)) for _, cells in there]
    written = Notations(cells_by_name, amounts, is_european)
    for where, cells in there:
        for name, place in places.items():
            cell = cells[place]
            if COLUMNS[name].kind != "text":
                cell = written.of(header[place], name in _COUNTS).plain(cell)
            value = _value(cell, name, f"{path}, {where}: {header[place]!r}")
            if value == 0.0 and name != "success":
                value = float("nan")
                uncounted[name] += 1
            if name == "seconds" and isinstance(value, float) and unit != _SECOND:
                value = value * unit / _SECOND
            found[name].append(value)
    if not found["n"]:
        raise TeamsimError(f"{path} has no runs: it has no rows")
    runs = pd.DataFrame(found)
    for name, column in COLUMNS.items():
        if name not in runs:
            runs[name] = "" if column.kind == "text" else np.nan
    runs["n"] = runs["n"].astype(int)
    runs["tokens"] = runs["tokens"].fillna(runs["input_tokens"] + runs["output_tokens"])
    notes = [f"{count} runs have 0 {name}: not known" for name, count in uncounted.items() if count]
    return RunTable(runs[list(COLUMNS)], [*notes, *written.notes(), *_doubts(runs, there)])


def _doubts(runs: pd.DataFrame, there: Sequence[tuple[str, Sequence[str | None]]]) -> list[str]:
    """Return what to say of rows that are copies of others, and of durations in other units."""
    notes = []
    rows = pd.Series([str(cells) for _, cells in there])
    if (copies := rows.duplicated()).any():
        first = there[int(copies.to_numpy().argmax())][0]
        notes.append(
            f"{counted(int(copies.sum()), 'row')} like another one in all columns (first: {first})"
            ": each is taken for a run"
        )
    odd = unlike_others(runs["seconds"].tolist(), _SECOND)
    if odd is not None and len(runs) >= _FEWEST_RUNS:
        notes.append(f"{there[odd[0]][0]}: the duration is {odd[1]}")
    return notes


def _rows(path: Path) -> tuple[list[str], Iterator[tuple[str, list[str | None]]], bool]:
    """Return the header, and where each row is with its cells, None where they are empty.

    Also whether it is a table whose cells are apart by semicolons: decimals may have commas there.
    """
    if path.suffix == ".parquet":
        try:
            table = pq.read_table(path)
        except FileNotFoundError:
            raise TeamsimError(f"{path}: no such file") from None
        except (OSError, ValueError, pa.ArrowException) as error:
            raise TeamsimError(f"{path} cannot be read as Parquet: {error}") from None
        columns = [column.to_pylist() for column in table.columns]
        return (
            table.column_names,
            (
                (f"row {i + 1}", [None if cell is None else str(cell) for cell in cells])
                for i, cells in enumerate(zip(*columns, strict=True))
            ),
            False,
        )
    text = _text(path)
    first = next((line for line in text.splitlines() if not is_blank_line(line)), "")
    delimiter = delimiter_of(first)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    said = (row for row in reader if not is_blank_line(delimiter.join(row)))
    header = [name.strip() for name in next(said, [])]
    if not header:
        raise TeamsimError(f"{path} is empty")
    return header, _lines(path, reader, len(header)), delimiter == ";"


def _text(path: Path) -> str:
    try:
        with Source(path, str(path)).open() as stream:
            content = stream.read(MOST_OWN_BYTES + 1)
    except FileNotFoundError:
        raise TeamsimError(f"{path} cannot be read as CSV: no such file") from None
    except UNREADABLE as error:
        raise TeamsimError(f"{path} cannot be read as CSV: {error}") from None
    if len(content) > MOST_OWN_BYTES:
        raise TeamsimError(f"{path} cannot be read as CSV: longer than {MOST_OWN_BYTES:,} bytes")
    return content.decode(encoding_of(content), WINDOWS).removeprefix("\ufeff")


def _lines(
    path: Path, reader: Iterator[list[str]], width: int
) -> Iterator[tuple[str, list[str | None]]]:
    line = 1
    try:
        for cells in reader:
            line = reader.line_num  # type: ignore[attr-defined]
            if not any(map(str.strip, cells)):
                continue
            if len(cells) != width:
                raise TeamsimError(
                    f"{path}, line {line}: {len(cells)} cells, and the header has {width}"
                )
            yield f"line {line}", [cell.strip() or None for cell in cells]
    except csv.Error as error:
        raise TeamsimError(f"{path}, line {line + 1}: {error}") from None


def _places(
    path: Path, header: list[str], filled: Collection[str], columns: Mapping[str, str]
) -> dict[str, int]:
    """Return where in a row each of our columns is; those that say something hide empty ones."""
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise TeamsimError(f"{path} has the column {twice!r} twice")
    for ours, theirs in columns.items():
        if ours not in COLUMNS:
            raise TeamsimError(f"--column: {unknown_name('column of a run', ours, COLUMNS)}")
        if theirs not in header:
            raise TeamsimError(f"{path}: {unknown_name('column', theirs, header)}")
    numbers = [theirs for ours, theirs in columns.items() if COLUMNS[ours].kind != "text"]
    if (both := next((name for name in numbers if numbers.count(name) > 1), None)) is not None:
        raise TeamsimError(f"{path}: --column names {both!r} for two of our columns")
    places = {}
    by_plain = {plain(name): name for name in reversed(header)}
    for name, column in COLUMNS.items():
        known = [by_plain[each] for each in (name, *column.also) if each in by_plain]
        names = [each for each in known if each in filled] or known
        if name in columns:
            names = [columns[name]]
        found = next(iter(names), None)
        if found is not None:
            places[name] = header.index(found)
        elif column.is_needed:
            raise TeamsimError(
                f"{path}: no column says {name!r} (it has {', '.join(header)}); "
                f"say which does: --column {name}=NAME"
            )
    return places


def _value(cell: str | None, name: str, where: str) -> str | float:
    """Return what a cell says, NaN where it is empty and need not say anything.

    Raises
    ------
    TeamsimError
        If it is not what the column holds.
    """
    column = COLUMNS[name]
    if cell is None and column.is_needed:
        raise TeamsimError(f"{where} is empty, and every run must say its {name}")
    if cell is None and column.kind == "text":
        return ""
    if cell is None or (is_blank(cell) and not column.is_needed and column.kind != "text"):
        return float("nan")
    if column.kind == "text":
        return cell
    if column.kind == "yes or no":
        said = truth(cell)
        if said is None:
            raise TeamsimError(f"{where} is {cell[:60]!r}, not true or false")
        return float(said)
    try:
        number = float(cell)
    except ValueError:
        number = float("nan")
    most = _MOST_AGENTS if name == "n" else MOST_NUMBER
    is_whole = column.kind != "whole" or number % 1 == 0
    if not (0.0 <= number <= most and is_whole and (number > 0.0 or not column.is_needed)):
        what = "a whole number from 1" if column.kind == "whole" else "a number above 0"
        raise TeamsimError(f"{where} is {cell[:60]!r}, not {what} to {most:g}")
    return number
