"""What a team has in common, part by part: reviews, reports to coordinators, commits."""

from __future__ import annotations

import pytest

from simulator.model.agents.agent import COORDINATOR, AgentState
from simulator.model.agents.channels import Log
from simulator.model.board import ESCAPED, KNOWN
from simulator.model.protocols import SOMEONE
from simulator.model.tasks import Task, TaskGraph
from simulator.model.team.coordination import Coordination
from simulator.model.team.errand import Errand
from simulator.model.team.patterns import Patterns
from simulator.model.team.review import Reviews
from simulator.model.team.review_queue import Submission
from simulator.model.trace import Event
from simulator.scenario.coordination import Review
from tests.model.parts import Crew, bag, begin_call, hands, outcome, tasks


def hand_in(crew: Crew, *done: tuple[int, int]) -> None:
    for worker, task in done:
        crew.queue.submit(crew.agents[worker], task, 0, 0.0, False)


def reviewed(crew: Crew, agent: AgentState) -> list[int]:
    """Return what an agent has read in the review that ends, and decide about it."""
    items = crew.queue.take(agent)
    for item in items:
        crew.queue.let_go(item)
    return [item.task for item in items]


def test_verifiers_take_a_batch_of_what_has_waited_longest() -> None:
    crew = Crew(bag(3), review={"by": "verifiers", "verifiers": 2, "batch": 2, "work": 0.25})
    hand_in(crew, (1, 1), (0, 0), (0, 2))
    assert crew.clock.woken == [2, 3] * 3  # both, each time
    first, second = crew.verifiers
    assert crew.queue.next_call(first) == Errand(0.25 * 2, False)
    assert crew.queue.next_call(second) == Errand(0.25, False)
    assert (reviewed(crew, first), reviewed(crew, second)) == ([1, 0], [2])
    assert crew.queue.next_call(first) is None


def test_a_review_that_failed_waits_at_the_head_of_the_queue() -> None:
    crew = Crew(bag(2), review={"by": "verifiers"})
    hand_in(crew, (0, 0), (1, 1))
    (verifier,) = crew.verifiers
    crew.queue.next_call(verifier)
    crew.queue.returned(verifier)
    assert not crew.queue.is_reviewing(verifier)
    crew.queue.next_call(verifier)
    assert reviewed(crew, verifier) == [0]


class _Counted(int):
    """A task that notes when it is held beside another."""

    looked_at = 0

    def __eq__(self, other: object) -> bool:
        _Counted.looked_at += 1
        return int(self) == other

    __hash__ = int.__hash__


def test_whether_a_task_waits_for_review_is_known_without_a_look_at_all_that_waits() -> None:
    """A free agent asks it for each task that it may back up."""
    crew = Crew(bag(100), review={"by": "verifiers", "batch": 2})
    hand_in(crew, *[(0, _Counted(task)) for task in range(90)])
    (verifier,) = crew.verifiers
    _Counted.looked_at = 0
    assert [task for task in range(100) if crew.queue.holds(task)] == list(range(90))
    assert _Counted.looked_at <= 100
    crew.queue.next_call(verifier)
    assert crew.queue.holds(0)  # it is under review
    crew.queue.returned(verifier)
    assert crew.queue.holds(0)
    crew.queue.next_call(verifier)
    assert reviewed(crew, verifier) == [0, 1]
    assert [task for task in range(3) if crew.queue.holds(task)] == [2]


def test_reviews_that_failed_keep_their_order_and_call_another_reviewer() -> None:
    """Of four tasks two are under review, when the review fails: they come first again."""
    crew = Crew(bag(4), review={"by": "verifiers", "verifiers": 2, "batch": 2})
    hand_in(crew, (0, 0), (0, 1), (0, 2), (0, 3))
    first, second = crew.verifiers
    crew.queue.next_call(first)
    crew.clock.take_woken()
    crew.queue.returned(first)
    assert second.index in crew.clock.take_woken()
    for batch in ([0, 1], [2, 3]):
        crew.queue.next_call(second)
        assert reviewed(crew, second) == batch


def test_nobody_reviews_its_own_work_or_that_of_the_other_side() -> None:
    crew = Crew(bag(3), workers=3, review={"by": "peers", "batch": 3})
    hand_in(crew, (0, 0), (1, 1), (2, 2))
    assert crew.clock.woken == [SOMEONE] * 3
    crew.sides.cut(crew.agents[2:])
    assert crew.queue.next_call(crew.agents[2]) is None
    crew.queue.next_call(crew.agents[0])
    assert reviewed(crew, crew.agents[0]) == [1]


