"""How often attempts fail, and how much this varies between runs, from calls with known errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.special import expit, logit, logsumexp
from scipy.stats import norm

from analysis.calibration.errors import call_correlation, error_share, independent, run_sigma
from analysis.calibration.latency import between_runs
from analysis.calibration.shares import Share


def working_calls(
    rng: np.random.Generator, runs: int, p: float, sigma: float, correlation: float
) -> pd.DataFrame:
    """Return the calls of runs that end with 20 successes, as many tasks a call as they like."""
    rows = []
    for run in range(runs):
        own = expit(logit(p) + sigma * rng.standard_normal())
        left = 20
        while left:
            tried = min(left, int(rng.choice([1, 1, 2, 5, 10, 20])))
            common = rng.random() < own
            shares = rng.random(tried) < correlation
            failed = int(np.where(shares, common, rng.random(tried) < own).sum())
            rows.append((f"{run}", tried, tried - failed))
            left -= tried - failed
    return pd.DataFrame(rows, columns=["run_dir", "tried", "completed"])


@pytest.mark.slow
@pytest.mark.theory
@pytest.mark.parametrize("correlation", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("sigma", [0.5, 1.0])
def test_the_spread_between_runs_is_not_that_of_calls(sigma: float, correlation: float) -> None:
    """Attempts that fail together say no more of a run than one would.

    Over 25 logs of 60 runs, the mean is within four of its standard errors and a fifth of the
    truth: the likeliest spread is too small by about that in so few runs.
    """
    found = []
    for draw in range(25):
        rng = np.random.default_rng([int(10 * sigma), int(10 * correlation), draw])
        calls = working_calls(rng, 60, 0.2, sigma, correlation)
        known = call_correlation([calls]).value
        found.append(run_sigma([independent(calls, known)]).value)
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - sigma) < 4 * error + 0.2 * sigma


@pytest.mark.parametrize(
    "tries", [3, 5000, *(pytest.param(n, marks=pytest.mark.thorough) for n in (20, 200))]
)
@pytest.mark.parametrize(("runs", "sigma"), [(25, 0.5), (26, 1.0), (120, 1.8)])
def test_the_spread_between_runs_is_the_likeliest_however_often_they_try(
    runs: int, sigma: float, tries: int
) -> None:
    """By sums over 40,001 logits, and their curvature in the logarithm of the spread."""
    rng = np.random.default_rng([runs, tries])
    trials = np.full(runs, float(tries))
    hits = rng.binomial(tries, expit(logit(0.4) + sigma * rng.normal(size=runs))).astype(float)
    share = Share(hits, trials)
    found = run_sigma([share])
    z = np.linspace(-10.0, 10.0, 40_001)
    table, counts = np.unique(hits, return_counts=True)

    def likelihood(spread: float) -> float:
        centre = brentq(lambda at: norm.pdf(z) @ expit(at + spread * z) * 5e-4 - share.mean, -9, 9)
        logits = centre + spread * z
        logs = table[:, None] * logits - tries * np.logaddexp(0.0, logits) + norm.logpdf(z)
        return float(counts @ logsumexp(logs, axis=1))

    step = 0.02
    around = [likelihood(found.value * np.exp(move * step)) for move in (-1, 0, 1)]
    slope, bend = (around[2] - around[0]) / 2 / step, np.diff(around, 2)[0] / step**2
    assert abs(slope / bend) < 0.01  # the likeliest is so near
    assert found.error == pytest.approx(min(1.0 / np.sqrt(-bend), 1.0 / found.value), rel=0.05)
    if tries == 5000:  # as if each run's own logit were seen
        own = np.clip(hits, 0.5, tries - 0.5) / tries
        assert found.value == pytest.approx(logit(own).std(), rel=0.1)
        assert found.error == pytest.approx(1.0 / np.sqrt(2.0 * runs), rel=0.1)


@pytest.mark.theory
def test_runs_that_do_not_differ_have_little_spread() -> None:
    found = []
    for draw in range(20):
        calls = working_calls(np.random.default_rng([3, draw]), 60, 0.2, 0.0, 1.0)
        found.append(run_sigma([independent(calls, 1.0)]).value)
    assert np.mean(found) < 0.4  # all attempts as independent ones: 1.5


@pytest.mark.slow
@pytest.mark.theory
def test_runs_count_alike_however_often_they_try() -> None:
    # A run with probability p of failing needs 20 / (1 - p) attempts for 20 successes.
    rng = np.random.default_rng(5)
    calls = working_calls(rng, 4000, 0.3, 1.5, 0.0)
    mean = expit(logit(0.3) + 1.5 * rng.standard_normal(1_000_000)).mean()
    share = error_share(calls)
    spread = np.std(share.hits / share.trials) / np.sqrt(len(share.hits))
    assert abs(share.mean - mean) < 4 * spread
    of_attempts = 1.0 - calls["completed"].sum() / calls["tried"].sum()
    assert of_attempts - mean > 0.1


@pytest.mark.parametrize(
    "shares",
    [
        [Share(np.array([1.0, 0.0, 2.0, 1.0]), np.full(4, 10.0))],  # four runs
        [Share(np.zeros(30), np.full(30, 10.0))],  # nothing fails
        [],
    ],
)
def test_a_spread_that_runs_do_not_tell_has_no_error_of_0(shares: list[Share]) -> None:
    found = run_sigma(shares)
    assert found.value == 0.0
    assert np.isnan(found.error)
    assert np.isnan(found.shown_error)
    assert found.draw(np.random.default_rng(1)).value == 0.0


def test_a_correlation_that_calls_do_not_tell_has_no_error_of_0() -> None:
    alone = pd.DataFrame({"run_dir": ["a", "b"], "tried": 1, "completed": [0, 1]})
    fine = pd.DataFrame({"run_dir": ["a", "b"], "tried": 3, "completed": 3})
    for calls in (alone, fine):
        found = call_correlation([calls])
        assert found.value == 0.0
        assert np.isnan(found.error)


def test_two_runs_do_not_tell_how_far_runs_differ() -> None:
    logs, runs = np.log([1.0, 2.0, 3.0, 1.5]), pd.Series(["a", "a", "b", "b"])
    assert np.isnan(between_runs(logs, runs).error)
