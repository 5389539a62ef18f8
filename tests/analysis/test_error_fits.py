"""How often attempts fail, and how much this varies between runs, from calls with known errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from analysis.calibration.errors import call_correlation, error_share, independent, run_sigma


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


@pytest.mark.theory
def test_runs_that_do_not_differ_have_little_spread() -> None:
    found = []
    for draw in range(20):
        calls = working_calls(np.random.default_rng([3, draw]), 60, 0.2, 0.0, 1.0)
        found.append(run_sigma([independent(calls, 1.0)]).value)
    assert np.mean(found) < 0.4  # all attempts as independent ones: 1.5


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
