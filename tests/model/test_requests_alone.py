"""Requests, the way through the provider, and how requests fare: built without a scenario."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from simulator.model.agents.agent import AgentState
from simulator.model.calls.bill import Bill
from simulator.model.calls.breaker import Breaker
from simulator.model.calls.breakers import Breakers
from simulator.model.calls.bulkhead import Bulkhead
from simulator.model.calls.caller import Caller
from simulator.model.calls.fates import Fates
from simulator.model.calls.flight import Fate
from simulator.model.calls.patience import Patience
from simulator.model.calls.phases import Step
from simulator.model.calls.requests import Requests
from simulator.model.calls.transit import Transit
from simulator.model.trace import Event
from simulator.model.why import Why
from simulator.scenario.resilience import BreakerSpec, Hedge, Resilience, Timeout
from tests.model.parts import Bench, Crew, bag, begin_call, provider

SERVICE = {"latency": {"kind": "seconds", "base": 4}}


def callers(bench: Bench, patterns: Resilience, **fields: Any) -> dict[int, Caller]:
    """Return the agents of a bench as clients."""
    errors = provider(bench, **fields).spec.errors
    made = [Caller(agent, patterns.fallback, errors, bench.streams) for agent in bench.agents]
    return dict(enumerate(made))


def requests(bench: Bench, patterns: dict[str, Any], **fields: Any) -> Requests:
    """Return what sends the requests of a bench's agents to a provider."""
    spec, host = Resilience.model_validate(patterns), provider(bench, **fields)
    bulkhead = Bulkhead({}, [], bench.clock, bench.phases)
    errors = host.spec.errors
    caller = partial(Caller, fallback=spec.fallback, errors=errors, streams=bench.streams)
    who = (bench.clock, bench.journal, bench.phases, host, Bill(bench.metrics, False, None))
    return Requests(spec, host.spec.retry, bench.agents, caller, bulkhead, *who)


def call(
    desk: Requests, agent: AgentState, seconds: float, tasks: Sequence[int] = (0,)
) -> Iterator[Step]:
    """Yield the steps of a call that takes so long if all goes well."""
    begin_call(agent, tasks, seconds=seconds)
    desk.begin(agent)
    yield from desk.serve(agent, seconds)


def test_a_request_that_is_answered_takes_its_time_and_is_the_only_one() -> None:
    bench = Bench(**SERVICE)
    desk = requests(bench, {"retry": {"max_retries": 3}})
    bench.begin(0.0, bench.agents[0], call(desk, bench.agents[0], 4.0))
    assert bench.run() == {0: 4.0}
    assert (bench.metrics.requests, bench.metrics.retries, bench.metrics.lost_s) == (1, 0, 0.0)


@pytest.mark.parametrize(("retries", "ends_s"), [(0, 2.0), (1, 14.0), (3, 78.0)])
def test_a_request_that_times_out_is_sent_again_until_no_retry_is_left(
    retries: int, ends_s: float
) -> None:
    # Each takes 4 s and is given up after 2; the waits between are 10, 20 and 40 s.
    bench = Bench(is_traced=True, **SERVICE)
    backoff = {"kind": "exponential", "base_s": 5, "cap_s": 60}
    again = {"retry": {"max_retries": retries, "backoff": backoff}} if retries else {}
    desk = requests(bench, {"timeout": {"seconds": 2}, **again}, retry={"max_retries": 0})
    bench.begin(0.0, bench.agents[0], call(desk, bench.agents[0], 4.0))
    assert bench.run() == {0: ends_s}
    assert bench.lost == {0: Why.TIMEOUT}
    m = bench.metrics
    assert (m.requests, m.retries, m.timeouts) == (retries + 1, retries, retries + 1)
    assert m.lost_s == 2.0 * (retries + 1)
    assert [row.outcome for row in bench.rows(Event.REQUEST)] == ["timeout"] * (retries + 1)


def test_the_clients_library_tries_again_before_the_team_does() -> None:
    bench = Bench(**SERVICE)
    desk = requests(
        bench,
        {"retry": {"max_retries": 1, "backoff": {"kind": "none"}}},
        errors={"probability": 1.0, "after_s": 1},
        retry={"max_retries": 2, "base_s": 8, "cap_s": 8, "jitter": 0},
    )
    bench.begin(0.0, bench.agents[0], call(desk, bench.agents[0], 4.0))
    # Twice three requests of a second; within each three, two pauses of 8 s.
    assert bench.run() == {0: 2 * (3 * 1.0 + 2 * 8.0)}
    assert (bench.metrics.requests, bench.metrics.provider_errors) == (6, 6)
    assert bench.lost == {0: Why.ERROR}


