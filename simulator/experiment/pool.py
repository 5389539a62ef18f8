"""Processes of this machine: how many there may be, and what runs in them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

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
        for result in pool.map(work, jobs):
            collect(result)
    return results


@contextmanager
def processes(workers: int) -> Iterator[Executor]:
    """Return a pool of processes on this machine, which ends with the context."""
    pool = ProcessPoolExecutor(
        max_workers=workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Leave Ctrl-C to the main process, and end when that is killed rather than wait for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
