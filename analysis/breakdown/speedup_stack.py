"""Where the speed-up went: the time of all agents by what it went to, one replication at a time.

A team of n workers that takes T spends n T seconds. One agent takes T1 for the same work, so that
the speed-up is T1 / T, and what is missing to n is ``(n T - T1) / T``: the seconds that the team
spent on each cause and one agent did not, over T. The parts add up to n (speed-up stacks: Eyerman,
Du Bois & Eeckhout 2012).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.statistics.curves import SIZE, name_value
from simulator.engine import Simulation
from simulator.model.trace import FAILED, IN_VAIN, Event, Row, Trace, sends_back
from simulator.scenario import Point, Scenario
from simulator.scenario.sweep import label

Array = npt.NDArray[np.float64]
Span = tuple[float, float]

WORK = "work"
_WITHHELD = "withheld"
CAUSES = (
    "serial work",
    "imbalance",
    "stragglers and barriers",
    "coordination",
    "duplicates and conflicts",
    "rework",
    "failures",
    "rate limits",
    "slower calls",
)
"""What keeps a speed-up below n. `slower calls`: first attempts that take a team longer than one
agent, with more to read for one; below 0 where they are quicker."""

_WAITS = {
    "rate_limit": "rate limits",
    "queue": "rate limits",
    "lock": "duplicates and conflicts",
    "partition": "failures",
}


@dataclass(frozen=True)
class _Board:
    """How many tasks are open, and how many hindered, as step functions of time."""

    times: Array
    open: Array
    hindered: Array

    def shares(self, spans: Iterable[Span]) -> tuple[float, float, float]:
        """Return the seconds of the spans with open tasks, with only hindered ones, with none."""
        found = np.zeros(3)
        for start, end in spans:
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


def time_by_cause(rows: Sequence[Row], scenario: Scenario, tasks: int) -> dict[str, float]:
    """Return the workers' seconds by what they went to, ``work`` and `CAUSES`.

    Waiting is told apart by the board at the time. A worker that waits while tasks are open has
    them withheld from it: by a coordinator, where there is one, else by having been dealt to
    somebody else (imbalance). While all that is left is hindered by dependencies, it waits for
    serial work; while the rest is in progress, for the end (imbalance). After its call of a
    round, it waits for the slowest (barrier) and then for the staff (coordination).

    Parameters
    ----------
    rows : sequence of Row
        The trace of one replication.
    scenario : Scenario
    tasks : int
        Tasks in the workload.

    Returns
    -------
    dict of str to float
        Simulated seconds; they add up to workers times makespan.
    """
    workers = scenario.team.worker_count
    course = _Course(rows, workers, tasks)
    spent = dict.fromkeys((WORK, *CAUSES), 0.0)
    again: set[int] = set()
    for row in rows:
        if row.agent is not None and row.agent < workers:
            cause = _cause_of(row, again)
            if cause:
                spent[cause] += row.duration_s or 0.0
        if row.task is not None and sends_back(row):
            again.add(row.task)
    # Tasks are withheld from who waits by a coordinator, where there is one.
    withheld = "coordination" if scenario.staff["coordinator"] > 0 else "imbalance"
    for cause, seconds in course.waiting().items():
        spent[withheld if cause == _WITHHELD else cause] += seconds
    return spent


def _cause_of(row: Row, again: set[int]) -> str:
    """Return what a row's duration went to, if it is a worker's and tells."""
    cause = ""
    if row.event is Event.ATTEMPT:
        if row.outcome in IN_VAIN:
            cause = "duplicates and conflicts"
        else:
            cause = "rework" if row.task in again else WORK
    elif row.event is Event.WAIT:
        cause = _WAITS.get(str(row.outcome), "failures")
    elif row.event is Event.COMMIT:
        cause = "coordination"
    elif row.event in (Event.REQUEST, Event.DOWN):
        cause = "failures"
    elif row.event is Event.CALL_END:
        by_outcome = {
            "coordination": "coordination",
            "review": "coordination",
            **dict.fromkeys(FAILED, "failures"),
            "cut_off": "imbalance",
        }
        cause = by_outcome.get(str(row.outcome), "")
    return cause


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
            else:  # done ahead of its turn, together with what it depends on
                ready[row.task] = begun_s
                changes.append((begun_s, 0, -1))
    changes.sort()
    times = np.array([change[0] for change in changes])
    opened = np.cumsum([change[1] for change in changes])
    hindered = np.cumsum([change[2] for change in changes])
    return _Board(times, opened.astype(np.float64), hindered.astype(np.float64))


class _Course:
    """What is between the calls of one replication, and the calls that took no task."""

    def __init__(self, rows: Sequence[Row], workers: int, tasks: int) -> None:
        self._rows = rows
        self._makespan_s = rows[-1].time_s
        self._board = _board(rows, tasks)
        self._calls = _calls(rows, workers, self._makespan_s)
        self._rounds = _rounds(rows, workers, self._makespan_s)
        self._overheads = _Spans(
            [
                (row.time_s - (row.duration_s or 0.0), row.time_s)
                for row in rows
                if row.event is Event.OVERHEAD
            ]
        )
        inside = [(start, end) for start, _, end in self._rounds]
        self._between = _gaps([*inside, *self._overheads.spans], self._makespan_s)

    def waiting(self) -> dict[str, float]:
        """Return the seconds of all workers that no row of theirs tells of, by their cause."""
        found: dict[str, float] = defaultdict(float)
        down: dict[int, list[Span]] = {}
        served = {}
        for row in self._rows:
            if row.event is Event.DOWN and row.agent is not None:
                span = (row.time_s - (row.duration_s or 0.0), row.time_s)
                down.setdefault(row.agent, []).append(span)
            elif row.event is Event.CALL_END and row.outcome == "idle":
                served[row.call] = row.duration_s or 0.0
        for agent, calls in enumerate(self._calls):
            for call, (start, end, outcome) in calls.items():
                if outcome == "idle" and end > start:
                    # Of a call that also waited to be served, the rest is booked as that.
                    share = served[call] / (end - start)
                    _add(found, self._by_board([(start, end)], share))
            spans = [(start, end) for start, end, _ in calls.values()]
            _add(found, self._between_calls(sorted(spans + down.get(agent, []))))
        return found

    def _by_board(self, spans: Sequence[Span], share: float = 1.0) -> dict[str, float]:
        """Return what a worker without a task waits for, by the state of the board."""
        withheld, hindered, ending = self._board.shares(spans)
        return {
            _WITHHELD: share * withheld,
            "serial work": share * hindered,
            "imbalance": share * ending,
        }

    def _between_calls(self, spans: Sequence[Span]) -> dict[str, float]:
        """Return what one worker waits for outside of `spans`, when it is in a call or down."""
        found: dict[str, float] = defaultdict(float)
        gaps, busy = _Spans(_gaps(spans, self._makespan_s)), _Spans(spans)
        for start, end in self._overheads.spans:
            found["coordination"] += _length(gaps.within(start, end))
        outside = [span for start, end in self._between for span in gaps.within(start, end)]
        _add(found, self._by_board(outside))
        for start, last, end in self._rounds:
            found["coordination"] += _length(gaps.within(last, end))
            waits = gaps.within(start, last)
            if busy.within(start, last):
                found["stragglers and barriers"] += _length(waits)
            else:
                _add(found, self._by_board(waits))
        return found


def _add(total: dict[str, float], parts: Mapping[str, float]) -> None:
    for cause, seconds in parts.items():
        total[cause] += seconds


class _Spans:
    """Spans in order, of which those within another are found without looking at all."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self.spans = spans
        self._ends = [end for _, end in spans]

    def within(self, start: float, end: float) -> list[Span]:
        """Return what lies between two times."""
        found = []
        for place in range(bisect_right(self._ends, start), len(self.spans)):
            a, b = self.spans[place]
            if a >= end:
                break
            found.append((max(a, start), min(b, end)))
        return [(a, b) for a, b in found if a < b]


