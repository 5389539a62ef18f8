"""Latency from the tokens that a call reads and writes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simulator.distributions import Distribution, NonNegativeDistribution
from simulator.distributions.deterministic import constant
from simulator.model.latency._durations import ByTokenCounts, DrawFrom, Sampler, ServiceTimes
from simulator.model.latency._latency import LatencyModel
from simulator.spec import NonNegative


class TokenLatency(LatencyModel):
    """``(a + b_u * uncached + b_c * cached + c * output) * residual``, tokens in thousands.

    The time to the first token grows with what is read, most of it with what no prompt cache
    holds; the rest is decoding.
    """

    kind: Literal["tokens"] = "tokens"
    base_s: NonNegative
    """Seconds of any call (a)."""
    uncached_s_per_1k: NonNegative = 0.0
    """Seconds for each 1,000 input tokens not in the cache (b_u)."""
    cached_s_per_1k: NonNegative = 0.0
    """Seconds for each 1,000 input tokens in the cache (b_c)."""
    output_s_per_1k: NonNegative
    """Seconds for each 1,000 output tokens (c), 1000 / decode rate."""
    residual: NonNegativeDistribution = Field(default_factory=lambda: constant(1.0))
    """Multiplies the call; its run and agent effects make slow runs and slow agents."""

    @property
    def slowness(self) -> Distribution:
        """The residual."""
        return self.residual

    @property
    def service_times(self) -> ServiceTimes:
        """What agents have in common that have this latency."""
        return self._of_tokens() if self.lasts_as(TokenLatency) else super().service_times

    def sampler(self, draw_from: DrawFrom) -> Sampler:
        """Return the function that draws one agent's call durations, in seconds."""
        return self._of_tokens().durations(draw_from)

    def _of_tokens(self) -> ByTokenCounts:
        per_uncached, per_cached = self.uncached_s_per_1k / 1000.0, self.cached_s_per_1k / 1000.0
        per_output = self.output_s_per_1k / 1000.0
        return ByTokenCounts(self.base_s, per_uncached, per_cached, per_output, self.residual)

    def without_cache(self, uncached: int, cached: int, output: int, lost: int) -> float:
        """Return how many times as long a call takes if so much of its cached input is `lost`."""
        rest_s = (
            self.base_s + (self.uncached_s_per_1k * uncached + self.output_s_per_1k * output) / 1000
        )
        planned_s = rest_s + self.cached_s_per_1k * cached / 1000
        anew_s = (
            rest_s + (self.uncached_s_per_1k * lost + self.cached_s_per_1k * (cached - lost)) / 1000
        )
        # What was to take no time has no residual to go by.
        return anew_s / planned_s if planned_s > 0.0 else 1.0
