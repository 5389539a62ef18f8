"""Processes of this machine: how many there may be, and what runs in them."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue
from typing import Any, Generic, Self, TypeVar

from simulator.errors import TeamsimError
from simulator.experiment.pool_worker import Worker
from simulator.forking import blocked, may_fork
from simulator.worker import Lifeline, load

Job = TypeVar("Job")
Result = TypeVar("Result")

Progress = Callable[[float, int], None]
"""Called with the number of pieces of the work that are done, where one that is begun may count in
part, and the number of all."""


_WORTH_S, _WORTH_COPY_S = 3.0, 0.2
"""Seconds of the processor that are worth another process: one that has to import everything takes
half of that to start, and a copy of this one some 20 ms."""
_MANY = 8
"""Jobs of which a first one may be done here, to learn how long all take."""


def default_workers() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(
    work: Callable[[Job], Result],
    jobs: Sequence[Job],
    workers: int | Processes,
    progress: Progress | None = None,
) -> list[Result]:
    """Return ``work(job)`` of every job, in order, whatever the number of processes.

    Others are not started for many jobs that are done sooner here, by the time of the processor:
    where others use it, another process waits for it, too.

    Parameters
    ----------
    work : callable
        A function at the top level of a module, so that other processes can import it.
    jobs : sequence
    workers : int or Processes
        How many processes are started for these jobs, 1 works in this one; or processes that
        further computations share.
    progress : callable, optional
        Called with ``(jobs done, jobs in all)``.

    Raises
    ------
    TeamsimError
        If a process is lost.
    """
    results: list[Result] = []

    def tell(done: int) -> None:
        if progress is not None:
            progress(done, len(jobs))

    tell(0)
    with ExitStack() as stack:
        if isinstance(workers, int):
            workers = stack.enter_context(Processes(min(workers, len(jobs))))
        if workers.count <= 1 or len(jobs) <= 1:
            for job in jobs:
                results.append(work(job))
                tell(len(results))
            return results
        worth_s = workers.worth_s
        began, is_short = time.process_time(), bool(worth_s) and len(jobs) >= _MANY
        while is_short and len(results) < len(jobs):
            results.append(work(jobs[len(results)]))
            tell(len(results))
            each_s = (time.process_time() - began) / len(results)
            is_short = each_s * (len(jobs) - len(results)) < worth_s
        if not (left := jobs[len(results) :]):
            return results
        before = len(results)
        others = workers.started()
        futures = [others.submit(work, job) for job in left]
        return results + _shared(work, left, futures, lambda done: tell(before + done))


class Begun(Generic[Job, Result]):
    """Jobs that other processes begin, if they run already, while this one does something else.

    Parameters
    ----------
    work, workers
        As for `in_processes`.
    jobs : iterable
        Each is begun while this process still makes the next.
    """

    def __init__(
        self, work: Callable[[Job], Result], jobs: Iterable[Job], workers: int | Processes
    ) -> None:
        self._work, self._workers = work, workers
        self._jobs: list[Job] = []
        self._futures: list[Future[Result]] | None = None
        if isinstance(workers, Processes) and workers.is_started:
            others = workers.started()
            self._futures = []
            for job in jobs:
                self._jobs.append(job)
                self._futures.append(others.submit(work, job))
        else:
            self._jobs += jobs

    @property
    def is_shared(self) -> bool:
        """Whether other processes do some of the jobs."""
        return self._futures is not None

    def result(self, number: int) -> Result:
        """Return the result of one job, asked for once: done here if nobody has begun it.

        Raises
        ------
        TeamsimError
            If a process is lost.
        """
        if self._futures is None or self._futures[number].cancel():
            return self._work(self._jobs[number])
        with _losses_told():
            return self._futures[number].result()

    def finish(self, progress: Progress | None = None) -> list[Result]:
        """Do what nobody has begun, and return what `in_processes` returns.

        Where no others run, that is all. `progress` is told of, as there.
        """
        if self._futures is None:
            return in_processes(self._work, self._jobs, self._workers, progress)
        futures = self._futures

        def tell(done: int) -> None:
            if progress is not None:
                progress(done, len(self._jobs))

        tell(sum(future.done() for future in futures))
        return _shared(self._work, self._jobs, futures, tell)


def begin(
    work: Callable[[Job], Result], jobs: Iterable[Job], workers: int | Processes
) -> Callable[[Progress | None], list[Result]]:
    """Have jobs begun as `Begun` does; return its `finish`."""
    return Begun(work, jobs, workers).finish


def _shared(
    work: Callable[[Job], Result],
    jobs: Sequence[Job],
    futures: list[Future[Result]],
    tell: Callable[[int], None],
) -> list[Result]:
    """Return the results of jobs, of which others do the first ones and this process the last ones.

    After each, tell how many are done.
    """
    here: list[Result] = []
    there: list[Result] = []
    try:
        while futures and futures[-1].cancel():  # nobody has begun it
            futures.pop()
            here.append(work(jobs[len(futures)]))
            tell(len(here) + sum(future.done() for future in futures))
        with _losses_told():
            for future in futures:
                there.append(future.result())
                tell(len(here) + sum(future.done() for future in futures))
    finally:
        for future in futures:
            future.cancel()
    return there + here[::-1]


@contextmanager
def _losses_told() -> Iterator[None]:
    try:
        yield
    except BrokenExecutor:
        raise TeamsimError(
            "a worker process was lost: killed, or out of memory; run the command again, with "
            "fewer --workers if memory is short"
        ) from None


@contextmanager
def processes(workers: int) -> Iterator[Pool]:
    """Return a pool of processes on this machine, which ends with the context.

    When the context is left, for whatever reason, the pool waits for nothing: processes that still
    run are killed. When this process ends, even by SIGKILL, its workers end with it.
    """
    pool = Pool(workers)
    try:
        pool.start()
        yield pool
    finally:
        pool.end()


class Processes:
    """Processes of this machine for several computations, started when they are first needed.

    This process is one of them: it has imported all that the work needs, which takes others as long
    as hundreds of replications. As a context manager, it ends the others as `processes` does.

    Parameters
    ----------
    workers : int
        How many, this one among them.

    Attributes
    ----------
    count : int
        How many, this one among them: 1 in a process that may start none, as those of
        `multiprocessing.Pool` may not.
    """

    def __init__(self, workers: int) -> None:
        self.count = 1 if multiprocessing.current_process().daemon else workers
        self._stack = ExitStack()
        self._pool: Pool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def is_started(self) -> bool:
        """Whether the others run already."""
        return self._pool is not None

    @property
    def worth_s(self) -> float:
        """How many seconds of work are worth the others: 0 if they run already."""
        if self.is_started:
            return 0.0
        return _WORTH_COPY_S if may_fork() else _WORTH_S

    @property
    def are_copies(self) -> bool:
        """Whether the others run already, and have what this process had imported before."""
        return self._pool is not None and self._pool.are_copies

    def prepare(self, module: str) -> None:
        """Start the others, with a module imported, for work that is sure to come and worth it.

        Copies of this process have what it has imported; others import it while this one goes on.
        """
        if self.count > 1:
            if may_fork():
                load(module)
            others = self.started()
            for _ in range(0 if others.are_copies else self.count - 1):
                others.submit(load, module)

    def started(self) -> Pool:
        """Return the pool of the other processes, started if it is not yet."""
        if self._pool is None:
            self._pool = self._stack.enter_context(processes(self.count - 1))
        return self._pool


class Pool(ThreadPoolExecutor):
    """Threads, each of which sends its calls over a pipe to a process of its own.

    Unlike those of `concurrent.futures.ProcessPoolExecutor`, the processes share neither queues
    nor semaphores. So a process that is killed holds up no other, and a main process that is
    killed leaves nothing to clean up.

    Parameters
    ----------
    workers : int
        How many processes.

    Attributes
    ----------
    are_copies : bool
        Whether they started as copies of this process.
    """

    def __init__(self, workers: int) -> None:
        super().__init__(max_workers=workers)
        self._count = workers
        self.are_copies = False
        self._life: Lifeline | None = None
        self._started: list[Worker] = []
        self._idle: SimpleQueue[Worker] = SimpleQueue()

    def start(self) -> None:
        """Start the processes: copies of this one where that may be, else new ones."""
        self._started = [Worker() for _ in range(self._count)]
        self.are_copies = may_fork()
        if self.are_copies:
            self._life = Lifeline()
            with blocked(signal.valid_signals()) as before:
                signals = {*before, signal.SIGINT, signal.SIGHUP}
                for worker in self._started:
                    worker.start_as_copy(self._started, self._life, signals)
        else:
            for worker in self._started:
                worker.start_with(super().submit)
        for worker in self._started:
            self._idle.put(worker)

    def submit(self, function: Callable[..., Any], /, *args: Any, **more: Any) -> Future[Any]:
        """Call a function in a process that is free, as executors do."""
        return super().submit(self._call, function, args, more)

    def under_way(self) -> float:
        """Return how much is done of the calls that run, as far as they have told."""
        return math.fsum(worker.told for worker in self._started)

    def _call(self, *call: Any) -> Any:
        worker = self._idle.get()
        try:
            return worker.call(*call)
        finally:
            self._idle.put(worker)

    def end(self) -> None:
        """Kill the processes; workers hold nothing that would have to be saved first."""
        for worker in self._started:
            worker.kill()
        if self._life is not None:
            self._life.end()
        self.shutdown(cancel_futures=True)
