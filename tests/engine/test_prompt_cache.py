"""The cached part of a prompt: exactly what the call before has read, as far as it is unchanged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Row, Trace
from tests.conftest import agent, scenario

SYSTEM, WRITES, TURN = 1000, 100, 2000

CONTEXT: dict[str, Any] = {
    "system_tokens": SYSTEM,
    "board_tokens_per_task": 0,
    "turn_tokens": TURN,
}

MALFORMED_AT_FIRST: dict[str, Any] = {"malformed": 0.5}


def traced(**fields: Any) -> tuple[Metrics, list[Row]]:
    trace = Trace()
    return Simulation(scenario(**fields)).run(0, trace), trace.rows


def worker(context: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return agent(
        tokens={"output": WRITES, "message": 50}, context={**CONTEXT, **(context or {})}, **fields
    )


def read_and_cached(rows: list[Row], who: int = 0) -> list[tuple[int, int]]:
    return [
        (row.input_tokens or 0, row.cached_tokens or 0)
        for row in rows
        if row.event is Event.CALL_END and row.agent == who
    ]


def alone(
    context: dict[str, Any] | None = None, calls: int = 5, **fields: Any
) -> list[tuple[int, int]]:
    _, rows = traced(team__agent=worker(context, **fields), workload__tasks=calls)
    return read_and_cached(rows)


def test_tool_results_and_a_models_own_words_are_read_from_the_cache_the_second_time() -> None:
    grows = [SYSTEM + k * (WRITES + TURN) for k in range(5)]
    assert alone() == list(zip(grows, [0, *grows[:-1]], strict=True))


def test_what_is_read_anew_at_every_call_is_never_cached() -> None:
    # A board of 5 tasks and the artifacts so far stand behind all that is kept.
    grows = [SYSTEM + k * (WRITES + TURN) for k in range(5)]
    anew = [5 * 30 + 70 * k for k in range(5)]
    found = alone({"board_tokens_per_task": 30, "artifact_tokens": 70})
    assert [read for read, _ in found] == [a + b for a, b in zip(grows, anew, strict=True)]
    assert [cached for _, cached in found] == [0, *grows[:-1]]


def test_without_a_cache_nothing_is_cached() -> None:
    assert {cached for _, cached in alone({"cache": False})} == {0}


@pytest.mark.parametrize("retention", [0.0, 0.5, 0.99])
def test_a_context_that_loses_a_share_of_itself_keeps_only_its_system_prompt(
    retention: float,
) -> None:
    assert [cached for _, cached in alone({"retention": retention})] == [0] + [SYSTEM] * 4


@pytest.mark.parametrize("overflow", ["compact", "truncate"])
def test_after_an_overflow_only_the_system_prompt_is_as_it_was(overflow: str) -> None:
    # Calls read 1000, 3100, 5200 of 6000; the fourth would read 7300.
    found = alone({"window_tokens": 6000, "compaction": 0.5, "overflow": overflow})
    left = 4000 if overflow == "compact" else 6000
    assert found[2:4] == [(5200, 3100), (left, SYSTEM)]
    after = left + WRITES + TURN
    assert found[4] == ((after, left) if after <= 6000 else (left, SYSTEM))


def test_messages_are_new_once_and_then_part_of_the_prefix() -> None:
    # In a mesh of three, each call but the first reads two messages of 50 tokens.
    talks = worker(behaviour={"talk": 1})
    _, rows = traced(
        team={"size": 3, "agent": talks},
        topology="decentralised",
        coordination__protocol="pre_assigned",
        workload__tasks=12,
    )
    for who in range(3):
        found, kept, before = read_and_cached(rows, who), 0, 0
        for call, (read, cached) in enumerate(found):
            assert (read, cached) == (SYSTEM + kept + 100 * (call > 0), before)
            kept, before = read - SYSTEM + WRITES + 50 + TURN, read


def test_notes_on_a_blackboard_are_read_anew() -> None:
    talks = worker({"turn_tokens": 0}, behaviour={"talk": 1})
    _, rows = traced(
        team={"size": 3, "agent": talks},
        topology="blackboard",
        coordination__protocol="pre_assigned",
        workload__tasks=12,
    )
    for call, (read, cached) in enumerate(read_and_cached(rows)):
        kept = SYSTEM + call * (WRITES + 50)
        assert (read, cached) == (kept + 100 * (call > 0), kept - (WRITES + 50) if call else 0)


def test_a_sub_agents_fresh_context_shares_only_the_system_prompt() -> None:
    fields: dict[str, Any] = {
        "coordination": {
            "protocol": {
                "kind": "depth_first", "leaf_tasks": 1, "briefing_tokens": 300, "report_tokens": 40
            }
        },
        "workload__tasks": 4,
    }  # fmt: skip
    _, rows = traced(team={"size": 3, "agent": worker()}, **fields)
    # The parent of all: split, and merge with its own words and two reports added to it.
    assert read_and_cached(rows, 0) == [
        (SYSTEM, 0),
        (SYSTEM + WRITES + TURN + 2 * 40, SYSTEM),
    ]
    # Two sub-agents one after the other in the same place, each split and merge.
    half = [SYSTEM + 300, SYSTEM + 300 + WRITES + TURN + 2 * 40]
    assert read_and_cached(rows, 1) == [
        (half[0], 0),
        (half[1], half[0]),
        (half[0], SYSTEM),
        (half[1], half[0]),
    ]


def requests(rows: list[Row], why: str) -> list[tuple[int, int]]:
    return [
        (row.input_tokens or 0, row.cached_tokens or 0)
        for row in rows
        if row.event is Event.REQUEST and row.outcome == why
    ]


def test_a_request_sent_again_finds_its_whole_prompt_in_the_cache() -> None:
    _, rows = traced(
        team__agent=worker(faults={"malformed": 0.5}),
        workload__tasks=30,
        resilience={"retry": {"max_retries": 99, "backoff": {"kind": "none"}}},
    )
    before, tried = 0, 0
    for row in rows:
        if row.event is Event.REQUEST or row.event is Event.CALL_END:
            expected = row.input_tokens if tried else before
            assert row.cached_tokens == expected
            tried += 1
        if row.event is Event.CALL_END:
            before, tried = row.input_tokens or 0, 0
    assert len(requests(rows, "malformed")) > 10


def test_what_the_provider_did_not_serve_is_not_in_its_cache() -> None:
    _, rows = traced(
        team__agent=worker(),
        workload__tasks=30,
        provider={"errors": {"probability": 0.4, "after_s": 0.1}, "retry": {"max_retries": 99}},
    )
    grows = [SYSTEM + k * (WRITES + TURN) for k in range(30)]
    assert read_and_cached(rows) == list(zip(grows, [0, *grows[:-1]], strict=True))


def test_the_prompt_of_a_call_that_failed_is_cached_for_the_next() -> None:
    _, rows = traced(team__agent=worker(faults={"malformed": 0.5}), workload__tasks=30)
    expected = 0
    for row in rows:
        if row.event is Event.REQUEST or (row.event is Event.CALL_END and row.outcome != "failed"):
            assert row.cached_tokens == expected
            expected = row.input_tokens or 0
    assert len(requests(rows, "malformed")) > 10


@pytest.mark.parametrize("cache", [True, False])
def test_another_model_has_a_cache_of_its_own(cache: bool) -> None:
    # Every first request fails unserved, so that the other model answers every call.
    other = worker({"cache": cache})
    _, rows = traced(
        team__agent=worker(),
        workload__tasks=4,
        provider={"errors": {"probability": 1, "after_s": 0.1}, "retry": {"max_retries": 0}},
        resilience={"fallback": {"model": other}},
    )
    grows = [SYSTEM + k * (WRITES + TURN) for k in range(4)]
    cached = [0, *grows[:-1]] if cache else [0] * 4
    assert read_and_cached(rows) == list(zip(grows, cached, strict=True))


@pytest.mark.parametrize(
    "patterns", [{}, {"timeout": {"seconds": 5}}], ids=["malformed", "timed out"]
)
def test_a_model_whose_answers_were_of_no_use_has_read_their_prompts(
    patterns: dict[str, Any],
) -> None:
    faults = {} if patterns else {"malformed": 1.0}
    slow, quick = ({"kind": "seconds", "base": seconds} for seconds in (10, 2))
    _, rows = traced(
        team__agent=worker(latency=slow, faults=faults),
        workload__tasks=4,
        provider__retry={"max_retries": 0},
        resilience={"fallback": {"model": worker(latency=quick)}, **patterns},
    )
    grows = [SYSTEM + k * (WRITES + TURN) for k in range(4)]
    expected = list(zip(grows, [0, *grows[:-1]], strict=True))
    assert read_and_cached(rows) == expected
    own = [(row.input_tokens, row.cached_tokens) for row in rows if row.event is Event.REQUEST]
    assert own == expected


def test_a_model_finds_what_it_read_itself_and_not_what_another_did() -> None:
    _, rows = traced(
        team__agent=worker(),
        workload__tasks=40,
        provider={"errors": {"probability": 0.5, "after_s": 0.1}, "retry": {"max_retries": 0}},
        resilience={"fallback": {"model": worker()}},
    )
    has_read = {"own": 0, "other": 0}
    failed, answered = False, set()
    for row in rows:
        if row.event is Event.REQUEST:
            failed = True
        elif row.event is Event.CALL_END:
            model = "other" if failed else "own"
            assert row.cached_tokens == has_read[model]
            has_read[model] = row.input_tokens or 0
            failed = False
            answered.add(model)
    assert answered == {"own", "other"}


@pytest.mark.parametrize("keeps", [True, False])
def test_a_crash_leaves_the_system_prompt_in_the_providers_cache(keeps: bool) -> None:
    _, rows = traced(
        team__agent=worker(),
        workload__tasks=6,
        faults=[{"kind": "crash", "agent": 0, "at_s": 2.5, "for_s": 1, "keeps_context": keeps}],
    )
    found = [
        (row.input_tokens, row.cached_tokens)
        for row in rows
        if row.event is Event.CALL_END and row.outcome == "work"
    ]
    grown = SYSTEM + 2 * (WRITES + TURN)
    # The third call was lost; where the context is kept, the same prompt is sent once more.
    assert requests(rows, "crash") == [(grown, grown - WRITES - TURN)]
    assert found[2] == ((grown, grown) if keeps else (SYSTEM, SYSTEM))


def test_limits_on_input_are_for_what_no_cache_holds() -> None:
    # 1,000 tokens and then 2,100 a call are new: (1,000 + 2,100 k - burst) / rate seconds.
    def makespan(counts: bool) -> float:
        metrics, _ = traced(
            team__agent=worker(latency={"kind": "seconds", "base": 0.1}),
            workload__tasks=20,
            coordination__timing="asynchronous",
            provider={
                "input_tokens_per_minute": 60_000,
                "burst_s": 3,
                "cached_input_counts": counts,
                "retry": {"max_retries": 99, "lag": 0},
            },
        )
        return metrics.makespan_s

    new = SYSTEM + 19 * (WRITES + TURN)
    everything = sum(SYSTEM + k * (WRITES + TURN) for k in range(20))
    assert makespan(False) == pytest.approx((new - 3000) / 1000, abs=0.3)
    # What is larger than the bucket passes when it is full: all but the last is waited for.
    last = SYSTEM + 19 * (WRITES + TURN)
    assert makespan(True) == pytest.approx((everything - last) / 1000, abs=0.3)


def test_an_agent_begins_with_its_task_and_looks_around_first() -> None:
    found = alone({"start_tokens": 500, "first_turn_tokens": 7000})
    grows = [SYSTEM + 500, SYSTEM + 500 + WRITES + 7000]
    grows += [grows[1] + k * (WRITES + TURN) for k in range(1, 4)]
    assert found == list(zip(grows, [0, *grows[:-1]], strict=True))


def test_after_a_crash_it_begins_so_again() -> None:
    _, rows = traced(
        team__agent=worker({"start_tokens": 500, "first_turn_tokens": 7000}),
        workload__tasks=4,
        faults=[{"kind": "crash", "agent": 0, "at_s": 2.5, "for_s": 1}],
    )
    reads = [r.input_tokens for r in rows if r.event is Event.CALL_END and r.outcome == "work"]
    assert reads == [SYSTEM + 500, SYSTEM + 500 + WRITES + 7000] * 2


@pytest.mark.slow
def test_what_tools_say_varies_from_call_to_call_and_what_sessions_begin_with_does_not() -> None:
    def read(replication: int) -> list[int]:
        trace = Trace()
        varied = {
            "start_tokens": {"kind": "lognormal", "median": 1000, "sigma": 1},
            "turn_tokens": {"kind": "exponential", "mean": 2000},
            "window_tokens": 10_000_000,
        }
        each = scenario(team__agent=worker(varied), workload__tasks=200)
        Simulation(each).run(replication, trace)
        return [read for read, _ in read_and_cached(trace.rows)]

    starts = np.log([read(i)[0] - SYSTEM for i in range(200)])
    turns = np.diff(read(0)) - WRITES
    # Standard errors: 1 / sqrt(200) of the log, and 2000 / sqrt(199).
    assert starts.mean() == pytest.approx(np.log(1000), abs=4 * 0.071)
    assert starts.std() == pytest.approx(1.0, abs=4 * 0.05)
    assert turns.mean() == pytest.approx(2000, abs=4 * 142)
    assert len(set(turns.tolist())) > 150


def test_a_cache_that_fails_leaves_the_system_prompt() -> None:
    m, rows = traced(
        team__agent=worker({"cache_miss": 0.2, "window_tokens": 10_000_000}), workload__tasks=400
    )
    before, missed = 0, 0
    for read, cached in read_and_cached(rows):
        assert cached in (before, min(before, SYSTEM))
        missed += cached < before
        before = read
    # 399 calls, but the second, of whose prompt only the system prompt is cached at all.
    assert missed == pytest.approx(0.2 * 398, abs=4 * np.sqrt(398 * 0.16))
    assert m.cached_tokens == sum(cached for _, cached in read_and_cached(rows))


@pytest.mark.parametrize("overflow", ["compact", "truncate"])
def test_a_model_that_stands_in_finds_the_system_prompt_alone_after_a_compaction(
    overflow: str,
) -> None:
    context = {"window_tokens": 10_000, "compaction": 0.2, "overflow": overflow}
    other = worker({"window_tokens": 10_000})
    _, rows = traced(
        team__agent=worker(context),
        workload__tasks=8,
        coordination__timing="asynchronous",
        provider={"errors": {"probability": 1.0}, "retry": {"max_retries": 0}},
        resilience={"fallback": {"model": other}},
    )
    found = read_and_cached(rows)
    assert all(cached <= read for read, cached in found)
    made_to_fit = [i for i in range(1, 8) if found[i][0] <= found[i - 1][0]]
    assert made_to_fit
    assert all(found[i][1] == SYSTEM for i in made_to_fit)


def test_who_takes_a_coordinators_seat_brings_its_context_and_not_its_prefix() -> None:
    talks = worker(behaviour={"talk": 1})
    _, rows = traced(
        team={"size": 3, "agent": talks},
        topology="centralised",
        coordination={"protocol": "self_claim", "timing": "asynchronous"},
        workload__tasks=60,
        faults=[{"kind": "kill", "agent": "coordinator", "at_s": 6.5}],
        resilience={
            "election": {"timeout_s": {"kind": "uniform", "low": 2, "high": 4}, "heartbeat_s": 1}
        },
    )
    elected = next(row for row in rows if row.event is Event.LEADS)
    answers = [
        row
        for row in rows
        if row.event is Event.CALL_END
        and row.outcome == "coordination"
        and row.time_s > elected.time_s
    ]
    before = max(
        (row.input_tokens or 0)
        for row in rows
        if row.event is Event.CALL_END and row.agent == elected.peer
    )
    # The worker's context is there, behind another system prompt, which the first one had read.
    assert (answers[0].input_tokens or 0) > before
    assert answers[0].cached_tokens == SYSTEM
    assert answers[1].cached_tokens == answers[0].input_tokens
