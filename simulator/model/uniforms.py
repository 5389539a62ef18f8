"""Uniform numbers by their address: any of them can be read in about a microsecond.

The address of a number is the counter of a Philox generator (Salmon et al. 2011, "Parallel random
numbers: as easy as 1, 2, 3"). The compiled build has this in C: `.ci/compiling/uniforms.pyx`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from threading import get_ident

import numpy as np

from simulator.distributions import Floats
from simulator.model.one_by_one import one_by_one
from simulator.model.packed import Block, packed
from simulator.model.stream_blocks import BlockStream

_UNUSED = np.random.SeedSequence(0)
"""Seed of generators whose state is set before they draw: without one, Philox asks the operating
system for entropy."""
_FRESH = np.random.Philox(_UNUSED).state


@lru_cache(maxsize=64)
def _generator(thread: int) -> np.random.Generator:
    """Return what makes all uniforms of a thread. It takes as long to make as ten blocks."""
    return np.random.Generator(np.random.Philox(_UNUSED))


class Uniforms:
    """All uniforms on [0, 1) of one replication, for one thread.

    Entity, index, purpose and position are the counter of a number.

    Parameters
    ----------
    key : list of int
        Two words of 64 bits, the key of the generator.
    """

    __slots__ = ("_bits", "_counter", "_random", "_state")

    def __init__(self, key: list[int]) -> None:
        generator = _generator(get_ident())  # its state is set anew for every block
        self._bits, self._random = generator.bit_generator, generator.random
        # Lists of Python's numbers: NumPy reads the state from them in less than half the time
        # that its own arrays take.
        self._counter = [0, 0, 0, 0]
        self._state = {
            **_FRESH,
            "buffer": [0, 0, 0, 0],
            "state": {"counter": self._counter, "key": key},
        }

    def block(self, entity: int, index: int, purpose: int, start: int, size: int) -> Floats:
        """Return `size` uniforms from position `start` (a multiple of 4)."""
        self._counter[:] = start // 4, purpose, index, entity
        self._bits.state = self._state
        return self._random(size)

    def numbers(self, entity: int, index: int, purpose: int, start: int, size: int) -> Block:
        """Return the same uniforms as Python's numbers."""
        return packed(self.block(entity, index, purpose, start, size))

    def stream(self, entity: int, index: int, purpose: int) -> Callable[[], float]:
        """Return what gives the uniforms from position 0 on."""
        return one_by_one(_Stream(self, entity, index, purpose))

    def rows(
        self, entity: int, indices: Sequence[int], purpose: int, start: int, size: int
    ) -> Floats:
        """Return uniforms of several streams, all from position `start`, shape (indices, size)."""
        found = np.empty((len(indices), size))
        counter, state, bits, random = self._counter, self._state, self._bits, self._random
        counter[:] = start // 4, purpose, 0, entity
        for index, row in zip(indices, found, strict=True):
            counter[2] = index
            bits.state = state
            random(out=row)
        return found


class _Stream(BlockStream):
    """The uniforms of one address."""

    __slots__ = ("_entity", "_index", "_purpose", "_uniforms")

    def __init__(self, uniforms: Uniforms, entity: int, index: int, purpose: int) -> None:
        self._uniforms = uniforms
        self._entity, self._index, self._purpose = entity, index, purpose
        self._start = 0

    def block(self, start: int, size: int) -> Block:
        """Return `size` numbers from position `start`."""
        return packed(self._uniforms.block(self._entity, self._index, self._purpose, start, size))
