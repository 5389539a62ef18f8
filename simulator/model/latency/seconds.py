"""Latency as a distribution in seconds, with an increment for the work in the call."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from simulator.distributions import Distribution, NonNegativeDistribution
from simulator.distributions.deterministic import constant
from simulator.model.latency._durations import ByWork, Drawn, Sampler
from simulator.model.latency._latency import DrawFrom, LatencyModel
from simulator.model.streams import Purpose
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

    def sampler(self, draw_from: DrawFrom) -> Sampler:
        """Return the function that draws one agent's call durations, in seconds."""
        base = draw_from(self.base, Purpose.LATENCY)
        residual = draw_from(self.residual, Purpose.LATENCY_RESIDUAL)
        idle = draw_from(self.idle, Purpose.LATENCY_IDLE) if self.idle is not None else None
        most_s = self.most_s or math.inf
        per_work, per_token = self.per_work_unit_s, self.per_1k_input_s / 1000.0

        is_plain = self.residual.constant == 1.0 and not (per_work or per_token or idle)
        if is_plain and most_s == math.inf:
            return Drawn(base)
        return ByWork(base, per_work, per_token, residual, most_s, idle)
