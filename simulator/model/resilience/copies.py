"""Copies of a task in progress: the first that does it counts, the others are cancelled."""

from __future__ import annotations

from collections.abc import Iterable

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.calls.requests import Requests
from simulator.model.streams import Draw, Purpose, Streams, always
from simulator.model.why import Why


class Copies:
    """Which tasks are in progress, and with whom.

    Parameters
    ----------
    workers : iterable of AgentState
    streams : Streams
    agenda : Agenda
    requests : Requests
    correlation : float
        Probability that a copy takes as long as the one that was started first.
    """

    def __init__(
        self,
        workers: Iterable[AgentState],
        streams: Streams,
        agenda: Agenda,
        requests: Requests,
        correlation: float,
    ) -> None:
        self._agenda = agenda
        self._requests = requests
        self._correlation = correlation
        self._at_work: dict[int, list[AgentState]] = {}
        self._tasks_of: dict[int, list[int]] = {}
        self._rolls: list[Draw] = [
            streams.uniforms(agent.entity, agent.number, Purpose.BACKUP)
            if correlation
            else always(1.0)
            for agent in workers
        ]

    def begun(self, agent: AgentState) -> None:
        """Note that a call has begun."""
        self._tasks_of[agent.index] = list(agent.call.picks)
        for task in agent.call.picks:
            others = self._at_work.setdefault(task, [])
            if others and self._rolls[agent.index]() < self._correlation:
                self._requests.take_as_long(agent, others[0])
            others.append(agent)

    def is_elsewhere(self, agent: AgentState, task: int) -> bool:
        """Return whether another agent is at work on the task."""
        return any(other is not agent for other in self._at_work.get(task, ()))

    def over(self, agent: AgentState) -> None:
        """Note that a call is over."""
        agent.call.be_original()
        for task in self._tasks_of.pop(agent.index, ()):
            others = self._at_work[task]
            others.remove(agent)
            if not others:
                del self._at_work[task]

    def copy_for(self, agent: AgentState) -> list[int]:
        """Return what an agent without work does again: here, nothing."""
        return []

    def task_done(self, agent: AgentState, task: int) -> None:
        """Cancel the others that are at a task which `agent` has done.

        Not before: an attempt that fails its tests, comes too late or is refused stops nobody.
        """
        for other in self._at_work.get(task, ()):
            is_rival = other is not agent and other.board is agent.board
            if is_rival and len(other.call.picks) == 1 and other.time.in_call:
                self._agenda.interrupt(other.index, Why.BACKUP)
