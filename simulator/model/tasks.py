"""The work: tasks, their dependencies, the artifacts they write."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heappop, heappush
from math import fsum, isfinite
from numbers import Real
from typing import Annotated

from pydantic import Field

from simulator.errors import what_is
from simulator.spec import NonNegative, Positive, Spec, is_whole


class Task(Spec):
    """One task as a user writes it."""

    id: str
    """Name, unique in the workload."""
    dependencies: tuple[str, ...] = ()
    """Names of the tasks that must be done before."""
    files: tuple[str, ...] = ()
    """Artifacts that the task writes; one of its own when empty."""
    size: Positive = 1.0
    """Work units; latency and tokens per work unit multiply it."""
    difficulty: float = 0.0
    """Added to the logit of the error probability of every attempt; 0 is as hard as usual."""
    arrival_s: NonNegative = 0.0
    """Simulated second at which the task appears on the board."""
    family: str | None = None
    """Family of the agents to one of whom `pre_assigned` deals the task; all agents when absent, or
    where nobody in the team is of it. Under other protocols anybody may do it."""
    worker: Annotated[int, Field(ge=1)] | None = None
    """Which of these agents `pre_assigned` deals it to, from 1; where they are fewer, they are
    counted round. The next in turn when absent."""


@dataclass(frozen=True, slots=True)
class RunFactors:
    """By what the workers of a run differ from what their agents say.

    Attributes
    ----------
    output : float
        Of the tokens that a call writes.
    growth : float
        Of the tokens that a turn adds to the context besides: results of tools, and the like.
    tools : float
        Of the seconds that tools take.
    """

    output: float = 1.0
    growth: float = 1.0
    tools: float = 1.0


AS_SAID = RunFactors()
"""As the agents say."""


@dataclass(frozen=True)
class TaskGraph:
    """Tasks 0..N-1 with their dependencies, in the order in which agents see them.

    Attributes
    ----------
    names : sequence of str, shape (N,)
    sizes : sequence of float, shape (N,)
        Work units.
    dependencies : sequence of sequences of int, shape (N, any)
    artifacts : sequence of sequences of int, shape (N, any), or None
        Which artifacts 0..M-1 each task writes; None when task i writes artifact i and M is N.
    artifact_count : int
        M.
    arrivals_s : sequence of float, shape (N,), or empty
        When each task appears; empty when all are there from the start.
    difficulties : sequence of float, shape (N,), or empty
        What each task adds to the logit of the error probability; empty when nothing.
    doers : sequence of (str or None, int), shape (N,), or empty
        Family and number (0 for none) of the agent that is to do each task; empty when no task
        says it.
    start_tokens : float or None
        Tokens in the context of each worker as the run begins; None where the agents say it.
    run_factors : RunFactors
        By what the workers of this run differ from others.
    """

    names: Sequence[str]
    sizes: Sequence[float]
    dependencies: Sequence[Sequence[int]]
    artifacts: Sequence[Sequence[int]] | None
    artifact_count: int
    arrivals_s: Sequence[float] = field(default=())
    difficulties: Sequence[float] = field(default=())
    doers: Sequence[tuple[str | None, int]] = field(default=())
    start_tokens: float | None = None
    run_factors: RunFactors = AS_SAID

    @classmethod
    def of(cls, tasks: Sequence[Task]) -> TaskGraph:
        """Make the graph of `tasks`, numbering them and their artifacts.

        Raises
        ------
        ValueError
            If a name is used twice, a dependency is unknown, or dependencies form a cycle.
        """
        index = {task.id: i for i, task in enumerate(tasks)}
        if len(index) < len(tasks):
            raise ValueError(f"two tasks are called {_first_repeated(tasks)!r}")
        dependencies = []
        for task in tasks:
            unknown = [name for name in task.dependencies if name not in index]
            if unknown:
                raise ValueError(f"task {task.id!r} depends on {unknown[0]!r}, which is no task")
            dependencies.append(tuple(index[name] for name in dict.fromkeys(task.dependencies)))
        artifact_index: dict[str, int] = {}
        artifacts = [
            tuple(
                artifact_index.setdefault(name, len(artifact_index))
                for name in task.files or (f"artifact of {task.id}",)
            )
            for task in tasks
        ]
        graph = cls(
            names=tuple(index),
            sizes=tuple(task.size for task in tasks),
            dependencies=tuple(dependencies),
            artifacts=tuple(artifacts),
            artifact_count=len(artifact_index),
            arrivals_s=_unless_all_zero(task.arrival_s for task in tasks),
            difficulties=_unless_all_zero(task.difficulty for task in tasks),
            doers=_unless_all_free((task.family, task.worker or 0) for task in tasks),
        )
        _refuse_cycles(graph)
        return graph

    def __len__(self) -> int:
        return len(self.sizes)

    @cached_property
    def conditions(self) -> array[int]:
        """How much must happen before each task can start: dependencies, and its arrival."""
        on_arrival = 1 if self.arrivals_s else 0
        if not self.has_dependencies:
            return array("i", [on_arrival]) * len(self)
        return array("i", [len(needed) + on_arrival for needed in self.dependencies])

    @cached_property
    def startable(self) -> list[int]:
        """The tasks that can start at once."""
        return [task for task, missing in enumerate(self.conditions) if not missing]

    @cached_property
    def has_dependencies(self) -> bool:
        """Whether any task depends on another."""
        return any(map(len, self.dependencies))  # which arrays of a plugin have, too

    @cached_property
    def dependents(self) -> list[Sequence[int]]:
        """Which tasks wait for each task, shape (N, any)."""
        if not self.has_dependencies:
            return [()] * len(self)
        waiting: dict[int, list[int]] = {}
        for task, needed in enumerate(self.dependencies):
            for dependency in needed:
                waiting.setdefault(dependency, []).append(task)
        return [waiting.get(task, ()) for task in range(len(self))]

    @cached_property
    def depths(self) -> list[int]:
        """Tasks in the longest chain of dependencies before each task, shape (N,)."""
        found = [0] * len(self)
        for task in self.order:
            found[task] = max((found[needed] + 1 for needed in self.dependencies[task]), default=0)
        return found

    @cached_property
    def waiting(self) -> list[int]:
        """Tasks that cannot be done without each task, itself among them, shape (N,)."""
        found = [1] * len(self)
        those: dict[int, int] = {}  # sets of tasks, as bits, as long as a task needs them
        unread = [len(needed) for needed in self.dependencies]
        for task in reversed(self.order):
            if not self.dependents[task]:
                continue
            waiting = 1 << task
            for dependent in self.dependents[task]:
                waiting |= those.get(dependent, 1 << dependent)
                unread[dependent] -= 1
                if not unread[dependent]:
                    those.pop(dependent, None)
            found[task] = waiting.bit_count()
            if unread[task]:
                those[task] = waiting
        return found

    @cached_property
    def order(self) -> array[int]:
        """Tasks in topological order, the first listed first (Kahn 1962, with a heap)."""
        if not self.has_dependencies or all(
            needed < task for task, all_ in enumerate(self.dependencies) for needed in all_
        ):
            return array("i", range(len(self)))
        missing = [len(needed) for needed in self.dependencies]
        startable = [task for task, count in enumerate(missing) if count == 0]
        found = array("i")
        while startable:
            task = heappop(startable)
            found.append(task)
            for dependent in self.dependents[task]:
                missing[dependent] -= 1
                if missing[dependent] == 0:
                    heappush(startable, dependent)
        return found

    @cached_property
    def ranks(self) -> array[int]:
        """The place of each task in `order`, shape (N,)."""
        found = array("i", [0]) * len(self)
        for rank, task in enumerate(self.order):
            found[task] = rank
        return found

    @cached_property
    def total_work(self) -> float:
        """Work units of all tasks."""
        return fsum(self.sizes)

    @cached_property
    def critical_path(self) -> float:
        """Work units on the longest chain of dependencies."""
        finish = [0.0] * len(self)
        for task in self.order:
            start = max((finish[needed] for needed in self.dependencies[task]), default=0.0)
            finish[task] = start + self.sizes[task]
        return max(finish, default=0.0)


def broken_rule(graph: object) -> str:
    """Return which rule a workload's tasks break; an empty text if none."""
    if not isinstance(graph, TaskGraph):
        return f"graph returned {what_is(graph)}, no TaskGraph"
    n = len(graph)
    rules = (_broken_by_columns, _broken_by_dependencies, _broken_by_artifacts)
    return next(filter(None, (rule(graph, n) for rule in rules)), "") if n else "there are no tasks"


