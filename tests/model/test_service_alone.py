"""Calls in parts, by a plain service or by requests that could fail: what is lost of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.model.agents.timesheet import WAITING
from simulator.model.calls.phases import Step
from simulator.model.calls.service import CallLostError, PlainService, Service
from simulator.model.why import Why
from tests.model.parts import Bench, begin_call, provider
from tests.model.test_requests_alone import requests

LIFE_S, WHOLE_S = 60.0, 10.0

KINDS = st.sampled_from(["plain", "requests"])


def bench() -> Bench:
    """Return an agent whose calls take ten seconds and whose cache keeps a prompt for a minute."""
    return Bench(
        latency={"kind": "seconds", "base": WHOLE_S}, context={"cache": {"life_s": LIFE_S}}
    )


def services(each: Bench, kind: str) -> Service:
    """Return what serves the agents of a bench, where nothing fails."""
    if kind == "requests":
        return requests(each, {"timeout": {"seconds": 1e6}})
    return PlainService(each.clock, each.phases, provider(each))


class Call:
    """A call in parts, with a pause after each, that comes to nothing."""

    def __init__(self, kind: str, seconds: Sequence[float], pause_s: float) -> None:
        self.bench = bench()
        (self.agent,) = self.bench.agents
        self.lost_s = -1.0
        self._service = services(self.bench, kind)
        self._steps = self._parts(seconds, pause_s)
        self.bench.begin(0.0, self.agent, self._steps)

    def _parts(self, seconds: Sequence[float], pause_s: float) -> Iterator[Step]:
        agent, service = self.agent, self._service
        begin_call(agent, seconds=WHOLE_S)
        service.begin(agent)
        try:
            for part_s in seconds:
                yield from service.serve(agent, part_s)
                yield pause_s
            raise CallLostError(Why.REFUSED)
        except CallLostError as lost:
            self.bench.phases.enter(agent, WAITING)
            service.lost(agent, lost.why)
            self.lost_s = self.bench.clock.now

    def break_off(self, at_s: float) -> None:
        """Let the call be lost at some time."""

        def end() -> None:
            with suppress(StopIteration):
                self._steps.throw(CallLostError(Why.LATE))

        self.bench.clock.at(at_s, end)

    @property
    def keeps_until_s(self) -> float:
        """The last whole second at which the cache still has what the call has read."""
        life = self.agent.memory.life
        assert life is not None
        now = self.lost_s
        while life.keeps(now + 1.0, 100):
            now += 1.0
        return now


PARTS = st.lists(st.integers(1, 5), min_size=1, max_size=4).filter(lambda each: sum(each) <= 10)


@settings(deadline=None)
@given(seconds=PARTS, pause_s=st.integers(1, 50), kind=KINDS)
def test_a_call_lost_after_some_parts_is_paid_for_them_and_has_used_its_cache_until_the_last(
    seconds: list[int], pause_s: int, kind: str
) -> None:
    call = Call(kind, [float(each) for each in seconds], float(pause_s))
    call.bench.run()
    assert call.lost_s == sum(seconds) + pause_s * len(seconds)
    assert call.agent.call.paid_share == pytest.approx(sum(seconds) / WHOLE_S)
    assert call.keeps_until_s == call.lost_s - pause_s + LIFE_S


@settings(deadline=None)
@given(begun_s=st.integers(1, 4), pause_s=st.integers(1, 50), kind=KINDS)
def test_a_call_lost_in_a_part_has_used_its_cache_until_then(
    begun_s: int, pause_s: int, kind: str
) -> None:
    call = Call(kind, [5.0, 5.0], float(pause_s))
    call.break_off(5.0 + pause_s + begun_s)
    call.bench.run()
    assert call.keeps_until_s == call.lost_s + LIFE_S == 5.0 + pause_s + begun_s + LIFE_S
    if kind == "plain":  # else what the request has written is on the bill already
        assert call.agent.call.paid_share == pytest.approx((5.0 + begun_s) / WHOLE_S)
    else:
        assert call.agent.call.paid_share == pytest.approx(0.5)


@pytest.mark.parametrize("kind", ["plain", "requests"])
def test_a_call_lost_before_its_first_part_is_not_paid_and_has_used_no_cache(kind: str) -> None:
    call = Call(kind, [], 1.0)
    call.bench.run()
    assert call.agent.call.paid_share is None
    assert call.agent.memory.life is not None
    assert call.agent.memory.life.keeps(1e9, 100) == 100  # nothing of it counts as read before
