"""Variances of what the profile supplies that stands in for calls that are not known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis.calibration.gaps import Reference

MEDIAN, SIGMA = 300.0, 0.5
"""Output tokens, a lognormal."""


def profile(base_s: float, output_s_per_1k: float, **shared: float) -> Reference:
    """Return a profile whose calls take so long; `shared` are spreads of what sessions share."""
    output: dict[str, Any] = {"kind": "lognormal", "median": MEDIAN, "sigma": SIGMA}
    latency: dict[str, Any] = {
        "base_s": base_s,
        "uncached_s_per_1k": 7.0,
        "cached_s_per_1k": 7.0,
        "output_s_per_1k": output_s_per_1k,
        "residual": {"shape": 5.0, "agent_sigma": shared.get("speed", 0.0)},
    }
    output["agent_sigma"] = shared.get("outputs", 0.0)
    return Reference("m", True, {"tokens": {"output": output}, "latency": latency})


@pytest.mark.theory
@pytest.mark.parametrize(("speed", "outputs"), [(0.0, 0.2), (0.3, 0.0), (0.3, 0.2)])
@pytest.mark.parametrize("base_s", [0.0, 1.0, 3.0, 1e6])
def test_sessions_differ_by_their_speed_and_by_the_share_of_time_that_they_write(
    base_s: float, speed: float, outputs: float
) -> None:
    """By the delta method; the slope of a lognormal's is the mean share (Stein 1981)."""
    rate = 0.01
    tokens = MEDIAN * np.exp(SIGMA * stats.norm.ppf((np.arange(4000) + 0.5) / 4000))
    share = float(np.mean(rate * tokens / (base_s + rate * tokens)))
    found = profile(base_s, 1000.0 * rate, speed=speed, outputs=outputs)
    _, between = found.duration_variances
    assert between == pytest.approx(speed**2 + (share * outputs) ** 2, rel=0.01)


@pytest.mark.theory
@pytest.mark.parametrize("base_s", [0.0, 3.0])
def test_calls_of_a_session_differ_by_what_they_write_and_by_their_residual(base_s: float) -> None:
    """The residual is log-logistic: its logarithm has the variance of a logistic law."""
    residual = stats.logistic.var(scale=1.0 / 5.0)
    tokens = MEDIAN * np.exp(SIGMA * stats.norm.ppf((np.arange(4000) + 0.5) / 4000))
    written = float(np.log(base_s + 0.01 * tokens).var())
    within, _ = profile(base_s, 10.0, speed=0.3, outputs=0.2).duration_variances
    assert within == pytest.approx(written + residual, rel=0.01)
