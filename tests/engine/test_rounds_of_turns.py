"""Rounds in which agents wait for each other after every turn; messages between turns or loops."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from simulator.model.trace import Event
from tests.conftest import run, run_as_traced, runs, scenario, z_score
from tests.engine.test_loops import GROWS, SYSTEM, TIMES, WRITES, looping, prompts, traced
from tests.engine.test_subagents import asking

TURNS = 20


def in_rounds(who: dict[str, Any], size: int = 4, tasks: int | None = None, **fields: Any) -> Any:
    """Return the fields of a team in rounds of turns, a task an agent."""
    rounds = {"coordination__timing": "rounds", "coordination__round_of": "turn"}
    team = {"team": {"size": size, "agent": who}, "workload__tasks": tasks or size}
    return {**rounds, **team, **fields}


def test_every_turn_waits_for_the_slowest() -> None:
    # A round is the maximum of n exponentials: m (1 + 1/2 + ... + 1/n); alpha 0.003.
    latency = {"kind": "seconds", "base": {"kind": "exponential", "mean": 3}}
    fields = in_rounds(looping({"turns": TURNS}, latency=latency))
    found = runs(100, **fields)
    assert {m.rounds for m in found} == {TURNS}
    expected = TURNS * 3 * (1 + 1 / 2 + 1 / 3 + 1 / 4)
    assert abs(z_score([m.makespan_s for m in found], expected)) < 3.0
    of_loops = runs(100, **{**fields, "coordination__round_of": "loop"})
    assert {m.rounds for m in of_loops} == {1}
    assert max(m.makespan_s for m in of_loops) < expected
    # The gap is that of turns: the maximum of four less the mean.
    gap = 3 * (1 + 1 / 2 + 1 / 3 + 1 / 4) - 3
    assert abs(z_score([m.straggler_gap_s for m in found], gap)) < 3.0


def test_a_loop_of_one_turn_is_a_round_either_way() -> None:
    for loop in (None, {"turns": 1}):
        fields = in_rounds(looping(loop), tasks=9)
        turns, loops = run(**fields), run(**{**fields, "coordination__round_of": "loop"})
        assert turns == loops


def test_who_has_ended_its_loop_begins_another_beside_those_who_have_not() -> None:
    groups = {
        "short": {"size": 1, "agent": looping({"turns": 2})},
        "long": {"size": 1, "agent": looping({"turns": 5})},
    }
    fields = in_rounds({}, tasks=3, coordination__idle_agents="wait") | {"team": {"groups": groups}}
    metrics, rows = traced(**fields)
    ends = [(row.agent, row.round) for row in rows if row.event is Event.CALL_END]
    assert ends == [(0, 2), (0, 4), (1, 5)]
    assert (metrics.rounds, metrics.makespan_s) == (5, 5)
    run_as_traced(scenario(**fields))


def test_the_barrier_waits_for_tools_and_sub_agents() -> None:
    tools = {"ci": {"seconds": 4, "station": "ci"}}
    fields = in_rounds(looping({"turns": 3}, tools=tools), size=2, stations={"ci": {}})
    metrics = run_as_traced(scenario(**fields))
    # Two rounds of a turn and, one after another, two runs of four seconds; then the last turns.
    assert (metrics.makespan_s, metrics.rounds) == (2 * (1 + 8) + 1, 3)
    assert metrics.on_tools_s == 2 * (4 + 8)
    team = asking(turns=3)
    fields = in_rounds({}) | {"team": team, "workload__tasks": 1}
    metrics = run_as_traced(scenario(**fields))
    assert (metrics.makespan_s, metrics.rounds) == (2 * (1 + 3) + 1, 3)


def test_the_harness_takes_its_time_after_every_turn() -> None:
    fields = in_rounds(looping({"turns": 3}), coordination__round_overhead_s=5)
    metrics = run_as_traced(scenario(**fields))
    assert metrics.makespan_s == 3 + 2 * 5
    spent = sum(getattr(metrics, name) for name in TIMES)
    assert spent == pytest.approx(metrics.agents * metrics.makespan_s)


@pytest.mark.parametrize(("reads", "with_turn"), [("turn", 1), ("loop", 3)])
def test_messages_are_read_with_the_next_turn_or_the_next_loop(reads: str, with_turn: int) -> None:
    loud = looping(None, behaviour={"talk": 1})
    loud["tokens"] = {"output": WRITES, "message": 30}
    groups = {
        "looping": {"size": 1, "agent": looping({"turns": 3, "reads_messages": reads})},
        "loud": {"size": 1, "agent": loud},
    }
    fields = in_rounds({}, tasks=3, coordination__idle_agents="wait", topology="decentralised")
    fields |= {"team": {"groups": groups}, "coordination__protocol": "pre_assigned"}
    _, rows = traced(**fields)
    of_first = [row for row in rows if row.agent == 0]
    # The other speaks at the end of the first round.
    news = [30 * (k >= with_turn) for k in range(6)]
    assert [read for read, _ in prompts(of_first)] == [
        SYSTEM + k * GROWS + news[k] for k in range(6)
    ]


def test_news_that_a_loop_leaves_unread_is_there_after_a_crash_and_read_once() -> None:
    loud = looping(None, latency={"kind": "seconds", "base": 1.5}, behaviour={"talk": 1})
    loud["tokens"] = {"output": WRITES, "message": 30}
    shut = looping({"turns": 4, "reads_messages": "loop"}, faults={})
    groups = {"looping": {"size": 1, "agent": shut}, "loud": {"size": 1, "agent": loud}}
    crash = [{"kind": "crash", "agent": 0, "at_s": 2.5, "for_s": 1}]
    _, rows = traced(
        team={"groups": groups},
        topology="decentralised",
        workload__tasks=2,
        coordination__timing="asynchronous",
        faults=crash,
    )
    reads = [read for read, _ in prompts([row for row in rows if row.agent == 0])]
    # Two turns and the crash in the third, then a loop that begins with what was said meanwhile.
    assert reads[-4:] == [SYSTEM + k * GROWS + 30 for k in range(4)]
    assert reads[:2] == [SYSTEM, SYSTEM + GROWS]


@pytest.mark.parametrize(
    "fields",
    [
        {"resilience": {"timeout": {"seconds": 2.5}, "retry": {"max_retries": 2}}},
        {"resilience": {"hedge": {"after_s": 1.5}}, "provider": {"concurrency": 2, "queue": {}}},
        {"faults": [{"kind": "crash", "agent": 0, "at_s": 4.2, "for_s": 3}]},
        {"faults": [{"kind": "crash", "agent": 0, "at_s": 2.0, "for_s": 3}],
         "resilience": {"checkpoint": {"every_s": 1}}},
        {"faults": [{"kind": "stall", "agent": 1, "at_s": 4.2, "for_s": 3}],
         "resilience": {"timeout": {"seconds": 9}, "retry": {"max_retries": 1}}},
        {"workspace": {"kind": "optimistic", "one_way_s": 0.2}},
        {"workspace": {"kind": "quorum", "delay_s": 0.2}},
        {"provider": {"requests_per_minute": 40, "burst_s": 6}},
        {"network": {"partitions": [{"at_s": 3, "duration_s": 9}]}},
        {"resilience": {"backup": {"when_left": 0.8}}},
        {"resilience": {"detector": {"progress_s": 2.0}}},
        {"limits": {"deadline_s": 11}},
        {"limits": {"max_rounds": 9}},
        {"limits": {"max_calls": 20}},
        {"coordination__review": {"by": "peers"}},
        {"coordination__protocol": {"kind": "redundancy", "copies": 2}},
        {"topology": "centralised", "coordination__protocol": "lead_assign"},
        {"coordination__round_overhead_s": 0.5},
    ],
)  # fmt: skip
@pytest.mark.parametrize("idle", ["call", "wait"])
def test_rounds_of_turns_in_company_end_with_all_accounted_for(
    fields: dict[str, Any], idle: str
) -> None:
    latency = {"kind": "seconds", "base": {"kind": "lognormal", "median": 1, "sigma": 0.6}}
    tools = {"ci": {"seconds": {"kind": "exponential", "mean": 1}, "station": "ci"}}
    who = looping(
        {"end_probability": 0.3}, latency=latency, errors={"probability": 0.2}, tools=tools
    )
    each = in_rounds(who, size=3, tasks=8, coordination__idle_agents=idle, stations={"ci": {}})
    metrics = run_as_traced(scenario(**{"topology": "decentralised", **each, **fields}))
    spent = sum(getattr(metrics, name) for name in TIMES)
    assert spent == pytest.approx(metrics.agents * metrics.makespan_s, rel=1e-9)
    assert metrics.outcome in ("completed", *fields.get("limits", {}), "deadline")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"coordination__round_of": "week"}, "'loop' or 'turn'"),
        ({"coordination__timing": "asynchronous"}, "no rounds with timing 'asynchronous'"),
        ({"coordination__calls_per_round": 2}, "calls_per_round"),
        ({"resilience": {"wait_for": 0.5}}, "would cancel whole loops"),
        ({"workspace": "locks"}, "would hold up others"),
        ({"workspace": "single_writer"}, "would hold up others"),
        ({"team__agent__loop": {"turns": 2, "reads_messages": "never"}}, "'turn' or 'loop'"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        scenario(**{**in_rounds(looping({"turns": 2})), **fields})
