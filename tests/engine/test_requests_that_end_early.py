"""Requests that come to nothing hold nothing: places, turns at a breaker, tokens of a limit."""

from __future__ import annotations

import math
from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Trace
from tests.conftest import agent, run, scenario

SECONDS = 5.0
CALLS = {"latency": {"kind": "seconds", "base": SECONDS}}
BREAKER = {"failure_rate": 1, "window": 1, "minimum": 1, "open_s": 5, "trial_calls": 1}
AT_ONCE = {"max_retries": 9, "backoff": {"kind": "none"}}
NO_RETRIES = {"retry": {"max_retries": 0}}
OUTAGE = {"kind": "outage", "at_s": 0, "for_s": 0.5}


def crash(who: int, at_s: float) -> dict[str, Any]:
    return {"kind": "crash", "agent": who, "at_s": at_s, "for_s": 10_000}


def ends(workers: int, **fields: Any) -> list[float]:
    """Return when the first call of each worker that does its task ends; infinite if none does."""
    fields = {
        "team": {"size": workers, "agent": agent(**CALLS)},
        "coordination": {"protocol": "pre_assigned", "timing": "asynchronous"},
        "workload__tasks": workers,
        "limits__deadline_s": 500,
        **fields,
    }
    trace = Trace()
    Simulation(scenario(**fields)).run(0, trace)
    found = [math.inf] * workers
    for row in trace.rows:
        if row.event is Event.CALL_END and row.outcome == "work" and row.agent is not None:
            found[row.agent] = min(found[row.agent], row.time_s)
    return found


@pytest.mark.parametrize(("cancels", "begins_s"), [(True, 2.0), (False, SECONDS)])
def test_who_crashes_in_service_frees_its_place_at_the_provider(
    cancels: bool, begins_s: float
) -> None:
    found = ends(
        2,
        provider={"concurrency": 1, "queue": {}, "cancels": cancels},
        resilience={"timeout": {"seconds": 100}},
        faults=[crash(0, 2.0)],
    )
    assert found == [math.inf, begins_s + SECONDS]


@pytest.mark.parametrize(("drops", "begins_s"), [(True, SECONDS), (False, 2 * SECONDS)])
def test_who_crashes_in_the_queue_is_not_served_or_in_vain(drops: bool, begins_s: float) -> None:
    found = ends(
        3,
        provider={"concurrency": 1, "queue": {"drops_expired": drops}},
        resilience={"timeout": {"seconds": 100}},
        faults=[crash(1, 2.0)],
    )
    assert found == [SECONDS, math.inf, begins_s + SECONDS]


@pytest.mark.parametrize("who", [0, 1])
def test_who_crashes_leaves_its_groups_places_to_the_others(who: int) -> None:
    # The first is in service when it crashes; the second waits for the only place.
    team = {"groups": {"g": {"size": 3, "agent": agent(**CALLS)}}}
    found = ends(3, team=team, resilience={"bulkhead": {"g": 1}}, faults=[crash(who, 2.0)])
    assert found[who] == math.inf
    begin_s = 2.0 if who == 0 else SECONDS
    others = [found[other] for other in range(3) if other != who]
    assert others == ([2.0 + SECONDS, 2.0 + 2 * SECONDS] if who == 0 else [5.0, begin_s + SECONDS])


def test_a_trial_that_crashes_leaves_its_place_at_the_breaker_to_another() -> None:
    # Both fail after a second. Five later, the first is tried, and crashes two seconds on.
    found = ends(
        2,
        provider={"error_s": 1, **NO_RETRIES},
        resilience={"breaker": BREAKER, "retry": AT_ONCE},
        faults=[OUTAGE, crash(0, 8.0)],
    )
    assert found == [math.inf, 8.0 + SECONDS]


def test_who_crashes_while_it_waits_at_a_breaker_is_not_let_through() -> None:
    found = ends(
        3,
        provider={"error_s": 1, **NO_RETRIES},
        resilience={"breaker": BREAKER, "retry": AT_ONCE},
        faults=[OUTAGE, crash(1, 8.0)],
    )
    # The trial ends at 11 s: then the third goes, and the second is down.
    assert found == [6.0 + SECONDS, math.inf, 11.0 + SECONDS]


