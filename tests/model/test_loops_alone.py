"""Loops turn by turn, and where an agent's time goes: each without a team."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.model.agents.draws import OwnDraws
from simulator.model.agents.loop import Kept, Loop
from simulator.model.agents.timesheet import COMMITTING, SERVING, WAITING, WASTING, Timesheet
from simulator.model.streams import Entity, Streams
from simulator.scenario.loop import LoopSpec
from tests.model.parts import Bench, begin_call


def loop(number: int = 0, **fields: Any) -> Loop:
    """Return a loop of an agent's own draws."""
    draws = OwnDraws(Streams(0, 0), Entity.AGENT, number)
    return Loop(LoopSpec.model_validate(fields), {}, draws)


def turns(each: Loop, work: float = 1.0) -> int:
    """Return how many turns a loop takes that is to do so much work."""
    each.begin(work, False, False)
    return turns_left(each)


def turns_left(each: Loop) -> int:
    """Return how many turns a loop takes from the one on with which it has begun."""
    count = 1
    while not each.is_last:
        each.next_turn()
        count += 1
    return count


@pytest.mark.parametrize(
    ("fields", "work", "count"),
    [
        ({"turns": 3}, 7.0, 3),
        ({"turns": 2.6}, 1.0, 3),
        ({"turns": 0.2}, 1.0, 1),
        ({"turns": 9, "max_turns": 4}, 1.0, 4),
        ({"turns": 4, "max_turns": 4}, 1.0, 4),
        ({"work_per_turn": 2}, 6.0, 3),
        ({"work_per_turn": 2}, 6.1, 4),
        ({"work_per_turn": 0.1}, 0.3, 3),  # but for a rounding error
        ({"work_per_turn": 5}, 1.0, 1),
        ({"end_probability": 1.0}, 1.0, 1),
        ({"turns": 3}, 0.0, 1),  # a call that takes no task
    ],
)
def test_a_loop_takes_the_turns_that_the_scenario_says(
    fields: dict[str, Any], work: float, count: int
) -> None:
    assert turns(loop(**fields), work) == count


# 4,000 draws: the mean 1 / p is known to 2 % (standard error), the shares to 0.8 points.
@pytest.mark.parametrize("p", [0.25, 0.6])
def test_turns_that_end_by_chance_are_geometric(p: float) -> None:
    each = loop(end_probability=p)
    counts = np.array([turns(each) for _ in range(4000)])
    assert counts.mean() == pytest.approx(1 / p, rel=0.06)
    for k in (1, 2, 3):
        assert (counts == k).mean() == pytest.approx(p * (1 - p) ** (k - 1), abs=0.025)


def test_the_work_of_a_call_is_spread_over_its_turns_alike() -> None:
    each = loop(turns=4)
    each.begin(6.0, False, True)
    assert (each.work, each.turn, each.speaks, each.kept(0, False)[:2]) == (1.5, 1, True, (0, 4))
    each.begin(6.0, True, False)  # a merge, say: one turn whatever loops take
    assert (each.work, each.is_last, each.speaks) == (6.0, True, False)


@pytest.mark.parametrize(("done", "first"), [(0, 1), (2, 3), (3, 4), (9, 4)])
def test_turns_before_a_crash_are_not_taken_again_but_the_last_is(done: int, first: int) -> None:
    each = loop(turns=4)
    each.begin(6.0, False, False, Kept(done, 4))
    assert (each.turn, each.is_last, each.work) == (first, first == 4, 1.5)


@pytest.mark.parametrize("is_read", [False, True])
def test_a_checkpoint_has_nothing_of_a_loop_of_which_no_turn_is_over(is_read: bool) -> None:
    each = loop(turns=4)
    each.begin(1.0, False, False)
    assert each.kept(0, is_read).said == (0, 0, 0, 0)


def test_a_loop_that_goes_on_after_a_crash_has_as_many_turns_as_before() -> None:
    each = loop(turns={"kind": "empirical", "values": [2, 30]})
    for wanted in (2, 7, 30):
        each.begin(1.0, False, False, Kept(1, wanted))
        assert each.kept(0, False)[:2] == (1, wanted)
        assert turns_left(each) == wanted - 1


def test_a_turn_is_over_when_its_tools_are() -> None:
    each = loop(turns=3)
    each.begin(1.0, False, False)
    seen = [(each.turn, each.kept(0, False).done)]
    for step in (each.complete_turn, each.next_turn, each.complete_turn, each.next_turn):
        step()
        seen.append((each.turn, each.kept(0, False).done))
    assert seen == [(1, 0), (1, 1), (2, 1), (2, 2), (3, 2)]
    each.begin(1.0, False, False)
    assert (each.turn, each.kept(0, False)[:2]) == (1, (0, 3))


def test_a_tool_that_fails_costs_one_turn_more_even_beyond_the_limit() -> None:
    each = loop(turns=2, max_turns=3)
    each.begin(1.0, False, False)
    assert not each.is_at_limit
    each.take_one_more()
    each.next_turn()
    assert (each.is_last, each.is_at_limit) == (False, False)
    each.take_one_more()
    each.next_turn()
    assert (each.is_last, each.is_at_limit) == (True, True)
    assert [loop(turns=1, at_limit=x).gives_up for x in ("hand_in", "give_up")] == [False, True]


