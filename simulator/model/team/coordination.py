"""Coordinators: who reports to them, whom they answer, and when."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import COORDINATOR, AgentState
from simulator.model.agents.channels import Log, Post
from simulator.model.agents.talk import Talk
from simulator.model.team.errand import Errand
from simulator.model.team.review_queue import ReviewQueue
from simulator.model.team.sides import Sides
from simulator.model.topologies import NO_MANAGER


class Coordination:
    """The reports and answers between workers and coordinators.

    Parameters
    ----------
    workers, coordinators : sequence of AgentState
    managers : sequence of int, shape (workers + coordinators,)
        The coordinator that each reports to, or `NO_MANAGER`.
    handed_in : Log or None
        What an aggregator reads; None where there is none.
    agenda : Agenda
    talk : Talk
    sides : Sides
    queue : ReviewQueue
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
        "_answering",
        "_coordinators",
        "_handed_in",
        "_is_handed_in",
        "_managers",
        "_one_by_one",
        "_queue",
        "_reports",
        "_sides",
        "_subordinates",
        "_talk",
        "_unreported",
        "_workers",
        "is_to_aggregate",
    )

    def __init__(
        self,
        workers: Sequence[AgentState],
        coordinators: Sequence[AgentState],
        managers: Sequence[int],
        handed_in: Log | None,
        agenda: Agenda,
        talk: Talk,
        sides: Sides,
        queue: ReviewQueue,
        one_by_one: bool,
    ) -> None:
        self._workers = workers
        self._coordinators = coordinators
        self._handed_in = handed_in
        self._agenda = agenda
        self._talk = talk
        self._sides = sides
        self._queue = queue
        self._one_by_one = one_by_one
        self._managers = {
            agent.index: coordinators[manager - len(workers)]
            for agent, manager in zip([*workers, *coordinators], managers, strict=True)
            if manager != NO_MANAGER
        }
        staff = [agent.index for agent in coordinators]
        self._subordinates = dict.fromkeys(staff, 0)
        for manager in self._managers.values():
            self._subordinates[manager.index] += 1
        self._reports: dict[int, deque[AgentState]] = {index: deque() for index in staff}
        self._answering: dict[int, list[AgentState]] = {index: [] for index in staff}
        self._unreported = dict.fromkeys(staff, 0)
        self._is_handed_in = False
        self.is_to_aggregate = handed_in is not None

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do: no task, nothing to aggregate, no merge."""
        sides = self._sides
        return sides.tasks_are_done and not (self.is_to_aggregate or sides.owed_s)

    def next_call(self, agent: AgentState) -> Errand | None:
        """Let a coordinator answer its reports, one or all; a report counts as a work unit."""
        if self.is_to_aggregate:
            if not self._sides.tasks_are_done:
                return None
            if not self._is_handed_in:
                self._is_handed_in = True
                self._hand_in()
            return Errand(float(len(self._workers)), False)
        reports = self._reports[agent.index]
        if not reports and not self._sides.dispatcher.lead_wanted(agent.index):
            return None
        if self._one_by_one:
            answering = [reports.popleft()] if reports else []
        else:
            answering = list(reports)
            reports.clear()
        self._answering[agent.index] = answering
        return Errand(len(answering) + self._queue.take_submitted(agent, answering), True)

    def _hand_in(self) -> None:
        """Let every worker send what it has done to the aggregator, one message each."""
        assert self._handed_in is not None
        outbox = [Post(self._handed_in, 1, None)]
        for agent in self._workers:
            self._talk.send(agent, outbox, agent.habits.message.about(0), self._agenda.now)

    def call_aggregator(self) -> None:
        """Let the aggregator begin its call, once the tasks are done."""
        if self._sides.tasks_are_done:
            self._agenda.wake(self._coordinators[0].index)

    def answer(self, agent: AgentState) -> None:
        """Let the workers whose reports the coordinator has read go on."""
        self.is_to_aggregate = False
        answering = self._answering[agent.index]
        reported = [other.index for other in answering if not other.role]
        for other in answering:
            if other.awaits_answer:
                other.go_on()
                self._agenda.wake(other.index)
        if self._sides.dispatcher.has_lead:
            self._sides.dispatcher.led(agent.index, reported)
        self._unreported[agent.index] += len(answering)
        self._answering[agent.index] = []

    def returned(self, agent: AgentState) -> None:
        """Take back the reports that a call which failed was to answer."""
        answering = self._answering.get(agent.index)
        if answering:
            self._reports[agent.index].extendleft(reversed(answering))
            self._answering[agent.index] = []

    def report(self, agent: AgentState) -> None:
        """Report to the agent's coordinator, if it has one and there is something to report."""
        manager = self._managers.get(agent.index)
        if manager is None:
            return
        if agent.role == COORDINATOR:
            # Asynchronously, a summary is due when everybody below has reported once.
            unreported = self._unreported[agent.index]
            if self._one_by_one and unreported < self._subordinates[agent.index]:
                return
            self._unreported[agent.index] = 0
        elif agent.side or not (
            agent.call.message_tokens >= 0
            or self._sides.dispatcher.has_lead
            or self._queue.awaited(agent)
        ):
            return
        elif self._one_by_one:
            agent.wait_for_answer()
        self._tell(manager, agent)

    def _tell(self, manager: AgentState, agent: AgentState) -> None:
        self._reports[manager.index].append(agent)
        self._agenda.wake(manager.index)

    def hand_in_late(self, agent: AgentState) -> None:
        """Report what was done for review on the other side of a partition."""
        manager = self._managers.get(agent.index)
        if manager is not None and self._queue.awaited(agent):
            self._tell(manager, agent)

    def waits(self) -> list[str]:
        """Say whether an aggregator has not made its call, where nothing can happen any more."""
        is_due = self.is_to_aggregate and self._sides.tasks_are_done
        return ["the aggregator has not made its call"] if is_due else []

    def dissolve(self) -> None:
        """Do without coordinators from now on."""
        self._managers.clear()
        self.is_to_aggregate = False
