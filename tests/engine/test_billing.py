"""Billing: every answer is paid for, and for failed requests the tokens read and written."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Row, Trace
from simulator.scenario import Scenario
from tests.conftest import agent, exponential, run_as_traced, scenario

PRICE = {"input_per_mtok": 3, "cached_input_per_mtok": 0.3, "output_per_mtok": 15}
CONTEXT = {"system_tokens": 1000, "board_tokens_per_task": 0, "retention": 0}


def worker(**fields: Any) -> dict[str, Any]:
    """Return an agent that reads 1,000 tokens a call, later from the cache, and writes 200."""
    fields = {"tokens": {"output": 200, "message": 0}, "context": CONTEXT, **fields}
    return agent(price=PRICE, **fields)


def usd(rows: list[Row]) -> float:
    """Return the cost of all tokens read and written in the trace."""
    total = 0.0
    for row in rows:
        if row.event in (Event.REQUEST, Event.CALL_END):
            read, cached, written = (
                row.input_tokens or 0,
                row.cached_tokens or 0,
                row.output_tokens or 0,
            )
            total += (read - cached) * 3 + cached * 0.3 + written * 15
    return total / 1e6


def checked(each: Scenario) -> tuple[Metrics, list[Row]]:
    """Run a scenario; its metrics must be those that its trace tells, the cost included."""
    metrics = run_as_traced(each)
    trace = Trace()
    Simulation(each).run(0, trace)
    assert metrics.cost_usd == pytest.approx(usd(trace.rows))
    return metrics, trace.rows


STEPS: dict[str, dict[str, Any]] = {
    "plain": {},
    "limited": {"provider": {"requests_per_minute": 6000}},
    "resilient": {"resilience": {"timeout": {"seconds": 100}}},
}
"""The three ways in which a call is taken through."""


@pytest.mark.parametrize("timing", ["rounds", "asynchronous"])
@pytest.mark.parametrize("way", STEPS)
def test_a_call_cut_off_is_paid_for_as_far_as_it_got(timing: str, way: str) -> None:
    # Two calls of 1 s are done, and of the third 0.75 s: its input, and 150 of its 200 tokens.
    m, rows = checked(
        scenario(
            team__agent=worker(),
            coordination__timing=timing,
            limits__deadline_s=2.75,
            **STEPS[way],
        )
    )
    cut = next(row for row in rows if row.outcome == "cut_off")
    assert (cut.input_tokens, cut.cached_tokens, cut.output_tokens) == (1000, 1000, 150)
    assert (m.calls, m.input_tokens, m.output_tokens, m.wasted_tokens) == (2, 3000, 550, 1150)
    assert m.wasted_usd == pytest.approx((1000 * 0.3 + 150 * 15) / 1e6)


@pytest.mark.parametrize("way", STEPS)
def test_a_call_that_has_just_begun_costs_nothing_yet(way: str) -> None:
    m, _ = checked(
        scenario(
            team__agent=worker(),
            coordination__timing="asynchronous",
            limits__deadline_s=2.0,
            **STEPS[way],
        )
    )
    assert (m.input_tokens, m.output_tokens) == (2000, 400)


def test_what_waits_at_the_provider_costs_nothing() -> None:
    for provider in ({"requests_per_minute": 6, "burst_s": 10}, {"concurrency": 1, "queue": {}}):
        m, _ = checked(
            scenario(
                team={"size": 4, "agent": worker(latency={"kind": "seconds", "base": 10})},
                coordination__timing="asynchronous",
                provider={"retry": {"max_retries": 99}, **provider},
                limits__deadline_s=5,
            )
        )
        # One call is in service, half of it.
        assert (m.input_tokens, m.output_tokens) == (1000, 100)


def test_a_request_that_never_comes_back_was_read() -> None:
    m, _ = checked(
        scenario(
            team__agent=worker(),
            faults=[{"kind": "stall", "agent": 0, "at_s": 0.5}],
            limits__deadline_s=50,
        )
    )
    assert m.outcome == "deadlock"
    assert (m.input_tokens, m.output_tokens, m.wasted_tokens) == (1000, 0, 1000)


def test_a_call_that_waits_to_commit_when_the_run_ends_is_paid_in_full() -> None:
    m, _ = checked(
        scenario(
            team__agent=worker(),
            workspace={"kind": "optimistic", "one_way_s": 1},
            coordination__timing="asynchronous",
            limits__deadline_s=3.5,  # 2 s to read, 1 s of service, and half of the way back
        )
    )
    assert (m.calls, m.input_tokens, m.output_tokens) == (0, 1000, 200)


def test_both_requests_of_a_hedged_call_are_paid_when_the_run_ends() -> None:
    m, rows = checked(
        scenario(
            team__agent=worker(latency={"kind": "seconds", "base": 10}),
            resilience={"hedge": {"after_s": 2}},
            limits__deadline_s=5,
        )
    )
    assert m.input_tokens == 2000
    assert m.output_tokens == 100 + 60  # after 5 and after 3 of 10 s
    assert [row.outcome for row in rows if row.event is Event.REQUEST] == ["cut_off"]


SLOW = {"agent": worker(latency=exponential(5))}

CANCELLED: dict[str, dict[str, Any]] = {
    "copies": {"coordination__protocol": {"kind": "redundancy", "copies": 3}},
    "backups": {"resilience": {"backup": {"when_left": 1.0}}},
    "hedges": {"resilience": {"hedge": {"after_s": 3}}},
    "late": {"coordination__timing": "rounds", "resilience": {"wait_for": 0.5}},
    "timeouts": {"resilience": {"timeout": {"seconds": 6}, "retry": {"max_retries": 2}}},
    "stuck": {
        "resilience": {"detector": {"progress_s": 8}, "supervisor": {"restart_s": 1}},
    },
    "crashes": {"faults": [{"kind": "crash", "agent": 0, "at_s": 7, "for_s": 5}]},
    "simpler": {
        "faults": [{"kind": "crash", "agent": 0, "at_s": 7, "for_s": 50}],
        "resilience": {
            "simpler_protocol": {"protocol": "pre_assigned", "when_lost": "workers", "share": 0.2}
        },
    },
    "partition": {
        "network": {"partitions": [{"at_s": 3, "duration_s": 9, "minority": 0.5}]},
        "workspace": {"kind": "last_writer_wins"},
    },
    "locks in parts": {
        "workspace": {"kind": "locks", "acquire": "one_by_one"},
        "resilience": {"timeout": {"seconds": 4}, "retry": {"max_retries": 2}},
    },
    "another model": {
        "provider": {"errors": {"probability": 0.5}, "retry": {"max_retries": 0}},
        "resilience": {"timeout": {"seconds": 6}, "fallback": {"model": SLOW["agent"]}},
    },
}


@pytest.mark.parametrize("why", CANCELLED)
@pytest.mark.parametrize("deadline_s", [15.0, 1e6])
def test_the_trace_shows_every_token_that_is_paid_for(why: str, deadline_s: float) -> None:
    fields: dict[str, Any] = {
        "team": {"size": 4, **SLOW},
        "coordination__timing": "asynchronous",
        "limits__deadline_s": deadline_s,
        **CANCELLED[why],
    }
    m, rows = checked(scenario(**fields))
    in_vain = [r for r in rows if r.event is Event.REQUEST or r.outcome in ("cut_off", "failed")]
    assert m.wasted_tokens == sum((r.input_tokens or 0) + (r.output_tokens or 0) for r in in_vain)
    assert m.wasted_usd == pytest.approx(usd(in_vain))
    if deadline_s < 100:
        assert m.outcome == "deadline"
        assert m.wasted_usd > 0.0


def test_a_budget_sees_what_is_paid_for_requests_that_come_to_nothing() -> None:
    # No request is ever answered: without the budget the one call would be tried for ever.
    m, _ = checked(
        scenario(
            team__agent=worker(faults={"malformed": 1}),
            resilience={"retry": {"max_retries": 10**6, "backoff": {"kind": "none"}}},
            limits__budget_usd=0.1,
        )
    )
    each = (1000 * 0.3 + 200 * 15) / 1e6
    assert m.outcome == "budget"
    assert 0.1 <= m.cost_usd < 0.1 + each


@pytest.mark.parametrize("cached", [0.0, 1.0])
def test_a_request_that_fails_is_billed_as_the_scenario_says(cached: float) -> None:
    # A reply that breaks off half way, at first, costs its input, and 100 of its 200 tokens; the
    # first request of all finds nothing in the cache.
    bill = {"cached": cached, "written": 0.5}
    m, rows = checked(
        scenario(
            team={"size": 1, "agent": worker()},
            workload={"kind": "parallel_fraction", "tasks": 40, "parallel_fraction": 1},
            provider={
                "errors": {"probability": 0.3, "after_s": 0.1, "bill": bill},
                "retry": {"max_retries": 99},
            },
        )
    )
    failed = [row for row in rows if row.event is Event.REQUEST]
    assert len(failed) == m.provider_errors > 5
    assert {row.input_tokens for row in failed} == {1000}
    assert {row.output_tokens for row in failed} == {100}
    served = next(i for i, row in enumerate(rows) if row.event is Event.CALL_END)
    for i, row in enumerate(rows):
        if row.event is Event.REQUEST:
            assert row.cached_tokens == (1000 * cached if i > served else 0)
    assert m.wasted_tokens == 1100 * len(failed)


def test_so_many_of_the_requests_that_fail_are_billed() -> None:
    # Of 1,000 or so, 40 %, with a standard error of 1.5 points.
    m, rows = checked(
        scenario(
            team={"size": 1, "agent": worker()},
            workload={"kind": "parallel_fraction", "tasks": 1000, "parallel_fraction": 1},
            provider={
                "errors": {"probability": 0.5, "after_s": 0.1, "bill": {"share": 0.4}},
                "retry": {"max_retries": 99},
            },
        )
    )
    billed = [bool(row.input_tokens) for row in rows if row.event is Event.REQUEST]
    assert sum(billed) / len(billed) == pytest.approx(0.4, abs=0.05)
    assert m.input_tokens == 1000 * (m.calls + sum(billed))


CRASH: dict[str, Any] = {"kind": "crash", "agent": 0}


@pytest.mark.parametrize("latency", [{}, {"kind": "tokens", "base_s": 0, "output_s_per_1k": 50}])
@pytest.mark.parametrize(
    ("crashes", "seconds", "written"),
    [
        # The crash at 7 s leaves the checkpoint of 6 s: of ten seconds four are left, 80 tokens.
        ([(7, 5)], 16.0, [140, 80]),
        # Another after a second of these four, before the next checkpoint.
        ([(7, 5), (13, 1)], 18.0, [140, 20, 80]),
        # And one after more than three: 20 tokens are left.
        ([(7, 5), (15.5, 1)], 17.5, [140, 70, 20]),
    ],
)
def test_a_call_that_goes_on_at_a_checkpoint_writes_what_is_left(
    latency: dict[str, Any],
    crashes: list[tuple[float, float]],
    seconds: float,
    written: list[int],
) -> None:
    m, rows = checked(
        scenario(
            team={"size": 1, "agent": worker(latency=latency or {"kind": "seconds", "base": 10})},
            coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
            workload={"kind": "parallel_fraction", "tasks": 1, "parallel_fraction": 1},
            faults=[{**CRASH, "at_s": at_s, "for_s": for_s} for at_s, for_s in crashes],
            resilience={"checkpoint": {"every_s": 3}},
        )
    )
    told = [row.output_tokens for row in rows if row.event in (Event.REQUEST, Event.CALL_END)]
    assert [count for count in told if count] == written
    assert m.output_tokens == sum(written)
    assert m.makespan_s == pytest.approx(seconds)


@pytest.mark.parametrize("is_billed", [True, False])
def test_what_a_billed_error_has_read_is_in_the_cache(is_billed: bool) -> None:
    """Each call fails twice, and the fallback answers: of a cache of its own."""
    each = {"probability": 1, "after_s": 0.5}
    other = {"latency": {"kind": "seconds", "base": 5}, "price": PRICE}
    _, rows = checked(
        scenario(
            team={"size": 1, "agent": worker(context={**CONTEXT, "retention": 1})},
            workload={"kind": "parallel_fraction", "tasks": 2, "parallel_fraction": 1},
            provider={
                "errors": {**each, "bill": {"written": 1}} if is_billed else each,
                "retry": {"max_retries": 1},
            },
            resilience={"fallback": {"model": other}},
        )
    )
    failed = [(r.input_tokens, r.cached_tokens) for r in rows if r.event is Event.REQUEST]
    if not is_billed:
        assert failed == [(0, 0)] * 4
        return
    # The second request of a call finds all that the first has read, and the next call as much.
    first, second = failed[0][0], failed[2][0]
    assert failed == [(first, 0), (first, first), (second, first), (second, second)]
    answered = [r for r in rows if r.event is Event.CALL_END]
    assert [r.cached_tokens for r in answered] == [0, first]


def test_what_is_given_up_as_its_turn_comes_has_not_been_read() -> None:
    # One is served at a time. The first gives up at 8 s: the second has its turn, too late.
    latency = {"kind": "seconds", "base": 9}
    _, rows = checked(
        scenario(
            team={"size": 2, "agent": worker(latency=latency)},
            coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
            workload={"kind": "parallel_fraction", "tasks": 2, "parallel_fraction": 1},
            provider={"concurrency": 1, "queue": {}},
            resilience={"timeout": {"seconds": 8}, "retry": {"max_retries": 1}},
            limits={"max_calls": 2},
        )
    )
    requests = [row for row in rows if row.event is Event.REQUEST]
    first, second = [[r for r in requests if r.agent == index][:2] for index in (0, 1)]
    assert [(r.input_tokens, r.cached_tokens) for r in first] == [(1000, 0), (1000, 1000)]
    assert [(r.input_tokens, r.cached_tokens) for r in second] == [(0, 0), (1000, 0)]
