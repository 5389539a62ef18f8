"""The state of a protocol in one replication, and what it is told: the base of all of them."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from simulator.model.agenda import Agenda
from simulator.model.board import Board
from simulator.model.copied import Copied
from simulator.model.journal import Journal
from simulator.model.ledger import Ledger
from simulator.model.metrics import Metrics
from simulator.model.stream_numbers import number_of
from simulator.model.streams import Draw, Entity, Purpose, Streams
from simulator.scenario.agent import Agent

SOMEONE, EVERYONE = -1, -2
"""Whom a task that can start concerns: any one waiting agent, or all of them."""


LEFT = -1
"""What is given for a task's answer where the task is left as it is."""


def preferably(agent: int) -> int:
    """Return whom a task concerns that `agent` should do if it waits, else any one who does."""
    return EVERYONE - 1 - agent


def preferred(concerned: int) -> int:
    """Return the agent of what `preferably` returned."""
    return EVERYONE - 1 - concerned


@dataclass(frozen=True, slots=True)
class Setting:
    """What a protocol is told about one replication.

    Attributes
    ----------
    board : Board
    specs : sequence of Agent, shape (workers,)
    managers : sequence of int, shape (workers,)
        The coordinator that each worker reports to, or a negative number.
    streams : Streams
    metrics : Metrics
        Where steals and expired leases are counted.
    agenda : Agenda
    journal : Journal
        Where claims are written down.
    """

    board: Board
    specs: Sequence[Agent]
    managers: Sequence[int]
    streams: Streams
    metrics: Metrics
    agenda: Agenda
    journal: Journal

    @property
    def workers(self) -> int:
        """Number of workers."""
        return len(self.specs)

    def uniforms(self, agent: int, purpose: Purpose) -> Draw:
        """Return a worker's stream of uniforms for a purpose."""
        return self.streams.uniforms(Entity.AGENT, agent, purpose)

    def run_uniforms(self, purpose: Purpose) -> Draw:
        """Return the run's stream of uniforms for a purpose."""
        return self.streams.uniforms(Entity.RUN, 0, purpose)

    def choices(self, agent: int) -> Draw:
        """Return a worker's uniforms for choices, correlated within its family.

        A family's k-th choices share a uniform, which each agent takes with its
        ``preference_correlation`` and else draws its own.
        """
        own = self.uniforms(agent, Purpose.CHOICE)
        spec = self.specs[agent]
        correlation = spec.behaviour.preference_correlation
        if not correlation:
            return own
        common = self.streams.uniforms(Entity.FAMILY, number_of(spec.family), Purpose.CHOICE)
        mixes = self.uniforms(agent, Purpose.PREFERENCE)

        def choice() -> float:
            mine, ours = own(), common()
            return ours if mixes() < correlation else mine

        return choice