def test_another_model_is_asked_when_nothing_else_helps_and_only_for_that_call() -> None:
    bench = Bench(**SERVICE)
    other = {"latency": {"kind": "seconds", "base": 1}, "speed": 2}
    spec = {"timeout": {"seconds": 3}, "fallback": {"model": other}}
    desk = requests(bench, spec, retry={"max_retries": 0})
    agent = bench.agents[0]
    bench.begin(0.0, agent, call(desk, agent, 4.0))
    assert bench.run() == {0: 3.0 + 1.0 / 2.0}
    assert (bench.metrics.fallbacks, desk.callers[0].uses_other) == (1, True)
    desk.over(agent)
    assert (desk.callers[0].uses_other, agent.server) == (False, agent.spec)


def test_who_queues_is_served_in_turn_and_leaves_when_patience_ends() -> None:
    bench = Bench(3, **SERVICE)
    spec = {"timeout": {"seconds": 6}}
    desk = requests(bench, spec, concurrency=1, queue={}, retry={"max_retries": 0})
    for agent in bench.agents:
        bench.begin(0.0, agent, call(desk, agent, 4.0))
    # The second has waited 4 of its 6 seconds when it is served for the other 2.
    assert bench.run() == {0: 4.0, 1: 6.0, 2: 6.0}
    assert bench.lost == {1: Why.TIMEOUT, 2: Why.TIMEOUT}


def test_who_has_lost_patience_in_the_queue_is_gone_before_it_is_its_turn() -> None:
    # The provider goes on with the first request for 20 s, though its client has left after 6.
    bench = Bench(3, **SERVICE)
    desk = requests(
        bench,
        {"timeout": {"seconds": 6}},
        concurrency=1,
        cancels=False,
        queue={"drops_expired": True},
        retry={"max_retries": 0},
    )
    for agent, time_s, seconds in zip(
        bench.agents, (0.0, 1.0, 16.0), (20.0, 4.0, 1.0), strict=True
    ):
        bench.begin(time_s, agent, call(desk, agent, seconds))
    assert bench.run() == {0: 6.0, 1: 1.0 + 6.0, 2: 20.0 + 1.0}
    assert bench.lost == {0: Why.TIMEOUT, 1: Why.TIMEOUT}


@pytest.mark.parametrize("base_s", [0.01, 0.4, 5.0])
def test_a_retry_waits_however_short_its_wait_is(base_s: float) -> None:
    bench = Bench(**SERVICE)
    backoff = {"kind": "exponential", "base_s": base_s, "cap_s": 60}
    spec = {"timeout": {"seconds": 2}, "retry": {"max_retries": 2, "backoff": backoff}}
    desk = requests(bench, spec, retry={"max_retries": 0})
    bench.begin(0.0, bench.agents[0], call(desk, bench.agents[0], 4.0))
    assert bench.run() == {0: pytest.approx(3 * 2.0 + 2 * base_s + 4 * base_s)}


@pytest.mark.parametrize("slowed", [1.0, 1.5, 4.0])
def test_what_is_served_in_vain_takes_as_long_as_it_would_have_taken(slowed: float) -> None:
    # The first is given up after 6 s and goes on to 20 s; the second, gone at 7 s, is next; the
    # third comes three seconds before that is over.
    bench = Bench(3, **SERVICE)
    no_more = {"retry": {"max_retries": 0}}
    spec = {"timeout": {"seconds": 6}}
    desk = requests(bench, spec, concurrency=1, cancels=False, queue={}, **no_more)
    desk.callers[1].slow_down(slowed)
    over_s = 20.0 + 4.0 * slowed
    calls = ((0.0, 20.0), (1.0, 4.0), (over_s - 3.0, 1.0))
    for agent, (time_s, seconds) in zip(bench.agents, calls, strict=True):
        bench.begin(time_s, agent, call(desk, agent, seconds))
    assert bench.run() == {0: 6.0, 1: 7.0, 2: over_s + 1.0}
    assert bench.lost == {0: Why.TIMEOUT, 1: Why.TIMEOUT}


@pytest.mark.parametrize("partial_results", [True, False])
@pytest.mark.parametrize("tasks", [[], [1]])
def test_only_a_call_on_tasks_comes_to_nothing_at_an_open_breaker_as_its_tasks_may_be_left(
    tasks: list[int], partial_results: bool
) -> None:
    # The first fails after a second, for ten of which its breaker is open.
    bench = Crew(bag(2), 2, **SERVICE)
    breaker = {"failure_rate": 1, "window": 1, "minimum": 1, "open_s": 10, "trial_calls": 1}
    spec = {"breaker": breaker, "fallback": {"partial": partial_results}, "timeout": {"seconds": 5}}
    desk = requests(bench, spec, retry={"max_retries": 0})
    first, second = bench.agents
    bench.begin(0.0, first, call(desk, first, 9.0))
    bench.begin(7.0, second, call(desk, second, 4.0, tasks))
    is_left = partial_results and bool(tasks)
    assert bench.run() == {0: 5.0, 1: 7.0 if is_left else 5.0 + 10.0 + 4.0}
    assert bench.lost == {0: Why.TIMEOUT} | ({1: Why.BREAKER} if is_left else {})


