"""Draws block by block: the blocks of all agents together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from simulator import special
from simulator.distributions import Distribution, Floats
from simulator.model.draws_ahead import MOST_TOGETHER, FirstDraws
from simulator.model.packed import Block, packed, packed_rows
from simulator.model.stream_blocks import BlockStream, sizes
from simulator.model.uniforms import Uniforms

_PHASE = 1000
"""Added to a purpose for the stream of its phases."""


class Bank:
    """Draws of one distribution for one purpose, of all entities that have it.

    The first blocks of those that are known when one of them first draws are made together, and
    so are further blocks of those that have the block before: one call of the distribution for a
    whole team instead of one an agent, which takes as long for few numbers as for many. First
    blocks are made for replications to come, too.

    Parameters
    ----------
    uniforms : Uniforms
    distribution : Distribution
        Without phases, and without components that have effects of their own.
    entity, purpose, replication : int
    first : FirstDraws
        Makes the first blocks.
    """

    __slots__ = (
        "_distribution",
        "_entity",
        "_errors",
        "_first",
        "_made",
        "_purpose",
        "_replication",
        "_rows",
        "_uniforms",
        "_waiting",
    )

    def __init__(
        self,
        uniforms: Uniforms,
        distribution: Distribution,
        entity: int,
        purpose: int,
        replication: int,
        first: FirstDraws,
    ) -> None:
        self._uniforms, self._distribution = uniforms, distribution
        self._entity, self._purpose, self._replication = entity, purpose, replication
        self._first = first
        self._made = first.take(replication)
        """First blocks that were made with an earlier replication, without factors."""
        self._waiting: dict[int, dict[int, float]] = {}
        """By positions: the entities whose next block begins there, and their factors."""
        self._rows: dict[int, dict[int, Block]] = {}
        """By positions: blocks of entities that have not asked for them yet."""
        self._errors: dict[tuple[int, int], Exception] = {}
        """By entities and positions: why draws before the block there cannot be made."""

    def expect(self, index: int, factor: float, start: int = 0) -> None:
        """Note that an entity will draw, and what its draws are multiplied by."""
        if start == 0 and index in self._made:
            return
        waiting = self._waiting.get(start)
        if waiting is None:
            waiting = self._waiting[start] = {}
        waiting[index] = factor

    def block(self, index: int, factor: float, start: int, size: int) -> Block:
        """Return `size` draws of one entity from position `start`, each multiplied by `factor`.

        Fewer where the next cannot be made: who asks for the next block has the error.
        """
        if self._errors and (index, start) in self._errors:
            raise self._errors.pop((index, start))
        if start == 0:
            made = self._made.pop(index, None)
            if made is None and self._is_waiting(index, 0):
                made = self._first_of_all(index, size)
            if made is not None:
                return made if factor == 1.0 else [each * factor for each in made]
        else:
            rows = self._rows.get(start)
            row = None if rows is None else rows.pop(index, None)
            if row is not None:
                return row
            if self._is_waiting(index, start) and self._waiting[start]:
                row = self._together(index, factor, start, size)
                if row is not None:
                    return row
        u = self._uniforms.block(self._entity, index, self._purpose, start, size)
        values, errors = up_to_error(self._distribution, u)
        if errors:
            self._errors[index, start + size] = errors.pop()
        return packed(values if factor == 1.0 else values * factor)

    def _is_waiting(self, index: int, start: int) -> bool:
        """Return whether an entity's next block begins there; it waits no longer."""
        waiting = self._waiting.get(start)
        return waiting is not None and waiting.pop(index, None) is not None

    def _first_of_all(self, index: int, size: int) -> list[float] | None:
        """Return the first block of an entity without its factor; make those of others, too.

        None where one of them cannot be made, by the error of a plugin: each is made alone then.
        """
        indices = self._take_waiting(index, 0, size)
        try:
            made = self._first.make(self._replication, indices, size)
        except Exception:
            return None
        self._made.update(made)
        return self._made.pop(index)

    def _together(self, index: int, factor: float, start: int, size: int) -> Block | None:
        """Return a block, and make those of others whose next block begins there, too.

        None where one of them cannot be made.
        """
        waiting = self._waiting[start]
        factors = [factor, *waiting.values()]
        indices = self._take_waiting(index, start, size)
        u = self._uniforms.rows(self._entity, indices, self._purpose, start, size)
        try:
            values = self._distribution.transform(u)
        except Exception:
            return None
        factors = factors[: len(indices)]
        if set(factors) != {1.0}:
            values = values * np.array(factors)[:, np.newaxis]
        rows = self._rows.setdefault(start, {})
        rows.update(zip(indices, packed_rows(values), strict=True))
        return rows.pop(index)

    def _take_waiting(self, index: int, start: int, size: int) -> list[int]:
        """Return an entity and others that wait with it, no longer: as many as are made at once."""
        waiting = self._waiting[start]
        indices = [index, *waiting][: max(1, MOST_TOGETHER // size)]
        for each in indices[1:]:
            del waiting[each]
        return indices


class OfBank(BlockStream):
    """The draws of one entity, each multiplied by `factor`.

    An entity that is `expected` has its blocks made with those of others.
    """

    __slots__ = ("_bank", "_factor", "_index", "_is_expected")

    def __init__(self, bank: Bank, index: int, factor: float, is_expected: bool) -> None:
        self._bank, self._index, self._factor = bank, index, factor
        self._is_expected = is_expected
        self._start = 0
        if is_expected:
            bank.expect(index, factor)

    def block(self, start: int, size: int) -> Block:
        """Return `size` draws from position `start`."""
        row = self._bank.block(self._index, self._factor, start, size)
        if self._is_expected:
            self._bank.expect(self._index, self._factor, start + size)
        return row


@dataclass(frozen=True, slots=True)
class Effects:
    """The standard normals behind the random effects on a stream: its run's and its agent's.

    `times` multiplies all draws.
    """

    of_run: float
    of_agent: float
    times: float


def up_to_error(distribution: Distribution, u: Floats) -> tuple[Floats, list[Exception]]:
    """Return draws, shape (n,), up to the first that cannot be made; why it cannot, if one cannot.

    The error of a plugin is of the draw that it comes with: a run that needs no more than the
    draws before it is as good as any. The list is to be emptied by who raises the error: what
    raises it and has it would not be freed.
    """
    try:
        return distribution.transform(u), []
    except Exception:
        values: Floats = np.empty(0)
    for place in range(len(u)):
        try:
            one = distribution.transform(u[place : place + 1])
        except Exception as error:
            return values, [error]
        values = np.append(values, one)
    return distribution.transform(u), []  # only several together cannot be made


def phased(
    uniforms: Uniforms,
    distribution: Distribution,
    address: tuple[int, int, int],
    factor: float,
) -> Iterator[Block]:
    """Yield draws with phases, each multiplied by `factor`, from the address of a stream."""
    entity, index, purpose = address
    phase = 0.0
    for start, size in sizes():
        u = uniforms.block(entity, index, purpose, start, size)
        phases = _phases(uniforms, distribution, address, start, size, phase)
        phase = float(phases[-1])
        with np.errstate(over="ignore", invalid="ignore"):
            plain, errors = up_to_error(distribution, u)
            # The name says what it is: mypy, and so the compiled build, would say it is a number.
            values: Floats = plain * factor
            values = values * np.exp(distribution.phase_sigma * phases[: len(plain)])
        yield packed(values)
        if errors:
            raise errors.pop()


def of_parts(
    uniforms: Uniforms,
    distribution: Distribution,
    address: tuple[int, int, int],
    effects: Effects,
) -> Iterator[Block]:
    """Yield draws from a mixture whose components have effects of their own."""
    entity, index, purpose = address
    phase = 0.0
    for start, size in sizes():
        u = uniforms.block(entity, index, purpose, start, size)
        sigmas = distribution.part_sigmas(u)
        assert sigmas is not None
        run, agent, phases = sigmas + np.reshape(distribution.sigmas, (3, 1))
        logs = run * effects.of_run + agent * effects.of_agent
        if distribution.has_phases:
            now = _phases(uniforms, distribution, address, start, size, phase)
            logs = logs + phases * now
            phase = float(now[-1])
        with np.errstate(over="ignore", invalid="ignore"):
            plain, errors = up_to_error(distribution, u)
            values = plain * np.exp(logs[: len(plain)]) * effects.times
        yield packed(values)
        if errors:
            raise errors.pop()


def _phases(
    uniforms: Uniforms,
    distribution: Distribution,
    address: tuple[int, int, int],
    start: int,
    size: int,
    before: float,
) -> Floats:
    """Return the next block of an AR(1) process of variance 1 that was at `before`."""
    entity, index, purpose = address
    u = uniforms.block(entity, index, purpose + _PHASE, start, size)
    rho = math.exp(-1.0 / distribution.phase_length)
    scale = math.sqrt(1.0 - rho * rho)
    values = np.empty(size)
    for i, shock in enumerate(special.ndtri(np.maximum(u, 2.0**-53))):
        before = float(shock) if not start and not i else rho * before + scale * shock
        values[i] = before
    return values
