"""Redundancy-d: each task waits in the queues of d agents, and the first to do it has done it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from simulator.model.board import Board
from simulator.model.protocols._protocol import Dispatcher, Protocol, Setting
from simulator.model.streams import Purpose
from simulator.spec import Fraction


class Redundancy(Protocol):
    """A task that can start is sent to `copies` agents at random (Gardner et al. 2017).

    Each serves its queue first come, first served. When one has finished, the other copies are
    cancelled: those that wait leave their queues, those in service are given up.
    """

    can_back_up: ClassVar[bool] = False
    copies_tasks: ClassVar[bool] = True

    kind: Literal["redundancy"] = "redundancy"
    copies: Annotated[int, Field(ge=1)] = 2
    """Agents to which a task is sent (d), all of them if there are fewer."""
    correlation: Fraction = 0.0
    """Probability that a copy takes as long as the one that was started first: the same model
    with the same prompt does not become quicker by being asked twice."""

    def dispatcher(self, setting: Setting) -> Dispatcher:
        """Return the state of this protocol for one replication."""
        return _Queues(self, setting)


class _Queues(Dispatcher):
    __slots__ = ("_copies", "_queues", "_rolls")

    def __init__(self, protocol: Redundancy, setting: Setting) -> None:
        super().__init__(setting)
        self.copies_alike = protocol.correlation
        self._copies = min(protocol.copies, setting.workers)
        self._queues: list[deque[int]] = [deque() for _ in range(setting.workers)]
        self._rolls = setting.run_uniforms(Purpose.STEAL)

    def fork(self, board: Board) -> Self:
        """Return an independent copy that works on a copy of the board."""
        other = super().fork(board)
        other._queues = [queue.copy() for queue in self._queues]
        return other

    def task_ready(self, task: int) -> int:
        """Send `task` to agents drawn at random."""
        there = self.here or range(self.setting.workers)
        places: list[int] = []
        for drawn in range(min(self._copies, len(there))):
            place = int(self._rolls() * (len(there) - drawn))
            for before in sorted(places):
                place += place >= before
            places.append(place)
        chosen = [there[place] for place in places]
        for agent in chosen:
            self._queues[agent].append(task)
        self.wake(*chosen[1:])
        return chosen[0]

    def has_tasks(self, agent: int) -> bool:
        """Return whether there are tasks in the agent's queue that are still to be attempted."""
        return any(map(self._is_wanted, self._queues[agent]))

    def _is_wanted(self, task: int) -> bool:
        return not (self.board.done[task] or task in self.board.awaited)

    def choose(self, agent: int, count: int) -> list[int]:
        """Return the first tasks in the agent's queue that are still to be attempted."""
        queue = self._queues[agent]
        picks: list[int] = []
        while queue and len(picks) < count:
            task = queue.popleft()
            if self._is_wanted(task):
                picks.append(task)
        return picks

    def may_attempt(self, agent: int, task: int) -> bool:
        """Return True: whoever is first has done it."""
        return True

    def attempt_ended(self, agent: int, task: int, done: bool) -> None:
        """Put a task that failed its tests first in the agent's queue."""
        if not done:
            self.returned(agent, task)

    def returned(self, agent: int, task: int) -> None:
        """Put the task first in the agent's queue; an agent that is gone passes it on."""
        if self.board.done[task] or task in self._queues[agent]:
            return
        self._queues[agent].appendleft(task)
        if agent in self.gone:
            self.give_away(agent)

    def give_away(self, agent: int) -> int:
        """Send the tasks that only this agent had to others."""
        if not self.here:
            return 0
        held, self._queues[agent] = self._queues[agent], deque()
        elsewhere = {task for queue in self._queues for task in queue}
        orphans = [task for task in held if not (self.board.done[task] or task in elsewhere)]
        self.wake(*[self.task_ready(task) for task in orphans])
        return len(orphans)

    def forget(self, task: int) -> None:
        """Take the task off all queues."""
        for queue in self._queues:
            if task in queue:
                queue.remove(task)

    def waits(self) -> Sequence[str]:
        """Say how much is queued with agents that are gone."""
        return [f"agent {i} is gone with {len(self._queues[i])} tasks" for i in sorted(self.gone)]