def test_a_submission_remembers_the_board_on_which_it_was_done() -> None:
    crew = Crew(bag(2), review={"by": "peers"}, goes_on=True)
    agent = crew.agents[1]
    agent.time.started_s, agent.call.is_backup = 4.0, True
    crew.sides.cut([agent])
    item = Submission(agent, 1, 0, 4.0, agent.board, True)
    crew.queue.submit(agent, 1, 0, 0.0, False)
    crew.sides.join([agent])
    assert crew.queue.next_call(crew.agents[0]) is None  # it was done on a board that is gone
    crew.queue.put_back([item._replace(board=crew.sides.board)])
    crew.queue.next_call(crew.agents[0])
    assert crew.queue.take(crew.agents[0]) == [item._replace(board=crew.sides.board)]


def test_a_coordinator_reviews_what_those_handed_in_whom_it_answers() -> None:
    crew = Crew(bag(3), review={"by": "coordinator", "work": 0.5})
    lead = crew.join(COORDINATOR)
    hand_in(crew, (0, 0), (0, 2), (1, 1))
    assert crew.queue.take_submitted(lead, [crew.agents[0]]) == 0.5 * 2
    assert reviewed(crew, lead) == [0, 2]
    assert [crew.queue.awaited(agent) for agent in crew.workers] == [False, True]


def test_what_a_coordinator_failed_to_review_is_there_when_it_answers_again() -> None:
    crew = Crew(bag(1), review={"by": "coordinator"})
    lead = crew.join(COORDINATOR)
    hand_in(crew, (0, 0))
    for _ in range(2):
        crew.queue.take_submitted(lead, [crew.agents[0]])
        assert crew.queue.is_reviewing(lead)
        crew.queue.returned(lead)
    crew.queue.take_submitted(lead, [crew.agents[0]])
    assert reviewed(crew, lead) == [0]
    crew.queue.submit(crew.agents[0], 0, 0, 0.0, False)
    assert crew.queue.awaited(crew.agents[0])


def test_where_coordinators_leave_reviews_are_left_out_and_what_waits_is_handed_over() -> None:
    crew = Crew(bag(2), review={"by": "coordinator"})
    hand_in(crew, (0, 0), (1, 1))
    assert crew.queue.leave_out("peers") == []
    assert crew.queue.wanted
    assert [item.task for item in crew.queue.leave_out("coordinator")] == [0, 1]
    assert not crew.queue.wanted
    assert not crew.queue.awaited(crew.agents[0])


def coordination(
    crew: Crew, one_by_one: bool = True, handed_in: Log | None = None, levels: int = 1
) -> tuple[Coordination, AgentState]:
    """Return the reports of a crew, and the coordinator next to it, of so many in a line."""
    for agent in crew.workers:
        agent.call.message_tokens = 10
    desk = crew.coordination(one_by_one, handed_in, levels)
    return desk, crew.agents[-levels]


def test_a_report_wakes_the_coordinator_and_its_answer_the_worker() -> None:
    crew = Crew(bag(2))
    desk, lead = coordination(crew)
    assert desk.next_call(lead) is None
    crew.agents[1].call.message_tokens = 0  # a message without words is one, too
    for agent in crew.workers:
        desk.report(agent)
    assert [agent.awaits_answer for agent in crew.workers] == [True, True]
    assert desk.next_call(lead) == Errand(1.0, True)
    desk.answer(lead)
    assert [agent.awaits_answer for agent in crew.workers] == [False, True]
    assert crew.clock.woken == [lead.index, lead.index, 0]


def test_reports_that_a_failed_call_was_to_answer_come_first_in_the_next() -> None:
    crew = Crew(bag(3), workers=3)
    desk, lead = coordination(crew)
    for agent in crew.workers:
        desk.report(agent)
    desk.next_call(lead)
    desk.returned(lead)
    for answered in range(3):
        desk.next_call(lead)
        desk.answer(lead)
        waiting = [agent.index for agent in crew.workers if agent.awaits_answer]
        assert waiting == list(range(answered + 1, 3))
    assert desk.next_call(lead) is None


