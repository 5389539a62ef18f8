"""Every family against its namesake in scipy.stats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from simulator.distributions import DISTRIBUTIONS, Distribution, DistributionSpec

parse = TypeAdapter(DistributionSpec).validate_python

FAMILIES: dict[str, tuple[dict[str, Any], Any]] = {
    "exponential": ({"mean": 3}, stats.expon(scale=3)),
    "lognormal": ({"median": 8, "sigma": 0.6}, stats.lognorm(0.6, scale=8)),
    "normal": ({"mean": -1, "sd": 2}, stats.norm(-1, 2)),
    "gamma": ({"shape": 2.5, "scale": 3}, stats.gamma(2.5, scale=3)),
    "inverse_gamma": ({"shape": 2.46, "scale": 19.6}, stats.invgamma(2.46, scale=19.6)),
    "weibull": ({"shape": 0.6, "scale": 4}, stats.weibull_min(0.6, scale=4)),
    "log_logistic": ({"shape": 7, "median": 1}, stats.fisk(7, scale=1)),
    "burr12": ({"c": 6.47, "d": 0.218, "scale": 3.61}, stats.burr12(6.47, 0.218, scale=3.61)),
    "pareto": ({"shape": 1.5, "minimum": 2}, stats.pareto(1.5, scale=2)),
    "uniform": ({"low": 2, "high": 5}, stats.uniform(2, 3)),
    "scipy": (
        {"name": "invgauss", "shapes": {"mu": 0.5}, "scale": 2},
        stats.invgauss(0.5, scale=2),
    ),
}
U = np.linspace(0.001, 0.999, 333)


@pytest.mark.parametrize("kind", FAMILIES)
def test_quantile_and_cdf_are_scipys(kind: str) -> None:
    parameters, law = FAMILIES[kind]
    mine: Distribution = parse({"kind": kind, **parameters})
    assert mine.quantile(U) == pytest.approx(law.ppf(U), rel=1e-7)
    x = np.concatenate([[-1.0, 0.0], law.ppf(U)])
    assert mine.cdf(x) == pytest.approx(law.cdf(x), abs=1e-9)


@pytest.mark.parametrize("kind", FAMILIES)
def test_shift_and_truncation_condition_on_the_window(kind: str) -> None:
    parameters, law = FAMILIES[kind]
    low, high = law.ppf([0.2, 0.9]) + 1.5
    mine = parse({"kind": kind, **parameters, "shift": 1.5, "at_least": low, "at_most": high})
    assert mine.transform(U) == pytest.approx(law.ppf(0.2 + 0.7 * U) + 1.5, rel=1e-6)


def test_every_family_is_tested_here() -> None:
    assert {*FAMILIES, "deterministic", "empirical", "mixture"} == set(DISTRIBUTIONS.names())


def test_a_number_is_a_deterministic_distribution() -> None:
    assert parse(3).constant == 3
    assert (
        parse({"kind": "deterministic", "value": 3, "shift": 1}).transform(U).tolist() == [4] * 333
    )


def test_an_empirical_distribution_resamples_by_weight() -> None:
    mine = parse({"kind": "empirical", "values": [5, 1, 3], "weights": [1, 2, 1]})
    u = (np.arange(400) + 0.5) / 400
    values, counts = np.unique(mine.transform(u), return_counts=True)
    assert (values.tolist(), counts.tolist()) == ([1, 3, 5], [200, 100, 100])
    cut = parse({"kind": "empirical", "values": [1, 2, 3, 4], "at_least": 2, "at_most": 3})
    values, counts = np.unique(cut.transform(u), return_counts=True)
    assert (values.tolist(), counts.tolist()) == ([2, 3], [200, 200])


def test_a_value_without_weight_is_never_drawn() -> None:
    mine = parse({"kind": "empirical", "values": [1, 2, 3, 4], "weights": [0, 1, 0, 1]})
    u = np.array([0.0, 0.25, 0.5 - 1e-12, 0.5, 0.75, 1 - 1e-12])
    assert mine.quantile(u).tolist() == [2, 2, 2, 4, 4, 4]


@pytest.mark.parametrize("weights", [(1, 1), (1, 3), (3, 1), (0.1, 9.9)])
def test_every_component_of_a_mixture_is_drawn_from_end_to_end(weights: tuple[float, ...]) -> None:
    parts = ((0.0, 1.0), (10.0, 12.0))
    mine = parse(
        {
            "kind": "mixture",
            "components": [
                {"weight": w, "distribution": {"kind": "uniform", "low": low, "high": high}}
                for w, (low, high) in zip(weights, parts, strict=True)
            ],
        }
    )
    draws = mine.transform((np.arange(100_000) + 0.5) / 100_000)
    for w, (low, high) in zip(weights, parts, strict=True):
        inside = draws[(low <= draws) & (draws <= high)]
        assert len(inside) / len(draws) == pytest.approx(w / sum(weights), abs=1e-4)
        spread = (inside.min(), inside.mean(), inside.max())
        assert spread == pytest.approx((low, (low + high) / 2, high), abs=5e-3)


@pytest.mark.parametrize("window", [{}, {"at_most": 20.0}, {"at_least": 1.0, "at_most": 6.0}])
def test_a_mixture_has_the_weighted_cdf(window: dict[str, float]) -> None:
    mine = parse(
        {
            "kind": "mixture",
            "components": [
                {"weight": 3, "distribution": {"kind": "exponential", "mean": 2}},
                {"weight": 1, "distribution": {"kind": "uniform", "low": 10, "high": 30}},
            ],
            **window,
        }
    )
    draws = mine.transform((np.arange(20_000) + 0.5) / 20_000)
    below, inside = mine.window_mass()
    for x in (1.5, 3.0, 5.5):
        plain = 0.75 * stats.expon(scale=2).cdf(x)
        assert (draws <= x).mean() == pytest.approx((plain - below) / inside, abs=2e-4)
    if window:
        assert draws.max() <= window["at_most"] + 1e-9


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "lognormal", "median": -3, "sigma": 1}, "greater than 0"),
        ({"kind": "lognormal", "sigma": 1}, "median"),
        ({"kind": "lognormal", "median": 1, "sigma": 1, "sd": 2}, "unknown key 'sd'"),
        ({"kind": "lognorm", "median": 1}, "did you mean 'lognormal'"),
        ({"kind": "uniform", "low": 3, "high": 2}, "above low"),
        ({"kind": "uniform", "low": 0, "high": 2, "at_least": 5}, "leaves nothing"),
        ({"kind": "empirical", "values": []}, "at least 1"),
        ({"kind": "empirical", "values": [1], "weights": [1, 2]}, "2 weights for 1 values"),
        ({"kind": "scipy", "name": "invgaus"}, "did you mean 'invgauss'"),
        ({"kind": "scipy", "name": "invgauss"}, "takes the shapes ['mu']"),
        (
            {"kind": "scipy", "name": "invgauss", "shapes": None},
            "shapes\n  Input should be a valid",
        ),
        (
            {"kind": "scipy", "name": "invgauss", "shapes": {"mu": None}},
            "shapes.mu\n  Input should",
        ),
        ({"kind": "scipy", "name": "invgauss", "shapes": {"mu": "1"}}, "shapes.mu\n  Input"),
        ({"kind": "scipy", "name": "invgauss", "shapes": {"mu": -1}}, "does not allow the shapes"),
        ({"kind": "mixture", "components": []}, "at least 1"),
        ({"median": 3}, "needs a 'kind'"),
        (True, "a name or a mapping"),
        (float("nan"), "finite"),
    ],
)
def test_a_wrong_distribution_says_what_is_allowed(wrong: Any, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parse(wrong)
    assert said in str(caught.value)


def test_a_burr_law_of_extreme_shapes_is_the_pareto_law_that_it_comes_to() -> None:
    # c and 1 / d to infinity, c d = 3: beyond 1.5, values are Pareto's of index 3.
    burr = DISTRIBUTIONS.get("burr12").model_validate(
        {"kind": "burr12", "c": 3e4, "d": 1e-4, "scale": 1.5}
    )
    u = np.asarray([0.01, 0.1, 0.5, 0.9, 0.99, 0.999999])
    x = burr.transform(u)
    np.testing.assert_allclose(x, stats.pareto(3.0, scale=1.5).ppf(u), rtol=1e-3)
    np.testing.assert_allclose(burr.cdf(x), u, atol=1e-9)
