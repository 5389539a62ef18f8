"""``--quiet``: only results and errors are printed."""

from __future__ import annotations

from typing import Annotated

import typer

from simulator.cli.harmless import say, say_words

_state = {"is_quiet": False}


def _be(value: bool) -> bool:
    _state["is_quiet"] = value
    return value


Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        callback=_be,
        help="Print only results and errors: no progress, no notes, no names of files written.",
    ),
]


def is_quiet() -> bool:
    """Return whether the user wants only results and errors."""
    return _state["is_quiet"]


def tell(text: object) -> None:
    """Print what is good to know, such as where a file is, unless the user wants only results.

    Sentences are filled; a path, and a command, which is indented, stays as it is.
    """
    if is_quiet():
        return
    if isinstance(text, str) and not text.startswith(" "):
        say_words(text)
    else:
        say(text)
