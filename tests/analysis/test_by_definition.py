"""Intervals, fits, selections and warm-ups beside what their definitions give by hand."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.statistics.completion import linearised, ratio_to_success, to_success
from analysis.statistics.intervals import (
    difference_of_shares_interval,
    mean_interval,
    proportion_interval,
    quantile_interval,
    ratio_of_means_interval,
    ratio_of_products_interval,
)
from analysis.statistics.law_fits import compare_laws, fit_law, fit_power_law
from analysis.statistics.laws import LAWS, logistic, usl_peak, usl_speedup
from analysis.statistics.least_squares import least_squares, small_sample_aic
from analysis.statistics.repeated import always_right
from analysis.statistics.selection import difference_errors, kim_nelson, rank
from analysis.statistics.steady_state import (
    correlation_length,
    mser5,
    replication_deletion,
    steady_mean,
    steady_state,
    task_times,
)
from analysis.statistics.summaries import summary
from analysis.statistics.unseen import most_unseen
from simulator.engine import Simulation
from simulator.model.trace import Event, Row, Trace
from tests.conftest import agent, scenario


def pairs(both: int, first: int, second: int, neither: int) -> tuple[list[int], list[int]]:
    """Return paired outcomes: so many with both right, the first only, the second only, none."""
    counts = ((1, 1), both), ((1, 0), first), ((0, 1), second), ((0, 0), neither)
    rows = [pair for pair, count in counts for _ in range(count)]
    return [x for x, _ in rows], [y for _, y in rows]


TABLES = [(5, 3, 1, 1), (2, 2, 2, 2), (0, 4, 5, 0), (9, 0, 0, 3), (20, 7, 1, 9), (1, 0, 0, 1)]


def correlation(both: int, first: int, second: int, neither: int) -> float:
    """Return phi, the correlation of two outcomes, from their table."""
    ones, others = (both + first, both + second), (second + neither, first + neither)
    product = math.prod(ones) * math.prod(others)
    return (both * neither - first * second) / math.sqrt(product) if product else 0.0


@pytest.mark.parametrize("table", TABLES)
def test_the_difference_of_two_shares_is_that_of_the_pairs_that_differ(
    table: tuple[int, int, int, int],
) -> None:
    first, second = pairs(*table)
    found = difference_of_shares_interval(first, second)
    both, a, b, neither = table
    n = len(first)
    (l1, u1), (l2, u2) = (stats.binomtest(k, n).proportion_ci(method="exact") for k in (a, b))
    r, p, q = correlation(0, a, b, both + neither), a / n, b / n  # no pair is both of these
    below = (p - l1) ** 2 - 2 * r * (p - l1) * (u2 - q) + (u2 - q) ** 2
    above = (u1 - p) ** 2 - 2 * r * (u1 - p) * (q - l2) + (q - l2) ** 2
    ends = (p - q, p - q - math.sqrt(max(below, 0)), p - q + math.sqrt(max(above, 0)))
    assert (found.estimate, found.low, found.high) == pytest.approx(ends, abs=1e-7)
    back = difference_of_shares_interval(second, first)
    turned = (-back.estimate, -back.high, -back.low)
    assert turned == pytest.approx(ends, abs=1e-7)


def test_the_difference_of_shares_stays_inside_its_range() -> None:
    found = difference_of_shares_interval([1] * 3, [0] * 3)
    assert (found.estimate, found.high) == (1.0, 1.0)
    assert found.low < 1.0
    # Opposite outcomes: both distances add up.
    one, other = [1, 1, 0], [0, 0, 1]
    opposite = difference_of_shares_interval(one, other)
    first, second = proportion_interval(one), proportion_interval(other)
    assert (opposite.low, opposite.high) == pytest.approx(
        (first.low - second.high, first.high - second.low)
    )
    with pytest.raises(ValueError, match="differ in length"):
        difference_of_shares_interval([1], [1, 0])


@pytest.mark.parametrize("table", [table for table in TABLES if table[0] + table[2]])
def test_a_ratio_of_two_shares_combines_logarithms_with_their_correlation(
    table: tuple[int, int, int, int],
) -> None:
    """Zou and Donner 2008 on the logarithmic scale: that of 1 / q has the opposite sign."""
    first, second = pairs(*table)
    found = ratio_of_means_interval(first, second)
    one, other = proportion_interval(first), proportion_interval(second)
    r = correlation(*table)

    def distance(a: float, b: float) -> float:
        return math.sqrt(max(0.0, a * a - 2 * r * a * b + b * b))

    ratio = one.estimate / other.estimate
    down = distance(math.log(one.estimate / one.low), math.log(other.high / other.estimate))
    up = distance(math.log(one.high / one.estimate), math.log(other.estimate / other.low))
    ends = (ratio, ratio * math.exp(-down), ratio * math.exp(up))
    assert (found.estimate, found.low, found.high) == pytest.approx(ends)


def test_a_mean_over_a_share_combines_its_interval_with_that_of_the_share() -> None:
    rng = np.random.default_rng(6)
    x, done = rng.lognormal(3, 0.3, 40), np.arange(40) % 5 > 0
    found = to_success(x, done)
    mean, share = mean_interval(x), proportion_interval(done)
    r = float(np.corrcoef(x, done)[0, 1])
    for end, side in ((found.low, -1), (found.high, 1)):
        a = abs(math.log((mean.low if side < 0 else mean.high) / x.mean()))
        b = abs(math.log((share.high if side < 0 else share.low) / share.estimate))
        # A run that has finished pulls the ratio down: the correlation counts the other way.
        expected = math.sqrt(a * a - 2 * r * a * b + b * b)
        assert side * math.log(end / found.estimate) == pytest.approx(expected)


@pytest.mark.parametrize("count", [5, 12])
def test_a_ratio_of_means_ends_where_the_mean_of_differences_may_just_be_0(count: int) -> None:
    rng = np.random.default_rng(count)
    x, y = rng.lognormal(0, 0.8, count), rng.normal(10, 1, count)
    for one, other in ((x, y), (y, x)):
        found = ratio_of_means_interval(one, other)
        ends = [mean_interval(one - found.low * other).low,
                mean_interval(one / found.high - other).high]  # fmt: skip
        assert ends == pytest.approx([0.0, 0.0], abs=1e-7)
    proportional = ratio_of_means_interval(3 * y, y)
    assert (proportional.low, proportional.high) == pytest.approx((3.0, 3.0), rel=1e-6)


@pytest.mark.parametrize("count", [2, 3, 10])
def test_a_ratio_of_products_is_that_of_its_factors(count: int) -> None:
    rng = np.random.default_rng(count)
    x, y, z = rng.lognormal(0, 0.2, (3, count))
    found = ratio_of_products_interval([x, y], [z])
    assert found.estimate == pytest.approx(x.mean() * y.mean() / z.mean())
    assert 0.0 <= found.low < found.estimate < found.high
    # A constant factor multiplies all three.
    alone, scaled = (ratio_of_products_interval([x, k], [z]) for k in (2 + 0 * x, 6 + 0 * x))
    ends = (3 * alone.estimate, 3 * alone.low, 3 * alone.high)
    assert (scaled.estimate, scaled.low, scaled.high) == pytest.approx(ends)


@pytest.mark.parametrize("seed", range(6))
def test_the_interval_of_a_ratio_turned_over_is_turned_over(seed: int) -> None:
    """Times and outcomes on both sides, of the same runs: correlations of every sign."""
    rng = np.random.default_rng(seed)
    luck = rng.normal(0, 1, 12)
    x, y = np.exp(0.3 * luck + rng.normal(0, 0.2, (2, 12)))
    some, others = luck > -0.7, rng.normal(0, 1, 12) - 0.5 * luck > -0.7
    found = ratio_of_products_interval([x, some], [y, others])
    back = ratio_of_products_interval([y, others], [x, some])
    assert (1 / back.high, 1 / back.estimate, 1 / back.low) == pytest.approx(
        (found.low, found.estimate, found.high)
    )
    # Luck that makes a run long and done at once is in both: where they divide it cancels out.
    together = ratio_of_products_interval([x, luck < 0.7], [np.ones(12) * 2])
    apart = ratio_of_products_interval([x], [luck < 0.7, np.ones(12) * 2])
    r = np.corrcoef(x, luck < 0.7)[0, 1]
    widths = [math.log(each.high / each.low) for each in (together, apart)]
    assert (widths[0] < widths[1]) == (r < 0)


def test_a_summary_has_the_standard_deviation_of_a_sample_and_each_quantile() -> None:
    values = [1.0, 2.0, 4.0, 8.0, 16.0]
    row = summary(pd.DataFrame({"a": values}), ["a"]).loc["a"]
    assert row["sd"] == pytest.approx(pd.Series(values).std())  # n - 1
    for name, share in (("p5", 0.05), ("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        assert row[name] == pytest.approx(np.quantile(values, share))
    assert math.isnan(summary(pd.DataFrame({"a": [3.0]}), ["a"]).loc["a", "sd"])
    two = summary(pd.DataFrame({"a": [3.0, 5.0]}), ["a"])
    assert two.loc["a", "sd"] == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize(("share", "end"), [(0.0, 1.0), (1.0, 4.0)])
def test_the_least_and_the_largest_of_all_are_quantiles(share: float, end: float) -> None:
    found = quantile_interval([4.0, 1.0, 2.0], share)
    assert found.estimate == end
    assert (found.low, found.high)[int(share)] == (math.inf if share else -math.inf)


# Laws and fits.


def test_logistic_growth_is_half_its_ceiling_in_the_middle() -> None:
    assert logistic([-1000, 7, 1000], 12.0, 0.5, 7.0) == pytest.approx([0, 6, 12])
    # Each 1 / rate beyond the middle multiplies the odds by e.
    share = logistic(9.0, 1.0, 0.5, 7.0)
    assert share / (1 - share) == pytest.approx(math.e)


CURVES: dict[str, Any] = {
    "amdahl": lambda n, scale, p: scale / (1 - p + p / n),
    "gustafson": lambda n, scale, p: scale * (n - (1 - p) * (n - 1)),
    "usl": lambda n, scale, s, k: scale * n / (1 + s * (n - 1) + k * n * (n - 1)),
    "power": lambda n, scale, exponent: scale * n**exponent,
    "channels": lambda n, base, each: base + each * n * (n - 1) / 2,
    "logistic": lambda n, ceiling, r, m: ceiling / (1 + math.exp(-r * (n - m))),
}


@pytest.mark.parametrize("name", CURVES)
def test_the_curve_of_a_law_is_its_formula(name: str) -> None:
    for values in itertools.product((0.3, 0.7), repeat=len(LAWS[name].start)):
        for n in (1.0, 2.0, 7.0, 40.0):
            assert LAWS[name].curve(n, *values) == pytest.approx(CURVES[name](n, *values))
    assert set(CURVES) == set(LAWS)


@pytest.mark.parametrize("sigma", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("kappa", [0.001, 0.02])
def test_the_peak_of_the_usl_is_where_it_is_largest(sigma: float, kappa: float) -> None:
    n = np.linspace(1, 60, 200_001)
    found = n[np.argmax(usl_speedup(n, sigma, kappa))]
    assert found == pytest.approx(max(1.0, usl_peak(sigma, kappa)), abs=1e-2)
    assert usl_peak(1.5, kappa) == 0.0  # more contention than work: one is best


@pytest.mark.parametrize("count", [3, 4, 9])
def test_a_fit_of_a_straight_line_has_the_textbooks_intervals(count: int) -> None:
    rng = np.random.default_rng(count)
    x = np.arange(float(count))
    y = 100 + 3 * x + rng.normal(0, 1, count)
    found = least_squares(lambda b: b[0] + b[1] * x, y, [0.0, 0.0], [(-np.inf, np.inf)] * 2, 0.9)
    line = stats.linregress(x, y)
    t = stats.t.ppf(0.95, count - 2)
    errors = np.array([line.intercept_stderr, line.stderr])
    assert found.values == pytest.approx([line.intercept, line.slope], rel=1e-6)
    assert found.low == pytest.approx(found.values - t * errors, rel=1e-5)
    assert found.high == pytest.approx(found.values + t * errors, rel=1e-5)
    rest = y - line.intercept - line.slope * x
    assert found.rss == pytest.approx((rest**2).sum(), rel=1e-6)


def test_intervals_of_a_fit_end_at_its_bounds() -> None:
    x = np.arange(5.0)
    y = np.array([0.1, -0.2, 0.3, -0.1, 0.1])
    found = least_squares(lambda b: b[0] * x, y, [5.0], [(0.0, 0.05)])
    assert 0.0 <= found.low[0] <= found.values[0] <= found.high[0] <= 0.05
    exact = least_squares(lambda b: b[0] * x[:1] + b[0], y[:1], [1.0], [(-np.inf, np.inf)])
    assert (exact.low[0], exact.high[0]) == (-math.inf, math.inf)  # no point is left over


def test_a_parameter_that_the_points_do_not_determine_has_no_ends() -> None:
    x, free = np.arange(1.0, 7.0), [(-np.inf, np.inf)]
    y = 3.0 + 2.0 * x + 0.1 * np.random.default_rng(1).normal(size=6)
    sum_of_two = least_squares(lambda b: (b[0] + b[1]) * x + b[2], y, [1.0, 2.0, 0.0], free * 3)
    line = least_squares(lambda b: b[0] * x + b[1], y, [1.0, 0.0], free * 2)
    t = stats.t.ppf(0.975, [4, 3])  # a degree of freedom less, where a parameter does nothing
    half = (line.high[1] - line.low[1]) / 2.0 / t[0] * t[1] * math.sqrt(4 / 3)
    assert np.isneginf(sum_of_two.low[:2]).all()
    assert np.isposinf(sum_of_two.high[:2]).all()
    assert (sum_of_two.high[2] - sum_of_two.low[2]) / 2.0 == pytest.approx(half, rel=1e-4)
    idle = least_squares(lambda b: b[0] * x, y, [1.0, 2.0], [*free, (0.0, 5.0)])
    assert (idle.low[1], idle.high[1]) == (0.0, 5.0)  # its bounds are all that is known
    law = fit_law("usl", [1, 1, 1, 2, 2], [1.0, 1.1, 0.9, 1.8, 1.7])
    assert (law.low["sigma"], law.high["sigma"]) == (0.0, 1.0)  # of two sizes, with kappa


def test_units_of_parameters_do_not_matter_to_their_intervals() -> None:
    x, free = np.arange(1.0, 7.0), [(-np.inf, np.inf)] * 2
    y = 3.0 * x + 0.1 * x**2 + 0.1 * np.random.default_rng(2).normal(size=6)
    same = [least_squares(lambda b, u=u: b[0] * x + u * b[1] * x**2, y, [1.0, 0.1 / u], free)
            for u in (1.0, 1e-9)]  # fmt: skip
    for end in ("low", "high"):
        ends = [getattr(each, end) for each in same]
        assert ends[1] * [1.0, 1e-9] == pytest.approx(ends[0], rel=1e-4)


@pytest.mark.parametrize("points", [4, 5, 6, 30])
@pytest.mark.parametrize("parameters", [1, 2, 3])
def test_akaikes_criterion_for_few_points(points: int, parameters: int) -> None:
    found = small_sample_aic(2.5, points, parameters, 100.0)
    left = points - parameters - 1
    if left <= 0:
        assert found == math.inf
        return
    # Hurvich and Tsai 1989: 2 k points over what is left, in place of 2 k.
    plain = points * math.log(2.5 / points)
    assert found == pytest.approx(plain + 2 * parameters * points / left)


def test_laws_are_weighed_by_the_difference_of_their_criteria() -> None:
    n = np.array([1, 2, 3, 4, 6, 8, 12, 16], dtype=float)
    y = n**0.6 * np.random.default_rng(2).lognormal(0, 0.05, len(n))
    table = compare_laws(n, y).set_index("law")
    weights = np.exp(-(table["aic"] - table["aic"].min()) / 2)
    assert table["weight"].tolist() == pytest.approx((weights / weights.sum()).tolist())
    assert table["aic"].is_monotonic_increasing
    for name in table.index:
        fit = fit_law(name, n, y)
        rest = ((y - fit(n)) ** 2).sum()
        assert table.loc[name, "r_squared"] == pytest.approx(1 - rest / ((y - y.mean()) ** 2).sum())
        k = len(fit.estimates) + 1  # the variance is a parameter, too
        aic = small_sample_aic(rest, len(n), k, float((y**2).sum()))
        assert table.loc[name, "aic"] == pytest.approx(aic)
    fixed = compare_laws(n, y, ["amdahl", "logistic"], {"scale": 1.0}).set_index("law")
    assert "scale 1," in fixed.loc["amdahl", "parameters"]
    assert "[" in fixed.loc["amdahl", "parameters"]
    assert "scale" not in fixed.loc["logistic", "parameters"]


@pytest.mark.parametrize("count", [2, 3, 8])
def test_the_exponent_of_a_power_law_has_the_interval_of_the_slope(count: int) -> None:
    n = np.arange(1.0, count + 1)
    y = 3 * n**1.3 * np.random.default_rng(count).lognormal(0, 0.1, count)
    found = fit_power_law([0.0, *n, 5.0, 6.0], [4.0, *y, 0.0, math.nan], confidence=0.8)
    if count == 2:
        assert (found.low, found.high) == (-math.inf, math.inf)
        return
    line = stats.linregress(np.log(n), np.log(y))
    half = stats.t.ppf(0.9, count - 2) * line.stderr
    assert (found.exponent, found.low, found.high) == pytest.approx(
        (line.slope, line.slope - half, line.slope + half)
    )
    assert fit_power_law([0.5, 2.0], [0.25, 4.0]).exponent == pytest.approx(2.0)


# Selection.


def test_errors_of_differences_are_those_of_pairs() -> None:
    x = np.random.default_rng(3).normal(0, 1, (4, 7))
    errors = difference_errors(x)
    for i, j in itertools.product(range(4), repeat=2):
        assert errors[i, j] == pytest.approx(stats.sem(x[i] - x[j]), abs=1e-12)


@pytest.mark.parametrize("systems", [2, 3, 5])
@pytest.mark.parametrize("count", [2, 3, 12])
def test_what_is_behind_the_first_has_bonferronis_interval(count: int, systems: int) -> None:
    rng = np.random.default_rng(10 * systems + count)
    samples = {str(i): 10 + i + rng.normal(0, 1, count) for i in range(systems)}
    table = rank(samples, confidence=0.9)
    first = samples[table["system"].iloc[0]]
    each = 1 - 0.1 / math.comb(systems, 2)  # joint confidence over all pairs
    for row in table.iloc[1:].itertuples():
        exact = mean_interval(samples[row.system] - first, each)
        assert (row.behind_low, row.behind_high) == pytest.approx((exact.low, exact.high))
        assert row.behind == pytest.approx((samples[row.system] - first).mean())
    own = mean_interval(first, 0.9)
    assert (table["low"].iloc[0], table["high"].iloc[0]) == (own.low, own.high)
    assert table["behind"].iloc[0] == 0.0


@pytest.mark.parametrize("indifference", [0.0, 0.01, 0.1])
def test_of_two_systems_the_first_is_the_best_unless_the_other_is_better_by_chance(
    indifference: float,
) -> None:
    rng = np.random.default_rng(4)
    a, b = 10 + rng.normal(0, 1, 9), 10.6 + rng.normal(0, 1, 9)
    zone = indifference * min(a.mean(), b.mean())
    p_best = rank({"a": a, "b": b}, indifference=indifference).set_index("system")["p_best"]
    # The confidence of a one-sided interval whose end is the indifference.
    end = mean_interval(a - b, 2 * p_best["a"] - 1).high
    assert end == pytest.approx(zone) if p_best["a"] < 0.99 else end <= zone
    t = (zone - (b - a).mean()) / stats.sem(b - a)
    assert p_best["b"] <= 1 - stats.t.sf(t, 8) + 1e-12  # never surer than Student's test


def test_a_system_that_is_certainly_worse_is_not_the_best() -> None:
    table = rank({"a": np.full(5, 10.0), "b": np.full(5, 10.05), "c": np.full(5, 12.0)})
    # Nothing varies: b is worse by less than 1 %, c by more.
    assert table["p_best"].fillna(-1.0).tolist() == [0.99, 0.99, -1.0]  # of the last nothing
    assert table["may_be_best"].tolist() == [True, False, False]
    with pytest.raises(ValueError, match="differ in length"):
        rank({"a": [1.0, 2.0], "b": [1.0]})


@pytest.mark.parametrize("systems", [2, 4])
@pytest.mark.parametrize("first_stage", [4, 10, 21])
@pytest.mark.parametrize("behind", [0.1, 0.4, 3.0])
def test_kim_and_nelson_drop_a_system_when_its_sum_leaves_the_triangle(
    first_stage: int, systems: int, behind: float
) -> None:
    """W(r) = delta / 2 (h^2 S^2 / delta^2 - r), h^2 = 2 eta (n0 - 1): Kim and Nelson 2001."""
    delta, spread = 0.5, 1.0

    def simulate(i: int, r: int) -> float:
        # All others are the same, behind by a constant and a wave that adds up to 0.
        return 0.0 if i == 0 else -behind + spread * (-1) ** r

    found = kim_nelson(simulate, systems, delta, first_stage=first_stage, confidence=0.9)
    wave = np.array([spread * (-1) ** r for r in range(first_stage)])
    eta = ((2 * 0.1 / (systems - 1)) ** (-2 / (first_stage - 1)) - 1) / 2
    reach = 2 * eta * (first_stage - 1) * wave.var(ddof=1) / delta**2

    def is_left(r: int) -> bool:  # the others, after r replications
        sum_of_differences = r * behind - sum(spread * (-1) ** k for k in range(r))
        return -sum_of_differences < -max(0.0, delta / 2 * (reach - r))

    expected = next(r for r in range(first_stage, 10_000) if is_left(r))
    assert found.best == 0
    assert list(found.replications) == [expected] * systems


def test_kim_and_nelson_end_with_the_best_mean_when_they_may_go_no_further() -> None:
    values = {0: [0.0, 0.0, 9.0], 1: [2.0, 2.0, 2.0]}
    found = kim_nelson(lambda i, r: values[i][r % 3], 2, 0.01, first_stage=3, most=3)
    assert (found.best, list(found.replications)) == (0, [3, 3])  # a mean of 3, a median of 0
    assert kim_nelson(lambda i, r: float(r), 1, 0.1, first_stage=2).best == 0
    for systems, first_stage in ((0, 5), (2, 1)):
        with pytest.raises(ValueError, match="needs a system and two replications"):
            kim_nelson(lambda i, r: 0.0, systems, 0.1, first_stage=first_stage)


def test_kim_and_nelson_end_with_systems_that_cannot_be_told_apart() -> None:
    """Where no sum may fall behind (N_il + 1 replications), the largest mean is selected."""
    wave = [0.0, 1.0, 2.0]
    same = kim_nelson(lambda i, r: wave[r % 3], 3, 0.1, first_stage=6)
    assert list(same.replications) == [6, 6, 6]
    assert same.best in range(3)

    def simulate(i: int, r: int) -> float:  # equal sums after the first stage
        return float(i * (-1) ** r) if r < 4 else 0.0

    found = kim_nelson(simulate, 2, 1.0, first_stage=4, confidence=0.9)
    eta = ((2 * 0.1) ** (-2 / 3) - 1) / 2
    closes = 2 * eta * 3 * np.var([1.0, -1.0, 1.0, -1.0], ddof=1)
    assert closes > 4
    assert list(found.replications) == [int(np.ceil(closes))] * 2


@pytest.mark.parametrize("right", [[-1, 2], [2, 4], [-1, 4]])
def test_counts_that_cannot_be_are_refused_wherever_they_stand(right: list[int]) -> None:
    for each in (right, right[::-1]):
        with pytest.raises(ValueError, match="times of 3"):
            always_right(each, 3, 1)


# Warm-ups and batch means.


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("count", [10, 11, 24, 25, 101])
def test_a_warm_up_leaves_the_least_standard_error(count: int, batch: int) -> None:
    rng = np.random.default_rng(count)
    for height in (0.0, 5.0, -20.0):
        x = rng.normal(0, 1, count) + height * np.exp(-np.arange(count) / 5)
        if count // batch < 2:
            continue
        means = [x[i * batch : (i + 1) * batch].mean() for i in range(count // batch)]
        # The squared standard error of what is left, by the variance with n (White et al. 2000).
        errors = [np.var(means[d:]) / (len(means) - d) for d in range(len(means) // 2 + 1)]
        assert mser5(x, batch) == batch * int(np.argmin(errors))


def test_a_warm_up_may_be_half_of_the_run() -> None:
    assert mser5([9.0] * 10 + [1.0] * 10) == 10
    with pytest.raises(ValueError, match="at least 10 observations, not 9"):
        mser5(np.arange(9.0))


def autoregressive(phi: float, count: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    shocks, x = rng.normal(0, 1, count), np.empty(count)
    x[0] = shocks[0] / math.sqrt(1 - phi * phi)
    for i in range(1, count):
        x[i] = phi * x[i - 1] + shocks[i]
    return x


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
def test_the_correlation_length_of_an_autoregressive_process(phi: float) -> None:
    rng = np.random.default_rng(7)
    runs = [autoregressive(phi, 20_000, rng) for _ in range(5)]
    exact = (1 + phi) / (1 - phi)
    # 100,000 observations: the standard error of the estimate is about 2 % (Sokal 1997), 4 of them.
    assert correlation_length(runs) == pytest.approx(exact, rel=0.1)
    assert correlation_length([np.full(50, 3.0), np.full(20, 3.0)]) == 1.0
    assert correlation_length([np.tile([1.0, -1.0], 50)]) == 1.0  # never below


def test_a_correlation_length_is_about_the_mean_of_all_runs() -> None:
    """Runs that differ in level are correlated as far as they are long."""
    apart = [np.zeros(40) + level for level in (-1.0, 1.0)]
    assert correlation_length(apart) > 30


@pytest.mark.parametrize("count", [100, 101, 104])
def test_batches_are_equal_and_what_is_left_over_is_dropped_at_the_beginning(count: int) -> None:
    rng = np.random.default_rng(count)
    x = rng.normal(0, 1, count)
    deleted = max(mser5(x), count // 10)
    left = x[deleted:]
    batches = min(20, int(len(left) / (10 * correlation_length([left]))))
    size = len(left) // max(5, batches)
    assert steady_mean(x).estimate == pytest.approx(
        left[len(left) - size * max(5, batches) :].mean()
    )


def test_the_interval_of_batch_means_is_wider_by_the_correlation_of_neighbours() -> None:
    """Factor sqrt((1 + r) / (1 - r)); r is less biased by 1 / n, from 0 to 0.9."""
    rng = np.random.default_rng(11)
    for level in (np.arange(10) >= 5, np.arange(10) % 2, np.arange(10) % 3 == 0):
        # Ten batches of 100, each about its level, after a warm-up of a tenth that is dropped.
        rest = np.repeat(level.astype(float), 100) + rng.normal(0, 3, 1000)
        x = np.concatenate([np.full(112, rest.mean()), rest])
        deleted = max(mser5(x), len(x) // 10)
        length = correlation_length([x[deleted:]])
        count = min(10, max(5, int((len(x) - deleted) / (10 * length))))
        size = (len(x) - deleted) // count
        means = x[len(x) - size * count :].reshape(count, size).mean(axis=1)
        away = means - means.mean()
        r = (away[1:] @ away[:-1]) / ((away[1:] @ away[1:] + away[:-1] @ away[:-1]) / 2)
        r = min(max(r + 1 / count, 0.0), 0.9)
        plain = mean_interval(means)
        found = steady_mean(x, batches=10)
        wider = math.sqrt((1 + r) / (1 - r))
        assert found.estimate == pytest.approx(means.mean())
        assert found.high - found.estimate == pytest.approx(wider * (plain.high - plain.estimate))
        assert found.estimate - found.low == pytest.approx(wider * (plain.estimate - plain.low))


@pytest.mark.parametrize("runs", [2, 5, 20])
def test_runs_are_long_enough_with_ten_correlation_lengths_each_and_a_hundred_in_all(
    runs: int,
) -> None:
    rng = np.random.default_rng(runs)
    series = [autoregressive(0.5, 60, rng) for _ in range(runs)]
    found = replication_deletion(series)
    left = [x[found.deleted :] for x in series]
    wanted = correlation_length(left) * max(10.0, 100.0 / runs)
    assert found.is_long_enough == (len(left[0]) >= wanted)
    assert found.needed == math.ceil(wanted * 60 / len(left[0]))
    average = np.mean(series, axis=0)
    assert found.deleted == max(mser5(average), 6)


@pytest.mark.parametrize("count", [10, 11])
def test_of_a_warm_up_no_observation_counts_for_the_length_of_a_run(count: int) -> None:
    """Ten runs of a constant need ten observations each after the tenth that is dropped."""
    found = replication_deletion([np.full(count, 3.0)] * 10)
    assert (found.deleted, found.needed) == (1, math.ceil(10 * count / (count - 1)))
    assert found.is_long_enough == (count - 1 >= 10)


@pytest.mark.parametrize("runs", [2, 3, 30])
def test_runs_are_cut_into_twenty_batches_in_all_or_into_one_each(runs: int) -> None:
    rng = np.random.default_rng(runs)
    series = [rng.normal(0, 1, 300) for _ in range(runs)]
    found = replication_deletion(series)
    left = [x[found.deleted :] for x in series]
    each = max(1, 20 // runs)
    size = len(left[0]) // each
    means = np.array([x[len(x) - size * each :].reshape(each, size).mean(axis=1) for x in left])
    assert found.interval.estimate == pytest.approx(means.mean())
    plain, width = mean_interval(means.ravel()), found.interval.high - found.interval.low
    if each == 1:
        assert found.interval == plain
        return
    away = means - means.mean()
    r = (away[:, 1:] * away[:, :-1]).sum() / (
        ((away[:, 1:] ** 2).sum() + (away[:, :-1] ** 2).sum()) / 2
    )
    r = min(max(r + 1 / means.size, 0.0), 0.9)
    assert width == pytest.approx((plain.high - plain.low) * math.sqrt((1 + r) / (1 - r)))


def test_times_of_tasks_are_read_from_a_trace() -> None:
    """One agent, a second a task: two tasks come while it is at work, one after."""
    came = [0.0, 0.25, 0.5, 5.0]
    trace = Trace()
    Simulation(
        scenario(
            coordination__timing="asynchronous",
            workload={
                "kind": "dag",
                "tasks": [{"id": str(i), "arrival_s": at} for i, at in enumerate(came)],
            },
        )
    ).run(0, trace)
    table = task_times(trace.rows)
    assert table["task"].tolist() == [0, 1, 2, 3]
    assert table["ready_s"].tolist() == came
    assert table["begun_s"].tolist() == [0.0, 1.0, 2.0, 5.0]
    assert table["done_s"].tolist() == [1.0, 2.0, 3.0, 6.0]
    assert table["wait_s"].tolist() == [0.0, 0.75, 1.5, 0.0]
    assert table["time_in_system_s"].tolist() == [1.0, 1.75, 2.5, 1.0]


def test_a_steady_state_is_what_replication_and_deletion_say_of_the_times_of_its_runs() -> None:
    came = np.cumsum(np.random.default_rng(4).exponential(2.0, 60))
    fed = scenario(
        team__agent=agent(latency={"kind": "seconds", "base": {"kind": "exponential", "mean": 1}}),
        coordination__timing="asynchronous",
        workload={
            "kind": "dag",
            "tasks": [{"id": str(i), "arrival_s": float(at)} for i, at in enumerate(came)],
        },
    )
    told: list[tuple[int, int]] = []
    table = steady_state(fed, 3, progress=lambda *done: told.append(done)).set_index("measure")
    assert told == [(1, 3), (2, 3), (3, 3)]
    traces = [Trace(replication) for replication in range(3)]
    for replication, trace in enumerate(traces):
        Simulation(fed).run(replication, trace)
    for measure in ("wait_s", "time_in_system_s"):
        runs = [task_times(trace.rows)[measure].to_numpy() for trace in traces]
        found = replication_deletion(runs, confidence=0.95)
        assert table.loc[measure].tolist() == [
            found.interval.estimate, found.interval.low, found.interval.high,
            found.deleted, found.needed, found.is_long_enough,
        ]  # fmt: skip


def test_a_task_done_ahead_of_its_turn_has_not_waited() -> None:
    """One call does a chain: each task can start while the call is under way, or has ended."""
    trace = Trace()
    Simulation(
        scenario(
            team__agent=agent(batch=3),
            coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
            workload={"kind": "parallel_fraction", "tasks": 3, "parallel_fraction": 0},
        )
    ).run(0, trace)
    table = task_times(trace.rows)
    assert len(table) == 3
    assert (table["wait_s"] >= 0.0).all()
    assert (table["begun_s"] <= table["done_s"]).all()


# Times to success.


@pytest.mark.parametrize("failing", [1, 3, 7])
def test_linearised_times_have_the_mean_and_the_error_of_the_delta_method(failing: int) -> None:
    rng = np.random.default_rng(failing)
    spent, done = rng.lognormal(2, 0.4, 10), np.arange(10) >= failing
    found = linearised(spent, done)
    ratio = spent.mean() / done.mean()
    assert found.mean() == pytest.approx(ratio) == pytest.approx(to_success(spent, done).estimate)
    # A run that takes longer makes it longer, one that has failed does, too.
    assert np.corrcoef(found[done], spent[done])[0, 1] == pytest.approx(1.0)
    same = linearised(np.full(10, 5.0), done)
    assert same[~done].min() > same[done].max()
    covariance = np.cov(spent, done)
    slope = np.array([1 / done.mean(), -spent.mean() / done.mean() ** 2])
    assert found.var(ddof=1) == pytest.approx(slope @ covariance @ slope)
    with pytest.raises(ValueError, match="no run finished"):
        linearised(spent, np.zeros(10))


def test_a_speed_up_to_success_counts_failures_on_both_sides() -> None:
    rng = np.random.default_rng(5)
    before, after = rng.lognormal(3, 0.2, (2, 12))
    every, some = np.ones(12), np.arange(12) % 4 > 0
    for alone, team in itertools.product((every, some), repeat=2):
        found = ratio_to_success(before, alone, after, team)
        exact = before.mean() / alone.mean() / (after.mean() / team.mean())
        assert found.estimate == pytest.approx(exact)
        assert found.low < exact < found.high
    same = ratio_to_success(before, some, before, every)
    assert (same.low, same.high) != (1.0, 1.0)  # as long, but not as often
    assert ratio_to_success(before, some, before, some).high == 1.0


@pytest.mark.parametrize("seed", range(8))
def test_the_interval_of_an_inverse_ratio_is_the_inverse_interval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    skewed = rng.lognormal(0, 1, size=(2, 20))
    ratio = ratio_of_means_interval(skewed[0], skewed[1])
    inverse = ratio_of_means_interval(skewed[1], skewed[0])
    assert 0 <= ratio.low < ratio.estimate < ratio.high < math.inf
    ends = [1 / ratio.high, 1 / ratio.estimate, 1 / ratio.low if ratio.low else math.inf]
    assert [inverse.low, inverse.estimate, inverse.high] == pytest.approx(ends, rel=1e-6)


@pytest.mark.parametrize("runs", [1, 10, 300])
def test_what_is_most_unseen_is_missed_by_all_runs_with_five_percent(runs: int) -> None:
    assert (1 - most_unseen(runs)) ** runs == pytest.approx(0.05)


def test_a_task_that_is_done_again_is_ready_when_it_was_first() -> None:
    rows = [
        Row(at_s, event, agent=0, call=call, task=0, outcome=outcome)
        for at_s, event, call, outcome in (
            (1.0, Event.TASK_READY, None, None),
            (2.0, Event.CALL_START, 0, None),
            (3.0, Event.ATTEMPT, 0, "failed_test"),
            (3.0, Event.TASK_READY, None, None),
            (5.0, Event.CALL_START, 1, None),
            (6.0, Event.ATTEMPT, 1, "done"),
        )
    ]
    (found,) = task_times(rows).to_dict("records")
    assert (found["ready_s"], found["begun_s"], found["done_s"]) == (1.0, 5.0, 6.0)
