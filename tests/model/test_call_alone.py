"""Where calls begin and end, who is in the team, and a change of protocol: without a scenario."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.model.agents.agent import COORDINATOR, VERIFIER, WORKER
from simulator.model.agents.cast import Cast
from simulator.model.agents.messages import Deliveries
from simulator.model.agents.roster import Roster
from simulator.model.agents.talk import Talk
from simulator.model.call_end import CallEnd
from simulator.model.call_start import CallStart
from simulator.model.calls.bill import Bill
from simulator.model.calls.book import CallBook
from simulator.model.calls.service import PlainService
from simulator.model.metrics import Metrics
from simulator.model.protocols import Setting
from simulator.model.protocols.self_claim import SelfClaim
from simulator.model.streams import Streams
from simulator.model.team.changeover import Changeover
from simulator.model.team.patterns import Patterns
from simulator.model.team.review import Reviews
from simulator.model.topologies import NO_MANAGER, Topology
from simulator.model.trace import Event
from simulator.model.why import Why
from simulator.model.workspaces._workspace import Desk
from simulator.scenario.coordination import Review
from simulator.scenario.families import TOPOLOGIES
from simulator.scenario.network import Network
from simulator.scenario.team import Team
from tests.model.parts import Crew, bag, hands, model, provider, tasks


class Floor:
    """A crew whose calls begin and end in their one place each."""

    def __init__(self, crew: Crew, patterns: Patterns | None = None, has_more: bool = False):
        self.crew = crew
        coordination, patterns = crew.coordination(), patterns or Patterns()
        service = PlainService(crew.clock, crew.phases, provider(crew))
        self.book = book = CallBook(service, Bill(crew.metrics, False, None), crew.metrics)
        self.start = CallStart(
            crew.sides, crew.queue, coordination, patterns, service, book, crew.journal
        )
        who = (crew.streams, crew.clock, crew.phases, service)
        space = crew.space.state(Desk(crew.sides.board, crew.metrics, crew.agents, *who))
        parts = (crew.agents, crew.clock, crew.journal)
        reviews = Reviews(None, crew.queue, crew.sides, crew.settlement, crew.clock, crew.journal)
        self.end = CallEnd(
            *parts,
            crew.sides,
            Talk(crew.journal, Deliveries()),
            book,
            space,
            crew.queue,
            reviews,
            coordination,
            crew.commits,
            crew.hand_ins,
            crew.settlement,
            patterns,
            is_stepwise=False,
            has_more=has_more,
        )

    def begins(self, worker: int, now: float = 0.0, must_call: bool = False) -> bool:
        """Let a worker begin a call if it can."""
        self.crew.clock.reach(now)
        return self.start.begin_call(self.crew.agents[worker], now, must_call)

    def ends(self, worker: int, now: float) -> str:
        """End a worker's call; return what the trace says of it."""
        self.end.end_call(self.crew.agents[worker], now)
        return str(self.crew.rows(Event.CALL_END)[-1].outcome)


def test_calls_are_numbered_as_they_begin_and_take_the_first_task() -> None:
    floor = Floor(Crew(bag(4)))
    assert [floor.begins(0), floor.begins(1)] == [True, True]
    calls = [agent.call for agent in floor.crew.agents[:2]]
    assert [(call.number, call.picks) for call in calls] == [(1, [0]), (2, [1])]
    assert floor.book.begun == 2
    assert [row.call for row in floor.crew.rows(Event.CALL_START)] == [1, 2]


@pytest.mark.parametrize("why", ["down", "retired", "shut_out", "awaits_answer", "cut_off"])
def test_who_cannot_call_does_not(why: str) -> None:
    floor = Floor(Crew(bag(4)))
    agent = floor.crew.agents[0]
    {
        "down": lambda: agent.go_down(0.0),
        "retired": agent.retire,
        "shut_out": agent.shut_out,
        "awaits_answer": agent.wait_for_answer,
        "cut_off": lambda: agent.move_to(1),
    }[why]()
    assert not floor.begins(0, must_call=True)
    assert floor.book.begun == 0


