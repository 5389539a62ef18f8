"""Patterns by themselves, event by event: breaker, budget, percentiles, backoff, recovery."""

from __future__ import annotations

import math

import pytest

from simulator.engine import Simulation
from simulator.model.calls.backoff import waits
from simulator.model.calls.breaker import CLOSED, HALF_OPEN, OPEN, Breaker
from simulator.model.calls.budget import RetryBudget
from simulator.model.calls.percentiles import RecentTimes
from simulator.model.resilience.recovery import Recovery
from simulator.model.trace import Event, Trace
from simulator.scenario.backoff import Backoff
from simulator.scenario.resilience import BreakerSpec
from tests.conftest import run, scenario


def test_a_breaker_opens_half_opens_and_closes_at_the_times_of_its_definition() -> None:
    breaker = Breaker(BreakerSpec(failure_rate=0.5, window=4, minimum=4, open_s=10, trial_calls=2))
    first = breaker.admit(0.0)
    assert first is not None
    for now, failed in ((1.0, True), (2.0, False), (3.0, False)):
        assert not breaker.record(first, failed, now)
    assert breaker.state == CLOSED  # one of three, and three are too few
    assert breaker.record(first, True, 4.0)  # two of four
    assert (breaker.state, breaker.opens, breaker.half_open_s) == (OPEN, 1, 14.0)
    assert breaker.admit(13.999) is None
    trial = breaker.admit(14.0)
    assert breaker.state == HALF_OPEN
    assert trial is not None
    assert not breaker.record(first, True, 14.5)  # sent before it opened: says nothing now
    second = breaker.admit(15.0)
    assert second == trial
    assert breaker.admit(15.5) is None  # two trials are under way
    assert breaker.record(trial, True, 16.0)  # one fails: open again, for as long
    assert (breaker.state, breaker.opens, breaker.half_open_s) == (OPEN, 2, 26.0)
    third = breaker.admit(26.0)
    assert third is not None
    assert not breaker.record(third, False, 27.0)
    fourth = breaker.admit(27.0)
    assert fourth == third
    assert breaker.record(third, False, 28.0)
    assert breaker.state == CLOSED
    # It has forgotten what it saw.
    after = breaker.admit(28.0)
    assert after is not None
    assert not any(breaker.record(after, True, 29.0) for _ in range(3))
    assert breaker.record(after, True, 29.0)


def test_the_failure_rate_rolls() -> None:
    breaker = Breaker(BreakerSpec(failure_rate=0.5, window=4, minimum=4, open_s=10))
    term = breaker.admit(0.0)
    assert term is not None
    for failed in (True, False, False, False, True):  # the first one falls out of the window
        assert not breaker.record(term, failed, 1.0)
    assert breaker.record(term, True, 1.0)


def test_a_trial_that_was_withdrawn_leaves_its_place() -> None:
    breaker = Breaker(BreakerSpec(minimum=1, open_s=10))
    term = breaker.admit(0.0)
    assert term is not None
    breaker.record(term, True, 0.0)
    trial = breaker.admit(10.0)
    assert trial is not None
    assert breaker.admit(10.0) is None
    breaker.withdraw(trial)
    assert breaker.admit(10.0) == trial


def test_a_retry_budget_is_a_share_of_first_requests_and_ten_more() -> None:
    budget = RetryBudget(0.1)
    assert sum(budget.take() for _ in range(50)) == 10
    for _ in range(100):
        budget.first_request()
    assert sum(budget.take() for _ in range(50)) in (9, 10)  # by rounding of tenths
    assert all(RetryBudget(None).take() for _ in range(100))


def test_percentiles_of_the_times_seen_last() -> None:
    times = RecentTimes(window=10, minimum=4)
    for seconds in (5.0, 1.0, 3.0):
        times.add(seconds)
    assert times.percentile(0.5) == math.inf  # too few
    times.add(math.inf)  # given up: longer than any
    assert times.percentile(0.5) == 3.0
    assert times.percentile(0.75) == 5.0
    assert times.percentile(0.9) == math.inf
    for seconds in range(10, 20):
        times.add(float(seconds))
    assert (times.percentile(0.1), times.percentile(0.95)) == (10.0, 19.0)