def test_the_turn_at_a_breaker_of_who_is_down_goes_to_the_next() -> None:
    # The second crashes in the line behind the trial, and a second later the trial.
    found = ends(
        3,
        provider={"error_s": 1, **NO_RETRIES},
        resilience={"breaker": BREAKER, "retry": AT_ONCE},
        faults=[OUTAGE, crash(1, 8.0), crash(0, 9.0)],
    )
    assert found == [math.inf, math.inf, 9.0 + SECONDS]


@pytest.mark.parametrize("group", [None, {"bulkhead": {"g": 1}}])
@pytest.mark.parametrize("breaker", [None, {"breaker": BREAKER, "retry": AT_ONCE}])
def test_a_refused_request_holds_no_place_while_it_waits(
    group: dict[str, Any] | None, breaker: dict[str, Any] | None
) -> None:
    # One request in ten seconds, and the first, at 0, fails where there is a breaker: that one is
    # half open at 6 s, but the provider lets in nobody before 10 s.
    found = run(
        team={"groups": {"g": {"size": 1, "agent": agent(**CALLS)}}},
        workload__tasks=2,
        provider={
            "requests_per_minute": 6,
            "burst_s": 10,
            "error_s": 1,
            "retry": {"max_retries": 0 if breaker else 9, "jitter": 0, "lag": 0},
        },
        resilience={"timeout": {"seconds": 100}, **(group or {}), **(breaker or {})},
        faults=[OUTAGE] if breaker else [],
        limits__deadline_s=500,
    )
    assert found.outcome == "completed"
    assert found.makespan_s == pytest.approx((20.0 if breaker else 10.0) + SECONDS)


@pytest.mark.parametrize(("refunds", "begins_s"), [(True, SECONDS), (False, 1000.0)])
def test_who_crashes_in_the_queue_gives_back_what_it_reserved(
    refunds: bool, begins_s: float
) -> None:
    # A token a second, and 2,000 at first: each asks for 1,000 and writes 100. The third asks at
    # 3 s, when the second, which waited, is down.
    tasks = [{"id": name, "arrival_s": 3.0 * (name == "c")} for name in "abc"]
    found = ends(
        3,
        team={"size": 3, "agent": agent(**CALLS, tokens={"output": 100, "max_tokens": 1000})},
        workload={"kind": "dag", "tasks": tasks},
        provider={
            "concurrency": 1,
            "queue": {"drops_expired": True},
            "output_tokens_per_minute": 60,
            "burst_s": 2000,
            "refunds_output": refunds,
            "retry": {"jitter": 0, "lag": 0},
        },
        resilience={"timeout": {"seconds": 5000}},
        faults=[crash(1, 2.0)],
        limits__deadline_s=1500,
    )
    assert found[:2] == [SECONDS, math.inf]
    assert found[2] == pytest.approx(begins_s + SECONDS)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_retries_are_a_share_of_first_requests_and_ten_more(share: float) -> None:
    m = run(
        team={"size": 3, "agent": agent()},
        workload__tasks=10,
        provider={"errors": {"probability": 1, "after_s": 1}, **NO_RETRIES},
        resilience={"retry": {"max_retries": 1000, "backoff": {"kind": "none"}, "budget": share}},
        limits__deadline_s=100,
    )
    first = m.requests - m.retries
    assert first > 20
    # Of each agent, one request more or less may be under way.
    assert abs(m.retries - (10 + share * first)) <= 3.0


def test_the_clients_library_tries_the_other_model_anew() -> None:
    m = run(
        team__agent=agent(),
        workload__tasks=1,
        provider={
            "errors": {"probability": 1, "after_s": 1},
            "requests_per_minute": 6,
            "burst_s": 30,
            "retry": {"max_retries": 2, "jitter": 0, "lag": 0, "base_s": 1},
        },
        resilience={"fallback": {"model": agent()}},
    )
    # Three requests of a second each, with pauses of one and two between them. Then the other
    # model is refused once, until 10 s: the library has tried for it no request yet.
    assert (m.requests, m.fallbacks, m.retries, m.failed_calls) == (4, 1, 3, 0)
    assert m.makespan_s == pytest.approx(10.0 + 1.0)


