"""Laws are what their authors wrote, and fits find them again."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.law_fits import compare_laws, fit_law, fit_power_law
from analysis.statistics.laws import (
    LAWS,
    amdahl_speedup,
    channels,
    gustafson_speedup,
    logistic,
    usl_peak,
    usl_speedup,
)
from analysis.statistics.least_squares import least_squares, small_sample_aic
from simulator.distributions import Floats

N = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 32], dtype=float)

TRUTH: dict[str, dict[str, float]] = {
    "amdahl": {"scale": 1.0, "p": 0.93},
    "gustafson": {"scale": 1.0, "p": 0.6},
    "usl": {"scale": 1.0, "sigma": 0.05, "kappa": 0.004},
    "power": {"scale": 3.0, "exponent": 1.7},
    "channels": {"base": 20.0, "each": 2.5},
    "logistic": {"ceiling": 9.0, "rate": 0.4, "midpoint": 10.0},
}


def test_laws_have_their_published_values() -> None:
    assert amdahl_speedup([1, 2, 3, 4, 5], 0.9) == pytest.approx(
        [1, 1.82, 2.5, 3.08, 3.57], abs=5e-3
    )
    assert amdahl_speedup(10**9, 0.9) == pytest.approx(10)
    assert amdahl_speedup(7, 0.0) == 1
    assert gustafson_speedup([1, 10], 0.9) == pytest.approx([1, 9.1])
    assert channels([1, 2, 5, 10]) == pytest.approx([0, 1, 10, 45])
    assert usl_speedup(8, 0.0, 0.0) == 8
    assert usl_speedup([2, 16], 0.1, 0.0) == pytest.approx(amdahl_speedup([2, 16], 0.9))
    assert usl_peak(0.1, 0.0) == math.inf
    assert logistic([10, 15], 9.0, 0.4, 10.0) == pytest.approx([4.5, 9 / (1 + math.exp(-2))])
    assert logistic([-1e3, 1e3], 9.0, 0.4, 10.0) == pytest.approx([0, 9])
    assert LAWS["channels"].curve([1, 5], 20.0, 2.5) == pytest.approx([20, 45])
    assert LAWS["power"].curve(np.array([1, 4]), 3.0, 1.5) == pytest.approx([3, 24])
    assert LAWS["amdahl"].curve([1, 2], 5.0, 0.9) == pytest.approx([5, 5 / 0.55])
    assert LAWS["gustafson"].curve([1, 10], 5.0, 0.9) == pytest.approx([5, 45.5])
    assert LAWS["usl"].curve([1, 2], 5.0, 0.1, 0.1) == pytest.approx([5, 10 / 1.3])


@pytest.mark.parametrize("name", LAWS)
def test_a_law_is_found_again_in_its_own_curve(name: str) -> None:
    truth = TRUTH[name]
    y = LAWS[name].curve(N, *truth.values())
    fit = fit_law(name, N, y)
    assert fit.estimates == pytest.approx(truth, rel=1e-4)
    assert np.abs(fit.residuals).max() < 1e-6 * np.abs(y).max()
    assert compare_laws(N, y).iloc[0]["law"] == name


# 300 noisy curves: coverage of a 95 % interval is within .95 +- .04 with probability .999.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["amdahl", "usl", "power", "channels", "logistic"])
def test_intervals_of_a_law_hold_the_truth(name: str) -> None:
    truth, rng = TRUTH[name], np.random.default_rng(4)
    y = LAWS[name].curve(N, *truth.values())
    held = dict.fromkeys(truth, 0)
    for _ in range(300):
        noisy = y + 0.01 * y.max() * rng.standard_normal(len(N))
        fit = fit_law(name, N, noisy)
        for parameter, value in truth.items():
            held[parameter] += fit.low[parameter] <= value <= fit.high[parameter]
    for parameter, count in held.items():
        assert count / 300 == pytest.approx(0.95, abs=0.05), parameter


@pytest.mark.parametrize(
    ("name", "truth"),
    [("amdahl", {"scale": 1.0, "p": 0.9}), ("power", {"scale": 1.0, "exponent": 0.7})],
)
def test_intervals_of_laws_of_speed_ups_hold_the_truth(name: str, truth: dict[str, float]) -> None:
    """Of sizes run 20 times with common luck, the smallest the baseline; else 0.88 and 0.90 do."""
    rng, sizes, held, studies = (
        np.random.default_rng(7),
        np.array([1.0, 2.0, 4.0, 8.0, 16.0]),
        0,
        150,
    )
    parameter, value = list(truth.items())[1]
    times = 100.0 / LAWS[name].curve(sizes, *truth.values())
    for _ in range(studies):
        z = 0.84 * rng.normal(size=20) + 0.55 * rng.normal(size=(5, 20))
        means = (times[:, None] * np.exp(0.3 * z)).mean(axis=1)
        fit = fit_law(name, sizes, means[0] / means, relative=True)
        held += fit.low[parameter] <= value <= fit.high[parameter]
    assert stats.binom.cdf(held, studies, 0.93) > 0.001


def test_a_relative_fit_is_exact_on_its_own_curve_and_needs_positive_values() -> None:
    y = usl_speedup(N, 0.05, 0.004)
    assert fit_law("usl", N, y, relative=True).estimates["kappa"] == pytest.approx(0.004, rel=1e-4)
    assert compare_laws(N, y, ("amdahl", "usl"), relative=True).iloc[0]["law"] == "usl"
    with pytest.raises(ValueError, match="must be positive"):
        fit_law("usl", N, y - y[0], relative=True)


SPECSDM91 = (
    (1, 18, 36, 72, 108, 144, 216),
    (64.9, 995.9, 1652.4, 1853.2, 1828.9, 1775.0, 1702.2),
)
RAYTRACER = ((1, 4, 8, 12, 16, 20), (20, 78, 130, 170, 190, 200))
TOY = ((1, 2, 4, 6, 8, 10), (1, 1.8868, 3.0769, 3.5294, 3.5398, 3.3557))


@pytest.mark.parametrize(
    ("data", "sigma", "kappa", "scale"),
    [
        (SPECSDM91, 0.02773, 1.044e-4, 90.0),
        (RAYTRACER, 0.02444, 0.00163, 20.86),
        (TOY, 0.02, 0.02, 1.0),
    ],
    ids=["specsdm91", "raytracer", "toy"],
)
def test_the_usl_has_its_published_parameters_on_the_published_data(
    data: tuple[tuple[float, ...], ...], sigma: float, kappa: float, scale: float
) -> None:
    """Data of Gunther's SPEC SDM91 and ray tracer, as in R's package usl; to three digits."""
    fit = fit_law("usl", *data)
    assert fit.estimates["sigma"] == pytest.approx(sigma, rel=2e-3)
    assert fit.estimates["kappa"] == pytest.approx(kappa, rel=3e-3)
    assert fit.estimates["scale"] == pytest.approx(scale, rel=1e-3)


def test_the_usl_says_where_its_peak_is_and_how_sure_it_is() -> None:
    fit = fit_law("usl", *SPECSDM91, confidence=0.6827)
    peak = usl_peak(fit.estimates["sigma"], fit.estimates["kappa"])
    assert peak == pytest.approx(96.52, abs=0.05)
    assert float(fit(peak)) == pytest.approx(1884, abs=1)
    # The published standard errors, .0091 and .20e-4, by Student's t with four degrees.
    t = 1.1416
    assert (fit.high["sigma"] - fit.estimates["sigma"]) / t == pytest.approx(0.0091, rel=0.02)
    assert (fit.high["kappa"] - fit.estimates["kappa"]) / t == pytest.approx(0.2e-4, rel=0.03)


def test_laws_are_weighed_by_aic() -> None:
    y = 3 * N**1.7 * np.random.default_rng(1).lognormal(0, 0.02, len(N))
    table = compare_laws(N, y)
    assert table.iloc[0]["law"] == "power"
    assert table["weight"].sum() == pytest.approx(1)
    assert table["weight"].is_monotonic_decreasing
    assert "exponent 1.7" in table.iloc[0]["parameters"]


SPEEDUPS = {
    "amdahl": lambda n: amdahl_speedup(n, 0.9),
    "gustafson": lambda n: gustafson_speedup(n, 0.7),
    "usl": lambda n: usl_speedup(n, 0.05, 0.005),
    "power": lambda n: n**0.7,
    "logistic": lambda n: logistic(n, 8.0, 0.4, 5.0),
}


# At five sizes, Akaike's weights alone left the Universal Scalability Law out always.
@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(1, 2, 4, 8, 16), (1, 2, 3, 4, 6, 8), (1, 2, 4, 8, 16, 32)])
@pytest.mark.parametrize("name", SPEEDUPS)
def test_a_law_that_holds_is_seldom_said_not_to(name: str, sizes: tuple[int, ...]) -> None:
    n, rng, studies, wrong = np.array(sizes, dtype=float), np.random.default_rng(6), 60, 0
    for _ in range(studies):
        z = 0.84 * rng.normal(size=20) + 0.55 * rng.normal(size=(len(n), 20))
        means = (np.exp(0.3 * z) / SPEEDUPS[name](n)[:, None]).mean(axis=1)
        table = compare_laws(n, means[0] / means, tuple(SPEEDUPS), relative=True)
        wrong += not table.set_index("law").at[name, "may_hold"]
    assert stats.binom.sf(wrong - 1, studies, 0.05) > 0.001


def test_a_law_that_does_not_hold_is_told_where_it_fits_much_worse() -> None:
    n = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    noise = np.exp(0.01 * np.random.default_rng(1).normal(size=len(n)))
    table = compare_laws(n, usl_speedup(n, 0.05, 0.02) * noise, tuple(SPEEDUPS), relative=True)
    assert table.loc[table["may_hold"], "law"].tolist() == ["usl"]


def test_a_law_that_contains_the_one_that_is_exact_may_hold_too() -> None:
    n = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    for p in (0.5, 0.9, 0.99):
        table = compare_laws(n, amdahl_speedup(n, p), tuple(SPEEDUPS), relative=True)
        assert set(table.loc[table["may_hold"], "law"]) == {"amdahl", "usl"}
    assert compare_laws([1.0], [1.0], tuple(SPEEDUPS)).empty


def test_laws_for_which_points_are_too_few_have_no_weight_and_may_hold() -> None:
    n = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    noise = np.exp(0.05 * np.random.default_rng(2).normal(size=len(n)))
    table = compare_laws(n, usl_speedup(n, 0.05, 0.005) * noise, tuple(SPEEDUPS), relative=True)
    found = table.set_index("law")
    assert found["weight"].isna().to_dict() == {
        **dict.fromkeys(("amdahl", "gustafson", "power"), False),
        **dict.fromkeys(("usl", "logistic"), True),
    }
    assert found["weight"].sum() == pytest.approx(1.0)
    assert found.at["usl", "may_hold"]


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e6])
@pytest.mark.parametrize("points", [6, 10])
def test_laws_weigh_the_same_in_any_unit(size: float, points: int) -> None:
    """Twice the y adds ``2 m log 2`` to each criterion, also to that of the law that is exact."""
    n = N[:points]
    for y in (3 * n**1.7, 3 * n**1.7 * np.random.default_rng(1).lognormal(0, 0.02, points)):
        plain = compare_laws(n, y).set_index("law")
        table = compare_laws(n, size * y).set_index("law").loc[plain.index]
        assert table["weight"].to_numpy() == pytest.approx(plain["weight"].to_numpy(), abs=1e-6)
        assert table["weight"].sum() == pytest.approx(1)
        moved = table["aic"] - plain["aic"]
        assert moved.to_numpy() == pytest.approx(2 * points * math.log(size), abs=1e-3)


def test_of_exact_fits_it_does_not_matter_how_small_what_is_left_is() -> None:
    exact = small_sample_aic(0.0, 9, 2, 5.0)
    assert small_sample_aic(1e-27, 9, 2, 5.0) == exact
    assert small_sample_aic(1e-20, 9, 2, 5.0) > exact
    assert small_sample_aic(0.0, 9, 2, 20.0) == pytest.approx(exact + 9 * math.log(4))


def test_compared_laws_have_intervals_of_95_percent_and_too_few_points_leave_laws_out() -> None:
    y = amdahl_speedup(N, 0.9) * np.random.default_rng(3).lognormal(0, 0.03, len(N))
    table = compare_laws(N, y).set_index("law")
    fit = fit_law("amdahl", N, y, confidence=0.95)
    ends = [f"[{fit.low[name]:.4g}, {fit.high[name]:.4g}]" for name in ("scale", "p")]
    assert all(end in table.loc["amdahl", "parameters"] for end in ends)
    two = compare_laws([1, 2], [1.0, 1.8])
    assert sorted(two["law"]) == ["amdahl", "channels", "gustafson", "power"]
    assert two["weight"].isna().all()  # the criterion needs more


def test_a_ceiling_that_runs_away_ends_as_an_exponential_and_is_undetermined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    n = np.arange(1.0, 9.0)
    y = np.array([0.574, 0.562, 0.498, 0.475, 0.47, 0.436, 0.421, 0.411])
    curves = []

    def counted(*parameters: Any) -> Floats:
        curves.append(parameters)
        return logistic(*parameters)

    monkeypatch.setitem(LAWS, "logistic", replace(LAWS["logistic"], curve=counted))
    fit = fit_law("logistic", n, y, relative=True)
    assert len(curves) < 8_100
    assert (fit.low["ceiling"], fit.high["ceiling"]) == (-math.inf, math.inf)
    free = [(-np.inf, np.inf)] * 2
    limit = least_squares(lambda b: b[0] * np.exp(b[1] * n) / y, np.ones(8), [0.5, 0.0], free)
    assert float(((fit.residuals / y) ** 2).sum()) == pytest.approx(limit.rss, rel=2e-5)
    assert fit.estimates["rate"] == pytest.approx(limit.values[1], rel=1e-3)


def test_what_is_always_0_is_fitted_by_0() -> None:
    found = least_squares(lambda b: b[0] * N, 0 * N, [5.0], [(-np.inf, np.inf)])
    assert (found.values[0], found.low[0], found.high[0]) == pytest.approx((0, 0, 0), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "y", "parameter", "end"),
    [
        ("amdahl", N**1.1, "p", 1.0),  # more than linear
        ("amdahl", 1.0 / N, "p", 0.0),  # slower with each agent
        ("amdahl", -amdahl_speedup(N, 0.5), "scale", 0.0),
        ("gustafson", 3.0 * N**1.4, "p", 1.0),
        ("gustafson", 5.0 - 0.1 * N, "p", 0.0),
        ("gustafson", -N, "scale", 0.0),
        ("usl", N / (1.0 - 0.01 * (N - 1.0)), "sigma", 0.0),
        ("usl", N**1.2, "kappa", 0.0),
        ("usl", np.where(N == 1.0, 1.0, 1e-6), "sigma", 1.0),
        ("usl", -N, "scale", 0.0),
    ],
)
def test_a_parameter_stays_where_it_has_a_meaning(
    name: str, y: np.ndarray, parameter: str, end: float
) -> None:
    """Shares are between 0 and 1, and neither teams nor costs of agreement are negative."""
    fit = fit_law(name, N, y)
    assert fit.estimates[parameter] == pytest.approx(end, abs=1e-5)
    low, high = fit.low[parameter], fit.high[parameter]
    assert low >= -1e-12
    assert high <= (1.0 if parameter in ("p", "sigma") else math.inf)
    others = {
        "amdahl": {"p": (0, 1), "scale": (0, math.inf)},
        "gustafson": {"p": (0, 1), "scale": (0, math.inf)},
        "usl": {"sigma": (0, 1), "kappa": (0, math.inf), "scale": (0, math.inf)},
    }[name]
    for each, (least, most) in others.items():
        assert least <= fit.estimates[each] <= most


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e7])
@pytest.mark.parametrize("first", [1, 3])
@pytest.mark.parametrize("name", LAWS)
def test_a_law_is_found_again_in_any_unit_and_without_one_agent(
    name: str, first: int, size: float
) -> None:
    """Where the search begins follows the data, so that neither their unit nor n = 1 matters."""
    n = N[first <= N][::-1]
    truth = {**TRUTH[name]}
    for each in ("scale", "base", "each", "ceiling"):
        if each in truth:
            truth[each] *= size
    fit = fit_law(name, n, LAWS[name].curve(n, *truth.values()))
    assert fit.estimates == pytest.approx(truth, rel=1e-3)


def test_a_speed_up_begins_at_what_each_agent_of_the_smallest_team_does() -> None:
    for name in ("amdahl", "gustafson", "usl"):
        assert (
            LAWS[name].start["scale"](np.array([8.0, 2.0, 4.0]), np.array([9.0, 3.0, 5.0])) == 1.5
        )


def test_a_power_law_begins_at_the_slope_of_the_logarithms() -> None:
    start = LAWS["power"].start["exponent"]
    assert start(N, 5.0 * N**-1.5) == pytest.approx(-1.5)
    with_zeros = np.where(N < 4, 0.0, 5.0 * N**2)  # what has no logarithm does not count
    assert start(N, with_zeros) == pytest.approx(2.0)
    assert start(np.append(0.0, N), np.append(3.0, 5.0 * N**2)) == pytest.approx(2.0)
    assert start(np.array([1.0, 4.0]), np.array([0.01, 0.08])) == pytest.approx(1.5)
    assert start(N, np.where(N == 8, 1.0, 0.0)) == 1.0
    assert start(N, np.where((N == 8) | (N == 2), N**3, 0.0)) == pytest.approx(3.0)


def test_the_cost_of_a_channel_begins_at_what_the_largest_team_has_more_a_channel() -> None:
    start = LAWS["channels"].start["each"]
    assert start(N, 20 + 2.5 * channels(N)) == pytest.approx(2.5)
    assert start(N, 20 - 0 * N) == 0


def test_a_known_parameter_is_not_fitted() -> None:
    fit = fit_law("amdahl", N, amdahl_speedup(N, 0.8), fixed={"scale": 1.0})
    assert fit.estimates == pytest.approx({"scale": 1.0, "p": 0.8})


def test_too_few_points_are_refused() -> None:
    with pytest.raises(ValueError, match="3 parameters of usl need as many points, not 2"):
        fit_law("usl", [1, 2], [1, 2])
    with pytest.raises(ValueError, match="there is no law 'moore'"):
        fit_law("moore", [1, 2], [1, 2])
    two = fit_law("power", [1, 2], [1, 4])
    assert two.estimates["exponent"] == pytest.approx(2)
    assert two.high["exponent"] == math.inf


def test_a_power_law_is_found_again_on_log_axes() -> None:
    n = np.array([1, 2, 4, 8, 16])
    fit = fit_power_law(n, 3 * n**1.7)
    assert (fit.scale, fit.exponent) == (pytest.approx(3), pytest.approx(1.7))
    assert fit.low <= fit.exponent <= fit.high
    assert fit(32) == pytest.approx(3 * 32**1.7)
    noise = np.random.default_rng(1).lognormal(0, 0.1, 5)
    noisy = fit_power_law(n, 3 * n**1.7 * noise)
    assert noisy.low < 1.7 < noisy.high


def test_a_power_law_needs_two_sizes() -> None:
    with pytest.raises(ValueError, match="two different n"):
        fit_power_law([4, 4, 2], [1, 2, 0])
