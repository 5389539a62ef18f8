"""Writes tables into files, in the format that the ending of the name says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.errors import TeamsimError

if TYPE_CHECKING:
    import pandas as pd


def check_ending(path: Path) -> None:
    """Check, before the work is done, that the ending of a name is that of a format.

    Raises
    ------
    TeamsimError
        If it is not; the message names those that are.
    """
    if path.suffix.lower() not in _WRITERS:
        found = f"not as {path.suffix!r}" if path.suffix else "and this name has no ending"
        raise TeamsimError(f"{path}: a table is written as {ENDINGS}, {found}")


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table, without its index, as CSV, Parquet or JSON (a list of rows).

    Raises
    ------
    TeamsimError
        If the ending of the name is that of no format.
    """
    check_ending(path)
    _WRITERS[path.suffix.lower()](table, path)


def _write_json(table: pd.DataFrame, path: Path) -> None:
    table.to_json(path, orient="records", indent=1, double_precision=15)


_WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda table, path: table.to_csv(path, index=False),
    ".json": _write_json,
    ".parquet": lambda table, path: table.to_parquet(path, index=False),
}

ENDINGS = ".csv, .json or .parquet"
"""The endings of tables, for messages and help texts."""
