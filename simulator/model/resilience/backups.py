"""Backup tasks: near the end, who is free does again what is in progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.model.agent import AgentState
from simulator.model.protocols import EVERYONE, SOMEONE
from simulator.model.resilience.copies import Copies
from simulator.scenario.resilience import Backup

if TYPE_CHECKING:
    from simulator.model.team import TeamState


class Backups(Copies):
    """Decides who backs up what.

    Parameters
    ----------
    spec : Backup
    team : TeamState
    """

    def __init__(self, spec: Backup, team: TeamState) -> None:
        super().__init__(team, spec.correlation)
        self._spec = spec
        self._most_left = spec.when_left * len(team.board.graph) + 1e-9
        self._was_near = False

    @property
    def _is_near_the_end(self) -> bool:
        return 0 < self._team.board.left <= self._most_left

    def begun(self, agent: AgentState) -> None:
        """Note that a call has begun; whoever is free may back it up."""
        super().begun(agent)
        if agent.picks and self._is_near_the_end:
            self._team.woken += [SOMEONE] * self._spec.copies

    def copy_for(self, agent: AgentState) -> list[int]:
        """Return the task in progress that has fewest backups, the longest in progress first."""
        if not self._is_near_the_end or agent.board is not self._team.board:
            return []
        found: tuple[int, float, int] | None = None
        for task, others in self._at_work.items():
            if agent.board.done[task] or agent in others or len(others) > self._spec.copies:
                continue
            entry = (len(others), others[0].started_s, task)
            found = entry if found is None else min(found, entry)
        if found is None:
            return []
        agent.is_backup = True
        self._team.metrics.backups += 1
        return [found[2]]

    def task_done(self) -> None:
        """Call those who are free when the end comes near."""
        is_near = self._is_near_the_end
        if is_near and not self._was_near:
            self._team.woken.append(EVERYONE)
        self._was_near = is_near
