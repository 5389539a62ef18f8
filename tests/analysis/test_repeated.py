"""Shares of tasks that are right in all of k attempts, or in one of them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from analysis.statistics.repeated import always_right, ever_right


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_they_are_those_of_every_choice_of_k_attempts(k: int) -> None:
    outcomes = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]])
    chosen = [outcomes[:, list(some)] for some in combinations(range(5), k)]
    right = outcomes.sum(axis=1)
    everywhere = np.mean([each.all(axis=1) for each in chosen], axis=0)
    somewhere = np.mean([each.any(axis=1) for each in chosen], axis=0)
    assert always_right(right, 5, k).estimate == pytest.approx(everywhere.mean())
    assert ever_right(right, 5, k).estimate == pytest.approx(somewhere.mean())


def test_their_intervals_hold_the_expectation() -> None:
    # 300 sets of 80 tasks of Beta(1, 1) difficulty: E[p^2] = 1/3, E[1 - (1 - p)^2] = 2/3. Coverage
    # of 95 % is within 0.95 +- 0.045 with probability above 0.999.
    rng = np.random.default_rng(4)
    held = np.zeros(2)
    for _ in range(300):
        right = rng.binomial(6, rng.uniform(size=80))
        always, ever = always_right(right, 6, 2), ever_right(right, 6, 2)
        held += [always.low <= 1 / 3 <= always.high, ever.low <= 2 / 3 <= ever.high]
    assert np.all(np.abs(held / 300 - 0.95) < 0.045)


def test_easy_tasks_that_were_all_right_may_yet_be_wrong() -> None:
    # Of three attempts at each of 20 tasks of Beta(8, 2) difficulty, one is right at almost all:
    # a t interval has no width then, and holds the expectation in 32 % of sets.
    rng = np.random.default_rng(5)
    truth = 1.0 - (2 * 3 * 4) / (10 * 11 * 12)
    found = [ever_right(rng.binomial(3, rng.beta(8, 2, 20)), 3, 3) for _ in range(200)]
    assert np.mean([each.low <= truth <= each.high for each in found]) > 0.9


@pytest.mark.parametrize(
    ("right", "attempts", "k"), [([1], 3, 4), ([1], 3, 0), ([4], 3, 2), ([-1], 3, 2)]
)
def test_what_cannot_be_is_refused(right: list[int], attempts: int, k: int) -> None:
    with pytest.raises(ValueError, match=r"between 1 and|was right"):
        always_right(right, attempts, k)
