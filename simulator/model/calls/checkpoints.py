"""Checkpoints: what a crash leaves of the work in progress."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from typing import NamedTuple

from simulator.model.agents.agent import AgentState
from simulator.model.board import NOBODY
from simulator.model.timers import AN_INSTANT
from simulator.scenario.resilience import Checkpoint

Attempt = tuple[int, int]
"""A task, and the agent whose attempt at it is its own, or `NOBODY`."""


def attempts_at(tasks: Sequence[int], agent: AgentState) -> list[Attempt]:
    """Return an agent's attempts at tasks, as a checkpoint of them is found again.

    Where several agents attempt a task, each for itself, only the same agent can go on with it.
    """
    whose = agent.index if tasks and agent.dispatcher.asks_several else NOBODY
    return [(task, whose) for task in tasks]


class CallPart(NamedTuple):
    """What one request is asked for: a part of a call, of which there may be several."""

    seconds: float
    """How long it takes from its beginning, without checkpoints and at the usual pace."""
    begins: float = 0.0
    """Share of the call before it."""
    share: float = 1.0
    """Share of the call that it is."""


class Checkpoints:
    """Shares saved of the work on each task, by whoever saved them; loops save turns (`Turns`).

    A share is the same work for whoever goes on, in however many seconds.

    Parameters
    ----------
    spec : Checkpoint
    """

    __slots__ = ("_cost_s", "_every_s", "_held", "_saved")

    def __init__(self, spec: Checkpoint) -> None:
        self._every_s = spec.every_s
        self._cost_s = spec.cost_s
        self._saved: dict[Attempt, float] = {}
        self._held: dict[int, float] = {}
        """Which share of each agent's call the checkpoints of answered parts hold."""

    def share_saved(self, agent: AgentState) -> float:
        """Return which share of the agent's call is saved, its tasks weighed by their work."""
        attempts = attempts_at(agent.call.picks, agent) if self._saved else []
        if not attempts:
            return 0.0
        sizes = agent.board.graph.sizes
        done = fsum(sizes[each[0]] * self._saved.get(each, 0.0) for each in attempts)
        return done / fsum(sizes[task] for task, _ in attempts)

    def seconds_left(self, agent: AgentState, part: CallPart) -> float:
        """Return how long a part of the agent's call takes, with checkpoints, from the last on."""
        if agent.loop is not None:
            return part.seconds
        left = self._left(part, self.share_saved(agent))
        return left + self._between(left) * self._cost_s if agent.call.picks else left

    @staticmethod
    def _left(part: CallPart, saved: float) -> float:
        """Return the seconds that are left of a part, where that share of the call is saved."""
        return part.seconds * (1.0 - min(1.0, max(0.0, (saved - part.begins) / part.share)))

    def _between(self, left: float) -> int:
        """Return how many checkpoints are made in so much work: none at its very end."""
        return max(0, int(left / self._every_s - 1e-9))

    def save(self, agent: AgentState, part: CallPart, done_s: float) -> None:
        """Keep what the checkpoints hold of a call, of a part of which so much is done.

        `done_s` are the seconds of work and of checkpoints, at the usual pace.
        """
        if agent.loop is None:
            self._keep(
                agent, max(self._held.get(agent.index, 0.0), self._hold(agent, part, done_s))
            )

    def _hold(self, agent: AgentState, part: CallPart, done_s: float) -> float:
        """Return which share of the call the checkpoints made in a part hold; 0 without any."""
        before = self.share_saved(agent)
        made = int(done_s / (self._every_s + self._cost_s) * (1.0 + AN_INSTANT))
        made = min(made, self._between(self._left(part, before)))
        if made == 0:
            return 0.0
        return max(before, part.begins) + made * self._every_s / part.seconds * part.share

    def _keep(self, agent: AgentState, reached: float) -> None:
        """Keep so much of a call, if it is more than was saved before."""
        before = self.share_saved(agent)
        if reached > before:
            gained = (reached - before) / (1.0 - before)
            for attempt in attempts_at(agent.call.picks, agent):
                saved = self._saved.get(attempt, 0.0)
                self._saved[attempt] = saved + (1.0 - saved) * gained

    def note_answer(self, agent: AgentState, part: CallPart, done_s: float) -> None:
        """Note that a part of the agent's call is answered; `done_s` is as of `save`."""
        if agent.loop is None:
            held = self._hold(agent, part, done_s)
            self._held[agent.index] = max(self._held.get(agent.index, 0.0), held)

    def save_answered(self, agent: AgentState) -> None:
        """Keep what the checkpoints hold of a call between two parts, or after the last."""
        if agent.index in self._held:
            self._keep(agent, self._held[agent.index])

    def end(self, agent: AgentState, is_done: bool) -> None:
        """Note that the agent's call is over; throw away its checkpoints if its work is done."""
        self._held.pop(agent.index, None)
        for attempt in attempts_at(agent.call.picks, agent) if is_done and self._saved else ():
            self._saved.pop(attempt, None)
