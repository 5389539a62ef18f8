"""The task board and the artifacts: the shared state that agents read and write."""

from __future__ import annotations

import copy
from array import array
from collections.abc import Iterator, Sequence

from simulator.model.copied import Copied
from simulator.model.tasks import TaskGraph

NOBODY = -1

ESCAPED, KNOWN = 1, 2
"""Faults of done tasks: a fault that nobody has seen, or one with which it was given up."""

FIRST, REWRITE, CONFLICT = 0, 1, 2
"""What a write was: see `Board.write`."""


class Board(Copied):
    """What is done, what can start, who owns what, who wrote what when.

    Attributes
    ----------
    artifacts : sequence of sequences of int, shape (N, any), or None
        The graph's.
    missing : array of int, shape (N,)
        Dependencies of each task that are not done; one more until the task has arrived.
    awaited : set of int
        Tasks that nobody is to attempt again, as long as a copy of them is in progress.
    done : bytearray, shape (N,)
    faulty : bytearray, shape (N,)
        0, `ESCAPED` or `KNOWN`.
    owner : array of int, shape (N,)
        Agent that holds each task, or `NOBODY`.
    failures : array of int, shape (N,)
        Attempts at each task that failed their tests.
    ready_s : array of float, shape (N,)
        When each task could first start.
    doer : array of int, shape (N,)
        Agent that did each task, or `NOBODY`.
    freed_by : int
        Agent because of whom tasks can start now, or `NOBODY` where they have arrived.
    written : int
        Artifacts that somebody has written.
    listed : int
        Tasks on the board, done or not: those that have arrived.
    """

    __slots__ = (
        "_conflict_s",
        "_dependents",
        "_has_arrived",
        "_released",
        "_writer",
        "_written_s",
        "_written_task",
        "artifacts",
        "awaited",
        "doer",
        "done",
        "failures",
        "faulty",
        "freed_by",
        "graph",
        "left",
        "listed",
        "missing",
        "owner",
        "ready_s",
        "written",
    )

    def __init__(self, graph: TaskGraph) -> None:
        n = len(graph)
        self.graph = graph
        self.artifacts = graph.artifacts
        self._dependents = graph.dependents
        self.left = n
        self.listed = 0 if graph.arrivals_s else n
        self._has_arrived = bytearray(n if graph.arrivals_s else 0)
        self.missing = array("i", graph.conditions)
        self.awaited: set[int] = set()
        self.done = bytearray(n)
        self.faulty = bytearray(n)
        # Arrays rather than lists: boards of many tasks then stay in the cache.
        self.owner = array("i", [NOBODY]) * n
        self.failures = array("i", [0]) * n
        self.ready_s = array("d", [0.0]) * n
        self._writer = array("i", [NOBODY]) * graph.artifact_count
        self._written_s = array("d", [0.0]) * graph.artifact_count
        self._conflict_s = array("d", [-1.0]) * graph.artifact_count
        self._written_task: array[int] | None = None
        """Where artifacts are not the tasks' own: the task for which each was written last."""
        if graph.artifacts is not None:
            self._written_task = array("i", [NOBODY]) * graph.artifact_count
        self.freed_by = NOBODY
        self.written = 0
        self.doer = array("i", [NOBODY]) * n
        self._released = bytearray(n)

    def copy(self) -> Board:
        """Return an independent copy; the graph, which does not change, is shared."""
        other = copy.copy(self)
        other.missing = self.missing[:]
        other.awaited = self.awaited.copy()
        other.done = self.done[:]
        other.faulty = self.faulty[:]
        other.owner = self.owner[:]
        other.failures = self.failures[:]
        other.ready_s = self.ready_s[:]
        other.doer = self.doer[:]
        other._released = self._released[:]
        other._has_arrived = self._has_arrived[:]
        other._writer = self._writer[:]
        other._written_s = self._written_s[:]
        other._conflict_s = self._conflict_s[:]
        other._written_task = copy.copy(self._written_task)
        return other

    @property
    def remaining(self) -> int:
        """Tasks on the board that are not done."""
        return self.left + self.listed - len(self.done)

    def give(self, task: int, agent: int) -> None:
        """Let `agent`, or `NOBODY`, hold `task`."""
        self.owner[task] = agent

    def deal(self, owners: Sequence[int]) -> None:
        """Let each task be held by the agent at its place in `owners`, shape (N,)."""
        self.owner[:] = owners if isinstance(owners, array) else array("i", owners)

    def disown(self) -> None:
        """Let nobody hold the tasks that are not done."""
        for task in range(len(self.done)):
            if not self.done[task]:
                self.owner[task] = NOBODY

    def leave_to_copies(self, task: int) -> None:
        """Let nobody attempt a task again of which copies are in progress."""
        self.awaited.add(task)

    def spoil(self, task: int, fault: int) -> None:
        """Let a task have a fault: `ESCAPED` or `KNOWN`, or 0 for none."""
        self.faulty[task] = fault

    def note_failure(self, task: int) -> int:
        """Count an attempt that failed its tests; return how many have."""
        self.failures[task] += 1
        return self.failures[task]

    def complete(self, task: int, agent: int, now: float) -> list[int] | None:
        """Mark `task` done by `agent`; return the tasks that can start because of it, if any."""
        self.done[task] = 1
        self.doer[task] = agent
        self.freed_by = agent
        self.left -= 1
        if not self._dependents[task] or self._released[task]:
            return None
        return self._release_dependents(task, now)

    def _release_dependents(self, task: int, now: float) -> list[int]:
        self._released[task] = 1
        return [other for other in self._dependents[task] if self.release(other, now)]

    def arrive(self, task: int, now: float) -> bool:
        """Let `task` arrive; return whether it can start now."""
        self.freed_by = NOBODY
        self.listed += 1
        self._has_arrived[task] = 1
        return self.release(task, now)

    def is_listed(self, task: int) -> bool:
        """Return whether `task` is on the board: whether it has arrived."""
        return not self._has_arrived or bool(self._has_arrived[task])

    def release(self, task: int, now: float) -> bool:
        """Note that one thing less keeps `task` from starting; return whether it can start now."""
        self.missing[task] -= 1
        if self.missing[task]:
            return False
        self.ready_s[task] = now
        return True

    def undo(self, task: int) -> None:
        """Mark a done task as to be done again; tasks that it has released stay released."""
        self.done[task] = 0
        self.awaited.discard(task)  # the copies that were in progress are over
        self.faulty[task] = 0
        self.left += 1
        self.failures[task] += 1

    def overwritten(self, artifact: int, agent: int, read_s: float) -> int:
        """Return the task whose work `agent`, which read at `read_s`, now overwrites unseen."""
        writer = self._writer[artifact]
        unseen = writer not in (NOBODY, agent) and self._written_s[artifact] > read_s
        if not unseen:
            return NOBODY
        return artifact if self._written_task is None else self._written_task[artifact]

    def write(self, artifact: int, agent: int, task: int, read_s: float, now: float) -> int:
        """Record that `agent`, which read the artifact at `read_s`, overwrites it for `task`.

        Returns
        -------
        int
            `FIRST` write; `REWRITE`; or `CONFLICT`, a rewrite that is the first to overlap with
            another agent's write since `read_s`. In rounds there is one conflict for each
            artifact and round with two or more writers.
        """
        writer = self._writer[artifact]
        outcome = FIRST
        if writer != NOBODY:
            outcome = REWRITE
            if (
                writer != agent
                and self._written_s[artifact] > read_s
                and self._conflict_s[artifact] <= read_s
            ):
                self._conflict_s[artifact] = now
                outcome = CONFLICT
        else:
            self.written += 1
        self._writer[artifact] = agent
        self._written_s[artifact] = now
        if self._written_task is not None:
            self._written_task[artifact] = task
        return outcome

    def written_s(self, artifact: int) -> float:
        """Return when the artifact was written last; 0 if never."""
        return self._written_s[artifact]

    def writer(self, artifact: int) -> int:
        """Return who wrote the artifact last, or `NOBODY`."""
        return self._writer[artifact]


