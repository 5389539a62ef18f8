"""The phases of a call that is more than its service: every second is booked as one of them."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import SUBAGENT, AgentState
from simulator.model.agents.timesheet import COMMITTING, WAITING, WASTING
from simulator.model.journal import Journal
from simulator.model.metrics import Metrics
from simulator.model.trace import Event

Step = float | None
"""Seconds until a call goes on; None until the agent is resumed."""

Steps = Generator[Step, None, None]
"""A call on its way, into which its loss may be thrown."""


class Phases:
    """Takes calls from one phase to the next: waiting, in service, at the workspace.

    Parameters
    ----------
    agenda : Agenda
    journal : Journal
    """

    __slots__ = ("_agenda", "_aside", "_journal", "_metrics")

    def __init__(self, agenda: Agenda, journal: Journal) -> None:
        self._agenda = agenda
        self._journal = journal
        self._metrics = journal.metrics
        self._aside = Metrics()  # the time of sub-agents is none of the team's

    def enter(self, agent: AgentState, phase: int) -> None:
        """End the agent's phase, book its time, and begin `phase`."""
        now, time = self._agenda.now, agent.time
        if time.phase >= COMMITTING:
            self._book_phase(agent, now - time.since_s)
        time.enter(phase, now)

    def _book_phase(self, agent: AgentState, elapsed_s: float) -> None:
        """Book what is neither waited nor in service."""
        metrics = self._metrics if agent.is_of_team else self._aside
        if agent.time.phase == WASTING:
            metrics.wasted_s += elapsed_s
            return
        metrics.coordination_s += elapsed_s
        if elapsed_s > 0.0:
            where = (agent.index, agent.call.number)
            self._journal.note(Event.COMMIT, *where, duration_s=elapsed_s)

    def wait(self, agent: AgentState, why: str, seconds: Step) -> Iterator[Step]:
        """Wait so many seconds, or until resumed; the time is booked under `why`."""
        self.begin_wait(agent, why)
        yield seconds
        self.book_wait(agent)

    def begin_wait(self, agent: AgentState, why: str) -> None:
        """Let an agent wait; the time is booked under `why`, by `book_wait`."""
        time = agent.time
        if time.phase != WAITING or time.since_s != self._agenda.now:
            self.enter(agent, WAITING)
        time.wait_for(why)

    def book_wait(self, agent: AgentState) -> None:
        """End what the agent waits for."""
        metrics, why = self._metrics, agent.time.waits_for
        if agent.role == SUBAGENT:
            metrics = self._aside
        elapsed_s = agent.time.end_wait(self._agenda.now)
        if why == "tool":
            metrics.on_tools_s += elapsed_s
        elif why == "rate_limit":
            metrics.rate_limited_s += elapsed_s
        elif why == "lock":
            metrics.lock_wait_s += elapsed_s
        elif why == "partition":
            metrics.partition_wait_s += elapsed_s
        elif why == "queue":
            metrics.queue_wait_s += elapsed_s
        elif why == "subagent":
            metrics.on_subagents_s += elapsed_s
        elif why != "barrier":  # waiting of no name, as between the calls of rounds
            metrics.held_back_s += elapsed_s
        if self._journal.trace is not None:
            where = (agent.index, agent.call.number)
            self._journal.note(Event.WAIT, *where, duration_s=elapsed_s, outcome=why)
