"""Sub-agents: their time, cost and reports, the waits of their parents, and how they end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from simulator.errors import ScenarioError
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Row
from simulator.scenario.loading import parse_study
from simulator.scenario.loop import LoopSpec
from tests.conftest import first_in_ci, run, run_as_traced, runs, scenario, z_score
from tests.engine.test_loops import GROWS, SYSTEM, TIMES, WRITES, looping, traced

REPORT = 50


def asking(
    kind: dict[str, Any] | None = None,
    turns: int = 2,
    limits: dict[str, Any] | None = None,
    parent: dict[str, Any] | None = None,
    **tool: Any,
) -> dict[str, Any]:
    """Return a team of one that starts sub-agents of a kind after every turn but the last."""
    starts = {"agent": "helper", **tool.pop("starts", {})}
    ask = {"starts": starts, "result_tokens": REPORT, **tool}
    who = looping({"turns": turns}, tools={"ask": ask}, **(parent or {}))
    kinds = {"helper": kind or looping({"turns": 3})}
    return {"size": 1, "agent": who, "subagents": {"kinds": kinds, **(limits or {})}}


def lasting(seconds: Any, **fields: Any) -> dict[str, Any]:
    """Return an agent with calls of a given length."""
    return looping({"turns": 1}, latency={"kind": "seconds", "base": seconds}, **fields)


def of_event(rows: list[Row], event: Event) -> list[Row]:
    return [row for row in rows if row.event is event]


def test_tokens_of_parent_and_sub_agents_by_counting() -> None:
    metrics, rows = traced(team=asking(calls=4), workload__tasks=1)
    own = [SYSTEM, SYSTEM + GROWS + 4 * REPORT]
    each = [SYSTEM, SYSTEM + GROWS, SYSTEM + 2 * GROWS]
    assert metrics.input_tokens == sum(own) + 4 * sum(each)
    assert metrics.output_tokens == (2 + 4 * 3) * WRITES
    assert metrics.cached_tokens == own[0] + 4 * sum(each[:-1])
    assert metrics.calls == metrics.turns == 2 + 4 * 3
    assert (metrics.sub_agents, metrics.tool_calls, metrics.agents) == (4, 4, 1)
    # A turn, three at the same time, a turn.
    assert (metrics.makespan_s, metrics.work_s, metrics.on_subagents_s) == (5, 2, 3)
    assert (metrics.sub_agent_s, metrics.tool_s) == (12, 12)
    assert [row.peer for row in of_event(rows, Event.SUBAGENT_START)] == [0] * 4
    assert [row.peer for row in of_event(rows, Event.SUBAGENT_END)] == [3] * 4


def test_a_forked_sub_agent_begins_with_the_context_of_its_parent() -> None:
    kind = looping({"turns": 1}, context={"start_tokens": 70})
    _, rows = traced(team=asking(kind, starts={"context": "forked"}), workload__tasks=1)
    (end,) = of_event(rows, Event.SUBAGENT_END)
    assert (end.input_tokens, end.cached_tokens) == (SYSTEM + GROWS + 70, SYSTEM)
    other = looping({"turns": 1}, context={"start_tokens": 70}, family="other")
    _, rows = traced(team=asking(other, starts={"context": "forked"}), workload__tasks=1)
    (end,) = of_event(rows, Event.SUBAGENT_END)
    assert (end.input_tokens, end.cached_tokens) == (SYSTEM + GROWS + 70, 0)
    _, rows = traced(team=asking(kind), workload__tasks=1)
    (end,) = of_event(rows, Event.SUBAGENT_END)
    assert (end.input_tokens, end.cached_tokens) == (SYSTEM + 70, 0)


def test_a_fork_finds_the_cache_of_its_parent_expired() -> None:
    cache = {"cache": {"life_s": 5}}
    slow = lasting(1, context=cache)
    team = asking(slow, starts={"context": "forked"}, parent={"context": cache}, station="desk")
    ask, other = team["agent"]["tools"], {"other": {"seconds": 6, "station": "desk"}}
    # Served first, the other tool takes longer than the cache lives.
    for tools, cached in (({**other, **ask}, 0), ({**ask, **other}, SYSTEM)):
        team["agent"]["tools"] = tools
        _, rows = traced(team=team, stations={"desk": {}}, workload__tasks=1)
        (end,) = of_event(rows, Event.SUBAGENT_END)
        assert (end.input_tokens, end.cached_tokens) == (SYSTEM + GROWS, cached)


@pytest.mark.parametrize(
    ("starts", "tool", "window", "is_warm"),
    [
        ({"context": "forked"}, {}, 200_000, True),
        ({"context": "fresh"}, {}, 200_000, False),
        ({"context": "forked"}, {"background": True}, 200_000, False),
        ({"context": "forked"}, {}, SYSTEM + 3 * GROWS, False),  # compacted in its third turn
    ],
)
def test_a_fork_keeps_the_cache_of_the_agent_that_waits_for_it(
    starts: dict[str, Any], tool: dict[str, Any], window: int, is_warm: bool
) -> None:
    cache = {"cache": {"life_s": 5}}
    seconds = {"kind": "seconds", "base": 2}
    context = {**cache, "window_tokens": window}
    kind = looping({"turns": 6}, latency=seconds, context=context)
    tool = {"starts": starts, **tool}
    team = asking(kind, parent={"context": cache}, **tool)
    if "background" in tool:  # the parent waits as long for something else
        team["agent"]["tools"]["other"] = {"seconds": 12}
    _, rows = traced(team=team, workload__tasks=1)
    reads = [row for row in rows if row.agent == 0 and row.event in (Event.TURN, Event.CALL_END)]
    # The second turn comes 12 s after the first.
    assert [row.cached_tokens for row in reads] == [0, SYSTEM if is_warm else 0]


def test_sub_agents_cancelled_while_their_tools_run_have_no_call_under_way() -> None:
    kind = looping({"turns": 2}, tools={"read": {"seconds": 9}})
    team = asking(kind, calls=5, timeout_s=3, limits={"max_total": 5})
    metrics = run_as_traced(scenario(team=team, workload__tasks=1))
    # A turn of each sub-agent, and three of the parent: one more than if they had answered.
    assert (metrics.calls, metrics.turns, metrics.failed_calls) == (5 + 3, 5 + 3, 5)


def test_mean_seconds_and_tokens_are_walds() -> None:
    # Calls of a turn 2 on average, turns of a sub-agent 4, seconds of its turn 3; alpha 0.003.
    kind = looping(
        {"end_probability": 0.25},
        latency={"kind": "seconds", "base": {"kind": "exponential", "mean": 3}},
    )
    count = {"kind": "uniform", "low": 0.5, "high": 3.5}
    found = runs(60, team=asking(kind, turns=21, calls=count), workload__tasks=1, seed=3)
    assert abs(z_score([m.sub_agents for m in found], 20 * 2)) < 3.0
    assert abs(z_score([m.sub_agent_s for m in found], 20 * 2 * 4 * 3)) < 3.0
    assert abs(z_score([m.output_tokens / WRITES for m in found], 21 + 20 * 2 * 4)) < 3.0


def test_a_parent_goes_on_and_reads_the_report_when_it_is_there() -> None:
    team = asking(lasting(1.5), turns=5, background=True)
    metrics, rows = traced(team=team, workload__tasks=1)
    assert (metrics.makespan_s, metrics.on_subagents_s) == (5, 0)
    own = [row for row in rows if row.agent == 0]
    reads = [r.input_tokens or 0 for r in own if r.event in (Event.TURN, Event.CALL_END)]
    # Asked for at 1, 2, 3, 4 s; there at 2.5, 3.5, 4.5 s, read with the turns at 3 and 4 s.
    assert [r - SYSTEM - k * GROWS for k, r in enumerate(reads)] == [0, 0, 0, REPORT, 2 * REPORT]
    ends = [row.outcome for row in of_event(rows, Event.SUBAGENT_END)]
    assert ends == ["done", "done", "done", "cancelled"]


def test_sub_agents_of_sub_agents_end_at_the_depth_that_is_said() -> None:
    own = {"again": {"starts": {"agent": "helper"}, "calls": 2}}
    kind = looping({"turns": 2}, tools=own)
    for depth, agents in ((1, 1), (2, 1 + 2), (3, 1 + 2 + 4)):
        metrics = run_as_traced(
            scenario(team=asking(kind, limits={"max_depth": depth}), workload__tasks=1)
        )
        assert metrics.sub_agents == agents
        # A turn of the parent, one of each level but the last, and back again.
        assert metrics.makespan_s == 2 + 2 * depth
    few = run_as_traced(scenario(team=asking(kind, limits={"max_total": 5}), workload__tasks=1))
    assert few.sub_agents == 5


@pytest.mark.parametrize(("limit", "turns"), [({}, 2), ({"max_total": 2}, 2 + 1)])
def test_of_sub_agents_that_are_too_many_none_is_waited_for(
    limit: dict[str, int], turns: int
) -> None:
    # Two of three calls must succeed. Where one is left out, the other two must, and one fails.
    kind = looping({"end_probability": 0.5, "max_turns": 1, "at_limit": "give_up"})
    found = set()
    for seed in range(12):
        team = asking(kind, turns=2, calls=3, wait_for=2, limits=limit)
        metrics, rows = traced(team=team, workload__tasks=1, seed=seed)
        if metrics.sub_agents_failed == 1:
            (parent,) = [row for row in rows if row.event is Event.CALL_END]
            found.add(parent.peer)
    assert found == {turns}


def test_an_error_makes_the_parent_turn_again_as_an_error_of_a_tool_does() -> None:
    metrics, rows = traced(team=asking(errors=0.5, turns=3), workload__tasks=20, seed=2)
    failed = sum(row.outcome == "error" for row in of_event(rows, Event.SUBAGENT_END))
    assert metrics.sub_agents_failed == metrics.tool_errors == failed > 10
    parents = [row for row in rows if row.event is Event.CALL_END]
    assert sum(row.peer or 0 for row in parents) == 20 * 3 + failed


@pytest.mark.parametrize(
    ("kind", "tool", "outcome"),
    [
        (looping({"turns": 4}, faults={"malformed": 1.0}), {}, "failed"),
        (looping({"turns": 9, "max_turns": 2, "at_limit": "give_up"}), {}, "failed"),
        (looping({"turns": 9}, context={"window_tokens": 900}), {}, "prompt_too_long"),
        (looping({"turns": 9}), {"timeout_s": 2.5}, "timeout"),
        (looping({"turns": 9}, faults={"crash": {"up_s": 1.5}}), {}, "failed"),
    ],
)
def test_a_sub_agent_that_fails_is_a_tool_that_fails(
    kind: dict[str, Any], tool: dict[str, Any], outcome: str
) -> None:
    team = asking(kind, parent={}, **tool)
    team["agent"]["loop"]["max_turns"] = 5
    metrics, rows = traced(team=team, workload__tasks=1)
    assert {row.outcome for row in of_event(rows, Event.SUBAGENT_END)} == {outcome}
    assert metrics.tool_errors == metrics.sub_agents_failed == metrics.sub_agents == 4
    assert metrics.outcome == "completed"
    run_as_traced(scenario(team=team, workload__tasks=1))


def test_a_crash_of_the_parent_ends_its_sub_agents_and_theirs() -> None:
    below = {"again": {"starts": {"agent": "last"}}}
    team = asking(looping({"turns": 2}, tools=below))
    team["subagents"]["kinds"]["last"] = looping({"turns": 9})
    crash = [{"kind": "crash", "agent": 0, "at_s": 4.5, "for_s": 10}]
    metrics, rows = traced(team=team, workload__tasks=1, faults=crash)
    ends = of_event(rows, Event.SUBAGENT_END)
    assert [(r.time_s, r.outcome) for r in ends[:2]] == [(4.5, "cancelled")] * 2
    assert {r.outcome for r in ends[2:]} == {"done"}
    assert metrics.makespan_s == 14.5 + 1 + 1 + 9 + 1 + 1
    run_as_traced(scenario(team=team, workload__tasks=1, faults=crash))


def test_sub_agents_share_the_providers_places() -> None:
    # Four at once, of 10 s each, where two are served: 20 s.
    team = asking(lasting(10), calls=4)
    provider = {"concurrency": 2, "queue": {}}
    metrics = run_as_traced(scenario(team=team, workload__tasks=1, provider=provider))
    assert metrics.makespan_s == 1 + 20 + 1
    assert metrics.queue_wait_s == 0  # the sub-agents' own


def test_a_station_is_a_pool_of_sub_agents() -> None:
    team = asking(lasting(10), calls=4, station="pool")
    pool = {"pool": {"concurrency": 3}}
    metrics = run_as_traced(scenario(team=team, workload__tasks=1, stations=pool))
    assert (metrics.makespan_s, metrics.tool_wait_s) == (1 + 20 + 1, 10)


def test_a_pool_that_is_full_of_sub_agents_who_wait_for_it_is_a_deadlock() -> None:
    below = {"again": {"starts": {"agent": "last"}, "station": "pool"}}
    team = asking(looping({"turns": 2}, tools=below), calls=3, station="pool")
    team["subagents"]["kinds"]["last"] = looping({"turns": 2})
    fields: dict[str, Any] = {"team": team, "workload__tasks": 1}
    # Three at a time wait for one more each.
    stuck = run_as_traced(scenario(stations={"pool": {"concurrency": 3}}, **fields))
    assert (stuck.outcome, stuck.makespan_s, stuck.sub_agents) == ("deadlock", 2, 3)
    assert "3 calls of tools wait at station 'pool', which serves 3" in stuck.reason
    free = run_as_traced(scenario(stations={"pool": {"concurrency": 4}}, **fields))
    assert (free.outcome, free.sub_agents) == ("completed", 6)


def test_no_sub_agent_begins_when_the_run_is_over() -> None:
    team = asking(lasting(10), calls=4, station="pool")
    each = scenario(team=team, workload__tasks=1, stations={"pool": {}}, limits={"deadline_s": 15})
    metrics = run_as_traced(each)
    assert (metrics.sub_agents, metrics.tool_calls, metrics.sub_agent_s) == (2, 4, 14)


def test_the_bill_is_one_and_so_is_the_budget() -> None:
    price = {"output_per_mtok": 1e6 / WRITES}  # a dollar a turn
    dear = looping({"turns": 3}, price={"output_per_mtok": 2e6 / WRITES})
    whole = run(team=asking(dear, calls=2, parent={"price": price}), workload__tasks=1)
    assert whole.cost_usd == 2 * 1 + 2 * 3 * 2
    for budget, spent in ((5, 5), (6, 9)):
        cut = run(
            team=asking(dear, calls=2, parent={"price": price}),
            workload__tasks=1,
            limits={"budget_usd": budget},
        )
        assert cut.outcome == "budget"
        assert budget <= cut.cost_usd <= spent


def test_a_deadline_cuts_sub_agents_off_and_pays_for_what_they_have_written() -> None:
    team = asking(looping({"turns": 9}), calls=2)
    fields: dict[str, Any] = {"team": team, "workload__tasks": 1, "limits": {"deadline_s": 3.5}}
    metrics, rows = traced(**fields)
    assert [row.outcome for row in of_event(rows, Event.SUBAGENT_END)] == ["cut_off"] * 2
    assert metrics.output_tokens == WRITES + 2 * 2.5 * WRITES
    assert metrics.sub_agent_s == 5.0
    run_as_traced(scenario(**fields))


def test_calls_of_sub_agents_count_among_the_calls_that_may_be_made() -> None:
    metrics = run(team=asking(calls=4), workload__tasks=9, limits={"max_calls": 10})
    assert metrics.outcome == "max_calls"


def test_a_sub_agent_that_never_comes_back_is_a_team_that_is_stuck() -> None:
    team = asking(looping({"turns": 2}, faults={"stall": 1.0}))
    metrics = run(team=team, workload__tasks=1)
    assert metrics.outcome == "deadlock"
    team["agent"]["tools"]["ask"]["timeout_s"] = 5
    team["agent"]["loop"]["max_turns"] = 4
    ended = run_as_traced(scenario(team=team, workload__tasks=1))
    assert (ended.outcome, ended.tool_errors, ended.makespan_s) == ("completed", 3, 4 + 3 * 5)


def test_draws_of_a_sub_agent_depend_on_who_starts_it_and_on_nothing_else() -> None:
    kind = lasting({"kind": "exponential", "mean": 5})

    def seconds(size: int, calls: int) -> list[float | None]:
        team = asking(kind, turns=2, calls=calls) | {"size": size}
        _, rows = traced(team=team, workload__tasks=size, coordination__timing="rounds")
        begun = {r.agent: r.peer for r in of_event(rows, Event.SUBAGENT_START)}
        ends = of_event(rows, Event.SUBAGENT_END)
        return [
            r.duration_s for r in sorted(ends, key=lambda r: r.agent or 0) if not begun[r.agent]
        ]

    assert seconds(1, 2) == seconds(4, 2) == seconds(2, 5)[:2]
    assert len(set(seconds(1, 5))) == 5


TIMING = ["rounds", "asynchronous", "bounded_staleness"]


@pytest.mark.parametrize("timing", TIMING)
@pytest.mark.parametrize("seed", first_in_ci(4, range(12)))
def test_every_sub_agent_ends_once_in_generated_company(timing: str, seed: int) -> None:
    metrics, rows = run_and_count(generated(np.random.default_rng(seed), timing))
    assert metrics.sub_agents > 0
    assert rows


def generated(rng: np.random.Generator, timing: str) -> dict[str, Any]:
    """Return a scenario in which sub-agents meet all other mechanisms."""
    latency = {"kind": "seconds", "base": {"kind": "lognormal", "median": 1, "sigma": 0.8}}
    price = {"input_per_mtok": 3, "cached_input_per_mtok": 0.3, "output_per_mtok": 15}
    some = {"latency": latency, "price": price}

    def tool(kind: str) -> dict[str, Any]:
        return {
            "starts": {"agent": kind, "context": str(rng.choice(["fresh", "forked"]))},
            "probability": 0.6,
            "calls": {"kind": "uniform", "low": 1, "high": 4},
            "wait_for": ["all", "any", 2][rng.integers(3)],
            "errors": 0.1,
            "background": bool(rng.random() < 0.3),
            **maybe(0.4, timeout_s=5.0),
            **maybe(0.4, station="pool"),
        }

    def maybe(probability: float, **fields: Any) -> dict[str, Any]:
        return fields if rng.random() < probability else {}

    faults = maybe(0.5, malformed=0.1, slow={"probability": 0.1, "factor": 5})
    faults |= maybe(0.3, crash={"up_s": {"kind": "exponential", "mean": 15}, "repair_s": 3})
    tests = {"tests": {"seconds": {"kind": "exponential", "mean": 1}, "station": "ci"}}
    context = {"cache": {"life_s": 3, "write_price_factor": 1.25}, "window_tokens": 6000}
    kinds = {
        "search": looping({"end_probability": 0.5}, tools=tests, faults=faults, **some),
        "lead": looping(
            {"turns": 3, "max_turns": 2, "at_limit": str(rng.choice(["hand_in", "give_up"]))},
            tools={"more": tool("search"), "self": tool("lead")},
            context=context,
            **some,
        ),
    }
    who = looping(
        {"end_probability": 0.3, "max_turns": 8},
        tools={"ask": tool("lead"), "look": tool("search"), **tests},
        faults=faults,
        errors={"probability": 0.2},
        context=context,
        **some,
    )
    progress = {"detector": {"progress_s": 30}, "supervisor": {"restart_s": 1}}
    outages = {"up_s": {"kind": "exponential", "mean": 30}, "down_s": 2}
    return {
        "team": {"size": 3, "agent": who, "subagents": {"kinds": kinds, "max_depth": 3}},
        "workload__tasks": 8,
        "coordination__timing": timing,
        "topology": "decentralised",
        "stations": {"pool": {"concurrency": 3}, "ci": {}},
        "resilience": {
            **maybe(0.5, retry={"max_retries": 2}),
            **maybe(0.5, timeout={"seconds": 4}),
            **maybe(0.3, hedge={"after_s": 1.5}),
            **maybe(0.3, **progress),
            **maybe(0.3, bulkhead={"team": 2}),
            **maybe(0.3, checkpoint={"every_s": 1}),
            **maybe(0.3, fallback={"model": lasting(1)}),
        },
        "provider": {
            **maybe(0.4, concurrency=3, **maybe(0.5, queue={})),
            **maybe(0.3, requests_per_minute=120),
            **maybe(0.3, outages=outages),
        },
        "limits": {"max_calls": 3000, **maybe(0.3, deadline_s=20), **maybe(0.2, budget_usd=0.2)},
        "network": maybe(0.3, partitions=[{"at_s": 4, "duration_s": 6}]),
        "seed": int(rng.integers(1000)),
    }


def run_and_count(fields: dict[str, Any]) -> tuple[Metrics, list[Row]]:
    """Run a scenario, and compare the sub-agents in its trace with its metrics."""
    told = run_as_traced(scenario(**fields))
    metrics, rows = traced(**fields)
    assert metrics == told
    spent = sum(getattr(metrics, name) for name in TIMES)
    assert spent == pytest.approx(metrics.agents * metrics.makespan_s, rel=1e-9)
    begun, ended = of_event(rows, Event.SUBAGENT_START), of_event(rows, Event.SUBAGENT_END)
    assert len(begun) == len(ended) == len({row.agent for row in begun}) == metrics.sub_agents
    assert {row.agent for row in begun} == {row.agent for row in ended}
    # A sub-agent does nothing before it begins or after it has ended.
    there: dict[int | None, bool] = {}
    for row in rows:
        if row.event is Event.SUBAGENT_START:
            there[row.agent] = True
        elif (row.agent or 0) >= metrics.agents:
            assert there[row.agent], row
            there[row.agent] = row.event is not Event.SUBAGENT_END
    return metrics, rows


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"limits": {"max_depth": 0}}, "greater than or equal to 1"),
        ({"limits": {"max_total": -1}}, "greater than or equal to 0"),
        ({"starts": {"agent": "helpr"}}, "did you mean 'helper'"),
        ({"starts": {"work": 0}}, "greater than 0"),
        ({"starts": {"context": "stale"}}, "'fresh' or 'forked'"),
        ({"seconds": 3}, "leave out 'seconds'"),
        ({"wait_for": 0}, "greater than or equal to 1"),
        ({"station": "ci"}, "has no 'outages'"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], said: str) -> None:
    stations = {"ci": {"outages": {"up_s": 5, "down_s": 1}}}
    with pytest.raises(ValidationError, match=said):
        scenario(team=asking(**change), stations=stations)


def test_a_circle_of_sub_agents_needs_a_limit() -> None:
    team = asking(looping({"turns": 2}, tools={"b": {"starts": {"agent": "other"}}}))
    kinds = team["subagents"]["kinds"]
    kinds["other"] = looping({"turns": 2}, tools={"a": {"starts": {"agent": "helper"}}})
    with pytest.raises(ValidationError, match="'helper' > 'other' > 'helper' may start each other"):
        scenario(team=team)
    for limit in ("max_depth", "max_total"):
        team["subagents"] = {"kinds": kinds, limit: 3}
        assert scenario(team=team).team.subagents is not None
    kinds["other"]["tools"]["a"]["probability"] = 0
    team["subagents"] = {"kinds": kinds}
    assert scenario(team=team).team.subagents is not None


def test_a_kind_is_as_the_teams_agent_but_for_the_tools_that_start_sub_agents() -> None:
    text = """
