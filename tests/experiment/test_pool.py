"""Processes that computations share, and what they return."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.errors import TeamsimError
from simulator.experiment import crew, run_points
from simulator.experiment import pool as pool_module
from simulator.experiment.pool import Begun, Processes, begin, in_processes
from simulator.scenario import Point, Scenario
from simulator.worker import tell_main


def process(job: int) -> tuple[int, int]:
    return job, os.getpid()


@pytest.mark.slow
def test_computations_share_processes_which_are_started_for_the_first() -> None:
    with Processes(3) as pool:
        assert not pool.is_started
        first = in_processes(process, range(6), pool)
        assert pool.is_started
        second = in_processes(process, range(6), pool)
    assert [job for job, _ in first] == [job for job, _ in second] == list(range(6))
    used = {number for _, number in first + second}
    assert os.getpid() in used  # this process is one of the three
    assert 2 <= len(used) <= 3


def wait_for_other(job: tuple[int, Path]) -> int:
    """Leave a sign of one's own, and wait for that of the other job."""
    number, directory = job
    (directory / str(number)).touch()
    while not (directory / str(1 - number)).exists():
        time.sleep(0.01)
    return number


def test_this_process_works_beside_the_others(tmp_path: Path) -> None:
    assert in_processes(wait_for_other, [(0, tmp_path), (1, tmp_path)], 2) == [0, 1]


def fail_here(main: int) -> None:
    """Fail in the main process, and work for long in others."""
    if os.getpid() == main:
        raise ZeroDivisionError
    time.sleep(60)


def test_what_fails_here_ends_the_work_of_the_others() -> None:
    began = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        in_processes(fail_here, [os.getpid()] * 4, 2)
    assert time.monotonic() - began < 30


def test_what_is_done_is_told_and_only_grows() -> None:
    heard: list[float] = []
    in_processes(process, range(20), 2, lambda done, most: heard.append(done))
    assert heard == sorted(heard)
    assert (heard[0], heard[-1]) == (0, 20)


def test_one_process_or_one_job_needs_no_other_process() -> None:
    with Processes(1) as alone, Processes(2) as pool:
        assert {number for _, number in in_processes(process, range(3), alone)} == {os.getpid()}
        assert in_processes(process, [7], pool) == [(7, os.getpid())]
        assert not alone.is_started
        assert not pool.is_started


def take_a_while(job: int) -> int:
    began = time.process_time()
    while time.process_time() - began < 0.15:
        pass
    return job


def wait_a_while(job: int) -> int:
    time.sleep(0.15)
    return job


@pytest.mark.slow
def test_others_start_for_many_jobs_only_if_these_take_longer_than_a_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_module, "_WORTH_S", 0.5)
    heard: list[float] = []
    with Processes(2) as pool:
        quick = in_processes(process, range(20), pool, lambda done, most: heard.append(done))
        assert quick == [(job, os.getpid()) for job in range(20)]
        assert heard == list(range(21))
        assert not pool.is_started
        # As on a machine that others use: the processor is not at work for these jobs.
        assert in_processes(wait_a_while, range(8), pool) == list(range(8))
        assert not pool.is_started
        assert in_processes(take_a_while, range(8), pool) == list(range(8))
        assert pool.is_started


def test_others_that_run_begin_work_before_its_results_are_asked_for(tmp_path: Path) -> None:
    heard: list[float] = []
    with Processes(2) as pool:
        pool.prepare("simulator.words")
        assert pool.is_started
        finish = begin(wait_for_other, [(0, tmp_path)], pool)
        assert wait_for_other((1, tmp_path)) == 1  # ends only when the other has begun
        assert finish(lambda done, most: heard.append(done)) == [0]
        more = begin(process, range(6), pool)
        assert [job for job, _ in more(None)] == list(range(6))
    assert heard == sorted(heard)
    assert heard[-1] == 1


