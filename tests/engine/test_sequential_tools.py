"""Tools whose calls run one after another, by counting, and in company."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.model.metrics import Metrics
from simulator.model.trace import Event
from tests.conftest import agent, run_as_traced, scenario
from tests.engine.test_loops import looping
from tests.engine.test_tools import alone, exponential, traced

HELPER = looping({"turns": 1}, latency={"kind": "seconds", "base": 6})


Ended = tuple[float, int | None, str | None]


def ended(tools: dict[str, Any], turns: Any = 2, **fields: Any) -> list[Ended]:
    """Return when each call of a tool has ended, of which tool it was, and how it ended."""
    _, rows = traced(alone(turns, tools=tools, **fields))
    return [(r.time_s, r.peer, r.outcome) for r in rows if r.event is Event.TOOL]


def of_team(tools: dict[str, Any], **fields: Any) -> Metrics:
    """Run a lead of two turns with tools, which may start helpers of 6 s."""
    limits = fields.pop("limits", {})
    who = looping({"turns": 2}, tools=tools, **fields.pop("agent", {}))
    team = {"size": 1, "agent": who, "subagents": {"kinds": {"helper": HELPER}, **limits}}
    return run_as_traced(scenario(team=team, workload__tasks=1, **fields))


def test_calls_that_may_run_at_once_do_and_then_the_others_one_by_one() -> None:
    tools = {
        "edit": {"seconds": 3, "calls": 2, "sequential": True},
        "read": {"seconds": 5, "calls": 2},
        "test": {"seconds": 7, "sequential": True},
    }
    # The turn ends at 1 s; reads take until 6 s, edits until 9 and 12 s, the test until 19 s.
    order = [(6.0, 1), (6.0, 1), (9.0, 0), (12.0, 0), (19.0, 2)]
    assert [(at, tool) for at, tool, _ in ended(tools)] == order
    metrics = run_as_traced(alone(2, tools=tools))
    assert (metrics.makespan_s, metrics.on_tools_s, metrics.tool_s) == (20.0, 18.0, 23.0)
    assert (metrics.tool_calls, metrics.tool_wait_s) == (5, 0.0)


def test_they_take_the_sum_of_what_calls_at_once_take() -> None:
    calls = {"calls": {"kind": "uniform", "low": 0.5, "high": 4.5}, "result_tokens": 30}
    tool = {"seconds": exponential(4), "errors": 0.2, **calls}
    at_once, in_turn = (
        run_as_traced(alone(6, 8, tools={"do": {**tool, "sequential": each}}, seed=5))
        for each in (False, True)
    )
    # Draws are the same, so that tokens, failures and seconds of calls are, but for rounding.
    for name in ("tool_calls", "tool_errors", "turns", "input_tokens", "output_tokens"):
        assert getattr(at_once, name) == getattr(in_turn, name)
    assert in_turn.tool_s == pytest.approx(at_once.tool_s, rel=1e-12)
    assert in_turn.on_tools_s == pytest.approx(in_turn.tool_s, rel=1e-12)
    assert at_once.on_tools_s < 0.8 * in_turn.on_tools_s
    saved_s = in_turn.on_tools_s - at_once.on_tools_s
    assert in_turn.makespan_s - at_once.makespan_s == pytest.approx(saved_s, rel=1e-9)


def test_a_single_call_is_as_any_call() -> None:
    tool = {"seconds": exponential(4), "errors": 0.2, "station": "ci"}
    one, other = (
        run_as_traced(alone(6, 8, tools={"do": {**tool, "sequential": each}}, stations={"ci": {}}))
        for each in (False, True)
    )
    assert one == other


def test_a_time_out_begins_when_its_turn_comes() -> None:
    tools = {"do": {"seconds": 4, "calls": 3, "timeout_s": 5, "sequential": True}}
    assert [(at, how) for at, _, how in ended(tools)] == [
        (5.0, "done"),
        (9.0, "done"),
        (13.0, "done"),
    ]
    tools["do"]["timeout_s"] = 3
    failed = ended(tools, {"turns": 2, "max_turns": 2})
    assert [(at, how) for at, _, how in failed] == [
        (4.0, "timeout"),
        (7.0, "timeout"),
        (10.0, "timeout"),
    ]


def test_calls_that_need_not_succeed_are_not_asked_for() -> None:
    tools = {"do": {"seconds": 4, "calls": 5, "wait_for": 2, "sequential": True}}
    assert [at for at, _, _ in ended(tools)] == [5.0, 9.0]
    metrics = run_as_traced(alone(2, tools=tools))
    assert (metrics.tool_calls, metrics.makespan_s, metrics.turns) == (2, 10.0, 2)


def test_calls_go_on_until_enough_have_succeeded() -> None:
    # The first that succeeds is the last: their number is geometric, as long as five suffice.
    tools = {"do": {"seconds": 1, "calls": 5, "wait_for": "any", "errors": 0.5, "sequential": True}}
    _, rows = traced(alone({"turns": 2001, "max_turns": 5000}, tools=tools))
    tried: dict[int, list[str | None]] = {}
    turn = 0
    for row in rows:
        if row.event is Event.TURN:
            turn += 1
        elif row.event is Event.TOOL:
            tried.setdefault(turn, []).append(row.outcome)
    assert len(tried) >= 2000
    for outcomes in tried.values():
        assert outcomes[:-1] == ["error"] * (len(outcomes) - 1)
        assert outcomes[-1] == "done" or len(outcomes) == 5
    firsts = sum(len(outcomes) == 1 for outcomes in tried.values()) / len(tried)
    assert abs(firsts - 0.5) < 3 * (0.25 / len(tried)) ** 0.5


def test_agents_take_turns_at_a_station_call_by_call() -> None:
    # Both ask at 1 s; after each call the other agent is next: ends at 3, 5, 7, ... s.
    tools = {"ci": {"seconds": 2, "calls": 3, "station": "ci", "sequential": True}}
    who = looping({"turns": 2}, tools=tools)
    each = scenario(
        team={"size": 2, "agent": who},
        stations={"ci": {}},
        workload__tasks=2,
        coordination__timing="asynchronous",
    )
    metrics, rows = traced(each)
    assert [(r.time_s, r.agent) for r in rows if r.event is Event.TOOL] == [
        (3.0, 0),
        (5.0, 1),
        (7.0, 0),
        (9.0, 1),
        (11.0, 0),
        (13.0, 1),
    ]
    assert (metrics.tool_s, metrics.tool_wait_s) == (12.0, 2 + 5 * 2 - 2)


def test_sub_agents_one_after_another_and_the_waits_for_them_and_for_tools() -> None:
    ask = {"starts": {"agent": "helper"}, "calls": 3, "sequential": True}
    metrics = of_team({"ask": ask, "look": {"seconds": 5}})
    assert (metrics.on_tools_s, metrics.on_subagents_s, metrics.makespan_s) == (5.0, 18.0, 25.0)
    assert (metrics.sub_agents, metrics.sub_agent_s) == (3, 18.0)


def test_no_more_sub_agents_start_than_may() -> None:
    ask = {"starts": {"agent": "helper"}, "calls": 3, "sequential": True}
    metrics = of_team({"ask": ask}, limits={"max_total": 2})
    assert (metrics.sub_agents, metrics.makespan_s) == (2, 14.0)
    # Two leads share four: whoever's turn comes first takes them, and none starts a fifth.
    who = looping({"turns": 2}, tools={"ask": ask})
    kinds = {"kinds": {"helper": HELPER}, "max_total": 4}
    team = {"size": 2, "agent": who, "subagents": kinds}
    metrics = run_as_traced(
        scenario(team=team, workload__tasks=2, coordination__timing="asynchronous")
    )
    assert (metrics.sub_agents, metrics.makespan_s) == (4, 14.0)


def test_what_a_crash_or_a_deadline_comes_before_is_not_asked_for() -> None:
    tools = {"do": {"seconds": 4, "calls": 5, "sequential": True}}
    crash = {"crash": {"up_s": 10, "repair_s": 1}}
    metrics = run_as_traced(alone(2, tools=tools, agent={"faults": crash}, limits__deadline_s=19))
    # Calls at 1, 5 and 9 s, the last of which the crash at 10 s ends; anew from 11 s on.
    assert metrics.crashes >= 1
    assert metrics.outcome == "deadline"
    _, rows = traced(alone(2, tools=tools, agent={"faults": crash}, limits__deadline_s=19))
    ends = [(r.time_s, r.outcome) for r in rows if r.event is Event.TOOL]
    assert ends[:3] == [(5.0, "done"), (9.0, "done"), (10.0, "cancelled")]
    assert [at for at, _ in ends[3:]] == [16.0, 19.0]


def test_what_runs_in_the_background_is_not_sequential() -> None:
    with pytest.raises(ValueError, match="runs beside others, so it is not 'sequential'"):
        scenario(
            team__agent=agent(
                loop={"turns": 2}, tools={"do": {"background": True, "sequential": True}}
            )
        )
