"""Times to success if some runs do not finish: unbiased, with intervals of the right coverage."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy.stats import norm

from analysis.statistics.completion import (
    UNKNOWN,
    linearised,
    quantile_to_finish,
    runs_finished,
    speedup,
    time_to_success,
    to_success,
    with_time_to_success,
)
from analysis.statistics.differences import difference_to_success
from analysis.statistics.intervals import Interval, mean_interval, quantile_interval
from analysis.statistics.summaries import summary

Array = npt.NDArray[np.float64]


def runs_until(deadline_s: float, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return runs that take 100 s in the median and are stopped at a deadline."""
    needs = rng.lognormal(math.log(100.0), 0.4, count)
    return pd.DataFrame(
        {"makespan_s": np.minimum(needs, deadline_s), "success": needs <= deadline_s}
    )


def test_failed_runs_are_started_again_until_one_finishes() -> None:
    """Wald's identity against trials played out: |z| < 4 over 4,000 of them, seed fixed."""
    rng = np.random.default_rng(1)
    truth = time_to_success(runs_until(90.0, 400_000, rng)).estimate
    tries = runs_until(90.0, 4000 * 60, rng)
    lengths, done = (tries[name].to_numpy().reshape(4000, 60) for name in ("makespan_s", "success"))
    assert done.any(axis=1).all()
    first = np.argmax(done, axis=1)
    waits = np.cumsum(lengths, axis=1)[np.arange(4000), first]
    error = np.std(waits, ddof=1) / math.sqrt(len(waits))
    assert abs(np.mean(waits) - truth) < 4 * error
    assert truth > 1.5 * np.mean(runs_until(90.0, 1000, rng)["makespan_s"])


def test_where_all_finish_a_time_to_success_is_the_mean_makespan() -> None:
    rows = runs_until(math.inf, 30, np.random.default_rng(2))
    found, mean = time_to_success(rows), mean_interval(rows["makespan_s"])
    assert found.estimate == mean.estimate
    # That thirty of thirty finished does not say that all do: it may take a little longer.
    assert found.low <= mean.estimate < mean.high < found.high < 1.3 * mean.high
    lengths = rows["makespan_s"].to_numpy()
    np.testing.assert_array_equal(linearised(lengths, rows["success"]), lengths)
    assert quantile_to_finish(lengths, rows["success"], 0.5) == quantile_interval(lengths, 0.5)


def test_where_none_finishes_nothing_is_known() -> None:
    rng = np.random.default_rng(3)
    never, some = runs_until(1.0, 20, rng), runs_until(100.0, 20, rng)
    assert time_to_success(never) is UNKNOWN
    assert speedup(never, some) is UNKNOWN
    assert speedup(some, never) is UNKNOWN
    assert math.isnan(UNKNOWN.estimate)
    with pytest.raises(ValueError, match="no run finished"):
        linearised(never["makespan_s"], never["success"])


def test_a_team_is_exactly_as_quick_as_itself() -> None:
    rows = runs_until(95.0, 20, np.random.default_rng(8))
    assert speedup(rows, rows) == Interval(1.0, 1.0, 1.0)


def test_what_costs_nothing_costs_nothing_until_success() -> None:
    assert to_success([0.0, 0.0, 0.0], [True, False, True]).high == 0.0


@pytest.mark.parametrize("runs", [1, 2, 7, 30])
def test_that_all_of_few_runs_finished_leaves_open_how_much_more_success_takes(runs: int) -> None:
    """Times never vary, so that only the shares do: they are at least 0.025^(1/n) (95 %)."""
    long, short, done = np.full(runs, 10.0), np.full(runs, 4.0), np.ones(runs)
    found = difference_to_success(long, done, short, done, may_fail=True)
    failed = 0.025 ** (-1.0 / runs) - 1.0  # tries beyond the first, at most
    if runs == 1:
        # A single run does not say either how far the next may be from it.
        assert (found.estimate, found.low, found.high) == (-6.0, -math.inf, math.inf)
        return
    ends = (-6.0, -6.0 - 10.0 * failed, -6.0 + 4.0 * failed)
    assert (found.estimate, found.low, found.high) == pytest.approx(ends)
    assert difference_to_success(long, done, short, done) == Interval(-6.0, -6.0, -6.0)


@pytest.mark.parametrize(("failing", "others"), [(0.3, 0.1), (0.1, 0.3), (0.2, 0.0), (0.0, 0.2)])
@pytest.mark.parametrize("pull", [-0.9, 0.0, 0.9])
def test_a_difference_of_many_runs_has_the_error_of_the_delta_method(
    failing: float, others: float, pull: float
) -> None:
    """Its ends are those of the linearised times', whatever goes together in the same runs."""
    rng = np.random.default_rng(12)
    luck, other = rng.normal(size=(2, 20_000))
    before = 10.0 + pull * luck + 0.4 * other
    after = 7.0 + luck + pull * other
    shares = [norm.cdf(luck) >= failing, norm.cdf(pull * luck + other) >= others]
    done = [share.astype(float) for share in shares]
    found = difference_to_success(before, done[0], after, done[1])
    paired = linearised(after, done[1]) - linearised(before, done[0])
    expected = mean_interval(paired)
    assert found.estimate == pytest.approx(expected.estimate)
    half = expected.high - expected.estimate
    assert found.high - found.estimate == pytest.approx(half, rel=0.02)
    assert found.estimate - found.low == pytest.approx(half, rel=0.02)


