"""What turns are like in long and in short sessions: fitted powers, and twins that have them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.calibration.estimates import Estimate
from analysis.calibration.requests import Requests
from analysis.observation.by_work import FEWEST_RUNS, fit_by_work, regression_of_runs
from analysis.observation.observe import Observation, observe
from analysis.observation.team_file import team_yaml
from analysis.traces.reading import read_traces
from simulator.distributions import Floats
from simulator.model.workloads.resampled import PowersOfWork
from simulator.scenario import parse_study
from tests.analysis.observed_teams import agent, write_runs

POWERS = {"output": -0.3, "growth": -0.5, "tools": 0.4}


def made_up(
    rng: np.random.Generator, runs: int, slope: float, has_log_link: bool, between: float
) -> tuple[Floats, np.ndarray, Floats]:
    """Return values of runs, which run each is of, and the logarithm of each run's work."""
    counts = np.maximum(1, rng.lognormal(2.5, 1.2, runs).astype(int))
    x = np.log(counts)
    run = np.repeat(np.arange(runs), counts)
    if not has_log_link:
        own = 1.0 + slope * x + between * rng.standard_normal(runs)
        return own[run] + 1.3 * rng.standard_normal(len(run)), run, x
    own = np.exp(5.0 + slope * x + between * rng.standard_normal(runs))
    is_something = rng.random(len(run)) < 0.7
    return own[run] * is_something * rng.lognormal(0.0, 1.0, len(run)), run, x


@pytest.mark.theory
@pytest.mark.slow
@pytest.mark.parametrize("has_log_link", [False, True])
@pytest.mark.parametrize(("slope", "between"), [(0.0, 0.0), (0.0, 0.5), (-0.3, 0.5)])
def test_intervals_of_slopes_hold_them(slope: float, between: float, has_log_link: bool) -> None:
    """Many small runs and a few large ones, whose values differ within runs more than between."""
    rng, held, count = np.random.default_rng(5), 0, 600
    found = []
    for _ in range(count):
        at, error = regression_of_runs(
            *made_up(rng, 60, slope, has_log_link, between), has_log_link
        )
        held += abs(at - slope) <= stats.t.ppf(0.975, 58) * error
        found.append(at)
    # 95 %, less what 60 runs of such sizes cost: exact binomial test at 99 % against 92 %.
    assert stats.binomtest(held, count, 0.92, alternative="less").pvalue > 0.01
    spread = np.std(found) / np.sqrt(count)
    assert abs(np.mean(found) - slope) < 3.0 * spread + 0.01


@pytest.mark.parametrize("has_log_link", [False, True])
def test_without_chance_the_slope_is_found_exactly(has_log_link: bool) -> None:
    x = np.log(np.arange(1.0, 31.0))
    run = np.repeat(np.arange(30), np.arange(1, 31))
    means = np.exp(2.0 - 0.7 * x) if has_log_link else 2.0 - 0.7 * x
    slope, error = regression_of_runs(means[run], run, x, has_log_link)
    assert slope == pytest.approx(-0.7, abs=1e-9)
    assert error < 1e-6


def requests(rng: np.random.Generator, powers: dict[str, float], runs: int = 60) -> Requests:
    """Return requests of one agent in each run, whose turns differ by powers of their number."""
    rows = []
    for number in range(runs):
        turns = int(rng.lognormal(3.0, 1.0)) + 1
        for turn in range(turns):
            spread = rng.lognormal(0.0, 0.6, 3)
            each = {
                name: spread[j] * turns ** powers.get(name, 0.0) for j, name in enumerate(POWERS)
            }
            is_last = turn == turns - 1
            rows.append({"session": f"run {number}", "output": 300.0 * each["output"],
                         "growth": np.nan if is_last else 900.0 * each["growth"],
                         "gap_s": np.nan if is_last else 5.0 * each["tools"]})  # fmt: skip
    columns = ["session", "request", "turn", "tool", "seconds"]
    return Requests(pd.DataFrame(rows), pd.DataFrame(columns=columns), pd.DataFrame())


def work_of(found: Requests) -> dict[str, float]:
    return {str(name): float(n) for name, n in found.turns.groupby("session").size().items()}


