"""A prompt cache that expires: old prompts are read anew, and writing them again is paid."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Row, Trace
from tests.conftest import agent, run_as_traced, scenario

SYSTEM, WRITES, TURN = 1000, 100, 400
GROWS = WRITES + TURN
PRICE = {"input_per_mtok": 4.0, "cached_input_per_mtok": 0.5, "output_per_mtok": 20.0}


def worker(cache: Any, context: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    plain = {"system_tokens": SYSTEM, "board_tokens_per_task": 0, "turn_tokens": TURN}
    reads = {**plain, "cache": cache, **(context or {})}
    return agent(tokens={"output": WRITES}, context=reads, price=PRICE, **fields)


def arriving(cache: Any, times: list[float], **fields: Any) -> tuple[Metrics, list[Row]]:
    """Run one agent that does tasks as they come, a second each; all by itself."""
    who = fields.pop("agent", {})
    each = scenario(
        team__agent=worker(cache, **who),
        workload={
            "kind": "dag",
            "tasks": [{"id": str(i), "arrival_s": at_s} for i, at_s in enumerate(times)],
        },
        coordination__timing="asynchronous",
        **fields,
    )
    trace = Trace()
    metrics = Simulation(each).run(0, trace)
    run_as_traced(each)
    return metrics, trace.rows


def read(rows: list[Row]) -> list[tuple[int | None, int | None]]:
    ends = (Event.CALL_END, Event.REQUEST)
    return [(row.input_tokens, row.cached_tokens) for row in rows if row.event in ends]


# Calls last a second: from the end of one to the beginning of the next 9, 10, 11, 9 and 20 s pass.
TIMES = [0.0, 10.0, 21.0, 33.0, 43.0, 64.0]
PROMPTS = [SYSTEM + i * GROWS for i in range(6)]


def test_what_has_not_been_used_for_longer_than_its_life_is_read_anew() -> None:
    metrics, rows = arriving({"life_s": 10}, TIMES)
    hits = [False, True, True, False, True, False]
    found = [before * hit for before, hit in zip([0, *PROMPTS[:-1]], hits, strict=True)]
    assert read(rows) == list(zip(PROMPTS, found, strict=True))
    assert metrics.expired_tokens == PROMPTS[2] + PROMPTS[4]
    assert metrics.cache_write_tokens == sum(PROMPTS) - sum(found)


@pytest.mark.parametrize("resilience", [{}, {"timeout": {"seconds": 1e6}}])
@pytest.mark.parametrize(
    "latency",
    [{"kind": "seconds", "base": 0}, {"kind": "tokens", "base_s": 0, "output_s_per_1k": 0}],
)
def test_what_takes_no_time_is_read_anew_as_well(
    latency: dict[str, Any], resilience: dict[str, Any]
) -> None:
    times, how = [0.0, 5.0, 30.0, 35.0], {"agent": {"latency": latency}, "resilience": resilience}
    metrics, rows = arriving({"life_s": 10}, times, **how)
    assert read(rows) == list(zip(PROMPTS, [0, PROMPTS[0], 0, PROMPTS[2]], strict=False))
    assert (metrics.expired_tokens, metrics.makespan_s) == (PROMPTS[1], 35.0)


def test_a_cache_of_which_nothing_is_said_is_as_one_that_keeps_all() -> None:
    plain, _ = arriving(True, TIMES)
    mapping, _ = arriving({}, TIMES)
    ever, _ = arriving({"life_s": 1e9}, TIMES)
    assert mapping == plain
    assert ever.cost_usd == plain.cost_usd
    assert ever.cached_tokens == plain.cached_tokens
    assert (plain.cache_write_tokens, ever.cache_write_tokens) == (0, PROMPTS[-1])


def test_what_is_written_to_the_cache_has_a_price_of_its_own() -> None:
    dear, _ = arriving({"life_s": 10, "write_price_factor": 1.25}, TIMES)
    plain, _ = arriving({"life_s": 10}, TIMES)
    surcharge = dear.cache_write_tokens * 0.25 * PRICE["input_per_mtok"] / 1e6
    assert dear.cost_usd == pytest.approx(plain.cost_usd + surcharge, rel=1e-12)


def test_prompts_that_are_too_short_are_not_cached() -> None:
    metrics, rows = arriving({"min_tokens": PROMPTS[2]}, TIMES)
    assert [cached for _, cached in read(rows)] == [0, 0, 0, *PROMPTS[2:5]]
    # The first two write nothing, the third all of it, each other one what is new to it.
    assert metrics.cache_write_tokens == PROMPTS[2] + 3 * GROWS
    assert metrics.expired_tokens == 0


def test_a_prompt_read_anew_takes_as_long_as_it_would_have_unread() -> None:
    latency = {
        "kind": "tokens",
        "base_s": 1,
        "uncached_s_per_1k": 2,
        "cached_s_per_1k": 0.5,
        "output_s_per_1k": 5,
        "residual": {"kind": "lognormal", "median": 1, "sigma": 0.3},
    }
    times = [0.0, 50.0, 60.0]
    lasts = {}
    for cache in (True, False, {"life_s": 20}):
        _, rows = arriving(cache, times, agent={"latency": latency})
        lasts[str(cache)] = [r.duration_s for r in rows if r.event is Event.CALL_END]
    cached, uncached, expires = lasts.values()
    assert expires == pytest.approx([uncached[0], uncached[1], cached[2]], rel=1e-9)
    assert cached[1] < 0.9 * (uncached[1] or 0.0)


def test_a_request_that_waits_finds_its_prompt_gone() -> None:
    # Two calls a minute, taken at once: the third waits for 30 s before it is in service.
    _, rows = arriving(
        {"life_s": 20}, [0.0, 2.0, 4.0], provider={"requests_per_minute": 2, "burst_s": 60}
    )
    assert [cached for _, cached in read(rows)] == [0, PROMPTS[0], 0]


@pytest.mark.parametrize("resilience", [{}, {"retry": {"max_retries": 1}}])
def test_a_request_that_waited_takes_as_long_as_without_a_cache(resilience: Any) -> None:
    speeds = {"uncached_s_per_1k": 0.2, "cached_s_per_1k": 0.05, "output_s_per_1k": 0.1}
    latency = {"kind": "tokens", "base_s": 0.1, **speeds}
    limit = {"requests_per_minute": 2, "burst_s": 60}
    lasts = []
    for cache in ({"life_s": 20}, False):
        how = {"agent": {"latency": latency}, "provider": limit, "resilience": resilience}
        _, rows = arriving(cache, [0.0, 2.0, 4.0], **how)
        lasts.append([r.duration_s for r in rows if r.event is Event.CALL_END][2])
    assert lasts[0] == pytest.approx(lasts[1], rel=1e-9)


def test_tokens_that_have_expired_count_against_the_limit_on_input() -> None:
    # A bucket of 3,000 tokens a minute, 3,500 in the ten seconds. Prompts of 1,000, 1,500 and 2,000
    # need 2,000 of them if the cache holds what was read before, else 4,500.
    limit = {"input_tokens_per_minute": 3000, "burst_s": 60}
    kept, _ = arriving({"life_s": 100}, [0.0, 5.0, 10.0], provider=limit)
    gone, _ = arriving({"life_s": 1}, [0.0, 5.0, 10.0], provider=limit)
    assert (kept.rate_limits, gone.rate_limits) == (0, 1)


def test_a_retry_after_a_long_pause_reads_all_again() -> None:
    timeout = {"timeout": {"seconds": 2}, "retry": {"max_retries": 1}}
    backoff = {"backoff": {"kind": "exponential", "base_s": 15, "cap_s": 30}}
    found = {}
    for life_s in (20, 40):
        _, rows = arriving(
            {"life_s": life_s},
            [0.0, 1.0],
            resilience={**timeout, "retry": {"max_retries": 1, **backoff}},
            provider={"retry": {"max_retries": 0}},
            faults=[{"kind": "slow", "agent": 0, "factor": 5, "at_s": 1.0, "for_s": 4}],
        )
        found[life_s] = [cached for _, cached in read(rows)]
    # Call, request that times out, and its retry 30 s later.
    assert found == {20: [0, PROMPTS[0], 0], 40: [0, PROMPTS[0], PROMPTS[1]]}


@pytest.mark.parametrize(
    ("cache", "said"),
    [
        ({"life_s": 0}, "greater than 0"),
        ({"life_s": -5}, "greater than 0"),
        ({"write_price_factor": -1}, "greater than or equal to 0"),
        ({"min_tokens": "many"}, "valid number"),
        ({"live_s": 5}, "did you mean 'life_s'"),
    ],
)
def test_a_cache_that_cannot_be_is_refused(cache: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        scenario(team__agent=worker(cache))


def test_patterns_that_never_act_leave_the_cache_its_life() -> None:
    plain, rows = arriving({"life_s": 10}, TIMES)
    for resilience in ({"timeout": {"seconds": 1e6}}, {"retry": {"max_retries": 1}}):
        guarded, read_so = arriving({"life_s": 10}, TIMES, resilience=resilience)
        assert read(read_so) == read(rows)
        assert guarded.cost_usd == plain.cost_usd
        assert guarded.expired_tokens == plain.expired_tokens


@pytest.mark.parametrize("resilience", [{}, {"timeout": {"seconds": 1e6}}])
@pytest.mark.parametrize("first_s", [0.5, 5.0])
def test_a_call_in_parts_reads_its_prompt_once_however_long_it_waits_between(
    resilience: dict[str, Any], first_s: float
) -> None:
    # The first has done a task and goes on with one on two files, of which the other has the
    # second until 40 s: longer than what it has read is kept.
    latency = {"kind": "seconds", "base": 2 * first_s}
    groups = {
        "two": {"size": 1, "agent": worker({"life_s": 10}, latency=latency)},
        "one": {"size": 1, "agent": agent(latency={"kind": "seconds", "base": 40})},
    }
    trace = Trace()
    each = scenario(
        team={"groups": groups},
        coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
        workspace={"kind": "locks", "acquire": "one_by_one"},
        workload={
            "kind": "dag",
            "tasks": [
                {"id": "before", "worker": 1},
                {"id": "both", "worker": 1, "files": ["x", "y"]},
                {"id": "second", "worker": 2, "files": ["y"]},
            ],
        },
        resilience=resilience,
    )
    metrics = Simulation(each).run(0, trace)
    rows = [row for row in trace.rows if row.event is Event.CALL_END and row.agent == 0]
    assert read(rows) == [(PROMPTS[0], 0), (PROMPTS[1], PROMPTS[0])]
    assert [row.duration_s for row in rows] == [2 * first_s, 2 * first_s]
    assert (metrics.makespan_s, metrics.expired_tokens) == (40.0 + first_s, 0)


@pytest.mark.parametrize("base_s", [2, 60])
def test_limits_that_nobody_reaches_leave_requests_as_they_are(base_s: float) -> None:
    # Requests for parts of calls fail, and are drawn anew after a pause in which their prompt may
    # leave the cache.
    speeds = {"uncached_s_per_1k": 0.3, "cached_s_per_1k": 0.1, "output_s_per_1k": 10}
    who = worker({"life_s": 20}, latency={"kind": "tokens", "base_s": 0.1, **speeds})
    who["tokens"] = {"output": {"kind": "exponential", "mean": WRITES}}
    backoff = {"kind": "exponential", "base_s": base_s, "cap_s": 300}
    no_retries = {"retry": {"max_retries": 0}}
    tasks = [{"id": str(i), "files": [f"{i % 3}", f"{(i + 1) % 3}"]} for i in range(24)]
    found = []
    for limits in ({}, {"requests_per_minute": 1e9}, {"concurrency": 99}):
        each = scenario(
            team={"size": 2, "agent": who},
            coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
            workspace={"kind": "locks", "acquire": "one_by_one"},
            workload={"kind": "dag", "tasks": tasks},
            resilience={"retry": {"max_retries": 9, "backoff": backoff}},
            provider={"errors": {"probability": 0.4, "after_s": 0.1}, **no_retries, **limits},
        )
        trace = Trace()
        metrics = Simulation(each).run(0, trace)
        assert metrics.provider_errors > 10
        assert metrics.expired_tokens > 0
        found.append((read(trace.rows), metrics))
    assert found[0] == found[1] == found[2]
