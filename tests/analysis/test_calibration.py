"""Fits find the true parameters again; predictions of real runs are near the real runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from analysis.calibration import fit_cells
from analysis.calibration.cell import Probability
from analysis.calibration.estimates import BetaEstimate, Estimate, VectorFit, pool
from analysis.calibration.finished import COULD_TAKE
from analysis.calibration.habit_fits import fit_habits
from analysis.calibration.habits import vague
from analysis.calibration.latency import (
    between_runs,
    fit_latencies,
    fit_residual,
    mean_log_seconds,
)
from analysis.calibration.logit_normal import median_of_logit_normal
from analysis.calibration.observations import longest_reply_s, observe
from analysis.calibration.shares import Share, concentration, pool_shares
from analysis.calibration.store import calibrated, read_calibration, write_calibration
from analysis.calibration.tokens import fit_tokens
from analysis.calibration.trends import slope
from analysis.traces.readers.llm_teams import read_team_runs
from analysis.traces.team_runs import CELL, TeamRuns
from analysis.validation.real_and_simulated import real as real_runs
from simulator.engine import Simulation
from simulator.errors import TeamsimError
from simulator.scenario import Scenario
from tests.analysis.harness import CLAIMING, CONTEXT, DEALT, TASKS, logged_run, scenario, team_runs

TRUTH: dict[str, Any] = {
    "latency": {
        "kind": "seconds",
        "base": 6.0,
        "per_work_unit_s": 2.0,
        "residual": {"kind": "lognormal", "median": 1, "sigma": 0.4, "run_sigma": 0.25},
        "idle": {"kind": "lognormal", "median": 2, "sigma": 0.5},
    },
    "batch": {"kind": "empirical", "values": [2, 5]},
    "batch_persistence": 0.6,
    "tokens": {"output": 150, "per_work_unit": 80, "message": 0},
    "context": CONTEXT,
    "behaviour": {"idle": 0.15, "idle_first": 0, "idle_persistence": 0.5, "chatter": 1},
    "errors": {"probability": 0.1, "call_correlation": 0.0},
}


def logged(
    agent: dict[str, Any], mode: str, sizes: tuple[int, ...], runs: int, seed: int = 5
) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """Yield runs of teams; sizes have different replications, so that they are independent."""
    for size in sizes:
        truth = scenario(agent, mode, size, TASKS, seed)
        for replication in range(runs):
            yield logged_run(truth, mode, 1000 * size + replication)


@pytest.fixture(scope="module")
def simulated_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("runs")
    team_runs(
        directory,
        [*logged(TRUTH, DEALT, (1, 2, 3), 60), *logged(TRUTH, CLAIMING, (1, 2, 3), 40)],
    )
    return directory


def close(estimate: Probability, truth: float, errors: float = 4.0) -> bool:
    """Return whether the truth is within some standard errors, and these are not too large."""
    if isinstance(estimate, BetaEstimate):
        return abs(estimate.value - truth) < errors * estimate.error < 0.3
    value = {"log": np.log, "logit": special.logit, "square": np.square}.get(
        estimate.link, np.asarray
    )(truth)
    return bool(abs(estimate.at - value) < errors * estimate.error)


@pytest.mark.slow
def test_parameters_are_recovered_from_simulated_runs(simulated_data: Path) -> None:
    # 180 runs and about 2,000 calls: four standard errors, which are themselves small.
    fits = {fit.cell["mode"]: fit for fit in fit_cells(read_team_runs(simulated_data), match=False)}
    found = fits[DEALT].parameters()
    truth = {
        "base_s": 6.0,
        "per_task_s": 2.0,
        "residual_sd": 0.4,
        "run_sigma": 0.25,
        "idle_s": 2.0,
        "idle": 0.15,
        "idle_again": 0.15 + 0.85 * 0.5,
        "error": 0.1,
        "batch_persistence": 0.6,
        "system_tokens": 1200.0,
        "turn_tokens": 400.0,
        "output_tokens": 150.0,
        "per_task_tokens": 80.0,
    }
    for name, value in truth.items():
        assert close(found[name], value), (name, found[name], value)
        assert found[name].error < 0.25, name
    fit = fits[DEALT]
    # What is simulated is what was estimated: to four digits, as a scenario says numbers.
    latency = fit.agent()["latency"]
    said = {
        "base_s": latency["base"],
        "per_task_s": latency["per_work_unit_s"],
        "residual_sd": latency["residual"]["sigma"],
        "run_sigma": latency["residual"]["run_sigma"],
        "idle_s": latency["idle"]["median"],
        "idle": fit.agent()["behaviour"]["idle"],
    }
    for name, value in said.items():
        assert value == pytest.approx(found[name].value, rel=1e-3), name
    assert fits[DEALT].residual.kind == "lognormal"
    habits = fits[DEALT].habits
    weights = dict(zip(habits.sizes, habits.first / habits.first.sum(), strict=True))
    assert weights[2] == pytest.approx(0.5, abs=0.15)
    assert weights[5] == pytest.approx(0.5, abs=0.15)


def test_habits_are_seen_through_censoring_and_blindness() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for agent in range(400):
        habit, left = 0, 20
        for _ in range(40):
            if not habit:
                habit = int(rng.choice([1, 5, 20], p=[0.3, 0.2, 0.5]))
            elif rng.random() > 0.5:
                habit = int(rng.choice([1, 5, 20], p=[0.6, 0.2, 0.2]))
            ready = max(1, left - 5)  # the list has them before the others
            blind = rng.random() < 0.3
            taken = min(habit, left if blind else ready)
            picks = list(range(left))
            chosen = [
                picks.pop(int(rng.integers(len(picks))) if rng.random() < 0.3 else 0)
                for _ in range(taken)
            ]
            blocked = int(blind and max(chosen) >= ready)
            there = dict(zip(COULD_TAKE, (taken, left, 0, ready, left, ready, ready), strict=True))
            rows.append(
                {"run_dir": agent, "agent": 0, "attempts": taken, "blocked": blocked, **there}
            )
            left -= min(taken, ready)
            if left <= 0:
                break
    found = fit_habits(pd.DataFrame(rows), vague(20))
    first = dict(zip(found.sizes.tolist(), found.first / found.first.sum(), strict=True))
    later = dict(zip(found.sizes.tolist(), found.later / found.later.sum(), strict=True))
    assert first[1] == pytest.approx(0.3, abs=0.08)  # 400 draws: 3.5 standard errors
    assert first[20] == pytest.approx(0.5, abs=0.09)
    assert later[1] == pytest.approx(0.6, abs=0.15)
    assert close(BetaEstimate(*found.persistence), 0.5)
    assert BetaEstimate(*found.blind).value == pytest.approx(0.3, abs=0.1)


@pytest.mark.slow
def test_an_output_limit_shows_as_long_replies_that_did_nothing(tmp_path: Path) -> None:
    agent = {
        **TRUTH,
        "batch": 20,
        "batch_persistence": 0,
        "capacity": 8,
        "truncation_loss": 0.5,
        "behaviour": {**TRUTH["behaviour"], "idle": 0.1},
        "latency": {
            **TRUTH["latency"],
            "residual": {"kind": "lognormal", "median": 1, "sigma": 0.1},
        },
    }
    team = team_runs(tmp_path, logged(agent, DEALT, (1, 2), 40))
    calls = observe(team)
    limit = longest_reply_s(calls)
    assert limit == pytest.approx(6 + 2 * 8, rel=0.1)
    # An idle reply takes a fraction of that; nothing else is without a result.
    none_of_it = calls[(calls["completed"] == 0) & (calls["claims"] == 0)]
    assert none_of_it["is_cut"].equals(none_of_it["latency_s"] > 0.6 * limit)
    assert 0.05 < none_of_it["is_cut"].mean() < 0.95
    assert not calls["is_cut"].drop(none_of_it.index).any()
    fit = fit_cells(team, match=False)[0]
    assert fit.capacity is not None
    assert fit.capacity.tasks == pytest.approx(8, rel=0.15)
    assert close(fit.truncation_loss, 0.5)
    (tmp_path / "again").mkdir()
    again = team_runs(tmp_path / "again", logged(fit.agent(), DEALT, (1, 2), 40))
    for share in (0.5, 0.9):  # the limit is one of output: some take longer to write it than others
        last = [_of_full_replies(runs).quantile(share) for runs in (team, again)]
        assert last[1] == pytest.approx(last[0], rel=0.07)


def _of_full_replies(team: TeamRuns) -> pd.Series:
    """Return the seconds of replies that wrote as many tasks as fit."""
    calls = observe(team)
    return calls.loc[calls["edited"] >= 8, "latency_s"]


def test_latency_is_found_under_heavy_tails_and_hung_calls() -> None:
    rng = np.random.default_rng(7)
    tasks = rng.integers(1, 10, 600)
    seconds = (5 + 3 * tasks) * np.exp(0.15 * rng.logistic(size=600))
    seconds[:6] = 600.0
    calls = pd.DataFrame(
        {
            "latency_s": seconds,
            "edited": tasks,
            "other": 0,
            "run_dir": rng.integers(0, 30, 600).astype(str),
        }
    )
    fit = fit_latencies([calls])[0]
    assert np.exp(fit.at[0]) == pytest.approx(5, rel=0.2)
    assert np.exp(fit.at[1]) == pytest.approx(3, rel=0.1)
    logs = np.log(seconds) - np.log(5 + 3 * tasks)
    residual = fit_residual(logs, calls["run_dir"])
    assert residual.kind == "log_logistic"
    assert residual.ks < 0.06


def test_many_calls_leave_little_doubt_of_how_long_they_take() -> None:
    # 20,000 calls tell the base to 1 % and the residual to 0.6 %: four standard errors are less
    # than the 5 % by which a wrong fit might be off.
    rng, n = np.random.default_rng(8), 20_000
    tasks, runs = rng.integers(0, 10, n), rng.integers(0, 400, n)
    noise = 0.3 * rng.standard_normal(n) + 0.2 * rng.standard_normal(400)[runs]
    calls = pd.DataFrame(
        {
            "latency_s": (6 + 2 * tasks) * np.exp(noise),
            "edited": tasks,
            "other": 0,
            "run_dir": runs.astype(str),
        }
    )
    # The effects of 400 runs have a mean of their own, which is known here.
    base = 6 * np.exp(noise.mean())
    fit = fit_latencies([calls])[0]
    for i, value in enumerate((base, 2 * base / 6)):
        estimate = fit.estimate(i, "log")
        assert abs(estimate.at - np.log(value)) < 4 * estimate.error, i
        assert abs(estimate.at - np.log(value)) < 0.025, i
    logs = np.log(calls["latency_s"].to_numpy()) - mean_log_seconds(fit.at, calls)
    residual = fit_residual(logs, calls["run_dir"])
    assert residual.sd.value == pytest.approx(0.3, rel=0.02)
    # 400 runs: known to 3.5 %.
    assert residual.run_sigma.value == pytest.approx(0.2, rel=0.14)


@pytest.mark.parametrize("sigma", [0.0, 0.3])
def test_variance_between_runs_of_very_unequal_length(sigma: float) -> None:
    rng = np.random.default_rng(3)
    sizes = np.concatenate([np.full(40, 3), np.full(8, 60)])
    runs = np.repeat(np.arange(len(sizes)), sizes)
    found = []
    for _ in range(100):
        effects = sigma * rng.standard_normal(len(sizes))
        logs = effects[runs] + 0.5 * rng.standard_normal(len(runs))
        found.append(between_runs(logs, pd.Series(runs.astype(str))).value ** 2)
    error = np.std(found) / 10
    # At 0 the estimate cannot fall below, which is a bias of about half its error.
    assert np.mean(found) == pytest.approx(sigma**2, abs=4 * error + (0.02 if sigma == 0 else 0))


def test_drift_shows_as_a_trend_within_agents() -> None:
    rng = np.random.default_rng(6)
    agents, length = 200, 30
    who = np.repeat(np.arange(agents), length)
    made = np.tile(np.arange(length, dtype=float), agents)
    effects = rng.standard_normal(agents)
    # Agents who make more calls are slower ones: only the trend within agents counts.
    values = effects[who] + 0.02 * made + 0.5 * rng.standard_normal(len(who))
    values[rng.random(len(who)) < 0.1] = np.nan
    found = slope(values, made, who, who // 2)
    assert abs(found.at - 0.02) < 4 * found.error
    assert 0 < found.error < 0.002
    assert slope(values[:1], made[:1], who[:1], who[:1]).at == 0.0


def test_tokens_follow_the_calls_of_the_log() -> None:
    rng = np.random.default_rng(1)
    calls, runs = [], []
    for run in range(30):
        length, kept, read, wrote = int(rng.integers(2, 15)), 0.0, 0.0, 0.0
        for i in range(length):
            work = int(rng.integers(0, 5))
            written = min(20, 3 * i)
            output = 200 + 90 * work
            read += 1500 + kept + 30 * written
            wrote += output
            kept = 0.7 * (kept + output + 600)
            calls.append({"run_dir": str(run), "agent": "a", "written": written, "work": work})
        noise = np.exp(0.05 * rng.standard_normal(2))
        runs.append(
            {
                "run_dir": str(run),
                "total_input_tokens": read * noise[0],
                "total_output_tokens": wrote * noise[1],
            }
        )
    fit = fit_tokens([(pd.DataFrame(runs), pd.DataFrame(calls))])[0]
    truth = {"system": 1500.0, "turn": 600.0, "artifact": 30.0, "output": 200.0, "per_task": 90.0}
    for name, value in truth.items():
        assert close(fit.estimate(name), value), name
    assert close(fit.estimate("retention"), 0.7)


def test_cells_borrow_from_each_other_as_far_as_they_are_alike() -> None:
    rng = np.random.default_rng(2)
    sure, unsure = np.asarray([[0.01]]), np.asarray([[1.0]])
    alike = [VectorFit(np.asarray([0.1 * rng.standard_normal()]), sure) for _ in range(20)]
    odd = VectorFit(np.asarray([3.0]), unsure)
    pulled = pool([*alike, odd], np.asarray([2.0]))[-1]
    assert abs(pulled.at[0]) < 0.5  # an odd and uncertain cell moves to the others
    assert pulled.covariance[0, 0] < 0.1
    different = [VectorFit(np.asarray([float(i)]), sure) for i in range(20)]
    kept = pool(different, np.asarray([10.0]))[0]
    assert kept.at[0] == pytest.approx(0.0, abs=0.02)  # unlike and certain cells stay
    assert pool([odd], np.asarray([2.0])) == [odd]


def test_shares_are_pooled_as_beta_binomial() -> None:
    rng = np.random.default_rng(4)
    p = rng.beta(4, 16, 300)  # concentration 20
    counts = rng.binomial(50, p).astype(float)
    found = concentration(np.stack([counts, 50 - counts], axis=1))
    assert found == pytest.approx(20, rel=0.25)
    shares = [Share(np.asarray([k]), np.asarray([50.0])) for k in counts]
    estimates = pool_shares(shares)
    error = np.sqrt(np.mean([(e.value - t) ** 2 for e, t in zip(estimates, p, strict=True)]))
    alone = np.sqrt(np.mean((counts / 50 - p) ** 2))
    assert error < 0.95 * alone
    inside = [e.interval()[0] < t < e.interval()[1] for e, t in zip(estimates, p, strict=True)]
    assert 0.90 < np.mean(inside) < 0.99  # 300 intervals of 95 %
    single = pool_shares([Share(np.asarray([3.0]), np.asarray([10.0]))])[0]
    assert single == BetaEstimate(3.5, 7.5)


def test_a_mean_probability_becomes_the_median_that_gives_it() -> None:
    z = np.random.default_rng(0).standard_normal(400_000)
    for mean, sigma in ((0.02, 2.0), (0.3, 1.0), (0.9, 0.5)):
        median = median_of_logit_normal(mean, sigma)
        assert special.expit(special.logit(median) + sigma * z).mean() == pytest.approx(
            mean, rel=0.02
        )
    assert median_of_logit_normal(0.3, 0.0) == 0.3


@pytest.mark.slow
def test_a_calibration_is_written_and_read_again(simulated_data: Path, tmp_path: Path) -> None:
    team = read_team_runs(simulated_data)
    fits = fit_cells(team, match=False)
    write_calibration(calibrated(team, fits), tmp_path, "a test")
    again = read_calibration(tmp_path)
    assert [cell.fit.report() for cell in again] == [fit.report() for fit in fits]
    drawn = [cell.fit.draw(np.random.default_rng(1)).agent() for cell in again]
    assert drawn == [fit.draw(np.random.default_rng(1)).agent() for fit in fits]
    assert len(again[0].pilot) == again[0].fit.runs
    for path in tmp_path.glob("truth-*.yaml"):
        from simulator.scenario import load_study

        assert Simulation(load_study(path, ["team.size=5"]).base).run(0).success
    (tmp_path / "fits.json").write_text('{"version": 99}')
    with pytest.raises(TeamsimError, match=r"version 99.*calibrate again"):
        read_calibration(tmp_path)
    (tmp_path / "fits.json").write_text('{"version": 6, "cells": [{}]}')
    with pytest.raises(TeamsimError, match="is damaged"):
        read_calibration(tmp_path)
    with pytest.raises(TeamsimError, match="holds no calibrated cells"):
        read_calibration(tmp_path / "nothing")


@pytest.mark.slow
def test_matched_habits_reproduce_what_was_matched(simulated_data: Path) -> None:
    team = read_team_runs(simulated_data)
    fit = next(fit for fit in fit_cells(team) if fit.claims_itself)
    seen = real_runs(team).runs
    seen = seen[(seen["mode"] == CLAIMING) & (seen["n_teammates"] == 3)]
    simulation = Simulation(Scenario.model_validate(fit.scenario(TASKS, 3)))
    rows = [simulation.run(i) for i in range(60)]
    assert np.mean([row.concurrent_writes for row in rows]) == pytest.approx(
        seen["concurrent_writes"].mean(), rel=0.25
    )
    idle = sum(row.idle_calls for row in rows) / sum(row.calls for row in rows)
    assert idle == pytest.approx(seen["idle_calls"].sum() / seen["calls"].sum(), abs=0.06)


PRIORS = {
    # name: (draw of the truth, what the truth is called in the scenario)
    "base_s": (1.6, 0.3),
    "per_task_s": (0.7, 0.3),
    "residual_sd": (-1.0, 0.2),
    "run_sigma": (-1.4, 0.25),
    "idle_s": (0.7, 0.3),
    "output_tokens": (5.3, 0.3),
    "per_task_tokens": (4.6, 0.3),
}


def _rank_of_truth(draw: int, directory: Path) -> dict[str, float]:
    """Simulate a pilot from known parameters; return their ranks in the estimated distributions."""
    rng = np.random.default_rng([2026, draw])
    truth = {name: float(np.exp(rng.normal(*prior))) for name, prior in PRIORS.items()}
    truth |= {"idle": float(rng.beta(3, 17)), "error": float(rng.beta(3, 17))}
    truth["batch_persistence"] = float(rng.beta(6, 3))
    persistence = float(rng.beta(5, 5))
    truth["idle_again"] = truth["idle"] + (1 - truth["idle"]) * persistence
    agent = {
        "latency": {
            "kind": "seconds",
            "base": truth["base_s"],
            "per_work_unit_s": truth["per_task_s"],
            "residual": {
                "kind": "log_logistic",
                "median": 1,
                "shape": np.pi / np.sqrt(3) / truth["residual_sd"],
                "run_sigma": truth["run_sigma"],
            },
            "idle": {"kind": "lognormal", "median": truth["idle_s"], "sigma": 0.4},
        },
        "batch": {"kind": "empirical", "values": [1, 3, 7, 20], "weights": [3, 2, 2, 3]},
        "batch_persistence": truth["batch_persistence"],
        "tokens": {
            "output": {"kind": "deterministic", "value": truth["output_tokens"], "run_sigma": 0.15},
            "per_work_unit": truth["per_task_tokens"],
            "message": 0,
        },
        "context": {"board_tokens_per_task": 0, "turn_tokens": 500, "retention": 0.8},
        "behaviour": {
            "idle": truth["idle"],
            "idle_first": 0,
            "idle_persistence": persistence,
            "chatter": 1,
        },
        "errors": {"probability": truth["error"]},
    }
    directory.mkdir()
    team = team_runs(directory, logged(agent, DEALT, (1, 2, 3), 10, seed=draw))
    found = fit_cells(team, match=False)[0].parameters()
    shutil.rmtree(directory)
    return {name: _rank(found[name], value) for name, value in truth.items()}


def _rank(estimate: Probability, truth: float) -> float:
    if isinstance(estimate, BetaEstimate):
        return float(stats.beta.cdf(truth, estimate.hits, estimate.misses))
    scales: dict[str, Any] = {"log": np.log, "logit": special.logit, "square": np.square}
    at = scales.get(estimate.link, float)(truth)
    return float(stats.norm.cdf((at - estimate.at) / max(estimate.error, 1e-9)))


@pytest.mark.thorough
def test_simulation_based_calibration(tmp_path: Path) -> None:
    """Talts et al. (2018): over draws from a prior, ranks of the truth are uniform.

    For one parameter, errors that are too small by a factor of 1.3 (1.5) fail with a probability
    of 0.8 (more than 0.99), a bias of half an error with one of 0.95.
    """
    ranks = pd.DataFrame([_rank_of_truth(i, tmp_path / str(i)) for i in range(200)])
    for name in ranks:
        covered = ranks[name].between(0.025, 0.975).mean()
        # 95 % intervals, 200 draws: a standard error is 1.5 %; |z| < 4.
        assert covered > 0.888, name
        histogram = np.histogram(ranks[name], 10, (0, 1))[0]
        # Eleven tests at a family-wise level of 0.1 %.
        assert stats.chisquare(histogram).pvalue > 0.001 / 11, (name, histogram)


def test_real_replies_are_counted_as_published(real_data: Path) -> None:
    real = read_team_runs(real_data)
    assert real.skipped == []
    assert len(real.runs) == 559
    assert len(real.calls) == 11_483
    assert real.runs[CELL].drop_duplicates().shape[0] == 36
    assert (real.calls["latency_s"] > 0).all()
    # A run's wall clock is about the sum over rounds of the longest call (96 %), plus tests.
    longest = real.calls.groupby(["run_dir", "round"])["latency_s"].max().sum()
    assert 0.9 < longest / real.runs["wall_clock_seconds"].sum() < 1
    # The published count of concurrent writes is 0 where the log is full of them.
    gemini = real.runs["model_dir"].str.startswith("google") & (real.runs["mode"] == CLAIMING)
    teams = real.runs[gemini & (real.runs["n_teammates"] == 2)]
    assert teams.loc[teams["task_type"] == "dataanalysis", "concurrent_writes"].mean() > 15


def test_a_pilot_is_a_part_of_the_runs(simulated_data: Path) -> None:
    team = read_team_runs(simulated_data)
    pilot = team.of_sizes([1, 2])
    assert set(pilot.runs["n_teammates"]) == {1, 2}
    assert set(pilot.calls["run_dir"]) == set(pilot.runs["run_dir"])
    with pytest.raises(TeamsimError, match=r"no runs of teams of 7 \(there are of \[1, 2, 3\]\)"):
        team.of_sizes([1, 7])
    alone = team.on_list("toy")
    assert alone.runs["run_dir"].tolist() == team.runs["run_dir"].tolist()
    other = replace(
        team, runs=team.runs.assign(task_type=["sums"] + ["toy"] * (len(team.runs) - 1))
    )
    (run,) = other.on_list("sums").runs["run_dir"]
    assert set(other.on_list("sums").calls["run_dir"]) == {run}
    with pytest.raises(TeamsimError, match="unknown task list 'tooy'; did you mean 'toy'"):
        team.on_list("tooy")


def test_estimates_draw_what_they_say() -> None:
    rng = np.random.default_rng(5)
    for estimate in (
        Estimate.of(3.0, 0.2, "log"),
        Estimate.of(0.3, 0.4, "logit"),
        Estimate(0.09, 0.01, "square"),
        BetaEstimate(4.0, 16.0),
    ):
        low, high = estimate.interval()
        drawn = [estimate.draw(rng).value for _ in range(2000)]
        assert np.mean([low < value < high for value in drawn]) == pytest.approx(0.95, abs=0.02)
    residual = fit_residual(rng.logistic(size=100), pd.Series(["a"] * 50 + ["b"] * 50))
    assert replace(residual, run_sigma=Estimate.of(0.2)).draw(rng).run_sigma.value == 0.2
