"""Fits to single calls beside what their definitions give by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.calibration.calls import (
    CallFit,
    fit_calls,
    fit_model,
    relative_durations,
    timed,
    usable,
)
from analysis.calibration.gaps import Gap
from analysis.calibration.held_out import best_marginal
from analysis.calibration.marginal import run_weights
from analysis.calibration.sessions import HORIZON
from tests.analysis.made_up_requests import canonical

TRUE_S = (2.0, 0.5, 0.05, 20.0)
"""Seconds of a call, and for 1,000 uncached, cached and output tokens."""

SCALE = 0.1


def made(seed: int, sessions: int, length: int, spread: float = 0.0) -> pd.DataFrame:
    """Return `usable` calls, with an effect of their session on the duration."""
    rng = np.random.default_rng(seed)
    count = sessions * length
    which = np.repeat(np.arange(sessions), length)
    uncached, cached = rng.uniform(500, 5000, count), rng.uniform(0, 90_000, count)
    output = np.round(rng.lognormal(5, 0.7, count)) + 1
    mean = expected_s(TRUE_S, uncached, cached, output)
    effect = spread * rng.standard_normal(sessions)[which]
    return pd.DataFrame(
        {
            "session": [f"s{i}" for i in which],
            "model": "m",
            "duration_s": mean * np.exp(effect + SCALE * rng.logistic(size=count)),
            "input": uncached + cached,
            "cached": cached,
            "uncached": uncached,
            "output": output,
            "censored": False,
        }
    )


def expected_s(seconds: Any, uncached: Any, cached: Any, output: Any) -> Any:
    base, fresh, held, written = seconds
    return base + (fresh * uncached + held * cached + written * output) / 1000


@pytest.fixture(scope="module")
def calls() -> pd.DataFrame:
    return made(1, 40, 15, 0.3)


@pytest.fixture(scope="module")
def fit(calls: pd.DataFrame) -> CallFit:
    return fit_model(calls, "m")


def means(fit: CallFit, calls: pd.DataFrame) -> Any:
    tokens = (calls[name].to_numpy() for name in ("uncached", "cached", "output"))
    return expected_s(np.exp(fit.latency.at[:4]), *tokens)


def test_durations_are_log_logistic_about_what_their_tokens_cost(
    fit: CallFit, calls: pd.DataFrame
) -> None:
    law = stats.fisk(1 / math.exp(fit.latency.at[4]), scale=means(fit, calls))
    duration = calls["duration_s"].to_numpy()
    assert fit.log_likelihood(calls) == pytest.approx(law.logpdf(duration))
    cut = np.arange(len(calls)) % 3 == 0
    some = calls.assign(censored=cut)  # they would have taken longer
    expected = np.where(cut, law.logsf(duration), law.logpdf(duration))
    assert fit.log_likelihood(some) == pytest.approx(expected)
    assert fit.log_likelihood(calls.drop(columns="censored")) == pytest.approx(law.logpdf(duration))
    relative = relative_durations(fit, calls)
    assert relative == pytest.approx(duration / means(fit, calls))
    assert np.median(relative) == pytest.approx(1, abs=0.05)


def test_no_other_parameters_are_likelier(fit: CallFit, calls: pd.DataFrame) -> None:
    """But for the weak prior around what is typical: logarithms of sd 3, 1.5, 1.5, 3 and 3."""
    centre = np.log([1.0, 0.02, 0.01, 15.0, 0.15])
    sd = np.array([3.0, 1.5, 1.5, 3.0, 3.0])

    def posterior(at: Any) -> float:
        moved = replace(fit, latency=replace(fit.latency, at=at))
        prior = stats.norm(centre, sd).logpdf(at).sum()
        return float(moved.log_likelihood(calls).sum() + prior)

    best = posterior(fit.latency.at)
    for i, error in enumerate(np.sqrt(np.diag(fit.latency.covariance))):
        for side in (-1, 1):
            assert posterior(fit.latency.at + side * 0.2 * error * np.eye(5)[i]) < best + 1e-3


def test_effects_of_sessions_are_taken_out_of_the_residual(fit: CallFit) -> None:
    """The variance of a logistic is scale^2 pi^2 / 3; the parts add up to that of the whole."""
    whole = math.exp(fit.latency.at[4]) ** 2 * math.pi**2 / 3
    effects = fit.residual_effects
    parts = effects.session.value**2 + effects.phase.value**2
    assert 0.05 < parts < 0.9 * whole
    assert fit.residual_scale**2 * math.pi**2 / 3 == pytest.approx(whole - parts)


@pytest.mark.slow
def test_a_session_of_equal_calls_says_as_much_as_one_of_them() -> None:
    """Errors that took them as independent would be half of those of the calls alone."""
    alone = made(3, 120, 1)
    fourfold = alone.loc[alone.index.repeat(4)].reset_index(drop=True)
    errors = [
        np.sqrt(np.diag(fit_model(each, "m").latency.covariance)) for each in (alone, fourfold)
    ]
    assert errors[1] == pytest.approx(errors[0], rel=0.2)
    # With few sessions, calls count as independent: 0.1 sqrt(1 / 1.43 n) of the scale's logarithm.
    few = fit_model(made(3, 9, 40), "m")
    scale = few.parameters()["residual_scale"]
    assert scale.error == pytest.approx(1 / math.sqrt(1.43 * 360), rel=0.1)
    assert any("sessions: 9, 10 are needed" in gap.why for gap in few.gaps)


def test_ten_sessions_are_enough_for_errors_of_sessions() -> None:
    ten = fit_model(made(4, 10, 6), "m")
    assert not any("10 are needed" in gap.why for gap in ten.gaps)


def named(fit: CallFit) -> dict[str, Gap]:
    return {gap.what: gap for gap in fit.gaps}


def test_what_tokens_that_no_call_has_or_all_have_alike_cost_is_not_known() -> None:
    some = made(5, 12, 5)
    some["cached"], some["uncached"], some["output"] = 0.0, 900.0, 50.0
    some["input"] = 900.0
    fit = fit_model(some, "m")
    gaps = named(fit)
    assert gaps["cached_s_per_1k"].why == "no call has cached tokens"
    assert gaps["uncached_s_per_1k"].why == "all calls have the same uncached tokens"
    assert gaps["output_s_per_1k"].why == "all calls have the same output tokens"
    assert "a share of the time that all calls have" in gaps["output_s_per_1k"].instead
    assert gaps["spread of output tokens"].why == "all counts are equal"
    for name, estimate in fit.parameters().items():
        if name in gaps:
            assert math.isnan(estimate.error), name
    assert fit.parameters()["base_s"].error > 0
    varied = named(fit_model(made(6, 12, 5), "m"))
    assert not {"cached_s_per_1k", "uncached_s_per_1k", "output_s_per_1k"} & varied.keys()
    assert "spread of output tokens" not in varied
    assert "residual_scale" not in varied


def without_cache(calls: pd.DataFrame) -> pd.DataFrame:
    """Return the calls as they had been had they read only what was not cached."""
    tokens = calls["uncached"], calls["cached"], calls["output"]
    mean = expected_s(TRUE_S, *tokens)
    less = expected_s(TRUE_S, tokens[0], 0.0, tokens[2])
    return calls.assign(
        cached=0.0, input=calls["uncached"], duration_s=calls["duration_s"] * less / mean
    )


@pytest.mark.parametrize(
    ("column", "typical", "sd"), [("uncached", 0.02, 1.5), ("cached", 0.01, 1.5), ("output", 15, 3)]
)
@pytest.mark.parametrize("sessions", [5, 20])
def test_what_no_call_tells_is_as_uncertain_as_the_prior(
    column: str, typical: float, sd: float, sessions: int
) -> None:
    calls = made(2, sessions, 100 // sessions).assign(**{column: 0.0})
    fit = fit_model(calls, "m")
    place = 1 + ("uncached", "cached", "output").index(column)
    assert fit.latency.at[place] == pytest.approx(math.log(typical), abs=2e-3)
    assert fit.latency.covariance[place, place] == pytest.approx(sd**2, rel=1e-6)
    assert np.delete(fit.latency.covariance[place], place) == pytest.approx(np.zeros(4), abs=1e-6)


@pytest.mark.slow
def test_what_a_model_does_not_tell_it_takes_from_the_others_and_does_not_teach_them() -> None:
    knows = made(1, 20, 6).assign(model="knows")
    asks = without_cache(made(2, 20, 5)).assign(model="asks")
    found = {fit.model: fit for fit in fit_calls(pd.concat([knows, asks], ignore_index=True))}
    alone = fit_model(knows, "knows").latency
    error = math.sqrt(alone.covariance[2, 2])
    assert found["knows"].latency.at[2] == pytest.approx(alone.at[2], abs=error)
    typical, known = math.log(0.01), alone.at[2]
    assert found["asks"].latency.at[2] > (typical + known) / 2
    assert found["asks"].latency.covariance[2, 2] > alone.covariance[2, 2]


def test_durations_that_follow_from_tokens_have_the_least_spread() -> None:
    some = made(7, 12, 5)
    exact = expected_s(TRUE_S, some["uncached"], some["cached"], some["output"])
    fit = fit_model(some.assign(duration_s=exact), "m")
    assert named(fit)["residual_scale"].instead == "0.005"
    assert fit.residual_scale == 0.005
    assert np.exp(fit.latency.at[:4]) == pytest.approx(TRUE_S, rel=0.02)


def test_models_with_thirty_calls_are_fitted_the_largest_first() -> None:
    parts = [made(8, 10, 3), made(9, 12, 3), made(10, 29, 1)]
    models = ["thirty", "more", "fewer"]
    table = pd.concat([part.assign(model=name) for part, name in zip(parts, models, strict=True)])
    fits = fit_calls(table.reset_index(drop=True))
    assert [(fit.model, fit.calls, fit.sessions) for fit in fits] == [
        ("more", 36, 12),
        ("thirty", 30, 10),
    ]
    assert fits[0].latency.at[0] != fit_model(parts[1], "more").latency.at[0]  # they are pooled


@pytest.mark.parametrize("sizes", [(1,), (HORIZON - 1, HORIZON), (HORIZON + 1, 2 * HORIZON + 3)])
def test_a_call_weighs_as_many_windows_as_hold_it(sizes: tuple[int, ...]) -> None:
    expected: list[float] = []
    for size in sizes:
        starts = range(max(1, size - HORIZON + 1))
        expected += [sum(i in range(s, s + HORIZON) for s in starts) for i in range(size)]
    which = np.repeat([f"s{i}" for i in range(len(sizes))], sizes)
    assert run_weights(pd.DataFrame({"session": which})).tolist() == expected


def test_without_tokens_the_family_is_best_that_gives_held_out_calls_most_density() -> None:
    rng = np.random.default_rng(11)

    def table(count: int) -> pd.DataFrame:
        seconds = np.concatenate([rng.gamma(3, 2, count), rng.gamma(3, 9, count)])
        return pd.DataFrame({"model": ["a"] * count + ["b"] * count, "duration_s": seconds})

    fitted, held = table(200), table(50)
    name, score = best_marginal(fitted, held)
    laws = {
        "lognormal": stats.lognorm,
        "log_logistic": stats.fisk,
        "gamma": stats.gamma,
        "weibull": stats.weibull_min,
        "inverse_gamma": stats.invgamma,
    }
    scores = {}
    for each, law in laws.items():
        logs = []
        for model, some in held.groupby("model"):
            mine = fitted.loc[fitted["model"] == model, "duration_s"]
            logs.append(law(*law.fit(mine, floc=0)).logpdf(some["duration_s"]))
        scores[each] = np.concatenate(logs).mean()
    assert name == max(scores, key=lambda each: scores[each])
    assert score == pytest.approx(scores[name])


def chat(seconds: float, **said: Any) -> dict[str, Any]:
    row = {"run_id": "r", "agent_id": "a", "call_id": "c", "start_ns": 10**9}
    row |= {"end_ns": 10**9 + round(seconds * 1e9), "input_tokens": 10, "output_tokens": 5}
    return row | said


def test_chats_that_ended_or_were_cut_short_count_and_their_seconds_are_theirs() -> None:
    rows = [
        chat(1.5),
        chat(2.5, status="timeout"),
        chat(3.5, status="cancelled"),
        chat(4.5, status="error"),
        chat(0.0),
        chat(5.5, operation_name="execute_tool"),
        chat(6.5, operation_name="generate_content", agent_id=None),
    ]
    found = timed(canonical(rows))
    assert found["duration_s"].tolist() == [1.5, 2.5, 3.5, 6.5]
    assert found["censored"].tolist() == [False, True, True, False]
    assert found["session"].tolist() == ["r\x1fa"] * 3 + ["r\x1f"]
    assert set(found["model"]) == {"agent"}


def test_tokens_are_those_counted_and_what_is_not_cached_is_uncached() -> None:
    rows = [
        chat(1.0, input_tokens=100, cache_read_input_tokens=30),
        chat(2.0, input_tokens=100, cache_read_input_tokens=130),
        chat(3.0, input_tokens=100),
        chat(4.0, input_tokens=None),
        chat(5.0, output_tokens=None),
        chat(6.0, quality_tokens="placeholder"),
    ]
    found = usable(canonical(rows))
    assert found["duration_s"].tolist() == [1.0, 2.0, 3.0]
    assert found["uncached"].tolist() == [70.0, 0.0, 100.0]
    assert found["cached"].tolist() == [30.0, 130.0, 0.0]
