"""A lead hands out the tasks, one call of its own at a time."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from simulator.model.board import NOBODY, Board
from simulator.model.protocols._protocol import Dispatcher, Protocol, Setting
from simulator.scenario.families import TopologySpec


class LeadAssign(Protocol):
    """Workers do what their coordinator has given them, report, and wait for more.

    Assignments are made in the coordinator's calls: it is an agent that takes time, and
    without a coordinator there is no work. Who is given nothing is not called. A coordinator does
    not know whom a partition cuts off: what it gives them waits until the partition ends.
    """

    can_take_over: ClassVar[bool] = False

    kind: Literal["lead_assign"] = "lead_assign"
    tasks_each: Annotated[int, Field(ge=1)] = 1
    """Tasks that a worker is given at a time."""
    order: Literal["listed", "longest_first"] = "listed"
    """Which of the tasks that can start are given first."""

    def problem_in(self, topology: TopologySpec, workers: int) -> str | None:
        """Return a message if nobody leads."""
        if topology.has_lead(workers):
            return None
        return (
            f"protocol 'lead_assign' needs a coordinator, and topology {topology.kind!r} has none "
            "(use centralised, hierarchical or hybrid)"
        )

    @property
    def is_random(self) -> bool:
        """Whether agents choose by chance."""
        return False

    def dispatcher(self, setting: Setting) -> Dispatcher:
        """Return the state of this protocol for one replication."""
        return _Lead(self, setting)


class _Lead(Dispatcher):
    __slots__ = ("_each", "_first", "_free", "_hands", "_open")

    has_lead: ClassVar[bool] = True
    calls_idly: ClassVar[bool] = False

    def __init__(self, protocol: LeadAssign, setting: Setting) -> None:
        super().__init__(setting)
        graph, workers = self.board.graph, setting.workers
        self._each = protocol.tasks_each
        self._first = [0.0] * len(graph)
        for place, task in enumerate(graph.order):
            longest = protocol.order == "longest_first"
            self._first[task] = -graph.sizes[task] if longest else float(place)
        self._open: list[tuple[float, int]] = []
        self._hands: list[list[int]] = [[] for _ in range(workers)]
        # A plain dict looks through all that has been taken from its front.
        self._free: defaultdict[int, OrderedDict[int, None]] = defaultdict(OrderedDict)
        for worker in range(workers):
            self._free[setting.managers[worker]][worker] = None

    def fork(self, board: Board) -> Self:
        """Return an independent copy that works on a copy of the board."""
        other = super().fork(board)
        other._open = self._open[:]
        other._hands = [hand[:] for hand in self._hands]
        free = {manager: workers.copy() for manager, workers in self._free.items()}
        other._free = defaultdict(OrderedDict, free)
        return other

    def task_ready(self, task: int) -> int:
        """Put `task` on the list; it concerns all coordinators who have somebody free."""
        heappush(self._open, (self._first[task], task))
        leads = [lead for lead, free in self._free.items() if free]
        self.wake(*leads[1:])
        return leads[0] if leads else self.setting.managers[0]

    def lead_wanted(self, manager: int) -> bool:
        """Return whether there is something to hand out and somebody to take it."""
        return bool(self._open) and bool(self._free[manager])

    def led(self, manager: int, reported: Sequence[int]) -> None:
        """Give tasks to the coordinator's workers whose hands are empty."""
        free = self._free[manager]
        there = [worker for worker in reported if worker not in self.gone]
        free.update({worker: None for worker in there if not self._hands[worker]})
        while free and self._open:
            worker, _ = free.popitem(last=False)
            for _ in range(min(self._each, len(self._open))):
                task = heappop(self._open)[1]
                self.board.give(task, worker)
                self._hands[worker].append(task)
            self.wake(worker)

    def has_tasks(self, agent: int) -> bool:
        """Return whether the agent has been given tasks."""
        return bool(self._hands[agent])

    def choose(self, agent: int, count: int) -> list[int]:
        """Return the first tasks that the agent has been given."""
        hand = self._hands[agent]
        picks, hand[:] = hand[:count], hand[count:]
        return picks

    def may_attempt(self, agent: int, task: int) -> bool:
        """Return True: the task was given to the agent."""
        return True

    def attempt_ended(self, agent: int, task: int, done: bool) -> None:
        """Leave a task that failed its tests in the agent's hand."""
        if not done:
            self.returned(agent, task)

    def returned(self, agent: int, task: int) -> None:
        """Leave the task in the agent's hand."""
        if self.board.done[task] or task in self._hands[agent]:
            return
        self._hands[agent].append(task)
        self._free[self.setting.managers[agent]].pop(agent, None)
        if agent in self.gone:
            self.give_away(agent)

    def give_away(self, agent: int) -> int:
        """Put what the agent has been given on the list again, and give it nothing."""
        self._free[self.setting.managers[agent]].pop(agent, None)
        given, self._hands[agent] = self._hands[agent], []
        for task in given:
            self.board.give(task, NOBODY)
            self.wake(self.task_ready(task))
        return len(given)

    def welcome(self, agent: int) -> None:
        """Let the coordinator know that the agent is free."""
        if not self._hands[agent]:
            manager = self.setting.managers[agent]
            self._free[manager][agent] = None
            self.wake(manager)

    def forget(self, task: int) -> None:
        """Take the task off the list, or out of the hand that it is in."""
        owner = self.board.owner[task]
        if owner != NOBODY and task in self._hands[owner]:
            self._hands[owner].remove(task)
        self._open = [entry for entry in self._open if entry[1] != task]
        heapify(self._open)

    def waits(self) -> Sequence[str]:
        """Say how much the coordinators have not handed out."""
        return [f"{len(self._open)} tasks are not handed out"] if self._open else []
