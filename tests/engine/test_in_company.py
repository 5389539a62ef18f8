"""Mechanisms that meet: what one of them ends, holds or waits for, the others are told.

All times are constant, so that each run can be counted by hand.
"""

from __future__ import annotations

from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.model.agents.agent import AgentState
from simulator.model.calls.fates import Fates
from simulator.model.calls.flight import Fate
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Row, Trace
from simulator.model.why import Why
from simulator.scenario.families import PROTOCOLS
from tests.conftest import agent, run, run_as_traced, scenario

ASYNC: dict[str, Any] = {"coordination__timing": "asynchronous"}
DEALT: dict[str, Any] = {"coordination": {"protocol": "pre_assigned", "timing": "asynchronous"}}
NO_SDK: dict[str, Any] = {"max_retries": 0}


def lasting(seconds: float, **fields: Any) -> dict[str, Any]:
    return agent(latency={"kind": "seconds", "base": seconds}, **fields)


def traced(**fields: Any) -> tuple[Metrics, list[Row]]:
    trace = Trace()
    return Simulation(scenario(**fields)).run(0, trace), trace.rows


def of_event(rows: list[Row], event: Event, outcome: str | None = None) -> list[Row]:
    return [row for row in rows if row.event is event and outcome in (None, row.outcome)]


# Sub-agents that nobody waits for, and limits of the provider.

ANY: dict[str, Any] = {"calls": 2, "wait_for": "any", "starts": {"agent": "helper"}}
LATE: dict[str, Any] = {"calls": 2, "timeout_s": 2, "starts": {"agent": "helper"}}


@pytest.mark.parametrize(("tool", "waited_s"), [(ANY, 4), (LATE, 2)])
def test_a_sub_agent_that_is_cancelled_frees_its_place_at_the_provider(
    tool: dict[str, Any], waited_s: float
) -> None:
    """Three loops of two turns; after the first, two helpers of 4 s are asked."""
    caller = lasting(1, loop={"turns": 2, "max_turns": 2}, tools={"ask": tool})
    metrics = run(
        **ASYNC,
        team={
            "size": 1,
            "agent": caller,
            "subagents": {"kinds": {"helper": lasting(4, loop={"turns": 1})}},
        },
        workload__tasks=3,
        provider={"concurrency": 2},
    )
    # As many places as helpers: nobody is ever refused, however many were cancelled before.
    assert (metrics.sub_agents, metrics.rate_limits) == (6, 0)
    assert metrics.makespan_s == 3 * (1 + waited_s + 1)


def test_a_sub_agent_that_is_cancelled_gives_back_what_it_did_not_write() -> None:
    """Helpers of 4 s reserve 1,000 tokens and would write 300; after 2 s they have written 150."""
    tokens = {"output": 300, "max_tokens": 1000}
    asks = {"starts": {"agent": "helper"}, "timeout_s": 2}
    metrics = run(
        **ASYNC,
        team={
            "size": 1,
            "agent": lasting(
                0, loop={"turns": 2, "max_turns": 2}, tokens={"output": 0}, tools={"ask": asks}
            ),
            "subagents": {
                "kinds": {"helper": lasting(4, loop={"turns": 1}, tokens=tokens)},
            },
        },
        workload__tasks=6,
        provider={"output_tokens_per_minute": 1850, "refunds_output": True},
    )
    # Five helpers leave 1,100 of the first 1,850, which is enough for the sixth.
    assert metrics.rate_limits == 0
    assert metrics.output_tokens == 6 * 150


# Hedges.


def test_a_hedge_leaves_in_the_cache_what_the_first_request_has_found_there() -> None:
    """Each call begins when the last one ends, so that its prompt is in the cache."""
    metrics = run(
        **ASYNC,
        team__agent=lasting(
            30,
            context={"system_tokens": 1000, "board_tokens_per_task": 0, "cache": {"life_s": 10}},
            tokens={"output": 100},
        ),
        workload__tasks=2,
        resilience={"hedge": {"after_s": 15, "correlation": 1}},
    )
    # The hedge is sent longer after the last call than the cache lives, and beside a request that
    # uses the cache. So it finds there what that one has found.
    assert metrics.hedges == 2
    assert (metrics.cached_tokens, metrics.expired_tokens) == (2 * 1000, 0)
    assert metrics.input_tokens == 2 * 1000 + 2 * 1100


