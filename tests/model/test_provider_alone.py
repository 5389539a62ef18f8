"""The provider by itself: rate limits, refusals, its queue, its bad times, a plain service."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import pytest

from simulator.model.calls.outages import OutageCalendar
from simulator.model.calls.provider import Ticket, TokenBucket
from simulator.model.calls.service import PlainService
from simulator.model.streams import Streams
from simulator.model.why import Why
from simulator.scenario.faults import ScriptedFault
from simulator.scenario.provider import Provider
from tests.model.parts import Bench, provider

SURE = {"jitter": 0, "lag": 0}


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket, now, taken = TokenBucket(per_minute=120, burst_s=10), 0.0, 0
    while (wait_s := bucket.wait_s(1, now)) + now <= 100.0:
        now += wait_s
        bucket.take(1)
        taken += 1
    assert taken == 2 * 10 + 2 * 100


def test_what_is_larger_than_the_bucket_passes_when_it_is_full_and_leaves_a_debt() -> None:
    bucket = TokenBucket(per_minute=60, burst_s=10)
    assert bucket.wait_s(30, 0.0) == 0.0
    bucket.take(30)
    assert bucket.wait_s(1, 5.0) == 21.0 - 5.0
    assert bucket.wait_s(30, 21.0) == 30.0 - 21.0  # full again


def test_a_bucket_never_holds_more_than_it_can() -> None:
    bucket = TokenBucket(per_minute=60, burst_s=10)
    bucket.wait_s(1, 1000.0)
    bucket.take(10)
    assert bucket.wait_s(4, 1000.0) == 4.0


def test_a_refusal_names_the_longest_wait_and_takes_nothing() -> None:
    bench = Bench()
    agent = bench.agents[0]
    limits = {"requests_per_minute": 60, "input_tokens_per_minute": 600}
    state = provider(bench, **limits)  # buckets of 60 requests and 600 tokens, full in a minute
    agent.memory.uncached = 600
    assert state.refusal(agent) is None
    assert [state.refusal(agent) for _ in range(100)] == [60.0] * 100
    agent.memory.uncached = 0
    assert [state.refusal(agent) for _ in range(60)] == [None] * 59 + [1.0]


@pytest.mark.parametrize(("counts", "admitted"), [(False, 6), (True, 2)])
def test_cached_input_counts_only_where_it_is_said(counts: bool, admitted: int) -> None:
    bench = Bench()
    agent = bench.agents[0]
    agent.memory.uncached, agent.memory.cached = 100, 200
    state = provider(bench, input_tokens_per_minute=600, cached_input_counts=counts)
    assert [state.refusal(agent) for _ in range(9)].count(None) == admitted


def test_a_call_that_goes_on_asks_for_a_place_and_no_tokens() -> None:
    bench = Bench()
    state = provider(bench, requests_per_minute=1, concurrency=1)
    assert state.refusal(bench.agents[0]) is None
    assert state.refusal(bench.agents[0]) == 60.0
    assert state.refusal(bench.agents[0], goes_on=True) is None
    state.enter()
    assert state.refusal(bench.agents[0], goes_on=True) == 0.0  # nobody knows for how long


def test_a_client_asks_as_often_as_it_may_and_gives_up() -> None:
    bench = Bench()
    state = provider(bench, concurrency=1, retry={"max_retries": 4, "cap_s": 2, **SURE})
    state.enter()
    bench.begin(0.0, bench.agents[0], state.admits(bench.agents[0], False))
    # Refused five times, it waits 0.5, 1, 2, 2 and 2 s: no longer than the cap.
    assert bench.run() == {0: 7.5}
    metrics = bench.metrics
    assert (metrics.rate_limits, metrics.retries, metrics.rate_limited_s) == (5, 4, 7.5)


def test_a_client_comes_back_when_it_is_told() -> None:
    bench = Bench(workers=3)
    state = provider(bench, requests_per_minute=6, burst_s=10, retry=SURE)
    for agent in bench.agents[:2]:
        bench.begin(0.0, agent, state.admits(agent, False))
    assert bench.run() == {0: 0.0, 1: 10.0}
    assert state.refusal(bench.agents[2]) == 10.0


def test_jitter_leaves_out_at_most_its_share_and_lag_adds_at_most_its_own() -> None:
    state = provider(Bench(), retry={"jitter": 0.25, "lag": 0.1})
    pauses = [state.pause_s(9, 0.0) for _ in range(200)]
    assert 0.75 * 8 <= min(pauses) < 0.76 * 8
    assert 0.99 * 8 < max(pauses) <= 8
    told = [state.pause_s(9, 20.0) for _ in range(200)]
    assert 20 <= min(told) < 20.1
    assert 21.9 < max(told) <= 22


def test_those_in_the_queue_are_served_in_their_order() -> None:
    bench = Bench(workers=4)
    state = provider(bench, concurrency=2, queue={})
    for _ in range(2):
        state.enter()
    tickets = [Ticket() for _ in range(4)]
    for index in (2, 0, 3, 1):
        state.enqueue(bench.agents[index], tickets[index], 5.0)
    for _ in range(3):
        state.finished()
    assert bench.clock.resumed == [2, 0, 3]
    assert [ticket.is_admitted for ticket in tickets] == [True, False, True, True]
    assert not state.has_room


def test_a_full_queue_refuses() -> None:
    bench = Bench(workers=2)
    state = provider(bench, concurrency=1, queue={"limit": 1})
    state.enter()
    assert state.refusal(bench.agents[0]) is None
    state.enqueue(bench.agents[0], Ticket(), 5.0)
    assert state.refusal(bench.agents[1]) == 0.0


@pytest.mark.parametrize(("drops", "served_s"), [(False, 105.0), (True, 100.0)])
def test_who_has_given_up_is_served_in_vain_unless_it_is_dropped(
    drops: bool, served_s: float
) -> None:
    bench = Bench(workers=2)
    state = provider(bench, concurrency=1, queue={"drops_expired": drops})
    state.enter()
    state.enqueue(bench.agents[0], Ticket(), 5.0).is_abandoned = True
    place = state.enqueue(bench.agents[1], Ticket(), 5.0)
    bench.clock.at(100.0, state.finished)
    bench.begin(0.0, bench.agents[1], bench.phases.wait(bench.agents[1], "queue", None))
    assert place.waits()
    assert bench.run() == {1: served_s}
    assert not place.waits()


@pytest.mark.parametrize(("hangs", "free_s"), [(True, 35.0), (False, 12.0)])
def test_who_is_served_in_vain_meets_the_outages_that_others_meet(
    hangs: bool, free_s: float
) -> None:
    # From 10 on, five seconds of service; down from 12 to 32. What hangs has three seconds left
    # then, and what fails has given its place back at once.
    bench = Bench(workers=2)
    outage = {"at_s": 12, "kind": "outage", "for_s": 20, "hangs": hangs}
    state = provider(bench, outage, concurrency=1, queue={})
    state.enter()
    state.enqueue(bench.agents[0], Ticket(), 5.0).abandon()
    state.enqueue(bench.agents[1], Ticket(), 5.0)
    bench.clock.at(10.0, state.finished)
    bench.begin(0.0, bench.agents[1], bench.phases.wait(bench.agents[1], "queue", None))
    assert bench.run() == {1: free_s}


@pytest.mark.parametrize(("cancels", "free_s"), [(True, 3.0), (False, 10.0)])
def test_a_provider_that_does_not_cancel_goes_on_to_the_end(cancels: bool, free_s: float) -> None:
    bench = Bench()
    state = provider(bench, concurrency=1, cancels=cancels)
    state.enter()
    room: list[float] = []
    bench.clock.at(3.0, lambda: state.finished(7.0))
    for second in range(3, 12):
        now = second + 0.5
        bench.clock.at(now, lambda now=now: room.append(now) if state.has_room else None)
    bench.run()
    assert room[0] == free_s + 0.5


def calendar(*script: tuple[float, float, bool], **fields: Any) -> OutageCalendar:
    """Return the calendar of outages that begin, last and hang so."""
    faults = [
        ScriptedFault(at_s=at_s, kind="outage", for_s=for_s, hangs=hangs)
        for at_s, for_s, hangs in script
    ]
    return OutageCalendar(Provider.model_validate(fields), faults, Streams(0, 0))


@pytest.mark.parametrize(
    ("sent_s", "lasts_s", "fails"),
    [
        (0.0, 10.0, False),  # over when the outage begins
        (5.0, 5.0, True),  # it fails when the outage begins
        (10.0, 2.0, True),  # sent in an outage, it fails after `error_s`
        (19.9, 2.0, True),
        (20.0, 10.0, False),
    ],
)
def test_an_outage_fails_what_meets_it(sent_s: float, lasts_s: float, fails: bool) -> None:
    found = calendar((10.0, 10.0, False), error_s=2).fate(sent_s, 10.0)
    assert found == (pytest.approx(lasts_s), fails)


def test_an_outage_that_hangs_adds_its_length_and_what_overlaps_counts_once() -> None:
    # Down from 10 to 30 and from 40 to 45: ten seconds of service from 5 on are 5 to 10, 30 to
    # 35; thirty are 5 to 10, 30 to 40, 45 to 60.
    down = calendar((15.0, 15.0, True), (10.0, 10.0, True), (40.0, 5.0, True))
    assert down.fate(5.0, 10.0) == (35.0 - 5.0, False)
    assert down.fate(5.0, 30.0) == (60.0 - 5.0, False)
    assert down.fate(16.0, 1.0) == (31.0 - 16.0, False)
    assert down.fate(5.0, math.inf) == (math.inf, False)


def test_what_hangs_in_one_outage_can_fail_in_the_next() -> None:
    down = calendar((10.0, 10.0, True), (22.0, 5.0, False))
    assert down.fate(5.0, 10.0) == (22.0 - 5.0, True)


def test_drawn_outages_alternate_and_join_those_of_the_script() -> None:
    drawn = {"up_s": {"kind": "deterministic", "value": 10}, "down_s": 5, "hangs": True}
    down = calendar((26.0, 9.0, True), outages=drawn)
    # Down from 10 to 15 and 25 to 30 by the draws, from 26 to 35 by the script.
    assert [down.fate(now, 2.0)[0] for now in (0.0, 9.0, 12.0, 24.0, 32.0)] == [
        2.0,
        7.0,
        5.0,
        12.0,
        5.0,
    ]
    assert down.fate(3.0, math.inf) == (math.inf, False)
    assert calendar().is_empty


def test_brownouts_multiply_while_they_last() -> None:
    slow = [
        {"at_s": 10, "kind": "brownout", "for_s": 10, "factor": 2},
        {"at_s": 15, "kind": "brownout", "for_s": 10, "factor": 3},
    ]
    state = provider(Bench(), *slow)
    paces = [state.pace(now) for now in (9.9, 10.0, 15.0, 20.0, 25.0)]
    assert paces == [1.0, 2.0, 6.0, 3.0, 1.0]


def test_slow_phases_are_the_same_for_all_and_come_back() -> None:
    state = provider(Bench(), slow={"factor": 4, "mean_normal_s": 30, "mean_slow_s": 10})
    paces = [state.pace(float(now)) for now in range(2000)]
    assert set(paces) == {1.0, 4.0}
    assert paces[0] == 1.0
    assert sum(before != after for before, after in itertools.pairwise(paces)) > 10


def plain(bench: Bench, *script: Mapping[str, Any], **fields: Any) -> PlainService:
    return PlainService(bench.clock, bench.phases, provider(bench, *script, **fields))


def test_a_plain_service_takes_its_seconds_at_the_pace_of_its_beginning() -> None:
    bench = Bench(workers=2)
    service = plain(bench, {"at_s": 5, "kind": "brownout", "for_s": 10, "factor": 3})
    for agent, time_s in zip(bench.agents, (4.0, 6.0), strict=True):
        bench.begin(time_s, agent, service.serve(agent, 2.0))
    assert bench.run() == {0: 4.0 + 2.0, 1: 6.0 + 6.0}
    assert [(agent.time.waited_s, agent.time.served_s) for agent in bench.agents] == [
        (4.0, 2.0),
        (6.0, 6.0),
    ]


def test_a_plain_service_gives_its_place_back() -> None:
    bench = Bench(workers=2)
    service = plain(bench, concurrency=1, retry={"base_s": 4, "max_retries": 0, **SURE})
    for agent, time_s in zip(bench.agents, (0.0, 1.0), strict=True):
        bench.begin(time_s, agent, service.serve(agent, 3.0))
    bench.begin(6.0, bench.agents[1], service.serve(bench.agents[1], 3.0))
    assert bench.run() == {0: 3.0, 1: 9.0}
    assert bench.lost == {1: "refused"}  # the first time


def test_a_call_cut_off_is_paid_for_its_share_and_one_that_waits_for_nothing() -> None:
    bench = Bench(workers=2)
    service = plain(bench, {"at_s": 0, "kind": "brownout", "for_s": 10, "factor": 2})
    serving, waiting = bench.agents
    serving.time.duration_s = 10.0
    bench.begin(0.0, serving, service.serve(serving, 10.0))
    bench.clock.happens()
    bench.clock.reach(5.0)
    service.cut_off(serving)
    service.lost(waiting, Why.REFUSED)
    assert (serving.call.paid_share, waiting.call.paid_share) == (5.0 / 20.0, None)


@pytest.mark.parametrize("written", [0, 200, 1000])
def test_a_request_that_has_ended_has_taken_of_the_limit_what_it_has_written(written: int) -> None:
    # Of 6,000 tokens, 100 a second, each request reserves 1,000, whatever it writes.
    bench = Bench(workers=3, tokens={"output": 200, "max_tokens": 1000})
    limits = {"output_tokens_per_minute": 6000, "refunds_output": True}
    state = provider(bench, **limits)
    for agent in bench.agents[:2]:
        assert state.refusal(agent) is None
    for _ in range(3):  # told again, it gives nothing back
        state.settle(bench.agents[0], written)
    state.settle(bench.agents[2], 0)  # it had reserved nothing
    left = 6000 - 1000 - written
    waits = [state.refusal(bench.agents[2]) for _ in range(left // 1000 + 1)]
    assert waits == [None] * (left // 1000) + [pytest.approx((1000 - left % 1000) / 100)]


def test_without_a_limit_on_output_nothing_is_given_back() -> None:
    bench = Bench()
    state = provider(bench, requests_per_minute=60, refunds_output=True)
    assert not state.refunds
    state.settle(bench.agents[0], 5)
    assert state.refusal(bench.agents[0]) is None


def test_a_request_is_in_service_from_when_it_is_taken_in_until_it_is_given_back() -> None:
    ticket = Ticket()
    assert not ticket.give_back()
    ticket.take_in()
    assert (ticket.give_back(), ticket.give_back()) == (True, False)


def test_who_has_given_up_or_is_served_waits_no_more() -> None:
    bench = Bench()
    state = provider(bench, concurrency=1, queue={})
    gone, served = (state.enqueue(bench.agents[0], Ticket(), 5.0) for _ in range(2))
    assert gone.waits()
    gone.abandon()
    served.serve()
    assert (gone.waits(), served.waits()) == (False, False)


@pytest.mark.parametrize("left_s", [0.25, 1.0, 7.0])
def test_a_place_is_taken_for_as_long_as_the_provider_goes_on(left_s: float) -> None:
    bench = Bench()
    state = provider(bench, concurrency=1, cancels=False)
    state.enter()
    bench.clock.at(3.0, lambda: state.finished(left_s))
    had_room: dict[float, bool] = {}
    for now in (3.0 + 0.9 * left_s, 3.0 + 1.1 * left_s):
        bench.clock.at(now, lambda now=now: had_room.update({now: state.has_room}))
    bench.run()
    assert list(had_room.values()) == [False, True]


def test_a_provider_begins_in_a_normal_phase_whose_length_is_drawn() -> None:
    never = provider(Bench(), slow={"factor": 4, "mean_normal_s": 1e12, "mean_slow_s": 1})
    soon = provider(Bench(), slow={"factor": 4, "mean_normal_s": 1e-9, "mean_slow_s": 1e12})
    assert (never.has_paces, never.pace(0.0), never.pace(1e6)) == (True, 1.0, 1.0)
    assert (soon.pace(0.0), soon.pace(1e-3), soon.pace(1e6)) == (1.0, 4.0, 4.0)
    assert not provider(Bench()).has_paces


@pytest.mark.parametrize(
    ("sent_s", "up_s"), [(0.0, 0.0), (5.0, 100.0), (15.0, 100.0), (30.0, 100.0), (100.0, 100.0)]
)
def test_a_short_outage_within_a_long_one_does_not_end_it(sent_s: float, up_s: float) -> None:
    assert calendar((5.0, 95.0, False), (10.0, 10.0, False)).up_s(sent_s) == up_s
