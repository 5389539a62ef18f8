"""How many tasks agents take on in a call, and how long they keep the habit.

An agent's habit is a hidden Markov chain: the number of tasks that it would take on in a call. The
habit stays from one working call to the next with probability `persistence`, and is otherwise drawn
anew. An agent's first call, before it has read anything, has a distribution of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.distributions import Floats

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Habits:
    """How many tasks agents take on.

    Attributes
    ----------
    sizes : ndarray of int, shape (K,)
        Numbers of tasks that a call takes on; the largest stands for all tasks.
    first : ndarray, shape (K,)
        Dirichlet parameters of their probabilities in an agent's first call: expected draws,
        prior included.
    later : ndarray, shape (K,)
        The same for a habit taken on later.
    persistence : (float, float)
        Beta parameters of the probability that the next working call keeps the habit.
    blind : (float, float)
        Beta parameters of the probability that a call overlooks dependencies.
    """

    sizes: Ints
    first: Floats
    later: Floats
    persistence: tuple[float, float]
    blind: tuple[float, float]

    def draw(self, rng: np.random.Generator) -> Habits:
        """Return habits drawn from the uncertainty."""

        def drawn(pair: tuple[float, float]) -> tuple[float, float]:
            p = float(rng.beta(*pair))
            return p, 1.0 - p

        return Habits(
            self.sizes,
            rng.dirichlet(self.first),
            rng.dirichlet(self.later),
            drawn(self.persistence),
            drawn(self.blind),
        )

    def weakened(self, strength: float) -> Habits:
        """Return these habits as a prior that counts as `strength` observations of each kind.

        How often calls are blind counts as no more than it does: calls are not seen to be blind.
        """

        def scaled(pair: tuple[float, float], strength: float) -> tuple[float, float]:
            share = strength / sum(pair)
            return pair[0] * share, pair[1] * share

        return Habits(
            self.sizes,
            strength * normal(self.first),
            strength * normal(self.later),
            scaled(self.persistence, strength),
            scaled(self.blind, min(strength, sum(self.blind))),
        )


def size_grid(most: int) -> Ints:
    """Return sizes from 1 to `most`, every one at first and then in steps of about a third."""
    sizes = [1]
    while sizes[-1] < most:
        sizes.append(min(most, max(sizes[-1] + 1, round(sizes[-1] * 4 / 3))))
    return np.asarray(sizes, dtype=np.int64)


def vague(most: int) -> Habits:
    """Return a very vague prior."""
    sizes = size_grid(most)
    little = np.full(len(sizes), 0.5 / len(sizes))
    return Habits(sizes, little, little, (0.5, 0.5), (0.5, 0.5))


def normal(counts: Floats) -> Floats:
    """Return counts as shares of their sum over the last axis."""
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True))