def test_the_first_turn_is_served_when_all_its_parts_are() -> None:
    each = loop(turns=2)
    for _ in range(2):  # a second call begins with nothing served
        each.begin(1.0, False, False)
        assert [each.serve(share) for share in (0.5, 0.4, 0.1)] == [False, False, True]
    each.begin(1.0, False, False)
    assert each.serve(1.0)
    # Ten tenths are less than 1 by a rounding error.
    each.begin(1.0, False, False)
    assert [each.serve(0.1) for _ in range(10)] == [False] * 9 + [True]


def test_news_of_all_turns_are_added_up_until_the_next_call() -> None:
    each = loop(turns=2)
    assert each.unread_tokens == 0
    each.begin(1.0, False, False)
    each.read(30)
    each.read(12)
    assert each.unread_tokens == 42
    each.begin(1.0, False, False)
    assert each.unread_tokens == 0


def test_an_agents_draws_are_its_own() -> None:
    first, other = (loop(i, end_probability=0.1) for i in range(2))
    assert [turns(first) for _ in range(20)] != [turns(other) for _ in range(20)]
    again = loop(0, turns={"kind": "exponential", "mean": 9})
    assert len({turns(again) for _ in range(20)}) > 5


def test_a_new_sheet_is_blank() -> None:
    sheet = Timesheet()
    found = {name: getattr(sheet, name) for name in Timesheet.__slots__}
    assert found.pop("in_call") is False
    assert (found.pop("served_at_pace"), found.pop("waits_for")) == (1.0, "")
    assert (found.pop("phase"), found.pop("last_admitted")) == (WAITING, 0)
    assert set(found.values()) == {0.0}


def test_a_call_is_busy_time_and_what_lies_between_calls_is_waited() -> None:
    agent = Bench().agents[0]
    sheet = agent.time
    book = begin_call(agent, now=3.0, seconds=4.0)
    assert (sheet.in_call, sheet.started_s, sheet.read_s, sheet.waited_s) == (True, 3.0, 3.0, 3.0)
    book.end(agent, 7.0, is_answered=True)
    begin_call(agent, now=9.0, seconds=2.0)
    sheet.stretch(1.5)
    book.end(agent, 12.0, is_answered=True)
    sheet.book_free(14.0)
    assert (sheet.in_call, sheet.busy_s, sheet.waited_s, sheet.free_since) == (
        False,
        7.0,
        7.0,
        12.0,
    )
    sheet.free_from(20.0)
    begin_call(agent, now=21.0, seconds=5.0)
    sheet.cut_off(1.0)
    assert (sheet.duration_s, sheet.busy_s, sheet.waited_s) == (1.0, 8.0, 8.0)


def test_phases_are_booked_as_service_or_as_waiting() -> None:
    agent = Bench().agents[0]
    sheet = agent.time
    begin_call(agent, now=1.0, seconds=6.0)
    sheet.begin_steps()
    for phase, now in ((SERVING, 2.0), (COMMITTING, 5.0), (SERVING, 6.0), (WAITING, 8.0)):
        sheet.enter(phase, now)
    assert (sheet.served_s, sheet.waited_s, sheet.since_s) == (5.0, 2.0, 8.0)
    sheet.enter(SERVING, 9.0)
    sheet.throw_away()
    sheet.enter(WAITING, 19.0)  # in vain: neither service nor waiting
    assert (sheet.phase, sheet.served_s, sheet.waited_s) == (WAITING, 5.0, 3.0)
    sheet.end_steps()
    assert sheet.duration_s == 5.0
    sheet.throw_away()
    assert sheet.phase == WASTING


def test_turns_of_a_loop_are_one_call_in_service() -> None:
    agent = Bench().agents[0]
    sheet = agent.time
    begin_call(agent, now=0.0, seconds=3.0)
    sheet.begin_steps()
    for began_s, ended_s in ((0.0, 3.0), (5.0, 9.0)):
        sheet.enter(SERVING, began_s)
        sheet.enter(WAITING, ended_s)
        sheet.end_turn()
        assert sheet.served_s == 0.0
    sheet.begin_turn(8.0)
    assert (sheet.earlier_s, sheet.duration_s) == (7.0, 8.0)
    sheet.enter(SERVING, 10.0)
    sheet.enter(WAITING, 11.0)
    sheet.end_steps()
    assert sheet.duration_s == 8.0
    begin_call(agent, now=12.0, seconds=1.0)
    sheet.begin_steps()
    assert (sheet.earlier_s, sheet.served_s, sheet.since_s) == (0.0, 0.0, 12.0)


def test_what_befalls_a_call_is_written_down() -> None:
    sheet = Timesheet()
    sheet.wait_for("lock")
    sheet.read_anew(4.0)
    sheet.slow_down(2.5)
    sheet.admitted(7)
    found = (sheet.waits_for, sheet.read_s, sheet.served_at_pace, sheet.last_admitted)
    assert found == ("lock", 4.0, 2.5, 7)
