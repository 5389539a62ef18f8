"""Circuit breakers: when they open, which requests they let through, and their trace events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from simulator.model.calls.breaker import CLOSED, HALF_OPEN, OPEN, Breaker
from simulator.model.calls.breakers import Breakers
from simulator.model.trace import Event
from simulator.model.why import Why
from simulator.scenario.resilience import BreakerSpec
from tests.model.parts import Bench, begin_call


def breaker(**fields: Any) -> Breaker:
    """Return a breaker that opens at half of four requests, for ten seconds."""
    data = {"failure_rate": 0.5, "window": 4, "minimum": 2, "open_s": 10, **fields}
    return Breaker(BreakerSpec.model_validate(data))


def send(fuse: Breaker, results: Sequence[int], now: float = 0.0) -> list[bool]:
    """Let requests through one by one, of which those fail that are 1; return what changed it."""
    changed = []
    for failed in results:
        term = fuse.admit(now)
        assert term is not None
        changed.append(fuse.record(term, bool(failed), now))
    return changed


def opened(now: float = 0.0, **fields: Any) -> Breaker:
    """Return a breaker that has just opened."""
    fuse = breaker(**fields)
    fewest = fields.get("minimum", 2)
    assert send(fuse, [1] * fewest, now) == [*[False] * (fewest - 1), True]
    return fuse


@pytest.mark.parametrize(
    ("results", "minimum", "opens_after"),
    [
        ([1, 1], 2, 2),
        ([1, 1, 1], 3, 3),
        ([0, 1], 2, 2),  # just half
        ([0, 0, 1, 0], 2, None),
        ([0, 0, 0, 1, 1], 2, 5),  # two of the last four
        ([1, 0, 0, 0, 1, 0, 0, 0, 1], 3, None),  # never two of four
        ([0, 0, 0, 0, 0, 0, 1, 1], 2, 8),  # old successes are forgotten
    ],
)
def test_it_opens_at_its_share_of_the_window_once_enough_is_seen(
    results: list[int], minimum: int, opens_after: int | None
) -> None:
    fuse = breaker(minimum=minimum)
    changed = send(fuse, results)
    assert changed == [i + 1 == opens_after for i in range(len(results))]
    assert (fuse.state, fuse.opens) == ((CLOSED, 0) if opens_after is None else (OPEN, 1))


def test_open_it_lets_nothing_through_until_its_time_is_over() -> None:
    fuse = opened(now=5.0)
    assert (fuse.half_open_s, fuse.admit(14.9), fuse.state) == (15.0, None, OPEN)
    assert fuse.admit(15.0) is not None
    assert fuse.state == HALF_OPEN


@pytest.mark.parametrize("trials", [1, 3])
def test_half_open_it_lets_its_trials_through_and_closes_when_all_succeed(trials: int) -> None:
    fuse = opened(trial_calls=trials)
    terms = [fuse.admit(10.0) for _ in range(trials + 1)]
    assert [term is None for term in terms] == [False] * trials + [True]
    changed = [fuse.record(term, False, 11.0) for term in terms[:-1] if term is not None]
    assert changed == [False] * (trials - 1) + [True]
    assert (fuse.state, fuse.opens) == (CLOSED, 1)
    # What was seen before it opened is forgotten: one failure is too few again.
    assert send(fuse, [1, 1], 12.0) == [False, True]


def test_half_open_one_failure_opens_it_again_from_then_on() -> None:
    fuse = opened(trial_calls=2)
    first, second = fuse.admit(10.0), fuse.admit(10.0)
    assert first is not None
    assert second is not None
    assert not fuse.record(first, False, 11.0)
    assert fuse.record(second, True, 12.0)
    assert (fuse.state, fuse.opens, fuse.half_open_s) == (OPEN, 2, 22.0)
    # The trial that succeeded does not count the next time.
    third, fourth = fuse.admit(22.0), fuse.admit(22.0)
    assert third is not None
    assert fourth is not None
    assert [fuse.record(each, False, 23.0) for each in (third, fourth)] == [False, True]
    assert fuse.state == CLOSED


def test_the_result_of_what_was_sent_before_it_changed_says_nothing() -> None:
    fuse = breaker()
    late, early = fuse.admit(0.0), fuse.admit(0.0)
    assert late is not None
    assert early is not None
    send(fuse, [1, 1])
    assert not fuse.record(early, True, 1.0)  # it is open
    trial = fuse.admit(10.0)
    assert trial is not None
    assert not fuse.record(late, True, 10.5)
    fuse.withdraw(late)  # nor does it free the place of a trial
    assert (fuse.state, fuse.admit(10.6)) == (HALF_OPEN, None)
    assert fuse.record(trial, False, 11.0)
    assert not fuse.record(trial, True, 11.5)
    assert send(fuse, [1], 12.0) == [False]  # neither has been counted


def test_closed_again_it_counts_from_nothing() -> None:
    fuse = opened(minimum=1)  # at the first failure of one
    assert send(fuse, [0], now=10.0) == [True]
    assert send(fuse, [0, 1], now=11.0) == [False, True]  # half of two, no failure before
    again = opened(minimum=1)
    assert send(again, [0], now=10.0) == [True]
    assert send(again, [0, 0, 1, 0], now=11.0) == [False] * 4


def test_what_was_sent_in_any_earlier_state_says_nothing() -> None:
    fuse, sent = breaker(minimum=1), []
    for cycle in range(4):
        now = 20.0 * cycle
        sent.append(fuse.admit(now))  # while closed
        assert send(fuse, [1], now) == [True]
        sent.append(fuse.admit(now + 10.0))  # the one trial
        assert sent[-1] is not None
        assert fuse.record(sent[-1], False, now + 10.0)
        for term in sent:
            assert term is not None
            assert not fuse.record(term, True, now + 11.0)
    assert (fuse.state, fuse.opens) == (CLOSED, 4)
    assert len(set(sent)) == len(sent)


def test_a_trial_that_is_withdrawn_leaves_its_place_to_another() -> None:
    fuse = opened(trial_calls=2)
    terms = [fuse.admit(10.0), fuse.admit(10.0)]
    assert terms[0] is not None
    fuse.withdraw(terms[0])
    assert [fuse.admit(10.0) is None, fuse.admit(10.0) is None] == [False, True]


def test_what_is_withdrawn_while_closed_changes_nothing() -> None:
    fuse = breaker()
    term = fuse.admit(0.0)
    assert term is not None
    fuse.withdraw(term)
    send(fuse, [1, 1])
    assert fuse.admit(10.0) is not None
    assert fuse.admit(10.0) is None  # one trial, as ever


def guard(bench: Bench, **fields: Any) -> Breakers:
    """Return the breakers of a bench: a failure opens one, for ten seconds."""
    spec = {"window": 1, "minimum": 1, "open_s": 10, **fields}
    return Breakers(BreakerSpec.model_validate(spec), bench.clock, bench.journal, bench.phases)


def fail(fuses: Breakers, bench: Bench, agent: int) -> None:
    """Let a request of an agent fail."""
    assert fuses.admit(bench.agents[agent])
    fuses.record(bench.agents[agent], Why.ERROR)


def test_each_opening_is_counted_and_written_down_with_whose_request_it_was() -> None:
    bench = Bench(2, is_traced=True)
    for i, agent in enumerate(bench.agents):
        begin_call(agent, number=7 + i, output=0)
    fuses = guard(bench)
    fail(fuses, bench, 1)
    bench.clock.reach(10.0)
    fail(fuses, bench, 0)
    bench.clock.reach(20.0)
    assert fuses.admit(bench.agents[0])
    fuses.record(bench.agents[0], Why.NOTHING)
    assert bench.metrics.breaker_opens == 2
    rows = [(row.agent, row.call, row.outcome) for row in bench.rows(Event.BREAKER)]
    assert rows == [(1, 8, "open"), (0, 7, "open"), (0, 7, "closed")]


def test_who_is_held_back_waits_just_until_it_is_half_open() -> None:
    bench = Bench(2, is_traced=True)
    fuses = guard(bench)
    fail(fuses, bench, 0)
    bench.begin(9.5, bench.agents[1], fuses.wait(bench.agents[1]))
    assert bench.run() == {1: 10.0}
    (wait,) = bench.rows(Event.WAIT)
    assert (wait.agent, wait.duration_s, wait.outcome) == (1, 0.5, "breaker")


def test_what_was_not_let_through_is_neither_recorded_nor_withdrawn() -> None:
    bench = Bench(2)
    fuses = guard(bench)
    fuses.record(bench.agents[0], Why.ERROR)
    fuses.withdraw(bench.agents[0])
    assert not fuses.is_any_open
    fail(fuses, bench, 0)
    bench.clock.reach(10.0)
    assert fuses.admit(bench.agents[0])
    fuses.withdraw(bench.agents[1])  # it has no place to give back
    assert not fuses.admit(bench.agents[1])
    fuses.withdraw(bench.agents[0])
    assert fuses.admit(bench.agents[1])
