"""Runs independent pieces of an analysis over processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_processes(
    work: Callable[[Job], Result],
    jobs: Sequence[Job],
    workers: int,
    progress: Callable[[int, int], None] | None = None,
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
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context) as executor:
        for result in executor.map(work, jobs):
            collect(result)
    return results
