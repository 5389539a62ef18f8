"""Reads tables that a user names, Parquet and CSV, within limits."""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simulator.documents import (
    MOST_NUMBER,
    MOST_OWN_BYTES,
    DocumentError,
    parse_json,
    read_text,
    sealed,
    unsealed,
)
from simulator.errors import TeamsimError, nearest_name

MOST_CELLS = 10**9
"""Cells of a Parquet file: a small one may unpack to more than fits into memory."""
MOST_COLUMNS = 10_000
"""Columns of a table."""


def read_parquet(path: Path, columns: Sequence[str], numbers: Sequence[str] = ()) -> pd.DataFrame:
    """Return a Parquet file as a data frame.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        Columns that it must have; the first one must have no nulls.
    numbers : sequence of str
        Columns that are numbers, as for `with_numbers`, if they are there.

    Raises
    ------
    TeamsimError
        If it is missing, is no Parquet file, is too large, lacks a column or has one twice, has
        what is no number, or has a null in the first column.
    """
    try:
        # Arrow reads a path, and makes a table, with threads of its own; a process that has threads
        # cannot be copied (see `simulator.forking`).
        with pq.ParquetFile(pa.BufferReader(path.read_bytes())) as file:
            if file.metadata.num_rows * file.metadata.num_columns > MOST_CELLS:
                raise TeamsimError(f"{path} has more than {MOST_CELLS:,} cells")
            table = file.read(use_threads=False)
    except FileNotFoundError:
        raise TeamsimError(f"{path}: no such file") from None
    except (OSError, ValueError, pa.ArrowException) as error:
        raise TeamsimError(f"{path} cannot be read as Parquet: {error}") from None
    _check_columns(path, table.column_names, columns)
    try:
        frame: pd.DataFrame = table.to_pandas(use_threads=False)
    except (pa.ArrowException, ValueError, OverflowError) as error:  # dates beyond all calendars
        raise TeamsimError(f"{path} cannot be read as Parquet: {error}") from None
    frame = _without_index(frame)
    if columns:
        empty = frame[columns[0]].isna()
        if empty.any():
            row = int(empty.to_numpy().argmax()) + 1
            raise TeamsimError(f"{path}, row {row}: no {columns[0]!r}")
    return with_numbers(frame, path, numbers)


