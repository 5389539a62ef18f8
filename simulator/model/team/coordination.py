"""Coordinators: who reports to them, whom they answer, and when."""

from __future__ import annotations

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import COORDINATOR, AgentState
from simulator.model.agents.messages import Post
from simulator.model.agents.roster import Roster
from simulator.model.agents.talk import Talk
from simulator.model.team.errand import Errand
from simulator.model.team.review_queue import ReviewQueue
from simulator.model.team.sides import Sides


class Coordination:
    """The reports and answers between workers and coordinators.

    Parameters
    ----------
    roster : Roster
    agenda : Agenda
    talk : Talk
    sides : Sides
    reviews : ReviewQueue
        What workers have handed in with their reports.
    one_by_one : bool
        Whether a coordinator answers one report in a call rather than all of them.

    Attributes
    ----------
    is_to_aggregate : bool
        Whether the one call of an aggregator is still to be made.
    """

    __slots__ = (
        "_agenda",
        "_is_handed_in",
        "_one_by_one",
        "_reviews",
        "_roster",
        "_sides",
        "_talk",
        "is_to_aggregate",
    )

    def __init__(
        self,
        roster: Roster,
        agenda: Agenda,
        talk: Talk,
        sides: Sides,
        reviews: ReviewQueue,
        one_by_one: bool,
    ) -> None:
        self._roster = roster
        self._agenda = agenda
        self._talk = talk
        self._sides = sides
        self._reviews = reviews
        self._one_by_one = one_by_one
        self._is_handed_in = False
        self.is_to_aggregate = roster.handed_in is not None

    def next_call(self, agent: AgentState) -> Errand | None:
        """Let a coordinator answer its reports, one or all; a report counts as a work unit."""
        if self.is_to_aggregate:
            if not self._sides.tasks_are_done:
                return None
            if not self._is_handed_in:
                self._is_handed_in = True
                self._hand_in()
            return Errand(float(len(self._roster.workers)), False)
        reports = agent.reports
        if not reports and not self._sides.dispatcher.lead_wanted(agent.index):
            return None
        if self._one_by_one:
            agent.answering = [reports.popleft()] if reports else []
        else:
            agent.answering = list(reports)
            reports.clear()
        work = float(len(agent.answering)) + self._reviews.take_submitted(agent)
        return Errand(work, True)

    def _hand_in(self) -> None:
        """Let every worker send what it has done to the aggregator, one message each."""
        assert self._roster.handed_in is not None
        outbox = [Post(self._roster.handed_in, 1, None)]
        for agent in self._roster.workers:
            self._talk.send(agent, outbox, int(agent.message_draw()), self._agenda.now)

    def call_aggregator(self) -> None:
        """Let the aggregator begin its call, once the tasks are done."""
        if self._sides.tasks_are_done:
            self._agenda.woken.append(self._roster.coordinators[0].index)

    def answer(self, agent: AgentState) -> None:
        """Let the workers whose reports the coordinator has read go on."""
        self.is_to_aggregate = False
        reported = [other.index for other in agent.answering if not other.role]
        for other in agent.answering:
            if other.awaits_answer:
                other.awaits_answer = False
                self._agenda.woken.append(other.index)
        if self._sides.dispatcher.has_lead:
            self._sides.dispatcher.led(agent.index, reported)
        agent.unreported += len(agent.answering)
        agent.answering = []

    def report(self, agent: AgentState) -> None:
        """Report to the agent's coordinator, if it has said something or must."""
        manager = agent.manager
        assert manager is not None
        if agent.role == COORDINATOR:
            # Asynchronously, a summary is due when everybody below has reported once.
            if self._one_by_one and agent.unreported < agent.subordinates:
                return
            agent.unreported = 0
        elif agent.side or not (
            agent.message_tokens >= 0
            or self._sides.dispatcher.has_lead
            or self._reviews.awaited(agent)
        ):
            return
        else:
            agent.awaits_answer = self._one_by_one
        manager.reports.append(agent)
        self._agenda.woken.append(manager.index)

    def dissolve(self) -> None:
        """Do without coordinators from now on."""
        self.is_to_aggregate = False
