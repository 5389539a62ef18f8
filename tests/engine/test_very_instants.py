"""What ends at the very instant at which something else begins, has ended before."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.model.calls.breaker import Breaker
from simulator.model.calls.budget import RetryBudget
from simulator.scenario.resilience import BreakerSpec
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


TENTHS: dict[str, Any] = {
    **ASYNC,
    "team": {"size": 1, "agent": constant(0.1)},
    "workload__tasks": 5,
}
"""Calls of 0.1 s, of which the third ends at 0.30000000000000004 s."""


@pytest.mark.parametrize("kind", ["crash", "outage"])
def test_a_call_that_ends_a_rounding_error_after_a_fault_has_ended_before(kind: str) -> None:
    who = {"agent": 0} if kind == "crash" else {}
    metrics = run(
        **TENTHS,
        faults=[{"at_s": 0.3, "kind": kind, "for_s": 0.1, **who}],
        provider={"error_s": 0.1, "retry": {"max_retries": 0}},
    )
    assert metrics.makespan_s == pytest.approx(0.6)
    assert metrics.provider_errors == (kind == "outage")
    assert metrics.lost_s == pytest.approx(0.1 if kind == "outage" else 0.0)


def test_a_random_crash_is_no_rounding_error_too_early_either() -> None:
    crash = {"up_s": 0.3, "repair_s": 0.1}
    fields = TENTHS | {"team": {"size": 1, "agent": constant(0.1, faults={"crash": crash})}}
    metrics = run(**fields)
    assert (metrics.failed_calls, metrics.makespan_s) == (0, pytest.approx(0.6))


def test_a_lease_or_a_sub_agent_is_not_a_rounding_error_short() -> None:
    """Three turns of 0.1 s take longer than 0.3 s; another agent waits for the task."""
    groups = {
        "loops": {"size": 1, "agent": constant(0.1, loop={"turns": 3})},
        "calls": {"size": 1, "agent": constant(0.1)},
    }
    fields: dict[str, Any] = {**ASYNC, "team": {"groups": groups}, "workload__tasks": 1}
    metrics = run(**fields, coordination__protocol__lease_s=0.3)
    assert (metrics.calls, metrics.duplicate_attempts, metrics.lease_expiries) == (3, 0, 0)
    for kind, tool in (({"faults": {"crash": {"up_s": 0.3}}}, {}), ({}, {"timeout_s": 0.3})):
        team = starting(0.1, kind, **tool)
        team["subagents"]["kinds"]["helper"]["loop"] = {"turns": 3}
        metrics = run(**ASYNC, team=team, workload__tasks=20)
        assert (metrics.sub_agents, metrics.sub_agents_failed) == (20, 0)


@pytest.mark.parametrize("calls", [3, 8, 10])
def test_a_budget_is_spent_at_its_last_cent(calls: int) -> None:
    """Calls cost 0.1 dollars each: eight of them 0.7999999999999999."""
    spender = constant(
        1,
        tokens={"output": 0, "message": 0},
        context={"system_tokens": 1000, "board_tokens_per_task": 0, "retention": 0},
        price={"input_per_mtok": 100},
    )
    spender["context"]["cache"] = False
    team = {"size": 1, "agent": spender}
    metrics = run(**ASYNC, team=team, limits={"budget_usd": round(0.1 * calls, 1)})
    assert (metrics.outcome, metrics.calls) == ("budget", calls)


def test_a_reply_holds_tasks_that_fill_it() -> None:
    """Three tenths of a work unit are a rounding error more than 0.3."""
    team = {"size": 1, "agent": constant(1, batch=3, capacity=0.3)}
    tasks = [{"id": name, "size": 0.1} for name in "abcdef"]
    metrics = run(**ASYNC, team=team, workload={"kind": "dag", "tasks": tasks})
    assert (metrics.calls, metrics.makespan_s) == (2, 2)


def test_ten_first_requests_earn_a_retry_of_a_tenth_each() -> None:
    budget = RetryBudget(0.1)
    while budget.take():
        pass
    for _ in range(10):
        budget.first_request()
    assert budget.take()


def test_a_breaker_opens_at_its_rate() -> None:
    """0.28 * 25 is a rounding error more than 7."""
    spec = BreakerSpec(failure_rate=0.28, window=25, minimum=25)
    breaker = Breaker(spec)
    changes = [breaker.record(breaker.term, failed, 0.0) for failed in [False] * 18 + [True] * 7]
    assert changes == [False] * 24 + [True]


@pytest.mark.parametrize("resilience", [{}, {"timeout": {"seconds": 1000}}])
@pytest.mark.parametrize("timing", ["asynchronous", "rounds", "bounded_staleness"])
@pytest.mark.parametrize(
    "limits",
    [
        # Two agents make two calls each, at 0.02 dollars: the third call to end, one of two at
        # one instant, spends the third of these cents, or the last.
        {"budget_usd": 0.05},
        {"budget_usd": 0.06},
        {"budget_usd": 0.08},
        {"max_calls": 4},
    ],
)
def test_a_run_that_is_done_as_all_is_spent_is_complete(
    limits: dict[str, Any], timing: str, resilience: dict[str, Any]
) -> None:
    metrics = run(
        team={
            "size": 2,
            "agent": constant(
                10, tokens={"output": 200, "message": 0}, price={"output_per_mtok": 100}
            ),
        },
        coordination={"protocol": "pre_assigned", "timing": timing},
        workload__tasks=4,
        limits=limits,
        resilience=resilience,
    )
    assert (metrics.tasks_done, metrics.makespan_s) == (4, 20.0)
    assert (metrics.outcome, metrics.success, metrics.reason) == ("completed", True, "")


def test_calls_that_end_a_rounding_error_later_are_in_time_to_complete_what_is_spent() -> None:
    """0.1 + 0.1 + 0.1 is a little more than 0.3."""
    groups = {
        name: {"size": 1, "agent": constant(base, price={"output_per_mtok": 100})}
        for name, base in (("a", 0.3), ("b", 0.1))
    }
    tasks = [{"id": str(i), "worker": 1 + min(i, 1)} for i in range(4)]
    metrics = run(
        **ASYNC,
        team={"groups": groups},
        coordination__protocol="pre_assigned",
        workload={"kind": "dag", "tasks": tasks},
        limits={"max_calls": 4},
    )
    assert (metrics.tasks_done, metrics.outcome) == (4, "completed")
    assert metrics.makespan_s == pytest.approx(0.3)


def test_a_run_that_lacks_a_task_as_all_is_spent_is_not_complete() -> None:
    metrics = run(
        **ASYNC,
        team={"size": 2, "agent": constant(10)},
        workload__tasks=3,
        limits={"max_calls": 2},
    )
    assert (metrics.tasks_done, metrics.outcome) == (2, "max_calls")


@pytest.mark.parametrize("base", [10, 0.1])
@pytest.mark.parametrize(
    "held",
    [
        {"workspace": {"kind": "locks", "lease_s": 1}},
        {"workspace": {"kind": "locks", "lease_s": 1, "acquire": "one_by_one"}},
        {"coordination__protocol": {"kind": "self_claim", "claims": "immediate", "lease_s": 1}},
    ],
)
def test_a_lease_as_long_as_the_calls_ends_with_none(held: dict[str, Any], base: float) -> None:
    ((name, fields),) = held.items()
    metrics = run(
        **ASYNC,
        **{name: {**fields, "lease_s": base}},
        team={"size": 2, "agent": constant(base)},
        workload={
            "kind": "parallel_fraction",
            "tasks": 6,
            "parallel_fraction": 1,
            "files": "shared",
        },
    )
    calls = 6 if name == "workspace" else 3
    assert metrics.makespan_s == pytest.approx(calls * base)
    assert (metrics.outcome, metrics.attempts, metrics.lease_expiries) == ("completed", 6, 0)
