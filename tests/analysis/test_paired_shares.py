"""Differences of shares of pairs that seldom differ, as with common random numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.intervals import (
    difference_of_shares_interval,
    ratio_of_means_interval,
)

STUDIES = 1000

Cells = tuple[float, float, float]
"""Probabilities of a pair: only the first is 1, only the second, both."""


def holds(times: int) -> bool:
    """Return whether a coverage of 93.5 % is not refuted at 99 %.

    One of 90 % is refuted with probability 0.91.
    """
    return bool(stats.binom.cdf(times, STUDIES, 0.935) >= 0.01)


def outcomes(rng: np.random.Generator, count: int, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    first, second, both = cells
    u = rng.random(count)
    return u < both + first, (u < both) | ((u >= both + first) & (u < both + first + second))


@pytest.mark.parametrize("count", [5, 10, 30, 100])
@pytest.mark.parametrize(
    "cells",
    [
        (0.02, 0.0, 0.5),
        (0.05, 0.0, 0.5),
        (0.1, 0.0, 0.45),
        (0.3, 0.0, 0.35),
        (0.05, 0.05, 0.45),
        (0.25, 0.25, 0.25),
        (0.02, 0.0, 0.95),
        (0.9, 0.0, 0.05),
    ],
)
def test_a_difference_of_paired_outcomes_is_held_as_often_as_is_said(
    cells: Cells, count: int
) -> None:
    rng, truth, held = np.random.default_rng(1), cells[0] - cells[1], 0
    for _ in range(STUDIES):
        found = difference_of_shares_interval(*outcomes(rng, count, cells))
        held += found.low - 1e-9 <= truth <= found.high + 1e-9
    assert holds(held)


@pytest.mark.parametrize("count", [5, 10, 30])
@pytest.mark.parametrize("harm", [0.02, 0.05, 0.2])
def test_a_difference_of_paired_shares_of_tasks_is_held_as_often_as_is_said(
    harm: float, count: int
) -> None:
    """Ten tasks, right by the luck that both share; the second team spoils some of those."""
    rng, held = np.random.default_rng(2), 0
    for _ in range(STUDIES):
        first = rng.random((count, 10)) < 0.5
        second = first & (rng.random((count, 10)) >= harm)
        found = difference_of_shares_interval(first.mean(axis=1), second.mean(axis=1))
        held += found.low <= 0.5 * harm <= found.high
    assert holds(held)


@pytest.mark.parametrize("count", [5, 10, 30])
@pytest.mark.parametrize(("right", "harm"), [(0.5, 0.02), (0.9, 0.1), (0.8, 0.02)])
def test_an_error_amplification_of_pairs_is_held_as_often_as_is_said(
    right: float, harm: float, count: int
) -> None:
    rng, truth, held, studies = np.random.default_rng(3), 1.0 + right * harm / (1.0 - right), 0, 0
    while studies < STUDIES:
        first = rng.random((count, 10)) < right
        second = first & (rng.random((count, 10)) >= harm)
        if not first.all():  # else there is no ratio
            errors = [1.0 - each.mean(axis=1) for each in (second, first)]
            found = ratio_of_means_interval(*errors, are_shares=True)
            held += found.low <= truth <= found.high
            studies += 1
    assert holds(held)


@pytest.mark.parametrize("right", [0.5, 0.8, 1.0])
def test_pairs_none_of_which_differ_do_not_show_that_none_does(right: float) -> None:
    """After none of ten, 3 of 10 further pairs may differ (Clopper & Pearson 1934), either way."""
    outcome = np.arange(10) < 10 * right
    unseen = 1.0 - 0.025 ** (1.0 / 10)
    for values in (outcome, 0.5 * outcome + 0.2):
        found = difference_of_shares_interval(values, values)
        assert (found.low, found.estimate, found.high) == pytest.approx((-unseen, 0.0, unseen))


def test_values_that_are_no_shares_are_refused() -> None:
    with pytest.raises(ValueError, match="shares are from 0 to 1"):
        difference_of_shares_interval([1.5, 1.5], [1.5, 1.5])
