"""Replications of a team at many values of two of its habits; those that come out alike run once.

Under common random numbers, a replication at another value of a probability goes exactly as before
unless one of the uniforms that it was compared with lies between the two values. So each
replication that has run stands for a box of values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from simulator.engine import Simulation
from simulator.scenario import Scenario


class Counts(NamedTuple):
    """What is counted in a replication."""

    calls: int
    idle_calls: int
    concurrent_writes: int
    attempts: int
    blocked_claims: int


class Threshold(float):
    """A probability that notes from comparisons (``u < p``) which other values would do as well.

    These are the values above `low`, up to `high`. At 0 and 1 a simulation may skip a comparison
    and its draw, so that these two stand for themselves only.

    Attributes
    ----------
    low, high : float
    """

    low: float
    high: float

    def __new__(cls, value: float) -> Threshold:
        """Return a probability that has not been compared yet."""
        new = super().__new__(cls, value)
        new.forget()
        return new

    def forget(self) -> None:
        """Forget all comparisons."""
        self.low = -1.0 if self == 0.0 else _BELOW_ONE if self == 1.0 else 0.0
        self.high = float(self) if self in (0.0, 1.0) else _BELOW_ONE

    def __gt__(self, other: float) -> bool:
        is_above = super().__gt__(other)
        if not is_above:
            self.high = min(self.high, other)
        elif other > self.low:
            self.low = other
        return is_above


_ABOVE_ZERO, _BELOW_ONE = math.nextafter(0.0, 1.0), math.nextafter(1.0, 0.0)


@dataclass(frozen=True, slots=True)
class _Box:
    """The values of both habits at which a replication comes out as it did."""

    deference: tuple[float, float]
    noise: tuple[float, float]
    counts: Counts

    def holds(self, deference: float, noise: float) -> bool:
        """Return whether values are in the box."""
        return (
            self.deference[0] < deference <= self.deference[1]
            and self.noise[0] < noise <= self.noise[1]
        )


class Replications:
    """The replications of a team that claims its tasks, at any deference and noise.

    Parameters
    ----------
    scenario : Scenario
        The protocol is ``self_claim``, its choice ``noisy``.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._known: list[list[_Box]] = [[] for _ in range(scenario.replications)]

    @property
    def made(self) -> int:
        """How many replications have run."""
        return sum(len(boxes) for boxes in self._known)

    def counts(self, deference: float, noise: float, first: int | None = None) -> list[Counts]:
        """Return the counts of each replication at these values, or of the first ones only."""
        # Nothing else is drawn from the stream that deference is compared with, so that it makes no
        # difference whether it is read: 0 and 1 are like the values next to them.
        deference = min(max(deference, _ABOVE_ZERO), _BELOW_ONE)
        thresholds = Threshold(deference), Threshold(noise)
        simulation = Simulation(_with_habits(self._scenario, *thresholds))
        found = []
        for number, boxes in enumerate(self._known[:first]):
            box = next((each for each in boxes if each.holds(deference, noise)), None)
            if box is None:
                box = _run(simulation, number, *thresholds)
                boxes.append(box)
            found.append(box.counts)
        return found


def _run(simulation: Simulation, number: int, deference: Threshold, noise: Threshold) -> _Box:
    for each in (deference, noise):
        each.forget()
    row = simulation.run(number)
    counts = Counts(
        row.calls, row.idle_calls, row.concurrent_writes, row.attempts, row.blocked_claims
    )
    return _Box((deference.low, deference.high), (noise.low, noise.high), counts)


def _with_habits(scenario: Scenario, deference: float, noise: float) -> Scenario:
    """Return a scenario with other values of the two habits, which need no other check."""
    team, coordination = scenario.team, scenario.coordination
    assert team.agent is not None
    behaviour = team.agent.behaviour.model_copy(update={"deference": deference})
    agent = team.agent.model_copy(update={"behaviour": behaviour})
    protocol = coordination.protocol.model_copy(update={"noise": noise})
    return scenario.model_copy(
        update={
            "team": team.model_copy(update={"agent": agent}),
            "coordination": coordination.model_copy(update={"protocol": protocol}),
        }
    )
