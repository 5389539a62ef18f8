"""Cuts the work into chunks of about a second, by the time that chunks have taken so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from simulator.experiment.plan import Plan, Span

TARGET_S = 1.0
"""Seconds of a chunk: long beside the milliseconds of sending it, short beside a sweep."""

_SECONDS_A_TASK = 5e-5
"""Before anything is measured."""


class Pacer:
    """Hands out chunks, which become smaller towards the end, so that workers finish together.

    This is guided self-scheduling (Polychronopoulos & Kuck 1987). Chunks are sized by measured
    times, so they differ from run to run; no result depends on them.

    Parameters
    ----------
    plan : Plan
    tasks : sequence of int, shape (points,)
        Tasks of a replication, the first guess of the time that it takes.
    workers : int
    """

    def __init__(self, plan: Plan, tasks: Sequence[int], workers: int) -> None:
        self._plan, self._tasks, self._workers = plan, tasks, workers
        self._measured: dict[int, float] = {}
        self._seconds_a_task = _SECONDS_A_TASK
        self._waiting: deque[Span] = deque()
        self._left = 0

    def put(self, spans: Sequence[Span]) -> None:
        """Add work, to be handed out in this order."""
        for span in spans:
            touches = self._waiting and self._waiting[-1].stop == span.start
            start = self._waiting.pop().start if touches else span.start
            self._waiting.append(Span(start, span.stop))
        self._left = sum(span.count for span in self._waiting)

    @property
    def left_s(self) -> float:
        """How many seconds the work not yet handed out takes, about."""
        pieces = (piece for span in self._waiting for piece in self._plan.pieces(span))
        return sum(self._each_s(point) * len(each) for point, each in pieces)

    def next(self) -> Span | None:
        """Return the next chunk; none when all work is handed out."""
        if not self._waiting:
            return None
        span = self._waiting.popleft()
        stop, seconds = span.start, 0.0
        for point, replications in self._plan.pieces(span):
            each_s = self._each_s(point)
            # A share of the remaining work, as if all of it were like this. Before anything is
            # measured, a small probe.
            share_s = each_s * self._left / (2 * self._workers) if self._measured else 0.0
            most_s = min(TARGET_S, max(TARGET_S / 10, share_s))
            count = min(len(replications), max(1, int((most_s - seconds) / each_s)))
            stop, seconds = stop + count, seconds + count * each_s
            if count < len(replications) or seconds >= most_s:
                break
        if stop < span.stop:
            self._waiting.appendleft(Span(stop, span.stop))
        self._left -= stop - span.start
        return Span(span.start, stop)

    def learn(self, chunk: Span, seconds: float) -> None:
        """Take in the time of a chunk."""
        pieces = list(self._plan.pieces(chunk))
        expected = sum(self._each_s(point) * len(each) for point, each in pieces)
        ratio = max(seconds, 1e-6) / expected
        for point, _ in pieces:
            self._measured[point] = self._each_s(point) * ratio
        # The points to come are most like those that came last.
        self._seconds_a_task = self._measured[point] / max(1, self._tasks[point])

    def _each_s(self, point: int) -> float:
        guess = self._measured.get(point)
        return self._seconds_a_task * max(1, self._tasks[point]) if guess is None else guess
