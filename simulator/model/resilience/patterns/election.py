"""Succession: when a coordinator is lost, the workers elect one of them to take its seat."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import ClassVar

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import COORDINATOR, WORKER, AgentState
from simulator.model.resilience._pattern import FailureSetting, Pattern
from simulator.model.resilience.raft import Election
from simulator.model.streams import Purpose
from simulator.model.timers import whole_periods
from simulator.scenario.resilience import ElectionSpec


class Succession(Pattern):
    """The elections of one replication: one for each coordinator that is lost."""

    kind: ClassVar[str] = "election"

    __slots__ = (
        "_agenda",
        "_contests",
        "_cut_off",
        "_health",
        "_metrics",
        "_spec",
        "_terms",
        "_under_way",
        "_workers",
        "answers_s",
        "delays",
        "timeouts",
    )

    def __init__(self, spec: ElectionSpec, setting: FailureSetting) -> None:
        self._metrics = setting.journal.metrics
        self._spec = spec
        self._workers = workers = setting.workers
        self._agenda = setting.agenda
        self._health = setting.health
        self._contests: list[_Contest] = []
        self._cut_off: list[AgentState] = []
        self._under_way: dict[int, _Contest] = {}
        draws = setting.streams.draws
        self.timeouts = [
            draws(spec.timeout_s, worker.entity, worker.number, Purpose.ELECTION)
            for worker in workers
        ]
        self.delays = [
            draws(spec.delay_s, worker.entity, worker.number, Purpose.ELECTION_DELAY)
            for worker in workers
        ]
        self._terms: dict[int, int] = {}
        self.answers_s: dict[int, list[float]] = {}
        """When each coordinator has answered."""

    def lost(self, agent: AgentState) -> None:
        """Let the workers elect a coordinator's successor."""
        if agent.role == COORDINATOR:
            contest = _Contest(self, agent, self._workers, self._agenda, self._spec, self._terms)
            self._contests.append(contest)
            self._under_way[agent.index] = contest
            contest.begin()

    def back(self, agent: AgentState) -> None:
        """End the election for a seat that is filled; let a worker take part in the others."""
        if agent.role == COORDINATOR:
            contest = self._under_way.pop(agent.index, None)
            if contest is not None:
                contest.election.end()
        if agent.role != WORKER:
            return
        for contest in self._under_way.values():
            contest.rejoin([agent])

    def cut_off(self, agents: Sequence[AgentState]) -> None:
        """Let those who are cut off take no part, until they are no longer."""
        before, self._cut_off = self._cut_off, list(agents)
        for contest in self._under_way.values() if not agents else ():
            contest.rejoin([worker for worker in before if not worker.is_down])

    def call_ended(self, agent: AgentState) -> None:
        """Note that a coordinator has written to its workers."""
        if agent.role == COORDINATOR and not agent.call.lost_to:
            self.answers_s.setdefault(agent.index, []).append(self._agenda.now)

    @property
    def absent(self) -> int:
        """How many workers cannot take part: they are down or cut off."""
        return self._health.workers_down + sum(not each.is_down for each in self._cut_off)

    def forget(self) -> None:
        """Break the circles of references in elections, which may not be over."""
        for contest in self._contests:
            contest.forget()
        self._contests.clear()
        self._under_way.clear()

    def note_election(self) -> None:
        """Count an election."""
        self._metrics.elections += 1

    def won(self, seat: AgentState, worker: int) -> None:
        """Let a worker take a coordinator's seat."""
        self._under_way.pop(seat.index, None)
        self._health.take_seat(seat, self._workers[worker])


class _Contest:
    """The election for one seat: the workers are the servers, the lost coordinator the last."""

    __slots__ = (
        "_agenda",
        "_answers_s",
        "_seat",
        "_spec",
        "_succession",
        "_terms",
        "_workers",
        "election",
    )

    def __init__(
        self,
        succession: Succession,
        seat: AgentState,
        workers: Sequence[AgentState],
        agenda: Agenda,
        spec: ElectionSpec,
        terms: dict[int, int],
    ) -> None:
        self._succession = succession
        self._seat = seat
        self._workers = workers
        self._agenda = agenda
        self._spec = spec
        self._terms = terms
        self._answers_s = succession.answers_s.get(seat.index, [])
        term = terms.get(seat.index, 1)
        self.election = Election(len(workers) + 1, self, spec.write_s, term=term)

    @property
    def now(self) -> float:
        """Seconds."""
        return self._agenda.now

    def begin(self) -> None:
        """Let the workers' time-outs run since the last heartbeat."""
        every_s = self._spec.heartbeat_s
        last_s = whole_periods(self.now, every_s) * every_s
        for worker in self._workers:
            if not worker.is_down:
                self.election.hears(worker.index, last_s)

    def forget(self) -> None:
        """Let go of the election, which keeps this."""
        del self.election

    def rejoin(self, back: Sequence[AgentState]) -> None:
        """Let workers that are back take part; who waited for a majority tries again.

        Where the others were a majority without them, their time-outs run on.
        """
        for worker in back:
            self.election.restart(worker.index)
        taking_part = sum(not each.is_down and not each.side for each in back)
        if self._present - taking_part >= self.election.majority:
            return
        for other in self._workers:
            if not other.is_down and other not in back:
                self.election.hears(other.index, self.now)

    def at(self, time_s: float, action: Callable[[], None]) -> None:
        """Do something at a later time."""
        self._agenda.at(time_s, action, self._goes_on)

    def _goes_on(self) -> bool:
        return self._has_majority and not self.election.is_over

    def is_up(self, server: int) -> bool:
        """Return whether a server can take part; nobody does while there is no majority."""
        workers = self._workers
        if server == len(workers) or workers[server].is_down or workers[server].side:
            return False
        return self._has_majority

    @property
    def _has_majority(self) -> bool:
        return self._present >= self.election.majority

    @property
    def _present(self) -> int:
        """How many workers can take part."""
        return len(self._workers) - self._succession.absent

    def knows(self, server: int) -> int:
        """Return how many of the coordinator's answers a worker has read."""
        return bisect_right(self._answers_s, self._workers[server].time.read_s)

    def timeout_s(self, server: int) -> float:
        """Draw an election time-out."""
        return self._succession.timeouts[server]()

    def delay_s(self, server: int) -> float:
        """Draw the time of a message."""
        return self._succession.delays[server]()

    def stands(self, server: int, term: int) -> None:
        """Note that a worker stands for election."""
        self._succession.note_election()

    def leads(self, server: int, term: int) -> None:
        """Give the seat to who has won."""
        self._terms[self._seat.index] = term
        self._succession.won(self._seat, server)