def test_who_is_refused_for_good_waits_before_its_next_call() -> None:
    # A request in ten seconds, and nobody tries twice: two agents, of which one is refused at 0.
    m = run(
        team={"size": 2, "agent": agent()},
        coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
        workload__tasks=2,
        provider={
            "requests_per_minute": 6,
            "burst_s": 10,
            "retry": {"max_retries": 0, "lag": 0},
        },
        resilience={"timeout": {"seconds": 100}},
    )
    assert (m.rate_limits, m.failed_calls, m.rate_limited_s) == (1, 1, 10.0)
    assert m.makespan_s == pytest.approx(10.0 + 1.0)


@pytest.mark.parametrize(("partial", "makespan_s"), [(False, 1.0 + 4.0 + SECONDS), (True, 1.0)])
def test_a_call_waits_at_an_open_breaker_unless_its_tasks_may_be_left(
    partial: bool, makespan_s: float
) -> None:
    m = run(
        team__agent=agent(**CALLS),
        workload__tasks=1,
        provider={"error_s": 1, **NO_RETRIES},
        resilience={
            "breaker": {**BREAKER, "open_s": 4},
            "fallback": {"partial": partial, "partial_after": 2},
        },
        faults=[OUTAGE],
    )
    # The second call comes to nothing at once where its task may be left as it is after two.
    assert (m.tasks_done, m.tasks_correct) == (1, 0 if partial else 1)
    assert m.makespan_s == makespan_s


@pytest.mark.parametrize(
    ("after", "requests", "makespan_s"), [(1, 1, 1.0), (2, 1, 1.0), (3, 2, 6.0), (5, 4, 16.0)]
)
@pytest.mark.parametrize("timing", ["asynchronous", "rounds"])
def test_at_an_open_breaker_only_the_last_of_the_calls_that_must_fail_does_so_at_once(
    after: int, requests: int, makespan_s: float, timing: str
) -> None:
    m = run(
        team__agent=agent(**CALLS),
        coordination__timing=timing,
        workload__tasks=1,
        provider={"errors": {"probability": 1, "after_s": 1}, **NO_RETRIES},
        resilience={
            "breaker": {**BREAKER, "open_s": 4},
            "fallback": {"partial": True, "partial_after": after},
        },
        limits__max_calls=20,
    )
    # The others wait 4 s, and fail as the breaker's trials.
    assert (m.partial_tasks, m.requests, m.failed_calls) == (1, requests, after)
    assert m.makespan_s == makespan_s


@pytest.mark.parametrize(
    ("behaviour", "resilience"),
    [({"claim_blindness": 1.0}, {}), ({}, {"backup": {"when_left": 1.0}})],
)
def test_what_a_call_cannot_leave_it_does_not_give_up_at_an_open_breaker(
    behaviour: dict[str, Any], resilience: dict[str, Any]
) -> None:
    # After a second the breaker opens; a request for the last task is under way for another one.
    m = run(
        team={"size": 3, "agent": agent(behaviour=behaviour, **CALLS)},
        coordination={
            "protocol": {"kind": "self_claim", "claims": "immediate", "choice": "first"},
            "timing": "asynchronous",
        },
        workload__tasks=4,
        provider={"errors": {"probability": 1, "after_s": 1}, **NO_RETRIES},
        resilience={
            "breaker": {**BREAKER, "window": 2, "minimum": 2, "open_s": 30},
            "fallback": {"partial": True},
            **resilience,
        },
        limits__max_calls=500,
    )
    assert (m.outcome, m.makespan_s, m.partial_tasks) == ("completed", 2.0, 4)
    assert m.calls < 10
    assert m.held_back_s >= 1.0


def test_a_call_that_the_other_model_fails_too_has_failed() -> None:
    m = run(
        team__agent=agent(),
        workload__tasks=1,
        provider={"errors": {"probability": 1, "after_s": 1}, **NO_RETRIES},
        resilience={"fallback": {"model": agent(faults={"malformed": 1})}},
        limits__deadline_s=9.5,
    )
    # Calls of a second of each.
    assert (m.requests, m.fallbacks, m.failed_calls, m.tasks_done) == (10, 5, 4, 0)