@pytest.mark.parametrize("why", [Why.CRASH, Why.REFUSED, Why.LATE])
def test_only_a_crash_leaves_checkpoints_of_parts_that_were_answered(why: Why) -> None:
    # Four of ten seconds are answered when the call is lost; checkpoints were made after one, two
    # and three of them, and none at the end of what was asked for.
    crew = Crew(bag(1), 1, **SERVICE)
    desk = requests(crew, {"checkpoint": {"every_s": 1}})
    (agent,) = crew.workers

    def parts() -> Iterator[Step]:
        begin_call(agent, seconds=10.0)
        desk.begin(agent)
        yield from desk.serve(agent, 4.0)
        desk.lost(agent, why)
        desk.over(agent)
        assert agent.call.paid_share == pytest.approx(0.4)
        yield from call(desk, agent, 10.0)

    crew.begin(0.0, agent, parts())
    again_s = 7.0 if why is Why.CRASH else 10.0
    assert crew.run() == {0: pytest.approx(4.0 + again_s)}


class Line:
    """Requests of a bench that go through their service, without what stands around it."""

    def __init__(
        self,
        bench: Bench,
        timeout: Timeout | None = None,
        hedge: Hedge | None = None,
        breaker: BreakerSpec | None = None,
    ) -> None:
        self.bench, self.ended = bench, dict[int, tuple[float, str]]()
        self.host = provider(bench)
        self.clients = callers(bench, Resilience())
        parts = (bench.clock, bench.journal, bench.phases)
        bulkhead = Bulkhead({}, [], bench.clock, bench.phases)
        self.breakers = Breakers(breaker, *parts)
        self.has_no_breaker = breaker is None
        self.fates = Fates(self.clients, self.host, bench.clock, bench.metrics)
        self.transit = Transit(
            self.clients,
            self.fates,
            Patience(timeout, hedge),
            self.host,
            bulkhead,
            self.breakers,
            None,
            0.0,
            *parts,
            Bill(bench.metrics, False, None),
        )

    def steps(self, agent: AgentState, seconds: float) -> Iterator[Step]:
        """Yield the steps of one request."""
        begin_call(agent)
        assert self.has_no_breaker or self.breakers.admit(agent)
        why = yield from self.transit.take(agent, seconds)
        self.ended[agent.index] = (self.bench.clock.now, why.value)

    def run(self, *seconds: float) -> dict[int, tuple[float, str]]:
        """Send a request of each agent; return when and how each ends."""
        for agent, each in zip(self.bench.agents, seconds, strict=True):
            self.bench.begin(0.0, agent, self.steps(agent, each))
        self.bench.run()
        return self.ended


def test_an_answer_at_the_very_instant_of_the_time_out_counts() -> None:
    line = Line(Bench(3), Timeout(seconds=5))
    assert line.run(4.0, 5.0, 5.1) == {0: (4.0, ""), 1: (5.0, ""), 2: (5.0, "timeout")}
    assert (line.bench.metrics.timeouts, line.bench.metrics.lost_s) == (1, 5.0)


def test_of_a_hedged_pair_the_first_answer_counts_and_the_other_is_paid_as_waste() -> None:
    bench = Bench(latency={"kind": "seconds", "base": 2}, is_traced=True)
    line = Line(bench, hedge=Hedge(after_s=3))
    # The second is sent after 3 s and takes 2; the first would have taken 9.
    assert line.run(9.0) == {0: (5.0, "")}
    assert (bench.metrics.hedges, bench.metrics.requests) == (1, 1)
    (unused,) = bench.rows(Event.REQUEST)
    assert (unused.outcome, unused.output_tokens) == ("hedged", int(100 * 5.0 / 9.0))


_FAILS = Why.ERROR


