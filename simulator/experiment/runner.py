"""Runs points times replications: here, over processes, or on a cluster."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from simulator.arguments import whole
from simulator.documents import MOST_RUNS
from simulator.engine import Simulation
from simulator.errors import TeamsimError, TeamsimWarning, what_is
from simulator.experiment.allocation import Allocation
from simulator.experiment.crew import Crew
from simulator.experiment.estimate import estimate
from simulator.experiment.pacing import TARGET_S, Pacer
from simulator.experiment.plan import Span, without
from simulator.experiment.points_job import PointsJob
from simulator.experiment.pool import Processes, Progress
from simulator.experiment.shortfalls import with_shortfalls
from simulator.experiment.store import Store, read_results
from simulator.model.metrics import Metrics
from simulator.scenario import Point, Scenario, Study


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

    Raises
    ------
    TeamsimError
        If `scenario` is something else, or there are to be no replications.
    """
    simulation = Simulation(scenario)
    if replications is None:
        replications = scenario.replications
    return [simulation.run(i) for i in range(whole("replications", replications, 1, MOST_RUNS))]


def run_sweep(
    study: Study,
    out: str | Path | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> pa.Table:
    """Run every point of a sweep; the results do not depend on workers or executor.

    Parameters
    ----------
    study : Study
    out : str or Path, optional
        Directory that keeps the results; a sweep that was interrupted goes on from there.
    workers : int
        Processes; 1 runs in this one. A script that asks for more needs the usual
        ``if __name__ == "__main__":``. With an `executor`: how many workers that has.
    progress : callable, optional
        Called with the numbers of replications done and in all.
    executor : concurrent.futures.Executor, optional
        Used in place of processes of this machine, for example dask's
        ``Client(...).get_executor()``.

    Returns
    -------
    pyarrow.Table
        A row a replication, ordered by point and replication. `shortfalls` returns its points
        that have not reached their precision.

    Raises
    ------
    TeamsimError
        If a point is wrong, `out` holds other results, or workers are lost.
    """
    if not isinstance(study, Study):
        raise TeamsimError(f"a study is what `load` returns; found {what_is(study)}")
    if not (out is None or isinstance(out, (str, Path))):
        raise TeamsimError(f"out is a directory, by its name or path; found {what_is(out)}")
    whole("workers", workers, 1, MOST_RUNS)
    if out is None:
        return run_points(study.points, study.axes, workers, progress, executor)
    sweep_into(Path(out), study, workers, progress, executor)
    return read_results(out)


def sweep_into(
    out: Path,
    study: Study,
    workers: int = 1,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> int:
    """Run a sweep into a directory; the memory used does not grow with the sweep.

    Parameters
    ----------
    out : Path
    study, workers, progress, executor
        As for `run_sweep`, which also says what is raised.

    Returns
    -------
    int
        Replications in the directory.
    """
    work = _Work(study.points, study.axes)
    with Store(out, study) as store:
        work.covered = store.covered()
        if work.allocation.looks_at:
            for rows in store.kept(["point", "replication", *work.allocation.looks_at]):
                work.allocation.add(rows)
        for span, rows in work.do(workers, progress, executor):
            store.add(span, rows)
        store.finish(work.allocation.shortfalls())
    return work.allocation.made


def run_points(
    points: Sequence[Point],
    axes: Sequence[str],
    workers: int = 1,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> pa.Table:
    """Run points, of one study or of several, and keep the results in memory.

    Parameters
    ----------
    points : sequence of Point
        Point i has index i.
    axes : sequence of str
        Which of their overrides become columns.
    workers, progress, executor
        As for `run_sweep`.

    Returns
    -------
    pyarrow.Table
        A row a replication, ordered by point and replication; `shortfalls` as for `run_sweep`.
    """
    work = _Work(points, axes)
    rows = _in_order(work.do(workers, progress, executor))
    return with_shortfalls(rows, work.allocation.shortfalls())


def _in_order(done: Iterable[tuple[Span, pa.Table]]) -> pa.Table:
    return pa.concat_tables([rows for _, rows in sorted(done, key=lambda each: each[0])])


def run_each(
    scenarios: Sequence[Scenario],
    replications: int,
    workers: int = 1,
    progress: Progress | None = None,
    first: int = 0,
    pool: Processes | None = None,
) -> pa.Table:
    """Run the same replications of each scenario, with the same random numbers.

    Parameters
    ----------
    scenarios : sequence of Scenario
    replications : int
        Of each scenario, whatever its own `replications` and `precision`.
    workers, progress
        As for `run_sweep`.
    first : int
        First replication to run, below `replications`; the caller has those before it already.
    pool : Processes, optional
        Where the `workers` are those of several such experiments.

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
    work = _Work(points, [])
    if first:
        work.covered = [work.plan.span(i, 0, first) for i in range(len(points))]
    return _in_order(work.do(workers, progress, None, pool))


class _Work:
    """The replications of some points that are to be made, and those there are already."""

    def __init__(self, points: Sequence[Point], axes: Sequence[str]) -> None:
        expected = estimate(points)
        for note in expected.notes():
            warnings.warn(note, TeamsimWarning, stacklevel=3)
        expected.check_memory()
        self._job = PointsJob(points, axes)
        self._tasks = self._job.tasks()
        self.plan = self._job.plan
        self.allocation = Allocation(points, self.plan)
        self.covered: list[Span] = []

    def do(
        self,
        workers: int,
        progress: Progress | None,
        executor: Executor | None,
        pool: Processes | None = None,
    ) -> Iterator[tuple[Span, pa.Table]]:
        """Yield chunks as they are done, round by round, reporting progress."""
        pacer = Pacer(self.plan, self._tasks, workers)
        done, hear = 0, None
        if progress is not None:

            def hear(part: float) -> None:
                progress(done + part, self.allocation.most)

        with ExitStack() as stack:
            here = Crew(self._job, None, 1)
            there = None if executor is None else Crew(self._job, executor, workers)
            pool = pool or stack.enter_context(Processes(workers))
            while spans := self.allocation.next_round():
                missing = without(spans, self.covered)
                done += sum(span.count for span in spans) - sum(span.count for span in missing)
                if progress is not None:
                    progress(done, self.allocation.most)
                pacer.put(missing)
                may_share = there is None and pool.count > 1
                if may_share and pacer.left_s > min(pool.worth_s, TARGET_S):
                    others = pool.started()
                    there = Crew(
                        self._job, others, pool.count - 1, others.under_way, takes_part=True
                    )
                # In the time that other processes take to start, a little work is done here.
                for span, rows, seconds in (there or here).compute(pacer.next, hear):
                    pacer.learn(span, seconds)
                    self.allocation.add(rows)
                    yield span, rows
                    done += span.count
                    if progress is not None:
                        progress(done, self.allocation.most)
