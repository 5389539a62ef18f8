"""Writes tables into files, in the format that the ending of the name says."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
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
    check_one_of(path, "a table", tuple(_WRITERS))


def check_one_of(path: Path, what: str, endings: Sequence[str]) -> None:
    """Check, before the work is done, that the name of a file has one of some endings.

    Parameters
    ----------
    path : Path
    what : str
        What is to be written, for the message.
    endings : sequence of str
        Such as ``.png``.

    Raises
    ------
    TeamsimError
        If it has another one; the message names those that are allowed.
    """
    if path.suffix.lower() not in endings:
        found = f"not as {path.suffix!r}" if path.suffix else "and this name has no ending"
        allowed = " or ".join([", ".join(endings[:-1]), endings[-1]] if endings[1:] else endings)
        raise TeamsimError(f"{path}: {what} is written as {allowed}, {found}")


_OF_FILES = frozenset(
    [
        ".csv",
        ".tsv",
        ".html",
        ".htm",
        ".json",
        ".jsonl",
        ".ndjson",
        ".parquet",
        ".xlsx",
        ".txt",
        ".md",
        ".yaml",
        ".yml",
        ".png",
        ".svg",
        ".pdf",
        ".jpg",
        ".jpeg",
        ".gif",
        ".zip",
        ".gz",
        ".log",
    ]
)
"""Endings by which people mean a file."""


def names_file(path: Path) -> bool:
    """Return whether a name that is not there yet is that of a file, by its ending."""
    return path.suffix.lower() in _OF_FILES and not path.exists()


def check_directory_name(path: Path) -> None:
    """Check that a directory that is to be made has no name of a file.

    Raises
    ------
    TeamsimError
        If it has, and is not there yet.
    """
    if names_file(path):
        raise TeamsimError(
            f"{path}: files get their names in a directory: give one, such as "
            f"{path.with_suffix('')}"
        )


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table, without its index, as CSV, Parquet, JSON (a list of rows) or a page.

    Raises
    ------
    TeamsimError
        If the ending of the name is that of no format.
    """
    check_ending(path)
    _WRITERS[path.suffix.lower()](table, path)


def _write_json(table: pd.DataFrame, path: Path) -> None:
    table.to_json(path, orient="records", indent=1, double_precision=15)


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 1rem; }}
table {{ border-collapse: collapse; }}
th, td {{ text-align: right; padding: 0.2rem 0.6rem; border-bottom: 1px solid #8886; }}
thead th {{ position: sticky; top: 0; background: Canvas; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{table}
</main>
</body>
</html>
"""


def _write_html(table: pd.DataFrame, path: Path) -> None:
    """Write a table as a page of its own, for a browser or a spreadsheet; null cells are empty."""
    rows = table.to_html(index=False, na_rep="", border=0)
    path.write_text(_PAGE.format(title=html.escape(path.stem), table=rows), "utf-8")


_WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda table, path: table.to_csv(path, index=False),
    ".html": _write_html,
    ".json": _write_json,
    ".parquet": lambda table, path: table.to_parquet(path, index=False),
}

ENDINGS = ".csv, .html, .json or .parquet"
"""The endings of tables, for messages and help texts."""
