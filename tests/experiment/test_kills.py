"""Real SIGKILLs: the same command goes on, and the table is that of an undisturbed sweep."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from distributed import LocalCluster

from tests.experiment.conftest import assert_same_as_uninterrupted, parts, wait_for_parts

pytestmark = pytest.mark.slow

Start = Callable[..., subprocess.Popen[str]]


def children(pid: int) -> list[int]:
    """Return the processes that the threads of a process have started."""
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(each) for children in found for each in children.read_text().split()]


def finish(start: Start, out: Path, *options: str) -> None:
    process = start(out, *options)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said


@pytest.mark.parametrize("workers", [pytest.param("1", marks=pytest.mark.thorough), "2"])
def test_the_main_process_is_killed(
    start: Start, scenario: Path, tmp_path: Path, workers: str
) -> None:
    out = tmp_path / "out"
    process = start(out, "-w", workers)
    wait_for_parts(out, process, 2)
    process.kill()
    process.communicate()
    before = {path.name: path.stat().st_mtime_ns for path in parts(out)}
    finish(start, out, "-w", workers)
    assert_same_as_uninterrupted(out, scenario)
    after = {path.name: path.stat().st_mtime_ns for path in parts(out)}
    assert before.items() <= after.items()  # what was done was not done again


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for workers in /proc")
@pytest.mark.parametrize("are_copies", [False, True])
def test_a_worker_process_is_killed(
    start: Start, scenario: Path, tmp_path: Path, are_copies: bool
) -> None:
    out = tmp_path / "out"
    process = start(out, "-w", "2", threads=1 if are_copies else 2)
    wait_for_parts(out, process, 2)
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children(process.pid)}
    told = b"simulator.cli" if are_copies else b"spawn_main"
    workers = [pid for pid, command in commands.items() if told in command]
    assert len(workers) == 1  # the main process works, too
    os.kill(workers[0], signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "workers were lost" in said
    assert "Traceback" not in said
    finish(start, out, "-w", "2")
    assert_same_as_uninterrupted(out, scenario)


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    """Return a dask cluster of two processes."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as found:
        yield found


@pytest.mark.thorough
def test_a_dask_worker_is_killed_and_nobody_notices(
    start: Start, scenario: Path, tmp_path: Path, cluster: LocalCluster
) -> None:
    out = tmp_path / "out"
    process = start(out, "--dask", cluster.scheduler_address)
    wait_for_parts(out, process, 2)
    nannies = list(cluster.workers.values())
    os.kill(nannies[0].process.pid, signal.SIGKILL)  # its nanny starts another
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert_same_as_uninterrupted(out, scenario)


SCHEDULER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.mark.thorough
def test_the_dask_scheduler_is_killed(start: Start, scenario: Path, tmp_path: Path) -> None:
    script = tmp_path / "scheduler.py"
    script.write_text(SCHEDULER)
    out = tmp_path / "out"
    scheduler = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        assert scheduler.stdout is not None
        process = start(out, "--dask", scheduler.stdout.readline().strip())
        wait_for_parts(out, process, 2)
    finally:
        os.killpg(scheduler.pid, signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 2
    assert said.startswith("error: workers were lost")
    assert said.count("\n") == 1
    finish(start, out)
    assert_same_as_uninterrupted(out, scenario)
