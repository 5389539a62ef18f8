"""Loops of turns: number, tokens, cost and duration, alone and together with other mechanisms."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Row, Trace
from simulator.model.workspaces import Workspace
from simulator.scenario import Scenario
from simulator.scenario.loop import LoopSpec
from tests.conftest import agent, check_course, run, run_as_traced, runs, scenario, z_score
from tests.engine.test_every_combination import check, not_told, of_many

SYSTEM, WRITES, ADDS = 1000, 100, 400
GROWS = WRITES + ADDS


def looping(loop: dict[str, Any] | None, **fields: Any) -> dict[str, Any]:
    """Return an agent whose prompt grows by the same number of tokens with every turn."""
    context = {"system_tokens": SYSTEM, "board_tokens_per_task": 0, "turn_tokens": ADDS}
    context |= fields.pop("context", {})
    return agent(tokens={"output": WRITES}, context=context, loop=loop, **fields)


def traced(**fields: Any) -> tuple[Metrics, list[Row]]:
    trace = Trace()
    return Simulation(scenario(**fields)).run(0, trace), trace.rows


def prompts(rows: list[Row]) -> list[tuple[int, int]]:
    """Return tokens read and found in the cache, of every turn."""
    return [
        (row.input_tokens or 0, row.cached_tokens or 0)
        for row in rows
        if row.event in (Event.TURN, Event.CALL_END)
    ]


@pytest.mark.parametrize("turns", [1, 2, 7])
def test_a_prompt_that_grows_is_read_again_with_every_turn(turns: int) -> None:
    metrics, rows = traced(team__agent=looping({"turns": turns}), workload__tasks=1)
    grows = [SYSTEM + k * GROWS for k in range(turns)]
    assert prompts(rows) == list(zip(grows, [0, *grows[:-1]], strict=True))
    assert metrics.input_tokens == SYSTEM * turns + GROWS * turns * (turns - 1) // 2
    assert metrics.input_tokens - metrics.cached_tokens == grows[-1]
    assert metrics.output_tokens == WRITES * turns
    assert (metrics.calls, metrics.attempts) == (turns, 1)
    assert metrics.turns == (turns if turns > 1 else 0)  # a loop of one turn is a call like any
    assert metrics.makespan_s == metrics.work_s == turns


def test_without_a_cache_all_of_it_is_read_uncached() -> None:
    plain = looping({"turns": 7}, context={"cache": False})
    metrics = run(team__agent=plain, workload__tasks=1)
    assert metrics.cached_tokens == 0
    assert metrics.input_tokens == SYSTEM * 7 + GROWS * 7 * 6 // 2


def test_board_and_artifacts_are_read_with_the_first_turn_and_dropped_after_the_last() -> None:
    context = {"board_tokens_per_task": 50, "artifact_tokens": 70}
    _, rows = traced(team__agent=looping({"turns": 3}, context=context), workload__tasks=2)
    board, first, second = 2 * 50, SYSTEM, SYSTEM + 3 * GROWS
    reads = [first + board + k * GROWS for k in range(3)]
    # Behind the first loop, where the board stood is something else: its prompt is new from there.
    again = [second + board + 70 + k * GROWS for k in range(3)]
    assert prompts(rows) == [
        *zip(reads, [0, *reads[:-1]], strict=True),
        *zip(again, [SYSTEM, *again[:-1]], strict=True),
    ]


@pytest.mark.parametrize("retention", [1.0, 0.0])
def test_a_request_comes_between_two_loops(retention: float) -> None:
    context = {"request_tokens": 700, "retention": retention}
    _, rows = traced(team__agent=looping({"turns": 2}, context=context), workload__tasks=2)
    first = SYSTEM + GROWS
    again = SYSTEM + int(retention * 2 * GROWS) + 700
    cached = first if retention else SYSTEM
    assert prompts(rows) == [
        *((SYSTEM, 0), (first, SYSTEM)),
        *((again, cached), (again + GROWS, again)),
    ]


def test_what_is_dropped_between_calls_stays_within_a_loop() -> None:
    context = {"retention": 0.5}
    _, rows = traced(team__agent=looping({"turns": 3}, context=context), workload__tasks=2)
    kept = int(0.5 * 3 * GROWS)
    reads = [SYSTEM + k * GROWS for k in range(3)]
    again = [SYSTEM + kept + k * GROWS for k in range(3)]
    assert prompts(rows) == [
        *zip(reads, [0, *reads[:-1]], strict=True),
        *zip(again, [SYSTEM, *again[:-1]], strict=True),
    ]


def test_a_context_that_overflows_is_compacted_in_the_middle_of_a_loop() -> None:
    context = {"window_tokens": 2600, "compaction": 0.2, "board_tokens_per_task": 100}
    metrics, rows = traced(team__agent=looping({"turns": 6}, context=context), workload__tasks=1)
    # 1,000 and the board, then 500 more each; 2,600 would fit, the fifth turn's 3,100 does not.
    summary = 520
    reads = [1100, 1600, 2100, 2600, SYSTEM + summary, SYSTEM + summary + GROWS]
    assert [read for read, _ in prompts(rows)] == reads
    assert metrics.compactions == 1
    assert [cached for _, cached in prompts(rows)] == [0, 1100, 1600, 2100, SYSTEM, reads[4]]


def test_the_work_of_a_loop_is_spread_over_its_turns() -> None:
    latency = {"kind": "seconds", "base": 1, "per_work_unit_s": 6}
    who = looping({"turns": 3}, latency=latency)
    who["tokens"] = {"output": 10, "per_work_unit": 300}
    metrics, rows = traced(team__agent=who, workload__tasks=1)
    assert [row.duration_s for row in rows if row.event is Event.TURN] == [3.0, 3.0]
    assert metrics.makespan_s == pytest.approx(3 * 1 + 6)
    assert metrics.output_tokens == 3 * 10 + 300


@pytest.mark.parametrize(("work", "turns"), [(1.0, 1), (2.5, 1), (2.6, 2), (5.0, 2), (12.5, 5)])
def test_a_loop_ends_when_its_work_is_done(work: float, turns: int) -> None:
    tasks = [{"id": "a", "size": work}]
    fields: dict[str, Any] = {"workload": {"kind": "dag", "tasks": tasks}}
    assert run(team__agent=looping({"work_per_turn": 2.5}), **fields).turns == turns


def test_turns_are_geometric_where_each_may_be_the_last() -> None:
    # 400 loops, alpha 0.003: a mean of 4 with standard error 0.17.
    found = runs(20, team__agent=looping({"end_probability": 0.25}), workload__tasks=20)
    assert abs(z_score([m.turns / 20 for m in found], 4.0)) < 3.0
    _, rows = traced(team__agent=looping({"end_probability": 0.25}), workload__tasks=2000)
    turns = np.array([row.peer for row in rows if row.event is Event.CALL_END])
    p = np.mean(turns == 1)
    assert abs(p - 0.25) < 3 * math.sqrt(0.25 * 0.75 / 2000)
    assert run(team__agent=looping({"end_probability": 1}), workload__tasks=5).calls == 5


def test_mean_seconds_and_tokens_of_a_loop_are_walds() -> None:
    # E[seconds] = E[turns] E[seconds of a turn]; alpha 0.003 each, 7,500 loops: 1 % is seen with
    # power 0.2, 3 % with power 0.96.
    who = looping(
        {"turns": {"kind": "uniform", "low": 0.5, "high": 8.5}},
        latency={"kind": "seconds", "base": {"kind": "exponential", "mean": 2}},
    )
    who["tokens"] = {"output": {"kind": "exponential", "mean": 500}}
    found = runs(150, team__agent=who, workload__tasks=50, seed=1)
    assert abs(z_score([m.makespan_s / 50 for m in found], 4.5 * 2)) < 3.0
    # Tokens are whole: half a token less, on average.
    assert abs(z_score([m.output_tokens / 50 for m in found], 4.5 * 499.5)) < 3.0


def test_news_is_read_between_turns() -> None:
    # The second agent speaks at 1.5 s, at the end of its only call: in the first one's second turn.
    loud = looping(None, latency={"kind": "seconds", "base": 1.5}, behaviour={"talk": 1})
    loud["tokens"] = {"output": WRITES, "message": 30}
    groups = {
        "looping": {"size": 1, "agent": looping({"turns": 4})},
        "loud": {"size": 1, "agent": loud},
    }
    _, rows = traced(
        team={"groups": groups},
        topology="decentralised",
        workload__tasks=2,
        coordination__timing="asynchronous",
    )
    of_first = [row for row in rows if row.agent == 0]
    reads = [SYSTEM + k * GROWS + 30 * (k >= 2) for k in range(4)]
    assert [read for read, _ in prompts(of_first)] == reads


def test_a_message_is_written_with_the_last_turn() -> None:
    who = looping({"turns": 3}, behaviour={"talk": 1})
    who["tokens"] = {"output": WRITES, "message": 40}
    metrics, rows = traced(
        team={"size": 2, "agent": who}, topology="decentralised", workload__tasks=2
    )
    writes = [r.output_tokens for r in rows if r.event in (Event.TURN, Event.CALL_END)]
    assert sorted(writes) == [WRITES] * 4 + [WRITES + 40] * 2
    assert metrics.messages == 2


def test_drift_grows_by_turn() -> None:
    who = looping({"turns": 5}, latency={"kind": "seconds", "base": 1})
    who["drift"] = {"step": 0.1, "slowdown": 1.0}
    _, rows = traced(team__agent=who, workload__tasks=1)
    seconds = [row.duration_s for row in rows if row.event is Event.TURN]
    assert seconds == pytest.approx([1.0, 1.1, 1.2, 1.3])


@pytest.mark.parametrize("at_limit", ["hand_in", "give_up"])
def test_a_loop_has_no_more_turns_than_it_may(at_limit: str) -> None:
    who = looping({"turns": 9, "max_turns": 4, "at_limit": at_limit})
    metrics = run_as_traced(scenario(team__agent=who, workload__tasks=3))
    assert metrics.outcome == "completed"
    assert (metrics.loops_at_limit, metrics.output_tokens) == (3, 12 * WRITES)
    assert metrics.calls == metrics.turns == 12
    gives_up = at_limit == "give_up"
    assert (metrics.partial_tasks, metrics.failed_calls) == (3 * gives_up, 3 * gives_up)
    assert metrics.tasks_correct == 3 * (not gives_up)
    exact = run(team__agent=looping({"turns": 4, "max_turns": 4}), workload__tasks=3)
    assert (exact.loops_at_limit, exact.tasks_correct) == (0, 3)


def test_a_lead_hands_out_more_to_whose_loop_has_given_up() -> None:
    who = looping({"turns": 9, "max_turns": 2, "at_limit": "give_up"})
    fields: dict[str, Any] = {
        "team": {"size": 3, "agent": who},
        "topology": "centralised",
        "coordination__protocol": "lead_assign",
        "workload__tasks": 7,
    }
    for timing in ("rounds", "asynchronous"):
        metrics = run_as_traced(scenario(coordination__timing=timing, **fields))
        assert (metrics.outcome, metrics.partial_tasks) == ("completed", 7)


def test_a_budget_is_looked_at_after_every_turn() -> None:
    price = {"output_per_mtok": 1e6 / WRITES}  # a dollar a turn
    metrics = run(
        team__agent=looping({"turns": 9}, price=price), limits={"budget_usd": 3}, workload__tasks=2
    )
    assert (metrics.outcome, metrics.cost_usd, metrics.makespan_s) == ("budget", 3.0, 3.0)
    assert metrics.wasted_s == 3.0


def test_a_deadline_pays_for_the_turns_so_far_and_half_of_the_one_in_flight() -> None:
    metrics = run_as_traced(
        scenario(team__agent=looping({"turns": 9}), limits={"deadline_s": 3.5}, workload__tasks=1)
    )
    assert metrics.input_tokens == SYSTEM * 4 + GROWS * 6
    assert metrics.output_tokens == 3.5 * WRITES
    assert metrics.wasted_s == 3.5


def test_each_turn_has_its_own_retries() -> None:
    # Each request fails with probability 0.5 and may be sent again ten times: all loops end.
    who = looping({"turns": 6}, faults={"malformed": 0.5})
    metrics = run_as_traced(
        scenario(team__agent=who, resilience={"retry": {"max_retries": 10}}, workload__tasks=20)
    )
    assert (metrics.failed_calls, metrics.tasks_done) == (0, 20)
    assert metrics.malformed == metrics.retries > 60


def test_a_turn_without_retries_loses_the_loop_and_what_was_paid_stays_paid() -> None:
    who = looping({"turns": 4}, faults={"malformed": 0.2})
    metrics, rows = traced(team__agent=who, workload__tasks=30)
    assert metrics.failed_calls > 10
    lost = {r.call for r in rows if r.event is Event.CALL_END and r.outcome == "failed"}
    paid = [r for r in rows if r.event in (Event.TURN, Event.CALL_END, Event.REQUEST)]
    assert metrics.output_tokens == sum(row.output_tokens or 0 for row in paid)
    assert any(r.event is Event.TURN and r.call in lost for r in rows)
    # Every request that was answered or read is paid in full.
    assert metrics.output_tokens == metrics.requests * WRITES


def test_a_crash_loses_the_loop() -> None:
    crash = [{"kind": "crash", "agent": 0, "at_s": 3.5, "for_s": 10}]
    metrics, rows = traced(team__agent=looping({"turns": 5}), workload__tasks=1, faults=crash)
    assert metrics.makespan_s == 3.5 + 10 + 5
    assert metrics.turns == 4 + 5
    after = [read for read, _ in prompts(rows)][4:]
    assert after == [SYSTEM + k * GROWS for k in range(5)]


@pytest.mark.parametrize("at_s", [2.5, 4.0])
def test_a_loop_lost_while_a_tool_runs_has_no_call_under_way(at_s: float) -> None:
    crash = [{"kind": "crash", "agent": 0, "at_s": at_s, "for_s": 10}]
    who = looping({"turns": 3}, tools={"tests": {"seconds": 5}})
    metrics = run_as_traced(scenario(team__agent=who, workload__tasks=1, faults=crash))
    # A turn before the crash, three after it.
    assert (metrics.calls, metrics.turns, metrics.failed_calls) == (4, 4, 1)
    assert metrics.output_tokens == 4 * WRITES
    assert metrics.makespan_s == at_s + 10 + 3 + 2 * 5


@pytest.mark.parametrize("at_s", [3.5, 4.5])
def test_with_checkpoints_a_loop_goes_on_with_the_turn_that_the_crash_has_broken(
    at_s: float,
) -> None:
    crash = [{"kind": "crash", "agent": 0, "at_s": at_s, "for_s": 10}]
    fields: dict[str, Any] = {"workload__tasks": 2, "faults": crash}
    who = looping({"turns": 5}, latency={"kind": "seconds", "base": 1, "per_work_unit_s": 5})
    kept = run(team__agent=who, resilience={"checkpoint": {"every_s": 1}}, **fields)
    lost = run(team__agent=who, **fields)
    # Turns of two seconds: one has ended at 3.5 s, two have at 4.5 s.
    assert lost.makespan_s == at_s + 10 + 20
    assert kept.makespan_s == lost.makespan_s - 2 * (at_s // 2)
    assert run_as_traced(
        scenario(team__agent=who, resilience={"checkpoint": {"every_s": 1}}, **fields)
    )


CRASH = {"kind": "crash", "agent": 0, "for_s": 1, "keeps_context": True}
CHECKPOINTS = {"checkpoint": {"every_s": 1000}}


def test_a_crash_while_a_tool_runs_saves_nothing_of_the_tool() -> None:
    who = looping({"turns": 3}, tools={"ci": {"seconds": 1000}})
    # Turns of a second: the second tool would be over at 2002 s.
    fields = {"team__agent": who, "workload__tasks": 1, "faults": [{**CRASH, "at_s": 1500}]}
    # The second turn and its tool are taken again; without checkpoints, all three turns are.
    assert run(resilience=CHECKPOINTS, **fields).makespan_s == 1501 + 1 + 1000 + 1
    assert run(**fields).makespan_s == 1501 + 3 + 2000


def test_a_loop_that_goes_on_has_the_turns_that_it_began_with() -> None:
    # Drawn anew, half of the loops of 20 turns would be over after the crash: they had 2.
    who = looping({"turns": {"kind": "empirical", "values": [2, 20]}})
    crash = [{**CRASH, "at_s": 16.5}]
    found = runs(200, team__agent=who, workload__tasks=1, faults=crash, resilience=CHECKPOINTS)
    assert {row.makespan_s for row in found} == {2.0, 17.5 + 4.0}


def test_crashes_do_not_shorten_loops_with_checkpoints() -> None:
    who = looping({"end_probability": 0.2})
    fields: dict[str, Any] = {"workload__tasks": 1, "resilience": CHECKPOINTS}
    whole = runs(200, team__agent=who, **fields)
    who["faults"] = {"crash": {"up_s": {"kind": "exponential", "mean": 8}, "repair_s": 1,
                               "keeps_context": True}}  # fmt: skip
    broken = runs(200, team__agent=who, **fields)
    assert sum(row.crashes for row in broken) > 80
    # Every turn that a crash breaks is taken again, and no other.
    assert [row.turns - row.failed_calls for row in broken] == [row.turns for row in whole]


@pytest.mark.parametrize("retention", [0, 0.5])
def test_a_loop_that_is_given_up_leaves_as_much_as_one_that_ends_well(retention: float) -> None:
    fields: dict[str, Any] = {"latency": {"kind": "seconds", "base": 1}, "tokens": {"output": 100}}
    context = {"system_tokens": 1000, "retention": retention, "board_tokens_per_task": 0}
    tools = {"t": {"seconds": 5, "result_tokens": 700}}
    loop = {"turns": 5, "max_turns": 3, "at_limit": "give_up"}
    who = agent(**fields, context=context, tools=tools, loop=loop)
    row = run(team__agent=who, workload__tasks=2)
    # The second conversation begins with what is kept of 2400 tokens: three answers, two results
    # and, since the third answer came to nothing ahead of the hand-in, no more.
    begins = int(retention * (3 * 100 + 2 * 700))
    assert row.input_tokens == 2 * (1000 + 1800 + 2600) + 3 * begins


@pytest.mark.parametrize("timing", ["rounds", "asynchronous", "bounded_staleness"])
@pytest.mark.parametrize(
    "fields",
    [
        {"resilience": {"timeout": {"seconds": 2.5}, "retry": {"max_retries": 2}}},
        {"resilience": {"hedge": {"after_s": 1.5}}, "provider": {"concurrency": 2, "queue": {}}},
        {"faults": [{"kind": "crash", "agent": 0, "at_s": 4.2, "for_s": 3}]},
        {"faults": [{"kind": "stall", "agent": 1, "at_s": 4.2, "for_s": 3}],
         "resilience": {"timeout": {"seconds": 9}, "retry": {"max_retries": 1}}},
        {"workspace": {"kind": "locks", "acquire": "one_by_one"}},
        {"workspace": {"kind": "optimistic", "one_way_s": 0.2}},
        {"workspace": {"kind": "single_writer"}},
        {"provider": {"requests_per_minute": 40, "burst_s": 6}},
        {"network": {"partitions": [{"at_s": 3, "duration_s": 9}]}},
        {"resilience": {"backup": {"when_left": 0.8}}},
        {"resilience": {"fallback": {"model": looping(None)}, "timeout": {"seconds": 2}}},
        {"limits": {"deadline_s": 11}},
        {"coordination__review": {"by": "peers"}},
        {"coordination__protocol": {"kind": "redundancy", "copies": 2}},
        {"team__agent__context__cache": {"life_s": 1.2, "min_tokens": 1400}},
    ],
)  # fmt: skip
def test_loops_in_company_end_with_all_accounted_for(timing: str, fields: dict[str, Any]) -> None:
    latency = {"kind": "seconds", "base": {"kind": "lognormal", "median": 1, "sigma": 0.6}}
    who = looping({"end_probability": 0.3}, latency=latency, errors={"probability": 0.2})
    path = "team__agent__context__cache"
    if path in fields:
        who["context"]["cache"] = fields[path]
        fields = {}
    tasks = [
        {"id": str(i), "files": [f"a{i % 3}", f"b{i % 4}"], "dependencies": [str(i - 3)] * (i > 2)}
        for i in range(12)
    ]
    each = scenario(
        team={"size": 3, "agent": who},
        workload={"kind": "dag", "tasks": tasks},
        coordination__timing=timing,
        topology="decentralised",
        limits={"max_calls": 2000, **fields.pop("limits", {})} if "limits" in fields else {},
        **{name: value for name, value in fields.items() if name != "limits"},
    )
    metrics = run_as_traced(each)
    spent = sum(getattr(metrics, name) for name in TIMES)
    assert spent == pytest.approx(metrics.agents * metrics.makespan_s, rel=1e-9)
    assert metrics.turns > metrics.tasks_done


TIMES = ("work_s", "rework_s", "wasted_s", "coordination_s", "waiting_s", "down_s")


@pytest.mark.parametrize(
    ("loop", "said"),
    [
        ({}, "needs one of 'turns', 'end_probability' and 'work_per_turn'"),
        ({"turns": 3, "end_probability": 0.5}, "not 2 of them"),
        ({"end_probability": 1.5}, "less than or equal to 1"),
        ({"end_probability": 0}, "greater than 0"),
        ({"turns": -2}, "must not be negative|at least 0|negative"),
        ({"work_per_turn": 0}, "greater than 0"),
        ({"turns": 3, "max_turns": 0}, "greater than or equal to 1"),
        ({"turns": 3, "at_limit": "stop"}, "'hand_in' or 'give_up'"),
        ({"turn": 3}, "did you mean 'turns'"),
    ],
)
def test_a_loop_that_cannot_be_is_refused(loop: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        scenario(team__agent=looping(loop))


@pytest.mark.parametrize("examples", [15, pytest.param(60, marks=pytest.mark.thorough)])
def test_a_loop_of_one_turn_gives_the_bits_of_a_call(examples: int) -> None:
    def law(drawn: Scenario) -> None:
        plain = with_loops(drawn, None)
        expected = Simulation(plain).run(0)
        assert Simulation(with_loops(plain, {"turns": 1.0})).run(0) == expected
        if not (plain.has_steps or Workspace.of(plain.workspace).takes_time):
            return  # a call that has steps adds up the times of its phases
        if plain.resilience.checkpoint is not None:
            return  # what may be several turns saves turns, a call seconds
        # Here it goes turn by turn, of which there happens to be one.
        for loop in ({"work_per_turn": 1e9}, {"turns": {"kind": "uniform", "low": 0.6, "high": 1}}):
            found = Simulation(with_loops(plain, loop)).run(0)
            assert found.turns > 0 or not found.calls
            assert dataclasses.replace(found, turns=0) == expected

    of_many(examples, False, law)
    of_many(examples, True, law)


def with_loops(plain: Scenario, loop: dict[str, Any] | None) -> Scenario:
    """Return a scenario whose agents all work in loops without tools, or in none."""
    spec = None if loop is None else LoopSpec.model_validate(loop)
    groups = {
        name: group.model_copy(
            update={"agent": group.agent.model_copy(update={"loop": spec, "tools": {}})}
        )
        for name, group in (plain.team.groups or {}).items()
    }
    return plain.model_copy(update={"team": plain.team.model_copy(update={"groups": groups})})


@pytest.mark.parametrize("examples", [12, pytest.param(50, marks=pytest.mark.thorough)])
def test_whatever_the_scenario_loops_end_with_all_accounted_for(examples: int) -> None:
    def law(plain: Scenario) -> None:
        loop = {"end_probability": 0.4, "max_turns": 5, "at_limit": "give_up"}
        check(run_as_traced(with_loops(plain, loop), not_told(plain)), plain.resilience.enough)

    of_many(examples, False, law)
    of_many(examples, True, law)


def test_the_course_of_a_loop_is_in_the_trace() -> None:
    trace = Trace()
    Simulation(scenario(team={"size": 3, "agent": looping({"turns": 4})})).run(0, trace)
    check_course(trace)
    assert sum(row.event is Event.TURN for row in trace.rows) == 3 * 20


@pytest.mark.parametrize("most", [1, 2, 7, 19, 20])
def test_turns_are_calls_that_may_be_made(most: int) -> None:
    # Two loops of ten turns each: the run ends with the call that is the last it may make.
    fields: dict[str, Any] = {"team__agent": looping({"turns": 10}), "workload__tasks": 2}
    metrics = run_as_traced(scenario(limits={"max_calls": most}, **fields))
    assert (metrics.outcome, metrics.makespan_s) == (
        "max_calls" if most < 20 else "completed",
        most,
    )
    plain = run(team__agent=looping(None), workload__tasks=20, limits={"max_calls": most})
    assert plain.makespan_s == most


def test_several_agents_end_with_the_call_that_ends_next_whether_they_loop_or_not() -> None:
    fields: dict[str, Any] = {"limits": {"max_calls": 7}, "coordination__timing": "asynchronous"}
    for loop, tasks in (({"turns": 10}, 3), (None, 30)):
        team = {"size": 3, "agent": looping(loop)}
        metrics = run_as_traced(scenario(team=team, workload__tasks=tasks, **fields))
        # The first agent begins the seventh call when the second ends its second one.
        assert (metrics.outcome, metrics.makespan_s) == ("max_calls", 2)


@pytest.mark.parametrize("timing", ["rounds", "asynchronous"])
def test_an_agent_whose_turns_go_on_is_not_taken_for_stuck(timing: str) -> None:
    fields: dict[str, Any] = {"workload__tasks": 3, "coordination__timing": timing}
    tools = {"ci": {"seconds": 4}}

    def stuck(progress_s: float, loop: dict[str, Any] | None, **parts: Any) -> int:
        who = looping(loop, **parts)
        patterns = {"detector": {"progress_s": progress_s}}
        limits = {"max_calls": 60}
        each = scenario(team__agent=who, resilience=patterns, limits=limits, **fields)
        return run_as_traced(each).detections

    assert stuck(1.5, {"turns": 30}) == 0  # turns of a second each
    assert stuck(0.5, {"turns": 30}) > 0
    assert stuck(4.5, {"turns": 5}, tools=tools) == 0
    assert stuck(3.5, {"turns": 5}, tools=tools) > 0