def powers_of(rng: np.random.Generator, run: np.ndarray, **values: Any) -> Mapping[str, Estimate]:
    """Return the powers fitted to turns, given the number of the run of each, and their values."""
    turns = pd.DataFrame({"session": [f"run {i}" for i in run], "gap_s": np.nan, **values})
    made = Requests(turns, requests(rng, {}, 1).tools, pd.DataFrame())
    found = fit_by_work(made, work_of(made))
    assert found is not None
    return found.powers


def test_powers_are_found_and_what_does_not_differ_is_left_out() -> None:
    rng = np.random.default_rng(3)
    said = requests(rng, POWERS)
    found = fit_by_work(said, work_of(said))
    assert found is not None
    assert set(found.powers) == set(POWERS)
    for name, power in POWERS.items():
        assert abs(found.powers[name].value - power) < 3.5 * found.powers[name].error, name
        assert found.powers[name].error < 0.06
    turns = np.asarray(list(work_of(said).values()))
    assert found.at_work == pytest.approx(np.exp(turns @ np.log(turns) / turns.sum()))
    only = requests(rng, {"tools": -0.4})
    (name,) = fit_by_work(only, work_of(only)).spec().keys() - {"at_work"}  # type: ignore[union-attr]
    assert name == "tools"


def test_of_few_runs_and_of_runs_that_are_alike_nothing_is_said() -> None:
    rng = np.random.default_rng(3)
    few = requests(rng, POWERS, FEWEST_RUNS - 1)
    assert fit_by_work(few, work_of(few)) is None
    said = requests(rng, POWERS)
    alike = fit_by_work(said, dict.fromkeys(work_of(said), 7.0))
    assert alike is not None
    assert alike.spec() == {}


@pytest.mark.theory
@pytest.mark.slow
@pytest.mark.parametrize("freedom", [2.5, 1000.0])
def test_growth_that_differs_by_chance_is_seldom_said_to_follow_the_work(freedom: float) -> None:
    """Runs' means of skewed values: lognormal ones, and a few runs far out."""
    rng, count, said = np.random.default_rng(12), 300, 0
    for _ in range(count):
        turns = np.maximum(1, rng.lognormal(2.5, 1.2, 60).astype(int))
        run = np.repeat(np.arange(60), turns)
        own = np.exp(6.0 + 0.5 * rng.standard_t(freedom, 60))
        growth = own[run] * rng.lognormal(0.0, 1.0, len(run)) * (rng.random(len(run)) < 0.7)
        said += "growth" in powers_of(rng, run, growth=growth, output=300.0)
    # Intervals alone say it in 8 % of the traces of the latter, and 13 % of the former.
    assert stats.binomtest(said, count, 0.05, alternative="greater").pvalue > 0.05


@pytest.mark.theory
@pytest.mark.slow
def test_one_huge_session_decides_no_power() -> None:
    """It has 5,000 turns beside forty short ones; intervals alone say a power in 10 %."""
    rng, count, said = np.random.default_rng(11), 300, 0
    for _ in range(count):
        turns = np.append(rng.lognormal(2.0, 0.7, 40).astype(int) + 1, 5_000)
        run = np.repeat(np.arange(41), turns)
        output = np.exp(5.0 + (0.5 * rng.standard_normal(41))[run])
        output *= rng.lognormal(0.0, 0.8, len(run))
        found = powers_of(rng, run, output=output, growth=0.0)
        said += "output" in found
        assert "growth" not in found
    assert stats.binomtest(said, count, 0.05, alternative="greater").pvalue > 0.05


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_powers_are_what_a_scenario_takes_where_runs_hardly_differ_in_work(sign: float) -> None:
    """Sessions of 10 to 12 turns differ by so much that the power would be 6."""
    said = requests(np.random.default_rng(3), {})
    names = said.turns["session"]
    work = {f"run {i}": 10.0 + i % 3 for i in range(60)}
    for name in ("output", "growth", "gap_s"):
        said.turns[name] *= (names.map(work) / 11.0) ** (sign * 6.0)
    found = fit_by_work(said, work)
    assert found is not None
    spec = found.spec()
    assert {name: spec[name] for name in POWERS} == dict.fromkeys(POWERS, sign * 3.0)
    PowersOfWork.model_validate(spec)


