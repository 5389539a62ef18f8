"""The election of a coordinator's successor: no team, no engine."""

from __future__ import annotations

import pytest

from simulator.model.agents.agent import COORDINATOR, AgentState
from simulator.model.resilience.patterns.election import Succession
from simulator.model.trace import Event
from simulator.scenario.resilience import ElectionSpec
from tests.model.parts import Crew, bag

TIMEOUTS_S = (10.0, 17.0, 30.0, 40.0)
"""Of three workers, or four; with the coordinator, three votes are a majority."""


class Case:
    """Three workers, a coordinator that is lost at 2.5 s, and whoever wins the election."""

    def __init__(self, write_s: float = 0.25, workers: int = 3) -> None:
        self.crew = crew = Crew(bag(3), workers=workers)
        self.lead = crew.join(COORDINATOR)
        self.lead.work_on(crew.sides.board, crew.sides.dispatcher)
        setting = crew.failure_setting()
        self.health = setting.health
        said = {"timeout_s": 1.0, "heartbeat_s": 1.0, "delay_s": 0.5, "write_s": write_s}
        self.succession = Succession(ElectionSpec.model_validate(said), setting)
        self.succession.timeouts = [lambda s=s: s for s in TIMEOUTS_S[:workers]]
        self.health.tell(on_loss=[self.succession.lost], on_return=[self.succession.back])

    def loses(self, agent: AgentState, at_s: float, repair_s: float | None = None) -> None:
        self.crew.clock.at(at_s, lambda: self.health.crash(agent, repair_s))

    def cuts_off(self, agent: AgentState, from_s: float, to_s: float) -> None:
        def cut(agents: list[AgentState]) -> None:
            agent.move_to(int(bool(agents)))
            self.succession.cut_off(agents)

        self.crew.clock.at(from_s, lambda: cut([agent]))
        self.crew.clock.at(to_s, lambda: cut([]))

    def leads(self) -> list[tuple[float, int | None]]:
        """Return when which worker took the coordinator's seat."""
        self.crew.run()
        assert self.crew.journal.trace is not None
        rows = [row for row in self.crew.journal.trace.rows if row.event is Event.LEADS]
        assert all(row.agent == self.lead.index for row in rows)
        assert self.crew.metrics.failovers == len(rows)
        return [(row.time_s, row.peer) for row in rows]


@pytest.mark.parametrize("write_s", [0.0, 0.25, 2.0])
def test_the_first_time_out_wins_after_two_messages_and_two_writes(write_s: float) -> None:
    case = Case(write_s)
    case.loses(case.lead, 2.5)
    # The last heartbeat was at 2 s.
    assert case.leads() == [(2 + 10 + 2 * (0.5 + write_s), 0)]
    assert case.crew.metrics.elections == 1
    assert case.lead.is_there
    assert not case.crew.workers[0].is_there


def test_nobody_stands_without_a_majority_until_a_worker_is_back() -> None:
    case = Case()
    case.loses(case.crew.workers[2], 1.0, 30.0)
    case.loses(case.lead, 2.5)
    assert case.leads() == [(31 + 10 + 1.5, 0)]
    assert case.crew.metrics.elections == 1


def test_who_is_cut_off_neither_stands_nor_votes_until_the_partition_is_over() -> None:
    """With one of three workers cut off, two and a lost coordinator are no majority."""
    case = Case()
    case.cuts_off(case.crew.workers[0], 1.0, 40.0)
    case.loses(case.lead, 2.5)
    assert case.leads() == [(40 + 10 + 1.5, 0)]
    assert case.crew.metrics.elections == 1


@pytest.mark.parametrize("how", ["down", "cut off"])
def test_who_comes_back_does_not_put_off_an_election_by_a_majority_without_it(how: str) -> None:
    """Three of four workers and a lost coordinator are a majority; the fourth is back at 8 s."""
    case = Case(workers=4)
    last = case.crew.workers[3]
    if how == "down":
        case.loses(last, 1.0, 7.0)
    else:
        case.cuts_off(last, 1.0, 8.0)
    case.loses(case.lead, 2.5)
    assert case.leads() == [(2 + 10 + 1.5, 0)]


def test_who_has_read_less_than_the_others_gets_no_votes() -> None:
    case = Case()
    behind, *others = case.crew.workers
    case.crew.clock.at(1.0, lambda: case.succession.call_ended(case.lead))
    behind.time.read_s = 0.5
    for worker in others:
        worker.time.read_s = 1.5
    case.loses(case.lead, 2.5)
    # It stands at 12 s and is refused; the next stands at 19 s.
    assert case.leads() == [(2 + 17 + 1.5, 1)]
    assert case.crew.metrics.elections == 2


def test_a_coordinator_that_is_back_in_time_ends_the_election() -> None:
    case = Case()
    case.loses(case.lead, 2.5, 3.0)
    assert case.leads() == []
    assert case.crew.metrics.elections == 0
    assert case.lead.is_there


def test_who_took_the_seat_is_a_worker_again_when_the_lost_one_would_have_been_back() -> None:
    case = Case()
    case.loses(case.lead, 2.5, 50.0)
    assert case.leads() == [(2 + 10 + 1.5, 0)]
    assert all(worker.is_there for worker in case.crew.workers)
