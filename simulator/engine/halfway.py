"""Agents that wait at the barrier of a round in the middle of their calls, after a turn."""

from __future__ import annotations

from collections.abc import Iterable

from simulator.model.agents.agent import AgentState


class Halfway:
    """The agents whose calls go on in the next round, and how long these have been in service."""

    __slots__ = ("_before_s", "_by_now_s")

    def __init__(self) -> None:
        self._by_now_s: dict[int, float] = {}
        self._before_s: dict[int, float] = {}
        """Service of calls that go on in this round, up to its beginning."""

    def __len__(self) -> int:
        return len(self._by_now_s)

    def __contains__(self, agent: AgentState) -> bool:
        return agent.index in self._by_now_s

    def wait(self, index: int, served_s: float) -> None:
        """Let an agent wait; its call has been in service for `served_s` so far."""
        self._by_now_s[index] = served_s

    def leave(self, agent: AgentState) -> bool:
        """Note that an agent's call is over; return whether the agent was waiting."""
        return self._by_now_s.pop(agent.index, None) is not None

    def go_on(self, callers: Iterable[AgentState]) -> list[AgentState]:
        """Begin a round: return the agents that were waiting, which wait no more."""
        waiting = []
        for agent in callers:
            self._before_s.pop(agent.index, None)
            if agent in self:
                self._before_s[agent.index] = self._by_now_s.pop(agent.index)
                waiting.append(agent)
        return waiting

    def of_this_round_s(self, agent: AgentState) -> float:
        """Return for how long an agent has been in service in this round."""
        by_now_s = self._by_now_s.get(agent.index, agent.time.duration_s)
        return by_now_s - self._before_s.get(agent.index, 0.0)
