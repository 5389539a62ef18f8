"""Whether an attempt goes wrong: tasks are hard, contexts full, and agents of a family alike.

The error probability of a task is beta distributed over tasks. An agent's state (drift, its
context, the effects of the run and of the agent) shifts it on the logit scale.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

import numpy as np

from simulator import special
from simulator.distributions import Floats
from simulator.model.stream_numbers import number_of
from simulator.model.streams import Entity, Purpose, Streams
from simulator.model.tasks import TaskGraph

_TINY = 2.0**-53
CORRECT = 0


class Difficulty:
    """The draws that all agents share: how hard each task is, and common-mode errors.

    Parameters
    ----------
    graph : TaskGraph
        The tasks.
    family_similarity : float
        Correlation, on a normal scale, of a task's difficulty between two families.
    streams : Streams
    """

    __slots__ = ("_common", "_graph", "_shifts", "_similarity", "_streams")

    def __init__(self, graph: TaskGraph, family_similarity: float, streams: Streams) -> None:
        self._graph = graph
        self._similarity = family_similarity
        self._streams = streams
        self._shifts: dict[tuple[str, float, float], Sequence[float]] = {}
        self._common: dict[str, Sequence[float]] = {}

    def shifts(self, family: str, p: float, rho: float) -> Sequence[float] | None:
        """Return what each task adds to the logit of its error probability, shape (N,).

        `p` is its mean and `rho` the correlation of two attempts at it. None where all tasks are
        alike.
        """
        if rho == 0.0 or p in (0.0, 1.0):
            return self._graph.difficulties or None
        key = (family, p, rho)
        if key not in self._shifts:
            # Mean p and intra-class correlation rho: a + b = 1 / rho - 1 (Griffiths 1973).
            both = 1.0 / rho - 1.0
            drawn = special.betaincinv(p * both, (1.0 - p) * both, self._hardness(family))
            logit = special.logit
            logits = logit(np.clip(drawn, 1e-15, 1.0 - 1e-15)) - logit(p)
            if self._graph.difficulties:
                logits = logits + np.asarray(self._graph.difficulties)
            self._shifts[key] = array("d", logits.tobytes())
        return self._shifts[key]

    def _hardness(self, family: str) -> Floats:
        """Return each task's difficulty for a family, uniform on (0, 1), shape (N,)."""
        own = self._uniforms(Entity.FAMILY, number_of(family), Purpose.DIFFICULTY)
        if self._similarity == 0.0:
            return own
        shared = self._uniforms(Entity.RUN, 0, Purpose.DIFFICULTY)
        weight = self._similarity
        ndtri = special.ndtri
        mixed = np.sqrt(weight) * ndtri(shared) + np.sqrt(1.0 - weight) * ndtri(own)
        return np.asarray(special.ndtr(mixed), dtype=np.float64)

    def common_rolls(self, family: str) -> Sequence[float]:
        """Return the uniform by which a family's attempts at each task go wrong together."""
        if family not in self._common:
            rolls = self._uniforms(Entity.FAMILY, number_of(family), Purpose.COMMON_ERROR)
            self._common[family] = array("d", rolls.tobytes())
        return self._common[family]

    def _uniforms(self, entity: Entity, index: int, purpose: Purpose) -> Floats:
        return np.maximum(self._streams.block(entity, index, purpose, 0, len(self._graph)), _TINY)


def expit(logit: float) -> float:
    """Return the probability that has a logit, which may be infinite."""
    if logit >= 0.0:
        return 1.0 / (1.0 + math.exp(-logit))
    odds = math.exp(logit)
    return odds / (1.0 + odds)
