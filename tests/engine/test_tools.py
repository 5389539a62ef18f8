"""Tools between the turns of a loop, and the stations where they are served, against theory."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Row, Trace
from simulator.scenario import Scenario
from tests.conftest import agent, run, run_as_traced, runs, scenario, z_score

SYSTEM, WRITES = 1000, 100
HOUR = 3600.0


def working(turns: Any = 3, tools: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    context = {"system_tokens": SYSTEM, "board_tokens_per_task": 0, "window_tokens": 1e9}
    context |= fields.pop("context", {})
    loop = turns if isinstance(turns, dict) else {"turns": turns}
    return agent(tokens={"output": WRITES}, context=context, loop=loop, tools=tools, **fields)


def exponential(mean: float) -> dict[str, Any]:
    return {"kind": "exponential", "mean": mean}


def traced(each: Scenario) -> tuple[Metrics, list[Row]]:
    trace = Trace()
    return Simulation(each).run(0, trace), trace.rows


def alone(turns: Any = 3, tasks: int = 1, **fields: Any) -> Scenario:
    """Return a scenario of one agent."""
    tools, stations = fields.pop("tools"), fields.pop("stations", {})
    who = working(turns, tools, **fields.pop("agent", {}))
    return scenario(
        team__agent=who,
        stations=stations,
        workload__tasks=tasks,
        coordination__timing="asynchronous",
        **fields,
    )


def test_an_agent_waits_for_the_last_tool_of_each_turn_but_the_last() -> None:
    tools = {"test": {"seconds": 5, "result_tokens": 70}, "look": {"seconds": 2, "calls": 3}}
    metrics = run_as_traced(alone(3, tools=tools))
    assert metrics.makespan_s == 3 * 1 + 2 * 5
    assert (metrics.tool_calls, metrics.tool_s) == (2 * 4, 2 * (5 + 3 * 2))
    assert metrics.on_tools_s == metrics.waiting_s == 10.0
    u = WRITES + 70
    assert metrics.input_tokens == 3 * SYSTEM + u * 3
    assert metrics.work_s == 3.0


def test_a_tool_that_fails_makes_one_more_turn() -> None:
    # Every call fails with probability 0.5, so that one turn becomes two on average: of T turns
    # there are T + (number of turns with tools that failed), which is geometric: T - 1 successes.
    tools = {"test": {"seconds": 1, "errors": 0.5}}
    found = runs(60, **as_fields(alone(4, 10, tools=tools)))
    assert abs(z_score([m.turns / 10 for m in found], 1 + 3 / 0.5)) < 3.0
    assert all(m.turns == 40 + m.tool_errors for m in found)


def as_fields(each: Scenario) -> dict[str, Any]:
    """Return the fields of a scenario by which `runs` finds it again."""
    return each.model_dump(by_alias=True, exclude_unset=True)


def test_a_tool_that_always_fails_ends_with_the_limit_of_turns() -> None:
    tools = {"test": {"seconds": 1, "errors": 1}}
    metrics = run_as_traced(alone({"turns": 3, "max_turns": 7}, tools=tools))
    assert (metrics.turns, metrics.loops_at_limit, metrics.tool_errors) == (7, 1, 6)


def test_a_tool_that_takes_too_long_has_failed() -> None:
    tools = {"test": {"seconds": 50, "timeout_s": 4}}
    metrics, rows = traced(alone({"turns": 2, "max_turns": 3}, tools=tools))
    assert metrics.makespan_s == 3 + 2 * 4
    assert [r.outcome for r in rows if r.event is Event.TOOL] == ["timeout"] * 2


def test_tools_are_called_as_often_as_they_say() -> None:
    tools: dict[str, Any] = {
        "often": {"weight": 3},
        "seldom": {"weight": 1},
        "sometimes": {"probability": 0.3, "calls": {"kind": "uniform", "low": 0.5, "high": 3.5}},
    }
    _, rows = traced(alone({"turns": 4001, "max_turns": 5000}, tools=tools))
    called = Counter(row.peer for row in rows if row.event is Event.TOOL)
    often, seldom, sometimes = (called[number] for number in range(3))
    # Of 4,000 turns, each within 3 standard errors.
    assert often + seldom == 4000
    assert abs(often - 3000) < 3 * math.sqrt(4000 * 0.75 * 0.25)
    assert abs(sometimes - 4000 * 0.3 * 2) < 3 * math.sqrt(4000 * (0.3 * (4 + 2 / 3) - 0.6**2))


def test_the_tool_in_the_background_is_read_when_it_is_there() -> None:
    tools = {"build": {"seconds": 1.5, "background": True, "result_tokens": 1000}}
    metrics, rows = traced(alone(4, tools=tools))
    reads = [r.input_tokens for r in rows if r.event in (Event.TURN, Event.CALL_END)]
    # Called at 1, 2 and 3 s, there at 2.5, 3.5 and (too late) 4.5 s.
    assert reads == [1000, 1100, 1200, 2300]
    assert metrics.makespan_s == 4.0
    assert [r.outcome for r in rows if r.event is Event.TOOL] == ["done", "done", "cancelled"]


def test_one_cache_survives_an_exponential_wait_as_often_as_theory_says() -> None:
    # A gap of mean m is survived with probability 1 - exp(-l / m); the bill follows from it.
    life_s, mean, turns = 5.0, 4.0, {"turns": 2001, "max_turns": 3000}
    survives = 1.0 - math.exp(-life_s / mean)
    price = {"input_per_mtok": 4.0, "cached_input_per_mtok": 0.4}
    cache = {"life_s": life_s, "write_price_factor": 1.25}
    tools = {"look": {"seconds": exponential(mean)}}
    who = {"context": {"cache": cache, "system_tokens": 0, "turn_tokens": 900}, "price": price}
    metrics, rows = traced(alone(turns, tools=tools, agent=who))
    found = [r for r in rows if r.event in (Event.TURN, Event.CALL_END)][1:]
    hits = sum((row.cached_tokens or 0) > 0 for row in found[1:])
    assert abs(hits - survives * len(found[1:])) < 3 * math.sqrt(2000 * survives * (1 - survives))
    # Of the k-th prompt of k u tokens u are new, and all are if the cache has expired.
    u = WRITES + 900
    lost = sum(k * u for k, row in enumerate(found) if not row.cached_tokens)
    written = u * len(found) + lost
    read = u * len(found) * (len(found) - 1) // 2 - lost
    assert metrics.cache_write_tokens == written
    assert metrics.expired_tokens == lost
    assert metrics.cost_usd == pytest.approx((written * 4.0 * 1.25 + read * 0.4) / 1e6)
    # Which prompts expire is chance: the expected bill within three of its standard errors.
    sizes = [k * u for k in range(len(found))]
    spread = math.sqrt(survives * (1 - survives) * sum(size**2 for size in sizes))
    assert abs(lost - (1 - survives) * sum(sizes)) < 3 * spread


def test_tokens_with_a_cache_that_expires_at_known_turns() -> None:
    # A turn and a tool take a second each. The station is down from 10 to 40 s: the tool that is
    # asked for at 11 s, after turn 6, is served then, and turn 7 finds nothing in the cache.
    tools = {"look": {"seconds": 1, "station": "site", "result_tokens": 400}}
    stations = {"site": {"outages": {"up_s": 10, "down_s": 30}}}
    each = alone(8, tools=tools, stations=stations, agent={"context": {"cache": {"life_s": 5}}})
    metrics, rows = traced(each)
    ends = [r for r in rows if r.event in (Event.TURN, Event.CALL_END)]
    grows = [SYSTEM + k * 500 for k in range(8)]
    assert [row.input_tokens for row in ends] == grows
    assert [row.cached_tokens for row in ends] == [0, *grows[:5], 0, grows[6]]
    assert metrics.input_tokens == 8 * SYSTEM + 500 * 8 * 7 // 2
    assert metrics.expired_tokens == grows[5]
    assert metrics.input_tokens - metrics.cached_tokens == grows[7] + grows[5]


RUN_S = 4000.0
"""Of a closed network."""


def crew(n: int, think_s: float, serve_s: float, servers: int) -> Scenario:
    """Return a closed network: n agents whose loops use one station after every turn.

    A loop is a quarter longer than what an agent does in a run that never has to wait.
    """
    turns = round(1.25 * RUN_S / (think_s + serve_s))
    tools = {"ci": {"seconds": exponential(serve_s), "station": "ci"}}
    latency = {"kind": "seconds", "base": exponential(think_s)}
    loop = {"turns": turns, "max_turns": turns}
    return scenario(
        team={"size": n, "agent": working(loop, tools, latency=latency)},
        stations={"ci": {"concurrency": servers}},
        workload__tasks=n,
        coordination__timing="asynchronous",
        limits={"deadline_s": RUN_S},
    )


def per_second(n: int, think_s: float, serve_s: float) -> float:
    simulation = Simulation(crew(n, think_s, serve_s, 1))
    found = [simulation.run(i) for i in range(12)]
    return sum(m.tool_calls for m in found) / sum(m.makespan_s for m in found)


@pytest.mark.slow
def test_a_second_agent_doubles_what_is_done_unless_the_station_is_the_bottleneck() -> None:
    # Some 4,800 calls of one agent: a ratio has a standard error of 2 %.
    assert per_second(2, 10, 0.05) == pytest.approx(2 * per_second(1, 10, 0.05), rel=0.06)
    assert per_second(2, 0.05, 10) == pytest.approx(per_second(1, 0.05, 10), rel=0.06)
    # Exactly: think time and service that do not vary, and a station that is never asked twice.
    steady = {"latency": {"kind": "seconds", "base": 30}}
    tools = {"ci": {"seconds": 3, "station": "ci"}}
    spans = {}
    for n in (1, 2):
        each = scenario(
            team={"size": n, "agent": working(10, tools, **steady)},
            stations={"ci": {}},
            workload__tasks=4,
            coordination__timing="asynchronous",
        )
        spans[n] = Simulation(each).run(0).makespan_s
    # Both ask at the same time first; from then on one is 3 s behind the other.
    assert spans[1] == 4 * (10 * 30 + 9 * 3)
    assert spans[2] == pytest.approx(spans[1] / 2 + 3)


def test_who_came_first_is_served_first_and_the_urgent_before() -> None:
    def order(kind: str) -> list[int | None]:
        groups = {
            f"g{i}": {
                "size": 1,
                "agent": working(
                    2,
                    {"ci": {"seconds": 10, "station": "ci", "priority": i}},
                    latency={"kind": "seconds", "base": 1 + i},
                ),
            }
            for i in range(4)
        }
        each = scenario(
            team={"groups": groups},
            stations={"ci": {"order": kind}},
            workload__tasks=4,
            coordination__timing="asynchronous",
        )
        return [row.agent for row in traced(each)[1] if row.event is Event.TOOL]

    assert order("fifo") == [0, 1, 2, 3]
    assert order("priority") == [0, 3, 2, 1]


@pytest.mark.parametrize(
    ("starts_at", "waits_s"),
    [
        ({}, 0.0),  # Monday, 9 o'clock
        ({"day": "tue", "hour": 8}, 1 * HOUR),
        ({"day": "wed", "hour": 16.9999}, 16 * HOUR + 0.36),
        ({"day": "fri", "hour": 18}, (6 + 48 + 9) * HOUR),
        ({"day": "sun", "hour": 0}, 33 * HOUR),
    ],
)
def test_a_person_is_there_at_hours(starts_at: dict[str, Any], waits_s: float) -> None:
    tools = {"approve": {"seconds": 60, "station": "boss"}}
    each = alone(2, tools=tools, stations={"boss": {"available": {}}}, starts_at=starts_at)
    metrics = run_as_traced(each)
    expected = max(0.0, waits_s - 1.0)  # asked for after the first turn of a second
    assert metrics.tool_wait_s == pytest.approx(expected, abs=1e-6)
    assert metrics.makespan_s == pytest.approx(expected + 62.0, abs=1e-6)


def test_who_waits_too_long_for_a_person_goes_on_without() -> None:
    tools = {"approve": {"seconds": 60, "station": "boss"}}
    stations = {"boss": {"available": {"from": 10, "to": 11}, "patience_s": 600}}
    each = alone({"turns": 2, "max_turns": 3}, tools=tools, stations=stations)
    metrics, rows = traced(each)
    assert [r.outcome for r in rows if r.event is Event.TOOL] == ["impatient"] * 2
    assert (metrics.makespan_s, metrics.tool_s) == (3 + 2 * 600, 0.0)


@pytest.mark.parametrize("hangs", [False, True])
def test_an_outage_of_a_station_fails_or_holds_up_what_it_serves(hangs: bool) -> None:
    outages = {"up_s": 5, "down_s": 20, "hangs": hangs}
    tools = {"ci": {"seconds": 6, "station": "ci"}}
    each = alone({"turns": 2, "max_turns": 3}, tools=tools, stations={"ci": {"outages": outages}})
    metrics, rows = traced(each)
    runs_of = [(r.outcome, r.duration_s) for r in rows if r.event is Event.TOOL]
    # From 1 s on; down from 5 to 25 s, from 30 to 50 s, ...
    if hangs:
        assert (runs_of, metrics.makespan_s) == ([("done", 26.0)], 28.0)
    else:
        # The second is asked for at 6 s, served from 25 s on, and struck at 30 s again.
        assert (runs_of, metrics.makespan_s) == ([("outage", 4.0), ("outage", 5.0)], 31.0)


def test_a_crash_takes_the_tools_of_a_loop_with_it_and_frees_the_station() -> None:
    tools = {"ci": {"seconds": 50, "station": "ci"}}
    each = scenario(
        team={"size": 2, "agent": working(2, tools)},
        stations={"ci": {}},
        workload__tasks=2,
        coordination__timing="asynchronous",
        faults=[{"kind": "kill", "agent": 0, "at_s": 11}],
        resilience={"detector": {}},
    )
    metrics, rows = traced(each)
    ends = [(r.agent, r.time_s, r.outcome) for r in rows if r.event is Event.TOOL]
    assert ends[:2] == [(0, 11.0, "cancelled"), (1, 61.0, "done")]
    assert metrics.outcome == "completed"


STATIONS: list[dict[str, Any]] = [
    {},
    {"concurrency": 2, "order": "priority"},
    {"patience_s": 4},
    {"outages": {"up_s": exponential(9), "down_s": 3}},
    {"outages": {"up_s": exponential(9), "down_s": 3, "hangs": True}, "patience_s": 6},
    {"available": {"from": 9, "to": 9.005}},
]

COMPANY: list[dict[str, Any]] = [
    {},
    {"resilience": {"timeout": {"seconds": 3}, "retry": {"max_retries": 2}}},
    {"resilience": {"hedge": {"after_s": 2}}, "provider": {"concurrency": 2, "queue": {}}},
    {"faults": [{"kind": "crash", "agent": 0, "at_s": 6.2, "for_s": 5}]},
    {"resilience": {"detector": {"progress_s": 12}, "supervisor": {}}},
    {"workspace": {"kind": "locks", "acquire": "one_by_one"}},
    {"resilience": {"backup": {"when_left": 0.8}}},
    {"resilience": {"wait_for": 0.5}},
    {"limits": {"deadline_s": 21}},
    {"limits": {"budget_usd": 0.01}},
    {"coordination__review": {"by": "peers"}},
    {"network": {"partitions": [{"at_s": 3, "duration_s": 9}]}},
]


@st.composite
def teams(draw: st.DrawFn) -> Scenario:
    """Return a team with two tools, one of them at a station, and something that goes wrong."""
    tools = {
        "ci": {
            "seconds": exponential(draw(st.sampled_from([1, 6]))),
            "station": "ci",
            "errors": 0.1,
            "background": draw(st.booleans()),
            "timeout_s": draw(st.sampled_from([None, 5])),
            "priority": draw(st.integers(0, 2)),
        },
        "look": {"probability": 0.6, "seconds": exponential(1), "calls": 2, "result_tokens": 90},
    }
    tools["look"]["sequential"] = draw(st.booleans())
    tools["ci"]["sequential"] = not tools["ci"]["background"] and draw(st.booleans())
    latency = {"kind": "seconds", "base": {"kind": "lognormal", "median": 1, "sigma": 0.6}}
    context = {"cache": {"life_s": 3, "write_price_factor": 1.25}, "window_tokens": 6000}
    loop = {"end_probability": 0.3, "max_turns": 12, "at_limit": "give_up"}
    who = working(loop, tools, latency=latency, context=context, errors={"probability": 0.2})
    who["price"] = {"input_per_mtok": 3, "output_per_mtok": 15}
    fields = dict(draw(st.sampled_from(COMPANY)))
    timing = draw(st.sampled_from(["rounds", "asynchronous", "bounded_staleness"]))
    return scenario(
        team={"size": draw(st.integers(2, 4)), "agent": who},
        stations={"ci": draw(st.sampled_from(STATIONS))},
        topology="decentralised",
        workload__tasks=draw(st.integers(2, 10)),
        coordination__timing=timing,
        seed=draw(st.integers(0, 1000)),
        **fields,
    )


@pytest.mark.parametrize("examples", [40, pytest.param(160, marks=pytest.mark.slow)])
def test_every_call_of_a_tool_ends_once_and_no_station_serves_too_many(examples: int) -> None:
    health = [HealthCheck.too_slow]

    @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=health)
    @given(each=teams())
    def holds(each: Scenario) -> None:
        check_tools(each)

    holds()


def check_tools(each: Scenario) -> None:
    trace = Trace()
    metrics = run_as_traced(each, trace=trace)
    rows = [row for row in trace.rows if row.event is Event.TOOL]
    assert len(rows) == metrics.tool_calls
    served = [
        (row.time_s - (row.duration_s or 0.0), row.time_s)
        for row in rows
        if each.tool_names[row.peer or 0] == "ci" and row.duration_s
    ]
    most = each.stations["ci"].concurrency
    for begins, _ in served:
        # A server is free at the instant at which it is taken again.
        assert sum(b <= begins + 1e-7 and begins + 1e-7 < e for b, e in served) <= most
    spent = metrics.work_s + metrics.rework_s + metrics.wasted_s + metrics.coordination_s
    spent += metrics.waiting_s + metrics.down_s
    assert spent == pytest.approx(metrics.agents * metrics.makespan_s, rel=1e-9)
    loops = {row.call for row in trace.rows if row.event is Event.TURN}
    assert {row.call for row in rows} <= loops


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"tools": {"ci": {"station": "cj"}}, "stations": {"ci": {}}}, "did you mean 'ci'"),
        ({"tools": {"ci": {"station": "ci"}}}, "station 'ci'"),
        ({"tools": {"ci": {"seconds": -3}}}, "negative"),
        ({"tools": {"ci": {"probability": 1.2}}}, "less than or equal to 1"),
        ({"tools": {"ci": {"errors": -0.1}}}, "greater than or equal to 0"),
        ({"tools": {"ci": {"probability": 0.2, "weight": 1}}}, "not both"),
        ({"tools": {"ci": {"weight": 0}}}, "greater than 0"),
        ({"tools": {"ci": {"timeout_s": 0}}}, "greater than 0"),
        ({"tools": {"ci": {"second": 3}}}, "did you mean 'seconds'"),
        ({"tools": "ci"}, "dictionary"),
        ({"tools": {}, "stations": {"ci": {"concurrency": 0}}}, "greater than or equal to 1"),
        ({"tools": {}, "stations": {"ci": {"order": "lifo"}}}, "'fifo' or 'priority'"),
        ({"tools": {}, "stations": {"p": {"available": {"from": 17, "to": 9}}}}, "ever there"),
        ({"tools": {}, "stations": {"p": {"available": {"days": []}}}}, "ever there"),
        ({"tools": {}, "stations": {"p": {"available": {"days": ["funday"]}}}}, "'mon', 'tue'"),
        ({"tools": {}, "starts_at": {"hour": 24}}, "less than 24"),
    ],
)
def test_tools_that_cannot_be_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        alone(3, **fields)


def test_tools_need_a_loop() -> None:
    with pytest.raises(ValidationError, match="they need a 'loop'"):
        scenario(team__agent=agent(tools={"ci": {"seconds": 3}}))


def test_a_person_whose_hours_are_all_outages_serves_nobody() -> None:
    # Four hours in twenty-four the station is down: whenever the person would be there.
    hours = {"from": 9, "to": 10, "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}
    outages = {"up_s": 72_000, "down_s": 14_400, "hangs": True}
    row = run(
        team__agent=agent(loop={"turns": 2}, tools={"ask": {"seconds": 5, "station": "person"}}),
        stations={"person": {"available": hours, "outages": outages}},
        starts_at={"day": "mon", "hour": 10},
        workload__tasks=1,
    )
    assert (row.outcome, row.tasks_done) == ("deadlock", 0)
