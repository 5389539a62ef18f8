"""The calls for which a barrier waits no more."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.engine.calls import Calls
from simulator.engine.clock import Clock
from simulator.engine.schedule import LAST, Due, Schedule
from simulator.model.agents.agent import AgentState
from simulator.model.agents.timesheet import WAITING
from simulator.model.why import Why


class Latecomers(Due):
    """Cancels the calls that have not ended when enough others have.

    A call that ends at that very instant is not late, whoever is told of it first: those that may
    are looked at once more after all else that happens now.

    Parameters
    ----------
    callers : sequence of AgentState
    env : Schedule
    clock : Clock
    calls : Calls
    """

    __slots__ = ("_calls", "_clock", "_just_in_time")

    def __init__(
        self, callers: Sequence[AgentState], env: Schedule, clock: Clock, calls: Calls
    ) -> None:
        self._clock, self._calls = clock, calls
        self._just_in_time: list[tuple[AgentState, int]] = []
        """Agents whose calls go on at this instant, and the numbers of these calls."""
        going_on = calls.going_on_now()
        for agent in callers:
            if not agent.time.in_call:
                continue
            if agent.index in going_on and agent.time.phase != WAITING:
                self._just_in_time.append((agent, agent.call.number))
            else:
                clock.interrupt(agent.index, Why.LATE)
        calls.resume()
        if self._just_in_time:
            env.schedule(self, LAST)

    def happen(self) -> None:
        """Cancel what has not ended after all."""
        for agent, number in self._just_in_time:
            if agent.time.in_call and agent.call.number == number:
                self._clock.interrupt(agent.index, Why.LATE)
        self._calls.resume()
