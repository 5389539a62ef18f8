"""Hidden habits of agents beside all courses that they may have taken, one by one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from analysis.calibration.choices import unblocked
from analysis.calibration.habit_chain import forward_backward, in_turns, log_likelihood
from analysis.calibration.habit_fits import _beta


@pytest.mark.parametrize("stays", [0.3, 0.8])
@pytest.mark.parametrize(("steps", "habits"), [(1, 2), (2, 3), (4, 2), (3, 3)])
def test_expected_habits_are_those_of_all_courses_by_their_probability(
    steps: int, habits: int, stays: float
) -> None:
    """A habit is drawn for the first call; before each other one it is kept, or drawn anew."""
    rng = np.random.default_rng([steps, habits])
    first, later = rng.dirichlet(np.ones(habits), 2)
    chance = rng.uniform(0.1, 0.9, (steps, habits))
    total, kept = 0.0, 0.0
    begun, drawn, at = np.zeros(habits), np.zeros(habits), np.zeros((steps, habits))
    for course in product(range(habits), repeat=steps):
        for keeps in product((True, False), repeat=steps - 1):
            p = first[course[0]] * chance[0, course[0]]
            for t in range(1, steps):
                is_same = course[t] == course[t - 1]
                p *= stays * is_same if keeps[t - 1] else (1.0 - stays) * later[course[t]]
                p *= chance[t, course[t]]
            total += p
            kept += p * sum(keeps)
            begun[course[0]] += p
            for t in range(steps):
                at[t, course[t]] += p
                if t and not keeps[t - 1]:
                    drawn[course[t]] += p
    # Another agent has one call only. It comes after the first in the first turn.
    alone = first * chance[-1] / (first @ chance[-1])
    order, turns = in_turns(np.array([0, *[1] * steps]), np.array([0, *range(steps)]))
    of_calls = np.stack([chance[-1], *chance])[order].T
    assert (of_calls[:, :2] == np.stack([chance[0], chance[-1]]).T).all()
    # Another fit, side by side with this one, has other chances and habits.
    other = rng.dirichlet(np.ones(habits), 2)
    laws = [np.stack(pair) for pair in zip((first, later), other, strict=True)]
    both = np.stack([of_calls, 0.5 * of_calls**2]), turns, *laws, np.array([stays, 0.5])
    found = forward_backward(*both)
    assert found[0][0] == pytest.approx(begun / total + alone)
    assert found[1][0] == pytest.approx(drawn / total, abs=1e-12)
    assert found[2][0] == pytest.approx(kept / total, abs=1e-12)
    own = np.delete(found[3][0], 1, axis=1).T
    assert own == pytest.approx(at / total)
    assert found[3][0][:, 1] == pytest.approx(alone)
    assert log_likelihood(*both)[0] == pytest.approx(np.log(total * (first @ chance[-1])))


def test_weighted_values_are_a_beta_with_their_mean_and_variance() -> None:
    law = stats.beta(2.0, 5.0)
    values = (np.arange(4000.0) + 0.5) / 4000.0
    weights = law.pdf(values) / law.pdf(values).sum()
    assert _beta(values, weights) == pytest.approx((2.0, 5.0), rel=1e-4)


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    "can_start", [(1, 1, 0, 1, 0), (0, 1, 1, 1), (1, 1, 1), (1, 0, 0, 1, 1, 1)]
)
def test_blind_calls_are_not_blocked_as_often_as_all_their_choices_say(
    can_start: tuple[int, ...], noise: float
) -> None:
    """A choice is the first that is left, or one of them at random: all courses by hand."""
    leading = [*can_start, 0].index(0)
    place = [np.array([x]) for x in (len(can_start), sum(can_start), leading)]
    found = unblocked(np.array([0.5, noise]), *place)[1, 0]

    def chance(left: tuple[int, ...], picks: int) -> float:
        if not picks:
            return 1.0
        total = 0.0
        for i, fine in enumerate(left):
            p = noise / len(left) + (1.0 - noise) * (i == 0)
            total += p * fine * chance(left[:i] + left[i + 1 :], picks - 1)
        return total

    for picks in range(min(len(can_start), len(found) - 1) + 1):
        assert found[picks] == pytest.approx(chance(can_start, picks), abs=1e-12)