def _rounds(rows: Sequence[Row], workers: int, makespan: float) -> list[tuple[float, float, float]]:
    """Return of each round its start, the end of its last worker's call, and its end."""
    starts = {row.round: row.time_s for row in rows if row.event is Event.ROUND_START}
    ends = {row.round: row.time_s for row in rows if row.event is Event.ROUND_END}
    lasts = dict(starts)
    for row in rows:
        is_call = row.event is Event.CALL_END and row.agent is not None and row.agent < workers
        if is_call and row.round in lasts:
            lasts[row.round] = row.time_s
    return [(start, lasts[i], ends.get(i, makespan)) for i, start in starts.items()]


def _length(spans: Iterable[Span]) -> float:
    return fsum(end - start for start, end in spans)


def _gaps(spans: Sequence[Span], makespan: float) -> list[Span]:
    """Return what no span covers between 0 and the makespan."""
    gaps, reached = list[Span](), 0.0
    for start, end in sorted(spans):
        if start > reached:
            gaps.append((reached, start))
        reached = max(reached, end)
    if reached < makespan:
        gaps.append((reached, makespan))
    return gaps


def losses(
    team: Mapping[str, float], alone: Mapping[str, float], workers: int, makespan_s: float
) -> dict[str, float]:
    """Return the speed-up and what each cause has taken from it; they add up to `workers`.

    Parameters
    ----------
    team, alone : mapping of str to float
        From `time_by_cause`, of a replication of the team and of one agent.
    workers : int
    makespan_s : float
        Of the team.
    """
    found = {"speed-up": fsum(alone.values()) / makespan_s}
    for cause in CAUSES:
        source = WORK if cause == "slower calls" else cause
        found[cause] = (team[source] - alone[source]) / makespan_s
    return found