def test_work_begins_while_further_jobs_are_made(tmp_path: Path) -> None:
    def made() -> Iterator[tuple[int, Path]]:
        yield 0, tmp_path
        assert wait_for_other((1, tmp_path)) == 1  # ends only when the first has begun
        yield 1, tmp_path

    with Processes(2) as pool:
        pool.prepare("simulator.words")
        assert begin(wait_for_other, made(), pool)(None) == [0, 1]


def test_nothing_is_begun_where_no_others_run() -> None:
    with Processes(1) as alone, Processes(2) as pool:
        alone.prepare("simulator.words")
        for workers in (alone, pool, 1):
            finish = begin(fail_here, [os.getpid()], workers)
            with pytest.raises(ZeroDivisionError):
                finish(None)
        assert not alone.is_started
        assert not pool.is_started


def test_a_prepared_process_has_imported_the_module() -> None:
    with Processes(2) as pool:
        pool.prepare("wave")
        there = pool.started().submit(is_imported, "wave").result()
    assert there


def is_imported(module: str) -> bool:
    return module in sys.modules


def half_done(sign: Path) -> str:
    """Tell that half is done, and end when there is a sign."""
    tell = tell_main()
    assert tell is not None
    tell(0.5)
    while not sign.exists():
        time.sleep(0.01)
    return "done"


@pytest.mark.slow
def test_a_worker_tells_how_much_is_done_of_its_call(tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    with Processes(3) as shared:
        pool = shared.started()
        running = [pool.submit(half_done, sign) for _ in range(2)]
        while pool.under_way() < 1.0 and not any(each.done() for each in running):
            time.sleep(0.01)
        assert pool.under_way() == 1.0
        sign.touch()
        assert [each.result() for each in running] == ["done", "done"]
        assert pool.under_way() == 0.0
    assert tell_main() is None


@pytest.mark.slow
def test_long_replications_in_other_processes_are_seen_to_get_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crew, "_LISTENS_S", 0.01)
    latency = {"kind": "seconds", "base": {"kind": "exponential", "mean": 1}}
    long = Scenario.model_validate(
        {
            "name": "long",
            "team": {
                "size": 2,
                "agent": {"latency": latency, "context": {"window_tokens": 10**6}},
            },
            "topology": "decentralised",
            "coordination": {"protocol": "self_claim", "timing": "asynchronous"},
            "workload": {"kind": "parallel_fraction", "tasks": 20_000, "parallel_fraction": 1},
            "limits": {"max_calls": 10**6},
            "replications": 1,
        }
    )
    points = [Point(i, f"point {i}", {}, None, "", long) for i in range(3)]
    heard: list[float] = []
    rows = run_points(points, [], 2, lambda done, most: heard.append(done))
    assert rows.num_rows == 3
    assert heard[-1] == 3
    assert any(done != int(done) for done in heard)
    assert all(0 <= done <= 3 for done in heard)


def test_results_are_had_one_by_one_from_whoever_has_them(tmp_path: Path) -> None:
    with Processes(2) as pool:
        pool.prepare("simulator.words")
        begun = Begun(wait_for_other, [(0, tmp_path)], pool)
        assert begun.is_shared
        assert wait_for_other((1, tmp_path)) == 1  # ends only when the other has begun
        assert begun.result(0) == 0
        many = Begun(process, range(30), pool)
        found = [many.result(number) for number in reversed(range(30))]
        assert [job for job, _ in found] == list(range(29, -1, -1))
    alone = Begun(process, range(2), 1)
    assert not alone.is_shared
    assert alone.result(1) == (1, os.getpid())


def end_elsewhere(main: int) -> None:
    """End any process but the main one."""
    if os.getpid() != main:
        os._exit(1)


def test_a_process_that_is_lost_is_told_of_where_its_result_is_asked_for() -> None:
    with Processes(2) as pool:
        pool.prepare("simulator.words")
        begun = Begun(end_elsewhere, [os.getpid()], pool)
        deadline = time.monotonic() + 20.0
        while time.monotonic() < deadline and not begun._futures[0].done():  # type: ignore[index]
            time.sleep(0.01)
        with pytest.raises(TeamsimError, match="a worker process was lost"):
            begun.result(0)