def test_several_reports_that_a_failed_call_was_to_answer_keep_their_order() -> None:
    crew = Crew(bag(8), workers=4, protocol="lead_assign")
    desk, lead = coordination(crew, one_by_one=False)
    desk.answer(lead)
    for agent in crew.workers:
        crew.sides.dispatcher.choose(agent.index, 1)  # what it has been given
    for agent in crew.workers[:3]:
        desk.report(agent)
    desk.next_call(lead)
    desk.report(crew.workers[3])
    desk.returned(lead)
    desk.next_call(lead)
    desk.answer(lead)
    # Who has reported first is given the first of the other tasks.
    assert hands(crew) == [[4], [5], [6], [7]]


def test_a_call_that_failed_before_is_not_taken_back_twice() -> None:
    crew = Crew(bag(1))
    desk, lead = coordination(crew)
    desk.report(crew.agents[0])
    desk.next_call(lead)
    for _ in range(2):
        desk.returned(lead)
    assert desk.next_call(lead) == Errand(1.0, True)
    assert desk.next_call(lead) is None


def test_without_coordinators_nobody_reports_and_nothing_is_aggregated() -> None:
    crew = Crew(bag(1))
    desk, lead = coordination(crew, handed_in=Log())
    desk.dissolve()
    for agent in crew.workers:
        desk.report(agent)
    assert desk.is_to_aggregate is False
    assert (desk.next_call(lead), crew.clock.woken) == (None, [])


def test_a_lead_hands_out_tasks_when_it_answers() -> None:
    crew = Crew(bag(2), protocol="lead_assign")
    desk, lead = coordination(crew, one_by_one=False)
    assert hands(crew) == [[], []]
    for agent in crew.workers:
        desk.report(agent)
    desk.next_call(lead)
    desk.answer(lead)
    assert hands(crew) == [[0], [1]]


def test_in_rounds_all_reports_are_answered_in_one_call_and_nobody_waits() -> None:
    crew = Crew(bag(2), workers=3)
    desk, lead = coordination(crew, one_by_one=False)
    for agent in crew.workers:
        desk.report(agent)
    assert not any(agent.awaits_answer for agent in crew.workers)
    assert desk.next_call(lead) == Errand(3.0, True)
    assert desk.next_call(lead) is None


def test_who_has_said_nothing_or_is_cut_off_does_not_report() -> None:
    crew = Crew(bag(2))
    desk, lead = coordination(crew)
    crew.agents[0].call.message_tokens = -1
    crew.agents[1].move_to(1)
    for agent in crew.workers:
        desk.report(agent)
    assert (desk.next_call(lead), crew.clock.woken) == (None, [])


def test_a_summary_is_due_when_everybody_below_has_reported() -> None:
    crew = Crew(bag(2))
    desk, lead = coordination(crew, levels=2)
    above = lead.index + 1
    due = []
    for agent in crew.workers * 2:
        desk.report(agent)
        desk.next_call(lead)
        desk.answer(lead)
        desk.report(lead)
        due.append(crew.clock.woken.count(above))
    assert due == [0, 1, 1, 2]


def test_an_aggregator_calls_once_when_all_is_done_and_hears_from_everybody() -> None:
    crew, log = Crew(bag(2)), Log()
    desk, lead = coordination(crew, handed_in=log)
    desk.call_aggregator()
    assert (desk.next_call(lead), crew.clock.woken) == (None, [])
    for worker in range(2):
        crew.do(worker, worker)
    desk.call_aggregator()
    assert crew.clock.woken == [lead.index]
    for _ in range(2):  # it asks again after a call that failed, and is handed nothing twice
        assert desk.next_call(lead) == Errand(2.0, False)
    assert (log.messages, crew.metrics.messages) == (2, 2)
    assert crew.metrics.deliveries == 2
    desk.answer(lead)
    assert desk.next_call(lead) is None


def test_a_commit_frees_what_needs_it_and_has_waited_since_it_could_start() -> None:
    crew = Crew(tasks(a="", b="a", c="a", d="b c"))
    assert crew.do(0, 0, now=4.0) == [1, 2]
    crew.agents[0].time.started_s = 6.0
    assert crew.do(0, 1, now=9.0) == []
    assert crew.settlement.wait_sum_s == 6.0 - 4.0
    assert outcome(crew) == (2, 2, 0, 0)
    assert (crew.metrics.attempts, crew.metrics.work_s) == (2, 2.0)


def test_what_a_call_frees_and_does_itself_concerns_nobody_else() -> None:
    crew = Crew(tasks(a="", b="a", c="b"))
    assert crew.do(0, 0, 1) == [2]
    assert [row.task for row in crew.rows(Event.TASK_READY)] == [0, 1]
    assert (outcome(crew), crew.metrics.blocked_claims) == ((2, 2, 0, 0), 1)