@pytest.mark.parametrize("at_s", [2.5, 7.5])
def test_what_has_been_done_with_a_checkpoint_is_done_anew_when_it_is_rejected(at_s: float) -> None:
    # Calls of ten seconds; broken off, the first goes on at its last whole second. Its result
    # fails its tests, as nearly all do.
    each = agent(latency={"kind": "seconds", "base": 10})
    each["errors"] = {"probability": 0.9, "detection": 1}
    trace = Trace()
    fields = {
        "team__agent": each,
        "workload__tasks": 1,
        "resilience": {"checkpoint": {"every_s": 1}},
        "faults": [{**crash(0, at_s), "for_s": 1}],
        "limits__deadline_s": 200,
    }
    Simulation(scenario(**fields)).run(0, trace)
    ended = [row for row in trace.rows if row.event is Event.CALL_END and row.outcome == "work"]
    assert len(ended) > 2
    lasted = [row.duration_s for row in ended]
    assert lasted == pytest.approx([10.0 - math.floor(at_s), *[10.0] * (len(ended) - 1)])


@pytest.mark.parametrize("protocol", [{"kind": "debate"}, {"kind": "replicate_and_vote"}])
def test_who_answers_for_itself_goes_on_with_no_others_answer(protocol: dict[str, Any]) -> None:
    # Of ten seconds, the first has saved five when it crashes for good. The second begins later,
    # since it was down before it had saved anything, and does all of its own.
    found = ends(
        2,
        team={"size": 2, "agent": agent(latency={"kind": "seconds", "base": 10})},
        coordination={"protocol": protocol, "timing": "asynchronous"},
        workload__tasks=1,
        resilience={"checkpoint": {"every_s": 1}},
        faults=[crash(0, 5.5), {**crash(1, 0.5), "for_s": 10}],
    )
    assert found == [math.inf, 10.5 + 10.0]


def test_another_model_answers_while_the_breaker_is_open() -> None:
    m: Metrics = run(
        team__agent=agent(**CALLS),
        workload__tasks=3,
        provider={"error_s": 1, **NO_RETRIES},
        resilience={
            "breaker": {**BREAKER, "open_s": 4},
            "fallback": {"model": agent()},
        },
        faults=[OUTAGE],
    )
    # Fails in a second; the other answers in one each until five seconds are over: three times.
    assert (m.fallbacks, m.makespan_s, m.requests) == (3, 4.0, 1 + 3)


@pytest.mark.parametrize(
    "again",
    [
        {"retry": {"max_retries": 50, "backoff": {"kind": "none"}}},
        {"fallback": {"model": {"latency": {"kind": "seconds", "base": 8}}}},
    ],
)
def test_who_asks_again_at_once_finds_the_place_that_it_has_left(again: dict[str, Any]) -> None:
    # A useless reply is a request that the provider has served to its end: it holds no place then,
    # whether or not the provider notices when clients give up.
    length = {"kind": "uniform", "low": 5, "high": 15}
    found = run(
        team={
            "size": 1,
            "agent": agent(latency={"kind": "seconds", "base": length}, faults={"malformed": 0.5}),
        },
        coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
        workload__tasks=100,
        provider={"concurrency": 1, "cancels": False},
        resilience=again,
    )
    assert found.malformed > 30
    assert found.rate_limits == 0
    assert found.waiting_s == 0.0


def test_what_is_sent_at_the_instant_of_the_end_is_not_billed() -> None:
    # Two calls, of which the first one's hedge is paid for, too; the second's is due when the
    # deadline passes, whatever the rounding of sums of such times.
    for k in range(1, 40):
        base_s, after_s = 10 + k * 0.1, 4 + k * 0.07
        found = run(
            team={
                "size": 1,
                "agent": agent(
                    latency={"kind": "seconds", "base": base_s},
                    tokens={"output": 0, "message": 0},
                    context={
                        "system_tokens": 1000, "board_tokens_per_task": 0, "retention": 0,
                        "cache": False,
                    },
                    price={"input_per_mtok": 1},
                ),
            },
            coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
            workload__tasks=2,
            resilience={"hedge": {"after_s": after_s}},
            limits={"deadline_s": base_s + after_s},
        )  # fmt: skip
        assert found.cost_usd == pytest.approx(0.003), k
