"""Latency as a distribution in seconds, with an increment for the work in the call."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from simulator.distributions import Distribution, NonNegativeDistribution
from simulator.distributions.deterministic import constant
from simulator.model.latency._durations import BySeconds, DrawFrom, Sampler, ServiceTimes
from simulator.model.latency._latency import LatencyModel
from simulator.spec import NonNegative, Positive


class Seconds(LatencyModel):
    """``(base + per_work_unit_s * work + per_1k_input_s * input / 1000) * residual``."""

    kind: Literal["seconds"] = "seconds"
    base: NonNegativeDistribution = Field(default_factory=lambda: constant(0.0))
    """Seconds of any call."""
    per_work_unit_s: NonNegative = 0.0
    """Seconds for each work unit attempted."""
    per_1k_input_s: NonNegative = 0.0
    """Seconds for each 1,000 tokens read."""
    residual: NonNegativeDistribution = Field(default_factory=lambda: constant(1.0))
    """Multiplies the call; its run and agent effects make slow runs and slow agents."""
    most_s: Positive | None = None
    """Seconds after which a call's reply has reached its output limit and ends."""
    idle: NonNegativeDistribution | None = None
    """Seconds of a call that takes no task, where it differs."""

    @property
    def slowness(self) -> Distribution:
        """The residual."""
        return self.residual

    @property
    def service_times(self) -> ServiceTimes:
        """What agents have in common that have this latency."""
        return self._of_seconds() if self.lasts_as(Seconds) else super().service_times

    def sampler(self, draw_from: DrawFrom) -> Sampler:
        """Return the function that draws one agent's call durations, in seconds."""
        return self._of_seconds().durations(draw_from)

    def _of_seconds(self) -> BySeconds:
        per_token = self.per_1k_input_s / 1000.0
        most_s = self.most_s or math.inf
        return BySeconds(
            self.base, self.per_work_unit_s, per_token, self.residual, most_s, self.idle
        )
