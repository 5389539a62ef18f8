"""The requests of a run that failed, and when a call was sent for the last time.

A trace of the simulator has one row for a call, whose time holds those of all its attempts. A
tracer writes a call for each attempt.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from analysis.breakdown.operations import Operation
from simulator.model.trace import Event, Row


def resent(rows: Sequence[Row]) -> dict[int, list[float]]:
    """Return when each agent has sent requests again after a wait, in seconds."""
    found: dict[int, list[float]] = {}
    for row in rows:
        if row.event is Event.WAIT and row.outcome == "retry" and row.agent is not None:
            found.setdefault(row.agent, []).append(row.time_s)
    return found


def last_sent(each: Operation, again: Mapping[int, Sequence[float]]) -> float:
    """Return when a call was sent for the last time: those that failed are calls of their own.

    Parameters
    ----------
    each : Operation
        A call of a model.
    again : mapping
        From `resent`.
    """
    times = again.get(each.agent, ())
    before = bisect_left(times, each.end_s)
    return max(each.start_s, times[before - 1]) if before else each.start_s


def failed_requests(rows: Sequence[Row]) -> Iterator[Operation]:
    """Yield the requests that the provider failed, which a tracer writes as calls of their own."""
    for row in rows:
        if row.event is Event.REQUEST and row.outcome == "error" and row.agent is not None:
            start_s = row.time_s - (row.duration_s or 0.0)
            yield Operation(row.agent, start_s, row.time_s, None, (), row)
