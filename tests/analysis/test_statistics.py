"""Intervals agree with their definitions (for their coverage see `test_coverage`)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics.intervals import (
    SHARE_METRICS,
    Interval,
    interval_of_metric,
    mean_interval,
    proportion_interval,
    quantile_interval,
    ratio_of_means_interval,
    replications_for_quantile,
)
from analysis.statistics.quantiles import quantile_of
from analysis.statistics.summaries import summary


def test_pairs_narrow_the_interval_of_a_ratio() -> None:
    rng = np.random.default_rng(3)
    paired, unpaired = [], []
    for _ in range(100):
        run = rng.lognormal(0, 0.5, 80)
        x, y = 20 * run * rng.lognormal(0, 0.1, 80), 10 * run * rng.lognormal(0, 0.1, 80)
        for widths, above in ((paired, x), (unpaired, rng.permutation(x))):
            interval = ratio_of_means_interval(above, y)
            widths.append(interval.high - interval.low)
    assert np.mean(paired) < 0.4 * np.mean(unpaired)


def test_a_ratio_of_two_means_is_fiellers() -> None:
    # The ends are the ratios at which the paired t test of x - r y just rejects.
    rng = np.random.default_rng(4)
    x, y = rng.lognormal(0, 0.6, 10), rng.lognormal(1, 0.6, 10)
    found = ratio_of_means_interval(x, y)
    for end in (found.low, found.high):
        assert stats.ttest_1samp(x - end * y, 0.0).pvalue == pytest.approx(0.05)


@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_the_interval_of_a_ratio_turned_round_is_that_turned_round(sigma: float) -> None:
    # Skewness on either side is allowed for at either end, by the same amount.
    rng = np.random.default_rng(7)
    for _ in range(20):
        x, y = np.exp(sigma * rng.normal(size=12)), rng.uniform(0.8, 1.2, 12)
        found, turned = ratio_of_means_interval(x, y), ratio_of_means_interval(y, x)
        assert 1.0 / turned.high == pytest.approx(found.low, rel=1e-6, abs=1e-12)
        if math.isfinite(found.high):
            assert 1.0 / turned.low == pytest.approx(found.high, rel=1e-6)


def test_a_ratio_over_what_may_be_zero_has_no_upper_end() -> None:
    found = ratio_of_means_interval([1.0, 2.0, 1.5, 1.0], [0.0, 0.0, 0.1, 5.0])
    assert 0.0 < found.low < found.estimate
    assert found.high == math.inf
    assert ratio_of_means_interval([1.0, 2.0], [0.0, 0.0]) == Interval(math.inf, 0.0, math.inf)
    assert ratio_of_means_interval([2.0], [1.0]) == Interval(2.0, 0.0, math.inf)
    with pytest.raises(ValueError, match=r"from 0 up, found -0\.5"):
        ratio_of_means_interval([1.0, -2.0], [1.0, 2.0])


def test_ratios_of_constants_are_known() -> None:
    assert ratio_of_means_interval([6.0] * 5, [3.0] * 5) == Interval(2.0, 2.0, 2.0)
    assert ratio_of_means_interval([0.0] * 5, [3.0] * 5) == Interval(0.0, 0.0, 0.0)


def test_a_success_share_of_all_leaves_room_for_failures() -> None:
    # Ten of ten: the share may be .025 ** .1 = 0.69, and the time to success as much longer.
    found = ratio_of_means_interval([10.0] * 10, [True] * 10)
    assert (found.low, found.estimate) == (10.0, 10.0)
    assert found.high == pytest.approx(10.0 / 0.025**0.1)


def test_shares_have_intervals_of_some_width_inside_0_and_1() -> None:
    all_of_100 = proportion_interval([1.0] * 100)
    assert (all_of_100.estimate, all_of_100.high) == (1.0, 1.0)
    assert all_of_100.low == pytest.approx(0.025**0.01)  # Clopper & Pearson
    exact = stats.binomtest(7, 20).proportion_ci(method="exact")
    found = proportion_interval([1] * 7 + [0] * 13)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    rng = np.random.default_rng(5)
    for values in ([0.8] * 30, rng.beta(20, 0.2, 10), [0.0, 0.3], [1 - 1e-12, 1 + 1e-12], [0.4]):
        found = proportion_interval(values)
        assert 0.0 <= found.low < found.high <= 1.0
        assert found.low <= found.estimate <= found.high
    with pytest.raises(ValueError, match="from 0 to 1, found 0 to 2"):
        proportion_interval([0, 2])


def test_a_metric_has_the_interval_that_suits_it() -> None:
    ones = [1.0] * 50
    for metric in SHARE_METRICS:
        assert interval_of_metric(ones, metric).low < 1.0
    assert interval_of_metric(ones, "makespan_s") == Interval(1.0, 1.0, 1.0)


def test_one_value_says_nothing_of_how_far_the_mean_is() -> None:
    assert mean_interval([3.0]) == Interval(3.0, -math.inf, math.inf)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5, 0.95, 0.99])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
def test_the_ends_of_a_quantile_are_at_the_ranks_of_the_binomial_distribution(
    share: float, confidence: float
) -> None:
    for count in (2, 3, 10, 59, 368, 1000, 20_011):
        x = np.arange(float(count))
        found = quantile_interval(x, share, confidence)
        low, high = stats.binom.ppf([(1 - confidence) / 2, (1 + confidence) / 2], count, share)
        assert found.low == (min(low - 1, found.estimate) if low > 0 else -math.inf)
        assert found.high == (max(high, found.estimate) if high < count else math.inf)


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40),
    st.floats(0.0, 1.0) | st.sampled_from([0.05, 0.5, 0.95, 0.99]),
)
def test_a_quantile_is_that_of_numpy_to_the_last_bit(values: list[float], share: float) -> None:
    assert quantile_of(np.sort(values), share) == np.quantile(values, share)
    assert math.isnan(quantile_of(np.array([*values, math.nan]), share))


def test_a_quantile_at_a_value_does_not_depend_on_infinite_ones_beside_it() -> None:
    assert quantile_of(np.array([1.0, 2.0, math.inf]), 0.5) == 2.0
    assert quantile_of(np.array([1.0, math.inf]), 1.0) == math.inf


def test_a_quantile_that_so_few_values_leave_open_has_no_end() -> None:
    x = np.arange(1.0, 101.0)
    far = quantile_interval(x, 0.99)
    assert far.high == math.inf
    assert far.low == 97.0  # the third largest: P(three or more of 100 above the 99 %) = 0.08
    assert quantile_interval(x, 0.01).low == -math.inf
    assert replications_for_quantile(0.99) == replications_for_quantile(0.01) == 368
    assert quantile_interval(np.arange(367.0), 0.99).high == math.inf
    assert quantile_interval(np.arange(368.0), 0.99).high == 367.0


def test_unpaired_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        ratio_of_means_interval([1, 2], [1, 2, 3])


def test_a_summary_has_a_row_a_metric() -> None:
    table = summary(pd.DataFrame({"a": [1.0, 2, 3], "b": [5.0, 5, 5]}), ["a", "b"])
    assert table.loc["a", ["mean", "p50"]].tolist() == [2, 2]
    assert table.loc["b", ["low", "high"]].tolist() == [5, 5]
    assert table.loc["a", "p99_high"] == math.inf