def test_who_finds_nothing_sleeps_or_calls_idly_as_it_is_asked_to() -> None:
    floor = Floor(Crew(tasks(a="", b="a")))
    assert not floor.begins(1)  # its only task waits for another's
    assert floor.begins(1, must_call=True)
    assert floor.ends(1, 1.0) == "idle"
    assert (floor.crew.metrics.idle_calls, floor.crew.metrics.wasted_s) == (1, 1.0)


def test_an_idle_call_may_be_left_out() -> None:
    class Skips(Patterns):
        __slots__ = ()

        def skips(self, what: str) -> bool:
            return what == "idle_calls"

    floor = Floor(Crew(tasks(a="", b="a")), Skips())
    assert not floor.begins(1, must_call=True)


def test_a_reply_holds_what_fits_into_it_and_the_rest_is_still_to_do() -> None:
    crew = Crew(bag(6), workers=1, batch=3, capacity=2, truncation_loss=0)
    floor = Floor(crew)
    assert floor.begins(0)
    assert (crew.agents[0].call.picks, crew.agents[0].call.work) == ([0, 1], 2.0)
    assert hands(crew) == [[2, 3, 4, 5]]
    assert floor.ends(0, 1.0) == "work"
    assert crew.metrics.tasks_done == 2


def test_a_call_that_ends_does_its_task_and_frees_what_waits_for_it() -> None:
    floor = Floor(Crew(tasks(a="", b="a")))
    crew = floor.crew
    assert floor.begins(0)
    assert floor.ends(0, 1.0) == "work"
    assert (crew.metrics.calls, crew.metrics.tasks_done) == (1, 1)
    assert crew.clock.take_woken() == [0]  # in whose hand the second is, too
    assert [row.task for row in crew.rows(Event.TASK_READY)] == [0, 1]
    assert floor.begins(0, 3.0)
    assert crew.agents[0].time.waited_s == 2.0


def test_a_call_that_comes_to_nothing_gives_its_task_back() -> None:
    floor = Floor(Crew(bag(2)))
    crew, agent = floor.crew, floor.crew.agents[0]
    assert floor.begins(0)
    agent.call.fail(Why.ERROR)
    agent.call.pay(0.5)
    assert floor.ends(0, 1.0) == "failed"
    assert (crew.metrics.failed_calls, crew.metrics.tasks_done) == (1, 0)
    assert crew.metrics.wasted_s == agent.time.duration_s == 1.0
    assert hands(crew) == [[0], [1]]


def test_a_silent_agent_keeps_what_it_has_done_to_itself() -> None:
    floor = Floor(Crew(bag(2)))
    floor.crew.agents[0].misbehave("silent")
    assert floor.begins(0)
    assert floor.ends(0, 1.0) == "work"
    assert (floor.crew.metrics.tasks_done, floor.crew.metrics.wasted_s) == (0, 1.0)
    assert hands(floor.crew) == [[0], [1]]


def team(topology: str, workers: int = 4, verifiers: int = 0, **fields: Any) -> Roster:
    """Return the agents of a team."""
    kind = TOPOLOGIES.get(topology).model_validate({"kind": topology, **fields})
    who = (Team(size=workers, agent=model()), verifiers, Topology.of(kind), Network())
    return Roster(Cast(*who), bag(2), Streams(0, 0), Metrics(tasks=2))


def test_workers_come_first_then_coordinators_then_verifiers() -> None:
    roster = team("centralised", workers=3, verifiers=2)
    assert [agent.role for agent in roster.agents] == [WORKER] * 3 + [COORDINATOR] + [VERIFIER] * 2
    assert [agent.index for agent in roster.agents] == list(range(6))
    assert [agent.number for agent in roster.agents] == [0, 1, 2, 0, 0, 1]
    assert list(roster.managers) == [3, 3, 3, NO_MANAGER]


