"""What one turn of a loop leaves to the next: models, errors, windows, locks, checkpoints."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Row, Trace
from tests.conftest import agent, run, run_as_traced, runs, scenario
from tests.engine.test_loops import GROWS, SYSTEM, WRITES, looping

NO_RETRIES = {"retry": {"max_retries": 0}}


def traced(**fields: Any) -> tuple[Metrics, list[Row]]:
    trace = Trace()
    metrics = Simulation(scenario(**fields)).run(0, trace)
    assert run_as_traced(scenario(**fields)) == metrics
    return metrics, trace.rows


@pytest.mark.parametrize("turns", [1, 2, 5])
def test_a_model_that_stands_in_answers_one_turn_and_no_more(turns: int) -> None:
    # The own model takes 1 s a turn; its first request fails after 1 s, and the other takes 10 s.
    m = run(
        team__agent=looping({"turns": turns}),
        workload__tasks=1,
        provider={"error_s": 1, **NO_RETRIES},
        resilience={"fallback": {"model": {"latency": {"kind": "seconds", "base": 10}}}},
        faults=[{"kind": "outage", "at_s": 0, "for_s": 0.5}],
    )
    assert (m.fallbacks, m.turns) == (1, turns if turns > 1 else 0)
    assert m.makespan_s == 1.0 + 10.0 + (turns - 1)


@pytest.mark.parametrize("turns", [1, 2, 4])
def test_the_prompt_of_the_last_turn_says_how_likely_an_error_is(turns: int) -> None:
    # Prompts of 1,000, 1,500, ... tokens; a logit of 2 more for each doubling from 1,000 on.
    error = {"shape": "doubling", "height": 2.0, "from_tokens": 1000.0}
    who = looping({"turns": turns}, context={"error": error, "retention": 0})
    m = run(
        team__agent={**who, "errors": {"probability": 0.1, "detection": 0}}, workload__tasks=4000
    )
    odds = 0.1 / 0.9 * (1.0 + 0.5 * (turns - 1)) ** (2.0 / math.log(2.0))
    wrong = odds / (1.0 + odds)
    # Four standard errors of a share of 4,000.
    assert abs(1.0 - m.quality - wrong) < 4.0 * math.sqrt(wrong * (1.0 - wrong) / 4000)


@pytest.mark.parametrize("seconds", [0.5, 2.0])
@pytest.mark.parametrize("parts", [1, 2, 3, 10])
def test_a_first_turn_that_takes_locks_in_between_ends_with_its_last_part(
    parts: int, seconds: float
) -> None:
    _, rows = traced(
        team__agent=looping({"turns": 3}, latency={"kind": "seconds", "base": seconds}),
        workload={"kind": "dag", "tasks": [{"id": "a", "files": [f"f{i}" for i in range(parts)]}]},
        workspace={"kind": "locks", "acquire": "one_by_one"},
    )
    ends = [row.time_s for row in rows if row.event in (Event.TURN, Event.CALL_END)]
    assert ends == pytest.approx([seconds, 2 * seconds, 3 * seconds])


RESUMES = {"checkpoint": {"every_s": 1000}}
CRASH = {"kind": "crash", "agent": 0, "for_s": 1}


def test_a_loop_that_has_ended_is_not_gone_on_with() -> None:
    # Broken off in its third turn, it goes on there, and ends after five. Its result fails its
    # tests, as nearly all do: whatever is done then begins with the first of five turns.
    errors = {"probability": 0.9, "detection": 1}
    who = {**looping({"turns": 5}), "errors": errors}
    found = []
    for seed in range(5):
        _, rows = traced(
            team__agent=who,
            workload__tasks=1,
            resilience=RESUMES,
            faults=[{**CRASH, "at_s": 2.5}],
            limits__deadline_s=200,
            seed=seed,
        )
        calls = [row.call for row in rows if row.event is Event.CALL_END and row.outcome == "work"]
        turns = Counter(row.call for row in rows if row.event is Event.TURN)
        found.append([turns[call] + 1 for call in calls])
    assert max(map(len, found)) > 2
    assert all(each == [3, *[5] * (len(each) - 1)] for each in found)


def test_a_loop_begun_anew_without_checkpoints_draws_its_turns_anew() -> None:
    # Loops of 9 turns are over before the crash, those of 40 are not; of them, every other one
    # takes 9 turns when it is begun anew.
    who = looping({"turns": {"kind": "empirical", "values": [9, 40]}})
    found = runs(60, team__agent=who, workload__tasks=1, faults=[{**CRASH, "at_s": 20.5}])
    assert {m.makespan_s for m in found} == {9.0, 21.5 + 9.0, 21.5 + 40.0}


def reads_much(window: int, resilience: dict[str, Any]) -> Metrics:
    """Let an agent read 3,000 tokens with the second of its three turns."""
    reader = looping({"turns": 3, "reads_messages": "turn"}, context={"window_tokens": window})
    talker = agent(
        tokens={"output": 100, "message": 3000},
        behaviour={"talk": 1},
        latency={"kind": "seconds", "base": 0.5},
    )
    return run(
        team={
            "groups": {
                "reader": {"size": 1, "agent": reader},
                "talker": {"size": 1, "agent": talker},
            }
        },
        topology="decentralised",
        coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
        workload__tasks=2,
        resilience=resilience,
    )


def test_news_that_do_not_fit_the_window_lose_the_loop_in_its_middle() -> None:
    fits, too_small = reads_much(10_000, {}), reads_much(3500, {})
    assert (fits.too_long_prompts, fits.failed_calls, fits.turns) == (0, 0, 3)
    # Its first turn was answered, and the talker does its task, with a call that is no loop.
    assert (too_small.too_long_prompts, too_small.failed_calls) == (1, 1)
    assert (too_small.turns, too_small.tasks_done, too_small.makespan_s) == (1 + 1, 2, 1.5)


def test_a_model_with_a_larger_window_takes_the_turn_whose_news_do_not_fit() -> None:
    other = agent(context={"window_tokens": 10_000, "board_tokens_per_task": 0})
    m = reads_much(3500, {"fallback": {"model": other}})
    # The last turn compacts what the second has read, and is the reader's own.
    assert (m.outcome, m.too_long_prompts, m.fallbacks, m.turns) == ("completed", 0, 1, 3)


@pytest.mark.parametrize("resilience", [{}, {"timeout": {"seconds": 100}}])
def test_a_run_that_ends_while_a_tool_runs_pays_for_the_turns_so_far(
    resilience: dict[str, Any],
) -> None:
    who = looping({"turns": 3}, tools={"t": {"seconds": 10}})
    m = run(team__agent=who, workload__tasks=1, resilience=resilience, limits__deadline_s=15)
    # Two turns of a second, and the tool of the second.
    assert (m.outcome, m.turns, m.calls) == ("deadline", 2, 2)
    assert (m.output_tokens, m.input_tokens) == (2 * WRITES, 2 * SYSTEM + GROWS)


def test_who_loops_and_who_does_not_crash_side_by_side() -> None:
    groups = {
        "loops": {"size": 1, "agent": looping({"turns": 5})},
        "calls": {"size": 1, "agent": agent(latency={"kind": "seconds", "base": 5})},
    }
    m = run(
        team={"groups": groups},
        coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
        workload__tasks=2,
        resilience={"checkpoint": {"every_s": 1}},
        faults=[{**CRASH, "agent": i, "at_s": 3.5} for i in range(2)],
    )
    # Of both, the work of three seconds is saved, and half a second of it done again.
    assert (m.outcome, m.makespan_s, m.crashes) == ("completed", 5.0 + 1.0 + 0.5, 2)
