"""First draws of replications that follow each other, made together.

A small team makes few calls, so that its first draws are most of those it makes: a distribution
takes as long for a dozen numbers as for several hundred. Numbers are the same, whoever makes them
and when.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from simulator.distributions import Distribution
from simulator.model.uniforms import Uniforms

MOST_TOGETHER = 8192
"""Draws that are made together, at most: 64 kB, which fit the cache."""

FIRST_AHEAD, MOST_AHEAD = 4, 16
"""Replications whose draws are made together, at first and at most: more save little."""

_MOST_LAWS = 1000
"""A plugin may make distributions anew for each replication: they are not kept for ever."""

_NOTHING: dict[int, list[float]] = {}


@lru_cache(maxsize=1024)
def key_of(seed: int, replication: int) -> list[int]:
    """Return the key of all streams, not to be changed: the next points have it, too."""
    seeds = np.random.SeedSequence(seed, spawn_key=(replication,))
    return [int(word) for word in seeds.generate_state(2, np.uint64)]


class FirstDraws:
    """The first draws from a distribution, for one purpose of all entities that have it.

    As many replications are made together as have followed each other before, and some with the
    first of a scenario, as who runs that mostly runs the next.

    Parameters
    ----------
    seed, replications : int
        Of the scenario: nothing is made ahead beyond its last replication, for who runs those only.
    distribution : Distribution
    entity, purpose : int
    """

    __slots__ = (
        "_count",
        "_entity",
        "_made",
        "_next",
        "_purpose",
        "_replications",
        "_seed",
        "distribution",
    )

    def __init__(
        self, seed: int, replications: int, distribution: Distribution, entity: int, purpose: int
    ) -> None:
        self._seed, self._replications = seed, replications
        self.distribution = distribution
        self._entity, self._purpose = entity, purpose
        self._made: dict[int, dict[int, list[float]]] = {}
        """By replications: the draws of each entity."""
        self._next = 0
        self._count = FIRST_AHEAD // 2  # twice as many are made with the next

    def take(self, replication: int) -> dict[int, list[float]]:
        """Return what has been made for a replication: the first block of each entity.

        It is a copy: whoever is stuck is run again, and so draws again.
        """
        return dict(self._made.get(replication, _NOTHING))

    def make(self, replication: int, indices: Sequence[int], size: int) -> dict[int, list[float]]:
        """Return `size` draws of each entity; make those of replications that follow, too.

        A distribution that raises an error, as a plugin's may, does so for this replication only.
        """
        self._count = min(2 * self._count, MOST_AHEAD) if replication == self._next else 1
        count = max(1, min(self._count, MOST_TOGETHER // (len(indices) * size)))
        if replication < self._replications:
            count = min(count, self._replications - replication)
        try:
            return self._make(replication, indices, size, count)
        except Exception:
            if count == 1:
                raise
        self._count = 1
        return self._make(replication, indices, size, 1)

    def _make(
        self, replication: int, indices: Sequence[int], size: int, count: int
    ) -> dict[int, list[float]]:
        """Make the draws of so many replications; return those of the first."""
        entities = len(indices)
        numbers = range(replication, replication + count)
        uniforms = [Uniforms(key_of(self._seed, each)) for each in numbers]
        parts = [each.rows(self._entity, indices, self._purpose, 0, size) for each in uniforms]
        u = parts[0] if count == 1 else np.concatenate(parts)
        rows: list[list[float]] = self.distribution.transform(u).tolist()
        made: dict[int, dict[int, list[float]]] = {}
        for place, each in enumerate(numbers):
            mine = rows[place * entities : (place + 1) * entities]
            made[each] = dict(zip(indices, mine, strict=True))
        self._made, self._next = made, replication + count
        return dict(made[replication])


class DrawsAhead:
    """The first draws of all laws of a scenario.

    Parameters
    ----------
    seed, replications : int
        Of the scenario: nothing is made ahead beyond its last replication, for who runs those only.
    """

    __slots__ = ("_laws", "_replications", "_seed")

    def __init__(self, seed: int, replications: int = 1) -> None:
        self._seed, self._replications = seed, replications
        self._laws: dict[tuple[int, int, int], FirstDraws] = {}

    def __len__(self) -> int:
        return len(self._laws)

    def of(self, distribution: Distribution, entity: int, purpose: int) -> FirstDraws:
        """Return the first draws from a distribution, for one purpose."""
        key = id(distribution), entity, purpose
        found = self._laws.get(key)
        # A copy has the keys of the original's distributions, whose places others may have taken.
        if found is None or found.distribution is not distribution:
            if len(self._laws) >= _MOST_LAWS:
                self._laws = {}
            found = self._laws[key] = FirstDraws(
                self._seed, self._replications, distribution, entity, purpose
            )
        return found