def pair(monkeypatch: pytest.MonkeyPatch, *fates: Fate, **fields: Any) -> tuple[Metrics, list[Row]]:
    """Run a call hedged after 2 s, whose two requests fare as said, and another from 2.5 s on."""
    said, draw = iter(fates), Fates.draw

    def drawn(self: Fates, one: AgentState, seconds: float) -> Fate:
        return next(said) if one.index == 0 else draw(self, one, seconds)

    monkeypatch.setattr(Fates, "draw", drawn)
    return traced(
        **{
            **DEALT,
            "team": {"size": 2, "agent": lasting(10, tokens={"output": 100})},
            "workload": {"kind": "dag", "tasks": [{"id": "a"}, {"id": "b", "arrival_s": 2.5}]},
            "resilience": {"hedge": {"after_s": 2}},
            **fields,
        }
    )


def ends(rows: list[Row]) -> dict[int | None, float]:
    return {row.agent: row.time_s for row in of_event(rows, Event.CALL_END)}


FIRST_FAILS = (Fate(4, Why.ERROR), Fate(10))
SECOND_FAILS = (Fate(10), Fate(4, Why.ERROR))


@pytest.mark.parametrize(
    ("fates", "failed_s", "answered_s"), [(FIRST_FAILS, 4.0, 12.0), (SECOND_FAILS, 6.0, 10.0)]
)
@pytest.mark.parametrize("limit", ["concurrency", "bulkhead"])
def test_of_two_requests_the_one_that_fails_holds_nothing_any_more(
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    fates: tuple[Fate, Fate],
    failed_s: float,
    answered_s: float,
) -> None:
    limits: dict[str, Any] = {"provider": {"concurrency": 2, "queue": {}, "retry": NO_SDK}}
    if limit == "bulkhead":
        limits = {"resilience": {"hedge": {"after_s": 2}, "bulkhead": {"team": 2}}}
    metrics, rows = pair(monkeypatch, *fates, **limits)
    # The other call gets the place, and is hedged where there is one: the copy takes no less.
    assert ends(rows) == {0: answered_s, 1: failed_s + 10}
    assert [row.time_s for row in of_event(rows, Event.REQUEST, "error")] == [failed_s]
    assert (metrics.provider_errors, metrics.lost_s) == (1, 0)


@pytest.mark.parametrize(("fates", "written"), [(FIRST_FAILS, 60), (SECOND_FAILS, 80)])
def test_a_request_that_the_provider_has_failed_is_not_paid_at_the_end_of_the_run(
    monkeypatch: pytest.MonkeyPatch, fates: tuple[Fate, Fate], written: int
) -> None:
    """At 8 s one request has failed and one is under way, for 6 or 8 of its 10 s."""
    workload = {"kind": "dag", "tasks": [{"id": "a"}]}
    metrics, rows = pair(monkeypatch, *fates, workload=workload, limits={"deadline_s": 8})
    assert (metrics.input_tokens, metrics.output_tokens) == (1500, written)
    assert metrics.input_tokens == sum(row.input_tokens or 0 for row in rows)


