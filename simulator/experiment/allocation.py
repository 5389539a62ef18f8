"""Decides which replications are made: all, or as many as a precision needs, the widest first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simulator.errors import TeamsimError, unknown_name
from simulator.experiment.intervals import interval_of_metric
from simulator.experiment.plan import Plan, Span
from simulator.experiment.shortfalls import Shortfall
from simulator.model.metrics import NUMERIC_METRICS
from simulator.scenario import Point, Scenario
from simulator.scenario.costs import HOW_TO_PRICE, unknown_metrics
from simulator.scenario.rare_events import REPLICATIONS, endless_tails, rare_events
from simulator.scenario.schema import Precision

if TYPE_CHECKING:
    import pyarrow as pa

_NEAR_WIDEST = 0.7
"""With a budget, a round serves points whose interval is at least this share of the widest."""

_NEGLIGIBLE = 0.1
"""Share of the precision by which the mean may be wrong because small tails are not waited for."""


class Allocation:
    """Deals out replications in rounds; each round depends on the results of all rounds before it.

    Points without a `precision` get all their replications in the first round. The others first
    get `minimum`. In each later round they get as many as the width of their interval and the rare
    events of their scenario need, but they at most double. The replications made depend on the
    results alone, not on the number of workers or on interruptions.

    Parameters
    ----------
    points : sequence of Point
    plan : Plan

    Raises
    ------
    TeamsimError
        If the metric of a precision is not a numeric metric, or its budget makes no sense.
    """

    def __init__(self, points: Sequence[Point], plan: Plan) -> None:
        self._plan = plan
        self._most = [point.scenario.replications for point in points]
        self._precise = {
            i: precision
            for i, point in enumerate(points)
            if (precision := point.scenario.precision) is not None
        }
        self._budget = budget_of(point.scenario for point in points)
        self._evidence = {i: _Evidence(points[i], each) for i, each in self._precise.items()}
        self._made = [0] * len(points)
        self._is_open = set(range(len(points)))

    @property
    def made(self) -> int:
        """Replications dealt out."""
        return sum(self._made)

    @property
    def most(self) -> int:
        """Most replications that may be dealt out in all."""
        closed = sum(n for i, n in enumerate(self._made) if i not in self._is_open)
        most = closed + sum(self._most[i] for i in self._is_open)
        free = sum(self._most) - sum(self._most[i] for i in self._precise)
        return most if self._budget is None else min(most, free + self._budget)

    @property
    def looks_at(self) -> set[str]:
        """The metrics whose values `add` needs."""
        return {name for each in self._evidence.values() for name in each.columns}

    def add(self, rows: pa.Table) -> None:
        """Take in results."""
        if not self._precise:
            return
        points, replications = (rows.column(name).to_numpy() for name in ("point", "replication"))
        for point in np.unique(points).tolist():
            if point in self._precise:
                mine = points == point
                self._evidence[point].add(rows, mine, replications[mine])

    def next_round(self) -> list[Span]:
        """Return the spans to make next, the widest intervals first; none when all are made."""
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

    def shortfalls(self) -> list[Shortfall]:
        """Return the points that have not reached their precision with the replications made."""
        found = (self._evidence[i].shortfall(self._made[i]) for i in self._precise)
        return [each for each in found if each is not None]

    def _wanted(self, point: int) -> tuple[int, float]:
        """Return how many more a point needs, and the width of its interval over that allowed."""
        made, most = self._made[point], self._most[point]
        precision = self._precise.get(point)
        if precision is None or made == 0:
            first = most if precision is None else min(most, precision.minimum)
            return first - made, math.inf
        width = self._evidence[point].width(made)
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


class _Evidence:
    """The results of one point so far, and the expected numbers of its rare events."""

    def __init__(self, point: Point, precision: Precision) -> None:
        self._point, self._precision = point, precision
        scenario = point.scenario
        self._events = rare_events(scenario, _NEGLIGIBLE * precision.relative)
        self._endless = endless_tails(scenario)
        counted = {event.column for event in self._events if precision.events}
        censored = {"success"} if precision.metric == "makespan_s" else set()
        self.columns = {precision.metric, *counted, *censored} - {REPLICATIONS}
        # The room grows with the replications.
        self._values = {name: np.full(0, np.nan) for name in self.columns}

    def add(self, rows: pa.Table, mine: npt.NDArray[np.bool_], at: npt.NDArray[Any]) -> None:
        """Take in the rows marked `mine`; `at` are the numbers of their replications."""
        size = int(at.max()) + 1
        for name in self.columns:
            room = len(self._values[name])
            if size > room:
                more = np.full(max(size, 2 * room) - room, np.nan)
                self._values[name] = np.concatenate([self._values[name], more])
            self._values[name][at] = rows.column(name).to_numpy()[mine]

    def width(self, made: int) -> float:
        """Return `width`: about `width` ** 2 times as many replications would be enough.

        It is the width of the interval over that allowed, or the same measure for the rare events
        that are missing, whichever is more.
        """
        width = self._relative(made) / self._precision.relative
        for expected in self._expected(made).values():
            missing = self._precision.events / expected if expected > 0.0 else math.inf
            width = max(width, math.sqrt(missing))
        # An interval of draws with infinite variance may look narrow, and cannot be trusted.
        return max(width, _NEVER_ENOUGH) if self._endless else width

    def shortfall(self, made: int) -> Shortfall | None:
        """Return what is missing after the first replications, None if nothing is."""
        if self.width(made) <= 1.0:
            return None
        wanted = self._precision.events
        reasons = [
            f"{expected:.1f} of {wanted} events expected of {path}"
            for path, expected in self._expected(made).items()
            if expected < wanted
        ]
        reasons += [f"{path} has infinite variance" for path in self._endless]
        relative = self._relative(made)
        return Shortfall(
            point=self._point.index,
            name=self._point.name,
            metric=self._precision.metric,
            replications=made,
            relative=relative if math.isfinite(relative) else None,
            wanted=self._precision.relative,
            reasons=tuple(reasons),
        )

    def _relative(self, made: int) -> float:
        """Return how far the farther end of the interval is from the mean, over the mean."""
        values = self._values[self._precision.metric][:made]
        if self._precision.metric == "makespan_s":
            finished = self._values["success"][:made]
            if not finished.any():
                return math.inf
            values = _until_success(values, finished)
        found = interval_of_metric(values, self._precision.metric, self._precision.confidence)
        far = max(found.high - found.estimate, found.estimate - found.low)
        mean = abs(found.estimate)
        return far / mean if mean > 0.0 else (0.0 if far == 0.0 else math.inf)

    def _expected(self, made: int) -> dict[str, float]:
        if not self._precision.events:
            return {}
        seen = {name: values[:made] for name, values in self._values.items()}
        return {event.path: event.expected(seen, made) for event in self._events}


_NEVER_ENOUGH = 1.0 + 1e-9


def _until_success(
    lengths: npt.NDArray[np.float64], finished: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return values with the time to success as their mean, and the spread of its estimate.

    The time to success is the mean length of all runs over the share that finished. The values
    linearise this ratio at the means (the delta method). If all runs finished, they are the
    lengths.
    """
    share = float(finished.mean())
    ratio = float(lengths.mean()) / share
    return lengths / share - ratio * (finished - share) / share


def budget_of(scenarios: Iterable[Scenario]) -> int | None:
    """Return the most replications of all points with a precision together; None for no limit.

    Raises
    ------
    TeamsimError
        If a precision is of what is no numeric metric or not known, or the budget makes no sense.
    """
    wanted = [(each.precision, each) for each in scenarios if each.precision is not None]
    precisions = [precision for precision, _ in wanted]
    for precision, scenario in wanted:
        if precision.metric in unknown_metrics(scenario):
            raise TeamsimError(
                f"precision.metric: {precision.metric}: what a run costs is not known; "
                f"{HOW_TO_PRICE}"
            )
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
