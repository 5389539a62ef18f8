"""Backup tasks: near the end, who is free does again what is in progress."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import ClassVar

from simulator.model.agents.agent import AgentState
from simulator.model.protocols import EVERYONE, SOMEONE
from simulator.model.resilience._pattern import FailureSetting
from simulator.model.resilience.copies import Copies
from simulator.scenario.resilience import Backup


class Backups(Copies):
    """Decides who backs up what.

    On the main board: who is cut off backs up nothing. What a backup has handed in for review is
    not backed up again until it is rejected. Nor is a task that has failed as often as it may, or
    one of which a simpler protocol asks several agents: who is not among them has no say.
    """

    kind: ClassVar[str] = "backup"

    __slots__ = (
        "_board",
        "_is_listed",
        "_listed",
        "_metrics",
        "_most_left",
        "_spec",
        "_was_near",
    )

    def __init__(self, spec: Backup, setting: FailureSetting) -> None:
        super().__init__(spec.correlation, setting)
        self._spec = spec
        self._metrics = setting.journal.metrics
        self._board = setting.sides.board
        self._most_left = spec.when_left * len(self._board.graph) + 1e-9
        self._was_near = False
        self._is_listed = False
        self._listed: list[tuple[int, float, int]] = []
        """Heap of (callers, start of the first, task) of what is in progress near the end, once
        for each change of its callers: all but the last are out of date."""

    @property
    def _is_near_the_end(self) -> bool:
        return 0 < self._board.left <= self._most_left

    def _begun(self, agent: AgentState) -> None:
        """Note that a call has begun; whoever is free may back it up."""
        super()._begun(agent)
        if not self._is_near_the_end:
            self._is_listed = False
        elif agent.call.picks:
            self._list(agent.call.picks)
            self._agenda.wake(*[SOMEONE] * self._spec.copies)

    def _over(self, agent: AgentState) -> None:
        """Note that a call is over; its tasks have a caller less."""
        tasks = self._tasks_of.get(agent.index, [])
        super()._over(agent)
        if self._is_listed:
            self._list(tasks)

    def _list(self, tasks: Iterable[int]) -> None:
        """List those of `tasks` that are in progress; at first, all that are."""
        if not self._is_listed:
            self._is_listed = True
            self._listed.clear()
            tasks = self._at_work
        for task in tasks:
            others = self._at_work.get(task)
            if others:
                heappush(self._listed, (len(others), others[0].time.started_s, task))

    def backups_for(self, agent: AgentState) -> list[int]:
        """Return the task in progress that has fewest backups, the longest in progress first."""
        if not self._is_near_the_end or agent.board is not self._board:
            return []
        if agent.dispatcher.asks_several:
            return []
        self._list(())
        listed, still = self._listed, list[tuple[int, float, int]]()
        found: list[int] = []
        while listed and not found and listed[0][0] <= self._spec.copies:
            callers, started_s, task = entry = heappop(listed)
            others = self._at_work.get(task, [])
            is_old = len(others) != callers or others[0].time.started_s != started_s
            if is_old or agent.board.done[task]:
                continue
            still.append(entry)
            is_free = not (self._queue.holds(task) or task in self._board.awaited)
            if agent not in others and is_free:
                found.append(task)
        for entry in still:
            heappush(listed, entry)
        if found:
            agent.call.be_backup()
            self._metrics.backups += 1
        return found

    def task_done(self, agent: AgentState, task: int, is_of_use: bool) -> None:
        """Cancel the others at the task; call those who are free when the end comes near."""
        super().task_done(agent, task, is_of_use)
        is_near = self._is_near_the_end
        if is_near and not self._was_near:
            self._agenda.wake(EVERYONE)
        self._was_near = is_near
