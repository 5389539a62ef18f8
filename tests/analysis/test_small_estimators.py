"""Parts of calibration that only long tests would see to be wrong, by their definitions."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.calibration.agent_fits import _first_calls
from analysis.calibration.analogues import COMPARED, _carry
from analysis.calibration.context_growth import growth_of
from analysis.calibration.draws import covariance_at
from analysis.calibration.errors import call_correlation
from analysis.calibration.estimates import BetaEstimate, Estimate, VectorFit
from analysis.calibration.gaps import Gap
from analysis.calibration.habit_fits import fit_habits
from analysis.calibration.habits import vague
from analysis.calibration.latency import Residual, between_rounds, hung
from analysis.calibration.loops import _fit_named, _per_call, fit_requests
from analysis.calibration.observations import mark_lost
from analysis.calibration.output_limits import between_cells, capacity_of, fits, loss_share
from analysis.calibration.request_model import of_context, small
from analysis.calibration.requests import find_requests
from analysis.calibration.run_fits import _error
from analysis.calibration.seen_times import Seen
from analysis.calibration.sessions import fit_sessions
from analysis.calibration.tokens import _covariance, _spread, log_of, totals
from analysis.calibration.tool_fits import ToolFit
from analysis.calibration.tool_times import _alone, _best, fit_tool_times
from analysis.calibration.trends import slope, slope_until_done
from analysis.calibration.turn_laws import Location, TurnLaw
from analysis.calibration.turn_spread import shift_to_mean
from analysis.calibration.waits import fit_waits
from analysis.observation.failures import bill_of
from tests.analysis.made_up_requests import as_canonical, made_requests


@pytest.mark.parametrize("retention", [0.0, 0.25, 0.9])
def test_a_prompt_is_what_is_kept_of_all_calls_before(retention: float) -> None:
    """Of the context, and of what a call adds and writes, a share is kept."""
    system, turn, artifact, output, per_task = 1000.0, 300.0, 20.0, 50.0, 70.0
    written, work = [0.0, 3.0, 3.0, 7.0], [3.0, 0.0, 4.0, 1.0]
    calls = pd.DataFrame({"run_dir": "r", "agent": "a", "written": written, "work": work})
    runs = pd.DataFrame({"run_dir": ["r"], "total_input_tokens": 1, "total_output_tokens": 1})
    logit = np.log(max(retention, 1e-12) / (1 - retention))
    at = np.log([system, turn, 1.0, artifact, output, per_task])
    at[2] = logit
    (read,), (wrote,) = totals(at[None], log_of(runs, calls))
    writes = [output + per_task * each for each in work]
    context, prompts = 0.0, []
    for there, own in zip(written, writes, strict=True):
        prompts.append(system + context + artifact * there)
        context = retention * (context + own + turn)
    assert read[0] == pytest.approx(sum(prompts))
    assert wrote[0] == pytest.approx(sum(writes))


@pytest.mark.parametrize("sigma", [0.01, 0.3])
def test_the_spread_of_normal_residuals_is_their_standard_deviation(sigma: float) -> None:
    normal = stats.norm.ppf((np.arange(4001) + 0.5) / 4001)
    assert _spread(5.0 + sigma * normal) == pytest.approx(sigma, rel=1e-3)


def test_the_covariance_of_totals_is_that_of_least_squares_with_the_width_of_students_t() -> None:
    """Inputs and outputs of 8 runs have two parameters, one each: 7 degrees of freedom.

    What is known before is not widened: a parameter of which runs tell nothing has its error.
    """
    rng = np.random.default_rng(3)
    runs, k = 8, 2
    slope = rng.standard_normal((2 * runs + k, k))
    prior = slope[2 * runs :]
    wider = stats.t.ppf(0.975, runs - 1) / stats.norm.ppf(0.975)
    precision = slope[: 2 * runs].T @ slope[: 2 * runs] / wider**2 + prior.T @ prior
    assert _covariance(slope, runs) == pytest.approx(np.linalg.inv(precision))
    slope[: 2 * runs] = 0.0
    assert _covariance(slope, runs) == pytest.approx(np.linalg.inv(prior.T @ prior))


def test_the_error_of_the_correlation_within_calls_is_a_jackknifes_over_runs() -> None:
    rng = np.random.default_rng(2)
    tried = rng.integers(2, 9, 60)
    together = rng.random(60) < 0.3
    failed = np.where(together, tried, rng.binomial(tried, 0.2))
    run = np.repeat(np.arange(10), 6)
    calls = pd.DataFrame(
        {"run_dir": [f"{i}" for i in run], "tried": tried, "completed": tried - failed}
    )
    left_out = np.array([call_correlation([calls[run != i]]).value for i in range(10)])
    expected = np.sqrt(9 * left_out.var())  # (k - 1) / k times the sum of squares
    assert call_correlation([calls]).error == pytest.approx(expected)


def test_one_run_alone_does_not_tell_how_far_what_its_calls_share_is_known() -> None:
    calls = pd.DataFrame({"run_dir": "one", "completed": [3, 0, 2, 1], "tried": 3})
    found = call_correlation([calls])
    assert 0.0 < found.at <= 1.0
    assert found.error == pytest.approx(12**-0.5)  # of a value that is anywhere from 0 to 1


@pytest.mark.parametrize(("cached", "missed"), [(0.0, 1.0), (0.85, 0.3), (0.95, 0.0), (1.0, 0.0)])
def test_a_prompt_most_of_which_is_read_from_the_cache_is_no_miss(
    cached: float, missed: float
) -> None:
    """Of 2,000 tokens 1,000 are the system prompt, which a miss leaves: 300 lost are 0.3 of it."""
    inputs = np.array([1000.0, 1500.0, 2000.0, 2500.0])
    calls = pd.DataFrame({"session": 0, "input": inputs, "output": 100.0})
    calls["cached"] = [0.0, 1000.0, 1500.0, cached * 2000.0]
    assert fit_sessions(calls).cache_miss.value == pytest.approx(missed / 3)


def test_how_often_what_was_forgotten_is_noticed_is_told_from_how_often_it_is_forgotten() -> None:
    """Forty claims are handed in with the next call; of thirty others one is, after many."""
    rows = []
    for run in range(70):
        counts = [(1, 0), (0, 1)] if run < 40 else [(1, 0), *[(0, 0)] * 20, (0, int(run == 40))]
        rows += [(f"{run}", "a", claims, done) for claims, done in counts]
    calls = pd.DataFrame(rows, columns=["run_dir", "agent", "claims", "completed"])
    told = fit_waits(calls.assign(is_cut=False, again=0, n_teammates=1, waiting=0.0))
    assert told.weights.mean() == pytest.approx(30 / 70, abs=0.03)
    assert 0.0 < told.notice.value < 10 / (30 * 21)


@pytest.mark.parametrize("length", [0.5, 4.0, 20.0])
def test_phases_of_turns_are_forgotten_within_their_length(length: float) -> None:
    location = Location((), np.zeros(1), np.zeros((1, 1)))
    law = TurnLaw(location, 0.0, 1.0, length, np.zeros(1), -9.0, 9.0)
    noise = law.noise(np.random.default_rng(1), 40_000, 4)
    for lag in (1, 3):
        found = np.corrcoef(noise[:, 0], noise[:, lag])[0, 1]
        assert abs(found - np.exp(-lag / length)) < 4 / 200
    assert noise.std(axis=0) == pytest.approx(np.ones(4), abs=4 / 280)


def test_replies_near_the_limit_of_output_may_be_lost() -> None:
    fit = VectorFit(np.log([10.0, 5.0, 0.1]), np.zeros((3, 3)))
    short = _replies([2, 3], [20.0, 20.0], [20.0, 25.0])
    assert capacity_of(fit, 50.0, 20, short) == pytest.approx((50 - 10) / 5)
    assert capacity_of(fit, 50.0, 8, short) is None
    assert capacity_of(fit, 11.0, 8, short.iloc[:0]) == 1.0
    calls = pd.DataFrame({
        "edited": [0, 5, 6, 7, 8, 0, 9], "is_lost": [*[False] * 5, True, False],
        "fits": [*[8.0] * 6, np.inf], "run_dir": "r",
    })  # fmt: skip
    share = loss_share(calls)
    # Of those of 6 tasks or more; where all fit, no reply reaches the limit.
    assert (share.hits.sum(), share.trials.sum()) == (1, 4)


def test_what_was_cut_off_fitted_no_further() -> None:
    """Cut off at 10 of 12; short, and so not; some slow tasks; all that there was."""
    replies = _replies([10, 10, 5, 11], [20.0, 20.0, 20.0, 11.0], [50.0, 20.0, 50.0, 50.0])
    assert fits(replies, np.full(4, 12.0), 50.0).tolist() == [10, 12, 12, 12]
    assert fits(replies, np.full(4, np.inf), 50.0).tolist() == [np.inf] * 4


def test_habits_are_no_smaller_than_what_is_cut_off() -> None:
    """All agents take on 20 tasks at once; what fits is about 12."""
    rng = np.random.default_rng(5)
    wrote = np.floor(12.0 * np.exp(0.15 * rng.standard_normal(300))).clip(1, 20)
    calls = pd.DataFrame({
        "run_dir": np.arange(300), "agent": "a", "attempts": wrote, "edited": wrote, "left": 20,
        "worked_on": wrote, "open": 20, "held": 0, "ready": 20, "others": 20, "unblocked": 20,
        "leading": 20, "latency_s": 50.0, "is_idle": False, "blocked": 0,
    })  # fmt: skip
    calls["fits"] = fits(calls, np.full(300, 12.0), 50.0)
    whole = calls[calls["attempts"] < 20]
    found = fit_habits(mark_lost(whole, 50.0), vague(20))
    assert found.first[-2:].sum() / found.first.sum() > 0.95  # those of 16 and 20


def test_what_fits_into_a_reply_is_a_matter_of_time() -> None:
    """Tobin 1958: lists where all 20 tasks fit are censored there, at their own speed."""
    everything = np.full(2, np.inf)
    assert between_cells(everything, np.zeros(2), 20) is None
    # Twice as slow with half as much, and what tells nothing: all fit where work is quick.
    slow = np.log([2.0, 0.5, 0.5])
    found = between_cells(np.asarray([8.0, 32.0, np.inf]), slow, 20)
    assert found is not None
    assert (found.tasks, found.sigma) == (pytest.approx(16.0), pytest.approx(0.0))
    found = between_cells(np.asarray([8.0, 18.0]), np.zeros(2), 20)
    assert found is not None
    assert (found.tasks, found.sigma) == (pytest.approx(12.0), pytest.approx(math.log(18 / 12)))
    rng = np.random.default_rng(3)
    slow = 0.5 * rng.standard_normal(4000)
    true = 15.0 * np.exp(0.3 * rng.standard_normal(4000) - slow)
    found = between_cells(np.where(true < 20, true, np.inf), slow, 20)
    assert found is not None
    assert abs(math.log(found.tasks / 15.0)) < 4 * 0.3 / math.sqrt(4000) * 1.2
    assert found.sigma == pytest.approx(0.3, rel=0.06)
    assert found.elasticity == 1.0


def _replies(wrote: list[int], could: list[float], seconds: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"edited": wrote, "left": could, "latency_s": seconds})


def test_what_a_reply_has_written_fits_into_one() -> None:
    """Mean durations lead to 8 tasks in 50 s; where replies are many, they are shorter a task."""
    fit = VectorFit(np.log([10.0, 5.0, 0.1]), np.zeros((3, 3)))
    assert capacity_of(fit, 50.0, 20, _replies([12], [12.0], [50.0])) == 12.0
    assert capacity_of(fit, 50.0, 20, _replies([20], [20.0], [50.0])) is None


def test_the_capacity_of_a_reply_is_the_median_of_what_those_cut_off_have_written() -> None:
    """Kaplan and Meier by hand: of 8, 2 end at 11 (3/4 are left), 3 of 4 at 13 (3/16 are left).

    Two are censored at 12, where they had no more to write; a hung reply of one task of all 9 ends
    at 1 (8/9), and leaves the median where it is.
    """
    fit = VectorFit(np.log([10.0, 5.0, 0.1]), np.zeros((3, 3)))
    wrote, could = [11, 11, 12, 12, 13, 13, 13, 14], [20.0, 20.0, 12.0, 12.0, *[20.0] * 4]
    replies = _replies([1, *wrote], [20.0, *could], [60.0, *[50.0] * 8])
    assert capacity_of(fit, 50.0, 20, replies) == 13.0


def test_a_median_that_two_replies_tell_is_none() -> None:
    """Half of four replies are cut off at 10, but those are two: what replies wrote is known."""
    fit = VectorFit(np.log([10.0, 5.0, 0.1]), np.zeros((3, 3)))
    replies = _replies([10, 10, 18, 18], [20.0] * 4, [50.0] * 4)
    assert capacity_of(fit, 50.0, 20, replies) == 18.0
    assert capacity_of(fit, 50.0, 20, pd.concat([replies, replies])) == 10.0


@pytest.mark.parametrize("capacity", [6, 12, 17])
def test_the_capacity_of_a_reply_is_found_though_longer_replies_take_less_a_task(
    capacity: int,
) -> None:
    """What fits is lognormal about its true median; durations grow by a power of the tasks."""
    rng = np.random.default_rng(7)
    wants, fits = rng.integers(1, 21, 2000), capacity * np.exp(0.1 * rng.standard_normal(2000))
    wrote = np.minimum(wants, np.maximum(1, np.round(fits))).astype(int)
    seconds = 50.0 * np.minimum(1.0, wants / fits) ** 0.4
    replies = _replies(list(wrote), list(wants.astype(float)), list(seconds))
    fit = VectorFit(np.log([1.0, 4.0, 0.1]), np.zeros((3, 3)))
    found = capacity_of(fit, 50.0, 20, replies)
    assert found is not None
    assert abs(found - capacity) <= 1.0


def test_two_parameters_more_must_make_a_log_likelihood_two_larger() -> None:
    """Akaike: 2 k less twice the log-likelihood at its largest."""
    x = np.random.default_rng(4).normal(1.0, 0.5, 300)
    kind, _, aic = _best(Seen(x), ["lognormal"], _alone, np.arange(300))
    likelihood = stats.norm.logpdf(x, x.mean(), x.std()).sum()
    assert (kind, aic) == ("lognormal", pytest.approx(2 * 2 - 2 * likelihood, abs=1e-3))


def test_a_context_that_is_halved_or_doubled_is_another() -> None:
    had = [100_000.0, 100_000.0, 100_000.0, 100_000.0, 100.0, 100.0]
    growth = [-51_000.0, -49_000.0, 99_000.0, 101_000.0, 49_000.0, 51_000.0]
    gaps: list[Gap] = []
    found = growth_of(pd.DataFrame({"input": had, "growth": growth}), gaps)
    assert np.isnan(found).tolist() == [True, False, False, True, False, True]
    assert [gap.what for gap in gaps] == ["results of tools in 3 turns"]


def test_a_call_that_takes_more_than_eight_times_the_median_hung() -> None:
    seconds = np.array([1.0] * 5 + [7.9, 8.1, 0.01, 90.0])
    share = hung(np.log(10 * seconds), pd.Series(["a", "b", "c"] * 3))
    assert (share.hits.sum(), share.trials.tolist()) == (2, [3, 3, 3])


@pytest.mark.parametrize(("kind", "sd"), [("lognormal", 0.3), ("log_logistic", 0.3 * 1.813799)])
def test_the_spread_of_a_residual_is_the_standard_deviation_of_its_logarithm(
    kind: str, sd: float
) -> None:
    """That of a logistic law is pi / sqrt(3) times its scale."""
    none = Estimate.of(0.0)
    found = Residual(kind, Estimate.of(0.3, 0.02, "log"), none, 0.0, 0.0, 0.0).sd
    assert (found.value, found.error) == (pytest.approx(sd), 0.02)


def test_calls_of_a_turn_share_its_tokens_by_the_sizes_of_their_results() -> None:
    """A call adds a token even if its result is empty; a size that is unknown is the median."""
    sizes = [9.0, 0.0, 4.0, np.nan, 7.0]
    tools = pd.DataFrame(
        {"place": [0, 0, 1, 1, 2], "growth": [110.0, 110.0, 21.0, 21.0, 5.0], "result_size": sizes}
    )
    median = np.median([9, 0, 4, 7])
    expected = [100, 10, 21 * 5 / (6 + median), 21 * (1 + median) / (6 + median), 5]
    assert _per_call(tools).tolist() == pytest.approx(expected)


def test_calls_of_a_turn_whose_sizes_are_not_known_share_its_tokens_as_each_adds_alone() -> None:
    """Shared alike, results of 800 and 600 tokens seemed to be 750 and 660, surely so."""
    rng = np.random.default_rng(5)
    rows = []
    for place in range(400):
        called = [("read", 800.0)] * (place % 3 != 1) + [("run", 600.0)] * (place % 3 != 0)
        growth = sum(tokens for _, tokens in called) + float(rng.integers(-20, 21))
        rows += [(name, place, growth, np.nan, tokens) for name, tokens in called]
    names = ("tool", "place", "growth", "result_size", "tokens")
    tools = pd.DataFrame(rows, columns=names)
    means = _per_call(tools).groupby(tools["tool"]).mean()
    assert means.to_dict() == pytest.approx({"read": 800.0, "run": 600.0}, rel=0.01)


def test_of_tools_that_are_seldom_called_together_the_longest_counts() -> None:
    names = ["read"] * 60 + ["build"] * 40
    tools = pd.DataFrame({"tool": names, "turn": range(100), "seconds": 1.0})
    both = pd.DataFrame({"tool": "build", "turn": range(3), "seconds": 5.0})
    tools = pd.concat([tools, both], ignore_index=True)
    tools = tools.assign(session=0, request=0, failed=False, result_size=1.0, alone=np.nan)
    asked = pd.DataFrame({"session": 0, "request": 0, "turn": range(100), "gap_s": 1.0})
    found = _fit_named(tools, asked.assign(tool_s=1.0), np.ones(100), [], ())
    assert {tool.name: len(tool.at_once) for tool in found} == {"read": 57, "build": 43}
    assert all(tool.is_only for tool in found)


@pytest.mark.parametrize("agents", [2, 3, 40])
def test_a_trend_over_two_calls_each_has_the_error_of_a_mean_difference(agents: int) -> None:
    steps = np.random.default_rng(4).standard_normal(agents)
    levels = 10.0 * np.arange(agents)
    values = np.column_stack([levels, levels + steps]).ravel()
    who, made = np.repeat(np.arange(agents), 2), np.tile([0.0, 1.0], agents)
    found = slope(values, made, who, who)
    assert found.at == pytest.approx(steps.mean())
    assert found.error == pytest.approx(stats.sem(steps))


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_a_shift_gives_turns_of_any_scale_their_mean(scale: float) -> None:
    # Of a normal effect z of variance v, the mean of exp(s (x + z)) is exp(s x + s^2 v / 2).
    mean, shared = 2.0, 0.3
    ones = np.ones(4)
    shift = shift_to_mean(np.zeros(1), shared, scale * ones, ones, mean)
    assert shift == pytest.approx((np.log(mean) - scale**2 * shared / 2) / scale)
    own, scales, weights = np.array([-0.4, 0.1, 0.9]), np.array([0.5, scale]), np.array([1.0, 3.0])
    shift = shift_to_mean(own, shared, scales, weights, mean)
    each = [np.exp(s * (own + shift) + s**2 * shared / 2).mean() for s in scales]
    assert np.average(each, weights=weights) == pytest.approx(mean)


def test_a_tools_means_have_the_errors_of_means() -> None:
    at_once, result = np.array([1.0, 1.0, 2.0, 4.0]), np.array([300.0, 20.0, 150.0])
    times = fit_tool_times(np.random.default_rng(3).exponential(4.0, 60), np.arange(60))
    share = BetaEstimate(5.5, 2.5)
    found = ToolFit("search", share, False, at_once, times, None, result).parameters()
    for name, values in (("calls", at_once), ("result_tokens", result)):
        assert found[name].at == pytest.approx(values.mean())
        assert found[name].error == pytest.approx(stats.sem(values))


def test_the_distribution_of_a_tools_times_is_that_of_its_body_and_tail() -> None:
    rng = np.random.default_rng(6)
    n = 2000
    waits = rng.random(n) < 0.1
    seconds = np.where(waits, 300.0 * (1.0 + rng.pareto(3.0, n)), rng.lognormal(0.0, 0.3, n))
    times = fit_tool_times(seconds, np.arange(n))
    assert times.has_tail
    assert times.share.value == pytest.approx(waits.mean(), abs=0.01)
    at = np.quantile(seconds, [0.1, 0.5, 0.85, 0.92, 0.97])
    # Four standard errors of an empirical distribution of so many values.
    shares = (seconds[:, None] <= at).mean(axis=0)
    assert times.cdf(at) == pytest.approx(shares, abs=4 * 0.5 / np.sqrt(n))


@pytest.mark.parametrize("capacity", [1.4, 2.0, 3.9])
def test_a_reply_that_was_lost_had_as_many_tasks_as_one_holds(capacity: float) -> None:
    calls = pd.DataFrame({
        "run_dir": "r", "agent": "a", "is_idle": [True, True, False], "left": [9, 1, 2],
        "attempts": [0, 0, 5], "ready": [9, 1, 9], "open": 9, "worked_on": [0, 0, 5],
        "latency_s": 100.0, "fits": capacity,
    })  # fmt: skip
    found = mark_lost(calls, 100.0)
    # One task is no more than a reply holds: that call idled. Nobody takes more than there are.
    assert found["is_lost"].tolist() == [True, False, False]
    assert found["attempts"].tolist() == [int(capacity), 0, 2]
    assert found["ready"].tolist() == [int(capacity), 1, int(capacity)]
    assert found["worked_on"].tolist() == [int(capacity), 0, 5]
    assert found["open"].tolist() == [int(capacity)] * 3


def test_a_first_call_may_take_one_of_two_tasks_or_both() -> None:
    calls = pd.DataFrame({
        "run_dir": list("abcd"), "agent": "x", "ready": [2, 2, 1, 4], "attempts": [1, 2, 1, 3],
    })  # fmt: skip
    # One, few, most and all of those that are ready; where there is one there is no choice.
    assert _first_calls(calls).tolist() == [1, 0, 1, 1]


@pytest.mark.parametrize("lists", [4, 9])
def test_the_spread_of_what_carries_over_is_that_of_the_rest(lists: int) -> None:
    rng = np.random.default_rng(lists)
    here = rng.normal(0.0, 2.0, (lists, len(COMPARED)))
    there = 0.6 * here + rng.normal(0.0, 0.5, here.shape)
    rows = [
        pd.DataFrame({True: a, False: b}, index=list(COMPARED))
        for a, b in zip(here, there, strict=True)
    ]
    found = _carry(rows, ["m"] * lists, True)
    x, y = here - here.mean(axis=0), there - there.mean(axis=0)
    for i, name in enumerate(COMPARED):
        # A mean and a share are taken from the lists.
        rest = ((y[:, i] - found.share[name] * x[:, i]) ** 2).sum() / (lists - 2)
        assert found.spread[name] == pytest.approx(np.sqrt(rest))


@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_covariance_at_a_mode_is_that_of_the_normal_that_bends_as_much(k: int) -> None:
    root = np.random.default_rng(k).standard_normal((k, k)) + 2.0 * np.eye(k)
    covariance, mode = root @ root.T, np.arange(float(k))

    def log_densities(at: np.ndarray) -> np.ndarray:
        rest = at - mode
        return -0.5 * np.einsum("ij,jk,ik->i", rest, np.linalg.inv(covariance), rest)

    assert covariance_at(log_densities, mode) == pytest.approx(covariance, rel=1e-3)
    assert covariance_at(lambda at: (at**2).sum(axis=1), mode) == pytest.approx(100.0 * np.eye(k))


@pytest.mark.parametrize("spread", [0.2, 0.8])
def test_the_error_of_a_mean_total_is_from_runs_of_teams_of_one_size(spread: float) -> None:
    logs = np.array([1.0, -1.0, 5.0 - 1.0, 5.0 + 1.0]) * spread
    runs = pd.DataFrame({"n": [2, 2, 8, 8], "seconds": np.exp(logs)})
    # Two pairs, each with a mean of its own: four squares of two degrees of freedom.
    assert _error(runs, "seconds") == pytest.approx(spread * np.sqrt(4 / 2) / np.sqrt(4))


@pytest.mark.parametrize("value", [0.0, 1e-3, 0.5, 1.0])
def test_a_probability_is_as_far_from_0_as_its_opposite_from_1(value: float) -> None:
    one, other = Estimate.of(value, 0.1, "logit"), Estimate.of(1.0 - value, 0.1, "logit")
    assert np.isfinite(one.at)
    assert one.at == pytest.approx(-other.at)
    assert one.value == pytest.approx(value, abs=1e-5)


def test_a_session_has_as_many_requests_as_the_median_one() -> None:
    requests = find_requests(as_canonical(made_requests(9, seed=3)))
    sessions = pd.factorize(requests.table["session"])[0]
    place = requests.table.groupby("session").cumcount()
    kept = place < np.array([1, 1, 1, 1, 1, 5, 5, 5, 5])[sessions]  # the mean is 2.8
    few = replace(requests, table=requests.table[kept].assign(is_whole=True))
    assert fit_requests(few).session_requests == 1


def test_what_is_billed_of_failed_calls_is_told_beside_those_that_were_answered() -> None:
    # Half of the failed calls are billed. They found 30 % in the cache where others find 50 %, and
    # wrote 40 tokens where others write 100.
    calls = pd.DataFrame({
        "operation_name": "chat", "status": ["ok", "ok", "error", "error"],
        "input_tokens": [1000, 3000, 1000, None], "output_tokens": [50, 150, 40, None],
        "cache_read_input_tokens": [0, 2000, 300, None],
    })  # fmt: skip
    found = bill_of(calls)
    assert found == {"share": 0.5, "cached": 0.6, "written": 0.4}


def test_a_prior_of_habits_keeps_their_means_and_counts_as_much_as_it_is_said_to() -> None:
    habits = replace(vague(3), first=np.array([3.0, 1.0, 4.0]), later=np.array([0.0, 1.0, 1.0]),
                     persistence=(9.0, 1.0), blind=(2.0, 18.0))  # fmt: skip
    weak = habits.weakened(5.0)
    assert weak.first == pytest.approx([1.875, 0.625, 2.5])
    assert weak.later == pytest.approx([0.0, 2.5, 2.5])
    assert weak.persistence == pytest.approx((4.5, 0.5))
    assert weak.blind == pytest.approx((0.5, 4.5))
    weaker = replace(habits, blind=(0.2, 1.8)).weakened(5.0)
    assert weaker.blind == (0.2, 1.8)  # it says no more than two observations do


def test_a_context_is_small_below_a_third_of_the_usual_one() -> None:
    usual = 1.0 / np.exp(of_context(np.ones(1)))[0]  # tokens whose covariate is 0
    shares = np.array([3.0, 1.0, 0.5, np.exp(-1.0), np.exp(-2.0), np.exp(-4.0)])
    assert small(of_context(usual * shares)) == pytest.approx([0.0, 0.0, 0.0, 0.0, 1.0, 3.0])


def test_what_nothing_tells_is_not_certain() -> None:
    """Agents alone share no rounds; one call of each agent has no trend; nobody could be idle."""
    alone = pd.DataFrame({"run_dir": ["a"] * 20, "round": range(20)})
    one, each = np.zeros(3), np.arange(3)
    for found in (
        between_rounds(np.linspace(-1.0, 1.0, 20), alone),
        slope(np.ones(3), one, each, each),
        slope_until_done(np.full(3, np.nan), np.ones(3), one, each, each, each),
    ):
        assert found.value == 0.0
        assert np.isnan(found.error)
