"""The board at each moment of one replication: in which state every task is, by the trace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from analysis.breakdown.timeline import Span
from analysis.breakdown.trace_metrics import SETTLED
from simulator.model.trace import IN_VAIN, Event, Row


class Place(IntEnum):
    """Where a task is on the board."""

    NOT_READY = 0
    TO_DO = 1
    CLAIMED = 2
    DOING = 3
    UNMARKED = 4
    IN_REVIEW = 5
    DONE = 6
    WRONG = 7


@dataclass(frozen=True, slots=True)
class Move:
    """A task comes to another place on the board."""

    time_s: float
    task: int
    place: Place


@dataclass(slots=True)
class _Task:
    """What is known of one task at a moment.

    Attributes
    ----------
    is_ready, is_submitted, is_unmarked : bool
    claims : int
        Open claims: one of each side of a partition.
    calls, held_up : int
        Calls under way that attempt it, and how many of these are held up.
    right, wrong : int
        Times that it was done, and was not undone since: one of each side of a partition.
    """

    is_ready: bool = False
    is_submitted: bool = False
    is_unmarked: bool = False
    claims: int = 0
    calls: int = 0
    held_up: int = 0
    right: int = 0
    wrong: int = 0

    @property
    def place(self) -> Place:
        if self.right or self.wrong:
            return Place.DONE if self.right else Place.WRONG
        if self.calls:
            return Place.CLAIMED if self.held_up >= self.calls else Place.DOING
        if self.is_submitted:
            return Place.IN_REVIEW
        if self.is_unmarked:
            return Place.UNMARKED
        if self.claims:
            return Place.CLAIMED
        return Place.TO_DO if self.is_ready else Place.NOT_READY


@dataclass(slots=True)
class _Board:
    """Follows the rows of a trace, and notes when tasks come to other places."""

    tasks: list[_Task]
    moves: list[Move] = field(default_factory=list)
    _places: dict[int, Place] = field(default_factory=dict)

    def note(self, time_s: float, tasks: Iterator[int]) -> None:
        """Note where tasks are after all that happened at a time."""
        for number in tasks:
            place = self.tasks[number].place
            if place is not self._places.get(number, Place.NOT_READY):
                self._places[number] = place
                self.moves.append(Move(time_s, number, place))


def moves_of(rows: Sequence[Row], spans: Sequence[Span], tasks: int) -> list[Move]:
    """Return when tasks come to other places on the board, in the order of time.

    A task that a call attempts is in that call's agent's hands while the call lasts: `DOING`, or
    `CLAIMED` while the call is held up or queues. Where claims are traced, it is also `CLAIMED`
    between the calls of who has claimed it, at the end of the run, too, and `UNMARKED` once it is
    finished and not handed in. A call that came to nothing does not say in the
    trace which tasks it was at.

    Parameters
    ----------
    rows : sequence of Row
        The trace of one replication.
    spans : sequence of Span
        Those of its timeline.
    tasks : int
        Tasks of the workload; all of them begin as `NOT_READY`.
    """
    of_call: defaultdict[int | None, list[int]] = defaultdict(list)
    for row in rows:
        if row.event is Event.ATTEMPT and row.task is not None:
            of_call[row.call].append(row.task)
    changes: list[tuple[float, Row | int, int | None]] = []
    changes += [(row.time_s, row, None) for row in rows]
    for span in spans:
        if span.kind in ("held up", "queued") and span.call in of_call:
            changes.append((span.start_s, 1, span.call))
            changes.append((span.end_s, -1, span.call))
    changes.sort(key=lambda change: change[0])  # those at one time stay in the order of the trace
    board = _Board([_Task() for _ in range(tasks)])
    touched: dict[int, None] = {}
    reached = 0.0
    for time_s, what, call in changes:
        if time_s > reached:
            board.note(reached, iter(touched))
            touched.clear()
            reached = time_s
        if isinstance(what, int):
            for task in of_call[call]:
                board.tasks[task].held_up += what
                touched[task] = None
            continue
        for task in _concerned(what, of_call):
            _follow(board.tasks[task], what)
            touched[task] = None
    board.note(reached, iter(touched))
    return board.moves


def _concerned(row: Row, of_call: dict[int | None, list[int]]) -> Sequence[int]:
    if row.event in (Event.CALL_START, Event.CALL_END):
        return of_call.get(row.call, ())
    return () if row.task is None else (row.task,)


def _follow(task: _Task, row: Row) -> None:
    """Take in what a row says of a task."""
    outcome = str(row.outcome)
    if row.event is Event.TASK_READY:
        task.is_ready = True
    elif row.event is Event.CALL_START:
        task.calls += 1
    elif row.event is Event.CALL_END:
        task.calls -= 1
    elif row.event is Event.CLAIM:
        task.claims += 1
    elif row.event is Event.CLAIM_END:
        task.claims -= outcome != "open"
    elif row.event in (Event.ATTEMPT, Event.HAND_IN, Event.REVIEW):
        if row.event is not Event.ATTEMPT or outcome not in IN_VAIN:
            task.is_unmarked = outcome.startswith("unmarked")
        task.is_submitted = outcome == "submitted" or (
            task.is_submitted and row.event is Event.ATTEMPT
        )
        if outcome in SETTLED:
            task.is_submitted = False
            is_right = outcome in ("done", "given_up_correct")
            task.right += is_right
            task.wrong += not is_right
    elif row.event is Event.LOST or (row.event is Event.DIVERGED and outcome != "first_attempt"):
        _undo(task, outcome)


def _undo(task: _Task, outcome: str) -> None:
    """Take back that a task was done, or that it was right."""
    if outcome == "faulty":
        task.right -= 1
        task.wrong += 1
    elif not outcome.startswith("faulty"):
        was_wrong = outcome.endswith(("_was_faulty", "_was_known"))
        task.wrong -= was_wrong
        task.right -= not was_wrong
