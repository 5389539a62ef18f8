"""Requests: found in calls, fitted turn by turn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.calibration.context_growth import early_growth, tokens_between
from analysis.calibration.loops import (
    PAUSE,
    LoopFit,
    fit_loops,
    turns_without_failures,
)
from analysis.calibration.requests import find_requests
from analysis.calibration.sessions import with_mean
from analysis.calibration.tool_times import fit_tool_times
from analysis.calibration.turn_counts import fit_turns, kaplan_meier
from simulator.experiment import replicate
from simulator.scenario import Scenario
from tests.analysis.made_up_requests import as_canonical, canonical, chat, made_requests, tool


def test_a_request_ends_with_the_turn_and_lasts_from_its_first_start_to_its_last_end() -> None:
    rows = [
        chat(0, 2, "tool_use", input_tokens=100, output_tokens=10, cache_read_input_tokens=0),
        chat(5, 3, "end_turn", input_tokens=150, output_tokens=20, cache_read_input_tokens=100),
        chat(60, 1, "end_turn", input_tokens=200, output_tokens=5, cache_read_input_tokens=190),
        chat(90, 1, "tool_use", input_tokens=300, output_tokens=5),
    ]
    found = find_requests(canonical(rows))
    assert found.table["is_whole"].tolist() == [True, True, False]
    whole = found.whole
    assert whole["name"].tolist() == ["s/main/0", "s/main/1"]
    assert whole["turns"].tolist() == [2, 1]
    assert whole["context_tokens"].tolist() == [100, 200]
    assert whole["seconds"].tolist() == [8, 1]
    assert whole["llm_s"].tolist() == [5, 1]
    assert whole["tool_s"].tolist() == [3, 0]
    assert whole["input_tokens"].tolist() == [250, 200]
    assert whole["uncached_tokens"].tolist() == [150, 10]
    assert found.turns["growth"].dropna().tolist() == [40]


def test_agents_of_a_session_have_requests_of_their_own() -> None:
    rows = [
        chat(0, 1, "tool_use"),
        chat(0.5, 1, "end_turn", agent_id="sub"),
        chat(3, 1, "end_turn"),
    ]
    assert find_requests(canonical(rows)).whole["turns"].tolist() == [2, 1]


def test_a_call_that_does_not_say_why_it_ended_cuts_its_request() -> None:
    rows = [
        chat(0, 1, "tool_use"),
        chat(2, 1, None),
        chat(4, 1, "tool_use"),
        chat(6, 1, "end_turn"),
    ]
    table = find_requests(canonical(rows)).table
    assert table["turns"].tolist() == [2, 2]
    assert table["is_whole"].tolist() == [False, True]


def test_rows_of_tools_tell_their_seconds_and_that_the_call_asked_for_them() -> None:
    rows = [
        chat(0, 1, "stop"),  # some say so even where a tool is asked for
        tool(1, 4, "bash"),
        tool(2, 2, "read", status="error"),
        tool(6, 1, "bash"),
        chat(9, 1, "stop"),
    ]
    found = find_requests(canonical(rows))
    assert found.whole["turns"].tolist() == [2]
    first = found.turns.iloc[0]
    assert (first["gap_s"], first["tool_s"], first["tools"]) == (8, 5, 3)
    assert found.tools["failed"].sum() == 1


def test_failed_attempts_are_no_turns() -> None:
    rows = [chat(0, 1, "tool_use"), chat(2, 1, None, status="error"), chat(4, 1, "end_turn")]
    assert find_requests(canonical(rows)).whole["turns"].tolist() == [2]


def simulated(fit: LoopFit, tasks: int = 40, replications: int = 30) -> list[float]:
    """Return the turns of each replication of a scenario with a fit's loop and tools."""
    agent = {
        "latency": {"kind": "seconds", "base": 1},
        "behaviour": {"talk": 0},
        "errors": {"detection": 0},
        "context": fit.context({}),
        **fit.spec(),
    }
    scenario = {
        "name": "loops",
        "replications": replications,
        "team": {"size": 1, "agent": agent},
        "topology": "single",
        "coordination": {"protocol": "self_claim", "timing": "asynchronous"},
        "workload": {"kind": "parallel_fraction", "tasks": tasks, "parallel_fraction": 1},
    }
    return [row.turns / tasks for row in replicate(Scenario.model_validate(scenario))]