@pytest.mark.parametrize("runs", [2, 5, 12])
def test_a_difference_turned_round_has_the_other_sign_and_the_unit_of_what_is_spent(
    runs: int,
) -> None:
    rng = np.random.default_rng(runs)
    before, after = rng.lognormal(2.0, 0.5, (2, runs))
    done, also = (np.array(each, dtype=float)
                  for each in (np.arange(runs) % 3 < 2, np.arange(runs) % 4 != 1))  # fmt: skip
    found = difference_to_success(before, done, after, also)
    back = difference_to_success(after, also, before, done)
    assert (-back.estimate, -back.high, -back.low) == pytest.approx(
        (found.estimate, found.low, found.high)
    )
    for unit in (60.0, 1e-3):
        scaled = difference_to_success(unit * before, done, unit * after, also)
        assert (scaled.low, scaled.high) == pytest.approx((unit * found.low, unit * found.high))
    never = np.zeros(runs)
    assert difference_to_success(before, never, after, also) is UNKNOWN
    assert difference_to_success(before, done, after, never) is UNKNOWN
    assert difference_to_success(before, done, before, done) == Interval(0.0, 0.0, 0.0)


@pytest.mark.thorough
def test_a_linearised_time_varies_as_the_time_to_success_does() -> None:
    """Its standard error is that of 2,000 studies of 200 runs, within 8 % (5 times its own)."""
    rng = np.random.default_rng(4)
    rows = runs_until(95.0, 200, rng)
    values = linearised(rows["makespan_s"], rows["success"])
    assert values.mean() == pytest.approx(time_to_success(rows).estimate)
    studies = [runs_until(95.0, 200, rng) for _ in range(2000)]
    spread = np.std([time_to_success(each).estimate for each in studies])
    errors = [
        np.std(linearised(each["makespan_s"], each["success"]), ddof=1) / math.sqrt(200)
        for each in studies
    ]
    assert np.mean(errors) == pytest.approx(spread, rel=0.08)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "share", [0.6, *(pytest.param(it, marks=pytest.mark.slow) for it in (0.9, 0.3))]
)
def test_intervals_of_times_and_speed_ups_hold_as_often_as_they_say(share: float) -> None:
    """In 93 % or more of 800 studies of 40 runs: 95 % +- 1.5 % (2 standard errors) is wanted.

    An interval that held in 91 % would be refused with probability 0.97.
    """
    rng = np.random.default_rng(5)
    deadline_s = float(np.quantile(rng.lognormal(math.log(100.0), 0.4, 400_000), share))
    time_s = time_to_success(runs_until(deadline_s, 1_000_000, rng)).estimate
    quick_s = time_to_success(runs_until(1.5 * deadline_s, 1_000_000, rng)).estimate
    times, ratios = [], []
    for _ in range(800):
        alone, team = runs_until(deadline_s, 40, rng), runs_until(1.5 * deadline_s, 40, rng)
        times.append(time_to_success(alone))
        ratios.append(speedup(alone, team))
    for found, truth in ((times, time_s), (ratios, time_s / quick_s)):
        assert np.mean([each.low <= truth <= each.high for each in found]) >= 0.93


def test_an_unfinished_run_counts_as_longer_than_all_others() -> None:
    lengths, finished = [10.0, 20.0, 30.0, 5.0, 5.0], [True, True, True, False, False]
    assert quantile_to_finish(lengths, finished, 0.5).estimate == 30.0
    assert quantile_to_finish(lengths, finished, 0.25).estimate == 20.0
    assert quantile_to_finish(lengths, finished, 0.375).estimate == 25.0
    beyond = quantile_to_finish(lengths, finished, 0.95)
    assert beyond.estimate == beyond.high == math.inf
    # The right to be short does not come from having been stopped early.
    assert quantile_to_finish(lengths, finished, 0.0).estimate == 10.0


def test_a_summary_says_the_time_to_success() -> None:
    rows = runs_until(100.0, 40, np.random.default_rng(6)).assign(calls=3)
    table = with_time_to_success(summary(rows, ["makespan_s", "calls"]), rows)
    time = time_to_success(rows)
    said = table.loc["makespan_s", ["mean", "low", "high"]].tolist()
    assert said == [time.estimate, time.low, time.high]
    assert math.isnan(table.loc["makespan_s", "sd"])
    assert table.loc["makespan_s", "p99"] == math.inf
    assert table.loc["calls", "mean"] == 3
    done = runs_until(math.inf, 40, np.random.default_rng(6))
    plain = summary(done, ["makespan_s"])
    pd.testing.assert_frame_equal(with_time_to_success(plain, done), plain)


def test_how_many_finished_is_said_in_words() -> None:
    assert runs_finished(37, 100) == "37 of 100 runs finished"
    assert runs_finished(0, 1200) == "none of 1,200 runs finished"
    assert runs_finished(8, 8) == "all 8 runs finished"
