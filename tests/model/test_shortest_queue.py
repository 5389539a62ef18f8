"""Tasks that join the shortest of some queues."""

from __future__ import annotations

import pytest

from tests.conftest import run
from tests.model.parts import bag
from tests.model.test_protocols_alone import alone, finish


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
