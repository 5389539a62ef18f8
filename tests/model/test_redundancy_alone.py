"""Tasks in the queues of several agents: first come, first served, by whoever is first."""

from __future__ import annotations

from collections import Counter
from math import comb

import pytest
from scipy import stats

from simulator.model.protocols import Dispatcher
from tests.conftest import exponential, run
from tests.model.parts import bag, tasks
from tests.model.test_protocols_alone import alone, call


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("tasks", [1, 4, 7])
def test_each_serves_its_queue_in_order_of_arrival(tasks: int, count: int) -> None:
    queues = alone("redundancy", bag(tasks), workers=1, copies=1)
    served: list[int] = []
    while picks := queues.choose(0, count):
        served += picks
    assert served == list(range(tasks))


@pytest.mark.parametrize("tasks", [2, 5])
def test_a_task_that_has_failed_is_done_again_before_those_that_came_later(tasks: int) -> None:
    queues = alone("redundancy", bag(tasks), workers=1, copies=1)
    assert queues.choose(0, 1) == [0]
    queues.attempt_ended(0, 0, False)
    assert [queues.choose(0, 1) for _ in range(tasks)] == [[task] for task in range(tasks)]


@pytest.mark.parametrize(("workers", "copies"), [(2, 1), (4, 2), (5, 3), (5, 5), (3, 9)])
def test_every_choice_of_agents_is_equally_likely(workers: int, copies: int) -> None:
    tasks, chosen = 2000, min(copies, workers)
    queues = alone("redundancy", bag(tasks), workers=workers, copies=copies)
    holders: dict[int, list[int]] = {task: [] for task in range(tasks)}
    for agent in range(workers):
        while picks := queues.choose(agent, 1):
            holders[picks[0]].append(agent)
    drawn = Counter(tuple(agents) for agents in holders.values())
    assert {len(agents) for agents in drawn} == {chosen}
    kinds = comb(workers, chosen)
    assert len(drawn) == kinds
    # Of equal chances: refused once in ten thousand seeds.
    assert kinds == 1 or stats.chisquare(list(drawn.values())).pvalue > 1e-4


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_as_many_agents_as_copies_are_at_work_on_a_task(copies: int) -> None:
    m = run(
        team__size=3,
        workload__tasks=1,
        coordination={
            "protocol": {"kind": "redundancy", "copies": copies},
            "timing": "asynchronous",
        },
    )
    # Of copies that take the same second, one does the task and the others are cancelled.
    assert (m.makespan_s, m.work_s + m.wasted_s) == (1.0, float(copies))


@pytest.mark.parametrize(("workers", "copies"), [(1, 1), (3, 1), (4, 2), (5, 5), (3, 9)])
def test_all_who_have_a_new_task_are_called(workers: int, copies: int) -> None:
    queues = alone("redundancy", tasks(a="", b="a"), workers=workers, copies=copies)
    queues.forget(0)
    queues.take_woken()
    called = [queues.task_ready(1), *queues.take_woken()]
    holders = [agent for agent in range(workers) if queues.choose(agent, 1)]
    assert sorted(called) == holders
    assert len(holders) == min(copies, workers)


def test_what_was_done_elsewhere_leaves_all_queues() -> None:
    queues = alone("redundancy", bag(3), workers=3, copies=3)
    queues.forget(1)
    assert [queues.choose(agent, 9) for agent in range(3)] == [[0, 2]] * 3


@pytest.mark.parametrize("copies", [1, 2, 3])
@pytest.mark.parametrize("number", [1, 6, 7])
def test_a_task_of_which_nobody_else_has_a_copy_is_sent_to_those_who_are_there(
    number: int, copies: int
) -> None:
    queues = alone("redundancy", bag(number), workers=4, copies=copies)
    copy = queues.fork(queues.board.copy())
    held = [set(copy.choose(agent, 99) or []) for agent in range(4)]
    others = set().union(*held[1:])
    queues.take_woken()
    assert queues.lost(0) == len(held[0] - others)
    queues.take_woken()
    after = [set(queues.choose(agent, 99) or []) for agent in range(4)]
    assert after[0] == set()
    for task in range(number):
        holders = sum(task in mine for mine in after[1:])
        if task in others:  # who has a copy goes on with it, and nobody gets another
            assert holders == sum(task in mine for mine in held[1:])
        else:
            assert holders == min(copies, 3)


def queued(queues: Dispatcher, agent: int) -> list[int]:
    """Return what an agent would do next."""
    return queues.fork(queues.board.copy()).choose(agent, 99) or []


@pytest.mark.parametrize("number", [1, 4, 7])
def test_who_is_given_what_another_had_is_called(number: int) -> None:
    queues = alone("redundancy", bag(number), workers=2, copies=1)
    held = queued(queues, 0)
    queues.take_woken()
    assert queues.lost(0) == len(held)
    assert queues.take_woken() == [1] * len(held)
    assert sorted(queued(queues, 1)) == list(range(number))


def test_what_is_done_is_given_to_nobody() -> None:
    queues = alone("redundancy", bag(4), workers=2, copies=2)
    assert call(queues, 0) == [0]
    assert queues.lost(1) == 0
    assert queued(queues, 0) == [1, 2, 3]


def test_who_is_alone_keeps_its_tasks_until_it_is_back() -> None:
    queues = alone("redundancy", bag(3), workers=1)
    assert queues.lost(0) == 0
    queues.back(0)
    assert queued(queues, 0) == [0, 1, 2]


def test_what_can_start_while_nobody_is_there_is_done_by_who_is_back_first() -> None:
    queues = alone("redundancy", tasks(a="", b="a"), workers=2, copies=1)
    for agent in (0, 1):
        queues.lost(agent)
    assert queues.task_ready(1) in (0, 1)
    queues.back(1)
    assert queued(queues, 1) == [0, 1]


def test_a_copy_that_came_to_nothing_is_first_in_its_queue_once_and_only_if_it_is_of_use() -> None:
    queues = alone("redundancy", bag(3), workers=2, copies=2)
    assert queues.choose(0, 1) == [0]
    for _ in range(2):
        queues.returned(0, 0)
    assert queued(queues, 0) == [0, 1, 2]
    assert queues.choose(0, 1) == call(queues, 1) == [0]
    queues.returned(0, 0)  # the other has done it
    assert queued(queues, 0) == [1, 2]


def test_a_call_of_who_was_lost_passes_its_task_on() -> None:
    queues = alone("redundancy", bag(1), workers=2, copies=1)
    who = 0 if queued(queues, 0) else 1
    assert queues.choose(who, 1) == [0]
    assert queues.lost(who) == 0
    queues.returned(who, 0)
    assert (queued(queues, who), queued(queues, 1 - who)) == ([], [0])


@pytest.mark.parametrize("correlation", [0.0, 1.0])
def test_copies_that_take_as_long_as_the_first_gain_nothing(correlation: float) -> None:
    # Each alone takes 1 s in the mean; the first of three, a third of it.
    m = run(
        team={"size": 3, "agent": {"latency": exponential(), "behaviour": {"talk": 0}}},
        workload__tasks=600,
        coordination={
            "protocol": {"kind": "redundancy", "copies": 3, "correlation": correlation},
            "timing": "asynchronous",
        },
    )
    expected = 600.0 if correlation else 200.0
    # Four standard errors of a sum of 600 exponential times.
    assert abs(m.makespan_s - expected) < 4.0 * expected / 600**0.5
