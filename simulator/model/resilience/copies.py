"""Copies of a task in progress: the first that does it counts, the others are cancelled."""

from __future__ import annotations

from simulator.model.agents.agent import WORKER, AgentState
from simulator.model.resilience._pattern import FailureSetting, Pattern
from simulator.model.streams import Draw, Purpose, always
from simulator.model.why import Why


class Copies(Pattern):
    """Which tasks are in progress, and with whom.

    Parameters
    ----------
    correlation : float
        Probability that a copy takes as long as the one that was started first.
    setting : FailureSetting
    """

    __slots__ = (
        "_agenda",
        "_at_work",
        "_callers",
        "_correlation",
        "_queue",
        "_rolls",
        "_tasks_of",
    )

    def __init__(self, correlation: float, setting: FailureSetting) -> None:
        self._agenda = setting.agenda
        self._callers = setting.callers
        self._queue = setting.queue
        self._correlation = correlation
        self._at_work: dict[int, list[AgentState]] = {}
        self._tasks_of: dict[int, list[int]] = {}
        self._rolls: list[Draw] = [
            setting.uniforms(agent, Purpose.BACKUP) if correlation else always(1.0)
            for agent in setting.workers
        ]

    def call_begins(self, agent: AgentState) -> None:
        """Note what a worker's call is at work on."""
        if agent.role == WORKER:
            self._begun(agent)

    def _begun(self, agent: AgentState) -> None:
        self._tasks_of[agent.index] = list(agent.call.picks)
        for task in agent.call.picks:
            others = self._at_work.setdefault(task, [])
            if others and self._rolls[agent.index]() < self._correlation:
                self._callers[agent.index].take_as_long(self._callers[others[0].index])
            others.append(agent)

    def is_elsewhere(self, agent: AgentState, task: int) -> bool:
        """Return whether another is at work on the task, on the same board, or has handed it in.

        Who waits at an open breaker is not at work.
        """
        if self._queue.holds(task):
            return True
        return any(
            other is not agent and other.board is agent.board and other.time.waits_for != "breaker"
            for other in self._at_work.get(task, ())
        )

    def call_ended(self, agent: AgentState) -> None:
        """Note that a worker's call is over; give it work again if another has done its task."""
        if agent.role == WORKER:
            self._over(agent)
            if agent.call.lost_to is Why.BACKUP:
                agent.dispatcher.back(agent.index)

    def _over(self, agent: AgentState) -> None:
        agent.call.be_original()
        if self._correlation:  # a copy may be cancelled before it is served
            self._callers[agent.index].take_own_time()
        for task in self._tasks_of.pop(agent.index, ()):
            others = self._at_work[task]
            others.remove(agent)
            if not others:
                del self._at_work[task]

    def task_done(self, agent: AgentState, task: int, is_of_use: bool) -> None:
        """Cancel the others that are at a task which `agent` has done.

        Not before: an attempt that fails its tests, comes too late or is refused stops nobody.
        """
        for other in self._at_work.get(task, ()):
            is_rival = other is not agent and other.board is agent.board
            if is_rival and len(other.call.picks) == 1 and other.time.in_call:
                self._agenda.interrupt(other.index, Why.BACKUP)
