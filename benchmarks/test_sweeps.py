"""Sweeps: replications a second with one worker, two and a cluster; memory; start-up.

python -m pytest benchmarks/test_sweeps.py          (a part of `make bench`)
"""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from benchmarks import programs
from simulator.experiment.pool import processes
from simulator.experiment.runner import sweep_into
from simulator.scenario import load_study, parse_study

QUICKSTART = Path(__file__).parents[1] / "scenarios" / "quickstart.yaml"

Workers = AbstractContextManager[Executor | None]


@contextmanager
def dask_workers(workers: int) -> Iterator[Executor]:
    """Return an executor on a cluster of this machine, with so many workers."""
    from distributed import Client, LocalCluster

    one_each = {"threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with LocalCluster(n_workers=workers, **one_each) as cluster, Client(cluster) as client:
        yield client.get_executor()


MAKE: dict[str, tuple[int, Callable[[], Workers]]] = {
    "one process": (1, nullcontext),
    "two processes": (2, lambda: processes(2)),
    "dask, one process": (1, lambda: dask_workers(1)),
    "dask, two processes": (2, lambda: dask_workers(2)),
}


@pytest.mark.parametrize("how", MAKE)
def test_throughput(benchmark: Any, tmp_path: Path, how: str) -> None:
    """The quickstart with twice its replications, workers started and warm."""
    study = load_study(QUICKSTART, ["replications=600"])
    workers, make = MAKE[how]
    directories = iter(range(100))
    with make() as executor:
        warm = load_study(QUICKSTART, ["replications=4"])
        sweep_into(tmp_path / "warm", warm, workers, executor=executor)

        def run() -> None:
            sweep_into(tmp_path / str(next(directories)), study, workers, executor=executor)

        count = sum(point.scenario.replications for point in study.points)
        benchmark.extra_info.update(kind="sweep", how=how, replications=count)
        benchmark.pedantic(run, rounds=3, warmup_rounds=0)


@pytest.mark.parametrize("n", [10, 100, 1000])
def test_memory_of_a_replication(benchmark: Any, n: int) -> None:
    run = programs.team(n, 20)
    tracemalloc.start()
    run()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    benchmark.extra_info.update(kind="memory", n=n, tasks=20 * n, kilobytes=peak / 1000)
    benchmark.pedantic(run, rounds=1)


@pytest.mark.parametrize("points", [1000])
def test_points_a_second(benchmark: Any, points: int) -> None:
    """Checking and planning a sweep of many points, before anything runs."""
    text = QUICKSTART.read_text().split("sweep:")[0]
    text += f"sweep:\n  workload.parallel_fraction: {{from: 0, to: 1, num: {points}}}\n"
    benchmark.extra_info.update(kind="points", points=points)
    benchmark.pedantic(lambda: parse_study(text).points, rounds=3)


@pytest.mark.parametrize(
    "command", ["-c import simulator", "-m simulator.cli.main --help"], ids=["import", "help"]
)
def test_start_up(benchmark: Any, command: str) -> None:
    arguments = [sys.executable, *command.split(" ", 1)]
    if command.startswith("-m"):
        arguments = [sys.executable, *command.split()]
    benchmark.extra_info.update(kind="start", command=command)
    benchmark.pedantic(lambda: subprocess.run(arguments, check=True, capture_output=True), rounds=5)
