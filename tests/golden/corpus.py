"""The scenarios of the golden corpus: every shipped one, and those written for it.

`scenarios/` beside this file holds the written ones, 000.yaml and on. They were drawn at random
once and are kept as text, so that nothing changes them by itself: a new option comes with a new
file. Two points of each study are run, the first and the last; replication 0 leaves a trace, the
others do not, so that both ways are held.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

from simulator.engine import Simulation
from simulator.model.metrics import METRIC_NAMES
from simulator.model.trace import Row, Trace
from simulator.scenario import Point, load_study

HERE = Path(__file__).parent
SHIPPED = HERE.parents[1] / "scenarios"
WRITTEN = HERE / "scenarios"

WHOLE_TRACES = 20
"""Of so many written scenarios, the first ones, the whole trace is kept; of the others marks."""

REPLICATIONS = {SHIPPED: 3, WRITTEN: 2}

PRICES = {"input_per_mtok": 3.0, "cached_input_per_mtok": 0.3, "output_per_mtok": 15.0}
"""What models cost that are named: list prices change with the day and with the table's version."""

REALS = ("time_s", "duration_s")
"""Columns of a trace that are real numbers."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@dataclass(frozen=True)
class Marks:
    """What is kept of a trace that is too long to be kept whole."""

    rows: int
    marks: str
    """A letter a row, a checksum of all that is not a real number up to that row: where two
    traces begin to differ, so do their marks (but for one time in 64, when they do a row later)."""
    exact: int
    """Checksum of the rows without their real numbers."""
    reals: int
    """Checksum of the real numbers."""


@dataclass(frozen=True)
class Run:
    """One replication: where it belongs, and what came out."""

    scenario: str
    point: str
    replication: int
    metrics: dict[str, Any]
    """Every metric that is not 0, False or empty, by name."""
    marks: Marks | None = None
    trace: tuple[Row, ...] | None = None

    @property
    def key(self) -> tuple[str, str, int]:
        """What it is called in the file of expected values."""
        return self.scenario, self.point, self.replication


def files() -> list[Path]:
    """Return the scenario files of the corpus."""
    return [*sorted(SHIPPED.glob("*.yaml")), *sorted(WRITTEN.glob("*.yaml"))]


def points(path: Path) -> list[Point]:
    """Return the points of a scenario file that are run."""
    with patch("simulator.scenario.agent.list_prices", return_value=PRICES):
        every = load_study(path).points
    return [every[0], every[-1]] if len(every) > 1 else [every[0]]


def run_file(path: Path) -> list[Run]:
    """Run the replications of one scenario file."""
    return [
        run(path, point, replication)
        for point in points(path)
        for replication in range(REPLICATIONS[path.parent])
    ]


def run(path: Path, point: Point, replication: int, keep_trace: bool = False) -> Run:
    """Run one replication of one point; with `keep_trace`, return its whole trace."""
    trace = Trace() if replication == 0 or keep_trace else None
    result = Simulation(point.scenario).run(replication, trace)
    metrics = {name: value for name in METRIC_NAMES if (value := getattr(result, name))}
    found = Run(path.stem, point.name, replication, metrics)
    if trace is None:
        return found
    if keep_trace or is_whole(path, point):
        return Run(*found.key, metrics, trace=tuple(trace.rows))
    return Run(*found.key, metrics, marks=marks_of(trace.rows))


def is_whole(path: Path, point: Point) -> bool:
    """Return whether the trace of a point is kept whole."""
    return path.parent == WRITTEN and point.index == 0 and int(path.stem) < WHOLE_TRACES


def marks_of(rows: Iterable[Row]) -> Marks:
    """Return the marks of a trace."""
    exact, reals, letters = 0, 0, []
    for row in rows:
        fields = row._asdict()
        real = [fields.pop(name) for name in REALS]
        exact = zlib.crc32(repr(list(map(_plain, fields.values()))).encode(), exact)
        reals = zlib.crc32(repr(real).encode(), reals)
        letters.append(_LETTERS[exact % 64])
    return Marks(len(letters), "".join(letters), exact, reals)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


def run_all(only: Iterable[Path] | None = None, workers: int | None = None) -> Iterator[Run]:
    """Run the corpus on all processors, in the order of its files."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for found in pool.map(run_file, only or files(), chunksize=4):
            yield from found