def speedup_stacks(
    points: Sequence[Point],
    replications: int = 10,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Return the speed-up stack of every point that has a single agent to be held against.

    Parameters
    ----------
    points : sequence of Point
        Of one study.
    replications : int
        Traced replications of each, the same random numbers for team and baseline.
    progress : callable, optional
        Told ``(points done, points in all)``.

    Returns
    -------
    DataFrame
        A row a point, none for the single agents: ``point, series, name, n`` (workers); ``runs``,
        and ``finished``: in how many of them both the team and the single agent finished;
        ``speed-up`` and each of `CAUSES`: means over these, in speed-up, which add up to n. They
        are null where there is none, since time of a run that did not finish has no whole to be a
        part of.
    """
    baselines = {point.index: _baseline(point, points) for point in points}
    wanted = [point for point in points if baselines[point.index] not in (None, point.index)]
    alone: dict[int, list[dict[str, float] | None]] = {}
    rows = []
    for done, point in enumerate(wanted):
        if progress is not None:
            progress(done, len(wanted))
        baseline = baselines[point.index]
        assert baseline is not None
        if baseline not in alone:
            alone[baseline] = _stacked(points[baseline].scenario, replications)
        workers = point.scenario.team.worker_count
        parts = [
            losses(team, single, workers, fsum(team.values()) / workers)
            for team, single in zip(
                _stacked(point.scenario, replications), alone[baseline], strict=True
            )
            if team is not None and single is not None
        ]
        mean = pd.DataFrame(parts, columns=["speed-up", *CAUSES], dtype=float).mean()
        rows.append(
            {
                "point": point.index,
                "series": point.series or _series(point),
                "name": point.name,
                "n": workers,
                "runs": replications,
                "finished": len(parts),
                **mean.to_dict(),
            }
        )
    if progress is not None:
        progress(len(wanted), len(wanted))
    return pd.DataFrame(rows)


def _series(point: Point) -> str:
    """Return the name of a point's series in a grid: the values of its other fields."""
    said = (name_value(key, label(value)) for key, value in point.overrides.items() if key != SIZE)
    return ", ".join(filter(None, said))


def _baseline(point: Point, points: Sequence[Point]) -> int | None:
    """Return what a point is held against: what the scenario names, else its own n = 1."""
    if point.baseline is not None:
        return point.baseline
    others = {key: value for key, value in point.overrides.items() if key != SIZE}
    for candidate in points:
        rest = {key: value for key, value in candidate.overrides.items() if key != SIZE}
        is_alone = candidate.scenario.team.worker_count == 1
        if is_alone and rest == others and candidate.series == point.series:
            return candidate.index
    return None


def _stacked(scenario: Scenario, replications: int) -> list[dict[str, float] | None]:
    """Return the workers' seconds by cause of each replication, None where it did not finish."""
    simulation = Simulation(scenario)
    found: list[dict[str, float] | None] = []
    for replication in range(replications):
        trace = Trace(replication)
        metrics = simulation.run(replication, trace)
        spent = time_by_cause(trace.rows, scenario, metrics.tasks) if metrics.success else None
        found.append(spent)
    return found
