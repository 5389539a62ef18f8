"""Breaks names into lines where readers break them: at spaces, else after a dot, a dash or so."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.cells import cell_len, chop_cells

_PIECE = re.compile(r".+?(?:\s+|[.=_\-/,:]+|$)", re.DOTALL)
_WORD = re.compile(r"\S+\s*")


def folded(text: str, width: int) -> str:
    """Return a text in lines of at most `width` columns; no word is cut that need not be.

    A word that is longer than a line is broken after one of ``. = _ - / , :``, and within a part
    only if that is longer than a line, too.
    """
    lines, line = list[str](), ""
    for piece in _pieces(text, width):
        if line and cell_len((line + piece).rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece
    return "\n".join([*lines, line.rstrip()])


def _pieces(text: str, width: int) -> list[str]:
    """Return the parts of a text between which it may be broken."""
    found = list[str]()
    for word in _WORD.findall(text):
        if cell_len(word.rstrip()) <= width:
            found.append(word)
            continue
        for piece in _PIECE.findall(word):
            found += chop_cells(piece, width) if cell_len(piece.rstrip()) > width else [piece]
    return found


def shrunk(widths: Sequence[int], room: int) -> list[int]:
    """Return widths whose sum is at most `room`; the widest ones give way."""
    left = list(widths)
    while sum(left) > max(room, len(left)):
        left[left.index(max(left))] -= 1
    return left
