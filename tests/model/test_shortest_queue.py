"""Tasks that join the shortest of some queues."""

from __future__ import annotations

import pytest

from tests.conftest import run
from tests.model.parts import bag
from tests.model.test_protocols_alone import alone, finish

PER_UNIT = {"kind": "seconds", "base": 0, "per_work_unit_s": 1}
SHORTEST_OF_TWO = {"kind": "shortest_queue", "choices": 2}


def test_if_all_queues_are_looked_at_they_stay_as_long_as_each_other() -> None:
    dispatcher = alone("shortest_queue", bag(10), workers=4, choices=4)
    assert sorted(len(hand) for hand in dispatcher.ready) == [2, 2, 3, 3]


def test_who_is_at_work_has_a_longer_queue_by_that() -> None:
    dispatcher = alone("shortest_queue", bag(5), workers=2, choices=2)
    longer = max((0, 1), key=lambda agent: len(dispatcher.ready[agent]))
    assert [len(dispatcher.ready[agent]) for agent in (longer, 1 - longer)] == [3, 2]
    task, *_ = dispatcher.choose(longer, 2) or []
    # One waits and two are at work, against two that wait.
    assert dispatcher.task_ready(task) == 1 - longer


@pytest.mark.parametrize("replication", range(4))
def test_who_has_just_finished_has_an_empty_queue(replication: int) -> None:
    """A chain of 1 s tasks stays with the agent that is free, never behind the task of 100 s."""
    chain = [{"id": str(i), "dependencies": [str(i - 1)] if i else []} for i in range(20)]
    m = run(
        replication,
        team={"size": 2, "agent": {"latency": PER_UNIT}},
        coordination={"protocol": SHORTEST_OF_TWO, "timing": "asynchronous"},
        workload={"kind": "dag", "tasks": [{"id": "long", "size": 100}, *chain]},
    )
    assert m.makespan_s == 100


def test_a_task_that_waits_for_review_is_no_longer_in_a_queue() -> None:
    dispatcher = alone("shortest_queue", bag(2), workers=2, choices=2)
    task, *_ = dispatcher.choose(0, 1) or []
    dispatcher.choose(1, 1)
    dispatcher.handed_in(0, task)
    assert dispatcher.task_ready(task) == 0  # the other is still at work


def test_the_queue_of_who_is_gone_joins_the_shortest_queues() -> None:
    dispatcher = alone("shortest_queue", bag(9), workers=3, choices=3)
    for task in dispatcher.choose(2, 3) or []:
        dispatcher.attempt_ended(2, task, done=True)
    dispatcher.lost(0)
    # The second has three tasks, the third none: that one gets all three.
    assert [len(hand) for hand in dispatcher.ready] == [0, 3, 3]


def test_who_is_gone_leaves_its_queue_to_the_others() -> None:
    dispatcher = alone("shortest_queue", bag(9), workers=3)
    held = len(dispatcher.ready[1])
    assert dispatcher.lost(1) == held
    finish(dispatcher)
    assert dispatcher.board.left == 0


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("choices", [1, 2, 9])
def test_all_work_is_done(workers: int, choices: int) -> None:
    protocol = {"kind": "shortest_queue", "choices": choices}
    m = run(team__size=workers, workload__tasks=20, coordination__protocol=protocol)
    assert (m.outcome, m.tasks_done) == ("completed", 20)
    if choices >= workers:
        assert m.makespan_s == -(-20 // workers)