def test_what_two_requests_that_both_fail_have_taken_is_lost_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One fails at 4 s, the other at 2 + 7 = 9 s; then the call is sent again."""
    fates = (Fate(4, Why.ERROR), Fate(7, Why.MALFORMED), Fate(1))
    resilience = {"hedge": {"after_s": 2}, "retry": {"backoff": {"kind": "none"}}}
    workload = {"kind": "dag", "tasks": [{"id": "a"}]}
    metrics, rows = pair(monkeypatch, *fates, workload=workload, resilience=resilience)
    lost = [(r.time_s, r.outcome, r.duration_s) for r in of_event(rows, Event.REQUEST)]
    assert lost == [(4.0, "error", 0.0), (9.0, "malformed", 9.0)]
    assert (metrics.lost_s, metrics.wasted_s, metrics.work_s) == (9.0, 9.0, 1.0)
    assert (metrics.provider_errors, metrics.malformed, metrics.retries) == (1, 1, 1)
    assert metrics.output_tokens == 100 + 100  # of the reply that was of no use, and of the answer


# An open breaker.

TRIPPED: dict[str, Any] = {"failure_rate": 0.5, "minimum": 1, "open_s": 100}
STALLS: dict[str, Any] = {"at_s": 0, "kind": "stall", "agent": 1, "for_s": 1}


def test_no_hedge_is_sent_while_the_breaker_is_open() -> None:
    """One agent's request times out at 6 s; the other's second call would be hedged at 9 s."""
    metrics = run(
        coordination={"protocol": "self_claim", "timing": "asynchronous"},
        team={"size": 2, "agent": lasting(5)},
        workload__tasks=2,
        faults=[STALLS],
        resilience={"timeout": {"seconds": 6}, "hedge": {"after_s": 4}, "breaker": TRIPPED},
    )
    assert metrics.breaker_opens == 1
    assert metrics.hedges == 2  # both at 4 s
    assert metrics.makespan_s == 10


def test_who_has_waited_at_a_bulkhead_is_held_back_by_a_breaker_that_has_opened_meanwhile() -> None:
    """The bulkhead has one place, which a request that never returns leaves at 6 s."""
    metrics, rows = traced(
        **DEALT,
        team={"size": 2, "agent": lasting(5)},
        workload__tasks=2,
        faults=[{**STALLS, "agent": 0}],
        resilience={
            "timeout": {"seconds": 6},
            "breaker": {**TRIPPED, "open_s": 20},
            "bulkhead": {"team": 1},
            "retry": {"max_retries": 1, "backoff": {"kind": "none"}},
        },
    )
    # Open from 6 to 26 s: who came to the breaker first is the trial.
    assert metrics.requests == 3
    assert sorted(ends(rows).values()) == [31, 36]
    assert metrics.breaker_opens == 1


# Another protocol, and reviews.


def changed(protocol: str, **review: Any) -> tuple[Metrics, list[Row]]:
    """Run two agents with a task each, of which one is killed at 12 s; then the protocol changes.

    The other has handed in its task at 10 s; the review that has begun is lost, and made again by
    22 s.
    """
    return traced(
        **DEALT,
        team={"size": 2, "agent": lasting(10)},
        workload__tasks=2,
        coordination__review={"by": "verifiers", **review},
        faults=[
            {"at_s": 5, "kind": "stall", "agent": 1},
            {"at_s": 12, "kind": "kill", "agent": 1},
        ],
        resilience={
            "simpler_protocol": {"protocol": protocol, "when_lost": "workers", "agents": 1}
        },
        limits__deadline_s=100,
    )


ALONE = sorted({*PROTOCOLS.names()} - {"ask_holders", "depth_first", "lead_assign"})


@pytest.mark.parametrize("protocol", ALONE)
def test_what_waits_for_a_review_is_not_done_again_by_another_protocol(protocol: str) -> None:
    metrics, rows = changed(protocol)
    reviews = [(row.task, row.time_s, row.outcome) for row in of_event(rows, Event.REVIEW)]
    assert reviews[0] == (0, 22.0, "done")
    assert metrics.outcome == "completed"
    assert {row.task for row in of_event(rows, Event.ATTEMPT) if row.time_s > 12} == {1}


@pytest.mark.parametrize("protocol", ALONE)
def test_another_protocol_hands_out_what_is_rejected_from_before(protocol: str) -> None:
    _, rows = changed(protocol, false_alarm=1)
    reviews = [(row.task, row.time_s, row.outcome) for row in of_event(rows, Event.REVIEW)]
    assert reviews[0] == (0, 22.0, "false_alarm")
    tried = [(row.task, row.time_s) for row in of_event(rows, Event.ATTEMPT)]
    assert min(at_s for task, at_s in tried if task == 0 and at_s > 10) > 22


@pytest.mark.parametrize("timing", ["rounds", "asynchronous"])
@pytest.mark.parametrize("wrong", [0.0, 1.0])
def test_what_is_accepted_unseen_is_in_the_trace(timing: str, wrong: float) -> None:
    """Both tasks are handed in at 10 s; the coordinator, who reviews them, is lost at 20 s."""
    errors = {"probability": wrong, "detection": 0}
    case = scenario(
        topology="centralised",
        coordination={
            "protocol": "pre_assigned",
            "timing": timing,
            "review": {"by": "coordinator"},
        },
        team={
            "size": 2,
            "agent": {**lasting(10), "errors": errors},
            "coordinator": {"latency": {"kind": "seconds", "base": 100}},
        },
        workload__tasks=2,
        faults=[{"kind": "kill", "agent": "coordinator", "at_s": 20}],
        resilience={"simpler_protocol": {"protocol": "self_claim"}},
    )
    trace = Trace()
    m = run_as_traced(case, trace=trace)
    assert (m.outcome, m.makespan_s, m.tasks_done) == ("completed", 20.0, 2)
    assert (m.reviews, m.faulty_undetected) == (0, 2 * wrong)
    accepted = [row for row in trace.rows if row.event is Event.HAND_IN]
    said = "faulty" if wrong else "done"
    assert sorted((r.agent, r.task, r.duration_s, r.outcome) for r in accepted) == [
        (0, 0, 20.0, said),
        (1, 1, 20.0, said),
    ]
