"""Which replications are made: all of them, or as many as a precision takes, the widest first."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from scipy import stats

from simulator.errors import TeamsimError, unknown_name
from simulator.experiment.plan import Plan, Span
from simulator.model.metrics import NUMERIC_METRICS
from simulator.scenario import Point
from simulator.scenario.schema import Precision

_NEAR_WIDEST = 0.7
"""With a budget, a round is for points whose interval is at least so wide beside the widest."""


class Allocation:
    """Deals out replications in rounds, each from the results of all before it.

    Points without a `precision` get all their replications in the first round. The others get
    `minimum` at first, and then, round by round, what the relative width of their interval asks
    for, but no more than they have already. What is made depends on the results alone: neither on
    workers nor on interruptions.

    Parameters
    ----------
    points : sequence of Point
    plan : Plan

    Raises
    ------
    TeamsimError
        If a precision is of what is no numeric metric, or its budget makes no sense.
    """

    def __init__(self, points: Sequence[Point], plan: Plan) -> None:
        self._plan = plan
        self._most = [point.scenario.replications for point in points]
        self._precise = {
            i: point.scenario.precision
            for i, point in enumerate(points)
            if point.scenario.precision is not None
        }
        self._budget = _budget(list(self._precise.values()))
        # The room of each point grows with its replications.
        self._values = {i: np.full(0, np.nan) for i in self._precise}
        self._made = [0] * len(points)
        self._is_open = set(range(len(points)))

    @property
    def made(self) -> int:
        """Replications dealt out."""
        return sum(self._made)

    @property
    def most(self) -> int:
        """Replications that may still come to be dealt out, those dealt out included."""
        closed = sum(n for i, n in enumerate(self._made) if i not in self._is_open)
        most = closed + sum(self._most[i] for i in self._is_open)
        free = sum(self._most) - sum(self._most[i] for i in self._precise)
        return most if self._budget is None else min(most, free + self._budget)

    @property
    def looks_at(self) -> set[str]:
        """The metrics whose values `add` needs."""
        return {precision.metric for precision in self._precise.values()}

    def add(self, rows: pa.Table) -> None:
        """Take in results."""
        if not self._precise:
            return
        points, replications = (rows.column(name).to_numpy() for name in ("point", "replication"))
        for point in np.unique(points).tolist():
            if point in self._precise:
                mine = points == point
                values = rows.column(self._precise[point].metric).to_numpy()[mine]
                at = replications[mine]
                self._reserve(point, int(at.max()) + 1)
                self._values[point][at] = values

    def next_round(self) -> list[Span]:
        """Return what to make next, the widest intervals first; nothing when that is all."""
        wanted = []
        for point in sorted(self._is_open):
            count, width = self._wanted(point)
            if count:
                wanted.append((width, point, count))
            else:
                self._is_open.discard(point)
        wanted.sort(key=lambda each: (-each[0], each[1]))
        spans = []
        for point, count in self._within_budget(wanted):
            made = self._made[point]
            spans.append(self._plan.span(point, made, made + count))
            self._made[point] = made + count
        if not spans:
            self._is_open.clear()
        return spans

    def _wanted(self, point: int) -> tuple[int, float]:
        """Return how many more a point wants, and how wide its interval is over what is allowed."""
        made, most = self._made[point], self._most[point]
        precision = self._precise.get(point)
        if precision is None or made == 0:
            first = most if precision is None else min(most, precision.minimum)
            return first - made, math.inf
        width = _width(self._values[point][:made], precision)
        if width <= 1.0:
            return 0, width
        needed = made * width**2 - made if math.isfinite(width) else math.inf
        step = min(max(needed, precision.minimum), max(made, precision.minimum))
        return min(math.ceil(step), most - made), width

    def _within_budget(self, wanted: list[tuple[float, int, int]]) -> list[tuple[int, int]]:
        if self._budget is None:
            return [(point, count) for _, point, count in wanted]
        left = self._budget - sum(self._made[point] for point in self._precise)
        dealt = []
        widest = max((width for width, point, _ in wanted if point in self._precise), default=0.0)
        for width, point, count in wanted:
            if point not in self._precise:
                dealt.append((point, count))
            elif left > 0 and (math.isinf(width) or width >= _NEAR_WIDEST * widest):
                dealt.append((point, min(count, left)))
                left -= dealt[-1][1]
        return dealt

    def _reserve(self, point: int, size: int) -> None:
        values = self._values[point]
        if size > len(values):
            more = np.full(max(size, 2 * len(values)) - len(values), np.nan)
            self._values[point] = np.concatenate([values, more])


def _width(x: np.ndarray[tuple[int], np.dtype[np.float64]], precision: Precision) -> float:
    """Return half of the interval of a mean over what is allowed."""
    t = stats.t.ppf(0.5 + precision.confidence / 2, len(x) - 1)
    half = float(t * x.std(ddof=1) / np.sqrt(len(x)))
    allowed = precision.relative * abs(float(x.mean()))
    return half / allowed if allowed > 0.0 else (0.0 if half == 0.0 else math.inf)


def _budget(precisions: Sequence[Precision]) -> int | None:
    for precision in precisions:
        if precision.metric not in NUMERIC_METRICS:
            problem = unknown_name("metric", precision.metric, NUMERIC_METRICS)
            raise TeamsimError(f"precision.metric: {problem}")
    budgets = {precision.budget for precision in precisions}
    if len(budgets) > 1:
        raise TeamsimError("precision.budget: it is for all points together, so one for all")
    budget = budgets.pop() if budgets else None
    needed = sum(precision.minimum for precision in precisions)
    if budget is not None and budget < needed:
        raise TeamsimError(
            f"precision.budget: {budget} replications are fewer than the first looks at "
            f"{len(precisions)} points take ({needed}); raise it, or lower precision.minimum"
        )
    return budget