@pytest.mark.parametrize(
    ("first", "second", "end_s", "why", "told"),
    [
        (Fate(9.0), Fate(2.0), 5.0, "", [False]),  # the first is cancelled: it says nothing
        (Fate(4.0), Fate(9.0), 4.0, "", [False]),  # so is the second
        (Fate(2.0), None, 2.0, "", [False]),
        (Fate(2.0, _FAILS), None, 2.0, "error", [True]),  # before a second is due
        (Fate(4.0, _FAILS), Fate(2.0), 5.0, "", [True, False]),
        (Fate(6.0), Fate(2.0, _FAILS), 6.0, "", [True, False]),
        (Fate(4.0, _FAILS), Fate(2.0, _FAILS), 5.0, "error", [True, True]),
        (Fate(5.0, _FAILS), Fate(2.0, _FAILS), 5.0, "error", [True, True]),  # at once
        (Fate(4.0, Why.MALFORMED), Fate(2.0), 5.0, "", [False, False]),  # the service answered
        (Fate(99.0), Fate(99.0), 8.0, "timeout", [True, True]),
        (Fate(4.0, _FAILS), Fate(99.0), 8.0, "timeout", [True, True]),
    ],
)
def test_each_request_of_a_hedged_pair_counts_for_the_breaker_by_its_own_end(
    first: Fate,
    second: Fate | None,
    end_s: float,
    why: str,
    told: list[bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fates, heard = iter([first, second]), list[bool]()

    def note(_: Breaker, __: int, failed: bool, ___: float) -> bool:
        heard.append(failed)
        return False

    monkeypatch.setattr(Fates, "draw", lambda *_: next(fates))
    monkeypatch.setattr(Breaker, "record", note)
    line = Line(Bench(), Timeout(seconds=8), Hedge(after_s=3), BreakerSpec())
    assert line.run(9.0) == {0: (end_s, why)}
    assert heard == told


def test_two_failures_of_a_hedged_pair_open_a_breaker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fates, "draw", lambda *_: Fate(4.0, Why.ERROR))
    line = Line(Bench(), None, Hedge(after_s=3), BreakerSpec(minimum=2))
    line.run(9.0)
    assert line.breakers.is_any_open


@pytest.mark.parametrize("seconds", [0.0, 4.0])
def test_a_reply_that_cannot_be_used_is_paid_whole_however_quick_it_came(seconds: float) -> None:
    line = Line(Bench(faults={"malformed": 1.0}))
    (agent,) = line.bench.agents
    agent.memory.uncached = 700
    assert line.run(seconds) == {0: (seconds, "malformed")}
    metrics = line.bench.metrics
    assert (metrics.input_tokens, metrics.output_tokens) == (700, 100)


def test_what_is_cut_off_says_which_share_is_written() -> None:
    line = Line(Bench())
    agent = line.bench.agents[0]
    steps = line.steps(agent, 8.0)
    line.clients[0].ask_for(0.5)
    assert next(steps) == 8.0
    assert line.transit.cut_off(agent) is None
    line.bench.clock.reach(2.0)
    assert line.transit.cut_off(agent) == 0.5 * 2.0 / 8.0


def test_a_request_fares_as_well_as_nothing_is_wrong_with_it() -> None:
    line = Line(Bench(2))
    slow, stuck = line.bench.agents
    assert line.fates.draw(slow, 3.0) == Fate(3.0)
    line.clients[0].slow_down(2.0)
    line.clients[1].get_stuck()
    assert line.fates.draw(slow, 3.0) == Fate(6.0)
    assert line.fates.draw(stuck, 3.0) == Fate(math.inf)
    assert line.bench.metrics.stalls == 1
    line.clients[0].speed_up(2.0)
    line.clients[1].get_loose()
    assert line.fates.draw(slow, 3.0) == line.fates.draw(stuck, 3.0) == Fate(3.0)


@pytest.mark.parametrize(
    ("faults", "fields", "fate", "counted"),
    [
        ({"slow": {"probability": 1.0, "factor": 3}}, {}, Fate(12.0), "slow_calls"),
        ({"malformed": 1.0}, {}, Fate(4.0, Why.MALFORMED), ""),
        ({"stall": 1.0}, {}, Fate(math.inf), "stalls"),
        ({}, {"errors": {"probability": 1.0, "after_s": 1}}, Fate(1.0, Why.ERROR), ""),
        ({}, {"errors": {"probability": 1.0, "after_s": 9}}, Fate(4.0, Why.ERROR), ""),
        ({}, {"errors": {"probability": 1.0, "after_s": 0}}, Fate(1e-3, Why.ERROR), ""),
        ({"malformed": 1.0}, {"errors": {"probability": 0.0}}, Fate(4.0, Why.MALFORMED), ""),
    ],
)
def test_each_fault_of_a_request_has_its_own_end(
    faults: dict[str, Any], fields: dict[str, Any], fate: Fate, counted: str
) -> None:
    bench = Bench(faults=faults)
    host = provider(bench, **fields)
    fates = Fates(callers(bench, Resilience(), **fields), host, bench.clock, bench.metrics)
    assert fates.draw(bench.agents[0], 4.0) == fate
    assert (bench.metrics.slow_calls, bench.metrics.stalls) == (
        counted == "slow_calls",
        counted == "stalls",
    )
