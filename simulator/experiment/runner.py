"""Runs points times replications, here or over processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from simulator.engine import Simulation
from simulator.experiment import table
from simulator.experiment.plan import Chunk, chunks
from simulator.experiment.stopping import Stopping
from simulator.experiment.store import Store
from simulator.model.metrics import Metrics
from simulator.scenario import Point, Scenario, Study

Progress = Callable[[int, int], None]
"""Told ``(replications done, replications in all)``."""


def replicate(scenario: Scenario, replications: int | None = None) -> list[Metrics]:
    """Run replications 0, 1, ... of one scenario in this process.

    Parameters
    ----------
    scenario : Scenario
    replications : int, optional
        How many; the scenario's own number when absent.

    Returns
    -------
    list of Metrics
        A row a replication.
    """
    simulation = Simulation(scenario)
    return [simulation.run(i) for i in range(replications or scenario.replications)]


def run_sweep(
    study: Study,
    out: Path | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> pa.Table:
    """Run every point of a sweep; the numbers do not depend on how.

    Parameters
    ----------
    study : Study
    out : Path, optional
        Directory that keeps the results; a sweep that was interrupted goes on from there.
    workers : int
        Processes; 1 runs in this one. A script that asks for more needs the usual
        ``if __name__ == "__main__":``.
    progress : callable, optional
        Told how far the sweep has come.

    Returns
    -------
    pyarrow.Table
        A row a replication, ordered by point and replication.

    Raises
    ------
    TeamsimError
        If a point is wrong or `out` holds other results.
    """
    if out is None:
        return run_points(study.points, study.axes, workers, progress)
    job = _Job(study.points, study.axes)
    plan = job.plan()
    stopping = Stopping(study.points, plan)
    store = Store(out, study, plan)
    for chunk, rows in store.kept():
        stopping.add(chunk, rows)
    for chunk, rows in _compute(job, plan, store.missing(), stopping, workers, progress):
        store.add(chunk, rows)
    store.finish([chunk for chunk in plan if stopping.needs(chunk)])
    return pq.read_table(store.results_path)


def run_points(
    points: Sequence[Point],
    axes: Sequence[str],
    workers: int = 1,
    progress: Progress | None = None,
) -> pa.Table:
    """Run points, of one study or of several, and keep the results in memory.

    Parameters
    ----------
    points : sequence of Point
        Point i has index i.
    axes : sequence of str
        Which of their overrides become columns.
    workers, progress
        As for `run_sweep`.

    Returns
    -------
    pyarrow.Table
        A row a replication, ordered by point and replication.
    """
    job = _Job(points, axes)
    plan = job.plan()
    stopping = Stopping(points, plan)
    kept = dict(_compute(job, plan, plan, stopping, workers, progress))
    return pa.concat_tables([kept[chunk] for chunk in plan if stopping.needs(chunk)])


def run_each(
    scenarios: Sequence[Scenario],
    replications: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> pa.Table:
    """Run as many replications of each scenario, with the same random numbers.

    Parameters
    ----------
    scenarios : sequence of Scenario
    replications : int
        Of each, whatever it says of replications and precision itself.
    workers, progress
        As for `run_sweep`.

    Returns
    -------
    pyarrow.Table
        A row a replication; ``point`` is the place of its scenario.
    """
    fixed = {"replications": replications, "precision": None}
    points = [
        Point(i, each.name, {}, None, "", each.model_copy(update=fixed))
        for i, each in enumerate(scenarios)
    ]
    return run_points(points, [], workers, progress)


class _Job:
    """What a worker is sent once: the points, and how a chunk of them is computed."""

    def __init__(self, points: Sequence[Point], axes: Sequence[str]) -> None:
        self._points = points
        self._schema = table.schema(points, axes)
        self._latest: tuple[int, Simulation] | None = None

    def __getstate__(self) -> tuple[Sequence[Point], pa.Schema]:
        return self._points, self._schema

    def __setstate__(self, state: tuple[Sequence[Point], pa.Schema]) -> None:
        self._points, self._schema = state
        self._latest = None

    def plan(self) -> list[Chunk]:
        """Return the chunks of all points, in order."""
        tasks = [self._simulation(point.index).model.task_count for point in self._points]
        return list(chunks(self._points, tasks))

    def run(self, chunk: Chunk) -> pa.Table:
        """Return the rows of one chunk."""
        simulation = self._simulation(chunk.point)
        replications = range(chunk.first, chunk.first + chunk.count)
        metrics = [simulation.run(i) for i in replications]
        fraction = simulation.model.parallel_fraction
        point = self._points[chunk.point]
        return table.rows(point, self._schema, fraction, replications, metrics)

    def _simulation(self, point: int) -> Simulation:
        if self._latest is None or self._latest[0] != point:
            self._latest = (point, Simulation(self._points[point].scenario))
        return self._latest[1]


def _compute(
    job: _Job,
    plan: Sequence[Chunk],
    todo: Sequence[Chunk],
    stopping: Stopping,
    workers: int,
    progress: Progress | None,
) -> Iterator[tuple[Chunk, pa.Table]]:
    """Yield the chunks `todo` of `plan` that are needed as they are done, reporting progress."""
    total = sum(chunk.count for chunk in plan)
    done = total - sum(chunk.count for chunk in todo)
    needed = (chunk for chunk in todo if stopping.needs(chunk))
    if progress is not None:
        progress(done, total)
    for chunk, rows in _chunks_done(job, needed, len(todo), workers):
        stopping.add(chunk, rows)
        yield chunk, rows
        done += chunk.count
        if progress is not None:
            progress(done, total - stopping.saved)


def _chunks_done(
    job: _Job, todo: Iterable[Chunk], most: int, workers: int
) -> Iterator[tuple[Chunk, pa.Table]]:
    """Yield chunks as they are done; what comes next is asked for when there is room for it."""
    if workers <= 1 or most <= 1:
        for chunk in todo:
            yield chunk, job.run(chunk)
        return
    pool = ProcessPoolExecutor(
        max_workers=min(workers, most),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_receive,
        initargs=(job,),
    )
    try:
        yield from _in_parallel(pool, todo, 2 * workers)
    finally:
        pool.shutdown(cancel_futures=True)


def _in_parallel(
    pool: ProcessPoolExecutor, todo: Iterable[Chunk], window: int
) -> Iterator[tuple[Chunk, pa.Table]]:
    """Yield chunks as they are done, with no more than `window` under way."""
    waiting = iter(todo)
    running: dict[Future[pa.Table], Chunk] = {}
    while True:
        while len(running) < window and (chunk := next(waiting, None)) is not None:
            running[pool.submit(_run_here, chunk)] = chunk
        if not running:
            return
        finished, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in finished:
            yield running.pop(future), future.result()


_received: _Job


def _receive(job: _Job) -> None:
    """Take the job when a worker process starts; Ctrl-C is the main process's affair."""
    global _received  # noqa: PLW0603 (a process pool has no other place for state)
    _received = job
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run_here(chunk: Chunk) -> pa.Table:
    return _received.run(chunk)


def default_workers() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
