"""Shared by commands that read traces: progress while reading, and a line on what was read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from simulator.cli.harmless import complain, say_words
from simulator.cli.quiet import is_quiet
from simulator.cli.terminal import progress_bar

_SHOWN_PROBLEMS = 5


@contextmanager
def traces_of(
    paths: Sequence[Path | str],
    form: str,
    columns: dict[str, str],
    strict: bool,
    last: Callable[[str], None] = say_words,
    names_shown: bool = True,
) -> Iterator[Traces]:
    """Read traces for a command; say at its end what was read and what was left out.

    Parameters
    ----------
    paths, form, columns
        As `analysis.traces.reading.read_traces` takes them.
    strict : bool
        Whether it is an error if anything was left out.
    last : callable
        Prints the line on what was read: on standard output, unless that is for other output.
    names_shown : bool
        Whether places and notes, which have names of files, sessions and models, are printed.

    Raises
    ------
    TeamsimError
        If nothing can be read or, with `strict`, if anything was left out.
    """
    with progress_bar("bytes") as progress:
        traces = read_traces(paths, form, columns, progress)
    report = traces.report if names_shown else traces.report.without_places()
    if names_shown:
        _complain_of(traces)
    elif traces.notes or traces.skipped:
        complain("notes on the reading are not shown, as they have names")
    if strict:
        report.check_complete()
    try:
        yield traces
    except Exception:
        last(report.line())
        raise
    last(report.line())


def _complain_of(traces: Traces) -> None:
    for note in () if is_quiet() else traces.notes:
        complain(f"note: {note}")
    complain_of(traces.skipped, traces.report.errors.count)


def complain_of(skipped: Sequence[str], count: int | None = None) -> None:
    """Say which rows or values could not be used: of all the first, and how many there are."""
    count = len(skipped) if count is None else count
    if count:
        what = "row or value" if count == 1 else "rows or values"
        complain(f"{count:,} {what} could not be used:")
        for problem in skipped[:_SHOWN_PROBLEMS]:
            complain(f"  {problem}")
        if count > _SHOWN_PROBLEMS:
            complain(f"  ... and {count - _SHOWN_PROBLEMS} more")
