"""The law of the number of turns beside what its definitions give by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from analysis.calibration.turn_counts import CONSTANT, GEOMETRIC, fit_turns, kaplan_meier
from simulator.scenario.loop import LoopSpec

Array = np.ndarray[Any, Any]

FAMILIES: dict[str, Any] = {
    "lognormal": lambda median, sigma: stats.lognorm(sigma, scale=median),
    "log_logistic": lambda median, shape: stats.fisk(shape, scale=median),
    "weibull": lambda scale, shape: stats.weibull_min(shape, scale=scale),
    "burr12": lambda scale, c, d: stats.burr12(c, d, scale=scale),
}
"""What is rounded, from its parameters in the order of a scenario."""


def cut_short(turns: Array, most: Array) -> tuple[Array, Array]:
    """Return the turns seen where a request is cut after `most`, and whether it had ended."""
    return np.minimum(turns, most), turns <= most


def requests(seed: int, count: int, end: float = 0.15, cut: float = 0.1) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return cut_short(rng.geometric(end, count), rng.geometric(cut, count))


@pytest.mark.parametrize("count", [1, 2, 7, 60])
@pytest.mark.parametrize("cut", [0.1, 0.6, 1.0])
def test_of_requests_cut_short_survival_is_that_of_kaplan_and_meier(count: int, cut: float) -> None:
    """As in scipy: what was cut after a turn is among those that this turn could have ended."""
    turns, is_whole = requests(count, count, 0.3, cut)
    grid = np.arange(1, int(turns.max()) + 1)
    exact = stats.ecdf(stats.CensoredData.right_censored(turns, ~is_whole)).sf.evaluate(grid)
    assert kaplan_meier(turns, is_whole, grid) == pytest.approx(exact)
    every_other = grid[::-2]
    assert kaplan_meier(turns, is_whole, every_other) == pytest.approx(exact[::-2])
    assert kaplan_meier(turns, np.ones(count, bool), grid) == pytest.approx(
        [(turns > turn).mean() for turn in grid]
    )


def test_of_two_requests_one_of_which_went_on_half_take_more_turns() -> None:
    assert kaplan_meier(np.array([1, 1]), np.array([True, False]), np.array([1, 2])).tolist() == [
        0.5,
        0.5,
    ]


@pytest.mark.parametrize("cut", [0.02, 0.2])
def test_the_probability_of_the_last_turn_is_the_ends_over_all_turns(cut: float) -> None:
    turns, is_whole = requests(1, 600, 0.15, cut)
    found = fit_turns(turns, is_whole, np.zeros(600, dtype=np.int64))  # one session: no clusters
    assert found.kind == GEOMETRIC
    end = is_whole.sum() / turns.sum()
    assert found.parameters()["turns_end"].value == pytest.approx(end, rel=1e-3)
    assert found.spec() == {"end_probability": pytest.approx(end, rel=2e-3)}
    # Fisher's information on the logit of a binomial probability: n p (1 - p).
    exact = 1 / math.sqrt(turns.sum() * end * (1 - end))
    assert found.parameters()["turns_end"].error == pytest.approx(exact, rel=0.1)
    grid = np.arange(int(turns.max()) + 2)
    assert found.survival(grid) == pytest.approx((1 - end) ** grid, rel=0.02)
    assert found.most == turns.max()
    gap = found.survival(grid[1:-1]) - kaplan_meier(turns, is_whole, grid[1:-1])
    assert found.ks == pytest.approx(np.abs(gap).max())


def log_likelihood(law: Any, turns: Array, is_whole: Array) -> float:
    """Of a variable that is rounded, to 1 if it is less."""
    above = law.logsf(turns + 0.5)
    ended = law.cdf(turns + 0.5) - np.where(turns > 1, law.cdf(turns - 0.5), 0.0)
    return float(np.where(is_whole, np.log(np.maximum(ended, 1e-300)), above).sum())


def test_a_count_is_a_rounded_variable_of_the_likeliest_family() -> None:
    rng = np.random.default_rng(5)
    wanted = np.maximum(1, np.rint(9 * rng.lognormal(0, 0.5, 200))).astype(int)
    turns, is_whole = cut_short(wanted, rng.geometric(0.02, 200))
    found = fit_turns(turns, is_whole, np.arange(200) // 10)
    assert found.kind == "lognormal"
    mine = FAMILIES["lognormal"](*(each.value for each in found.parameters().values()))
    grid = np.arange(1, 30)
    assert found.survival(grid) == pytest.approx(mine.sf(grid + 0.5), rel=1e-6)
    assert found.survival(np.array([0])) == 1.0
    # Akaike's criterion of each family, at its own greatest likelihood.
    end = is_whole.sum() / turns.sum()
    plain = is_whole.sum() * math.log(end) + (turns.sum() - is_whole.sum()) * math.log1p(-end)
    criteria = {GEOMETRIC: 2 - 2 * plain}
    for name, family in FAMILIES.items():
        start = np.log([9.0, 2.0 if name != "lognormal" else 0.5, 1.0])[: 2 + (name == "burr12")]
        best = optimize.minimize(
            lambda at, family=family: -log_likelihood(family(*np.exp(at)), turns, is_whole),
            start,
            method="Nelder-Mead",
        )
        criteria[name] = 2 * len(start) + 2 * best.fun
    best_two = sorted(criteria.values())[:2]
    assert min(criteria, key=lambda name: criteria[name]) == "lognormal"
    assert found.aic_gain == pytest.approx(best_two[1] - best_two[0], abs=0.05)
    # A scenario says the same family, and draws no more turns than were seen.
    said = found.spec()["turns"]
    assert (said.pop("kind"), said.pop("at_most")) == ("lognormal", turns.max())
    assert list(said.values()) == pytest.approx(
        [each.value for each in found.parameters().values()], rel=1e-3
    )


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("turns", [1, 5])
def test_requests_of_equal_turns_have_a_constant_number(turns: int, count: int) -> None:
    found = fit_turns(np.full(count, turns), np.ones(count, bool), np.arange(count))
    assert (found.kind, found.ks, found.parameters()) == (CONSTANT, 0.0, {})
    assert found.spec() == {"turns": turns}
    assert found.survival(np.array([turns - 1, turns, turns + 1])).tolist() == [1.0, 0.0, 0.0]


def test_the_number_is_not_constant_where_a_request_went_on_or_ended_sooner() -> None:
    turns, is_whole = np.array([2, 2, 2, 2]), np.array([True, True, True, False])
    assert fit_turns(turns, is_whole, np.arange(4)).kind != CONSTANT
    assert fit_turns(np.array([1, 2, 2, 2]), np.ones(4, bool), np.arange(4)).kind != CONSTANT


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(
    low=st.integers(1, 5),
    high=st.integers(6, 60),
    counts=st.tuples(st.integers(1, 30), st.integers(1, 30)),
)
def test_requests_of_two_lengths_have_a_law_that_a_scenario_can_say(
    low: int, high: int, counts: tuple[int, int]
) -> None:
    turns = np.repeat([low, high], counts)
    found = fit_turns(turns, np.ones(len(turns), dtype=bool), np.arange(len(turns)))
    LoopSpec.model_validate(found.spec())
