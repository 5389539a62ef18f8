"""The sides of a team by themselves: the owners of tasks, and the effect of a partition."""

from __future__ import annotations

import pytest

from simulator.model.board import NOBODY
from simulator.model.protocols import EVERYONE
from simulator.model.tasks import Task, TaskGraph
from simulator.model.team.partition import Partitions
from simulator.model.trace import Event
from simulator.scenario.network import Partition
from tests.model.parts import Crew, bag, hands, outcome, tasks


def test_who_is_lost_gives_its_tasks_to_the_others() -> None:
    crew = Crew(bag(6), workers=3)
    assert hands(crew) == [[0, 3], [1, 4], [2, 5]]
    assert crew.sides.give_away(crew.agents[1]) == 2
    assert hands(crew) == [[0, 1, 3], [], [2, 4, 5]]
    assert crew.clock.woken == [EVERYONE, 0, 2]


def test_what_a_protocol_finds_to_do_is_told_once() -> None:
    crew = Crew(bag(4))
    told = [row.task for row in crew.rows(Event.TASK_READY)]
    assert told == [0, 1, 2, 3]
    crew.sides.give_away(crew.agents[1])
    crew.clock.woken.clear()
    crew.sides.note_woken()
    assert crew.clock.woken == []


@pytest.mark.parametrize(("state", "is_back"), [("is_down", 0), ("is_retired", 0), ("", 1)])
def test_only_who_is_there_is_given_tasks_again(state: str, is_back: int) -> None:
    crew = Crew(bag(2))
    agent = crew.agents[1]
    crew.sides.give_away(agent)
    if state:
        setattr(agent, state, True)
    crew.sides.take_back(agent)
    assert crew.sides.dispatcher.here == [0, 1][: 1 + is_back]


def test_who_is_shut_out_hands_its_tasks_on_and_is_let_in_once() -> None:
    crew = Crew(bag(2))
    agent = crew.agents[1]
    crew.sides.shut_out(agent)
    assert (crew.metrics.too_long_prompts, agent.is_of_use) == (1, False)
    assert hands(crew) == [[0, 1], []]
    crew.clock.woken.clear()
    for _ in range(2):
        crew.sides.let_in(crew.agents)
    assert crew.clock.woken == [1]
    assert crew.sides.dispatcher.here == [0, 1]


def test_a_verifier_that_is_shut_out_gives_nothing_away() -> None:
    crew = Crew(bag(2), review={"by": "verifiers"})
    crew.sides.shut_out(crew.verifiers[0])
    assert (hands(crew), crew.clock.woken) == ([[0], [1]], [])


def test_who_is_cut_off_works_on_a_board_of_its_own() -> None:
    crew = Crew(bag(2))
    main, sides, cut_off = crew.sides.board, crew.sides, crew.agents[1:]
    sides.cut(cut_off)
    crew.do(1, 1)
    assert (main.left, cut_off[0].board.left) == (2, 1)
    side = sides.join(cut_off)
    assert side is not None
    assert [task for task, _, _ in side.done()] == [1]
    assert (cut_off[0].board, cut_off[0].dispatcher) == (main, sides.dispatcher)
    assert sides.join(cut_off) is None


def test_a_task_that_arrives_is_seen_on_both_sides() -> None:
    crew = Crew(TaskGraph.of([Task(id="a"), Task(id="late", arrival_s=5)]))
    crew.sides.cut(crew.agents[1:])
    crew.clock.woken.clear()
    assert crew.sides.arrive(1, 5.0)
    assert [agent.board.ready_s[1] for agent in crew.agents] == [5.0, 5.0]
    assert crew.clock.woken == [1, 1]  # it was dealt to worker 1, on either board
    assert crew.clock.moved_s == 5.0


def test_merges_that_are_owed_add_up_until_they_are_made() -> None:
    crew = Crew(bag(1))
    for seconds in (2.0, 3.0):
        crew.sides.owe_merge(crew.agents[1], seconds)
    assert (crew.sides.owed_s, crew.metrics.merges) == ({1: 5.0}, 2)
    assert crew.sides.begin_merge(crew.agents[1]) == 5.0
    crew.sides.owe_merge(crew.agents[1], 4.0)  # in the middle of the one that it makes
    crew.sides.merged(crew.agents[1])
    assert crew.sides.owed_s == {1: 4.0}
    assert crew.sides.begin_merge(crew.agents[1]) == 4.0
    crew.sides.merged(crew.agents[1])
    assert crew.sides.owed_s == {}


def test_enough_is_done_when_no_more_than_the_spare_is_left() -> None:
    crew = Crew(bag(3), spare=1)
    found = [crew.sides.tasks_are_done]
    for worker, task in ((0, 0), (1, 1), (0, 2)):
        crew.do(worker, task)
        found.append(crew.sides.tasks_are_done)
    assert found == [False, False, True, True]


