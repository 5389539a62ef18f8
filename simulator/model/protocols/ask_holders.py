"""Partitioned information: each agent holds a part, and asks the others for theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from simulator.model.answers import CORRECT
from simulator.model.board import Board
from simulator.model.protocols._hands import Hands
from simulator.model.protocols._protocol import Protocol, Setting
from simulator.model.streams import Purpose
from simulator.scenario.families import TopologySpec
from simulator.spec import Fraction, NonNegative


class AskHolders(Protocol):
    """Each agent holds a part of the information, and asks the others for what its tasks need.

    Tasks are dealt in turn. A task needs the part of the agent to whom it is dealt, and those of
    others. What an agent lacks it asks for, in one call; who is asked answers, before it does
    tasks, all who have asked until then, in one call. The asker misunderstands an answer with its
    `errors.hand_off`. Whoever holds a part can be asked: where not all hear each other, questions
    are passed on, which takes no time here. A task done without a part, or by a part that is
    misunderstood, is faulty, which tests do not find; one that is sent back makes its agent ask
    again. (Hidden profiles: Stasser and Titus 1985.)
    """

    answers_others: ClassVar[bool] = True
    can_back_up: ClassVar[bool] = False
    can_take_over: ClassVar[bool] = False

    kind: Literal["ask_holders"] = "ask_holders"
    parts: Annotated[int, Field(ge=0)] | None = None
    """Parts of others that a task needs, those of the next agents in number; all others' when
    absent."""
    impatience: Fraction = 0.0
    """Probability that an agent, once it has asked, does a task at once, without the answers."""
    ask_work: NonNegative = 1.0
    """Work units of a call that asks."""
    answer_work: NonNegative = 1.0
    """Work units of a call that answers."""

    def problem_in(self, topology: TopologySpec, workers: int) -> str | None:
        """Return a message if nobody can be asked."""
        if workers == 1 or self.parts == 0 or not topology.is_silent:
            return None
        return (
            f"protocol 'ask_holders' lets agents ask each other, and in topology {topology.kind!r} "
            "they say nothing to each other (use decentralised or another)"
        )

    def dispatcher(self, setting: Setting) -> Hands:
        """Return the state of this protocol for one replication."""
        return _Holders(self, setting)


class _Holders(Hands):
    """What each agent has been told, and who waits for whose answer."""

    __slots__ = (
        "_answered",
        "_asked",
        "_hasty",
        "_home",
        "_misread",
        "_needs",
        "_protocol",
        "_rolls_hasty",
        "_rolls_misread",
        "_told",
        "_unfounded",
    )

    has_duties: ClassVar[bool] = True
    gives_answers: ClassVar[bool] = True

    def __init__(self, protocol: AskHolders, setting: Setting) -> None:
        super().__init__(setting)
        workers = setting.workers
        self._protocol = protocol
        self._home = [0] * len(self.order)
        for turn, task in enumerate(self.order):
            self._home[task] = turn % workers
        self.board.deal(self._home)
        others = workers - 1 if protocol.parts is None else min(protocol.parts, workers - 1)
        # By the agent to whom a task is dealt, the agents whose parts it needs.
        self._needs = [
            sorted((home + i) % workers for i in range(others + 1)) for home in range(workers)
        ]
        self._told = [{agent} for agent in range(workers)]
        self._misread: list[set[int]] = [set() for _ in range(workers)]
        # At each holder, who waits for its answer, in order.
        self._asked: list[dict[int, None]] = [{} for _ in range(workers)]
        self._answered: list[list[int]] = [[] for _ in range(workers)]
        self._hasty: set[int] = set()  # tasks that are not to wait
        self._unfounded: set[int] = set()  # tasks begun without a part, or by one misunderstood
        self._rolls_hasty = [setting.uniforms(i, Purpose.IMPATIENCE) for i in range(workers)]
        self._rolls_misread = [setting.uniforms(i, Purpose.UNDERSTANDING) for i in range(workers)]

    def fork(self, board: Board) -> Self:
        """Return an independent copy that works on a copy of the board."""
        other = super().fork(board)
        other._told = [parts.copy() for parts in self._told]
        other._misread = [parts.copy() for parts in self._misread]
        other._asked = [askers.copy() for askers in self._asked]
        other._answered = [askers[:] for askers in self._answered]
        other._hasty = self._hasty.copy()
        other._unfounded = self._unfounded.copy()
        return other

    def _lacks(self, agent: int, task: int) -> list[int]:
        """Return whose parts the agent has not been told and can still be told."""
        told, gone = self._told[agent], self.gone
        needs = self._needs[self._home[task]]
        return [part for part in needs if part not in told and part not in gone]

    def _is_founded(self, agent: int, task: int) -> bool:
        """Return whether the agent has been told all that a task needs, and understood it."""
        needs = self._needs[self._home[task]]
        return self._told[agent].issuperset(needs) and self._misread[agent].isdisjoint(needs)

    def _to_ask(self, agent: int) -> list[int]:
        """Return whom the agent has still to ask, for all its tasks that can start."""
        lacking = {
            part
            for rank in self.ready[agent]
            for part in self._lacks(agent, self.order[rank])
            if self.order[rank] not in self._hasty
        }
        return [part for part in sorted(lacking) if agent not in self._asked[part]]

    def duty(self, agent: int) -> float | None:
        """Return the work of an answer that the agent owes, else of what it has to ask."""
        if any(self.order[rank] in self._hasty for rank in self.ready[agent]):
            return None  # what it does not wait for comes first
        self._answered[agent] = list(self._asked[agent])
        if self._answered[agent]:
            return self._protocol.answer_work
        return self._protocol.ask_work if self._to_ask(agent) else None

    def duty_done(self, agent: int) -> None:
        """Let those know who have asked; or let those be asked who hold what is needed."""
        askers, self._answered[agent] = self._answered[agent], []
        if askers:
            for asker in askers:
                self._tell(asker, agent)
            return
        holders = self._to_ask(agent)
        for rank in self.ready[agent]:
            task = self.order[rank]
            if self._lacks(agent, task) and self._rolls_hasty[agent]() < self._protocol.impatience:
                self._hasty.add(task)
        for holder in holders:
            self._asked[holder][agent] = None
        self.wake(agent, *holders)

    def _tell(self, asker: int, holder: int) -> None:
        self._asked[holder].pop(asker, None)
        hand_off = self.setting.specs[asker].errors.hand_off
        self._told[asker].add(holder)
        if hand_off > 0.0 and self._rolls_misread[asker]() < hand_off:
            self._misread[asker].add(holder)
        self.wake(asker)

    def choose(self, agent: int, count: int) -> list[int]:
        """Return the agent's first tasks for which it lacks nothing, or does not wait."""
        picks = self.take_those(
            agent, count, lambda task: task in self._hasty or not self._lacks(agent, task)
        )
        for task in picks:  # what is told during the call comes too late for it
            if self._is_founded(agent, task):
                self._unfounded.discard(task)
            else:
                self._unfounded.add(task)
        return picks

    def decide(self, agent: int, task: int, answer: int) -> int | None:
        """Return the answer, which is wrong without the parts that it needs."""
        return 1 if answer == CORRECT and task in self._unfounded else answer

    def attempt_ended(self, agent: int, task: int, done: bool) -> None:
        """Let the agent ask again for what a task needs that was sent back."""
        super().attempt_ended(agent, task, done)
        self._hasty.discard(task)
        if not done:
            again = self._misread[agent].intersection(self._needs[self._home[task]])
            self._misread[agent] -= again
            self._told[agent] -= again

    def give_away(self, agent: int) -> int:
        """Deal the agent's tasks to the others; nobody waits for its answers."""
        for askers in self._asked:
            askers.pop(agent, None)
        waiting, self._asked[agent] = self._asked[agent], {}
        self.wake(*waiting)
        return super().give_away(agent)

    def welcome(self, agent: int) -> None:
        """Let the agent go on."""
        self.wake(agent)

    def waits(self) -> Sequence[str]:
        """Say who waits for whose answers."""
        return [
            f"agent {asker} waits for what agent {holder} knows"
            for holder, askers in enumerate(self._asked)
            for asker in askers
        ]