def _broken_by_columns(graph: TaskGraph, n: int) -> str:
    """Return what is wrong with what the tasks are: names, sizes and the like."""
    for name, column in (("names", graph.names), ("dependencies", graph.dependencies)):
        if len(column) != n:
            return f"{n} sizes, and {len(column)} {name}"
    small = [size for size in graph.sizes if not (_is_number(size) and size > 0.0)]
    if small:
        return f"a size is {small[0]}, not a positive number"
    found = _broken_by_what_may_be_left_out(graph, n)
    if found:
        return found
    if min(graph.arrivals_s, default=0.0) < 0.0:
        return "a task arrives before the start"
    repeated = [name for name, count in Counter(graph.names).items() if count > 1]
    return f"two tasks are called {repeated[0]!r}" if repeated else ""


def _broken_by_what_may_be_left_out(graph: TaskGraph, n: int) -> str:
    for name, values in (("arrivals_s", graph.arrivals_s), ("difficulties", graph.difficulties)):
        odd = [value for value in values if not _is_number(value)]
        if odd:
            return f"{name} holds {what_is(odd[0])}, no finite number"
        if len(values) not in (0, n):
            return f"{n} tasks, and {len(values)} {name}"
    return f"{n} tasks, and {len(graph.doers)} doers" if len(graph.doers) not in (0, n) else ""


