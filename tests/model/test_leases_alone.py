"""Leases in a protocol: each ends with its claim, with its protocol and with its board."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.model.board import NOBODY
from simulator.model.protocols import Dispatcher
from simulator.model.protocols._watched_claims import WatchedClaims
from tests.model.parts import Clock, bag
from tests.model.test_protocols_alone import alone

TASKS, WORKERS = 4, 3
NOW: dict[str, Any] = {"claims": "immediate", "choice": "first"}
LEASES: list[dict[str, Any]] = [
    {"lease_s": 5},
    {"lease_s": 5, "release": "lease"},
    {"lease_rounds": 2},
    {"lease_rounds": 2, "completion": "anyone"},
]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "begin", "end", "end", "judge", "lost", "back", "time"]),
        st.integers(0, WORKERS - 1),
        st.booleans(),
    ),
    max_size=40,
)


def claiming(clock: Clock, **fields: Any) -> WatchedClaims:
    """Return the protocol by itself, at a board whose tasks can all start."""
    claims = alone("self_claim", bag(TASKS), WORKERS, clock=clock, **{**NOW, **fields})
    assert isinstance(claims, WatchedClaims)
    return claims


def leased(claims: WatchedClaims) -> set[int]:
    """Return the tasks that have a lease."""
    return set() if claims._leases is None else set(claims._leases._since)


def done(claims: Dispatcher, agent: int, task: int) -> None:
    """Let a task be marked done."""
    claims.attempt_ended(agent, task, True)
    claims.board.complete(task, agent, 0.0)


def test_what_another_has_claimed_and_lets_go_is_not_picked_twice() -> None:
    claims = claiming(Clock(), completion="anyone", release="on_exit")
    for agent in (0, 1):  # the first claims it; the second does its work; both fail the tests
        assert claims.may_attempt(agent, 3)
        claims.attempt_ended(agent, 3, False)
    claims.lost(0)
    assert 3 in claims._open
    picks = claims.choose(1, TASKS)
    assert picks is not None
    assert picks[0] == 3
    assert sorted(picks) == list(range(TASKS))


class Shift:
    """Agents who claim, finish, hand in, fail, go and come back as they are told."""

    def __init__(self, **fields: Any) -> None:
        self.clock = Clock()
        self.claims = claiming(self.clock, **fields)
        self.in_call: dict[int, list[int]] = {}
        self.in_review: dict[int, int] = {}
        self.round = 1

    def step(self, what: str, agent: int, goes_well: bool) -> None:
        """Let one thing happen, if it can."""
        claims = self.claims
        if what == "time":
            self.clock.happens()
            self.round += 1
            claims.begin_round(self.round)
        elif what == "judge" and self.in_review:
            task, doer = self.in_review.popitem()
            if goes_well:
                done(claims, doer, task)
            else:
                claims.attempt_ended(doer, task, False)
        elif what == "back":
            claims.back(agent)
        elif agent in claims.gone:
            return
        elif what == "begin" and agent not in self.in_call:
            self.in_call[agent] = claims.choose(agent, 1) or []
        elif what == "end":
            for task in self.in_call.pop(agent, []):
                self._end(agent, task, goes_well)
        elif what == "lost":
            claims.exits(agent)
            for task in self.in_call.pop(agent, []):
                claims.returned(agent, task)
            claims.lost(agent)

    def _end(self, agent: int, task: int, goes_well: bool) -> None:
        is_past = self.claims.board.done[task] or task in self.in_review
        if is_past or not self.claims.may_attempt(agent, task):
            return
        if not goes_well:
            self.claims.attempt_ended(agent, task, False)
        elif task % 2:
            done(self.claims, agent, task)
        else:
            self.claims.handed_in(agent, task)
            self.in_review[task] = agent

    def held(self) -> set[int]:
        """Return the tasks that somebody holds, who has not handed them in."""
        board = self.claims.board
        claimed = {task for task in range(TASKS) if board.owner[task] != NOBODY}
        return {task for task in claimed if not board.done[task]} - set(self.in_review)

    def listed(self) -> set[int]:
        """Return the tasks that are on some list of those to do."""
        return set(self.claims._open).union(*self.claims._redo)


@pytest.mark.parametrize("fields", LEASES, ids=str)
@settings(max_examples=80, deadline=None, derandomize=True)
@given(steps=STEPS)
def test_a_lease_lasts_as_long_as_its_claim(
    fields: dict[str, Any], steps: list[tuple[str, int, bool]]
) -> None:
    shift = Shift(**fields)
    for step in steps:
        shift.step(*step)
        assert leased(shift.claims) == shift.held()


@pytest.mark.slow
@pytest.mark.parametrize("fields", [*LEASES, {"completion": "anyone"}], ids=str)
@settings(max_examples=200, deadline=None, derandomize=True)
@given(steps=STEPS)
def test_what_is_done_or_in_review_is_on_no_list(
    fields: dict[str, Any], steps: list[tuple[str, int, bool]]
) -> None:
    shift = Shift(**fields)
    for step in steps:
        shift.step(*step)
        board = shift.claims.board
        assert not any(board.done[task] for task in shift.listed())
        assert not shift.listed() & set(shift.in_review)


@pytest.mark.parametrize("fields", LEASES, ids=str)
@pytest.mark.parametrize("is_fork", [False, True])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(steps=STEPS)
def test_a_protocol_that_has_ended_takes_nothing_from_another(
    fields: dict[str, Any], is_fork: bool, steps: list[tuple[str, int, bool]]
) -> None:
    shift = Shift(**fields)
    for step in steps:
        shift.step(*step)
    claims = shift.claims
    if is_fork:
        claims = claims.fork(claims.board.copy())
        shift.claims.end()
    claims.end()
    assert not leased(claims)
    board, expired = claims.board, claims.setting.metrics.lease_expiries
    board.disown()
    for task in range(TASKS):
        board.give(task, 1)
    while shift.clock.happens():
        pass
    claims.begin_round(shift.round + 99)
    assert list(board.owner) == [1] * TASKS
    assert claims.setting.metrics.lease_expiries == expired


@pytest.mark.parametrize("more", [{}, {"release": "lease"}])
@pytest.mark.parametrize("is_done_first", [False, True])
def test_a_claim_from_before_a_cut_ends_at_its_time_on_each_board(
    more: dict[str, Any], is_done_first: bool
) -> None:
    clock = Clock()
    here = claiming(clock, lease_s=5, **more)
    assert here.choose(0, 1) == [0]
    clock.reach(2.0)
    there = here.fork(here.board.copy())
    if is_done_first:
        done(here, 0, 0)
    while clock.happens():
        pass
    assert clock.now == 5.0
    assert there.board.owner[0] == NOBODY
    assert 0 in there._open
    assert (here.board.owner[0] == NOBODY) is not is_done_first
    # It is counted where it was made, as its claim is.
    assert here.setting.metrics.lease_expiries == (not is_done_first)


def test_a_lease_in_rounds_from_before_a_cut_is_counted_once() -> None:
    here = claiming(Clock(), lease_rounds=1)
    here.begin_round(1)
    here.choose(0, 1)
    there = here.fork(here.board.copy())
    for side in (here, there):
        side.choose(1, 1)
        side.begin_round(2)
        side.begin_round(3)
        assert not leased(side)
    # Of the first agent's claim once, and of the second's two.
    assert here.setting.metrics.lease_expiries == 3


@pytest.mark.parametrize("is_fork", [False, True])
@pytest.mark.parametrize(("rejected_s", "ended_s"), [(4.0, 5.0), (9.0, 9.0)])
def test_a_lease_goes_on_when_its_task_is_sent_back(
    is_fork: bool, rejected_s: float, ended_s: float
) -> None:
    clock = Clock()
    claims = claiming(clock, lease_s=5)
    claims.choose(0, 1)
    clock.reach(3.0)
    claims.handed_in(0, 0)
    if is_fork:
        claims = claims.fork(claims.board.copy())
    while rejected_s > 5.0 and clock.happens():
        assert claims.board.owner[0] == 0
    clock.reach(rejected_s)
    claims.attempt_ended(0, 0, False)
    while claims.board.owner[0] == 0:
        assert clock.happens()
    assert clock.now == ended_s
    assert 0 in claims._open
    assert not claims._redo[0]


def test_a_lease_in_rounds_ends_with_the_round_in_which_its_task_is_sent_back() -> None:
    claims = claiming(Clock(), lease_rounds=2)
    claims.begin_round(1)
    claims.choose(0, 1)
    claims.handed_in(0, 0)
    claims.begin_round(5)
    claims.choose(1, 1)
    claims.attempt_ended(0, 0, False)
    claims.begin_round(6)
    assert list(claims.board.owner[:2]) == [NOBODY, 1]


def test_what_is_found_finished_after_its_lease_is_open_no_more() -> None:
    claims = claiming(Clock(), lease_rounds=1, completion="anyone")
    claims.choose(0, 2)
    claims.forgotten(0, 0)
    claims.forgotten(0, 1)
    claims.begin_round(9)
    assert {0, 1} <= set(claims._open)
    claims.handed_in(0, 0)
    done(claims, 1, 1)
    assert not {0, 1} & set(claims._open)