class TaskPool(Copied):
    """A set of tasks with constant-time insertion, removal and random choice.

    The smallest task number can be had too: each has a byte that says whether it is in, and the
    search goes on from the lowest that can be. It passes over a gap of a million in ten
    microseconds, and over none twice unless a lower task comes back.

    Attributes
    ----------
    count : int
        How many are in.
    items : array of int, shape (tasks,)
        The first `count` are the tasks, in no order.
    """

    __slots__ = ("_is_in", "_lowest", "_place", "count", "items")

    def __init__(self, tasks: int) -> None:
        self.count = 0
        self.items = array("i", [0]) * tasks
        self._place = array("i", [0]) * tasks
        self._is_in = bytearray(tasks)
        self._lowest = 0

    def copy(self) -> TaskPool:
        """Return an independent copy."""
        other = copy.copy(self)
        other.items = self.items[:]
        other._place = self._place[:]
        other._is_in = self._is_in[:]
        return other

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        return iter(self.items[: self.count])

    def __contains__(self, task: int) -> bool:
        return bool(self._is_in[task])

    def add(self, task: int) -> None:
        """Put `task` in, if it is not."""
        if not self._is_in[task]:
            self._is_in[task] = 1
            self._place[task] = self.count
            self.items[self.count] = task
            self.count += 1
            self._lowest = min(self._lowest, task)

    def discard(self, task: int) -> None:
        """Take `task` out, if it is in."""
        if self._is_in[task]:
            self._is_in[task] = 0
            self.count -= 1
            last = self.items[self.count]
            if last != task:
                place = self._place[task]
                self.items[place] = last
                self._place[last] = place

    def first(self, count: int) -> list[int]:
        """Return the `count` smallest tasks (fewer if there are not as many), in order."""
        if not (self.count and count):
            return []
        task = self._lowest
        if not self._is_in[task]:
            task += 1  # mostly it is the next, which takes less to see than to find
            if not self._is_in[task]:
                task = self._is_in.find(1, task)
            self._lowest = task
        found = [task]
        while len(found) < count:
            task = self._is_in.find(1, task + 1)
            if task < 0:
                break
            found.append(task)
        return found