@pytest.mark.parametrize("roll", [0.0, 0.5, 0.999])
def test_backoff_waits_are_those_of_their_formulas(roll: float) -> None:
    """Brooker, "Exponential Backoff And Jitter" (2015): min(c, b 2^i) for try i = 1, 2, ..."""

    def first(kind: str, count: int = 6) -> list[float]:
        spec = Backoff.model_validate({"kind": kind, "base_s": 0.5, "cap_s": 8.0})
        pauses = waits(spec, lambda: roll)
        return [next(pauses) for _ in range(count)]

    full = [min(8.0, 0.5 * 2**i) for i in range(1, 7)]
    assert first("exponential") == pytest.approx(full)
    assert first("full_jitter") == pytest.approx([roll * wait for wait in full])
    assert first("equal_jitter") == pytest.approx([wait / 2 + roll * wait / 2 for wait in full])
    before, expected = 0.5, []
    for _ in range(6):
        before = min(8.0, 0.5 + roll * (3 * before - 0.5))
        expected.append(before)
    assert first("decorrelated_jitter") == pytest.approx(expected)
    assert first("none") == [0.0] * 6


def test_recovery_is_when_throughput_is_back() -> None:
    recovery = Recovery()
    steady = [float(t) for t in range(1, 21)]
    after = [40.0 + t for t in range(1, 21)]
    for now in steady:
        recovery.done(now)
    recovery.fault(20.0)
    for now in after:
        recovery.done(now)
    # One task a second before; from 41 on nine of the ten seconds have one.
    assert recovery.seconds(60.0, True) == pytest.approx(21.0)


def test_a_team_that_was_never_slower_has_recovered_at_once() -> None:
    recovery = Recovery()
    for now in range(1, 41):
        if now == 20:
            recovery.fault(19.5)
        recovery.done(float(now))
    assert recovery.seconds(40.0, True) == 0.0


def test_a_team_that_never_recovers_takes_to_the_end() -> None:
    recovery = Recovery()
    for now in range(1, 11):
        recovery.done(float(now))
    recovery.fault(10.0)
    recovery.done(12.0)
    assert recovery.seconds(100.0, False) == 90.0
    assert recovery.seconds(12.0, True) == 0.0  # nothing else was left to do
    assert Recovery().seconds(100.0, True) == 0.0


def test_recovery_is_counted_by_hand() -> None:
    # A task a second until the fault at 20: the last ten are those of 11 to 20, since 10, so that
    # nine within 10 s, both ends among them, are enough. From 41 on there is a task every 1.375 s,
    # eight within 10 s; from 52 on one every 1.25 s, nine within 10 s: 32 s after the fault.
    recovery = Recovery()
    for now in range(1, 21):
        recovery.done(float(now))
    recovery.fault(20.0)
    for i in range(8):
        recovery.done(41.0 + 1.375 * i)
    for i in range(20):
        recovery.done(52.0 + 1.25 * i)
    assert recovery.seconds(100.0, False) == 32.0


def test_a_percentile_is_at_the_rank_that_its_share_says() -> None:
    """0.55 times 20 is a little more than 11 in floating-point numbers."""
    for count in range(1, 101):
        times = RecentTimes(count, 1)
        for seconds in range(1, count + 1):
            times.add(float(seconds))
        for rank in range(1, count):
            assert times.percentile(rank / count) == rank, (rank, count)
    assert times.percentile(0.551) == 56


@pytest.mark.parametrize("kind", ["heartbeat", "swim"])
def test_a_heartbeat_at_the_instant_of_a_crash_has_been_sent(kind: str) -> None:
    """0.3 / 0.1 is a little less than 3."""
    found = [
        run(
            team={"size": 2, "agent": {"latency": {"kind": "seconds", "base": 1}}},
            coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
            workload={"kind": "parallel_fraction", "tasks": 4, "parallel_fraction": 1},
            faults=[{"at_s": at_s, "kind": "kill", "agent": 1}],
            resilience={"detector": {"kind": kind, "period_s": 0.1, "timeout_s": 0.5}},
        ).detection_s
        for at_s in (0.3, 0.3 + 1e-12)
    ]
    assert found[0] == pytest.approx(found[1])
    assert found[0] == pytest.approx(0.5 if kind == "heartbeat" else 0.1)


def test_an_election_counts_from_the_heartbeat_at_the_instant_of_the_loss() -> None:
    times = []
    for at_s in (0.3, 0.3 + 1e-12):
        trace = Trace()
        Simulation(
            scenario(
                team={"size": 3, "agent": {"latency": {"kind": "seconds", "base": 1}}},
                topology="centralised",
                coordination={"protocol": "lead_assign", "timing": "asynchronous"},
                workload={"kind": "parallel_fraction", "tasks": 4, "parallel_fraction": 1},
                faults=[{"at_s": at_s, "kind": "kill", "agent": "coordinator"}],
                resilience={"election": {"heartbeat_s": 0.1}},
            )
        ).run(0, trace)
        times += [row.time_s for row in trace.rows if row.event is Event.LEADS]
    assert times[0] == pytest.approx(times[1])