name: short
team:
  size: 1
  agent:
    latency: {kind: seconds, base: 2}
    loop: {turns: 3}
    tools:
      look: {seconds: 1}
      ask: {starts: {agent: helper}}
  subagents: {kinds: {helper: {speed: 2}}}
topology: independent
coordination: {protocol: self_claim}
workload: {kind: parallel_fraction, tasks: 1, parallel_fraction: 1}
"""
    team = parse_study(text).base.team
    assert team.subagents is not None
    assert team.agent is not None
    helper = team.subagents.kinds["helper"]
    assert (helper.speed, helper.loop, sorted(helper.tools)) == (2, team.agent.loop, ["look"])
    # One end of a loop takes another's place.
    other = text.replace("{speed: 2}", "{loop: {end_probability: 0.2}}")
    subagents = parse_study(other).base.team.subagents
    assert subagents is not None
    assert subagents.kinds["helper"].loop == LoopSpec(end_probability=0.2)
    with pytest.raises(ScenarioError, match="unknown sub-agent 'helpr'"):
        _ = parse_study(text.replace("agent: helper", "agent: helpr")).base


@pytest.mark.parametrize(("progress_s", "is_stuck"), [(1.5, False), (0.5, True)])
def test_turns_of_sub_agents_are_progress_of_who_has_started_them(
    progress_s: float, is_stuck: bool
) -> None:
    below = {"again": {"starts": {"agent": "last"}}}
    team = asking(looping({"turns": 2}, tools=below))
    team["subagents"]["kinds"]["last"] = looping({"turns": 9})
    patterns = {"detector": {"progress_s": progress_s}}
    limits = {"max_calls": 60}
    each = scenario(team=team, workload__tasks=1, resilience=patterns, limits=limits)
    assert (run_as_traced(each).detections > 0) == is_stuck


def test_calls_of_sub_agents_are_calls_that_may_be_made() -> None:
    for most in (1, 2, 4, 5):
        each = scenario(team=asking(), workload__tasks=1, limits={"max_calls": most})
        metrics = run_as_traced(each)  # a turn, three of the sub-agent, a turn
        assert metrics.makespan_s == most
        assert metrics.outcome == ("max_calls" if most < 5 else "completed")


def test_tools_that_start_nobody_count_towards_no_limit_of_sub_agents() -> None:
    tools = {"read": {"seconds": 1, "calls": 3}, "ask": {"starts": {"agent": "helper"}}}
    who = looping({"turns": 2}, tools=tools)
    team = {"size": 1, "agent": who}
    team["subagents"] = {"kinds": {"helper": looping({"turns": 1})}, "max_total": 1}
    metrics = run_as_traced(scenario(team=team, workload__tasks=1))
    assert (metrics.sub_agents, metrics.tool_calls) == (1, 4)
