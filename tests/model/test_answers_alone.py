"""How hard tasks are for agents of one family, and of two, by themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from simulator.model.answers import Difficulty
from simulator.model.streams import Streams
from tests.model.parts import bag

TASKS = bag(4000)


def chances(similarity: float, p: float, rho: float) -> list[np.ndarray]:
    """Return the error probabilities of all tasks for two families, shape (2, tasks)."""
    difficulty = Difficulty(TASKS, similarity, Streams(8, 0))
    shifts = (difficulty.shifts(family, p, rho) for family in ("a", "b"))
    odds = (p / (1 - p) * np.exp(np.asarray(each)) for each in shifts)
    return [each / (1 + each) for each in odds]


@pytest.mark.theory
@pytest.mark.parametrize("similarity", [0.0, 0.2, 0.5, 0.8])
@pytest.mark.parametrize(("p", "rho"), [(0.5, 0.4), (0.2, 0.1)])
def test_difficulties_are_beta_and_correlated_as_families_are_alike(
    similarity: float, p: float, rho: float
) -> None:
    # Mean p and variance p (1 - p) rho; of normal scores with correlation r, that of the ranks
    # is 6 / pi asin(r / 2), with a standard error of at most 1 / sqrt(4000) (Kruskal 1958).
    both = chances(similarity, p, rho)
    beta = stats.beta(p * (1 / rho - 1), (1 - p) * (1 / rho - 1))
    assert beta.var() == pytest.approx(p * (1 - p) * rho)
    for each in both:
        assert stats.kstest(each, beta.cdf).pvalue > 1e-4
    ranks = stats.spearmanr(*both).statistic
    assert ranks == pytest.approx(6 / math.pi * math.asin(similarity / 2), abs=4 / math.sqrt(4000))
