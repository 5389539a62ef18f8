"""The parts that handle a call, one by one: clock, journal, bill, phases, patience, bulkhead."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.model.agents.agent import COORDINATOR, AgentState
from simulator.model.agents.timesheet import COMMITTING, SERVING, WAITING, WASTING
from simulator.model.calls.bill import Bill
from simulator.model.calls.breakers import Breakers
from simulator.model.calls.bulkhead import Bulkhead
from simulator.model.calls.caller import Caller
from simulator.model.calls.checkpoints import CallPart, Checkpoints
from simulator.model.calls.flight import Fate
from simulator.model.calls.patience import Patience
from simulator.model.trace import Event
from simulator.model.why import Why
from simulator.scenario.resilience import BreakerSpec, Checkpoint, Hedge, Timeout
from tests.model.parts import Bench, Clock, Crew, bag, model

PRICE = {"input_per_mtok": 2.0, "cached_input_per_mtok": 0.5, "output_per_mtok": 10.0}


def test_only_what_gets_on_is_progress() -> None:
    clock = Clock()
    clock.move(2.0)
    clock.reach(5.0)
    assert (clock.now, clock.moved_s) == (5.0, 2.0)


def test_the_first_reason_counts_for_a_call_and_for_the_run() -> None:
    clock = Clock()
    for why in (Why.CRASH, Why.STALL):
        clock.interrupt(3, why)
        clock.stop(why, f"by {why}")
    assert clock.interrupted == {3: Why.CRASH}
    assert clock.ending == ("crash", "by crash")


def test_a_row_says_when_and_in_which_round() -> None:
    bench = Bench(is_traced=True)
    bench.journal.begin_round(1.0)
    bench.clock.reach(2.0)
    bench.journal.note(Event.FAULT, 0, outcome="slow")
    bench.journal.note(Event.TASK_READY, task=0)
    bench.journal.note(Event.FAULT, 0, at_s=1.5)
    assert bench.journal.trace is not None
    told = [(row.time_s, row.event, row.round) for row in bench.journal.trace.rows]
    assert told == [
        (1.0, Event.ROUND_START, 1),
        (2.0, Event.FAULT, 1),
        (2.0, Event.TASK_READY, None),  # of no round
        (1.5, Event.FAULT, 1),
    ]


def test_a_round_in_which_nobody_calls_is_none() -> None:
    bench = Bench(is_traced=True)
    for now in (0.0, 1.0):
        bench.journal.begin_round(now)
    bench.journal.note(Event.FAULT)
    bench.journal.retract_round()
    assert bench.journal.round == 1
    assert [row.time_s for row in bench.rows(Event.ROUND_START)] == [0.0]
    assert len(bench.rows(Event.FAULT)) == 1


def test_rounds_are_counted_without_a_trace() -> None:
    journal = Bench().journal
    for now in range(3):
        journal.begin_round(float(now))
    journal.retract_round()
    journal.note(Event.FAULT)
    assert (journal.round, journal.trace) == (2, None)


def caller(bench: Bench) -> AgentState:
    """Return an agent that reads 1,000 tokens, 3,000 from a cache, and writes 501."""
    agent = bench.agents[0]
    agent.memory.uncached, agent.memory.cached, agent.call.output = 1000, 3000, 501
    return agent


def test_a_call_costs_its_prompt_and_its_output() -> None:
    bench = Bench(price=PRICE)
    metrics = bench.metrics
    Bill(metrics, True, None).call(caller(bench))
    assert (metrics.input_tokens, metrics.cached_tokens, metrics.output_tokens) == (4000, 3000, 501)
    assert metrics.cost_usd == pytest.approx((1000 * 2.0 + 3000 * 0.5 + 501 * 10.0) / 1e6)
    assert (metrics.wasted_tokens, metrics.wasted_usd) == (0, 0.0)


def test_who_answers_is_who_is_paid() -> None:
    bench = Bench(price=PRICE)
    agent = caller(bench)
    agent.answer_with(model(price={"input_per_mtok": 1.0}))
    Bill(bench.metrics, True, None).call(agent)
    # The other model has read nothing yet: all 4,000 at its own price.
    assert bench.metrics.cost_usd == pytest.approx(4000 * 1.0 / 1e6)


def test_a_request_in_vain_costs_what_it_has_read_and_written() -> None:
    bench = Bench(price=PRICE)
    metrics = bench.metrics
    assert Bill(metrics, True, None).in_vain(caller(bench), 0.5) == (4000, 3000, 250)
    assert metrics.wasted_tokens == metrics.input_tokens + metrics.output_tokens == 4250
    assert metrics.wasted_usd == metrics.cost_usd
    assert metrics.cost_usd == pytest.approx((1000 * 2.0 + 3000 * 0.5 + 250 * 10.0) / 1e6)


def test_a_request_that_nobody_read_costs_nothing() -> None:
    bench = Bench(price=PRICE)
    found = Bill(bench.metrics, True, None).in_vain(caller(bench), 0.5, is_read=False)
    assert found == (0, 0, 0)
    assert (bench.metrics.cost_usd, bench.metrics.wasted_tokens) == (0.0, 0)


def test_a_budget_is_spent_when_the_costs_reach_it() -> None:
    bench = Bench(price=PRICE)
    one_call = (1000 * 2.0 + 3000 * 0.5 + 501 * 10.0) / 1e6
    bills = [Bill(bench.metrics, True, usd) for usd in (one_call, 1.001 * one_call, None)]
    assert not any(bill.is_over_budget for bill in bills)
    bills[0].call(caller(bench))
    assert [bill.is_over_budget for bill in bills] == [True, False, False]


PHASE = st.sampled_from([WAITING, SERVING, COMMITTING, WASTING])


@settings(max_examples=50)
@given(st.lists(st.tuples(PHASE, st.integers(0, 100)), max_size=20))
def test_every_second_of_a_call_is_booked_once(course: list[tuple[int, int]]) -> None:
    bench, now = Bench(is_traced=True), 0
    agent, metrics, spent = bench.agents[0], bench.metrics, dict.fromkeys(range(4), 0)
    for phase, seconds in course:
        bench.phases.enter(agent, phase)
        spent[phase] += seconds
        now += seconds
        bench.clock.reach(float(now))
    bench.phases.enter(agent, WAITING)
    booked = (agent.time.waited_s, agent.time.served_s, metrics.coordination_s, metrics.wasted_s)
    assert booked == tuple(spent[phase] for phase in (WAITING, SERVING, COMMITTING, WASTING))
    assert sum(booked) == now
    told = [row.duration_s for row in bench.rows(Event.COMMIT)]
    assert sum(seconds or 0.0 for seconds in told) == metrics.coordination_s
    assert 0.0 not in told


WAITS = {
    "rate_limit": "rate_limited_s",
    "lock": "lock_wait_s",
    "partition": "partition_wait_s",
    "queue": "queue_wait_s",
    "retry": "held_back_s",
    "breaker": "held_back_s",
    "bulkhead": "held_back_s",
    "tool": "on_tools_s",
}


@pytest.mark.parametrize("why", WAITS)
def test_a_wait_is_booked_by_its_reason_and_no_other(why: str) -> None:
    bench = Bench(is_traced=True)
    agent = bench.agents[0]
    bench.begin(0.0, agent, bench.phases.wait(agent, why, 7.0))
    bench.clock.at(3.0, lambda: said.append(agent.time.waits_for))
    said: list[str] = []
    assert bench.run() == {0: 7.0}
    booked = {field: getattr(bench.metrics, field) for field in set(WAITS.values())}
    assert booked == {**dict.fromkeys(booked, 0.0), WAITS[why]: 7.0}
    assert (agent.time.waited_s, said, agent.time.waits_for) == (7.0, [why], "")
    assert [(row.duration_s, row.outcome) for row in bench.rows(Event.WAIT)] == [(7.0, why)]


def test_who_has_no_limit_waits_for_ever_and_sends_nothing_twice() -> None:
    patience = Patience(None, None)
    patience.remember(5.0, Why.NOTHING)
    assert (patience.limit_s(), patience.hedge_s()) == (math.inf, math.inf)


def test_a_fixed_limit_learns_nothing() -> None:
    patience = Patience(Timeout(seconds=30), Hedge(after_s=4))
    for _ in range(50):
        patience.remember(100.0, Why.NOTHING)
    assert (patience.limit_s(), patience.hedge_s()) == (30.0, 4.0)


def test_a_limit_by_percentile_is_the_first_one_until_enough_is_seen() -> None:
    limit = Timeout(seconds=30, percentile=0.5, factor=3, minimum=3)
    patience = Patience(limit, Hedge(percentile=0.5, minimum=4))
    found = []
    for seconds in (1.0, 2.0, 4.0, 8.0):
        found.append((patience.limit_s(), patience.hedge_s()))
        patience.remember(seconds, Why.NOTHING)
    assert found == [(30.0, math.inf)] * 3 + [(3 * 2.0, math.inf)]
    assert (patience.limit_s(), patience.hedge_s()) == (3 * 2.0, 2.0)  # 2 of 4 took 2 s at most


def test_who_timed_out_took_longer_than_anybody() -> None:
    timeout = Timeout(seconds=30, percentile=0.75, minimum=1, window=4)
    patience = Patience(timeout, Hedge(percentile=0.75, minimum=1))
    for seconds, why in ((1.0, ""), (2.0, ""), (3.0, "malformed"), (0.5, "timeout")):
        patience.remember(seconds, Why(why))
    assert (patience.limit_s(), patience.hedge_s()) == (3.0, 3.0)
    # Now more than a quarter took longer than anybody knows: the first limit holds again.
    patience.remember(0.5, Why.TIMEOUT)
    assert (patience.limit_s(), patience.hedge_s()) == (30.0, math.inf)


def test_the_wait_in_the_queue_counts_for_the_time_out_and_not_for_the_hedge() -> None:
    patience = Patience(
        Timeout(seconds=99, percentile=0.5, minimum=1), Hedge(percentile=0.5, minimum=1)
    )
    patience.remember(10.0, Why.NOTHING, queued_s=30.0)
    assert (patience.limit_s(), patience.hedge_s()) == (40.0, 10.0)
    patience.remember(0.0, Why.TIMEOUT)  # given up in the queue
    assert (patience.limit_s(), patience.hedge_s()) == (40.0, 10.0)
    patience.remember(0.0, Why.TIMEOUT)
    assert (patience.limit_s(), patience.hedge_s()) == (99.0, 10.0)


@pytest.mark.parametrize("why", [Why.ERROR, Why.OUTAGE])
def test_what_the_provider_failed_tells_nothing_of_how_long_answers_take(why: Why) -> None:
    patience = Patience(
        Timeout(seconds=99, percentile=0.5, minimum=1), Hedge(percentile=0.5, minimum=1)
    )
    for _ in range(9):
        patience.remember(1.0, why)
    assert (patience.limit_s(), patience.hedge_s()) == (99.0, math.inf)


def test_only_so_many_of_the_last_requests_are_remembered() -> None:
    limit = Patience(Timeout(percentile=0.5, window=4, minimum=1, seconds=9), None)
    second = Patience(None, Hedge(percentile=0.5, window=4, minimum=1))
    for seconds in (1.0, 1.0, 1.0, 1.0, 8.0, 8.0, 8.0, 8.0):
        limit.remember(seconds, Why.NOTHING)
        second.remember(seconds, Why.NOTHING)
    assert limit.limit_s() == 8.0
    assert second.hedge_s() == 8.0


def breakers(bench: Bench, **fields: int) -> Breakers:
    """Return breakers that open at the first failure, for ten seconds."""
    spec = BreakerSpec.model_validate({"minimum": 1, "window": 1, "open_s": 10, **fields})
    return Breakers(spec, bench.clock, bench.journal, bench.phases)


def fail(guard: Breakers, agent: AgentState) -> None:
    assert guard.admit(agent)
    guard.record(agent, Why.ERROR)


def test_each_family_has_a_breaker_of_its_own() -> None:
    bench = Bench(is_traced=True)
    bench.join(family="other")
    guard = breakers(bench)
    fail(guard, bench.agents[0])
    assert guard.is_any_open
    assert not guard.admit(bench.agents[0])
    assert guard.admit(bench.agents[1])
    assert bench.metrics.breaker_opens == 1
    assert [row.outcome for row in bench.rows(Event.BREAKER)] == ["open"]


def test_an_open_breaker_is_waited_for_until_it_is_half_open() -> None:
    bench = Bench()
    agent, guard = bench.agents[0], breakers(bench)
    bench.clock.at(2.0, lambda: fail(guard, agent))
    bench.begin(5.0, agent, guard.wait(agent))
    assert bench.run() == {0: 12.0}
    assert bench.metrics.held_back_s == 7.0
    guard.record(agent, Why.NOTHING)  # its request was the trial that closes the breaker
    assert guard.admit(agent)


@pytest.mark.parametrize("end", ["succeeds", "fails", "is withdrawn"])
def test_others_wait_until_a_trial_lets_them_through(end: str) -> None:
    bench = Bench(workers=3)
    trying, waiting, lost = bench.agents
    guard = breakers(bench)
    fail(guard, trying)
    bench.clock.reach(10.0)
    assert guard.admit(trying)
    assert not guard.admit(waiting)
    for agent in (waiting, lost):
        bench.begin(10.0, agent, guard.wait(agent))
    bench.clock.at(11.0, lambda: guard.stop_waiting(lost))
    if end == "is withdrawn":
        bench.clock.at(15.0, lambda: guard.withdraw(trying))
    else:
        why = Why.ERROR if end == "fails" else Why.NOTHING
        bench.clock.at(15.0, lambda: guard.record(trying, why))
    # A trial that fails opens the breaker for ten seconds more.
    assert bench.run() == {waiting.index: 25.0 if end == "fails" else 15.0}
    assert not guard.is_any_open


def test_a_half_open_breaker_lets_through_the_first_of_its_line() -> None:
    bench = Bench(workers=7)
    guard = breakers(bench, trial_calls=2)
    first, *line = bench.agents
    fail(guard, first)
    for time_s, agent in enumerate(line, start=1):
        bench.begin(float(time_s), agent, guard.wait(agent))
    # Two trials at 10; the fourth of the line gets the place of the second, which is taken back,
    # since the third waits no more. Both have succeeded at 14: the rest goes on.
    bench.clock.at(9.0, lambda: guard.stop_waiting(line[2]))
    bench.clock.at(12.0, lambda: guard.withdraw(line[1]))
    bench.clock.at(13.0, lambda: guard.record(line[0], Why.NOTHING))
    bench.clock.at(14.0, lambda: guard.record(line[3], Why.NOTHING))
    went_on = {0: 10.0, 1: 10.0, 3: 12.0, 4: 14.0, 5: 14.0}
    assert bench.run() == {line[place].index: time_s for place, time_s in went_on.items()}


def test_who_cannot_be_a_trial_is_not_woken_when_the_breaker_half_opens() -> None:
    bench = Bench(workers=101)
    guard = breakers(bench)
    first, *line = bench.agents
    fail(guard, first)
    for agent in line:
        bench.begin(1.0, agent, guard.wait(agent))
    for place in range(3):  # each trial fails a second after it was let through
        bench.clock.at(11.0 * (place + 1), lambda trial=line[place]: guard.record(trial, Why.ERROR))
    # Open until 10; then from 11, 22 and 33 for ten seconds each: one trial after each.
    assert bench.run() == {line[place].index: 10.0 + 11.0 * place for place in range(4)}


def bulkhead(bench: Bench, **limits: int) -> Bulkhead:
    """Return a bulkhead for groups a and b, of three workers each."""
    return Bulkhead(limits, "aaabbb", bench.clock, bench.phases)


def test_a_group_waits_for_its_own_places_first_come_first_served() -> None:
    bench = Bench(workers=6)
    wall = bulkhead(bench, a=1, b=2)
    for time_s, index in enumerate((2, 0, 1, 3, 4)):
        bench.begin(float(time_s), bench.agents[index], wall.enter(bench.agents[index]))
    for time_s, index in ((10.0, 2), (20.0, 0)):
        bench.clock.at(time_s, lambda index=index: wall.leave(bench.agents[index]))
    # Worker 2 has the place of its group at once, then 0, then 1; both of 3 and 4 have room.
    assert bench.run() == {2: 0.0, 3: 3.0, 4: 4.0, 0: 10.0, 1: 20.0}
    assert bench.metrics.held_back_s == (10.0 - 1.0) + (20.0 - 2.0)


def test_who_has_no_limit_is_let_through() -> None:
    bench = Bench(workers=6)
    bench.join(COORDINATOR)
    wall = bulkhead(bench, a=1)
    wall.hold(bench.agents[0])
    free = [agent.index for agent in bench.agents if wall.has_room(agent)]
    assert free == [3, 4, 5, 6]


def test_what_nobody_holds_frees_no_place() -> None:
    bench = Bench(workers=2)
    wall = bulkhead(bench, a=2)
    first, second = bench.agents
    wall.leave(first)
    for _ in range(2):
        assert wall.has_room(second)
        wall.hold(second)
    assert not wall.has_room(first)


def test_a_lost_call_gives_back_all_it_holds_and_waits_no_more() -> None:
    bench = Bench(workers=3)
    wall = bulkhead(bench, a=2)
    hedged, lost, following = bench.agents
    for _ in range(2):
        wall.hold(hedged)
    for agent in (lost, following):
        bench.begin(1.0, agent, wall.enter(agent))
    bench.clock.at(2.0, lambda: wall.release(lost))
    bench.clock.at(3.0, lambda: wall.release(hedged))
    assert bench.run() == {following.index: 3.0}
    assert wall.has_room(hedged)  # the other place is free


def test_after_a_crash_a_call_goes_on_from_its_last_checkpoint() -> None:
    saved, agent = Checkpoints(Checkpoint(every_s=10, cost_s=1)), Crew(bag(1)).workers[0]
    agent.call.picks = [0]
    assert saved.seconds_left(agent, CallPart(35.0)) == 35.0 + 3 * 1.0
    saved.save(agent, CallPart(35.0), 23.0)  # two checkpoints are made at 11 and 22
    assert saved.seconds_left(agent, CallPart(35.0)) == pytest.approx(15.0 + 1.0)
    # Four sevenths of the work are saved, for who is twice as quick too.
    assert saved.seconds_left(agent, CallPart(17.5)) == pytest.approx(7.5)
    saved.save(agent, CallPart(35.0), 11.0)
    assert saved.seconds_left(agent, CallPart(35.0)) == pytest.approx(5.0)
    saved.end(agent, is_done=True)
    assert saved.seconds_left(agent, CallPart(35.0)) == 35.0 + 3 * 1.0
    agent.call.picks = []  # a call without tasks has nothing to save
    assert saved.seconds_left(agent, CallPart(35.0)) == 35.0


def test_only_a_crash_saves_what_was_answered_before_it() -> None:
    saved, agent = Checkpoints(Checkpoint(every_s=2)), Crew(bag(1)).workers[0]
    agent.call.picks = [0]
    first, whole = CallPart(5.0, 0.0, 0.5), CallPart(10.0)
    saved.note_answer(agent, first, 5.0)
    saved.end(agent, is_done=False)
    saved.save_answered(agent)
    assert saved.seconds_left(agent, whole) == 10.0
    saved.note_answer(agent, first, 5.0)
    saved.save_answered(agent)
    assert saved.seconds_left(agent, whole) == pytest.approx(10.0 - 4.0)


def test_checkpoints_of_a_call_in_parts_count_from_its_beginning() -> None:
    saved, agent = Checkpoints(Checkpoint(every_s=1)), Crew(bag(1)).workers[0]
    agent.call.picks = [0]
    halves = CallPart(5.0, 0.0, 0.5), CallPart(5.0, 0.5, 0.5)
    saved.save(agent, halves[1], 3.0)
    assert [saved.seconds_left(agent, half) for half in halves] == pytest.approx([0.0, 2.0])
    saved.end(agent, is_done=False)  # what was saved is not lost
    assert saved.seconds_left(agent, halves[1]) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("seconds", "every_s", "made"),
    [
        (5.0, 10.0, 0),
        (10.0, 10.0, 0),
        (10.1, 10.0, 1),
        (20.0, 10.0, 1),
        (30.0, 10.0, 2),
        (0.3, 0.1, 2),  # a rounding error less than three times 0.1
        (0.1 + 0.2, 0.1, 2),  # and one more
        (0.75, 0.1, 7),
    ],
)
def test_no_checkpoint_is_made_at_the_very_end_of_a_call(
    seconds: float, every_s: float, made: int
) -> None:
    saved = Checkpoints(Checkpoint(every_s=every_s, cost_s=1))
    agent = Crew(bag(1)).workers[0]
    agent.call.picks = [0]
    assert saved.seconds_left(agent, CallPart(seconds)) == pytest.approx(seconds + made)


def test_a_request_that_is_like_another_lasts_as_long_and_only_that_one() -> None:
    bench = Bench(2)
    first, copy = (Caller(agent, None, None, bench.streams) for agent in bench.agents)
    first.depart(Fate(5.0))
    copy.take_as_long(first)
    lasts_s = [copy.depart(fate).first for fate in (Fate(9.0, Why.MALFORMED), Fate(7.0))]
    assert lasts_s == [Fate(5.0, Why.MALFORMED), Fate(7.0)]