def test_tools_that_are_long_by_themselves_make_no_power() -> None:
    """Long sessions call another tool, which takes longer in short ones as well."""
    rng = np.random.default_rng(4)
    said = requests(rng, {})
    work, rows = work_of(said), []
    for session in said.turns["session"]:
        tool = "build" if rng.random() < work[session] / 120.0 else "read"
        usual = {"build": 60.0, "read": 1.0}[tool]
        rows.append({"session": session, "tool": tool, "seconds": usual * rng.lognormal(0.0, 0.5)})
    found = fit_by_work(Requests(said.turns, pd.DataFrame(rows), said.table), work)
    assert found is not None
    assert "tools" not in found.powers


def test_clocks_that_show_whole_seconds_make_no_power() -> None:
    """Of nearly half of the waits, in short runs as in long ones, 0 seconds are seen."""
    rng = np.random.default_rng(8)
    said = requests(rng, {"output": -0.3})
    rounded = said.turns.assign(gap_s=(said.turns["gap_s"] / 10.0).round())
    assert (rounded["gap_s"] == 0.0).mean() > 0.4
    found = fit_by_work(Requests(rounded, said.tools, said.table), work_of(said))
    assert found is not None
    assert set(found.powers) == {"output"}


def test_turns_that_write_nothing_and_tools_that_take_no_time_are_borne() -> None:
    rng = np.random.default_rng(8)
    said = requests(rng, POWERS)
    nothing = rng.random(len(said.turns)) < 0.01
    turns = said.turns.assign(
        output=said.turns["output"].where(~nothing, 0.0),
        gap_s=said.turns["gap_s"].where(~nothing, 0.0),
        growth=said.turns["growth"].where(~nothing, -50.0),
    )
    found = fit_by_work(Requests(turns, said.tools, said.table), work_of(said))
    assert found is not None
    for name, power in POWERS.items():
        assert abs(found.powers[name].value - power) < 3.5 * found.powers[name].error, name
    silent = turns.assign(output=0.0, gap_s=0.0, growth=0.0)
    none = fit_by_work(Requests(silent, said.tools, said.table), work_of(said))
    assert none is not None
    assert none.spec() == {}


def sessions(path: Path, by_work: dict[str, float] | None) -> Observation:
    """Return what is observed of sessions of 1 to 60 turns."""
    each = agent(random.Random(5)) | {"loop": {"work_per_turn": 1}}
    each["tools"] = {"search": {"weight": 1, "seconds": {"kind": "lognormal", "median": 20,
                     "sigma": 0.8}, "result_tokens": 600}}  # fmt: skip
    work: dict[str, Any] = {
        "kind": "resampled",
        "runs": [{"sizes": [n]} for n in (1, 3, 8, 20, 60)],
    }
    if by_work is not None:
        work["by_work"] = by_work
    said = {
        "name": "sessions",
        "team": {"size": 1, "agent": each},
        "topology": {"kind": "independent", "aggregate": False},
        "coordination": {"protocol": {"kind": "self_claim"}, "timing": "asynchronous"},
        "workload": work,
    }
    write_runs(said, path, 60)
    return observe(read_traces([path]), "observed", 200)


@pytest.mark.slow
def test_short_sessions_of_a_twin_are_as_long_as_those_seen(tmp_path: Path) -> None:
    found = sessions(tmp_path, {"at_work": 40, "output": -0.3, "growth": -0.5, "tools": -0.5})
    said = found.twin.document["workload"]["by_work"]
    assert said["output"] == pytest.approx(-0.3, abs=0.1)
    assert said["growth"] == pytest.approx(-0.5, abs=0.1)
    assert said["tools"] == pytest.approx(-0.5, abs=0.1)
    for runs in (found.table, found.simulated):
        assert len(runs) >= 60
    for measure in ("makespan_s", "output_tokens", "input_tokens"):
        seen, made = (
            np.exp(np.log(runs.loc[runs["calls"] == 3, measure]).mean())
            for runs in (found.table, found.simulated)
        )
        assert made == pytest.approx(seen, rel=0.25), measure
    text = team_yaml(found.twin, [])
    words = " ".join(text.replace("#", " ").split())
    assert "what turns are like in runs of more turns, estimated from 60 runs: output -0" in words
    assert parse_study(text).base.workload.by_work is not None  # type: ignore[attr-defined]


@pytest.mark.slow
def test_a_twin_of_sessions_that_are_alike_says_no_powers(tmp_path: Path) -> None:
    found = sessions(tmp_path, None)
    assert found.twin.document["workload"]["kind"] == "resampled"
    assert "by_work" not in found.twin.document["workload"]
