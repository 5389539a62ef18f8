"""The agenda by itself: what is written down is taken once, and the first ending stays."""

from __future__ import annotations

import pytest

from simulator.model.agenda import Agenda
from simulator.model.why import Why
from tests.model.parts import Clock


@pytest.fixture
def agenda() -> Agenda:
    return Clock()


def test_time_is_when_something_last_happened_and_progress_when_a_call_got_on(
    agenda: Agenda,
) -> None:
    agenda.move(3.0)
    agenda.reach(7.0)
    assert (agenda.now, agenda.moved_s) == (7.0, 3.0)


def test_what_is_written_down_is_taken_once_and_in_order(agenda: Agenda) -> None:
    agenda.wake(2, 0)
    agenda.wake(1)
    for agent in (5, 4):
        agenda.resume(agent)
    assert (agenda.take_woken(), agenda.take_woken()) == ([2, 0, 1], [])
    assert (agenda.take_resumed(), agenda.take_resumed()) == ([5, 4], [])


def test_a_sub_agent_begins_once_and_is_resumed_for_it(agenda: Agenda) -> None:
    agenda.resume(8)
    agenda.begin(9)
    assert agenda.take_resumed() == [8, 9]
    assert not agenda.begins(8)
    assert agenda.begins(9)
    assert not agenda.begins(9)


def test_the_first_reason_to_lose_a_call_counts(agenda: Agenda) -> None:
    agenda.interrupt(1, Why.TIMEOUT)
    agenda.interrupt(1, Why.CRASH)
    agenda.interrupt(2, Why.CRASH)
    assert agenda.take_interrupted() == {1: Why.TIMEOUT, 2: Why.CRASH}
    assert agenda.take_interrupted() == {}


def test_the_first_ending_stays(agenda: Agenda) -> None:
    assert agenda.ending is None
    agenda.stop("completed", "")
    agenda.stop("deadline", "too late")
    assert agenda.ending == ("completed", "")
