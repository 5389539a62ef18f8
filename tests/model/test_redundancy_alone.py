"""Tasks in the queues of several agents: first come, first served, by whoever is first."""

from __future__ import annotations

from collections import Counter
from math import comb

import pytest
from scipy import stats

from tests.conftest import run
from tests.model.parts import bag
from tests.model.test_protocols_alone import alone


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
