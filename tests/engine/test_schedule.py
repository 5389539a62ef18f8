"""Our schedule beside SimPy's environment, whose place it takes."""

from __future__ import annotations

from collections.abc import Generator
from inspect import isfunction
from typing import cast

import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st
from simpy.events import NORMAL

from simulator.engine.heap import Heap
from simulator.engine.schedule import Due, Schedule
from tests.conftest import run

Said = list[tuple[float, int]]
WAITS = st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), max_size=4), max_size=5)


def told(env: Schedule, waits: list[list[float]], run: bool = True) -> Said:
    """Return when which process went on: each waits, and wakes the one before it."""
    said: Said = []
    alarms = [env.event() for _ in waits]

    def process(number: int) -> Generator[simpy.Event, object, None]:
        for wait in waits[number]:
            yield env.timeout(wait)
            said.append((env.now, number))
        if number and not alarms[number - 1].triggered:
            alarms[number - 1].succeed()
        yield alarms[number]
        said.append((env.now, -number))

    for number in range(len(waits)):
        env.process(process(number))
    if run:
        assert not env.go_on(10_000)
    else:
        cast(simpy.Environment, env).run()
    return said


@settings(max_examples=100, deadline=None, derandomize=True)
@given(waits=WAITS)
def test_events_of_simpy_happen_as_in_its_own_environment(waits: list[list[float]]) -> None:
    theirs = cast(Schedule, simpy.Environment())
    assert told(Schedule(), waits) == told(theirs, waits, run=False)


class Note(Due):
    """Something that happens, and notes that it does."""

    def __init__(self, env: Schedule, said: Said, number: int) -> None:
        self.env, self.said, self.number = env, said, number

    def happen(self) -> None:
        self.said.append((self.env.now, self.number))


def test_ours_happen_between_those_of_simpy_until_the_end() -> None:
    env, said = Schedule(), Said()
    env.due(Note(env, said, 1), 2.0)
    event = env.event()
    event.callbacks.append(lambda _: said.append((env.now, 2)))
    event.succeed()
    env.schedule(Note(env, said, 3), NORMAL + 1, 1.0)
    env.due(Note(env, said, 4), 1.0)
    assert env.go_on(2)
    assert said == [(0, 2), (1, 4)]
    env.end()
    env.due(Note(env, said, 5), 0)
    assert not env.go_on(10)
    assert env.is_over
    assert said == [(0, 2), (1, 4)]  # what comes last at its time is too late


def test_an_event_that_fails_raises_its_error_unless_somebody_takes_it() -> None:
    env = Schedule()
    env.event().fail(ValueError("so"))
    with pytest.raises(ValueError, match="so"):
        env.go_on(10)
    taken = env.event().fail(ValueError("so"))
    taken.defused = True
    assert not env.go_on(10)


def test_a_process_that_is_interrupted_waits_no_more_for_its_time() -> None:
    env, said = Schedule(), Said()

    def sleeper() -> Generator[simpy.Event, object, None]:
        try:
            yield env.timeout(5.0)
        except simpy.Interrupt:
            said.append((env.now, 1))
        yield env.timeout(1.0)
        said.append((env.now, 2))

    def waker(asleep: simpy.Process) -> Generator[simpy.Event, object, None]:
        yield env.timeout(2.0)
        asleep.interrupt()

    env.process(waker(env.process(sleeper())))
    assert not env.go_on(100)
    assert said == [(2.0, 1), (3.0, 2)]


def test_no_time_passes_backwards() -> None:
    with pytest.raises(ValueError, match="negative"):
        Schedule().timeout(-1.0)


class _Counted(float):
    """A time that notes when it is held beside another."""

    looked_at = 0

    def __le__(self, other: float) -> bool:
        _Counted.looked_at += 1
        return float(self) <= other


@pytest.mark.skipif(not isfunction(Heap.push), reason="the compiled heap holds numbers of C")
def test_what_happens_at_once_is_found_without_a_look_at_all_that_is_later() -> None:
    """Each crash, and each lease that ends, asks for it: of a thousand agents it took the time."""
    heap = Heap()
    for i in range(1000):
        heap.push(_Counted(i // 2), 0, i)
    _Counted.looked_at = 0
    assert sorted(heap.up_to(1.0)) == [0, 1, 2, 3]
    assert _Counted.looked_at <= 4 + 5


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    times=st.lists(st.integers(0, 9), max_size=40),
    gone=st.integers(0, 9),
    after=st.integers(-1, 9),
    up_to=st.integers(-1, 9),
)
def test_all_that_happens_up_to_a_time_is_found(
    times: list[int], gone: int, after: int, up_to: int
) -> None:
    heap = Heap()
    for time in times:
        heap.push(time, 0, time)
    for _ in range(min(gone, len(times))):
        heap.pop()
    left = sorted(times)[gone:]
    assert sorted(heap.up_to(up_to)) == [time for time in left if time <= up_to]  # type: ignore[type-var]
    assert sorted(heap.up_to(up_to, after)) == [time for time in left if after < time <= up_to]  # type: ignore[type-var]


@pytest.mark.skipif(
    not isfunction(Heap.push), reason="methods of compiled classes stay as they are"
)
def test_many_leases_that_end_at_one_instant_look_through_it_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float] = []
    has_call_until = Schedule.has_call_until

    def counted(schedule: Schedule, time_s: float) -> bool:
        asked.append(schedule.now)
        return has_call_until(schedule, time_s)

    monkeypatch.setattr(Schedule, "has_call_until", counted)
    m = run(
        team__size=50,
        team__agent__latency={"kind": "seconds", "base": 10},
        coordination={
            "protocol": {"kind": "self_claim", "claims": "immediate", "lease_s": 6},
            "timing": "asynchronous",
        },
        workload={"kind": "parallel_fraction", "tasks": 60, "parallel_fraction": 1.0},
        limits={"max_calls": 200},
    )
    assert m.lease_expiries >= 100
    assert len(asked) == len(set(asked))