def test_a_minority_is_cut_off_from_the_end_and_waits_where_the_team_is_consistent() -> None:
    crew = Crew(bag(5), workers=5)
    split = crew.partitions()
    crew.clock.reach(3.0)
    split.split(Partition(at_s=3, duration_s=5, minority=0.4))
    assert [agent.side for agent in crew.agents] == [0, 0, 0, 1, 1]
    assert (crew.sides.other, crew.sides.split_s) == (None, 3.0)
    crew.agents[4].time.in_call, crew.agents[4].time.waits_for = True, "partition"
    split.heal()
    assert [agent.side for agent in crew.agents] == [0] * 5
    assert crew.clock.resumed == [4]


@pytest.mark.parametrize("minority", [0.01, 0.99])
def test_there_is_somebody_on_either_side(minority: float) -> None:
    crew = Crew(bag(1), workers=3)
    crew.partitions().split(Partition(at_s=0, duration_s=5, minority=minority))
    assert 1 <= sum(agent.side for agent in crew.agents) <= 2


def cut_in_two() -> tuple[Crew, Partitions]:
    """Return a crew cut in two, of which both sides have done task 0, and each one of its own."""
    space = {"kind": "quorum", "replicas": 3, "on_partition": "available", "merge_s": 7}
    crew = Crew(
        tasks(a="", b="", c="", d="b c"), protocol="self_claim", goes_on=True, workspace=space
    )
    split = crew.partitions()
    split.split(Partition(at_s=0, duration_s=5, minority=0.5))
    for worker, task in ((0, 0), (1, 0), (0, 1), (1, 2)):
        crew.do(worker, task)
    return crew, split


def test_what_both_sides_did_was_done_in_vain_once_and_is_merged() -> None:
    crew, split = cut_in_two()
    assert [agent.board.left for agent in crew.agents] == [2, 2]
    assert outcome(crew) == (4, 4, 0, 0)
    split.heal()
    assert outcome(crew) == (3, 3, 0, 0)
    assert list(crew.sides.board.done) == [1, 1, 1, 0]
    assert list(crew.sides.board.doer) == [0, 0, 1, NOBODY]
    assert (crew.metrics.work_s, crew.metrics.wasted_s) == (3.0, 1.0)
    assert (crew.sides.owed_s, crew.metrics.duplicate_attempts) == ({1: 7.0}, 1)
    assert hands(crew)[0] == [3]  # what needs both can start


def test_calls_under_way_when_a_partition_heals_count_if_they_are_older_than_it() -> None:
    crew = Crew(bag(4), workers=4, goes_on=True)
    for agent in crew.workers:
        agent.call.picks, agent.time.in_call = (
            crew.sides.dispatcher.choose(agent.index, 1) or [],
            True,
        )
    split = crew.partitions()
    split.split(Partition(at_s=0, duration_s=5, minority=0.75))
    _, still, later, ended = crew.workers
    later.call.number += 1  # its first is over, and it is in another
    ended.time.in_call = False
    split.heal()
    assert [agent.call.is_astray for agent in (still, later, ended)] == [False, True, False]
    assert hands(crew) == [[], [], [2], [3]]  # what was begun before and not done


def test_what_a_minority_did_in_a_run_that_ends_first_was_in_vain() -> None:
    crew, split = cut_in_two()
    split.abandon()
    assert outcome(crew) == (2, 2, 0, 0)
    assert (crew.metrics.work_s, crew.metrics.wasted_s) == (2.0, 2.0)


def test_work_and_rework_of_a_task_that_both_sides_did_are_taken_back_each() -> None:
    crew = Crew(bag(1), goes_on=True)
    split = crew.partitions()
    split.split(Partition(at_s=0, duration_s=5, minority=0.5))
    other = crew.sides.other
    assert other is not None
    crew.metrics.work_s, crew.metrics.rework_s = 10.0, 4.0
    for seconds, is_rework in ((3.0, False), (1.0, True), (1.5, True)):
        other.note(0, seconds, is_rework)
    for side in (crew.agents[1], crew.agents[0]):
        crew.settlement.settle(side, 0, 0, 0.0, [], 0.0)
    split.heal()
    metrics = crew.metrics
    assert (metrics.work_s, metrics.rework_s, metrics.wasted_s) == (7.0, 1.5, 5.5)
    assert metrics.duplicate_attempts == 1
    told = [(row.duration_s, row.outcome) for row in crew.rows(Event.DIVERGED)]
    assert told == [(3.0, "first_attempt"), (2.5, "rework")]


@pytest.mark.parametrize(
    ("workers", "minority", "count"),
    [(4, 0.4, 2), (4, 0.3, 1), (5, 0.4, 2), (7, 0.4, 3), (7, 0.3, 2), (10, 0.29, 3)],
)
def test_as_many_are_cut_off_as_come_nearest_to_the_share(
    workers: int, minority: float, count: int
) -> None:
    crew = Crew(bag(1), workers=workers)
    crew.partitions().split(Partition(at_s=0, duration_s=5, minority=minority))
    assert [agent.side for agent in crew.agents] == [0] * (workers - count) + [1] * count