def test_what_cannot_start_is_blocked_and_what_is_done_a_duplicate() -> None:
    crew = Crew(tasks(a="", b="a"), protocol="self_claim")
    crew.do(0, 1)
    assert (crew.metrics.blocked_claims, crew.metrics.wasted_s) == (1, 1.0)
    for worker in range(2):
        crew.do(worker, 0)
    assert (crew.metrics.duplicate_attempts, crew.metrics.wasted_s) == (1, 2.0)
    assert crew.metrics.rewrites == 1  # a duplicate is written, too
    assert outcome(crew) == (1, 1, 0, 0)


FAILS = {"errors": {"probability": 1, "max_attempts": 3}}


def test_what_fails_its_tests_is_done_again_and_given_up_in_the_end() -> None:
    crew = Crew(bag(2), **FAILS)
    done = []
    for _ in range(3):
        assert hands(crew)[0] == [0]
        crew.sides.dispatcher.choose(0, 1)
        crew.do(0, 0)
        done.append(outcome(crew))
    assert done == [(0, 0, 0, 0), (0, 0, 0, 0), (1, 0, 1, 0)]
    assert crew.sides.board.faulty[0] == KNOWN
    assert (crew.metrics.work_s, crew.metrics.rework_s, crew.metrics.failed_tests) == (1.0, 2.0, 3)


class Elsewhere(Patterns):
    """Patterns by which every task is in progress with somebody else, too."""

    def is_elsewhere(self, agent: AgentState, task: int) -> bool:
        return True


def test_a_task_with_a_copy_in_progress_is_not_given_up() -> None:
    crew = Crew(bag(1), patterns=Elsewhere(), **FAILS)
    for _ in range(5):
        crew.do(0, 0)
    assert (outcome(crew), crew.sides.board.failures[0]) == ((0, 0, 0, 0), 5)


def test_what_a_backup_fails_at_stays_with_its_owner() -> None:
    crew = Crew(bag(2), errors={"probability": 1})
    assert crew.sides.dispatcher.choose(0, 1) == [0]
    crew.agents[1].call.is_backup = True
    crew.do(1, 0)
    assert hands(crew) == [[], [1]]  # worker 0 is still at it
    crew.do(0, 0)
    assert hands(crew) == [[0], [1]]


@pytest.mark.parametrize("propagation", [0, 1])
def test_a_fault_that_nobody_sees_spoils_what_needs_it(propagation: int) -> None:
    errors = {"probability": 0, "propagation": propagation}
    crew = Crew(tasks(a="", b="a", c="b"), errors=errors)
    freed: list[int] = []
    assert crew.settlement.settle(crew.agents[0], 0, 1, 0.0, freed, 0.0) == "faulty"
    assert freed == [1]
    crew.do(0, 1)
    crew.do(0, 2)
    assert outcome(crew) == (3, 2 * (1 - propagation), 0, 1 + 2 * propagation)


def test_what_a_failed_call_leaves_is_known_to_be_faulty_and_only_what_could_start() -> None:
    crew = Crew(tasks(a="", b="a", c="", d="c"))
    crew.do(0, 2)
    freed: list[int] = []
    for task in (3, 1, 2, 0):
        if crew.settlement.may_leave(crew.agents[0], task):
            crew.settlement.leave_as_it_is(crew.agents[0], task, 5.0, freed)
    assert freed == [1]
    assert outcome(crew) == (3, 1, 2, 0)
    assert list(crew.sides.board.done) == [1, 0, 1, 1]
    assert (crew.metrics.partial_tasks, crew.metrics.attempts) == (2, 3)


def test_a_task_that_is_left_as_it_is_has_a_row_of_its_own() -> None:
    crew = Crew(bag(2))
    agent = crew.agents[1]
    begin_call(agent, [1], now=4.0, number=7, output=0)
    crew.settlement.leave_as_it_is(agent, 1, 5.0, [])
    assert list(crew.sides.board.done) == [0, 1]
    assert crew.sides.board.faulty[1] == KNOWN
    (row,) = crew.rows(Event.ATTEMPT)
    assert (row.agent, row.call, row.task, row.duration_s, row.outcome) == (1, 7, 1, 0.0, "partial")
    assert crew.settlement.wait_sum_s == 4.0


