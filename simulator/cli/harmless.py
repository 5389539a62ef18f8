"""Makes text harmless to print: nothing in files, names or arguments can control a terminal."""

from __future__ import annotations

import os
import sys
import textwrap
import unicodedata

WIDTH = 80
"""Columns of tables and sentences."""

_LONGEST = 1_000
"""Most characters of a line."""
_NARROWEST = 40
"""Columns below which lines are not filled."""

_MOST_LINES = 40
"""Most lines of an error."""


def harmless(text: object, longest: int = _LONGEST) -> str:
    r"""Return text without characters that control a terminal, with long lines shortened.

    Control characters, direction marks, other invisible characters and halves of surrogate pairs
    are written as escapes, such as ``\x1b``.
    """
    return "\n".join(_line(line, longest) for line in str(text).split("\n"))


def _line(line: str, longest: int) -> str:
    if len(line) <= longest and len(text := _escaped(line)) <= longest:
        return text
    begins, ends = longest * 3 // 5, longest // 5
    return (
        f"{_escaped(line[:begins])[:begins]} ... ({len(line):,} characters) ... "
        f"{_escaped(line[-ends:])[-ends:]}"
    )


def _escaped(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(each if _is_harmless(each) else _escape(each) for each in text)


def _is_harmless(character: str) -> bool:
    # Unicode categories Cc, Cf, Cs, Co, Cn and line separators; other spaces do no harm.
    return character.isprintable() or unicodedata.category(character) == "Zs" or character == "\t"


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def say(text: object) -> None:
    """Print a text on standard output."""
    print_whole(harmless(text))


def print_whole(text: str) -> None:
    """Print a text on standard output as it is.

    Where nobody reads any more, as after ``| head``, nothing is printed, and the work goes on.
    """
    try:
        print(text)
    except BrokenPipeError:
        drop_output()


def flush_output() -> None:
    """Hand on what was printed: Python itself would complain of a reader who is gone."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()


def drop_output() -> None:
    """Send all further output to nowhere: its reader is gone, but files are still to be written."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def say_words(text: object) -> None:
    """Print sentences on standard output, in lines of 80 columns; a path or a word stays whole."""
    for line in str(text).split("\n"):
        for part in textwrap.wrap(line, WIDTH, break_long_words=False, break_on_hyphens=False):
            say(part)


def complain(text: object) -> None:
    """Print an error or a note on standard error, cut when it is very long.

    On a terminal lines are filled up to its width, between words. Elsewhere each stays a line, for
    other programs to search.
    """
    lines = harmless(text).split("\n")
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"... and {len(lines) - _MOST_LINES:,} more lines"]
    if sys.stderr.isatty():
        width = max(_width_of_errors(), _NARROWEST)
        lines = [part for line in lines for part in _filled(line, width)]
    print("\n".join(lines), file=sys.stderr)


def _width_of_errors() -> int:
    """Return the columns of the terminal that errors go to, or what ``COLUMNS`` says."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said) > 0:
        return int(said)
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or WIDTH
    except (OSError, ValueError):
        return WIDTH


def _filled(line: str, width: int) -> list[str]:
    """Return a line as lines of a width, the later ones indented; words and paths stay whole."""
    begins = line[: len(line) - len(line.lstrip())]
    filled = textwrap.wrap(
        line,
        width,
        subsequent_indent=f"{begins}  ",
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
    return filled or [line]
