"""How likely agents are to begin with one task a call, recovered from agents that are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from analysis.calibration.estimates import VectorFit
from analysis.calibration.hyperpriors import Prior
from analysis.calibration.styles import AT_TASKS, begins_with_one, fit_styles

PRIOR = Prior(np.asarray([-2.0, 1.0]), np.asarray([2.0, 1.0]))


def calls(agents: int, logit: float, growth: float, rng: np.random.Generator) -> pd.DataFrame:
    """Return the first calls of agents with 2 to 20 tasks."""
    tasks = rng.integers(2, 21, agents)
    takes_one = rng.random(agents) < expit(logit + growth * np.log(tasks / AT_TASKS))
    return pd.DataFrame(
        {"run_dir": np.arange(agents).astype(str), "agent": "a", "left": tasks, "ready": tasks,
         "attempts": np.where(takes_one, 1, tasks)}
    )  # fmt: skip


def test_the_first_call_with_a_choice_counts() -> None:
    table = pd.DataFrame(
        {
            "run_dir": ["r", "r", "r", "s", "t"],
            "agent": ["a", "a", "b", "a", "a"],
            "left": [9, 8, 7, 1, 5],
            "ready": [9, 8, 7, 1, 5],
            "attempts": [1, 8, 7, 1, 2],
        }
    )
    found = begins_with_one(table)
    assert found["tasks"].tolist() == [9, 7, 5]
    assert found["takes_one"].tolist() == [True, False, False]


def test_logit_and_growth_are_recovered() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(-0.5, 0.7, 6)
    fits = fit_styles([calls(800, logit, 1.2, rng) for logit in truth])
    for fit, logit in zip(fits, truth, strict=True):
        off = (fit.at - [logit, 1.2]) / np.sqrt(fit.covariance.diagonal())
        assert np.abs(off).max() < 4


@pytest.mark.thorough
def test_intervals_hold_the_truth() -> None:
    # Truths drawn from the prior, as simulation-based calibration does: 6 cells of 15 agents.
    rng = np.random.default_rng(2)
    ranks = []
    for _ in range(300):
        logit, growth = rng.normal(-2.0, 2.0), rng.normal(1.0, 1.0)
        cells = [calls(15, rng.normal(logit, 0.6), growth, rng) for _ in range(6)]
        fit = fit_styles(cells, PRIOR)[0]
        ranks.append((growth - fit.at[1]) / np.sqrt(fit.covariance[1, 1]))
    held = np.mean(np.abs(ranks) < 1.2816)  # 80 %
    assert abs(held - 0.8) < 3 * (0.8 * 0.2 / 300) ** 0.5


def test_agents_that_had_no_choice_leave_the_prior() -> None:
    nothing = calls(0, 0.0, 0.0, np.random.default_rng(3))
    (fit,) = fit_styles([nothing], PRIOR)
    assert isinstance(fit, VectorFit)
    assert fit.at == pytest.approx([-2.0, 1.0])
    assert np.sqrt(fit.covariance[1, 1]) == pytest.approx(1.0)
