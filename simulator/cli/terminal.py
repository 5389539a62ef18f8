"""What commands share: tables, progress bars, and paths that are checked before the work."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from simulator.errors import TeamsimError

console = Console(width=None if sys.stdout.isatty() else 120)


@contextmanager
def progress_bar(unit: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar with the time left on standard error while the body runs."""
    columns = (
        TextColumn(unit),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(unit, total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield advance


def make_directory(path: Path) -> None:
    """Make a directory for results, if it is not there.

    Raises
    ------
    TeamsimError
        If it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TeamsimError(f"{path} cannot be made: {error.strerror}") from None


def check_writable(path: Path) -> None:
    """Refuse an output path before the work is done rather than after.

    Raises
    ------
    TeamsimError
        If the file cannot be written there.
    """
    if path.is_dir():
        raise TeamsimError(f"{path} is a directory; give a file name")
    if not path.parent.is_dir():
        raise TeamsimError(f"{path}: there is no directory {path.parent}")


def frame_table(frame: pd.DataFrame, heads: list[str]) -> Table:
    """Return a data frame as a table of the terminal."""
    table = Table(box=None, pad_edge=False)
    for i, head in enumerate(heads):
        table.add_column(head, justify="left" if i == 0 else "right", no_wrap=True)
    for row in frame.itertuples(index=False):
        table.add_row(*(_cell(value) for value in row))
    return table


def number(value: float) -> str:
    """Return a number of a table, with four digits that count; nothing for one that is missing."""
    if math.isinf(value):
        return "not known"
    if abs(value) >= 1e7:
        return f"{value / 1e6:,.1f} M"
    return "" if math.isnan(value) else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return number(value)
    return f"{value:,}" if isinstance(value, int) else str(value)
