"""What every coordination protocol does: hand tasks from the board to agents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from simulator.model.board import Board
from simulator.model.streams import Draw, Purpose
from simulator.registry import Plugin
from simulator.scenario.agent import Behaviour

SOMEONE, EVERYONE = -1, -2
"""Whom a task that can start concerns: any one waiting agent, or all of them."""

UniformsOf = Callable[[int, Purpose], Draw]
"""Gives the stream of uniforms of an agent, for a purpose."""


class Protocol(Plugin):
    """How work reaches agents."""

    @abstractmethod
    def dispatcher(
        self, board: Board, workers: int, behaviour: Behaviour, uniforms: UniformsOf
    ) -> Dispatcher:
        """Return the state of this protocol for one replication."""


class Dispatcher(ABC):
    """The protocol's state in one replication; agents and the engine ask it what to do."""

    works_ahead: bool = False
    """Whether a task may be done in the same call as the tasks it depends on."""

    @abstractmethod
    def task_ready(self, task: int) -> int:
        """Note that `task` can start; return the agent it concerns, `SOMEONE` or `EVERYONE`."""

    @abstractmethod
    def choose(self, agent: int, count: int) -> list[int] | None:
        """Return up to `count` tasks that `agent` attempts in the call it now begins.

        An empty list says that there is nothing for it to do; None, that it leaves what there
        is to others and spends the call idly.
        """

    @abstractmethod
    def may_attempt(self, agent: int, task: int) -> bool:
        """Return whether, now that its call ends, `agent` may attempt `task`, and claim it.

        The task is not done and its dependencies are.
        """

    @abstractmethod
    def attempt_ended(self, agent: int, task: int, done: bool) -> None:
        """Note that an attempt which was allowed has ended, with the task done or to redo."""

    @abstractmethod
    def pick_abandoned(self, agent: int, task: int) -> None:
        """Note that a chosen task could not be attempted (its dependencies were not done)."""
