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
        # The tasks that each agent is at work on, and tasks that others have done meanwhile.
        self._at_work: list[set[int]] = [set() for _ in range(setting.workers)]

    def fork(self, board: Board) -> Self:
        """Return an independent copy that works on a copy of the board."""
        other = super().fork(board)
        other._at_work = [tasks.copy() for tasks in self._at_work]
        return other

    def task_ready(self, task: int) -> int:
        """Send `task` to the agent with the fewest tasks of some, the first drawn of several."""
        self.board.give(task, self._shortest())
        return super().task_ready(task)

    def _shortest(self) -> int:
        there = self.here or range(self.setting.workers)
        drawn: list[int] = []
        while len(drawn) < min(self._choices, len(there)):
            agent = there[int(self._rolls() * len(there))]
            if agent not in drawn:
                drawn.append(agent)
        return min(drawn, key=self._length)

    def _length(self, agent: int) -> int:
        """Return how many tasks wait for an agent or are being done by it."""
        done = self.board.done
        return len(self.ready[agent]) + sum(not done[task] for task in self._at_work[agent])

    def choose(self, agent: int, count: int) -> list[int] | None:
        """Return the first tasks in the agent's queue."""
        picks = super().choose(agent, count) or []
        self._at_work[agent] = set(picks)
        return picks

    def attempt_ended(self, agent: int, task: int, done: bool) -> None:
        """Put a task that failed its tests back in the queue."""
        self._at_work[agent].discard(task)
        super().attempt_ended(agent, task, done)

    def returned(self, agent: int, task: int) -> None:
        """Put the task back in the queue."""
        self._at_work[agent].discard(task)
        super().returned(agent, task)

    def handed_in(self, agent: int, task: int) -> None:
        """Note that the agent is no longer at work on the task, which is reviewed."""
        self._at_work[agent].discard(task)

    def give_away(self, agent: int) -> int:
        """Let the agent's tasks join the queues of the others, each the shortest."""
        board = self.board
        held = [task for task in self.order if board.owner[task] == agent and not board.done[task]]
        for task in held if self.here else ():
            self.hand_over(task, self._shortest())
            self.wake(board.owner[task])
        return len(held) if self.here else 0
