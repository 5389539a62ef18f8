"""What every latency model does: make the sampler of one agent."""

from __future__ import annotations

from abc import abstractmethod

from simulator.distributions import Distribution
from simulator.model.latency._durations import (
    DrawFrom,
    Durations,
    Sampled,
    Sampler,
    ServiceTimes,
)
from simulator.scenario.families import LatencySpec


class LatencyModel(LatencySpec):
    """Draws the duration of a call, given its size."""

    @property
    def slowness(self) -> Distribution | None:
        """What makes slow runs and slow agents by its random effects, if there is such.

        It is drawn for `Purpose.LATENCY_RESIDUAL`.
        """
        return None

    @abstractmethod
    def sampler(self, draw_from: DrawFrom) -> Sampler:
        """Return the function that draws one agent's call durations, in seconds.

        A call that takes no task has 0 work units.
        """

    @property
    def service_times(self) -> ServiceTimes:
        """What agents have in common that have this latency."""
        return Sampled(self.kind, self.durations)

    def durations(self, draw_from: DrawFrom) -> Durations:
        """Return one agent's call durations: what `sampler` gives, as the model calls it."""
        return Sampled(self.kind, self.sampler).durations(draw_from)

    def lasts_as(self, known: type[LatencyModel]) -> bool:
        """Tell whether a class that may derive from a known one has its durations."""
        own = type(self)
        return own.sampler is known.sampler and own.durations is known.durations

    def without_cache(self, uncached: int, cached: int, output: int, lost: int) -> float:
        """Return how many times as long a call takes if so much of its cached input is `lost`."""
        return 1.0
