"""Bulkheads: how many requests each group of workers may have under way."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import SUBAGENT, WORKER, AgentState
from simulator.model.calls.phases import Phases, Step


class Bulkhead:
    """A semaphore for each group, first come first served.

    It is held while a request is under way: queued at the provider or in service, but not while
    its agent waits to send it again, for a lock or for a commit.

    Parameters
    ----------
    limits : mapping of str to int
        Most requests of each group; ``team`` where all workers are alike. Empty for no limits.
    groups : sequence of str, shape (workers,)
        The group of each worker.
    agenda : Agenda
    phases : Phases
    """

    __slots__ = ("_agenda", "_free", "_groups", "_held", "_phases", "_queues")

    def __init__(
        self, limits: Mapping[str, int], groups: Sequence[str], agenda: Agenda, phases: Phases
    ) -> None:
        self._agenda = agenda
        self._phases = phases
        self._free = dict(limits)
        self._queues: dict[str, deque[AgentState]] = {name: deque() for name in limits}
        self._held: Counter[int] = Counter()
        """Places that each agent holds."""
        self._groups = groups

    @property
    def is_open(self) -> bool:
        """Whether no group has a limit."""
        return not self._free

    def _group(self, agent: AgentState) -> str | None:
        """Return the agent's group if it has a limit."""
        if not self._free or agent.role not in (WORKER, SUBAGENT):
            return None
        if agent.member >= len(self._groups):  # a sub-agent of the staff's
            return None
        name = self._groups[agent.member]
        return name if name in self._free else None

    def has_room(self, agent: AgentState) -> bool:
        """Return whether the agent's group may have one more request under way now."""
        group = self._group(agent)
        return group is None or self._free[group] > 0

    def enter(self, agent: AgentState) -> Iterator[Step]:
        """Wait until the agent's group may have one more request under way, and hold a place."""
        group = self._group(agent)
        if group is None:
            return
        if not self._free[group]:
            self._queues[group].append(agent)
            yield from self._phases.wait(agent, "bulkhead", None)
        else:
            self.hold(agent)

    def hold(self, agent: AgentState) -> None:
        """Take a place for the agent where its group has room."""
        group = self._group(agent)
        if group is not None:
            self._free[group] -= 1
            self._held[agent.index] += 1

    def leave(self, agent: AgentState) -> None:
        """Give back a place that the agent holds, to the next in its group."""
        group = self._group(agent)
        if group is None or not self._held[agent.index]:
            return
        self._held[agent.index] -= 1
        if self._queues[group]:
            following = self._queues[group].popleft()
            self._held[following.index] += 1
            self._agenda.resume(following.index)
        else:
            self._free[group] += 1

    def release(self, agent: AgentState) -> None:
        """Give back all that the agent holds, and wait for no more."""
        if not self._free:
            return
        group = self._group(agent)
        if group is not None and agent in self._queues[group]:
            self._queues[group].remove(agent)
        while self._held[agent.index]:
            self.leave(agent)
