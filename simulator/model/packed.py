"""Blocks of numbers as Python reads them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from simulator.distributions import Floats

Block = Sequence[float]
"""Numbers that follow each other."""

_FEW = 16
"""Up to so many numbers are a list, which is read sooner than an array and takes more memory."""


def packed(values: Floats) -> Block:
    """Return the same numbers as Python's, in a quarter of a list's memory where there are many."""
    return values.tolist() if len(values) <= _FEW else array("d", values.tobytes())


def packed_rows(values: Floats) -> Sequence[Block]:
    """Return the same of each row, shape (rows, size)."""
    if values.shape[1] <= _FEW:
        few: list[list[float]] = values.tolist()
        return few
    return [array("d", row.tobytes()) for row in values]