def test_what_is_fitted_runs_and_takes_as_many_turns_as_were_seen() -> None:
    """Three standard errors; the fit's own is 1 / sqrt(1,000) of the mean."""
    fit = fit_loops(as_canonical(made_requests(200, seed=4)))
    assert set(fit.spec()["tools"]) == {"tool", PAUSE}
    assert fit.gaps()
    turns = np.asarray(simulated(fit))
    error = np.hypot(turns.std(ddof=1) / np.sqrt(len(turns)), 5 / np.sqrt(1000))
    assert abs(turns.mean() - 5.0) < 3 * error


def named_calls(seed: int, requests: int = 400) -> pd.DataFrame:
    """Return requests of one to many turns, with a shell that fails and a reader that does not.

    A loop would take 1 + Geometric(0.3) turns; after each but the last the shell is called with
    probability 0.6, twice, and fails with probability 0.2 a call; the reader else. A failure takes
    one more turn.
    """
    rng = np.random.default_rng(seed)
    rows, now = [], 0.0
    for request in range(requests):
        left = rng.geometric(0.3)
        while left >= 0:
            rows.append(
                chat(now, 1, "end_turn" if left == 0 else "tool_use", run_id=f"s{request // 4}")
            )
            now += 1
            if left > 0:
                is_shell = rng.random() < 0.6
                lasts = 2.0 * np.exp(0.5 * rng.standard_normal(2 if is_shell else 1))
                failed = is_shell & (rng.random(len(lasts)) < 0.2)
                for seconds, fails in zip(lasts, failed, strict=True):
                    name, status = ("bash" if is_shell else "read"), "error" if fails else "ok"
                    run = f"s{request // 4}"
                    rows.append(tool(now, float(seconds), name, status=status, run_id=run))
                left += int(failed.any())
                now += float(lasts.max())
            left -= 1
    return canonical(rows)


@pytest.mark.slow
def test_tools_that_rows_name_are_fitted_one_by_one() -> None:
    """Within four standard errors each (one in 16,000 by chance)."""
    fit = fit_loops(named_calls(1))
    assert [each.name for each in fit.tools] == ["bash", "read"]
    bash = fit.tools[0]
    assert bash.is_only
    assert abs(bash.share.value - 0.6) < 4 * bash.share.error
    assert bash.at_once.mean() == 2
    assert bash.errors is not None
    assert abs(bash.errors.value - 0.2) < 4 * bash.errors.error
    median = fit.parameters()["bash_seconds_median"]
    assert abs(np.log(median.value / 2.0)) < 4 * median.error
    said = fit.spec()["tools"]["bash"]
    assert said["calls"] == 2
    assert said["errors"] == pytest.approx(0.2, abs=0.05)


@pytest.mark.slow
def test_turns_that_failures_add_are_not_counted_twice() -> None:
    """The simulated loop adds them itself: its mean is that of the calls (four errors)."""
    calls = named_calls(2, requests=800)
    seen = find_requests(calls).whole["turns"]
    fit = fit_loops(calls)
    turns = np.asarray(simulated(fit))
    error = np.hypot(turns.std(ddof=1) / np.sqrt(30), seen.std() / np.sqrt(len(seen)))
    assert abs(turns.mean() - seen.mean()) < 4 * error


def test_too_few_requests_are_said_and_nothing_is_made_up() -> None:
    fit = fit_loops(canonical([chat(0, 1, "tool_use"), chat(3, 1, "end_turn")]))
    assert fit.spec() == {}
    assert "requests seen whole: 1, 10 are needed" in str(fit.gaps()[0])


def test_requests_that_were_cut_short_count_as_longer_ones() -> None:
    """Geometric turns, each request cut with probability 0.05 a turn; within three errors."""
    rng = np.random.default_rng(3)
    wanted, cut = rng.geometric(0.1, 2000), rng.geometric(0.05, 2000)
    is_whole = wanted <= cut
    turns = np.minimum(wanted, cut)
    fit = fit_turns(turns, is_whole, np.arange(2000))
    grid = np.asarray([1, 5, 10, 20])
    assert np.abs(fit.survival(grid) - 0.9**grid).max() < 3 * 0.5 / np.sqrt(2000)
    assert np.abs(kaplan_meier(turns, is_whole, grid) - 0.9**grid).max() < 3 * 0.5 / np.sqrt(2000)


