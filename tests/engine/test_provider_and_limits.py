"""The provider's limits, slow phases and prices; what ends a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Trace
from simulator.scenario.prices import list_prices
from tests.conftest import agent, run, runs, scenario


def limited(size: int, tasks: int, provider: dict[str, Any], **fields: Any) -> Metrics:
    return run(
        team={"size": size, "agent": agent(**fields)},
        workload={"kind": "parallel_fraction", "tasks": tasks, "parallel_fraction": 1},
        provider=provider,
        coordination={
            "protocol": {"kind": "self_claim", "claims": "immediate", "choice": "first"},
            "timing": "asynchronous",
        },
    )


def test_a_token_bucket_lets_its_burst_through_and_then_its_rate() -> None:
    # Burst of 10, one a second after that: call i > 10 starts at i - 10 at the earliest.
    m = limited(
        1,
        30,
        {"requests_per_minute": 60, "burst_s": 10, "retry": {"max_retries": 9, "lag": 0}},
        latency={"kind": "seconds", "base": 0.01},
    )
    assert m.makespan_s == pytest.approx(20 + 0.01, abs=0.02)
    assert m.retries == m.rate_limits > 0
    assert m.rate_limited_s == pytest.approx(m.makespan_s - 30 * 0.01)


def test_input_limits_count_what_no_cache_holds() -> None:
    def makespan(counts: bool) -> float:
        return limited(
            1,
            20,
            {
                "input_tokens_per_minute": 60_000,
                "burst_s": 1,
                "cached_input_counts": counts,
                "retry": {"max_retries": 99},
            },
            context={"system_tokens": 1000, "board_tokens_per_task": 50},
            tokens={"output": 0},
        ).makespan_s

    # 1,000 tokens a second. Every call reads 1,000 cached ones (but the first) and 1,000 anew.
    assert makespan(False) < 22
    assert makespan(True) == pytest.approx(2 * 20, rel=0.1)


def test_a_refused_client_waits_as_the_vendors_sdks_do() -> None:
    simulation = Simulation(
        scenario(
            team={"size": 2, "agent": agent(latency={"kind": "seconds", "base": 100})},
            workload={"kind": "parallel_fraction", "tasks": 2, "parallel_fraction": 1},
            provider={"concurrency": 1},
            coordination={
                "protocol": {"kind": "self_claim", "claims": "immediate"},
                "timing": "asynchronous",
            },
        )
    )
    trace = Trace()
    m = simulation.run(0, trace)
    waits = [r.duration_s for r in trace.rows if r.event == Event.WAIT]
    # min(.5 * 2^n, 8) s less up to a quarter: three waits, then the call has failed, and again.
    for i, wait in enumerate(waits[:3]):
        assert wait is not None
        assert 0.75 * 0.5 * 2**i <= wait <= 0.5 * 2**i
    assert m.failed_calls > 10
    assert m.retries >= 2 * m.failed_calls
    assert (m.outcome, m.tasks_done) == ("completed", 2)


def test_more_agents_than_the_limit_feeds_wait_for_it() -> None:
    provider = {"requests_per_minute": 60, "burst_s": 1, "retry": {"max_retries": 50}}
    alone, many = limited(1, 40, provider), limited(20, 40, provider)
    # One agent of 1 s a call is served at the rate itself: nineteen more cannot be faster.
    assert many.makespan_s == pytest.approx(alone.makespan_s, rel=0.15)
    assert many.rate_limited_s > 10 * alone.rate_limited_s


@pytest.mark.slow
@pytest.mark.theory
def test_slow_phases_hit_everybody_for_their_share_of_time() -> None:
    # Normal 30 s, slow 10 s, a call of 0.2 s or 0.6 s: in a quarter of the time calls are three
    # times as long. Share of calls that start in a slow phase: (1/4)/3 over that and 3/4.
    found = runs(
        60,
        team={"size": 2, "agent": agent(latency={"kind": "seconds", "base": 0.2})},
        workload={"kind": "parallel_fraction", "tasks": 2000, "parallel_fraction": 1},
        provider={"slow": {"factor": 3, "mean_normal_s": 30, "mean_slow_s": 10}},
        coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
    )
    slow_share = (0.25 / 3) / (0.25 / 3 + 0.75)
    expected = 1000 * 0.2 * (1 + 2 * slow_share)
    spans = np.array([m.makespan_s for m in found])
    # The first phase is a normal one, which is worth up to one mean slow phase in 240 s.
    assert expected * 0.9 < spans.mean() < expected * 1.02
    # Both agents are slowed at once: their loads stay alike.
    assert all(m.waiting_s < 0.05 * m.makespan_s for m in found)


def test_prices_come_by_name_and_are_the_lists() -> None:
    # The published list prices of Claude Sonnet 4.6: 3, 0.3 and 15 dollars a million, and to write
    # to the cache for five minutes 1.25 times, for an hour twice the price of input.
    assert list_prices("claude-sonnet-4-6") == {
        "input_per_mtok": 3.0,
        "cached_input_per_mtok": 0.3,
        "cache_write_per_mtok": 3.75,
        "cache_write_1h_per_mtok": 6.0,
        "output_per_mtok": 15.0,
    }
    assert not {"cache_write_per_mtok", "cache_write_1h_per_mtok"} & list_prices("gpt-5.2").keys()
    m = run(
        team__agent=agent(
            price={"model": "claude-sonnet-4-6", "output_per_mtok": 10},
            context={"system_tokens": 1000, "board_tokens_per_task": 0, "retention": 0},
            tokens={"output": 100},
        ),
        workload__tasks=2,
    )
    assert m.cost_usd == pytest.approx((1000 * 3 + 1000 * 0.3 + 200 * 10) / 1e6)
    for life_s, writes in ((300, 3.75), (3600, 6)):
        context = {"system_tokens": 1000, "board_tokens_per_task": 0, "cache": {"life_s": life_s}}
        who = agent(price="claude-sonnet-4-6", context=context, tokens={"output": 100})
        m = run(team__agent=who, workload__tasks=2)
        assert m.cost_usd == pytest.approx((1100 * writes + 1000 * 0.3 + 200 * 15) / 1e6)


@pytest.mark.parametrize(
    ("price", "cached"),
    [
        ({"input_per_mtok": 3}, 3.0),
        ({"input_per_mtok": 3, "cached_input_per_mtok": 0}, 0.0),
        ({"model": "gpt-4"}, 30.0),  # of before caches: no price for what they hold
        ({"model": "gpt-4", "input_per_mtok": 7}, 7.0),
        ({"model": "gpt-4", "cached_input_per_mtok": 1}, 1.0),
    ],
)
def test_without_a_price_of_its_own_cached_input_costs_what_input_does(
    price: dict[str, Any], cached: float
) -> None:
    assert "cached_input_per_mtok" not in list_prices("gpt-4")
    m = run(
        team__agent=agent(
            price={"output_per_mtok": 0, **price},
            context={"system_tokens": 1000, "board_tokens_per_task": 0, "retention": 0},
        ),
        workload__tasks=3,
    )
    uncached = price.get("input_per_mtok", 30.0)
    assert m.cached_tokens == 2000
    assert m.cost_usd == pytest.approx((1000 * uncached + 2000 * cached) / 1e6)


@pytest.mark.parametrize(
    ("limits", "outcome", "reason"),
    [
        ({"deadline_s": 5.5}, "deadline", "the deadline of 5.5 s has passed: 5 of 20 tasks"),
        ({"budget_usd": 0.01}, "budget", "the budget of 0.01 US dollars is spent: "),
        ({"max_rounds": 3}, "max_rounds", "3 rounds have been made: 3 of 20 tasks are done"),
        ({"max_calls": 4}, "max_calls", "4 calls have begun: 4 of 20 tasks are done"),
    ],
)
def test_every_limit_ends_the_run_and_says_why(
    limits: dict[str, float], outcome: str, reason: str
) -> None:
    m = run(team__agent=agent(price={"input_per_mtok": 1000}), limits=limits)
    assert m.outcome == outcome
    assert m.reason.startswith(reason)
    assert not m.success


def test_a_run_that_gets_stuck_says_what_is_left() -> None:
    # Nobody may ever do the second half: its agent's claims are never its own to make.
    m = run(
        team__agent=agent(errors={"probability": 1, "detection": 1}),
        workload__tasks=2,
        limits={"max_calls": 50},
    )
    assert m.reason == "50 calls have begun: 0 of 2 tasks are done"


def test_groups_differ_in_speed_price_and_error() -> None:
    def group(size: int, **fields: Any) -> dict[str, Any]:
        return {"size": size, "agent": agent(**fields)}

    m = run(
        team={
            "groups": {
                "large": group(1, speed=4, price={"output_per_mtok": 40}),
                "small": group(
                    4, price={"output_per_mtok": 1}, errors={"probability": 0.5, "detection": 0}
                ),
            }
        },
        workload={"kind": "parallel_fraction", "tasks": 80, "parallel_fraction": 1},
        coordination={
            "protocol": {"kind": "self_claim", "claims": "immediate", "choice": "first"},
            "timing": "asynchronous",
        },
    )
    # The large one does four tasks while each small one does one: half of the work each.
    assert m.makespan_s == 10
    assert m.cost_usd == pytest.approx(300 * (40 * 40 + 40 * 1) / 1e6)
    assert 10 <= m.faulty_undetected <= 30


def test_a_weak_orchestrator_holds_strong_workers_up() -> None:
    def makespan(workers: float, centre: float) -> float:
        return run(
            team={
                "size": 6,
                "agent": {**agent(speed=workers), "behaviour": {"talk": 1}},
                "coordinator": agent(speed=centre),
            },
            topology="centralised",
            workload={"kind": "parallel_fraction", "tasks": 60, "parallel_fraction": 1},
            coordination={"protocol": "lead_assign", "timing": "asynchronous"},
        ).makespan_s

    # The first call gives all six a task; the other 54 take a call each, at the centre's pace.
    assert makespan(10, 1) > 54
    assert makespan(1, 10) < 20


@pytest.mark.parametrize("resilience", [{}, {"timeout": {"seconds": 100}}])
@pytest.mark.parametrize("seconds", [0.5, 2.0])
@pytest.mark.parametrize("parts", [1, 3, 10])
def test_a_call_that_takes_locks_in_between_is_one_request(
    parts: int, seconds: float, resilience: dict[str, Any]
) -> None:
    m = run(
        team__agent__latency={"kind": "seconds", "base": seconds},
        workload={"kind": "dag", "tasks": [{"id": "a", "files": [f"f{i}" for i in range(parts)]}]},
        workspace={"kind": "locks", "acquire": "one_by_one"},
        provider={"requests_per_minute": 1},
        resilience=resilience,
    )
    assert (m.outcome, m.rate_limits, m.calls) == ("completed", 0, 1)
    assert m.makespan_s == pytest.approx(seconds)
    assert m.requests == (1 if resilience else 0)
