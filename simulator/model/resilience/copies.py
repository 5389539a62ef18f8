"""Copies of a task in progress: the first that is finished counts, the others are cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.model.agent import AgentState
from simulator.model.streams import Draw, Purpose, always

if TYPE_CHECKING:
    from simulator.model.team import TeamState


class Copies:
    """Which tasks are in progress, and with whom.

    Parameters
    ----------
    team : TeamState
    correlation : float
        Probability that a copy takes as long as the one that was started first.
    """

    def __init__(self, team: TeamState, correlation: float) -> None:
        self._team = team
        self._correlation = correlation
        self._at_work: dict[int, list[AgentState]] = {}
        self._tasks_of: dict[int, list[int]] = {}
        streams = team.streams
        self._rolls: list[Draw] = [
            streams.uniforms(agent.entity, agent.number, Purpose.BACKUP)
            if correlation
            else always(1.0)
            for agent in team.workers
        ]

    def begun(self, agent: AgentState) -> None:
        """Note that a call has begun."""
        self._tasks_of[agent.index] = list(agent.picks)
        for task in agent.picks:
            others = self._at_work.setdefault(task, [])
            if others and self._rolls[agent.index]() < self._correlation:
                assert self._team.failures is not None
                self._team.failures.requests.take_as_long(agent, others[0])
            others.append(agent)

    def first(self, agent: AgentState) -> None:
        """Give what the call hands in to its agent, and cancel the others that are at it."""
        for task in agent.picks:
            others = [other for other in self._at_work.get(task, ()) if other is not agent]
            if agent.is_backup and not agent.board.done[task]:
                agent.dispatcher.take_over(agent.index, task)
            for other in others:
                if len(other.picks) == 1 and other.in_call:
                    self._team.interrupt(other, "backup")

    def over(self, agent: AgentState) -> None:
        """Note that a call is over."""
        agent.is_backup = False
        for task in self._tasks_of.pop(agent.index, ()):
            others = self._at_work[task]
            others.remove(agent)
            if not others:
                del self._at_work[task]

    def copy_for(self, agent: AgentState) -> list[int]:
        """Return what an agent without work does again: here, nothing."""
        return []

    def task_done(self) -> None:
        """Note that a task is done."""
