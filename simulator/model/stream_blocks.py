"""Streams that are made block by block.

The first 16 numbers of a stream are made alone, since many streams are read no further. Each block
after them is as long as all before it: no more are made than were read, and little is spent on
making them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from simulator.model.packed import Block

FIRST, MOST = 16, 256
"""Numbers in the first block of a stream, and in the largest: multiples of 4."""


def size_at(start: int) -> int:
    """Return the size of the block that begins at a position."""
    if start < FIRST:
        return FIRST
    return start if start < MOST else MOST


def sizes() -> Iterator[tuple[int, int]]:
    """Yield the positions and the sizes of a stream's blocks."""
    start = 0
    while True:
        size = size_at(start)
        yield start, size
        start += size


class BlockStream(ABC):
    """A stream, block by block; to end a generator takes as long as to make a block.

    Those that derive from it begin at 0: a call of a constructor here would make their own, of
    which a replication has dozens, take twice as long.
    """

    __slots__ = ("_start",)

    _start: int

    def __iter__(self) -> Iterator[Block]:
        return self

    def __next__(self) -> Block:
        start = self._start
        size = size_at(start)
        self._start = start + size
        return self.block(start, size)

    @abstractmethod
    def block(self, start: int, size: int) -> Block:
        """Return `size` numbers from position `start`."""
