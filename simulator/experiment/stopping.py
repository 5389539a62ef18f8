"""Sequential stopping: which replications of a point are not needed any more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from scipy import stats

from simulator.errors import TeamsimError, unknown_name
from simulator.experiment.plan import Chunk
from simulator.model.metrics import METRIC_NAMES
from simulator.scenario import Point
from simulator.scenario.schema import Precision


class Stopping:
    """Looks at the chunks of each point in their order, however they come in.

    What is kept depends on the numbers alone: the chunks up to the first after which the mean
    is known well enough. Those that were computed beyond it, on another core, are left out.

    Parameters
    ----------
    points : sequence of Point
    plan : sequence of Chunk
        All chunks that may be needed.

    Raises
    ------
    TeamsimError
        If a precision is wanted of what is no numeric metric.
    """

    def __init__(self, points: Sequence[Point], plan: Sequence[Chunk]) -> None:
        self._precision = {
            point.index: point.scenario.precision
            for point in points
            if point.scenario.precision is not None
        }
        metrics = [name for name in METRIC_NAMES if name not in {"outcome", "reason"}]
        for precision in self._precision.values():
            if precision.metric not in metrics:
                problem = unknown_name("metric", precision.metric, metrics)
                raise TeamsimError(f"precision.metric: {problem}")
        self._order: dict[int, list[Chunk]] = {}
        for chunk in plan:
            self._order.setdefault(chunk.point, []).append(chunk)
        self._values: dict[Chunk, list[float]] = {}
        self._looked: dict[int, int] = dict.fromkeys(self._precision, 0)
        self._seen: dict[int, list[float]] = {index: [] for index in self._precision}
        self._last: dict[int, Chunk] = {}
        self.saved = 0
        """Replications that are not needed."""

    def add(self, chunk: Chunk, rows: pa.Table) -> None:
        """Take in the rows of a chunk."""
        precision = self._precision.get(chunk.point)
        if precision is None or chunk.point in self._last:
            return
        self._values[chunk] = rows.column(precision.metric).to_pylist()
        order = self._order[chunk.point]
        while self._looked[chunk.point] < len(order):
            following = order[self._looked[chunk.point]]
            if following not in self._values:
                return
            self._seen[chunk.point] += self._values.pop(following)
            self._looked[chunk.point] += 1
            if _is_known(self._seen[chunk.point], precision):
                self._last[chunk.point] = following
                self.saved += sum(other.count for other in order[self._looked[chunk.point] :])
                return

    def needs(self, chunk: Chunk) -> bool:
        """Return whether a chunk is needed, as far as one can tell yet."""
        last = self._last.get(chunk.point)
        return last is None or chunk.index <= last.index


def _is_known(values: Sequence[float], precision: Precision) -> bool:
    x = np.asarray(values, dtype=np.float64)
    t = stats.t.ppf(0.5 + precision.confidence / 2, len(x) - 1)
    half = float(t * x.std(ddof=1) / np.sqrt(len(x)))
    return half <= precision.relative * abs(float(x.mean()))
