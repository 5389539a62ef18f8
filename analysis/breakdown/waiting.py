"""Finds from the trace of one replication what workers wait for between their calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.breakdown.stretches import Stretch, Stretches, gaps_between, total_length
from simulator.model.trace import IN_VAIN, Event, Row

Array = npt.NDArray[np.float64]

WITHHELD = "withheld"
"""Waiting while tasks are open, but all of them belong to others."""


class Course:
    """The time between the calls of one replication, and that of calls that took no task."""

    def __init__(self, rows: Sequence[Row], workers: int, tasks: int) -> None:
        self._rows = rows
        self._makespan_s = rows[-1].time_s
        self._board = _board(rows, tasks)
        self._calls = _calls(rows, workers, self._makespan_s)
        self._rounds = _rounds(rows, workers, self._makespan_s)
        self._overheads = Stretches(
            [
                (row.time_s - (row.duration_s or 0.0), row.time_s)
                for row in rows
                if row.event is Event.OVERHEAD
            ]
        )
        inside = [(start, end) for start, _, end in self._rounds]
        self._between = gaps_between([*inside, *self._overheads.stretches], self._makespan_s)

    def waiting(self) -> dict[str, float]:
        """Return, by cause, the seconds of all workers that none of their rows covers."""
        found: dict[str, float] = defaultdict(float)
        down: dict[int, list[Stretch]] = {}
        served = {}
        for row in self._rows:
            if row.event is Event.DOWN and row.agent is not None:
                stretch = (row.time_s - (row.duration_s or 0.0), row.time_s)
                down.setdefault(row.agent, []).append(stretch)
            elif row.event is Event.CALL_END and row.outcome == "idle":
                served[row.call] = row.duration_s or 0.0
        for agent, calls in enumerate(self._calls):
            for call, (start, end, outcome) in calls.items():
                if outcome == "idle" and end > start:
                    # If a call also waited to be served, the rest of it counts as such a wait.
                    share = served[call] / (end - start)
                    _add(found, self._by_board([(start, end)], share))
            stretches = [(start, end) for start, end, _ in calls.values()]
            _add(found, self._between_calls(sorted(stretches + down.get(agent, []))))
        return found

    def _by_board(self, stretches: Sequence[Stretch], share: float = 1.0) -> dict[str, float]:
        """Return the cause for which a worker without a task waits, by the state of the board."""
        withheld, hindered, ending = self._board.shares(stretches)
        return {
            WITHHELD: share * withheld,
            "serial work": share * hindered,
            "imbalance": share * ending,
        }

    def _between_calls(self, stretches: Sequence[Stretch]) -> dict[str, float]:
        """Return one worker's waits by cause, outside of `stretches` (in a call or down)."""
        found: dict[str, float] = defaultdict(float)
        gaps, busy = Stretches(gaps_between(stretches, self._makespan_s)), Stretches(stretches)
        for start, end in self._overheads.stretches:
            found["coordination"] += total_length(gaps.within(start, end))
        outside = [stretch for start, end in self._between for stretch in gaps.within(start, end)]
        _add(found, self._by_board(outside))
        for start, last, end in self._rounds:
            found["coordination"] += total_length(gaps.within(last, end))
            waits = gaps.within(start, last)
            if busy.within(start, last):
                found["stragglers and barriers"] += total_length(waits)
            else:
                _add(found, self._by_board(waits))
        return found


def _add(total: dict[str, float], parts: Mapping[str, float]) -> None:
    for cause, seconds in parts.items():
        total[cause] += seconds


def _calls(
    rows: Sequence[Row], workers: int, makespan: float
) -> list[dict[int, tuple[float, float, str]]]:
    """Return each worker's calls by number: start, end and outcome, shape (workers,)."""
    begun: dict[int, tuple[int, float]] = {}
    found: list[dict[int, tuple[float, float, str]]] = [{} for _ in range(workers)]
    for row in rows:
        if row.agent is None or row.agent >= workers or row.call is None:
            continue
        if row.event is Event.CALL_START:
            begun[row.call] = (row.agent, row.time_s)
        elif row.event is Event.CALL_END:
            agent, start = begun.pop(row.call)
            found[agent][row.call] = (start, row.time_s, str(row.outcome))
    for call, (agent, start) in begun.items():
        found[agent][call] = (start, makespan, "cut_off")
    return found


def _rounds(rows: Sequence[Row], workers: int, makespan: float) -> list[tuple[float, float, float]]:
    """Return for each round its start, the end of its last worker's call, and its end."""
    starts = {row.round: row.time_s for row in rows if row.event is Event.ROUND_START}
    ends = {row.round: row.time_s for row in rows if row.event is Event.ROUND_END}
    lasts = dict(starts)
    for row in rows:
        is_call = row.event is Event.CALL_END and row.agent is not None and row.agent < workers
        if is_call and row.round in lasts:
            lasts[row.round] = row.time_s
    return [(start, lasts[i], ends.get(i, makespan)) for i, start in starts.items()]


@dataclass(frozen=True)
class _Board:
    """Numbers of open tasks, and of tasks that wait for others, as step functions of time."""

    times: Array
    open: Array
    hindered: Array

    def shares(self, stretches: Iterable[Stretch]) -> tuple[float, float, float]:
        """Return the seconds with open tasks, with waiting tasks only, and with neither."""
        found = np.zeros(3)
        for start, end in stretches:
            first = int(np.searchsorted(self.times, start, side="right")) - 1
            last = int(np.searchsorted(self.times, end, side="left"))
            edges = np.clip(self.times[max(first, 0) : last + 1], start, end)
            edges = np.concatenate([edges, [end]])
            lengths = np.diff(edges)
            state = slice(max(first, 0), max(first, 0) + len(lengths))
            is_open = self.open[state] > 0
            is_hindered = ~is_open & (self.hindered[state] > 0)
            found += [
                lengths[is_open].sum(),
                lengths[is_hindered].sum(),
                lengths[~is_open & ~is_hindered].sum(),
            ]
        return float(found[0]), float(found[1]), float(found[2])


def _board(rows: Sequence[Row], tasks: int) -> _Board:
    """Return how many tasks can be begun and how many cannot yet, over time."""
    started = {row.call: row.time_s for row in rows if row.event is Event.CALL_START}
    changes: list[tuple[float, int, int]] = [(0.0, 0, tasks)]
    ready: dict[int, float] = {}
    taken: set[int] = set()
    for row in rows:
        if row.event is Event.TASK_READY and row.task is not None and row.task not in ready:
            ready[row.task] = row.time_s
            changes.append((row.time_s, 1, -1))
        elif row.event is Event.ATTEMPT and row.task is not None and row.task not in taken:
            if row.outcome in IN_VAIN:
                continue
            taken.add(row.task)
            begun_s = started[row.call]
            if row.task in ready:
                changes.append((max(begun_s, ready[row.task]), -1, 0))
            else:  # done before it could start, together with its dependencies
                ready[row.task] = begun_s
                changes.append((begun_s, 0, -1))
    changes.sort()
    times = np.array([change[0] for change in changes])
    opened = np.cumsum([change[1] for change in changes])
    hindered = np.cumsum([change[2] for change in changes])
    return _Board(times, opened.astype(np.float64), hindered.astype(np.float64))
