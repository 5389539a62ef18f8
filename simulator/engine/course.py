"""The course of a replication, event by event, with a guard against time that stands still."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import astuple, fields

from simulator.engine.schedule import Schedule
from simulator.errors import TeamsimError
from simulator.model.agents.agent import AgentState
from simulator.model.metrics import METRIC_NAMES, Metrics
from simulator.model.team.sides import Sides

_EVENTS = 200_000
_EVENTS_A_PAIR = 10
"""Events at one instant that are allowed: messages between all pairs of agents, and so on."""

_EVENTS_AT_A_TIME = 10_000
"""Between two looks at whether time stands still, and two reports of progress."""

_SHOWN = 4
"""Agents, and counts, that the error names."""

_COUNTS = [
    field.name
    for field in fields(Metrics)
    if field.type == "int" and not field.name.endswith("tokens")
]
"""What happens once at a time."""


class Course:
    """Follows a replication, and counts the events at one instant in which no task is done.

    Parameters
    ----------
    env : Schedule
    metrics : Metrics
    sides : Sides
    agents : callable
        Returns the agents of the team, and sub-agents.
    going_on_now : callable
        Returns the numbers of those whose calls go on at this instant.
    """

    __slots__ = (
        "_agents",
        "_before",
        "_done",
        "_env",
        "_events",
        "_going_on_now",
        "_metrics",
        "_most",
        "_now",
        "_sides",
    )

    def __init__(
        self,
        env: Schedule,
        metrics: Metrics,
        sides: Sides,
        agents: Callable[[], Sequence[AgentState]],
        going_on_now: Callable[[], set[int]],
    ) -> None:
        self._env, self._metrics, self._sides = env, metrics, sides
        self._agents, self._going_on_now = agents, going_on_now
        self._most = _EVENTS + _EVENTS_A_PAIR * (len(agents()) ** 2 + len(sides.board.done))
        self._now, self._done, self._events = -1.0, 0, 0
        self._before: dict[str, int] = {}

    def follow(self, tell: Callable[[], None] | None) -> bool:
        """Follow events until the run is over; return whether it is, or no event is left.

        Parameters
        ----------
        tell : callable or None
            Called now and then, to tell how far the replication is.

        Raises
        ------
        TeamsimError
            If time stands still.
        """
        env = self._env
        while env.go_on(_EVENTS_AT_A_TIME):
            self._check_time(_EVENTS_AT_A_TIME)
            if tell is not None:
                tell()
        return env.is_over

    def _check_time(self, events: int) -> None:
        """Raise an error if time stands still after so many more events."""
        if self._env.now > self._now or self._metrics.tasks_done > self._done:
            self._now, self._done, self._events = self._env.now, self._metrics.tasks_done, 0
            self._before = self._counted()
            return
        self._events += events
        if self._events > self._most:
            raise TeamsimError(
                f"time stands still at {self._now:g} s: {self._events:,} events have happened at "
                f"this instant, and no task was done{self._loop()}; what is done again and again "
                "must take time, such as calls, or waits before retries"
            )

    def _counted(self) -> dict[str, int]:
        return {
            name: count
            for name, count in zip(METRIC_NAMES, astuple(self._metrics), strict=True)
            if name in _COUNTS
        }

    def _loop(self) -> str:
        """Say who goes round in circles, and what has been counted meanwhile."""
        names = self._sides.board.graph.names
        everybody, going_on = self._agents(), self._going_on_now()
        callers = [agent for agent in everybody if agent.index in going_on]
        agents = [
            f"agent {agent.index}"
            + (f" at task {names[agent.call.picks[0]]}" if agent.call.picks else "")
            for agent in callers or [agent for agent in everybody if agent.time.in_call]
        ]
        grown = Counter(self._counted())
        grown.subtract(self._before)
        counts = [f"{count:,} {name}" for name, count in grown.most_common(_SHOWN) if count]
        more = f" and {len(agents) - _SHOWN} more" if len(agents) > _SHOWN else ""
        who = f": {', '.join(agents[:_SHOWN])}{more}" if agents else ""
        what = f" ({', '.join(counts)})" if counts else ""
        return who + what
