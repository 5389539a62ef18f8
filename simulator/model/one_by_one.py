"""Numbers that are read one after the other: a function gives the next one at each call.

The compiled build has this in C: `.ci/compiling/one_by_one.pyx`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, repeat

from simulator.model.packed import Block

_chained = chain.from_iterable


def one_by_one(blocks: Iterator[Block]) -> Callable[[], float]:
    """Return what gives the numbers of blocks; quicker than a generator."""
    return _chained(blocks).__next__


def only(value: float) -> Callable[[], float]:
    """Return what always gives the same number."""
    return repeat(value).__next__  # no frame of Python, which a function would have
