"""Which tasks were done and held when replies began, and so what these could take.

Logs say how many tasks a reply claimed and finished, and which files it wrote, but not which tasks
these are. They are taken to be, in this order: those whose files the reply wrote and nobody writes
in a later round, the others whose files it wrote, those whose files its agent had written before,
and any. Of each kind they are the first on the list that can be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from simulator.model.tasks import TaskGraph

Ints = npt.NDArray[np.int64]
Key = tuple[str, str]
"""A task list: ``task_type, p_label``."""

COULD_TAKE = ("worked_on", "open", "held", "ready", "others", "unblocked", "leading")
"""Columns of `could_take`, counts of tasks.

* ``open``: tasks that were not done as the round began, and held by no other agent;
* ``worked_on``: those of them whose files the reply wrote; ``held``: those that its agent held;
* ``ready``: those that could start as the round began;
* ``others``: open ones that nobody held; ``unblocked``: those of them that could start as the reply
  ended; ``leading``: those of these that the list has before all that could not.
"""


class ListedTasks:
    """A task list; sets of its tasks are the bits of an integer.

    Parameters
    ----------
    graph : TaskGraph
    files : sequence of (sequence of str)
        Of each task.
    """

    def __init__(self, graph: TaskGraph, files: Sequence[Sequence[str]]) -> None:
        self._needs = [sum(1 << other for other in each) for each in graph.dependencies]
        self._task_of = {path: 1 << i for i, paths in enumerate(files) for path in paths}
        self._free: dict[tuple[int, int], tuple[int, int]] = {}
        self.all = (1 << len(self._needs)) - 1

    def written(self, paths: Sequence[str]) -> int:
        """Return the tasks to which files belong."""
        tasks = 0
        for path in paths:
            tasks |= self._task_of.get(path, 0)
        return tasks

    def free(self, tasks: int, done: int) -> tuple[int, int]:
        """Return how many of some tasks can start, and how many of these are before all others."""
        key = tasks, done
        if key not in self._free:
            can_start = [needs & ~done == 0 for _, needs in self._in(tasks)]
            self._free[key] = sum(can_start), [*can_start, False].index(False)
        return self._free[key]

    def first(self, count: int, likely: Sequence[int], done: int) -> int:
        """Return `count` tasks that can be done, or as many as can: the first of sets of tasks.

        Those that need another one of these come after all that need only what is done.
        """
        found = 0
        for tasks in likely:
            is_more = True
            while is_more and found.bit_count() < count:
                there, is_more = done | found, False
                for task, needs in self._in(tasks & ~found):
                    if needs & ~there == 0 and found.bit_count() < count:
                        found, is_more = found | task, True
        return found

    def _in(self, tasks: int) -> Iterator[tuple[int, int]]:
        every = ((1 << i, needs) for i, needs in enumerate(self._needs))
        return (each for each in every if each[0] & tasks)


class _Reply(NamedTuple):
    round: float
    agent: str
    claims: int
    completed: int
    paths: Sequence[str]


@dataclass
class _Run:
    """A run on a task list: sets of tasks that are done, that agents wrote, and that they hold."""

    tasks: ListedTasks
    done: int = 0
    begun: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    held: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def go_on(self, replies: Sequence[_Reply], later: int) -> Iterator[tuple[int, ...]]:
        """Yield what each reply of a round could take, by `COULD_TAKE`.

        Parameters
        ----------
        replies : sequence of _Reply
            In order of their ends.
        later : int
            Tasks whose files are written in later rounds.
        """
        tasks, done, held = self.tasks, self.done, dict(self.held)
        for reply in replies:
            own = held.get(reply.agent, 0)
            left = tasks.all & ~done & ~_held_by_others(held, reply.agent)
            others = left & ~own
            worked_on = left & tasks.written(reply.paths)
            counts = (each.bit_count() for each in (worked_on, left, own))
            ready, _ = tasks.free(left, done)
            yield *counts, ready, others.bit_count(), *tasks.free(others, self.done)
            self._end(reply, later)

    def _end(self, reply: _Reply, later: int) -> None:
        """Take what a reply claimed and finished to be what is likeliest."""
        tasks, agent = self.tasks, reply.agent
        written = tasks.written(reply.paths)
        self.begun[agent] |= written
        likely = written & ~later, written, self.begun[agent], tasks.all
        nobodys = ~self.done & ~self.held[agent] & ~_held_by_others(self.held, agent)
        self.held[agent] |= tasks.first(reply.claims, [x & nobodys for x in likely], self.done)
        own = self.held[agent]
        undone = [x & ~self.done for x in (*(x & own for x in likely), *likely)]
        self.done |= tasks.first(reply.completed, undone, self.done)
        for holder in self.held:
            self.held[holder] &= ~self.done


def _held_by_others(held: Mapping[str, int], agent: str) -> int:
    tasks = 0
    for holder, theirs in held.items():
        tasks |= 0 if holder == agent else theirs
    return tasks


def could_take(calls: pd.DataFrame, lists: Mapping[Key, ListedTasks]) -> Ints:
    """Return what replies of agents that claim their tasks could take on.

    Parameters
    ----------
    calls : DataFrame
        Replies, in any order: ``run_dir, round, agent, claims, completed, paths, latency_s,
        task_type, p_label``.
    lists : mapping

    Returns
    -------
    ndarray of int, shape (calls, 7)
        See `COULD_TAKE`.
    """
    found = np.zeros((len(calls), len(COULD_TAKE)), dtype=np.int64)
    order = np.lexsort((calls["latency_s"], calls["round"], calls["run_dir"]))

    def in_order(names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        return zip(*(calls[name].to_numpy()[order].tolist() for name in names), strict=True)

    rows = iter(order.tolist())
    replies = (_Reply(*each) for each in in_order(_Reply._fields))
    runs = groupby(
        zip(in_order(("run_dir", "task_type", "p_label")), replies, strict=True),
        key=lambda each: each[0],
    )
    for (_, kind, p), run in runs:
        state = _Run(lists[kind, p])
        rounds = [list(each) for _, each in groupby((r for _, r in run), key=lambda r: r.round)]
        for turn, later in zip(rounds, _written_later(rounds, state.tasks), strict=True):
            for counts in state.go_on(turn, later):
                found[next(rows)] = counts
    return found


def _written_later(rounds: Sequence[Sequence[_Reply]], tasks: ListedTasks) -> list[int]:
    """Return for each round the tasks whose files are written in the rounds after it."""
    later = [0]
    for replies in reversed(rounds[1:]):
        written = later[-1]
        for reply in replies:
            written |= tasks.written(reply.paths)
        later.append(written)
    return later[::-1]