def test_what_is_spoilt_was_correct_and_is_inherited_from() -> None:
    crew = Crew(bag(3))
    for task in (0, 1):
        crew.settlement.settle(crew.agents[0], task, 0, 0.0, [], 0.0)
    assert not crew.settlement.inputs_may_fail
    for task in (0, 1):
        crew.settlement.spoil(crew.sides.board, task)
    assert outcome(crew) == (2, 0, 0, 2)
    assert list(crew.sides.board.faulty) == [ESCAPED, ESCAPED, 0]
    assert crew.settlement.inputs_may_fail is True


@pytest.mark.parametrize(
    ("read_s", "detection", "lost", "found"),
    [
        (0.0, 1, 1, (1, 1, 0, 0)),  # its tests find that task 0 is undone: to be done again
        (0.0, 0, 1, (2, 1, 0, 1)),  # nobody finds out
        (2.0, 1, 0, (2, 2, 0, 0)),  # the writer has seen what was there
    ],
)
def test_a_write_undoes_what_its_writer_has_not_read(
    read_s: float, detection: int, lost: int, found: tuple[int, int, int, int]
) -> None:
    shared = TaskGraph.of([Task(id="a", files=("f",)), Task(id="b", files=("f",))])
    space = {"kind": "last_writer_wins", "loss": 1}
    crew = Crew(shared, workspace=space, errors={"probability": 0, "detection": detection})
    crew.sides.dispatcher.choose(0, 1)
    crew.do(0, 0, now=1.0)
    crew.do(1, 1, now=3.0, read_s=read_s)
    assert (crew.metrics.lost_updates, outcome(crew)) == (lost, found)
    assert hands(crew)[0] == ([] if crew.sides.board.done[0] else [0])
    assert crew.sides.board.faulty[0] == (ESCAPED if lost and not detection else 0)


@pytest.mark.parametrize(
    ("fault", "left"), [(0, (0, 1, 1)), (KNOWN, (1, 0, 1)), (ESCAPED, (1, 1, 0))]
)
def test_what_is_taken_back_is_taken_back_as_it_was_counted(
    fault: int, left: tuple[int, int, int]
) -> None:
    crew = Crew(bag(3))
    agent, settlement = crew.agents[0], crew.settlement
    settlement.settle(agent, 0, 0, 0.0, [], 0.0)
    settlement.settle(agent, 1, 1, 0.0, [], 0.0, is_known=True)
    settlement.settle(agent, 2, 1, 0.0, [], 0.0)
    settlement.uncount(fault)
    assert outcome(crew) == (2, *left)


@pytest.mark.parametrize("byzantine", [False, True])
@pytest.mark.parametrize("answer", [0, 1])
def test_a_reviewer_that_misbehaves_rejects_what_is_right(answer: int, byzantine: bool) -> None:
    crew = Crew(bag(1), review={"by": "verifiers", "miss": 0, "false_alarm": 0})
    (verifier,) = crew.verifiers
    if byzantine:
        verifier.misbehave("wrong")
    who = (crew.queue, crew.sides, crew.settlement, crew.clock, crew.journal)
    reviews = Reviews(Review.model_validate({"by": "verifiers"}), *who)
    crew.queue.submit(crew.agents[0], 0, answer, 0.0, False)
    crew.queue.next_call(verifier)
    reviews.end(verifier, 1.0)
    is_rejected = bool(answer) != byzantine
    assert (crew.metrics.rejections, crew.metrics.tasks_done) == (is_rejected, not is_rejected)
    assert crew.metrics.false_alarms == (byzantine and not answer)


@pytest.mark.parametrize(("second", "right"), [(0, 2), (1, 1)])
def test_a_result_is_misunderstood_by_another_and_not_by_who_made_it(
    second: int, right: int
) -> None:
    crew = Crew(tasks(a="", b="a"), errors={"probability": 0, "hand_off": 1})
    crew.do(0, 0)
    crew.do(second, 1)
    assert outcome(crew) == (2, right, 0, 2 - right)


@pytest.mark.parametrize("idempotent", [False, True])
def test_what_is_done_twice_has_its_effects_twice_unless_they_have_a_key(idempotent: bool) -> None:
    workspace = {"kind": "last_writer_wins", "idempotent": idempotent}
    crew = Crew(bag(2), workspace=workspace)
    for worker, task in ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0)):
        crew.do(worker, task)
    assert crew.metrics.duplicate_attempts == 3
    assert crew.metrics.duplicate_effects == 3 * (not idempotent)
