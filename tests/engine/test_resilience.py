"""Each pattern does what its name says, in small teams whose course can be followed by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.model.trace import Event, Row, Trace
from tests.conftest import agent, exponential, run, run_as_traced, runs, scenario

ASYNC: dict[str, Any] = {"coordination__timing": "asynchronous"}
NO_SDK: dict[str, Any] = {"retry": {"max_retries": 0}}
NO_WAIT = {"kind": "none"}


def traced(**fields: Any) -> list[Row]:
    trace = Trace()
    Simulation(scenario(**fields)).run(0, trace)
    return trace.rows


def test_patterns_that_never_act_change_nothing() -> None:
    common: dict[str, Any] = {
        "team": {"size": 3, "agent": agent(latency=exponential(5.0))},
        "coordination__timing": "asynchronous",
        "workload__tasks": 60,
    }
    asleep = {
        "timeout": {"seconds": 1e6},
        "retry": {},
        "breaker": {},
        "hedge": {"after_s": 1e6},
        "detector": {"progress_s": 1e6},
        "supervisor": {},
        "bulkhead": {"team": 3},
        "degraded": {},
    }
    plain = dataclasses.asdict(run(**common))
    watched = dataclasses.asdict(run(**common, resilience=asleep))
    assert plain.pop("requests") == 0
    assert watched.pop("requests") == 60
    for name, value in plain.items():
        near = pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
        assert watched[name] == near, name


def test_a_timeout_ends_a_call_that_stalls_and_wastes_what_it_has_cost() -> None:
    metrics = run_as_traced(
        scenario(
            workload__tasks=4,
            provider=NO_SDK,
            faults=[{"at_s": 1.5, "kind": "stall", "agent": 0, "for_s": 8}],
            resilience={"timeout": {"seconds": 5}, "retry": {"backoff": NO_WAIT}},
        )
    )
    # The call of 1 to 2 s is lost until 6 s, the next one, sent at 6 s, until 11 s.
    assert metrics.makespan_s == pytest.approx(1 + 5 + 5 + 3)
    assert (metrics.timeouts, metrics.retries, metrics.outcome) == (2, 2, "completed")
    assert metrics.lost_s == metrics.wasted_s == pytest.approx(10)
    assert metrics.wasted_tokens > 0


def test_a_timeout_by_percentile_follows_what_has_been_seen() -> None:
    metrics = run(
        **ASYNC,
        workload__tasks=2000,
        team__agent=agent(latency=exponential()),
        provider=NO_SDK,
        resilience={
            "timeout": {"seconds": 100, "percentile": 0.9, "factor": 2, "minimum": 50},
            "retry": {"max_retries": 100, "backoff": NO_WAIT},
        },
    )
    # Twice the 90th percentile is the 99th; a time-out counts as longer than any.
    assert metrics.timeouts / metrics.requests == pytest.approx(0.01, abs=0.007)


def test_the_client_library_retries_before_the_agent_does() -> None:
    metrics = run(
        workload__tasks=1,
        provider={"errors": {"probability": 1, "after_s": 1}, "retry": {"jitter": 0}},
        resilience={"retry": {"max_retries": 1, "backoff": NO_WAIT}, "fallback": {"partial": True}},
    )
    assert metrics.requests == 2 * 3
    assert metrics.makespan_s == pytest.approx(6 * 1 + 2 * (0.5 + 1.0))
    assert metrics.held_back_s == pytest.approx(3.0)


def test_a_malformed_reply_is_asked_for_again_and_paid_for_twice() -> None:
    common: dict[str, Any] = {**ASYNC, "workload__tasks": 200}
    price = {"input_per_mtok": 3, "output_per_mtok": 15}
    plain = run(**common, team__agent=agent(price=price))
    bad = run(
        **common,
        team__agent=agent(price=price, faults={"malformed": 0.5}),
        resilience={"retry": {"max_retries": 99, "backoff": NO_WAIT}},
    )
    assert bad.malformed == bad.requests - 200 > 100
    assert bad.cost_usd == pytest.approx(plain.cost_usd + bad.wasted_usd)
    assert bad.input_tokens + bad.output_tokens == pytest.approx(
        plain.input_tokens + plain.output_tokens + bad.wasted_tokens
    )


def test_an_open_breaker_lets_nothing_through() -> None:
    rows = traced(
        team__size=3,
        **ASYNC,
        workload__tasks=30,
        provider={"error_s": 1, **NO_SDK},
        faults=[{"at_s": 3.5, "kind": "outage", "for_s": 40}],
        resilience={
            "breaker": {"window": 6, "minimum": 3, "open_s": 10},
            "retry": {"max_retries": 99, "backoff": NO_WAIT},
        },
    )
    changes = [(row.time_s, row.outcome) for row in rows if row.event is Event.BREAKER]
    failed = [row.time_s for row in rows if row.event is Event.REQUEST]
    # Three calls in flight fail as the provider goes down: half of the last six.
    assert changes[0] == (3.5, "open")
    assert failed[:3] == [3.5] * 3
    # Two were sent again before it opened; then a trial every ten seconds, and each takes one
    # second to fail.
    assert failed[3:] == [4.5, 4.5, 14.5, 25.5, 36.5]
    assert changes[1:4] == [(14.5, "open"), (25.5, "open"), (36.5, "open")]
    assert changes[4] == (47.5, "closed")


def test_fallback_to_another_model_answers_in_its_place_and_at_its_price() -> None:
    other = agent(
        latency={"kind": "seconds", "base": 3},
        errors={"probability": 1, "detection": 0},
        price={"input_per_mtok": 1000, "output_per_mtok": 0},
    )
    metrics = run(
        workload__tasks=10,
        team__agent=agent(),
        provider={"error_s": 1, **NO_SDK},
        faults=[{"at_s": 4, "kind": "outage", "for_s": 1000}],
        resilience={"fallback": {"model": other}},
    )
    assert (metrics.fallbacks, metrics.tasks_correct, metrics.faulty_undetected) == (6, 4, 6)
    assert metrics.makespan_s == pytest.approx(4 + 6 * (1 + 3))
    assert metrics.cost_usd > 0


def test_a_bulkhead_keeps_one_group_from_using_all_there_is() -> None:
    groups = {
        "greedy": {"size": 8, "agent": agent()},
        "modest": {"size": 2, "agent": agent()},
    }
    metrics = run(
        team={"groups": groups}, **ASYNC, workload__tasks=40, resilience={"bulkhead": {"greedy": 2}}
    )
    # Four calls at a time, and at the end two, when the greedy hold all that is left.
    assert metrics.makespan_s == pytest.approx(11)
    assert metrics.held_back_s > 0
    alone = run(team={"groups": groups}, **ASYNC, workload__tasks=40)
    assert alone.makespan_s == pytest.approx(4)


def test_a_queue_at_the_provider_is_first_come_first_served() -> None:
    metrics = run_as_traced(
        scenario(
            team__size=4,
            **ASYNC,
            workload__tasks=8,
            provider={"concurrency": 2, "queue": {}},
        )
    )
    assert metrics.makespan_s == pytest.approx(4)
    assert metrics.queue_wait_s == pytest.approx(2 * 1 + 2 * 1 + 2 * 1)


def test_a_crash_loses_the_call_and_the_context_and_repair_brings_the_agent_back() -> None:
    common: dict[str, Any] = {
        "workload__tasks": 10,
        "team__agent": agent(context={"system_tokens": 0}),
    }
    plain = run(**common)
    crash = {"at_s": 4.5, "kind": "crash", "agent": 0, "for_s": 3}
    lost = run_as_traced(scenario(**common, faults=[crash]))
    kept = run(**common, faults=[{**crash, "keeps_context": True}])
    assert lost.makespan_s == kept.makespan_s == pytest.approx(10 + 0.5 + 3)
    assert (lost.crashes, lost.failed_calls, lost.down_s) == (1, 1, 3.0)
    assert lost.availability == pytest.approx(1 - 3 / 13.5)
    assert lost.input_tokens < kept.input_tokens
    # What was read and half of what was written in the half call is paid for.
    assert kept.input_tokens + kept.output_tokens == pytest.approx(
        plain.input_tokens + plain.output_tokens + kept.wasted_tokens
    )


@pytest.mark.slow
def test_crashes_and_repairs_have_their_availability() -> None:
    faults = {
        "crash": {
            "up_s": {"kind": "exponential", "mean": 40},
            "repair_s": {"kind": "exponential", "mean": 10},
        }
    }
    calls = {"kind": "seconds", "base": 5}
    team = {"size": 5, "agent": agent(latency=calls, faults=faults)}
    metrics = runs(30, team=team, **ASYNC, workload__tasks=800)
    mean = sum(m.availability for m in metrics) / len(metrics)
    assert mean == pytest.approx(40 / 50, abs=0.01)
    assert all(m.outcome == "completed" for m in metrics)


def test_a_supervisor_gives_up_when_restarts_come_too_thick() -> None:
    # A call of a second that ends as its agent crashes has ended: five a life, and one in the last.
    faults = {"crash": {"up_s": 5}}
    common: dict[str, Any] = {"workload__tasks": 41, "team__agent": agent(faults=faults), **ASYNC}
    detector = {"period_s": 1, "timeout_s": 1}
    patient = run(**common, resilience={"detector": detector, "supervisor": {"restart_s": 2}})
    assert (patient.outcome, patient.restarts) == ("completed", patient.crashes)
    strict = {"restart_s": 2, "max_restarts": 3, "within_s": 1000}
    given_up = run(**common, resilience={"detector": detector, "supervisor": strict})
    assert (given_up.outcome, given_up.restarts, given_up.crashes) == ("deadlock", 3, 4)


LED: dict[str, Any] = {
    "team": {"size": 5, "agent": agent(), "coordinator": agent()},
    "topology": "centralised",
    "coordination": {"protocol": "lead_assign", "timing": "asynchronous"},
    "workload__tasks": 60,
    "faults": [{"at_s": 5.5, "kind": "kill", "agent": "coordinator"}],
}
ELECTION = {
    "timeout_s": {"kind": "uniform", "low": 4, "high": 8},
    "heartbeat_s": 2,
    "delay_s": 0.05,
}


def test_a_team_with_a_static_orchestrator_dies_with_it() -> None:
    metrics = run(**LED)
    assert metrics.outcome == "deadlock"
    assert metrics.tasks_done < 10
    assert "not handed out" in metrics.reason


def test_an_elected_worker_takes_the_orchestrators_seat() -> None:
    metrics = run_as_traced(scenario(**LED, resilience={"election": ELECTION}))
    assert (metrics.outcome, metrics.tasks_done, metrics.failovers) == ("completed", 60, 1)
    assert metrics.elections >= 1
    # One worker's seat is empty for the rest of the run, and the orchestrator's until 8 to 13 s.
    rows = traced(**LED, resilience={"election": ELECTION})
    took = next(row for row in rows if row.event is Event.LEADS)
    assert 4 + 4 < took.time_s < 4 + 8 + 1
    down = [row for row in rows if row.event is Event.DOWN]
    assert [(row.agent, row.outcome) for row in down] == [
        (took.agent, "elected"),
        (took.peer, "at_end"),
    ]


def test_a_repaired_orchestrator_fills_the_seat_that_its_successor_left() -> None:
    crash = {"at_s": 5.5, "kind": "crash", "agent": "coordinator", "for_s": 20}
    metrics = run(**{**LED, "faults": [crash]}, resilience={"election": ELECTION})
    assert metrics.failovers == 1
    assert metrics.down_s == pytest.approx(20)


def test_without_a_majority_nobody_is_elected() -> None:
    kills = [
        {"at_s": 5.5, "kind": "kill", "agent": ["coordinator", 0, 1]},
    ]
    metrics = run(**{**LED, "faults": kills}, resilience={"election": ELECTION})
    # Three of six are left, and it takes four.
    assert (metrics.outcome, metrics.failovers) == ("deadlock", 0)
    restarted = {"detector": {"timeout_s": 6}, "supervisor": {"restart_s": 1}}
    metrics = run(**{**LED, "faults": kills}, resilience={"election": ELECTION, **restarted})
    assert metrics.outcome == "completed"


def test_what_was_under_review_when_a_simpler_protocol_takes_over_is_not_done_again() -> None:
    # Both tasks are handed in at 1 s; the coordinator has read one of them for 4 s of its 10.
    board = {"board_tokens_per_task": 0}
    quick, slow = ({"latency": {"kind": "seconds", "base": s}, "context": board} for s in (1, 10))
    metrics = run(
        team={"size": 2, "agent": quick, "coordinator": slow},
        topology="centralised",
        workload__tasks=2,
        coordination={
            "protocol": "pre_assigned",
            "timing": "asynchronous",
            "review": {"by": "coordinator"},
        },
        faults=[{"kind": "kill", "agent": 1, "at_s": 5}],
        resilience={
            "simpler_protocol": {"when_lost": "workers", "share": 0.5, "protocol": "self_claim"}
        },
    )
    assert (metrics.outcome, metrics.makespan_s) == ("completed", 5.0)
    assert (metrics.attempts, metrics.tasks_correct, metrics.reviews) == (2, 2, 0)


@pytest.mark.parametrize("protocol", ["self_claim", "pre_assigned", "work_stealing"])
def test_a_simpler_protocol_takes_over_from_a_lost_orchestrator(protocol: str) -> None:
    patterns = {"simpler_protocol": {"protocol": protocol, "after_s": 3}}
    metrics = run_as_traced(scenario(**LED, resilience=patterns))
    assert (metrics.outcome, metrics.tasks_done) == ("completed", 60)
    alone = {"simpler_protocol": {"protocol": protocol, "agents": 1}}
    single = run(**LED, resilience=alone)
    assert single.outcome == "completed"
    assert single.makespan_s > 50 > metrics.makespan_s


def test_a_barrier_can_leave_the_slowest_behind() -> None:
    """k of n: the round lasts as long as the k-th call, and the others are cancelled."""
    common: dict[str, Any] = {
        "team": {"size": 5, "agent": agent()},
        "coordination__protocol": "pre_assigned",
        "workload__tasks": 20,
        "faults": [{"at_s": 0, "kind": "slow", "agent": 4, "factor": 3}],
    }
    assert run(**common).makespan_s == pytest.approx(12)
    late = run_as_traced(scenario(**common, resilience={"wait_for": 0.8}))
    # Four rounds of 1 s without agent 4, and then its own four tasks, for which nobody waits less.
    assert late.failed_calls == 4
    assert late.makespan_s == pytest.approx(4 * 1 + 4 * 3)
    assert late.outcome == "completed"


def test_enough_is_enough() -> None:
    metrics = run(workload__tasks=20, resilience={"enough": 0.75})
    assert (metrics.tasks_done, metrics.outcome, metrics.success) == (15, "completed", True)


def test_a_degraded_team_skips_what_it_can() -> None:
    common: dict[str, Any] = {
        "team": {"size": 4, "agent": agent(behaviour={"talk": 1})},
        "topology": "decentralised",
        "coordination__timing": "asynchronous",
        "workload__tasks": 40,
        "faults": [{"at_s": 0, "kind": "kill", "agent": 0}],
    }
    assert run(**common).messages == 40
    assert run(**common, resilience={"degraded": {"when_down": 0.25}}).messages == 0
    assert run(**common, resilience={"degraded": {"when_down": 0.5}}).messages == 40


@pytest.mark.parametrize(("wrong", "quality"), [(0, 1.0), (1, 1.0), (3, 1.0), (4, 0.0)])
def test_a_majority_survives_a_minority_that_is_confidently_wrong(
    wrong: int, quality: float
) -> None:
    faults = [{"at_s": 0, "kind": "wrong", "agent": list(range(wrong))}] if wrong else []
    metrics = run(
        team={"size": 7, "agent": agent(errors={"probability": 0, "detection": 1})},
        coordination={"protocol": {"kind": "replicate_and_vote", "replicas": 7}},
        workload__tasks=10,
        faults=faults,
    )
    assert metrics.quality == quality


def test_a_silent_agent_hands_in_nothing_and_claimed_work_is_not_held_up_by_it() -> None:
    silent = agent(faults={"byzantine": {"manner": "silent"}})
    groups = {"good": {"size": 3, "agent": agent()}, "bad": {"size": 1, "agent": silent}}
    common: dict[str, Any] = {
        "team": {"groups": groups},
        "workload__tasks": 30,
        "limits": {"deadline_s": 100},
    }
    stale = {"kind": "self_claim", "claims": "at_commit"}
    claimed = run(**ASYNC, **common, coordination__protocol=stale)
    assert claimed.outcome == "completed"
    dealt = run(**ASYNC, **common, coordination__protocol="pre_assigned")
    assert (dealt.outcome, dealt.tasks_done) == ("deadline", 23)


def test_duplicated_messages_are_read_twice() -> None:
    common: dict[str, Any] = {
        "team": {"size": 4, "agent": agent(behaviour={"talk": 1})},
        "topology": "decentralised",
        "workload__tasks": 40,
    }
    once = run(**common, network={"delay_s": 0.001})
    twice = run(**common, network={"delay_s": 0.001, "duplication": 1.0})
    assert twice.duplicated_messages == twice.deliveries
    assert twice.input_tokens > once.input_tokens


def test_a_stalled_worker_holds_up_dealt_work_and_not_claimed_work() -> None:
    """The published observation: more messages, and a quicker recovery."""
    stall = [{"at_s": 30, "kind": "stall", "agent": 0, "for_s": 1}]
    common: dict[str, Any] = {
        "team": {"size": 6, "agent": agent(latency=exponential(10.0), behaviour={"talk": 1})},
        "workload__tasks": 60,
        "provider": NO_SDK,
        "faults": stall,
        "resilience": {"timeout": {"seconds": 120}, "retry": {"backoff": NO_WAIT}},
    }
    dealt = runs(
        30,
        **common,
        topology="centralised",
        coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
    )
    claimed = runs(
        30,
        **common,
        topology="decentralised",
        coordination={"protocol": "self_claim", "timing": "asynchronous"},
    )

    def mean(metrics: list[Any], name: str) -> float:
        return sum(getattr(m, name) for m in metrics) / len(metrics)

    assert mean(claimed, "recovery_s") < mean(dealt, "recovery_s")
    assert mean(claimed, "deliveries") > mean(dealt, "deliveries")


def test_a_call_that_has_no_retry_left_takes_nothing_from_the_budget() -> None:
    # Without a share of first requests the budget has ten retries, one for each of ten calls.
    found = run(
        team__size=1,
        provider={"errors": {"probability": 1.0}, "retry": {"max_retries": 0}},
        resilience={"retry": {"max_retries": 1, "budget": 0.0}},
        limits={"max_calls": 30},
    )
    assert (found.calls, found.retries, found.requests) == (30, 10, 40)
