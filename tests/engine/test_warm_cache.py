"""A cache that others have filled: what first calls read from it, counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.model.trace import Event
from tests.conftest import scenario
from tests.engine.test_cache_life import (
    GROWS,
    PRICE,
    PROMPTS,
    SYSTEM,
    TIMES,
    arriving,
    read,
    worker,
)
from tests.engine.test_loops import looping
from tests.engine.test_subagents import asking, of_event, traced

WARM = 600


def dollars(uncached: int, cached: int, written: int) -> float:
    return (4.0 * uncached + 0.5 * cached + 20.0 * written) / 1e6


def test_the_first_call_finds_what_others_have_read() -> None:
    metrics, rows = arriving({"warm_tokens": WARM}, TIMES)
    found = [WARM, *PROMPTS[:-1]]
    assert read(rows) == list(zip(PROMPTS, found, strict=True))
    cold, _ = arriving({}, TIMES)
    saved = WARM * (PRICE["input_per_mtok"] - PRICE["cached_input_per_mtok"]) / 1e6
    assert metrics.cost_usd == pytest.approx(cold.cost_usd - saved, rel=1e-12)
    new = sum(PROMPTS) - sum(found)
    assert metrics.cost_usd == pytest.approx(dollars(new, sum(found), 6 * 100), rel=1e-12)
    assert metrics.cache_write_tokens == 0  # a cache that keeps all counts no writing


def test_what_has_expired_is_read_anew_but_for_what_others_read() -> None:
    # Idle for 9, 10, 11, 9 and 20 s; the agent comes 30 s after the start of the run.
    cache = {"life_s": 10, "write_price_factor": 1.25, "warm_tokens": WARM}
    metrics, rows = arriving(cache, [30.0 + at for at in TIMES])
    found = [WARM, PROMPTS[0], PROMPTS[1], WARM, PROMPTS[3], WARM]
    assert read(rows) == list(zip(PROMPTS, found, strict=True))
    assert metrics.expired_tokens == PROMPTS[2] + PROMPTS[4] - 2 * WARM
    new = sum(PROMPTS) - sum(found)
    assert metrics.cache_write_tokens == new
    spent = dollars(new, sum(found), 6 * 100) + 0.25 * 4.0 * new / 1e6
    assert metrics.cost_usd == pytest.approx(spent, rel=1e-12)


@pytest.mark.parametrize(("min_tokens", "first"), [(WARM, WARM), (WARM + 1, 0)])
def test_a_beginning_that_is_too_short_is_not_cached(min_tokens: int, first: int) -> None:
    metrics, rows = arriving({"min_tokens": min_tokens, "warm_tokens": WARM}, TIMES)
    assert [cached for _, cached in read(rows)] == [first, *PROMPTS[:-1]]
    assert metrics.expired_tokens == 0
    cache = {"min_tokens": min_tokens, "warm_tokens": WARM, "life_s": 10}
    _, rows = arriving(cache, TIMES)
    assert [cached for _, cached in read(rows)][3] == first


def test_no_more_is_warm_than_an_agent_begins_with() -> None:
    for warm, first, later in ((200, 200, 200), (1100, 1100, SYSTEM), (9000, 1300, SYSTEM)):
        cache = {"warm_tokens": warm, "life_s": 10}
        _, rows = arriving(cache, [0.0, 20.0], agent={"context": {"start_tokens": 300}})
        # Others go on reading the system prompt, but not the conversation it goes on with.
        assert [cached for _, cached in read(rows)] == [first, later]


def test_a_first_call_takes_as_long_as_what_it_reads_anew() -> None:
    latency = {"kind": "tokens", "base_s": 1, "uncached_s_per_1k": 2, "cached_s_per_1k": 0.5,
               "output_s_per_1k": 0}  # fmt: skip
    _, rows = arriving({"warm_tokens": WARM, "life_s": 10}, [0.0, 30.0], agent={"latency": latency})
    lasts = [row.duration_s for row in rows if row.event is Event.CALL_END]
    new = [SYSTEM - WARM, SYSTEM + GROWS - WARM]
    assert lasts == pytest.approx([1 + 0.002 * n + 0.0005 * WARM for n in new], rel=1e-12)


@pytest.mark.parametrize("life", [{}, {"life_s": 100}])
def test_a_compacted_prompt_begins_with_what_was_read_itself(life: dict[str, Any]) -> None:
    small = {"context": {"window_tokens": 1600, "compaction": 0.25}}
    _, rows = arriving({"warm_tokens": WARM, **life}, TIMES[:3], agent=small)
    # Of 2000 tokens, which do not fit, 400 are kept behind the system prompt.
    assert read(rows) == [(1000, WARM), (1500, 1000), (1400, SYSTEM)]


def test_a_first_prompt_that_does_not_fit_keeps_what_is_warm_of_the_system_prompt() -> None:
    small = {"window_tokens": 1600, "compaction": 0.25, "start_tokens": 5000}
    _, rows = arriving({"warm_tokens": 4000}, TIMES[:1], agent={"context": small})
    assert read(rows) == [(1400, SYSTEM)]


def test_a_request_that_failed_at_the_provider_leaves_the_rest_cold() -> None:
    agent = {"faults": {"malformed": 0.5}}
    retry = {"retry": {"max_retries": 50, "backoff": {"kind": "none"}}}
    errors = {"errors": {"probability": 0.5, "after_s": 0.1}, "retry": {"max_retries": 50}}
    _, rows = arriving({"warm_tokens": WARM}, [0.0] * 10, provider=errors)
    assert read(rows)[0] == (SYSTEM, WARM)
    _, rows = arriving({"warm_tokens": WARM}, [0.0] * 10, agent=agent, resilience=retry)
    tries = read(rows)
    again = [cached for asked, cached in tries[1:] if asked == SYSTEM]
    assert tries[0] == (SYSTEM, WARM)
    assert set(again) <= {SYSTEM}


def test_a_crash_leaves_what_was_read_and_what_others_read() -> None:
    crash = [{"kind": "crash", "agent": 0, "at_s": 0.5, "for_s": 1}]
    _, rows = arriving({"warm_tokens": WARM}, TIMES[:2], faults=crash)
    ends = [row for row in rows if row.event is Event.CALL_END and row.outcome == "work"]
    assert next((row.input_tokens, row.cached_tokens) for row in ends) == (SYSTEM, SYSTEM)


def test_sub_agents_that_begin_afresh_find_it_warm_and_forks_what_their_parent_read() -> None:
    cache = {"cache": {"warm_tokens": WARM}}
    parent, kind = {"context": cache}, looping({"turns": 1}, context=cache)
    for starts, cached in (({}, WARM), ({"context": "forked"}, SYSTEM)):
        metrics, rows = traced(team=asking(kind, starts=starts, parent=parent), workload__tasks=1)
        (end,) = of_event(rows, Event.SUBAGENT_END)
        assert end.cached_tokens == cached
        assert metrics.cached_tokens == WARM + SYSTEM + cached  # with the parent's two calls
    # How much others have read does not make it another cache; another prompt does.
    colder = looping({"turns": 1}, context={"cache": {"warm_tokens": 0}})
    other = looping({"turns": 1}, context={"system_tokens": SYSTEM + 1, **cache})
    for kind, cached in ((colder, SYSTEM), (other, WARM)):
        team = asking(kind, starts={"context": "forked"}, parent=parent)
        _, rows = traced(team=team, workload__tasks=1)
        (end,) = of_event(rows, Event.SUBAGENT_END)
        assert end.cached_tokens == cached


def test_every_agent_of_a_team_begins_warm() -> None:
    metrics, rows = traced(
        team={"size": 4, "agent": worker({"warm_tokens": WARM})},
        coordination__protocol="pre_assigned",
        workload__tasks=8,
    )
    ends = [row for row in rows if row.event is Event.CALL_END]
    firsts = [next(row for row in ends if row.agent == who) for who in range(4)]
    assert [row.cached_tokens for row in firsts] == [WARM] * 4
    assert metrics.cached_tokens == 4 * (WARM + SYSTEM)


def test_a_model_that_stands_in_begins_with_what_others_have_read_there() -> None:
    _, rows = traced(
        team__agent=worker({"warm_tokens": WARM}),
        workload__tasks=3,
        provider={"errors": {"probability": 1, "after_s": 0.1}, "retry": {"max_retries": 0}},
        resilience={"fallback": {"model": worker({"warm_tokens": 200})}},
    )
    answered = [row.cached_tokens for row in rows if row.event is Event.CALL_END]
    assert answered == [200, *PROMPTS[:2]]


def test_a_number_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        scenario(team__agent=worker({"warm_tokens": -1}))
