"""Shared by all commands: tables, progress bars, and checks of paths before the work."""

from __future__ import annotations

import math
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment
from rich.table import Table

from simulator.cli.folding import folded, shrunk
from simulator.cli.harmless import drop_output, harmless
from simulator.cli.quiet import is_quiet
from simulator.errors import TeamsimError
from simulator.experiment.table_files import check_directory_name, check_ending, check_one_of

if TYPE_CHECKING:
    import pandas as pd


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


_PIPED_WIDTH = 80
"""Columns of tables that go into a file or to another program."""


class _Console(Console):
    """A console that outlives its reader."""

    def on_broken_pipe(self) -> None:
        """Go on with the work, where Rich would end the program."""
        drop_output()


console = _Console(
    width=None if sys.stdout.isatty() else _PIPED_WIDTH, markup=False, highlight=False
)
console.push_render_hook(_Harmless())


@contextmanager
def progress_bar(unit: str) -> Iterator[Callable[[float, int], None]]:
    """Show, during the body, a bar with the time left on standard error, if that is a terminal."""
    errors = Console(stderr=True)
    if not errors.is_terminal or is_quiet():
        yield lambda done, total: None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from simulator.cli.ticker import Ticker

    columns = (
        TextColumn(unit),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, auto_refresh=False) as bar, Ticker(bar):
        task = bar.add_task(unit, total=None)

        def advance(done: float, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield advance


PICTURES = (".png", ".svg")
"""Endings of the two files of a picture."""


def make_directory(path: Path) -> None:
    """Make a directory for results, if it does not exist.

    Raises
    ------
    TeamsimError
        If it cannot be made, or has the name of a file.
    """
    check_directory_name(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TeamsimError(f"{path} cannot be made: {error.strerror}") from None


@contextmanager
def directory_for(path: Path | None) -> Iterator[None]:
    """Make a directory before the work of the body, and take it away if the body fails.

    So what cannot be written is said before the work, and what is refused leaves no directory. One
    stays that was there before, or in which something has been written.

    Parameters
    ----------
    path : Path or None
        Nothing is made for None.

    Raises
    ------
    TeamsimError
        As `make_directory`.
    """
    made = [] if path is None else [each for each in (path, *path.parents) if not each.exists()]
    if path is not None:
        make_directory(path)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # it is not empty
            for each in made:
                each.rmdir()
        raise


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


def check_table_writable(path: Path) -> None:
    """Check the same of a table, whose format is said by the ending of its name.

    Raises
    ------
    TeamsimError
        If the table cannot be written there, or the ending is that of no format.
    """
    check_writable(path)
    check_ending(path)


def check_page_writable(path: Path) -> None:
    """Check the same of a page, whose name ends as browsers want it.

    Raises
    ------
    TeamsimError
        If the page cannot be written there, or its name ends otherwise.
    """
    check_writable(path)
    check_one_of(path, "a page", (".html", ".htm"))


def check_parquet_writable(path: Path) -> None:
    """Check the same of a table that is written as Parquet only.

    Raises
    ------
    TeamsimError
        If the table cannot be written there, or its name ends otherwise.
    """
    check_writable(path)
    check_one_of(path, "this table", (".parquet",))


def print_frame(frame: pd.DataFrame, heads: Sequence[str]) -> None:
    """Print a data frame as a table."""
    print_rows(frame.itertuples(index=False), heads)


def print_rows(rows: Iterable[Iterable[object]], heads: Sequence[str]) -> None:
    """Print rows of values as a table."""
    print_table(heads, [[_cell(value) for value in row] for row in rows])


def print_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    names: int = 1,
) -> None:
    """Print a table; columns for which there is no room follow in further tables below it.

    Parameters
    ----------
    heads : sequence of str, shape (columns,)
        Long ones are wrapped at their spaces.
    rows : sequence of sequence of str, shape (rows, columns)
    names : int
        The first columns, which say what a row is, are on the left of each of the tables.
    """
    heads = [_wrapped_head(head) for head in heads]
    widths = column_widths(heads, rows)
    if sum(widths) + GAP * (len(widths) - 1) > console.width:
        room = int(_NAMES_SHARE * console.width) - GAP * (names - 1)
        narrow = shrunk(widths[:names], room)
        rows = [[*map(folded, row[:names], narrow), *row[names:]] for row in rows]
        widths = column_widths(heads, rows)
    for i, columns in enumerate(_blocks(widths, names, console.width)):
        table = Table(box=None, pad_edge=False)
        for column in columns:
            table.add_column(
                heads[column],
                justify="left" if column < names else "right",
                overflow="fold",
                min_width=min(widths[column], console.width),
            )
        for row in rows:
            table.add_row(*(row[column] for column in columns))
        if i:
            console.print()
        console.print(table)


_HEAD_WIDTH = 12
GAP = 2
"""Spaces between columns."""
_NAMES_SHARE = 0.5
"""Share of the width that the names of rows may take; longer ones are folded."""


def column_widths(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the width of each column: that of its widest line."""
    columns = zip(heads, *rows, strict=True)
    return [max(cell_len(line) for cell in cells for line in cell.split("\n"))
            for cells in columns]  # fmt: skip


def _wrapped_head(head: str) -> str:
    return "\n".join(textwrap.wrap(head, _HEAD_WIDTH, break_long_words=False)) or head


def _blocks(widths: Sequence[int], names: int, width: int) -> Iterator[list[int]]:
    """Yield the columns of each of the tables into which one has to be cut, names included."""
    left = list(range(names))
    taken = sum(widths[column] + GAP for column in left) - GAP
    block, used = left[:], taken
    for column in range(names, len(widths)):
        if used + GAP + widths[column] > width and len(block) > names:
            yield block
            block, used = left[:], taken
        block.append(column)
        used += GAP + widths[column]
    yield block


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
