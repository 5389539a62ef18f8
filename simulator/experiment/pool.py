"""Processes of this machine: how many there may be, and what runs in them."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from queue import SimpleQueue
from typing import Any, TypeVar

from simulator.errors import TeamsimError
from simulator.worker import answer

Job = TypeVar("Job")
Result = TypeVar("Result")

Progress = Callable[[int, int], None]
"""Told how many pieces of the work are done, and how many there are."""


def default_workers() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(
    work: Callable[[Job], Result],
    jobs: Sequence[Job],
    workers: int,
    progress: Progress | None = None,
) -> list[Result]:
    """Return ``work(job)`` of every job, in order, whatever the number of processes.

    Parameters
    ----------
    work : callable
        A function of a module, so that processes find it.
    jobs : sequence
    workers : int
        Processes; 1 works in this one.
    progress : callable, optional
        Told ``(jobs done, jobs in all)``.

    Raises
    ------
    TeamsimError
        If a process is lost.
    """
    results: list[Result] = []
    if progress is not None:
        progress(0, len(jobs))

    def collect(result: Result) -> None:
        results.append(result)
        if progress is not None:
            progress(len(results), len(jobs))

    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            collect(work(job))
        return results
    with processes(min(workers, len(jobs))) as pool:
        try:
            for result in pool.map(work, jobs):
                collect(result)
        except BrokenExecutor:
            raise TeamsimError(
                "a worker process was lost: killed, or out of memory; run the command again, with "
                "fewer --workers if memory is short"
            ) from None
    return results


@contextmanager
def processes(workers: int) -> Iterator[Executor]:
    """Return a pool of processes on this machine, which ends with the context.

    However the context is left, nothing of the pool is waited for: what still runs is killed. And
    however this process ends, also by SIGKILL, its workers end with it.
    """
    pool = _Pool(workers)
    try:
        pool.start()
        yield pool
    finally:
        pool.end()


class _Pool(ThreadPoolExecutor):
    """Threads, each of which has calls answered by a process of its own, over a pipe.

    Unlike those of `concurrent.futures.ProcessPoolExecutor`, the processes share neither queues
    nor semaphores: one that is killed holds up no other, and there is nothing to be cleaned up
    after a main process that is killed.
    """

    def __init__(self, workers: int) -> None:
        super().__init__(max_workers=workers)
        self._count = workers
        self._started: list[_Worker] = []
        self._idle: SimpleQueue[_Worker] = SimpleQueue()

    def start(self) -> None:
        for _ in range(self._count):
            worker = _Worker()
            self._started.append(worker)
            worker.start()
            self._idle.put(worker)

    def submit(self, function: Callable[..., Any], /, *args: Any, **more: Any) -> Future[Any]:
        return super().submit(self._call, function, args, more)

    def _call(self, *call: Any) -> Any:
        worker = self._idle.get()
        try:
            return worker.call(*call)
        finally:
            self._idle.put(worker)

    def end(self) -> None:
        """Kill the processes: a worker holds nothing that is worth a farewell."""
        for worker in self._started:
            worker.kill()
        self.shutdown(cancel_futures=True)


class _Worker:
    """A process that answers calls."""

    def __init__(self) -> None:
        # Forked processes would inherit threads that are not there, and locks that they hold.
        context = multiprocessing.get_context("spawn")
        self._here, self._there = context.Pipe()
        self._process = context.Process(target=answer, args=(self._there,), daemon=True)

    def start(self) -> None:
        with _no_keyboard():
            self._process.start()
        self._there.close()  # or the end of the process would not end what is read here

    def call(self, function: Callable[..., Any], args: Any, more: Any) -> Any:
        try:
            self._here.send((function, args, more))
            error, result = self._here.recv()
        except (EOFError, OSError):
            raise BrokenExecutor("a process of the pool has ended") from None
        if error is not None:
            raise error
        return result

    def kill(self) -> None:
        if self._process.pid is not None:
            self._process.kill()
            self._process.join()


@contextmanager
def _no_keyboard() -> Iterator[None]:
    """Keep what is started from what the terminal sends to all: that is for the main process.

    A signal mask is inherited, so that it holds from the first instruction on.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # by the first process otherwise, and it resets the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
