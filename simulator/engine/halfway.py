"""Agents that wait at the barrier of a round in the middle of their calls, after a turn."""

from __future__ import annotations

from collections.abc import Iterable

from simulator.model.agents.agent import AgentState


class Halfway:
    """Whose call goes on in the next round, and how long it has been in service by then."""

    __slots__ = ("_before_s", "_by_now_s")

    def __init__(self) -> None:
        self._by_now_s: dict[int, float] = {}
        self._before_s: dict[int, float] = {}
        """The same when the round began, of those whose calls went on in it."""

    def __len__(self) -> int:
        return len(self._by_now_s)

    def __contains__(self, agent: AgentState) -> bool:
        return agent.index in self._by_now_s

    def wait(self, index: int, served_s: float) -> None:
        """Let an agent wait whose call has been in service for so long."""
        self._by_now_s[index] = served_s

    def leave(self, agent: AgentState) -> bool:
        """Let an agent's call be over; return whether it was waiting."""
        return self._by_now_s.pop(agent.index, None) is not None

    def go_on(self, callers: Iterable[AgentState]) -> list[AgentState]:
        """Return those that were waiting, and let them wait no more: a round begins."""
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
