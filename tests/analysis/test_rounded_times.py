"""Times of clocks that are coarse: what is fitted to them is as unsure as rounding makes it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.calibration.calls import fit_model
from analysis.calibration.held_out import best_marginal
from analysis.calibration.log_families import LOG_FAMILIES
from analysis.calibration.seen_times import Seen, resolution_s
from analysis.calibration.tool_times import ToolTimes, fit_tool_times
from simulator.distributions import Floats

TRUTHS = 100
LEAST = 0.95 - 4 * np.sqrt(0.95 * 0.05 / TRUTHS)
"""Of so many truths, 95 % intervals hold at least this share, four standard errors below."""


def fitted(seconds: Floats) -> ToolTimes:
    """Return the fit of a tool of which each session has three calls."""
    return fit_tool_times(seconds, np.arange(len(seconds)) // 3)


def median_of(times: ToolTimes) -> tuple[float, float]:
    """Return the logarithm of the median, and its standard error."""
    if "seconds" in (found := times.parameters()):
        return float(np.log(times.most)), found["seconds"].error / times.most

    def median(at: Floats) -> float:
        return float(np.log(LOG_FAMILIES[times.kind].quantile(at, np.asarray(0.5))))

    at = times.fit.at
    slope = np.asarray([(median(at + 1e-4 * e) - median(at)) / 1e-4 for e in np.eye(len(at))])
    return median(at), float(np.sqrt(slope @ times.fit.covariance @ slope))


def test_a_clock_shows_times_in_its_steps() -> None:
    assert resolution_s(np.array([2.0, 14.0, 0.0])) == 1.0
    assert resolution_s(np.array([2.0, 14.3])) == 0.1
    assert resolution_s(np.array([2.001, 14.3])) == 0.001
    assert resolution_s(np.array([2.001, np.pi])) == 0.0
    stamps = 1.7e9 + np.array([3.25, 5.25])  # seconds since 1970, as float64 holds them
    assert resolution_s(np.diff(stamps)) == 1.0


@pytest.mark.parametrize(("seconds", "error"), [(2.0, 0.289), (2.25, 0.00289), (0.3, 0.0289)])
def test_a_time_that_is_always_the_same_is_known_to_half_of_the_resolution(
    seconds: float, error: float
) -> None:
    """Anything within half of it was as likely: a standard deviation of it over the root of 12."""
    (found,) = fitted(np.full(50, seconds)).parameters().values()
    assert found.value == seconds
    assert found.error == pytest.approx(error, rel=0.01)


def test_a_time_that_is_as_good_as_the_same_has_errors_of_a_clock() -> None:
    """Two parameters of a law far steeper than a clock's step have no errors of their own.

    They were 1e-5 and less, or 565, by where the search had stopped.
    """
    rng = np.random.default_rng(1)
    for seconds in (2.0 + 1e-4 * rng.standard_normal(50), np.append(np.full(49, 2.0), 3.0)):
        middle, error = median_of(fitted(seconds))
        assert abs(middle - np.log(2.0)) < 2.0 * error
        assert 0.001 < error < 0.3


@pytest.mark.theory
@pytest.mark.slow
@pytest.mark.parametrize(("median", "sigma"), [(30.0, 0.3), (2.0, 0.3), (2.0, 0.1), (0.4, 0.5)])
def test_intervals_of_medians_of_whole_seconds_hold_the_truth(median: float, sigma: float) -> None:
    """Forty calls of a tool. Those of 0.4 s held 70 %, as half of them were taken for 0.05 s."""
    held = []
    for draw in range(TRUTHS):
        rng = np.random.default_rng([71, draw])
        truth = median * rng.uniform(0.7, 1.4)
        seconds = np.round(truth * np.exp(sigma * rng.standard_normal(40)))
        middle, error = median_of(fitted(seconds))
        held.append(abs(middle - np.log(truth)) < 1.96 * error)
    assert np.mean(held) > LEAST


def calls(rng: np.random.Generator, base_s: float, output_s: float, sigma: float) -> pd.DataFrame:
    """Return 120 calls of twelve sessions, their durations in whole seconds."""
    tokens = rng.integers(20, 800, 120).astype(float)
    seconds = (base_s + output_s * tokens / 1000.0) * np.exp(sigma * rng.logistic(size=120))
    return pd.DataFrame(
        {
            "session": np.repeat(np.arange(12), 10).astype(str),
            "model": "m",
            "duration_s": np.maximum(1.0, np.round(seconds)),
            "input": 2000.0,
            "cached": 0.0,
            "uncached": 2000.0,
            "output": tokens,
            "censored": False,
        }
    )


@pytest.mark.theory
@pytest.mark.thorough
def test_intervals_of_seconds_a_token_hold_the_truth_though_seconds_are_whole() -> None:
    held = []
    for draw in range(TRUTHS):
        rng = np.random.default_rng([72, draw])
        output_s, sigma = 8.0 * rng.uniform(0.7, 1.4), rng.uniform(0.01, 0.15)
        latency = fit_model(calls(rng, 3.0, output_s, sigma), "m").latency
        off = latency.at[3] - np.log(output_s)
        held.append(abs(off) < 1.96 * np.sqrt(latency.covariance[3, 3]))
    assert np.mean(held) > LEAST


def test_durations_that_are_all_equal_tell_neither_spread_nor_what_tokens_cost() -> None:
    """The error of the base was 1e-17, and calibrate ended with a traceback."""
    equal = calls(np.random.default_rng(3), 2.0, 0.0, 0.0)
    fit = fit_model(equal, "m")
    mean = np.exp(fit.latency.at[0]) + np.exp(fit.latency.at[3]) * equal["output"].mean() / 1000.0
    assert mean == pytest.approx(2.0, abs=0.5)
    errors = np.sqrt(np.diag(fit.latency.covariance))
    assert errors[0] > 0.5 / 2.0
    assert errors[4] > 1.0
    family, score = best_marginal(equal, equal)
    assert family == "deterministic"
    assert np.isnan(score)


def test_fine_times_are_seen_as_they_are() -> None:
    seconds = np.array([0.0123, 1.5071, 2.0713])
    seen = Seen.of(seconds)
    assert not seen.is_rounded
    assert np.exp(seen.at) == pytest.approx([0.05, 1.5071, 2.0713])
