"""Join the shortest of d queues: the dispatch of many load balancers."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field

from simulator.model.board import Board
from simulator.model.protocols._hands import Hands
from simulator.model.protocols._protocol import Protocol, Setting
from simulator.model.streams import Purpose


class ShortestQueue(Protocol):
    """A task that can start joins the shortest queue of `choices` agents drawn at random.

    Each agent serves its queue in order. Two choices instead of one shorten the longest queue
    exponentially (Mitzenmacher 2001).
    """

    kind: Literal["shortest_queue"] = "shortest_queue"
    choices: Annotated[int, Field(ge=1)] = 2
    """Agents whose queues are looked at (d), all of them if there are fewer."""

    def dispatcher(self, setting: Setting) -> Hands:
        """Return the state of this protocol for one replication."""
        return _Queues(self, setting)


class _Queues(Hands):
    __slots__ = ("_at_work", "_choices", "_rolls")

    def __init__(self, protocol: ShortestQueue, setting: Setting) -> None:
        super().__init__(setting)
        self._choices = protocol.choices
        self._rolls = setting.run_uniforms(Purpose.STEAL)
        self._at_work = [0] * setting.workers  # tasks of the call that each is in

    def fork(self, board: Board) -> Self:
        """Return an independent copy that works on a copy of the board."""
        other = super().fork(board)
        other._at_work = self._at_work[:]
        return other

    def task_ready(self, task: int) -> int:
        """Send `task` to the agent with the fewest tasks of some, the first drawn of several."""
        there = self.here or range(self.setting.workers)
        drawn: list[int] = []
        while len(drawn) < min(self._choices, len(there)):
            agent = there[int(self._rolls() * len(there))]
            if agent not in drawn:
                drawn.append(agent)
        shortest = min(drawn, key=lambda agent: len(self.ready[agent]) + self._at_work[agent])
        self.board.give(task, shortest)
        return super().task_ready(task)

    def choose(self, agent: int, count: int) -> list[int] | None:
        """Return the first tasks in the agent's queue."""
        picks = super().choose(agent, count) or []
        self._at_work[agent] = len(picks)
        return picks
