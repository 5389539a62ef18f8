"""The ledger of claims, their leases and what makes agents forget, each by itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulator.model.answers import CORRECT
from simulator.model.board import Board
from simulator.model.forgetfulness import Forgetfulness, hazards_of
from simulator.model.ledger import Ledger
from simulator.model.protocols._leases import Leases
from simulator.model.streams import Streams
from simulator.model.trace import Event
from simulator.scenario.forgetting import Forgetting
from tests.conftest import z_score
from tests.model.parts import Bench, tasks

ALWAYS = Forgetting.model_validate({"probability": 1, "notice": 1})


class Book(Bench):
    """A bench with a ledger of three agents who forget everything and notice all of it."""

    def __init__(self, is_of_all: bool = False, spec: Forgetting | None = ALWAYS) -> None:
        super().__init__(graph=tasks(a="", b="a", c="b", d=""), is_traced=True)
        self.board = Board(self.graph)
        hazards = hazards_of([spec] * 3, self.streams)
        self.ledger = Ledger(self.board, hazards, self.journal, self.clock, is_of_all)

    def finish(self, agent: int, task: int) -> bool:
        """Let an agent finish a task in its first call; return whether it forgets it."""
        return self.ledger.forgets(agent, task, CORRECT, 1, [task], 0.0)

    def ends(self) -> list[tuple[int | None, str | None]]:
        """Return the claims that have ended, and how."""
        assert self.journal.trace is not None
        rows = self.journal.trace.rows
        return [(row.peer, row.outcome) for row in rows if row.event is Event.CLAIM_END]

    def counts(self) -> tuple[int, ...]:
        m = self.metrics
        return m.claims, m.marked_claims, m.released_claims, m.open_claims


def test_a_claim_ends_marked_released_or_open() -> None:
    book = Book()
    for task in range(3):
        book.ledger.open(task, agent=0)
    book.ledger.mark(0)
    book.ledger.release(1)
    book.ledger.close()
    assert book.ends() == [(1, "marked"), (2, "released"), (3, "open")]
    assert book.counts() == (3, 1, 1, 1)


def test_a_claim_that_has_ended_ends_no_more() -> None:
    book = Book()
    book.ledger.open(0, agent=0)
    for end in (book.ledger.mark, book.ledger.mark, book.ledger.release):
        end(0)
    book.ledger.close()
    assert book.ends() == [(1, "marked")]


def test_only_what_an_agent_holds_can_be_forgotten() -> None:
    book = Book()
    book.ledger.open(0, agent=0)
    assert [book.finish(agent, 0) for agent in (1, 0)] == [False, True]
    assert not book.finish(0, 3)
    assert book.ledger.forgotten_by(0) == [0]


@pytest.mark.parametrize("is_of_all", [False, True])
def test_who_may_mark_what_was_finished(is_of_all: bool) -> None:
    book = Book(is_of_all)
    book.ledger.open(0, agent=0)
    book.finish(0, 0)
    noticed = [book.ledger.noticed_by(agent, 2, 1, 0.0) for agent in (0, 1)]
    assert [[task for task, _ in found] for found in noticed] == [[0], [0] if is_of_all else []]


def test_nobody_notices_in_the_same_call_or_in_one_that_began_before() -> None:
    book = Book(is_of_all=True)
    book.ledger.open(0, agent=0)
    book.clock.reach(5.0)
    book.finish(0, 0)
    assert not book.ledger.noticed_by(0, 1, 1, 5.0)
    assert not book.ledger.noticed_by(1, 2, 1, 4.9)
    assert book.ledger.noticed_by(1, 2, 1, 5.0)


def test_a_claim_that_was_released_is_not_its_agents_to_mark() -> None:
    book = Book()
    book.ledger.open(0, agent=0)
    book.finish(0, 0)
    book.ledger.release(0)
    book.ledger.open(0, agent=0)
    assert not book.ledger.noticed_by(0, 2, 1, 9.0)
    assert (book.ledger.sum_up(), book.metrics.unmarked_tasks) == (1, 1)


def test_what_waits_for_an_orphaned_claim_is_stalled() -> None:
    book = Book()
    book.ledger.open(0, agent=0)
    book.ledger.sum_up()
    assert book.metrics.stalled_tasks == 0
    book.ledger.orphan(0, "down")
    book.ledger.sum_up()
    assert (book.metrics.stalled_tasks, book.metrics.orphaned_claims) == (2, 1)


def test_a_claim_is_orphaned_once_and_recovered_when_it_is_marked() -> None:
    book = Book()
    book.ledger.open(0, agent=0)
    book.finish(0, 0)
    book.ledger.orphan(0, "down")
    book.ledger.mark(0)
    assert (book.metrics.orphaned_claims, book.metrics.recovered_claims) == (1, 1)


def test_what_waits_for_its_review_is_not_held_until_it_comes_back() -> None:
    book = Book()
    for task in range(3):
        book.ledger.open(task, agent=0)
    book.ledger.open(3, agent=1)
    book.ledger.hand_in(1)
    assert (book.ledger.held_by(0), book.ledger.held_by(1)) == ([0, 2], [3])
    book.ledger.take_back(1)
    assert (book.ledger.held_by(0), book.ledger.held_by(1)) == ([0, 1, 2], [3])


def test_each_side_of_a_partition_keeps_account_of_its_own_claims() -> None:
    book = Book()
    book.ledger.open(0, agent=0)
    fork = book.ledger.fork(book.board.copy())
    fork.open(3, agent=1)
    fork.release_all()
    assert book.ends() == [(2, "released")]
    book.ledger.close()
    assert book.counts() == (2, 0, 1, 1)


def test_what_was_finished_on_the_other_side_is_taken_over_unless_it_is_done() -> None:
    book = Book()
    fork = book.ledger.fork(book.board.copy())
    for task in (0, 3):
        fork.open(task, agent=1)
        fork.forgets(1, task, CORRECT, 1, [task], 0.0)
    book.board.complete(3, 0, 1.0)
    book.ledger.take_in(fork)
    assert book.ledger.sum_up() == book.metrics.unmarked_tasks == 1


def test_a_lease_in_rounds_ends_before_the_round_after_its_last() -> None:
    leases = Leases(None, 2, (bench := Bench()).clock, bench.metrics)
    ended: dict[int, list[int]] = {}
    for number in range(1, 8):
        ended[number] = leases.begin_round(number)
        if number <= 3:
            leases.begin(number - 1, lambda task: None)
    assert {n: over for n, over in ended.items() if over} == {4: [0], 5: [1], 6: [2]}
    assert bench.metrics.lease_expiries == 3


def test_a_lease_in_seconds_ends_then_unless_the_claim_has_ended_or_was_made_again() -> None:
    bench, over = Bench(), list[tuple[int, float]]()
    leases = Leases(3.0, None, bench.clock, bench.metrics)
    for task in range(3):
        leases.begin(task, lambda task: over.append((task, bench.clock.now)))
    leases.end(0)
    bench.clock.reach(1.0)
    leases.begin(2, lambda task: over.append((task, bench.clock.now)))
    while bench.clock.happens():
        pass
    assert over == [(1, 3.0), (2, 4.0)]


def logit(p: float) -> float:
    return math.log(p / (1.0 - p))


@pytest.mark.theory
@pytest.mark.parametrize("is_alone", [False, True])
def test_the_slopes_add_up_on_the_logit_scale(is_alone: bool) -> None:
    spec = Forgetting.model_validate(
        {
            "probability": 0.1,
            "claims_logit": 0.3,
            "depth_logit": -0.2,
            "waiting_logit": -0.5,
            "team_logit": 0.4,
        }
    )
    graph = tasks(a="", b="a", c="b", d="c", e="d")  # 3 come before d, and 2 wait: d and e
    hazard = Forgetfulness(spec, agent=1, is_alone=is_alone, streams=Streams(4, 0))
    x = logit(0.1) + (0.0 if is_alone else 0.4) + 0.3 * 2 - 0.2 * 3 - 0.5 * math.log(2)
    p = 1.0 / (1.0 + math.exp(-x))
    # 4 standard errors: about 1 test in 16,000 fails by chance.
    assert abs(z_score([hazard.forgets(1, 3, [1, 2, 3], Board(graph)) for _ in range(4000)], p)) < 4


@pytest.mark.theory
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_a_call_that_keeps_all_or_nothing_keeps_any_as_often(share: float) -> None:
    """It keeps two tasks with chances 1/3 and 0.2, as another waits for one, which it cannot do."""
    fields = {"probability": 0.2, "waiting_logit": 1.0, "all_or_nothing": share}
    hazard = Forgetfulness(Forgetting.model_validate(fields), 0, True, Streams(4, 0))
    board, done = Board(tasks(a="", b="a", c="")), [0, 2]
    kept = [
        tuple(hazard.forgets(n, each, [0, 1, 2], board) for each in done) for n in range(1, 4001)
    ]
    apart = {(True, False): 0.8 / 3, (False, True): 0.2 * 2 / 3, (True, True): 0.2 / 3}
    for which, chance in apart.items():
        all_ = 1.0 - 0.8 * 2 / 3 if all(which) else 0.0
        p = share * all_ + (1.0 - share) * chance
        found = [each == which for each in kept]
        assert abs(z_score(found, p)) < 4 if p else not any(found)


def test_what_a_call_keeps_as_a_whole_is_noticed_together() -> None:
    fields = {"probability": 1.0, "notice": 0.3}
    for share, is_together in ((0.0, False), (1.0, True)):
        spec = Forgetting.model_validate({**fields, "all_or_nothing": share})
        book = Book(spec=spec)
        for task in range(3):
            book.ledger.open(task, agent=0)
            assert book.ledger.forgets(0, task, CORRECT, 1, [0, 1, 2], 0.0)
        found = [len(book.ledger.noticed_by(0, call, 1, 0.0)) for call in range(2, 402)]
        assert set(found) == ({0, 3} if is_together else {0, 1, 2, 3})
        mean = 3 * 0.3  # of each call, with a standard deviation of the number noticed of
        deviation = (9 * 0.3 * 0.7 if is_together else 3 * 0.3 * 0.7) ** 0.5
        assert abs(np.mean(found) - mean) < 4 * deviation / 400**0.5


def test_calls_that_keep_each_task_by_itself_are_not_whole_though_they_keep_all() -> None:
    board = Board(tasks(a="", b="", c=""))
    spec = Forgetting.model_validate({"probability": 1.0, "all_or_nothing": 0.5})
    hazard = Forgetfulness(spec, 0, True, Streams(4, 0))
    whole = []
    for call in range(1, 401):
        assert all(hazard.forgets(call, task, [0, 1, 2], board) for task in range(3))
        whole.append(hazard.keeps_all)
    assert abs(z_score(whole, 0.5)) < 4


@pytest.mark.theory
@pytest.mark.parametrize("turns", [1, 3])
def test_each_turn_is_a_chance_to_notice(turns: int) -> None:
    spec = Forgetting.model_validate({"probability": 0.1, "notice": 0.2})
    hazard = Forgetfulness(spec, agent=0, is_alone=True, streams=Streams(4, 0))
    for is_all_claimed in (False, True):
        found = [hazard.notices(turns, is_all_claimed) for _ in range(4000)]
        assert abs(z_score(found, 1.0 - 0.8**turns)) < 4


@pytest.mark.theory
def test_where_nothing_else_is_left_to_do_another_chance_holds() -> None:
    spec = Forgetting.model_validate(
        {"probability": 0.1, "notice": 0.2, "all_claimed_logit": math.log(4.0)}
    )
    hazard = Forgetfulness(spec, agent=0, is_alone=True, streams=Streams(4, 0))
    for is_all_claimed, p in ((False, 0.2), (True, 0.5)):  # the odds are 1 to 4, and 1 to 1
        found = [hazard.notices(1, is_all_claimed) for _ in range(4000)]
        assert abs(z_score(found, p)) < 4


def test_all_is_claimed_when_every_task_left_is() -> None:
    sure = {"probability": 1, "notice": 1e-9, "all_claimed_logit": 60}
    book = Book(spec=Forgetting.model_validate(sure))
    for task in range(3):
        book.ledger.open(task, agent=0)
    book.finish(0, 0)
    assert not book.ledger.noticed_by(0, 2, 1, 0.0)
    book.ledger.open(3, agent=1)
    assert [task for task, _ in book.ledger.noticed_by(0, 2, 1, 0.0)] == [0]
    book.ledger.release(3)
    assert not book.ledger.noticed_by(0, 2, 1, 0.0)
    book.board.complete(3, 1, 1.0)
    assert [task for task, _ in book.ledger.noticed_by(0, 2, 1, 0.0)] == [0]


@pytest.mark.theory
def test_agents_differ_by_their_random_effects() -> None:
    spec = Forgetting.model_validate({"probability": {"probability": 0.3, "agent_sigma": 1.0}})
    hazards = hazards_of([spec] * 400, Streams(2, 0))
    logits = [hazard._logit for hazard in hazards if hazard is not None]
    # Standard errors: 1 / sqrt(400) of the mean, 1 / sqrt(800) of the deviation.
    assert np.mean(logits) == pytest.approx(logit(0.3), abs=4 * 0.05)
    assert np.std(logits) == pytest.approx(1.0, abs=4 * 0.036)
