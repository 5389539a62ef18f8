"""Reviews: finished tasks are looked at before they count as done."""

from __future__ import annotations

from collections import deque
from math import fsum
from typing import TYPE_CHECKING, NamedTuple

from simulator.model.agents.agent import AgentState
from simulator.model.agents.answers import CORRECT
from simulator.model.board import Board
from simulator.model.protocols import SOMEONE
from simulator.model.trace import Event, Row
from simulator.scenario.schema import Review

if TYPE_CHECKING:
    from simulator.model.replication import TeamState


class Submission(NamedTuple):
    """A finished task that waits for review."""

    agent: AgentState
    task: int
    answer: int
    started_s: float
    """When the call that finished it began."""
    board: Board
    """The board, of one side of a partition, on which it was done."""
    is_backup: bool
    """Whether it was a backup of what another agent has in its hands."""


class Reviews:
    """What waits for review, and what reviewers find.

    Parameters
    ----------
    spec : Review or None
        None where nobody reviews.
    team : TeamState
    """

    def __init__(self, spec: Review | None, team: TeamState) -> None:
        self._spec = spec
        self._team = team
        self.wanted = spec is not None
        self.by_peers = spec is not None and spec.by == "peers"
        self._queue: deque[Submission] = deque()
        self._submitted: dict[int, list[Submission]] = {}

    def submit(self, agent: AgentState, task: int, answer: int) -> None:
        """Hand in what the agent has done, to its coordinator or to whoever reviews."""
        assert self._spec is not None
        item = Submission(agent, task, answer, agent.started_s, agent.board, agent.is_backup)
        if self._spec.by == "coordinator":
            self._submitted.setdefault(agent.index, []).append(item)
            return
        self._queue.append(item)
        if self.by_peers:
            self._team.woken.append(SOMEONE)  # who hands in is not asleep: it is somebody else
        else:
            self._team.woken += [verifier.index for verifier in self._team.verifiers]

    def awaited(self, agent: AgentState) -> bool:
        """Return whether the agent's coordinator has something of its to review."""
        return bool(self._submitted.get(agent.index))

    def take_submitted(self, coordinator: AgentState) -> float:
        """Give a coordinator what those have handed in whom it answers; return its work."""
        for agent in coordinator.answering:
            coordinator.reviews += self._submitted.pop(agent.index, [])
        return self._work(coordinator)

    def _work(self, reviewer: AgentState) -> float:
        if self._spec is None:
            return 0.0
        sizes = self._team.board.graph.sizes
        return self._spec.work * fsum([sizes[item.task] for item in reviewer.reviews])

    def has_work_for(self, reviewer: AgentState) -> bool:
        """Return whether a verifier or a peer, if it were free, would begin a review call."""
        return any(_may_review(reviewer, item) for item in self._queue)

    def begin(self, reviewer: AgentState, now: float) -> bool:
        """Let a verifier or a peer begin a review call, if there is something for it."""
        assert self._spec is not None
        mine: list[Submission] = []
        for item in self._queue:
            if _may_review(reviewer, item):
                mine.append(item)
                if len(mine) == self._spec.batch:
                    break
        if not mine:
            return False
        for item in mine:
            self._queue.remove(item)
        reviewer.reviews = mine
        reviewer.picks = []
        self._team.serve(reviewer, now, self._work(reviewer), False)
        return True

    def leave_out(self, by: str, now: float) -> list[int]:
        """Review no more, if `by` does; accept what waits unseen, and return the tasks freed."""
        freed: list[int] = []
        if self._spec is None or self._spec.by != by:
            return freed
        self.wanted = self.by_peers = False
        waiting = [item for items in self._submitted.values() for item in items]
        self._submitted.clear()
        for agent, task, answer, started_s, board, is_backup in waiting:
            if not board.done[task]:
                how = (started_s, is_backup)
                self._team.commits.settle(agent, task, answer, now, freed, *how)
        return freed

    def returned(self, reviewer: AgentState) -> None:
        """Take back what a call that failed was to review."""
        assert self._spec is not None or not reviewer.reviews
        for item in reviewer.reviews:
            self._put_back(item)
        reviewer.reviews = []

    def _put_back(self, item: Submission) -> None:
        if self._spec is not None and self._spec.by == "coordinator":
            self._submitted.setdefault(item.agent.index, []).append(item)
        else:
            self._queue.appendleft(item)

    def end(self, reviewer: AgentState, now: float) -> list[int]:
        """Accept or reject what the reviewer has read; return the tasks freed."""
        assert self._spec is not None
        team, metrics = self._team, self._team.metrics
        freed: list[int] = []
        for item in reviewer.reviews:
            agent, task, answer, started_s, board, is_backup = item
            if board is team.board is not agent.board:
                self._put_back(item)  # cut off since; what becomes of it shows after the partition
                continue
            metrics.reviews += 1
            is_faulty = answer != CORRECT
            chance = 1.0 - self._spec.miss if is_faulty else self._spec.false_alarm
            rejected = reviewer.rolls_review() < chance
            if reviewer.byzantine:
                rejected = not is_faulty
            if board.done[task] or board is not agent.board:
                outcome = "duplicate"
                metrics.duplicate_attempts += 1
            elif rejected:
                metrics.rejections += 1
                metrics.false_alarms += not is_faulty
                outcome = "false_alarm" if not is_faulty else "rejected"
                how = (started_s, is_backup)
                if not team.commits.reject(agent, task, is_faulty, now, freed, *how):
                    outcome = "given_up" if is_faulty else "given_up_correct"
            else:
                how = (started_s, is_backup)
                outcome = team.commits.settle(agent, task, answer, now, freed, *how)
            team.woken.append(agent.index)
            if team.trace is not None:
                where = (reviewer.index, team.round, reviewer.call, task)
                row = Row(now, Event.REVIEW, *where, peer=agent.index, outcome=outcome)
                team.trace.add(row._replace(duration_s=now - started_s))
        reviewer.reviews = []
        return freed


def _may_review(reviewer: AgentState, item: Submission) -> bool:
    same_side = item.board is reviewer.board is item.agent.board
    return item.agent is not reviewer and same_side
