"""What waits for review: finished tasks are looked at before they count as done."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from math import fsum
from typing import NamedTuple

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.board import Board
from simulator.model.protocols import SOMEONE
from simulator.model.team.errand import Errand
from simulator.scenario.coordination import Review


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
    is_of_before: bool = False
    """Whether it was done by a protocol that is over: the present one has not handed it out."""


class ReviewQueue:
    """Finished tasks that nobody has looked at yet, and who is looking at which.

    Parameters
    ----------
    spec : Review or None
        None where nobody reviews.
    workers, verifiers : sequence of AgentState
    sizes : sequence of float, shape (N,)
        Work units of each task.
    agenda : Agenda

    Attributes
    ----------
    wanted : bool
        Whether tasks are reviewed.
    by_peers : bool
        Whether workers review each other.
    """

    __slots__ = (
        "_agenda",
        "_held",
        "_in_review",
        "_queue",
        "_sizes",
        "_spec",
        "_submitted",
        "_verifiers",
        "_workers",
        "by_peers",
        "wanted",
    )

    def __init__(
        self,
        spec: Review | None,
        workers: Sequence[AgentState],
        verifiers: Sequence[AgentState],
        sizes: Sequence[float],
        agenda: Agenda,
    ) -> None:
        self._spec = spec
        self._workers = workers
        self._verifiers = verifiers
        self._sizes = sizes
        self._agenda = agenda
        self.wanted = spec is not None
        self.by_peers = spec is not None and spec.by == "peers"
        self._queue: deque[Submission] = deque()
        self._submitted: dict[int, list[Submission]] = {}
        self._in_review: dict[int, list[Submission]] = {}
        self._held: Counter[int] = Counter()
        """For each task, how much that was made of it waits for review or is under review."""

    def submit(
        self, agent: AgentState, task: int, answer: int, started_s: float, is_backup: bool
    ) -> None:
        """Hand in what the agent has done, to its coordinator or to whoever reviews.

        `started_s` is when the call began that did it, `is_backup` whether that was a backup.
        """
        assert self._spec is not None
        item = Submission(agent, task, answer, started_s, agent.board, is_backup)
        self._held[task] += 1
        if self._spec.by == "coordinator":
            self._submitted.setdefault(agent.index, []).append(item)
            return
        self._queue.append(item)
        self._call_for_review(agent.side)

    def _call_for_review(self, side: int) -> None:
        """Wake who may review what has been handed in on a side of a partition."""
        if not self.by_peers:
            self._agenda.wake(*[verifier.index for verifier in self._verifiers])
        elif side:
            self._agenda.wake(*[worker.index for worker in self._workers if worker.side])
        else:
            self._agenda.wake(SOMEONE)  # somebody else: whoever hands in is awake

    def awaited(self, agent: AgentState) -> bool:
        """Return whether the agent's coordinator has something of its to review."""
        return bool(self._submitted.get(agent.index))

    def holds(self, task: int) -> bool:
        """Return whether what somebody has made of a task waits for review, or is under review."""
        return self._held[task] > 0

    def take_submitted(self, coordinator: AgentState, answering: Iterable[AgentState]) -> float:
        """Give a coordinator what those have handed in whom it answers; return its work."""
        items: list[Submission] = []
        for agent in answering:
            items += self._submitted.pop(agent.index, [])
        return self._begin(coordinator, items)

    def _begin(self, reviewer: AgentState, items: list[Submission]) -> float:
        """Let a reviewer look at finished tasks; return its work units."""
        if self._spec is None or not items:
            return 0.0
        self._in_review[reviewer.index] = items
        return self._spec.work * fsum([self._sizes[item.task] for item in items])

    def is_reviewing(self, reviewer: AgentState) -> bool:
        """Return whether the agent's call is a review."""
        return reviewer.index in self._in_review

    def take(self, reviewer: AgentState) -> list[Submission]:
        """Return what the reviewer has read in the call that ends."""
        return self._in_review.pop(reviewer.index, [])

    def let_go(self, item: Submission) -> None:
        """Hold a finished task no longer, about which its reviewer now decides."""
        self._held[item.task] -= 1

    def next_call(self, reviewer: AgentState) -> Errand | None:
        """Let a verifier or a peer begin a review call, if there is something for it."""
        assert self._spec is not None
        mine: list[Submission] = []
        for item in self._queue:
            same_side = item.board is reviewer.board is item.agent.board
            if item.agent is not reviewer and same_side:
                mine.append(item)
                if len(mine) == self._spec.batch:
                    break
        if not mine:
            return None
        for item in mine:
            self._queue.remove(item)
        return Errand(self._begin(reviewer, mine), False)

    def leave_out(self, by: str) -> list[Submission]:
        """Review no more, if `by` does; return what waited, and what was under review."""
        if self._spec is None or self._spec.by != by:
            return []
        self.wanted = self.by_peers = False
        handed_in = [*self._submitted.values(), *self._in_review.values()]
        self._submitted.clear()
        self._in_review.clear()
        self._held.clear()
        return [item for items in handed_in for item in items]

    def outlast_protocol(self) -> list[int]:
        """Keep what waits for review or is under review, as another protocol begins.

        Returns its tasks, which that protocol hands out if they are rejected.
        """
        self._queue = deque(map(_of_before, self._queue))
        for items in (*self._submitted.values(), *self._in_review.values()):
            items[:] = map(_of_before, items)
        held = [*self._submitted.values(), *self._in_review.values(), self._queue]
        return [item.task for items in held for item in items]

    def returned(self, reviewer: AgentState) -> None:
        """Take back what a call that failed was to review; another may do it."""
        items = self.take(reviewer)
        if items:
            self.put_back(items)
            if self._spec is not None and self._spec.by != "coordinator":
                self._call_for_review(reviewer.side)

    def put_back(self, items: Sequence[Submission]) -> None:
        """Let finished tasks wait again whose review came to nothing, before all others."""
        if self._spec is not None and self._spec.by == "coordinator":
            for item in items:
                self._submitted.setdefault(item.agent.index, []).append(item)
        else:
            self._queue.extendleft(reversed(items))


def _of_before(item: Submission) -> Submission:
    return item._replace(is_of_before=True)
