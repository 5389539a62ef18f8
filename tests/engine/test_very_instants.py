"""What ends at the very instant at which something else begins, has ended before."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import agent, run

ASYNC: dict[str, Any] = {"coordination__timing": "asynchronous"}


def constant(seconds: float, **fields: Any) -> dict[str, Any]:
    """Return an agent whose calls, or turns, last so long."""
    return agent(latency={"kind": "seconds", "base": seconds}, **fields)


def starting(seconds: float, kind: dict[str, Any], **tool: Any) -> dict[str, Any]:
    """Return a team of one whose loop of two turns starts a sub-agent of two turns."""
    started = {"starts": {"agent": "helper"}, **tool}
    return {
        "size": 1,
        "agent": constant(seconds, loop={"turns": 2}, tools={"ask": started}),
        "subagents": {"kinds": {"helper": constant(seconds, loop={"turns": 2}, **kind)}},
    }


def test_a_sub_agent_that_ends_as_it_would_crash_has_ended_before() -> None:
    """It takes 20 s, and would crash after 20 s."""
    kind = {"faults": {"crash": {"up_s": 20}}}
    metrics = run(**ASYNC, team=starting(10, kind), workload__tasks=1)
    assert (metrics.makespan_s, metrics.crashes, metrics.sub_agents_failed) == (40, 0, 0)


def test_a_sub_agent_that_reports_as_the_tool_times_out_is_in_time() -> None:
    metrics = run(**ASYNC, team=starting(10, {}, timeout_s=20), workload__tasks=1)
    assert (metrics.makespan_s, metrics.tool_errors, metrics.sub_agents_failed) == (40, 0, 0)


@pytest.mark.parametrize("turn_s", [0.7, 1.0, 10.1])
def test_a_tool_that_takes_as_long_as_its_time_out_is_in_time(turn_s: float) -> None:
    """0.7 + 0.1 - 0.7 is a little less than 0.1."""
    tools = {"look": {"seconds": 0.1, "timeout_s": 0.1}}
    team = {"size": 1, "agent": constant(turn_s, loop={"turns": 2}, tools=tools)}
    metrics = run(**ASYNC, team=team, workload__tasks=10)
    assert (metrics.tool_errors, metrics.turns) == (0, 20)


def test_who_is_served_as_its_patience_ends_has_not_lost_it() -> None:
    """Of three calls, asked for at 0, 1 and 2 s, the third is served at 20 s."""
    tools = {"look": {"seconds": 10, "station": "desk"}}
    groups = {
        name: {"size": 1, "agent": constant(base, loop={"turns": 2}, tools=tools)}
        for name, base in (("a", 1), ("b", 2), ("c", 3))
    }
    fields: dict[str, Any] = {
        **ASYNC,
        "team": {"groups": groups},
        "coordination__protocol": "pre_assigned",
        "workload__tasks": 3,
    }
    for patience_s, errors in ((18, 0), (17.9, 1)):
        stations = {"desk": {"patience_s": patience_s}}
        assert run(**fields, stations=stations).tool_errors == errors


@pytest.mark.parametrize("lease_s", [20, 20.5])
def test_a_call_that_ends_with_its_lease_counts(lease_s: float) -> None:
    """Another agent, which began later, ends its call of one turn at the same instant."""
    groups = {
        "loops": {"size": 1, "agent": constant(10, loop={"turns": 2})},
        "calls": {"size": 1, "agent": constant(15)},
    }
    tasks = [{"id": "a"}, {"id": "b", "arrival_s": 5}]
    metrics = run(
        **ASYNC,
        team={"groups": groups},
        coordination__protocol__lease_s=lease_s,
        workload={"kind": "dag", "tasks": tasks},
    )
    assert (metrics.makespan_s, metrics.lease_expiries) == (20, 0)
