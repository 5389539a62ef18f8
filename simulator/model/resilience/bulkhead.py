"""Bulkheads: how many calls each group of workers may have in flight."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from simulator.model.agent import WORKER, AgentState
from simulator.scenario.schema import Team

if TYPE_CHECKING:
    from simulator.model.team import TeamState

Step = float | None


class Bulkhead:
    """A semaphore for each group, first come first served.

    Parameters
    ----------
    limits : mapping of str to int
        Most calls of each group; ``team`` where all workers are alike.
    team_spec : Team
    team : TeamState
    """

    def __init__(self, limits: Mapping[str, int], team_spec: Team, team: TeamState) -> None:
        self._team = team
        self._free = dict(limits)
        self._queues: dict[str, deque[AgentState]] = {name: deque() for name in limits}
        self._inside: set[int] = set()
        sizes = {name: group.size for name, group in (team_spec.groups or {}).items()}
        sizes = sizes or {"team": team_spec.worker_count}
        self._group = [name for name, size in sizes.items() for _ in range(size)]

    def enter(self, agent: AgentState) -> Iterator[Step]:
        """Wait until the agent's group may have one more call."""
        group = self._group[agent.index] if agent.role == WORKER else ""
        if group not in self._free:
            return
        if not self._free[group]:
            self._queues[group].append(agent)
            yield from self._team.wait(agent, "bulkhead", None)
        else:
            self._free[group] -= 1
            self._inside.add(agent.index)

    def leave(self, agent: AgentState) -> None:
        """Let the next one of the group in, or stop waiting."""
        group = self._group[agent.index] if agent.role == WORKER else ""
        if group not in self._free:
            return
        queue = self._queues[group]
        if agent.index not in self._inside:
            queue.remove(agent)  # lost while it waited
            return
        self._inside.discard(agent.index)
        if queue:
            following = queue.popleft()
            self._inside.add(following.index)
            self._team.resume(following)
        else:
            self._free[group] += 1
