"""Uniform numbers by their address: any of them can be read in about a microsecond.

The first 16 of a stream are made alone, since many streams are read no further; those after them in
blocks that grow, so that no more are made than were read, and little is spent on making them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from simulator.distributions import Floats

Block = Sequence[float]
"""Draws that follow each other."""

FIRST, NEXT, MOST = 16, 64, 256
"""Draws in the first block of a stream, in the next, and in the largest: multiples of 4."""

_UNUSED = np.random.SeedSequence(0)
"""Seed of generators whose state is set before they draw: without one, Philox asks the operating
system for entropy."""
_FRESH = np.random.Philox(_UNUSED).state


def fresh_generator() -> np.random.Generator:
    """Return a generator for `Uniforms`, which takes as long to make as ten blocks."""
    return np.random.Generator(np.random.Philox(_UNUSED))


@lru_cache(maxsize=1024)
def _key(seed: int, replication: int) -> list[int]:
    """Return the key of a Philox generator, not to be changed: the next points have it, too."""
    seeds = np.random.SeedSequence(seed, spawn_key=(replication,))
    return [int(word) for word in seeds.generate_state(2, np.uint64)]


class Uniforms:
    """All uniforms on [0, 1) of one replication.

    The seed and the replication are the key of a Philox generator; entity, index, purpose and
    position are its counter.

    Parameters
    ----------
    seed, replication : int
        At least 0.
    generator : Generator, optional
        Of `fresh_generator`, to be used again: its state is set anew for every block. Those who
        share it belong to one thread. A new one when absent.
    """

    __slots__ = ("_bits", "_counter", "_random", "_state")

    def __init__(
        self, seed: int, replication: int, generator: np.random.Generator | None = None
    ) -> None:
        generator = generator or fresh_generator()
        self._bits, self._random = generator.bit_generator, generator.random
        # Lists of Python's numbers: NumPy reads the state from them in less than half the time
        # that its own arrays take.
        self._counter = [0, 0, 0, 0]
        self._state = {
            **_FRESH,
            "buffer": [0, 0, 0, 0],
            "state": {"counter": self._counter, "key": _key(seed, replication)},
        }

    def block(self, entity: int, index: int, purpose: int, start: int, size: int) -> Floats:
        """Return `size` uniforms from position `start` (a multiple of 4)."""
        self._counter[:] = start // 4, purpose, index, entity
        self._bits.state = self._state
        return self._random(size)

    def rows(self, entity: int, indices: Sequence[int], purpose: int) -> Floats:
        """Return the first uniforms of several, shape (indices, FIRST)."""
        found = np.empty((len(indices), FIRST))
        counter, state, bits, random = self._counter, self._state, self._bits, self._random
        counter[:] = 0, purpose, 0, entity
        for index, row in zip(indices, found, strict=True):
            counter[2] = index
            bits.state = state
            random(out=row)
        return found

    def blocks(self, entity: int, index: int, purpose: int) -> Iterator[Block]:
        """Yield a stream of uniforms, block by block."""
        yield self.block(entity, index, purpose, 0, FIRST).tolist()
        for start, size in later():
            yield packed(self.block(entity, index, purpose, start, size))


def later() -> Iterator[tuple[int, int]]:
    """Yield the positions and the sizes of a stream's blocks after the first."""
    start, size = FIRST, NEXT
    while True:
        yield start, size
        start, size = start + size, min(2 * size, MOST)


def packed(values: Floats) -> array[float]:
    """Return the same numbers in a quarter of a list's memory."""
    return array("d", values.tobytes())
