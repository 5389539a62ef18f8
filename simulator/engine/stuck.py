"""Who has been found stuck: it begins its next call after the others, to whom its tasks go."""

from __future__ import annotations

from simulator.model.agents.agent import AgentState
from simulator.model.why import Why


class Stuck:
    """Those who have been found stuck, until they may begin another call."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: set[AgentState] = set()

    def note(self, agent: AgentState) -> None:
        """Note that the call of an agent ends, in which it may have been found stuck."""
        if agent.call.lost_to is Why.STUCK:
            self._found.add(agent)

    def last_of(self, agents: list[AgentState]) -> list[AgentState]:
        """Return agents that begin calls now: those found stuck, each once, are the last."""
        if not self._found:
            return agents
        in_turn = sorted(agents, key=self._found.__contains__)
        self._found.difference_update(agents)
        return in_turn
