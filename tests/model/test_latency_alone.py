"""The laws of a call's duration, each term by itself, in two or three lines."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.distributions import Distribution
from simulator.model.latency.seconds import Seconds
from simulator.model.latency.tokens import TokenLatency
from simulator.model.streams import Draw


def fixed(distribution: Distribution, purpose: int) -> Draw:
    value = distribution.constant
    assert value is not None
    return lambda: value


@pytest.mark.parametrize(
    ("fields", "size", "expected"),
    [
        ({}, (3.0, 1000, 500, 200), 2.0),
        ({"per_work_unit_s": 4.0}, (3.0, 1000, 500, 200), 2.0 + 4.0 * 3),
        ({"per_1k_input_s": 8.0}, (3.0, 1000, 500, 200), 2.0 + 8.0 * 1.5),
        ({"per_1k_input_s": 8.0, "residual": 0.5}, (0.0, 250, 0, 0), (2.0 + 8.0 * 0.25) * 0.5),
        ({"per_1k_input_s": 8.0, "most_s": 9.0}, (0.0, 1000, 0, 0), 9.0),
        ({"per_1k_input_s": 8.0, "idle": 1.0}, (0.0, 1000, 0, 0), 1.0),
        ({"per_1k_input_s": 8.0, "idle": 1.0}, (1.0, 1000, 0, 0), 10.0),
    ],
)
def test_seconds_grow_with_work_and_with_what_is_read(
    fields: dict[str, Any], size: tuple[float, int, int, int], expected: float
) -> None:
    spec = Seconds.model_validate({"base": 2.0, **fields})
    assert spec.sampler(fixed)(*size) == expected


@pytest.mark.parametrize("lost", [0, 1000, 6000])
def test_what_is_lost_of_the_cache_takes_its_time_as_uncached_input(lost: int) -> None:
    rates = {"uncached_s_per_1k": 3.0, "cached_s_per_1k": 0.5, "output_s_per_1k": 10.0}
    seconds = (spec := TokenLatency.model_validate({"base_s": 1.0, **rates})).sampler(fixed)
    times = spec.without_cache(2000, 6000, 400, lost)
    planned_s, found_s = (seconds(1.0, 2000 + n, 6000 - n, 400) for n in (0, lost))
    assert times * planned_s == pytest.approx(found_s)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, 1.0 + 10.0 * 0.4),
        ({"uncached_s_per_1k": 3.0}, 1.0 + 10.0 * 0.4 + 3.0 * 2.0),
        ({"cached_s_per_1k": 0.5}, 1.0 + 10.0 * 0.4 + 0.5 * 6.0),
        ({"residual": 3.0}, 3.0 * (1.0 + 10.0 * 0.4)),
    ],
)
def test_tokens_take_their_time_by_kind(fields: dict[str, Any], expected: float) -> None:
    spec = TokenLatency.model_validate({"base_s": 1.0, "output_s_per_1k": 10.0, **fields})
    assert spec.sampler(fixed)(5.0, 2000, 6000, 400) == pytest.approx(expected, rel=1e-12)