def _broken_by_dependencies(graph: TaskGraph, n: int) -> str:
    """Return what is wrong with what the tasks need."""
    for task, needed in enumerate(graph.dependencies):
        away = [each for each in needed if not _is_place(each, n)]
        if away:
            return f"task {task} needs {away}, of {n} tasks"
        if len(set(needed)) < len(needed):
            return f"task {task} needs a task twice: {list(needed)}"
    return "" if len(graph.order) == n else "dependencies form a circle"


def _broken_by_artifacts(graph: TaskGraph, n: int) -> str:
    """Return what is wrong with what the tasks write."""
    count = graph.artifact_count
    if graph.artifacts is None:
        return "" if count == n else f"{n} tasks write {count} artifacts"
    if len(graph.artifacts) != n:
        return f"{n} sizes, and {len(graph.artifacts)} artifacts"
    for task, written in enumerate(graph.artifacts):
        away = [each for each in written if not _is_place(each, count)]
        if away:
            return f"task {task} writes {away}, of {count} artifacts"
    return ""


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def _is_place(value: object, count: int) -> bool:
    """Return whether a value is one of the numbers 0 to count - 1."""
    return is_whole(value) and value in range(count)


def _unless_all_zero(values: Iterable[float]) -> Sequence[float]:
    found = tuple(values)
    return found if any(found) else ()


def _unless_all_free(doers: Iterable[tuple[str | None, int]]) -> Sequence[tuple[str | None, int]]:
    found = tuple(doers)
    return found if any(doer != (None, 0) for doer in found) else ()


def _first_repeated(tasks: Sequence[Task]) -> str:
    seen: set[str] = set()
    for task in tasks:
        if task.id in seen:
            break
        seen.add(task.id)
    return task.id


def _refuse_cycles(graph: TaskGraph) -> None:
    if len(graph.order) == len(graph):
        return
    import networkx

    edges = ((d, task) for task, needed in enumerate(graph.dependencies) for d in needed)
    cycle = networkx.find_cycle(networkx.DiGraph(edges))
    names = [graph.names[edge[0]] for edge in cycle]
    raise ValueError(f"the dependencies form a cycle: {' -> '.join([*names, names[0]])}")
