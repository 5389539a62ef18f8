"""Dispatchers of other packages, whose answers are looked at before the run relies on them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Self

from simulator.errors import TeamsimError, what_is
from simulator.model.board import Board
from simulator.model.protocols._dispatcher import EVERYONE, Dispatcher, Setting, preferred
from simulator.model.protocols._protocol import Protocol
from simulator.scenario.families import ProtocolSpec
from simulator.spec import is_whole


def dispatcher_of(spec: ProtocolSpec, setting: Setting) -> Dispatcher:
    """Return the state of a protocol for one replication.

    Raises
    ------
    TeamsimError
        If the protocol of another package makes none. What it answers later is looked at too.
    """
    protocol = Protocol.of(spec)
    made = protocol.dispatcher(setting)
    if protocol.ships():
        return made
    if not isinstance(made, Dispatcher):
        raise TeamsimError(
            f"protocol {spec.kind!r}: dispatcher returned {what_is(made)}, no Dispatcher"
        )
    made.__class__ = _looked_at(type(made), spec.kind)
    return made


@cache
def _looked_at(kind: type[Dispatcher], name: str) -> type[Dispatcher]:
    """Return a class of dispatchers that answer as `kind` does, or raise an error."""

    class LookedAt(kind):  # type: ignore[misc, valid-type]  # known only now
        __slots__ = ()

        def _wrong(self, what: str) -> TeamsimError:
            return TeamsimError(f"protocol {name!r}: {what}")

        def _check_whom(self, method: str, whom: object) -> None:
            workers = self.setting.workers
            if not is_whole(whom):
                raise self._wrong(f"{method} gave {what_is(whom)}, no number of an agent")
            agent = preferred(whom) if whom < EVERYONE else whom
            if agent >= workers:
                raise self._wrong(f"{method} gave agent {agent}, of {workers} workers")

        def fork(self, board: Board) -> Self:
            other = super().fork(board)
            if not (isinstance(other, LookedAt) and other.board is board):
                raise self._wrong(f"fork returned {what_is(other)}, no dispatcher of that board")
            return other

        def wake(self, *whom: int) -> None:
            for each in whom:
                self._check_whom("wake", each)
            super().wake(*whom)

        def task_ready(self, task: int) -> int:
            whom: int = super().task_ready(task)
            self._check_whom("task_ready", whom)
            return whom

        def reopen(self, task: int) -> int:
            whom: int = super().reopen(task)
            self._check_whom("reopen", whom)
            return whom

        def choose(self, agent: int, count: int) -> list[int] | None:
            picks = super().choose(agent, count)
            rule = "" if picks is None else _broken_by_picks(picks, count, len(self.board.done))
            if rule:
                raise self._wrong(f"choose gave agent {agent} {rule}")
            return picks  # type: ignore[no-any-return]

        def may_attempt(self, agent: int, task: int) -> bool:
            may = super().may_attempt(agent, task)
            if may is None:
                raise self._wrong("may_attempt returned None, neither True nor False")
            return bool(may)

        def give_away(self, agent: int) -> int:
            count = super().give_away(agent)
            if not is_whole(count):
                raise self._wrong(f"give_away returned {what_is(count)}, no number of tasks")
            return count

        def decide(self, agent: int, task: int, answer: int) -> int | None:
            decided = super().decide(agent, task, answer)
            if not (decided is None or is_whole(decided)):
                raise self._wrong(f"decide returned {what_is(decided)}, neither answer nor None")
            return decided

    return LookedAt


def _broken_by_picks(picks: object, count: int, tasks: int) -> str:
    """Return what is wrong with what an agent was given; an empty text if nothing."""
    if not isinstance(picks, Sequence) or isinstance(picks, str):
        return f"{what_is(picks)}, no list of tasks"
    for task in picks:
        if not is_whole(task):
            return f"{what_is(task)}, no number of a task"
        if not 0 <= task < tasks:
            return f"task {task}, of {tasks} tasks"
    if len(set(picks)) < len(picks):
        return f"a task twice: {list(picks)}"
    return f"{len(picks)} tasks, of which it asked for {count}" if len(picks) > count else ""
