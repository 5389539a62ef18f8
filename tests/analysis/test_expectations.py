"""Expectations: what they may say, and verdicts that are wrong as seldom as they say."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import scipy
from scipy import stats

from analysis.statistics.expectations import (
    Finding,
    chance_of_failing,
    expectations_in,
    how_unfinished_count,
    judge,
    two_digits,
)
from simulator.errors import TeamsimError


def rows(makespan_s: object, success: object = True, **more: object) -> pd.DataFrame:
    spent = np.atleast_1d(np.asarray(makespan_s, dtype=float))
    columns = {"input_tokens": 1.0, "output_tokens": 1.0, "quality": 1.0, "agents": 1.0}
    columns |= {"work_s": spent} | more
    return pd.DataFrame({"makespan_s": spent, "success": success, **columns})


def finding(text: str, table: pd.DataFrame) -> Finding:
    (found,) = judge(table, expectations_in([text]))
    return found


@pytest.mark.parametrize(
    ("text", "metric", "statistic", "share"),
    [
        ("makespan_s.p95 < 600", "makespan_s", "p95", 0.95),
        ("makespan_s.p99.9<=600", "makespan_s", "p99.9", 0.999),
        ("  makespan_s.median   >= 1e2 ", "makespan_s", "median", 0.5),
        ("makespan_s.p50 > 1", "makespan_s", "median", 0.5),
        ("success.share > 0.9", "success", "rate", None),
        ("success.mean > 0.9", "success", "rate", None),
        ("tokens_to_success.mean < 3", "tokens_to_success", "mean", None),
        ("quality.min >= -1", "quality", "min", None),
    ],
)
def test_what_an_expectation_may_say(
    text: str, metric: str, statistic: str, share: float | None
) -> None:
    (found,) = expectations_in([text])
    assert (found.metric, found.statistic) == (metric, statistic)
    assert found.share == (None if share is None else pytest.approx(share))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("makespan.mean < 3", "did you mean 'makespan_s.mean'"),
        ("makespan_s.p95", "an expectation is METRIC.STATISTIC"),
        ("makespan_s < 3", "which statistic"),
        (".p95 < 3", "which statistic"),
        ("makespan_s.avg < 3", "unknown statistic 'avg'"),
        ("makespan_s.p100 < 3", "unknown statistic 'p100'"),
        ("makespan_s.p0 < 3", "a percentile is above p0"),
        ("makespan_s.mean == 3", "one of < <= > >="),
        ("makespan_s.mean =< 3", "one of < <= > >="),
        ("1 < makespan_s.mean < 3", "one of < <= > >="),
        ("makespan_s.mean < 3 s", "without a unit"),
        ("makespan_s.mean < inf", "no number up to"),
        ("makespan_s.mean < nan", "no number up to"),
        ("makespan_s.mean < ", "no number up to"),
        ("success.p95 > 0.9", "write success.rate"),
        ("makespan_s.rate > 0.9", "only success has a rate"),
        ("cost_usd_to_success.p95 < 1", "has a mean only"),
        ("", "an expectation is METRIC.STATISTIC"),
    ],
)
def test_a_wrong_expectation_says_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(TeamsimError, match=message):
        expectations_in([text])


def test_all_wrong_expectations_are_told_at_once() -> None:
    with pytest.raises(TeamsimError) as caught:
        expectations_in(["a.mean < 1", "quality.mean > 0", "makespan_s.mode < 1"])
    assert str(caught.value).count("expect: ") == 2


def test_the_verdict_counts_the_uncertainty() -> None:
    values = rows(np.random.default_rng(1).normal(100.0, 10.0, 400))
    assert finding("makespan_s.mean < 110", values).verdict == "met"
    assert finding("makespan_s.mean < 90", values).verdict == "failed"
    assert finding("makespan_s.mean > 90", values).verdict == "met"
    near = finding("makespan_s.mean < 100.3", values)
    assert near.verdict == "not resolved"
    assert near.needed is not None
    assert near.needed > 400


def test_a_bound_that_is_met_exactly_belongs_to_the_comparisons_with_equal() -> None:
    alike = rows(np.full(30, 5.0))
    verdicts = {
        sign: finding(f"input_tokens.mean {sign} 1", alike).verdict
        for sign in ("<", "<=", ">", ">=")
    }
    assert verdicts == {"<": "failed", "<=": "met", ">": "failed", ">=": "met"}


def test_by_how_much_it_failed_is_from_the_bound_on_the_wrong_side() -> None:
    alike = rows(np.full(30, 5.0), quality=0.25)
    assert finding("output_tokens.mean > 3", alike).beyond == pytest.approx(2.0)
    assert finding("output_tokens.mean < 0.5", alike).beyond == pytest.approx(0.5)


def test_success_is_judged_as_a_share() -> None:
    assert finding("success.rate >= 0.95", rows(np.ones(100))).verdict == "met"
    few = finding("success.rate >= 0.99", rows(np.ones(100)))
    assert few.verdict == "not resolved"
    assert few.needed == 370  # 0.99^368 is the first below 0.025
    # No number of successes shows that there is never a failure.
    assert finding("success.rate >= 1", rows(np.ones(100))).needed is None


def test_runs_that_did_not_finish_are_never_in_quantiles_and_extremes() -> None:
    done = np.arange(200) >= 20
    table = rows(np.linspace(1.0, 100.0, 200), done)
    late = finding("makespan_s.p95 < 1000", table)
    assert (late.verdict, late.found.estimate) == ("failed", math.inf)
    assert finding("makespan_s.median < 90", table).verdict == "met"
    assert finding("makespan_s.max < 1e9", table).verdict == "failed"
    least = finding("makespan_s.min > 5", table)
    assert least.verdict == "met"  # the runs below 5 are those that did not finish
    mean = finding("makespan_s.mean < 50.5", table)  # 50.5 a run, 0.9 of which finish
    assert mean.found.estimate == pytest.approx(50.5 / 0.9)
    # Other metrics are of runs as they ended.
    assert finding("quality.min >= 1", table).verdict == "met"


def test_a_team_that_never_finishes_fails_what_it_must() -> None:
    table = rows(np.full(100, 60.0), np.zeros(100, dtype=bool))
    # At most 3.6 % of runs finish: it takes 60 / 0.036 seconds or more.
    mean = finding("makespan_s.mean < 1000", table)
    assert mean.verdict == "failed"
    assert mean.found.low == pytest.approx(60 / (1.0 - 0.025**0.01))
    assert finding("makespan_s.mean < 100000", table).verdict == "not resolved"


@pytest.mark.slow
def test_several_expectations_fail_as_often_as_is_said_and_are_all_met_no_more_often() -> None:
    # Five metrics without dependence, all just within their bounds; then one of them just beyond.
    rng, names = np.random.default_rng(9), ["calls", "retries", "messages", "deliveries", "stalls"]
    held = expectations_in([f"{name}.mean < 10.000001" for name in names])
    one_not = expectations_in(["calls.mean < 9.999999", *(f"{it}.mean < 20" for it in names[1:])])
    failed = met = 0
    for _ in range(300):
        drawn = dict(zip(names, rng.normal(10.0, 2.0, (5, 20)), strict=True))
        table = rows(np.ones(20), **drawn)
        failed += any(each.verdict == "failed" for each in judge(table, held))
        met += all(each.verdict == "met" for each in judge(table, one_not))
    assert chance_of_failing(5) == pytest.approx(0.125)
    assert scipy.stats.binom.sf(failed - 1, 300, 0.125) > 0.001
    assert failed > 300 * 0.05  # more often than one of them
    assert scipy.stats.binom.sf(met - 1, 300, 0.025) > 0.001


def test_the_greatest_value_is_of_the_runs_made_and_says_so() -> None:
    values = rows(np.linspace(1.0, 2.0, 59))
    met = finding("makespan_s.max < 3", values)
    assert met.verdict == "met"
    assert met.is_of_runs_made
    assert met.unseen == pytest.approx(0.0495, abs=1e-4)  # 0.95^59 is 0.0485
    # Values that were seen show what no run more can undo.
    assert not finding("makespan_s.max > 1.5", values).is_of_runs_made
    assert not finding("makespan_s.max < 1.5", values).is_of_runs_made


def test_a_mean_of_equal_values_is_of_the_runs_made_and_says_so() -> None:
    # Ten runs of which none retries: a probability of 0.05 gives that in 60 % of studies.
    met = finding("retries.mean < 0.01", rows(np.linspace(1.0, 2.0, 10), retries=0))
    assert (met.verdict, met.is_of_equal_values) == ("met", True)
    assert met.unseen == pytest.approx(0.2589, abs=1e-4)  # 0.7411^10 is 0.05
    some = finding("retries.mean < 9", rows(np.linspace(1.0, 2.0, 10), retries=np.arange(10) % 2))
    assert not some.is_of_equal_values
    # Runs that do not differ in anything have nothing rare.
    assert not finding("makespan_s.mean < 9", rows(np.full(10, 2.0))).is_of_equal_values


def test_too_few_runs_for_a_quantile_resolve_nothing() -> None:
    few = finding("makespan_s.p99 < 1000", rows(np.linspace(1.0, 2.0, 100)))
    assert few.verdict == "not resolved"
    assert few.needed == 370


def test_a_single_run_resolves_no_mean() -> None:
    for text in ("makespan_s.mean < 1000", "tokens.mean < 1000", "makespan_s.p95 < 1000"):
        single = finding(text, rows([1.0]))
        assert (single.verdict, single.needed) == ("not resolved", None)


def test_how_runs_count_that_did_not_finish_is_said_of_the_metrics_that_are_expected() -> None:
    some = rows(np.full(1200, 50.0), np.arange(1200) >= 300)
    for text in ("makespan_s.p95 < 9", "makespan_s.mean < 9", "tokens_to_success.mean < 9"):
        said = how_unfinished_count(some, judge(some, expectations_in([text])))
        # 50 s a run, of which three in four finish.
        assert said.startswith("300 of 1,200 runs did not finish. How long they would have taken")
        assert "a mean is the time to success (66.67 s)" in said
    ended = how_unfinished_count(some, judge(some, expectations_in(["quality.mean > 0.5"])))
    assert ended.endswith("did not finish. What is expected here is of runs as they ended.")
    never = rows(np.full(5, 50.0), np.zeros(5, dtype=bool))
    said = how_unfinished_count(never, judge(never, expectations_in(["makespan_s.mean < 9"])))
    assert "a mean is the time to success, failed runs started again" in said
    assert how_unfinished_count(rows([1.0, 2.0]), []) == ""


@pytest.mark.parametrize(
    ("share", "below"), [(0.5, 0.55), (0.5, 0.44), (0.9, 0.93), (0.9, 0.86), (0.95, 0.97)]
)
def test_as_many_replications_as_advised_resolve_a_quantile_with_the_power_said(
    share: float, below: float
) -> None:
    """Exact: how many of n runs are below the bound is binomial, and ranks are the ends."""
    pilot = rows((np.arange(100) + 0.5) / 100)
    text = f"makespan_s.p{100 * share:g} < {below}"
    found = finding(text, pilot)
    assert found.verdict == "not resolved"
    n = found.needed
    assert n is not None
    assert n > 110
    lower, upper = stats.binom.ppf([0.025, 0.975], n, share)
    met, failed = stats.binom.sf(upper, n, below), stats.binom.cdf(lower - 1, n, below)
    assert (met if below > share else failed) == pytest.approx(0.8, abs=0.045)


@pytest.mark.parametrize("beyond", [0.04, 0.1, -0.07])
@pytest.mark.parametrize("count", [30, 101])
def test_as_many_replications_as_advised_resolve_a_mean_with_the_power_said(
    beyond: float, count: int
) -> None:
    """Exact for normal values with the standard deviation of the pilot: a non-central t test.

    It is a little more, as the pilot has Student's t of fewer runs, and two digits are rounded up.
    """
    values = 5.0 + stats.norm.ppf((np.arange(count) + 0.5) / count)
    sd = float(values.std(ddof=1))
    table = rows(np.ones(count), input_tokens=values)
    found = finding(f"input_tokens.mean < {5.0 + beyond * sd}", table)
    assert found.verdict == "not resolved"
    n = found.needed
    assert n is not None
    shift, critical = abs(beyond) * math.sqrt(n), stats.t.ppf(0.975, n - 1)
    assert 0.79 < stats.nct.sf(critical, n - 1, shift) < 0.88


@pytest.mark.parametrize(
    ("text", "quality", "done"),
    [
        ("success.rate > 0.97", 1.0, True),
        ("success.rate < 0.03", 1.0, False),
        ("success.rate < 0.15", 1.0, False),
        ("quality.mean > 0.97", 1.0, True),
        ("quality.mean < 0.06", 0.0, True),
        ("quality.mean < 0.52", 0.5, True),
        ("quality.mean > 0.48", 0.5, True),
        ("quality.mean > 0.88", 0.9, True),
        ("makespan_s.p98 < 3", 1.0, True),
        ("makespan_s.p4 > 0.5", 1.0, True),
    ],
)
@pytest.mark.parametrize("count", [15, 20])
def test_what_all_runs_agree_on_is_resolved_by_as_many_as_advised_and_by_no_fewer(
    text: str, quality: float, done: bool, count: int
) -> None:
    def of(runs: int) -> Finding:
        return finding(text, rows(np.linspace(1.0, 2.0, runs), done, quality=quality))

    needed = of(count).needed
    assert needed is not None
    assert of(needed).verdict == "met"
    rounded = 10 ** max(0, len(str(needed)) - 2)  # to two digits
    assert of(needed - rounded - 1).verdict == "not resolved"


def test_advice_is_in_two_digits_and_more_than_there_are() -> None:
    assert [two_digits(needed, 1) for needed in (0.5, 7.2, 99.0, 100.2, 1234.0, 98765.0)] == [
        1, 8, 99, 110, 1300, 99000
    ]  # fmt: skip
    assert [two_digits(3.0, least) for least in (2, 5, 101)] == [3, 5, 110]
    assert two_digits(1e9 - 1, 1) == 10**9
    assert [two_digits(needed, 1) for needed in (1e9, math.inf)] == [None, None]
    # A bound that is just within the interval: a tenth more, or one at least.
    for count, least in ((4, 5), (30, 33), (200, 220)):
        values = rows(np.ones(count), input_tokens=stats.norm.ppf((np.arange(count) + 0.5) / count))
        half = judge(values, expectations_in(["input_tokens.mean < 9"]))[0].found.high
        just = finding(f"input_tokens.mean < {0.99999 * half}", values)
        more = finding(f"input_tokens.mean < {0.5 * half}", values)
        assert just.needed is not None
        assert more.needed is not None
        assert least <= just.needed < more.needed


def test_a_verdict_is_wrong_if_it_failed_and_strictly_if_nothing_is_resolved() -> None:
    values = rows(np.random.default_rng(1).normal(100.0, 10.0, 40))
    met, failed, near = (finding(f"makespan_s.mean < {b}", values) for b in (120, 90, 100.3))
    assert [each.is_wrong() for each in (met, failed, near)] == [False, True, False]
    assert [each.is_wrong(strict=True) for each in (met, failed, near)] == [False, True, True]
    # An extreme can be undone by a further run where it is met, whichever end it is of.
    assert finding("makespan_s.min > 1", values).is_of_runs_made
    assert not finding("makespan_s.min < 99", values).is_of_runs_made
    assert not finding("makespan_s.min > 99", values).is_of_runs_made
    assert not met.is_of_runs_made


def test_no_number_of_replications_resolves_what_is_on_its_bound() -> None:
    halves = rows(np.arange(1.0, 41.0), input_tokens=np.arange(40) % 2)
    assert finding("input_tokens.mean < 0.5", halves).needed is None
    assert finding("makespan_s.median < 20", halves).needed is None  # 20 of 40 are up to it
    one_off = rows(np.arange(1.0, 41.0), input_tokens=10.0 * (np.arange(40) % 2))
    assert finding("input_tokens.mean < 6", one_off).needed is not None


BOUNDS = {
    "makespan_s.mean < {}": math.exp(0.125),
    "makespan_s.p90 < {}": math.exp(0.5 * 1.2815515655446004),
    "success.rate > {}": 0.9,
}
"""Expectations, and the true values of what the next test draws: lognormal times of sigma 0.5."""


def drawn(rng: np.random.Generator, text: str, count: int) -> pd.DataFrame:
    if text.startswith("success"):
        return rows(np.ones(count), rng.random(count) < 0.9)
    return rows(np.exp(rng.normal(0.0, 0.5, count)))


@pytest.mark.parametrize("statistic", ["mean", "median", "max", "min", "p90"])
@pytest.mark.parametrize("value", [0.1 + 0.1 + 0.1, 0.3, 1.1 - 0.8])
def test_a_rounding_error_is_on_no_side_of_a_bound(statistic: str, value: float) -> None:
    """0.1 + 0.1 + 0.1 is a little more than 0.3, and 1.1 - 0.8 a little more, too."""
    table = rows(np.full(60, 1.0), work_s=np.full(60, value))
    for comparison, verdict in (("<=", "met"), (">=", "met"), ("<", "failed"), (">", "failed")):
        found = finding(f"work_s.{statistic} {comparison} 0.3", table)
        assert (found.verdict, found.beyond) == (verdict, 0.0)


def test_a_quantile_on_its_bound_but_for_rounding_needs_as_many_runs_as_one_on_it() -> None:
    few, found = np.full(20, 1.0), []
    for value in (0.3, 0.1 + 0.1 + 0.1):
        table = rows(few, work_s=np.full(20, value))
        found.append(finding("work_s.p95 <= 0.3", table))
    assert [each.verdict for each in found] == ["not resolved"] * 2
    assert found[0].needed == found[1].needed


@pytest.mark.thorough
@pytest.mark.parametrize("text", BOUNDS)
@pytest.mark.parametrize("share", [pytest.param(0.999, marks=pytest.mark.thorough), 1.001])
def test_a_verdict_is_wrong_as_seldom_as_its_interval_says(text: str, share: float) -> None:
    # The bound is just beside the truth, where most verdicts are wrong. An end of the interval is
    # wrong in 2.5 % of cases: 2,000 trials give at most 3.6 % with probability 0.999, if it is so;
    # were it 5 %, they would give more than that with probability 0.998.
    rng, wrong = np.random.default_rng(3), 0
    bound = BOUNDS[text] * share
    expectations = expectations_in([text.format(bound)])
    (expectation,) = expectations
    truth = "met" if expectation.holds(BOUNDS[text]) else "failed"
    for _ in range(2000):
        (found,) = judge(drawn(rng, text, 100), expectations)
        wrong += found.verdict not in (truth, "not resolved")
    assert wrong / 2000 <= 0.036


@pytest.mark.slow
@pytest.mark.parametrize("text", BOUNDS)
def test_as_many_replications_as_advised_mostly_resolve_it(text: str) -> None:
    # 80 % are aimed at, where the truth is what was found. The pilot's own error is left out: its
    # values are quantiles of the distribution. 400 trials fall below 72 % with probability 0.0001.
    factor = 1.05 if "<" in text else 0.96
    expectations = expectations_in([text.format(BOUNDS[text] * factor)])
    if text.startswith("success"):
        pilot = rows(np.ones(100), np.arange(100) >= 10)
    else:
        grid = (np.arange(200) + 0.5) / 200
        pilot = rows(np.exp(0.5 * scipy.special.ndtri(grid)))
    (first,) = judge(pilot, expectations)
    assert first.verdict == "not resolved"
    assert first.needed is not None
    rng = np.random.default_rng(5)
    resolved = [
        judge(drawn(rng, text, first.needed), expectations)[0].verdict == "met" for _ in range(400)
    ]
    assert 0.72 <= np.mean(resolved) <= 0.97