def test_those_next_to_the_workers_call_first() -> None:
    roster = team("hierarchical", workers=8, depth=3, fan_out=2)
    shifts = [[agent.role for agent in shift] for shift in roster.shifts]
    assert shifts[0] == [WORKER] * 8
    assert [len(shift) for shift in shifts] == [8, 4, 2, 1]
    for lower, upper in zip(roster.shifts, roster.shifts[1:], strict=False):
        above = {agent.index for agent in upper}
        assert {roster.managers[agent.index] for agent in lower} == above


def test_independent_workers_hand_in_to_an_aggregator_if_there_is_one() -> None:
    assert team("independent", aggregate=True).handed_in is not None
    alone = team("independent", aggregate=False)
    assert (alone.handed_in, alone.coordinators, alone.has_more) == (None, [], False)


def change(crew: Crew, review: Review | None = None) -> Changeover:
    """Return what lets a crew go on with another protocol."""
    board = crew.sides.board
    who = [agent.spec for agent in crew.workers]
    managers = [NO_MANAGER] * len(crew.workers)
    setting = Setting(board, who, managers, crew.streams, crew.metrics, crew.clock, crew.journal)
    reviews = Reviews(review, crew.queue, crew.sides, crew.settlement, crew.clock, crew.journal)
    return Changeover(setting, crew.sides, crew.coordination(levels=1), reviews, crew.commits)


def test_another_protocol_hands_out_what_is_still_to_do() -> None:
    crew = Crew(bag(4))
    crew.do(0, 0)
    crew.sides.board.disown()
    change(crew).change_to(SelfClaim(claims="immediate", choice="first"))
    crew.sides.announce([1, 2, 3])
    assert crew.agents[0].dispatcher is crew.sides.dispatcher is crew.agents[1].dispatcher
    assert crew.sides.dispatcher.choose(1, 9) == [1, 2, 3]


def test_what_waits_for_a_coordinator_that_is_gone_is_accepted_unseen() -> None:
    crew = Crew(tasks(a="", b="a"), review={"by": "coordinator"})
    review = Review(by="coordinator")
    crew.do(0, 0)
    assert (crew.metrics.tasks_done, crew.queue.wanted) == (0, True)
    crew.sides.board.disown()
    change(crew, review).change_to(SelfClaim())
    assert (crew.metrics.tasks_done, crew.queue.wanted) == (1, False)
    assert crew.metrics.reviews == 0
    assert not crew.sides.board.missing[1]  # the second task can start
    crew.do(1, 1)
    assert crew.metrics.tasks_done == 2


def test_what_a_coordinator_was_reviewing_is_accepted_like_what_waited() -> None:
    crew = Crew(bag(3), workers=3, review={"by": "coordinator"})
    review = Review(by="coordinator")
    where = change(crew, review)
    lead = crew.agents[-1]
    for worker in range(3):
        crew.do(worker, worker)
    crew.queue.take_submitted(lead, crew.workers[:2])
    assert crew.queue.is_reviewing(lead)
    where.change_to(SelfClaim())
    assert (crew.metrics.tasks_done, crew.metrics.tasks_correct) == (3, 3)
    # Its call is cancelled: nothing is left to be put back.
    assert not crew.queue.is_reviewing(lead)
    crew.queue.returned(lead)
    assert not any(crew.queue.awaited(worker) for worker in crew.workers)


def test_what_others_have_done_meanwhile_is_not_accepted_a_second_time() -> None:
    crew = Crew(bag(2), review={"by": "coordinator"}, goes_on=True)
    review = Review(by="coordinator")
    where = change(crew, review)
    crew.sides.cut(crew.workers[1:])
    crew.do(1, 1)  # handed in on the minority's board
    crew.sides.join(crew.workers[1:])
    crew.sides.board.complete(1, 0, 0.0)
    where.change_to(SelfClaim())
    assert crew.metrics.tasks_done == 0
