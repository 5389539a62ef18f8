"""Coordinators: who reports to them, whom they answer, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.model.agents.agent import COORDINATOR, AgentState
from simulator.model.agents.messages import Log, Post

if TYPE_CHECKING:
    from simulator.model.replication import TeamState


class Coordination:
    """The reports and answers between workers and coordinators.

    Parameters
    ----------
    team : TeamState
    one_by_one : bool
        Whether a coordinator answers one report in a call rather than all of them.
    handed_in : Log or None
        What the aggregator of independent workers reads; None where there is none.
    """

    def __init__(self, team: TeamState, one_by_one: bool, handed_in: Log | None) -> None:
        self._team = team
        self._one_by_one = one_by_one
        self._handed_in = handed_in
        self.is_to_aggregate = handed_in is not None
        """Whether the one call of an aggregator is still to be made."""
        self._is_handed_in = False

    def begin(self, agent: AgentState, now: float) -> bool:
        """Let a coordinator answer its reports, one or all; a report counts as a work unit."""
        if not self.has_work_for(agent):
            return False
        if self.is_to_aggregate:
            if not self._is_handed_in:
                self._is_handed_in = True
                self._hand_in(now)
            self._team.serve(agent, now, float(len(self._team.workers)), False)
            return True
        reports = agent.reports
        if self._one_by_one:
            agent.answering = [reports.popleft()] if reports else []
        else:
            agent.answering = list(reports)
            reports.clear()
        work = float(len(agent.answering)) + self._team.reviews.take_submitted(agent)
        self._team.serve(agent, now, work, True)
        return True

    def has_work_for(self, agent: AgentState) -> bool:
        """Return whether a coordinator, if it were free, would begin a call."""
        if self.is_to_aggregate:
            return self._team.tasks_are_done
        return bool(agent.reports) or self._team.dispatcher.lead_wanted(agent.index)

    def _hand_in(self, now: float) -> None:
        """Let every worker send what it has done to the aggregator, one message each."""
        assert self._handed_in is not None
        outbox = [Post(self._handed_in, 1, None)]
        for agent in self._team.workers:
            self._team.send(agent, outbox, int(agent.message_draw()), now)

    def answer(self, agent: AgentState) -> None:
        """Let the workers whose reports the coordinator has read go on."""
        self.is_to_aggregate = False
        reported = [other.index for other in agent.answering if not other.role]
        for other in agent.answering:
            if other.awaits_answer:
                other.awaits_answer = False
                self._team.woken.append(other.index)
        if self._team.dispatcher.has_lead:
            self._team.dispatcher.led(agent.index, reported)
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
            or self._team.dispatcher.has_lead
            or self._team.reviews.awaited(agent)
        ):
            return
        else:
            agent.awaits_answer = self._one_by_one
        manager.reports.append(agent)
        self._team.woken.append(manager.index)
