"""Standard streams that were closed by whoever started the program."""

from __future__ import annotations

import os
import sys


def open_closed_streams() -> None:
    """Open to nowhere each standard stream that was closed, as by ``>&-``.

    Otherwise there is nothing to print to, and the next file that is opened has the number of the
    stream: what is printed by number, as when a signal ends the program, would go into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
