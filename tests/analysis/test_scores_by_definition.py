"""Scores of predictions by their definitions: floors without bias, uniform PIT values."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from analysis.validation.scores import brier_again, brier_floor, pit


@pytest.mark.parametrize("runs", [2, 3, 4, 7])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_the_floor_of_shares_is_on_average_the_score_of_the_true_probability(
    runs: int, p: float
) -> None:
    # Over all outcomes of so many runs. What the others say has the variance of their share, too.
    floor = again = 0.0
    for outcomes in itertools.product([0.0, 1.0], repeat=runs):
        chance = np.prod([p if outcome else 1 - p for outcome in outcomes])
        floor += chance * brier_floor(np.array(outcomes))
        again += chance * brier_again(np.array(outcomes))
    assert floor == pytest.approx(p * (1 - p))
    assert again == pytest.approx(p * (1 - p) * (1 + 1 / (runs - 1)))


@pytest.mark.parametrize("members", [1, 2, 9])
def test_a_truth_has_its_rank_among_the_members_and_itself(members: int) -> None:
    rng = np.random.default_rng(1)
    truths = np.arange(members + 1) - 0.5  # below all, ..., above all
    found = (members + 1) * pit(np.arange(float(members)), truths, rng)
    assert np.floor(found).tolist() == list(range(members + 1))


@pytest.mark.parametrize("members", [1, 4])
def test_a_truth_that_all_members_tie_with_has_any_rank(members: int) -> None:
    found = pit(np.ones(members), np.ones(2000), np.random.default_rng(2))
    assert stats.kstest(found, "uniform").pvalue > 1e-4