@pytest.mark.thorough
@pytest.mark.theory
def test_intervals_of_turns_and_tool_times_hold_as_often_as_they_say() -> None:
    """95 % intervals of six parameters in 60 data sets: each misses within its binomial law.

    Where an interval holds 95 %, more than 10 of 60 misses have a probability below 4e-4, for six
    parameters below 0.3 %; where it holds 80 %, 10 or fewer have 0.35.
    """
    truth = {
        "turns_end": 0.2,
        "tool_seconds_median": 8.0,
        "tool_seconds_sigma": 0.5,
        "tool_tail_share": 0.1,
        "tool_tail_median": 200.0,
        "tool_tail_sigma": 1.0,
    }
    misses = dict.fromkeys(truth, 0)
    seen = dict.fromkeys(truth, 0)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        turns = rng.geometric(0.2, 300)
        counts = fit_turns(turns, np.ones(300, dtype=bool), np.arange(300) // 5)
        n = 1200
        is_pause = rng.random(n) < 0.1
        body, tail = (
            np.exp(np.log(m) + s * rng.standard_normal(n)) for m, s in ((8, 0.5), (200, 1))
        )
        times = fit_tool_times(np.where(is_pause, tail, body), np.arange(n) // 20)
        found = counts.parameters() | {f"tool_{k}": v for k, v in times.parameters().items()}
        for name, value in truth.items():
            if name in found and (name == "turns_end" or times.kind == "lognormal"):
                low, high = found[name].interval()
                seen[name] += 1
                misses[name] += not low <= value <= high
    assert min(seen.values()) >= 25  # another family is chosen at times
    for name, count in misses.items():
        assert count <= stats.binom.ppf(0.9995, seen[name], 0.05), (name, count, seen[name])


def cached_calls(life: float, seed: int) -> pd.DataFrame:
    """Return one-turn requests whose prompts are lost after `life` seconds, and 1 % at any time."""
    rng = np.random.default_rng(seed)
    rows, now, held = [], 0.0, 0
    for _ in range(600):
        idle = rng.exponential(200.0)
        now += idle
        is_lost = idle > life or rng.random() < 0.01
        read = held + 100
        cached = 0 if is_lost else held
        counts = {"input_tokens": read, "cache_read_input_tokens": cached, "output_tokens": 5}
        rows.append(chat(now, 1, "end_turn", **counts))
        now, held = now + 1, read
    return canonical(rows)


@pytest.mark.slow
def test_the_life_of_the_cache_is_where_prompts_begin_to_be_lost() -> None:
    """Its 95 % interval holds the truth in 15 of 20 data sets or more (6 misses: 1 in 3,000)."""
    held = 0
    for seed in range(20):
        fit = fit_loops(cached_calls(300.0, seed))
        assert fit.cache is not None
        low, high = fit.cache.life_s.interval()
        held += low <= 300.0 <= high
        assert fit.context({})["cache"]["life_s"] == pytest.approx(300, rel=0.1)
    assert held >= 15


def test_a_cache_that_keeps_everything_has_no_life() -> None:
    fit = fit_loops(cached_calls(np.inf, 1))
    assert fit.cache is None
    assert "life of the cache" in str(fit.gaps())


@pytest.mark.slow
def test_what_comes_between_two_requests_is_fitted_and_read() -> None:
    """Three standard errors of 800 lognormal additions, also of those that are simulated."""
    mean, error = 500 * np.exp(0.5), 500 * np.exp(0.5) * np.sqrt((np.e - 1) / 800)
    fit = fit_loops(as_canonical(made_requests(200, seed=7)))
    assert len(fit.between) == 800
    assert abs(fit.between.mean() - mean) < 3 * error
    assert fit.parameters()["request_tokens"].error == pytest.approx(error, rel=0.3)
    # Of a session of two requests, what the second begins with, beside what turns have added.
    context = {**fit.context({}), "turn_tokens": 0, "system_tokens": 0, "board_tokens_per_task": 0}
    agent = {
        "latency": {"kind": "seconds", "base": 1},
        "behaviour": {"talk": 0},
        "tokens": {"output": 0},
        "context": context,
    }
    scenario = {
        "name": "session",
        "replications": 800,
        "team": {"size": 1, "agent": agent},
        "topology": "single",
        "coordination": {"protocol": "self_claim", "timing": "asynchronous"},
        "workload": {"kind": "parallel_fraction", "tasks": 2, "parallel_fraction": 1},
    }
    read = [row.input_tokens for row in replicate(Scenario.model_validate(scenario))]
    assert abs(np.mean(read) - fit.between.mean()) < 3 * error


def test_another_conversation_is_no_request() -> None:
    turns = [(0, 10_000, 100), (10, 10_600, 100), (20, 3_000, 100), (30, 90_000, 100)]
    rows = [
        chat(start, 1, "end_turn", input_tokens=read, output_tokens=wrote)
        for start, read, wrote in turns
    ]
    found = tokens_between(find_requests(canonical(rows)).turns)
    assert found.tolist() == [500]


def with_failures(turns: list[int], failed: list[list[int]]) -> pd.DataFrame:
    """Return requests of so many turns, and in which of them the tool has failed."""
    rows, now = [], 0.0
    for count, wrong in zip(turns, failed, strict=True):
        for turn in range(count):
            rows.append(chat(now, 1, "end_turn" if turn + 1 == count else "tool_use"))
            if turn + 1 < count:
                status = "error" if turn in wrong else "ok"
                rows.append(tool(now + 1, 2, "t", status=status))
            now += 4
    return canonical(rows)


@pytest.mark.parametrize(
    ("turns", "failed", "without"),
    [
        ([2, 3, 2, 4], [[], [0], [], [1, 2]], [2, 2, 2, 2]),  # each failure adds a turn
        ([3, 3, 3], [[0], [0], [0]], [3, 3, 3]),  # always of three turns, failure or not
        ([3, 3, 3], [[0], [], [0, 1]], [3, 3, 3]),
        ([2, 5, 3], [[], [], []], [2, 5, 3]),
    ],
)
def test_failures_add_turns_only_where_requests_are_longer_with_them(
    turns: list[int], failed: list[list[int]], without: list[int]
) -> None:
    requests = find_requests(with_failures(turns, failed))
    assert turns_without_failures(requests).tolist() == without


def test_failures_that_change_nothing_are_not_in_the_fit() -> None:
    fit = fit_loops(with_failures([3] * 12, [[0]] * 12))
    assert fit.spec()["loop"] == {"turns": 3}
    assert "errors" not in fit.spec()["tools"]["t"]
    assert [gap.what for gap in fit.gaps() if "failures" in gap.what] == ["failures of tools"]


def turns_that_add(*growths: list[float], had: float = 10_000.0) -> pd.DataFrame:
    """Return turns of agents, each turn adding so much to the context."""
    rows = [(f"s{i}", each) for i, some in enumerate(growths) for each in some]
    frame = pd.DataFrame(rows, columns=["session", "growth"])
    return frame.assign(agent=np.nan, input=had)


def test_what_first_turns_add_is_what_they_add_beyond_the_others() -> None:
    """Of 30 turns 5 add 1,000 and 25 add 100: 250 on average, so 20 add 6,500 - 5,000 beyond."""
    early = [1000.0] * 5 + [100.0] * 25
    others = [[each + noise for each in early] for noise in (-9.0, 9.0) for _ in range(6)]
    assert early_growth(turns_that_add(*others)) == pytest.approx(6_500 - 20 * 250)
    # Short sessions, of which there are as many, end before others begin to add less.
    assert early_growth(turns_that_add(*others, *[[1000.0] * 3] * 12)) == pytest.approx(
        6_500 - 20 * (7_500 + 3_000) / 33
    )


def test_first_turns_like_the_others_add_nothing_beyond_them() -> None:
    rng = np.random.default_rng(4)
    added = [rng.lognormal(6, 1, 40).tolist() for _ in range(40)]
    assert early_growth(turns_that_add(*added)) == 0.0
    assert early_growth(turns_that_add([5000.0, *[1.0] * 30])) == 0.0  # of one agent
    # Growth that is another conversation's counts nowhere.
    others = [[1000.0, -9000.0, *[100.0 + i] * 30] for i in range(12)]
    without = [[1000.0, *[100.0 + i] * 30] for i in range(12)]
    assert early_growth(turns_that_add(*others)) == early_growth(turns_that_add(*without)) > 0.0


@pytest.mark.parametrize(
    ("said", "mean", "expected"),
    [
        (300.0, 50.0, 50.0),
        (0.0, 50.0, 50.0),
        ({"kind": "empirical", "values": [0, 300], "weights": [0.5, 0.5]}, 0.0, 0.0),
        (
            {"kind": "empirical", "values": [0, 400], "weights": [0.75, 0.25]},
            50.0,
            {"kind": "empirical", "values": [0, 200], "weights": [0.75, 0.25]},
        ),
    ],
)
def test_a_distribution_gets_another_mean(said: Any, mean: float, expected: Any) -> None:
    assert with_mean(said, mean) == expected
