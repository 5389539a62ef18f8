"""Latency models that derive from those there are: what they say is what calls take."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulator.model.latency import DrawFrom, Durations, LatencyModel, Sampler, ServiceTimes
from simulator.model.latency.seconds import Seconds
from simulator.model.latency.tokens import TokenLatency


class Doubled(Durations):
    """Durations that are twice as long as others."""

    def __init__(self, single: Durations) -> None:
        self._single = single

    def seconds(self, work: float, uncached: int, cached: int, output: int) -> float:
        return 2.0 * self._single.seconds(work, uncached, cached, output)


class DoubledTimes(ServiceTimes):
    """Service times that are twice as long as others."""

    def __init__(self, single: ServiceTimes) -> None:
        self._single = single

    def durations(self, draw_from: DrawFrom) -> Durations:
        return Doubled(self._single.durations(draw_from))


class SampledSeconds(Seconds):
    def sampler(self, draw_from: DrawFrom) -> Sampler:
        single = super().sampler(draw_from)
        return lambda *call: 2.0 * single(*call)


class LastingSeconds(Seconds):
    def durations(self, draw_from: DrawFrom) -> Durations:
        return Doubled(super().durations(draw_from))


class ServedSeconds(Seconds):
    @property
    def service_times(self) -> ServiceTimes:
        return DoubledTimes(super().service_times)


class SampledTokens(TokenLatency):
    def sampler(self, draw_from: DrawFrom) -> Sampler:
        single = super().sampler(draw_from)
        return lambda *call: 2.0 * single(*call)


class LastingTokens(TokenLatency):
    def durations(self, draw_from: DrawFrom) -> Durations:
        return Doubled(super().durations(draw_from))


class Flat(LatencyModel):
    """Has a sampler, of which its durations make other ones."""

    kind: str = "flat"

    def sampler(self, draw_from: DrawFrom) -> Sampler:
        return lambda *call: 3.5

    def durations(self, draw_from: DrawFrom) -> Durations:
        return Doubled(super().durations(draw_from))


@pytest.mark.parametrize(
    "make",
    [
        lambda: SampledSeconds.model_validate({"base": 3, "per_work_unit_s": 0.5}),
        lambda: LastingSeconds.model_validate({"base": 3, "per_work_unit_s": 0.5}),
        lambda: ServedSeconds.model_validate({"base": 3, "per_work_unit_s": 0.5}),
        lambda: SampledTokens.model_validate({"base_s": 3, "output_s_per_1k": 0.5}),
        lambda: LastingTokens.model_validate({"base_s": 3, "output_s_per_1k": 0.5}),
        Flat,
    ],
)
def test_a_call_takes_what_the_class_that_derives_says(make: Callable[[], LatencyModel]) -> None:
    def draw_from(distribution: object, purpose: object) -> Callable[[], float]:
        return lambda: distribution.constant  # type: ignore[attr-defined, no-any-return]

    durations = make().service_times.durations(draw_from)
    assert durations.seconds(1.0, 0, 0, 1000) == 7.0
