"""Shared by all commands: tables, progress bars, and checks of paths before the work."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Table

from simulator.cli.harmless import harmless
from simulator.cli.quiet import is_quiet
from simulator.errors import TeamsimError


class _Harmless(RenderHook):
    """Makes the text of a console harmless before it is printed."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_HarmlessRenderable(each) for each in renderables]


class _HarmlessRenderable:
    def __init__(self, content: ConsoleRenderable) -> None:
        self._content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for text, style, control in console.render(self._content, options):
            yield Segment(text if control else harmless(text), style, control)


console = Console(width=None if sys.stdout.isatty() else 120, markup=False, highlight=False)
console.push_render_hook(_Harmless())


@contextmanager
def progress_bar(unit: str) -> Iterator[Callable[[float, int], None]]:
    """Show, during the body, a bar with the time left on standard error, if that is a terminal."""
    columns = (
        TextColumn(unit),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    errors = Console(stderr=True)
    with Progress(*columns, console=errors, disable=not errors.is_terminal or is_quiet()) as bar:
        task = bar.add_task(unit, total=None)

        def advance(done: float, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield advance


def make_directory(path: Path) -> None:
    """Make a directory for results, if it does not exist.

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
    """Check, before the work is done, that a file can be written at a path.

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
    """Return a number of a table with four significant digits; nothing if it is missing."""
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
