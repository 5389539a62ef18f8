"""Checkpoints: what a crash leaves of the work in progress."""

from __future__ import annotations

from math import fsum

from simulator.model.agents.agent import AgentState
from simulator.scenario.resilience import Checkpoint


class Checkpoints:
    """Seconds of work saved for each task, by whoever saved them; loops save turns (`Turns`).

    Parameters
    ----------
    spec : Checkpoint
    """

    __slots__ = ("_cost_s", "_every_s", "_saved_s")

    def __init__(self, spec: Checkpoint) -> None:
        self._every_s = spec.every_s
        self._cost_s = spec.cost_s
        self._saved_s: dict[int, float] = {}

    def seconds_left(self, agent: AgentState, seconds: float) -> float:
        """Return how long the agent's call takes, with checkpoints, from the last one on."""
        if agent.loop is not None:
            return seconds
        left = max(0.0, seconds - fsum(self._saved_s.get(task, 0.0) for task in agent.call.picks))
        # None at the very end, where the work is handed in.
        between = max(0, int(left / self._every_s - 1e-9)) if agent.call.picks else 0
        return left + between * self._cost_s

    def save(self, agent: AgentState, elapsed_s: float) -> None:
        """Keep what the checkpoints hold of a call that has lasted `elapsed_s`."""
        if agent.loop is not None:
            return
        made = int(elapsed_s / (self._every_s + self._cost_s))
        for task in agent.call.picks:
            each = made * self._every_s / len(agent.call.picks)
            self._saved_s[task] = self._saved_s.get(task, 0.0) + each

    def forget(self, agent: AgentState) -> None:
        """Throw away the checkpoints of work that has been handed in."""
        for task in agent.call.picks:
            self._saved_s.pop(task, None)
