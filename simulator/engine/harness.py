"""The time that the harness takes between rounds."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence

import simpy

from simulator.engine.clock import Clock
from simulator.engine.schedule import Schedule
from simulator.model.agents.agent import AgentState
from simulator.model.journal import Journal
from simulator.model.streams import Draw
from simulator.model.trace import Event


class Harness:
    """Keeps agents waiting after a round; what it has done after the last is taken back.

    Parameters
    ----------
    env : Schedule
    clock : Clock
    journal : Journal
    overhead : callable
        Draws the seconds after a round.
    agents : iterable of AgentState
        All of the team, the workers first.
    """

    __slots__ = (
        "_agents",
        "_began_s",
        "_clock",
        "_ended_s",
        "_env",
        "_is_owed",
        "_journal",
        "_kept",
        "_seconds",
    )

    def __init__(
        self,
        env: Schedule,
        clock: Clock,
        journal: Journal,
        overhead: Draw,
        agents: Iterable[AgentState],
    ) -> None:
        self._env, self._clock, self._journal = env, clock, journal
        self._seconds = overhead
        self._agents = list(agents)
        self._began_s = self._ended_s = 0.0
        self._kept: Sequence[AgentState] = ()
        """Whom it has kept waiting last."""
        self._is_owed = False
        """Whether no round has begun since then."""

    def work(self) -> Generator[simpy.Event, object, None]:
        """Keep agents waiting."""
        env = self._env
        started, seconds = env.now, self._seconds()
        yield from self._clock.hold(seconds)
        # It does not hold up agents that were down in between, nor agents that wait at the barrier
        # in the middle of a call.
        there = [a for a in self._agents if not a.is_down and a.time.free_since <= started]
        there = [agent for agent in there if not agent.time.in_call]
        for agent in there:
            agent.time.book_free(started)
            agent.time.free_from(env.now)
        length = env.now - started
        self._journal.metrics.coordination_s += len(there) * length
        self._journal.note(Event.OVERHEAD, peer=len(there), duration_s=length, at_s=env.now)
        self._began_s, self._ended_s, self._kept = started, env.now, there
        self._is_owed = True

    def let_round_begin(self) -> None:
        """Owe nothing any more: a round follows."""
        self._is_owed = False

    def settle(self) -> None:
        """Take back the time after the last round: it passes only between two rounds."""
        if not self._is_owed:
            return
        length = self._ended_s - self._began_s
        for agent in self._kept:
            if agent.time.free_since == self._ended_s and not agent.is_down:
                agent.time.free_from(self._began_s)
            else:  # it went down later, and has been booked as waiting until then
                agent.time.wait_more(length)
        self._journal.metrics.coordination_s -= len(self._kept) * length
        self._journal.retract(Event.OVERHEAD)
        self._is_owed = False
