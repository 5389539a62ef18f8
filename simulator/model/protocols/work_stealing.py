"""Work stealing: who has nothing left takes from another (Blumofe & Leiserson 1999)."""

from __future__ import annotations

from collections import deque
from typing import Literal, Self

from simulator.model.board import NOBODY, Board, TaskPool
from simulator.model.protocols._protocol import Dispatcher, Protocol, Setting, preferably
from simulator.model.streams import Purpose


class WorkStealing(Protocol):
    """Every agent has a deque of tasks that can start.

    It works at one end, on what it has freed last; an agent without work tries the others in
    random order and takes what has lain longest from the first that has something. What nobody
    has freed, as tasks that arrive, is dealt out.
    """

    kind: Literal["work_stealing"] = "work_stealing"
    start: Literal["dealt", "one"] = "dealt"
    """Where the tasks are that nobody frees: dealt round robin, or all with agent 0."""
    amount: Literal["one", "half"] = "one"
    """How much a thief takes."""

    def dispatcher(self, setting: Setting) -> Dispatcher:
        """Return the state of this protocol for one replication."""
        return _Deques(self, setting)


class _Deques(Dispatcher):
    __slots__ = ("_deal", "_deques", "_half", "_loaded", "_rolls", "_turn")

    def __init__(self, protocol: WorkStealing, setting: Setting) -> None:
        super().__init__(setting)
        self._deal = protocol.start == "dealt"
        self._half = protocol.amount == "half"
        self._deques: list[deque[int]] = [deque() for _ in range(setting.workers)]
        self._rolls = [setting.uniforms(i, Purpose.STEAL) for i in range(setting.workers)]
        self._loaded = TaskPool(setting.workers)  # of agents: those whose deque holds something
        self._turn = 0

    def fork(self, board: Board) -> Self:
        """Return an independent copy that works on a copy of the board."""
        other = super().fork(board)
        other._deques = [tasks.copy() for tasks in self._deques]
        other._loaded = self._loaded.copy()
        return other

    def task_ready(self, task: int) -> int:
        """Put `task` on the deque of who freed it; if that agent is busy, another may steal it."""
        agent = self.board.freed_by
        if agent == NOBODY:
            agent = self._turn % self.setting.workers if self._deal else 0
            self._turn += 1
        self._give(agent, task)
        return preferably(agent)

    def _give(self, agent: int, task: int) -> None:
        self.board.give(task, agent)
        self._deques[agent].append(task)
        self._loaded.add(agent)

    def has_tasks(self, agent: int) -> bool:
        """Return whether anybody has tasks: what others have can be stolen."""
        return bool(self._deques[agent] or self._loaded.count)

    def choose(self, agent: int, count: int) -> list[int]:
        """Return the agent's newest tasks, or what it steals."""
        own = self._deques[agent]
        if not own:
            self._steal(agent)
        picks = [own.pop() for _ in range(min(count, len(own)))]
        self._note(agent)
        return picks

    def _note(self, agent: int) -> None:
        if not self._deques[agent]:
            self._loaded.discard(agent)

    def _steal(self, thief: int) -> None:
        # Any agent that has something, as trying all in random order would find it.
        loaded = self._loaded
        if not loaded.count:
            return
        agent = loaded.items[int(self._rolls[thief]() * loaded.count)]
        victim = self._deques[agent]
        amount = (len(victim) + 1) // 2 if self._half else 1
        self.setting.metrics.steals += amount
        for _ in range(amount):
            self._give(thief, victim.popleft())
        self._note(agent)

    def reopen(self, task: int) -> int:
        """Put a task that is undone on the deque of who did it."""
        agent = self.board.doer[task]
        self._give(agent, task)
        return preferably(agent)

    def give_away(self, agent: int) -> int:
        """Leave the agent's deque to the thieves; return what is on it."""
        return len(self._deques[agent])

    def may_attempt(self, agent: int, task: int) -> bool:
        """Return True: only the agent has the task."""
        return True

    def attempt_ended(self, agent: int, task: int, done: bool) -> None:
        """Put a task that failed its tests back on the agent's deque."""
        if not done:
            self._give_back(agent, task)

    def returned(self, agent: int, task: int) -> None:
        """Put the task back on the agent's deque."""
        if not self.board.done[task] and task not in self._deques[agent]:
            self._give_back(agent, task)

    def _give_back(self, agent: int, task: int) -> None:
        """Put a task on an agent's deque again; what it does not take at once may be stolen."""
        self._give(agent, task)
        self.wake(preferably(agent))

    def forget(self, task: int) -> None:
        """Take the task off the deque that it is on."""
        owner = self.board.owner[task]
        if owner != NOBODY and task in self._deques[owner]:
            self._deques[owner].remove(task)
            self._note(owner)