class Dispatcher(Copied, ABC):
    """The protocol's state in one replication; agents and the engine ask it what to do.

    A protocol overrides the questions that it has an answer to.

    Parameters
    ----------
    setting : Setting

    Attributes
    ----------
    woken : list of int
        Agents (or `SOMEONE`, `EVERYONE`) for whom there is something new to do.
    gone : set of int
        Agents that have been taken for dead; only `lost` and `back` change it.
    here : list of int
        The other agents, in order.
    works_ahead : bool
        Whether a task may be done in the same call as the tasks it depends on.
    sets_timers : bool
        Whether something happens to tasks while calls go on.
    watches_attempts : bool
        Whether an attempt may be refused, or is noted where it gets its task done. Where not,
        `may_attempt` is not asked then, nor is `attempt_ended` told.
    copies_alike : float
        Probability that a copy of a task takes as long as the first.
    ledger : Ledger or None
        The claims that agents make, where they are counted.
    """

    __slots__ = (
        "board",
        "copies_alike",
        "gone",
        "here",
        "ledger",
        "sets_timers",
        "setting",
        "watches_attempts",
        "woken",
        "works_ahead",
    )

    gives_answers: ClassVar[bool] = False
    """Whether the protocol may say what an attempt answers, and decides what a task's is."""
    asks_several: ClassVar[bool] = False
    """Whether several agents attempt a task, each for itself."""
    has_duties: ClassVar[bool] = False
    """Whether workers have calls to make that are no attempts at tasks."""
    has_lead: ClassVar[bool] = False
    """Whether coordinators hand out the tasks."""
    calls_idly: ClassVar[bool] = True
    """Whether an agent that is given nothing may call all the same."""
    sets_context: ClassVar[bool] = False
    """Whether the protocol gives agents fresh contexts."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.board = setting.board
        self.woken: list[int] = []
        self.gone: set[int] = set()
        self.here = list(range(setting.workers))
        self.works_ahead = False
        self.sets_timers = False
        self.watches_attempts = True
        self.copies_alike = 0.0
        self.ledger: Ledger | None = None

    def fork(self, board: Board) -> Self:
        """Return an independent copy that works on `board`, a copy of this one's board.

        A subclass that keeps lists of its own copies them. Random streams stay shared: what one
        of the two has drawn, the other does not draw again.
        """
        other = copy.copy(self)
        other.setting = replace(self.setting, board=board)
        other.board = board
        other.woken = self.woken[:]
        other.gone = self.gone.copy()
        other.ledger = None if self.ledger is None else self.ledger.fork(board)
        return other

    def wake(self, *whom: int) -> None:
        """Note that there is something new for agents to do; or `SOMEONE`, or `EVERYONE`."""
        self.woken.extend(whom)

    def take_woken(self) -> list[int]:
        """Return whom there is something new for, and begin anew."""
        woken, self.woken = self.woken, []
        return woken

    @abstractmethod
    def task_ready(self, task: int) -> int:
        """Note that `task` can start; return the agent it concerns.

        Or `SOMEONE`, `EVERYONE`, or `preferably` an agent.
        """

    def task_appears(self, task: int) -> None:
        """Note that `task` is on the board from now on, and cannot start yet."""

    def has_tasks(self, agent: int) -> bool:
        """Return whether there may be a task that `agent` could attempt now."""
        return True

    @abstractmethod
    def choose(self, agent: int, count: int) -> list[int] | None:
        """Return up to `count` tasks that `agent` attempts in the call it now begins.

        An empty list says that there is nothing for it to do; None, that it leaves what there
        is to others and spends the call idly.
        """

    def due(self, agent: int) -> int:
        """Return how many tasks `agent` finds to do: all on the board, where nobody has dealt."""
        return self.board.remaining

    @abstractmethod
    def may_attempt(self, agent: int, task: int) -> bool:
        """Return whether, now that its call ends, `agent` may attempt `task`, and claim it.

        The task is not done and its dependencies are.
        """

    @abstractmethod
    def attempt_ended(self, agent: int, task: int, done: bool) -> None:
        """Note that an attempt which was allowed has ended, with the task done or to redo."""

    @abstractmethod
    def returned(self, agent: int, task: int) -> None:
        """Note that a chosen task was not attempted and is still to be done."""

    @abstractmethod
    def forget(self, task: int) -> None:
        """Note that a task was done without the protocol, on the other side of a partition."""

    def lost(self, agent: int) -> int:
        """Take `agent` for dead; return how many tasks are given to others because of it."""
        self.gone.add(agent)
        self._count_those_here()
        return self.give_away(agent)

    def give_away(self, agent: int) -> int:
        """Give what `agent`, who is gone, has to do to the others; return how many tasks."""
        return 0

    def back(self, agent: int) -> None:
        """Note that `agent` is there again; it is given what nobody was there for."""
        nobody_was_here = not self.here
        if agent in self.gone:
            self.gone.remove(agent)
            self._count_those_here()
        if nobody_was_here:
            for other in sorted(self.gone):
                self.give_away(other)
        self.welcome(agent)

    def _count_those_here(self) -> None:
        self.here = [other for other in range(self.setting.workers) if other not in self.gone]

    def welcome(self, agent: int) -> None:
        """Let `agent`, who is there again, be given tasks."""

    def take_over(self, agent: int, task: int) -> None:
        """Let `agent` have a task that another is at work on."""
        self.forget(task)
        self.board.give(task, agent)

    def pick_abandoned(self, agent: int, task: int) -> None:
        """Note that a chosen task could not be attempted: its dependencies were not done."""

    def handed_in(self, agent: int, task: int) -> None:
        """Note that a finished task waits for review: it is not to be attempted meanwhile."""

    def forgotten(self, agent: int, task: int) -> None:
        """Note that an agent has finished a task that it holds, and does not hand it in."""

    def exits(self, agent: int) -> None:
        """Note that an agent goes down."""

    def begin_round(self, number: int) -> None:
        """Note that a round begins."""

    def end(self) -> None:
        """Note that another protocol takes over, or the board of the other side."""

    def reopen(self, task: int) -> int:
        """Put a done task on the board again; return whom it concerns."""
        return self.task_ready(task)

    def answer(self, agent: int, task: int) -> int | None:
        """Return what the attempt answers; None leaves it to the agent's errors."""
        return None

    def decide(self, agent: int, task: int, answer: int) -> int | None:
        """Take in an answer; return the task's once it is decided."""
        return answer

    def do_without(self, agent: int, task: int) -> int | None:
        """Note that an agent's call at a task has failed for good.

        Return the task's answer, if the others have given theirs; `LEFT` if there is nobody else;
        None if others still decide it.
        """
        return LEFT

    def duty(self, agent: int) -> float | None:
        """Return the work units of a call that `agent` owes besides its tasks, if it does."""
        return None

    def duty_done(self, agent: int) -> None:
        """Note that the call is made."""

    def is_over(self) -> bool:
        """Return whether nothing is left to do once all tasks are done."""
        return True

    def context_of(self, agent: int, tokens: int) -> tuple[int, int]:
        """Return how much `agent`, who has `tokens` of context, keeps of it, and what is added."""
        return tokens, 0

    def lead_wanted(self, manager: int) -> bool:
        """Return whether a coordinator has something to hand out and somebody to take it."""
        return False

    def led(self, manager: int, reported: Sequence[int]) -> None:
        """Let a coordinator, whose call ends, hand out work."""

    def waits(self) -> Sequence[str]:
        """Say what the protocol waits for, for the end of a run that got stuck."""
        return ()
