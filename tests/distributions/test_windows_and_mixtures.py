"""Draws stay within their window, and mixtures are what their parts are."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from simulator.distributions import Distribution, DistributionSpec, PositiveDistribution
from simulator.distributions._distribution import BELOW_ONE, SharedDistribution

parse = TypeAdapter(DistributionSpec).validate_python

U = np.concatenate([[0.0, 1e-300, 1e-16], np.linspace(0.001, 0.999, 97), [BELOW_ONE]])

PLAIN: list[dict[str, Any]] = [
    {"kind": "exponential", "mean": 3},
    {"kind": "lognormal", "median": 8, "sigma": 0.6},
    {"kind": "normal", "mean": 4, "sd": 3},
    {"kind": "gamma", "shape": 2.5, "scale": 3},
    {"kind": "weibull", "shape": 0.6, "scale": 4},
    {"kind": "log_logistic", "shape": 3, "median": 5},
    {"kind": "burr12", "c": 3, "d": 0.7, "scale": 3.6},
    {"kind": "pareto", "shape": 1.5, "minimum": 2},
    {"kind": "uniform", "low": 2, "high": 9},
]


@pytest.mark.parametrize("plain", PLAIN, ids=lambda plain: plain["kind"])
def test_a_draw_is_never_beyond_either_end_of_its_window(plain: dict[str, Any]) -> None:
    for low, high in itertools.product((None, 2.3, 3.1), (None, 5.7, 6.9)):
        draws = parse({**plain, "at_least": low, "at_most": high}).transform(U)
        assert np.isfinite(draws).all()
        assert low is None or draws.min() >= low
        assert high is None or draws.max() <= high
        assert (np.diff(draws) >= 0).all()


def mixture(*parts: tuple[float, dict[str, Any]], **fields: Any) -> Distribution:
    components = [{"weight": weight, "distribution": part} for weight, part in parts]
    made: Distribution = parse({"kind": "mixture", "components": components, **fields})
    return made


def test_the_probability_of_a_mixture_is_that_of_its_parts_in_their_windows() -> None:
    body = {"kind": "exponential", "mean": 4, "at_least": 1, "at_most": 6}
    tail = {"kind": "normal", "mean": 9, "sd": 2, "shift": 1}
    mine = mixture((3, body), (1, tail))
    x = np.linspace(-1, 20, 85)
    expon, normal = stats.expon(scale=4), stats.norm(10, 2)
    inside = np.clip((expon.cdf(x) - expon.cdf(1)) / (expon.cdf(6) - expon.cdf(1)), 0, 1)
    assert mine.cdf(x) == pytest.approx(0.75 * inside + 0.25 * normal.cdf(x), abs=1e-12)
    # Its quantiles are where that probability is reached.
    u = np.linspace(0.01, 0.99, 45)
    assert mine.cdf(mine.quantile(u)) == pytest.approx(u, abs=1e-9)


@pytest.mark.parametrize("count", [1, 3, 7, 10, 49])
def test_the_last_uniform_draws_from_the_last_part_though_weights_are_rounded(count: int) -> None:
    parts = [(0.1, {"kind": "uniform", "low": i, "high": i + 1}) for i in range(count)]
    mine = mixture(*parts)
    assert mine.transform(np.array([0.0, BELOW_ONE])) == pytest.approx([0, count])
    middle = (np.arange(count) + 0.5) / count
    assert mine.transform(middle) == pytest.approx(np.arange(count) + 0.5)


def test_the_lowest_draw_of_a_mixture_is_the_lowest_of_its_parts() -> None:
    parts = (
        (1, {"kind": "uniform", "low": 3, "high": 4}),
        (2, {"kind": "uniform", "low": 7, "high": 8}),
    )
    assert mixture(*parts).lowest() == 3
    assert mixture(*parts, shift=2).lowest() == 5
    assert mixture(*parts, at_least=3.5).lowest() == 3.5
    assert mixture(*parts, at_least=1).lowest() == 3
    assert mixture((1, {"kind": "normal", "mean": 0, "sd": 1}), *parts).lowest() < -5


@pytest.mark.parametrize("effect", ["run_sigma", "agent_sigma", "phase_sigma"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_effects_of_parts_are_known_however_deep_they_are(effect: str, depth: int) -> None:
    varying: dict[str, Any] = {"kind": "deterministic", "value": 5, effect: 0.4}
    still = {"kind": "deterministic", "value": 1}
    for _ in range(depth):
        parts = [(1, still), (1, varying)]
        components = [{"weight": w, "distribution": part} for w, part in parts]
        varying = {"kind": "mixture", "components": components}
    mine = parse(varying)
    index = ("run_sigma", "agent_sigma", "phase_sigma").index(effect)
    u = (np.arange(64) + 0.5) / 64
    sigmas = mine.part_sigmas(u)
    assert sigmas is not None
    assert sigmas[index].tolist() == np.where(mine.transform(u) == 5, 0.4, 0.0).tolist()
    assert not np.delete(sigmas, index, axis=0).any()
    assert mine.has_agent_effect == (effect == "agent_sigma")
    assert mine.has_phases == (effect == "phase_sigma")
    none = mixture((1, still), (1, {"kind": "exponential", "mean": 1}))
    assert (none.part_sigmas(u), none.has_agent_effect, none.has_phases) == (None, False, False)
    with pytest.raises(ValidationError, match="truncated mixture"):
        parse({**varying, "at_least": 1})
    # A small effect of the mixture itself is one, too.
    own = {"kind": "mixture", "components": [{"weight": 1, "distribution": still}], effect: 0.4}
    assert parse(own).has_agent_effect == (effect == "agent_sigma")
    assert parse(own).has_phases == (effect == "phase_sigma")
    with pytest.raises(ValidationError, match=f"{effect} multiplies each draw"):
        parse({"kind": "deterministic", "value": 0, effect: 0.4})
    with pytest.raises(ValidationError, match="truncated mixture"):
        parse({**varying, "at_most": 9})


@pytest.mark.parametrize("is_part", [False, True])
def test_what_no_agent_draws_has_no_effect_of_one(is_part: bool) -> None:
    said: dict[str, Any] = {"kind": "exponential", "mean": 3, "agent_sigma": 0.2}
    if is_part:
        said = {"kind": "mixture", "components": [{"weight": 1, "distribution": said}]}
    with pytest.raises(ValidationError, match="no agent draws this"):
        TypeAdapter(SharedDistribution).validate_python(said)


@pytest.mark.parametrize("sigma", [0.0, 0.5])
def test_the_largest_draw_is_the_farthest_from_0_in_the_slowest_phase(sigma: float) -> None:
    for low, high in ((-9.0, 2.0), (-2.0, 9.0)):
        mine = parse({"kind": "uniform", "low": low, "high": high, "phase_sigma": sigma})
        farthest = float(stats.norm.ppf(BELOW_ONE))
        assert 9 * math.exp(sigma * farthest) <= mine.largest * (1 + 1e-9)
        assert mine.largest <= 9 * math.exp(sigma * (farthest + 0.2)) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("said", "tail"),
    [
        ({"kind": "pareto", "shape": 1.5, "minimum": 2}, 1.5),
        ({"kind": "pareto", "shape": 3, "minimum": 2}, 3.0),
        ({"kind": "log_logistic", "shape": 2, "median": 5}, 2.0),
        ({"kind": "burr12", "c": 3, "d": 0.5, "scale": 1}, 1.5),
        ({"kind": "inverse_gamma", "shape": 2.5, "scale": 1}, 2.5),
        ({"kind": "gamma", "shape": 2.5, "scale": 1}, math.inf),
        ({"kind": "scipy", "name": "t", "shapes": {"df": 5}}, math.inf),
        ({"kind": "scipy", "name": "t", "shapes": {"df": 1.5}}, 2.0),
        ({"kind": "scipy", "name": "cauchy"}, 1.0),
    ],
)
def test_a_variance_is_finite_where_the_tail_falls_faster_than_the_square_or_is_cut(
    said: dict[str, Any], tail: float
) -> None:
    plain = parse(said)
    assert plain.tail_index == tail
    assert plain.has_variance == (tail > 2)
    assert parse({**said, "at_most": 50}).has_variance
    assert parse({**said, "at_least": 0.1}).has_variance == (tail > 2)
    light = {"kind": "exponential", "mean": 1}
    assert mixture((1, light), (1, said)).tail_index == tail
    assert mixture((1, light), (1, {**said, "at_most": 50})).tail_index == math.inf


def test_weights_of_values_may_be_0_but_not_all_of_them() -> None:
    said = {"kind": "empirical", "values": [4, 1, 2]}
    mine = parse({**said, "weights": [3, 0, 1]})
    assert mine.cdf(np.array([0.0, 1.0, 1.9, 2.0, 3.9, 4.0, 9.0])).tolist() == [
        *[0.0, 0.0, 0.0, 0.25, 0.25, 1.0, 1.0]
    ]
    assert mine.quantile(np.array([0.0, 0.2499, 0.25, BELOW_ONE])).tolist() == [2, 2, 4, 4]
    assert parse(said).cdf(np.array([1.0, 2.0])) == pytest.approx([1 / 3, 2 / 3])
    with pytest.raises(ValidationError, match="at least one weight must be above 0"):
        parse({**said, "weights": [0, 0, 0]})


def test_a_window_beyond_what_can_be_drawn_takes_nothing_away() -> None:
    plain: dict[str, Any] = {"kind": "uniform", "low": 1, "high": 3}
    assert parse(plain).cdf(np.array([0.0, 2.0, 5.0])).tolist() == [0.0, 0.5, 1.0]
    u = (np.arange(64) + 0.5) / 64
    wide = parse({**plain, "at_least": 0, "at_most": 9})
    assert wide.transform(u).tolist() == parse(plain).transform(u).tolist()


def test_draws_have_no_effects_unless_it_is_said() -> None:
    plain = parse({"kind": "exponential", "mean": 1})
    assert (tuple(plain.sigmas), plain.has_agent_effect, plain.has_phases) == (
        (0, 0, 0),
        False,
        False,
    )


def test_what_is_not_said_is_as_documented() -> None:
    # A uniform one begins at 0, which leaves room for an end below 1; phases last ten draws.
    assert parse({"kind": "uniform", "high": 0.5}).transform(np.asarray([0.5])) == 0.25
    assert parse({"kind": "exponential", "mean": 2, "phase_sigma": 0.3}).phase_length == 10.0


def test_a_constant_has_all_its_probability_at_its_value() -> None:
    mine = parse({"kind": "deterministic", "value": 3})
    assert mine.cdf(np.asarray([2.999, 3.0, 3.001])).tolist() == [0.0, 1.0, 1.0]


def test_a_positive_quantity_may_be_any_constant_but_0() -> None:
    positive = TypeAdapter(PositiveDistribution).validate_python
    assert [positive(value).constant for value in (0.5, 1, 2)] == [0.5, 1.0, 2.0]
    with pytest.raises(ValidationError, match="must be greater than 0"):
        positive(0)
