"""Processes that computations share, and what they return."""

from __future__ import annotations

import os

from simulator.experiment.pool import Processes, in_processes


def process(job: int) -> tuple[int, int]:
    return job, os.getpid()


def test_computations_share_processes_which_are_started_for_the_first() -> None:
    with Processes(2) as pool:
        assert not pool.is_started
        first = in_processes(process, range(6), pool)
        assert pool.is_started
        second = in_processes(process, range(6), pool)
    assert [job for job, _ in first] == [job for job, _ in second] == list(range(6))
    used = {number for _, number in first + second}
    assert os.getpid() not in used
    assert len(used) <= 2


def test_one_process_or_one_job_needs_no_other_process() -> None:
    with Processes(1) as alone, Processes(2) as pool:
        assert {number for _, number in in_processes(process, range(3), alone)} == {os.getpid()}
        assert in_processes(process, [7], pool) == [(7, os.getpid())]
        assert not alone.is_started
        assert not pool.is_started