def _without_index(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose rows are numbered; columns that were its index are columns again."""
    named = [name for name in frame.index.names if name is not None]
    return (frame.reset_index(named) if named else frame).reset_index(drop=True)


def read_csv(path: Path, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return a CSV file with a header as a data frame.

    Raises
    ------
    TeamsimError
        If it is missing, empty, too large, no CSV, or lacks a column.
    """
    try:
        text = io.StringIO(read_text(path, MOST_OWN_BYTES))
        _check_columns(path, _header(text))  # pandas would give columns of one name several
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame: pd.DataFrame = pd.read_csv(text, skipinitialspace=True, index_col=False)
    except pd.errors.EmptyDataError:
        raise TeamsimError(f"{path} is empty") from None
    except DocumentError as error:
        raise TeamsimError(f"{path} cannot be read as CSV: {error}") from None
    except pd.errors.ParserWarning:
        line, cells, names = _longer_line(text)
        raise TeamsimError(
            f"{path}, line {line}: it has {cells} cells, and the header {names} names"
        ) from None
    except (pd.errors.ParserError, csv.Error, ValueError, OverflowError) as error:
        raise TeamsimError(f"{path} cannot be read as CSV: {error}") from None
    _check_columns(path, list(map(str, frame.columns)), columns)
    return frame


def _header(text: io.StringIO) -> list[str]:
    """Return the names of the columns that have one."""
    rows = csv.reader(text, skipinitialspace=True)
    names = next((row for row in rows if row), [])
    text.seek(0)
    return [name for name in names if name]


def _longer_line(text: io.StringIO) -> tuple[int, int, int]:
    """Return the number of the first line with more cells than the header, and how many both have.

    Where pandas alone sees one, that is the header.
    """
    text.seek(0)
    rows = csv.reader(text, skipinitialspace=True)
    names = len(next((row for row in rows if row), []))
    first = rows.line_num
    return next(((rows.line_num, len(row), names) for row in rows if len(row) > names),
                (first, names, names))  # fmt: skip


def _check_columns(path: Path, found: Sequence[str], wanted: Sequence[str] = ()) -> None:
    if len(found) > MOST_COLUMNS:
        raise TeamsimError(f"{path} has more than {MOST_COLUMNS:,} columns")
    twice, times = max(Counter(found).items(), key=itemgetter(1), default=("", 0))
    if times > 1:
        raise TeamsimError(f"{path} has the column {twice!r} twice")
    missing = next((name for name in wanted if name not in found), None)
    if missing is not None:
        near = nearest_name(missing, set(found) - set(wanted))
        hint = f"; is it {near!r}?" if near else ""
        raise TeamsimError(f"{path} lacks the column {missing!r}{hint} (it has {', '.join(found)})")


def with_numbers(
    frame: pd.DataFrame, path: Path, names: Sequence[str], may_miss: bool = True
) -> pd.DataFrame:
    """Return a table with columns checked that must be numbers from 0 to `MOST_NUMBER`, or missing.

    Raises
    ------
    TeamsimError
        Naming file, row and value of what is wrong.
    """
    for name in names:
        if name not in frame:
            continue
        found = frame[name]
        numbers = numbers_in(found)
        wrong = ~((numbers >= 0.0) & (numbers <= MOST_NUMBER)).to_numpy()
        if may_miss:
            wrong &= ~found.isna().to_numpy()
        refuse(wrong, found, path, f"a number from 0 to {MOST_NUMBER:g}")
        if found.dtype == bool or not pd.api.types.is_numeric_dtype(found):
            frame = frame.assign(**{name: numbers})
    return frame


def refuse(wrong: NDArray[np.bool_], column: pd.Series, path: Path, what: str) -> None:
    """Refuse a column of which something is `wrong`, shape of the column: it is not `what`.

    Raises
    ------
    TeamsimError
        Naming file, row and value of the first of it.
    """
    if wrong.any():
        row = int(wrong.argmax())
        value = str(column.iloc[row])[:60]
        raise TeamsimError(f"{path}, row {row + 1}: {column.name!r} is {value!r}, not {what}")


def numbers_in(column: pd.Series) -> pd.Series:
    """Return a column as real numbers, NaN where it has none; dates and durations are none."""
    if column.dtype.kind in "mM":
        return pd.Series(np.nan, index=column.index)
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return pd.Series(numbers, index=column.index)


def with_names(
    frame: pd.DataFrame, path: Path, names: Sequence[str], may_miss: bool = False
) -> pd.DataFrame:
    """Return a table with columns checked that must be names; whole numbers may be names.

    These columns are of Python's strings then, and None where a name is missing: rows are chosen,
    and put in groups, sooner than with those of Arrow.

    Raises
    ------
    TeamsimError
        Naming file, row and value of what is wrong.
    """
    for name in names:
        found = frame[name]
        code, values = _factorized(found)
        said = np.asarray([*map(_name, values), None], dtype=object)[code]  # -1 where it is missing
        wrong = np.asarray(pd.isna(said)) & ~(may_miss & (code < 0))
        if wrong.any() and code[wrong.argmax()] < 0:
            raise TeamsimError(f"{path}, row {wrong.argmax() + 1}: no {name!r}")
        refuse(wrong, found, path, "a name")
        frame = frame.assign(**{name: pd.Series(said, index=frame.index, dtype=object)})
    return frame


def _factorized(column: pd.Series) -> tuple[NDArray[np.int64], list[Any]]:
    """Return which of the values of a column each row has, -1 where it has none, and the values."""
    try:
        code, values = pd.factorize(column)
    except TypeError:  # lists have no hash
        return np.where(column.isna(), -1, np.arange(len(column))), list(column)
    return np.asarray(code, dtype=np.int64), list(values)


def _name(value: object) -> str | None:
    """Return a name, None where it is none."""
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        return f"{value:.0f}" if float(value) % 1 == 0 else None
    return None


def with_stored(table: pa.Table, key: bytes, document: Mapping[str, Any]) -> pa.Table:
    """Return a table with a sealed document in the metadata of its file."""
    stored = json.dumps(sealed(document)).encode()
    return table.replace_schema_metadata({**(table.schema.metadata or {}), key: stored})


def stored_in(path: Path, key: bytes) -> dict[str, Any] | None:
    """Return the document that `with_stored` has put into a file; None if it has none.

    Raises
    ------
    TeamsimError
        If it is no Parquet file, or the document is damaged.
    """
    try:
        found = (pq.read_schema(path).metadata or {}).get(key)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise TeamsimError(f"{path} cannot be read as Parquet: {error}") from None
    if found is None:
        return None
    try:
        document = parse_json(found.decode("utf-8", "replace"), any_float=True)
        if not isinstance(document, dict):
            raise DocumentError("a mapping is expected")
        return unsealed(document)
    except DocumentError as error:
        raise TeamsimError(f"{path} is damaged ({error}): write it anew with predict") from None
