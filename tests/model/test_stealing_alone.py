"""Deques of work stealing: where tasks are put, who is robbed, what comes back."""

from __future__ import annotations

from collections import Counter

import pytest
from scipy import stats

from simulator.model.board import NOBODY
from simulator.model.protocols import Dispatcher, preferred
from tests.model.parts import bag, tasks
from tests.model.test_protocols_alone import alone, attempt


def deques(number: int, workers: int = 2, **fields: str) -> Dispatcher:
    return alone("work_stealing", bag(number), workers, **fields)


def held(protocol: Dispatcher, agent: int) -> list[int]:
    """Return the agent's own tasks, in the order in which it would do them."""
    fork = protocol.fork(protocol.board.copy())
    own = fork.give_away(agent)
    return fork.choose(agent, own) or [] if own else []


@pytest.mark.parametrize("number", [1, 5, 8])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_what_nobody_frees_is_dealt_round_robin_or_put_where_all_is(
    number: int, workers: int
) -> None:
    dealt, one = deques(number, workers), deques(number, workers, start="one")
    for agent in range(workers):
        assert held(dealt, agent) == list(reversed(range(agent, number, workers)))
        assert held(one, agent) == (list(reversed(range(number))) if agent == 0 else [])


@pytest.mark.parametrize("how", ["failed", "returned", "undone"])
@pytest.mark.parametrize("number", [1, 2, 5])
def test_what_comes_back_is_the_first_that_its_agent_does(number: int, how: str) -> None:
    protocol = deques(number, 1)
    (task,) = protocol.choose(0, 1) or []
    assert task == number - 1
    if how == "failed":
        attempt(protocol, 0, task, fails=True)
    elif how == "returned":
        for _ in range(2):  # it is there once
            protocol.returned(0, task)
    else:
        attempt(protocol, 0, task)
        protocol.board.undo(task)
        assert preferred(protocol.reopen(task)) == 0
    assert held(protocol, 0) == list(reversed(range(number)))


@pytest.mark.parametrize("agent", [0, 1, 2])
def test_what_is_undone_comes_back_to_who_did_it(agent: int) -> None:
    protocol = deques(6, 3)
    (task,) = protocol.choose(agent, 1) or []
    attempt(protocol, agent, task)
    protocol.board.undo(task)
    assert preferred(protocol.reopen(task)) == agent
    assert held(protocol, agent) == [agent + 3, agent]


def test_what_is_done_does_not_come_back() -> None:
    protocol = deques(2, 1)
    assert protocol.choose(0, 1) == [1]
    attempt(protocol, 0, 1)
    protocol.returned(0, 1)
    assert held(protocol, 0) == [0]


def test_what_comes_back_can_be_stolen() -> None:
    protocol = deques(1)
    assert protocol.choose(0, 1) == [0]
    assert protocol.choose(1, 1) == []
    protocol.returned(0, 0)
    assert protocol.choose(1, 1) == [0]
    assert protocol.board.owner[0] == 1
    attempt(protocol, 1, 0, fails=True)  # it is the thief's now
    assert (held(protocol, 0), held(protocol, 1)) == ([], [0])


def test_what_was_done_elsewhere_is_on_no_deque_and_cannot_be_stolen() -> None:
    protocol = deques(3, start="one")
    for task in (1, 2, 0):
        assert protocol.board.owner[task] == 0
        protocol.forget(task)
    assert (protocol.choose(0, 9), protocol.choose(1, 9)) == ([], [])
    assert protocol.setting.metrics.steals == 0
    protocol.forget(0)  # which is on none
    waits = alone("work_stealing", tasks(a="", b="a"), 2)
    assert waits.board.owner[1] == NOBODY
    waits.forget(1)
    assert waits.choose(0, 9) == [0]


def test_a_thief_robs_each_that_has_something_alike_and_nobody_else() -> None:
    robbed: Counter[int] = Counter()
    workers, thefts = 5, 1000
    protocol = deques(workers * thefts, workers)
    own = held(protocol, 4)
    assert protocol.choose(4, len(own)) == own
    assert protocol.choose(2, thefts) is not None  # it has nothing any more
    owner_of = list(protocol.board.owner)
    for _ in range(thefts):
        (task,) = protocol.choose(4, 1) or []
        robbed[owner_of[task]] += 1
    assert set(robbed) == {0, 1, 3}
    # Of equal chances: refused once in ten thousand seeds.
    assert stats.chisquare(list(robbed.values())).pvalue > 1e-4


def test_the_deque_of_who_is_lost_is_left_to_thieves() -> None:
    protocol = deques(6)
    assert protocol.lost(0) == 3
    assert protocol.choose(1, 9) == [5, 3, 1]
    assert [protocol.choose(1, 1) for _ in range(4)] == [[0], [2], [4], []]
    assert protocol.lost(1) == 0
