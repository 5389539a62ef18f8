"""A sweep of moderate size in a file, and ways to run and to break it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest

from simulator.experiment import read_results, run_sweep
from simulator.scenario import parse_study

LONG = """\
name: long
seed: 7
replications: 24
team:
  size: 1
  agent:
    latency: {kind: seconds, base: {kind: lognormal, median: 5, sigma: 0.6}}
    errors: {probability: 0.1}
topology: decentralised
coordination: {protocol: self_claim, timing: asynchronous}
workload: {kind: parallel_fraction, tasks: 900, parallel_fraction: 0.9}
sweep:
  team.size: [2, 4, 8, 16]
"""
"""Four points, some seconds on two cores: long enough to be killed in."""

SHORT = LONG.replace("tasks: 900", "tasks: 30").replace("replications: 24", "replications: 20")
"""The same, over at once."""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """Return the file of a sweep of some seconds."""
    path = tmp_path / "long.yaml"
    path.write_text(LONG)
    return path


@pytest.fixture
def start(scenario: Path) -> Callable[..., subprocess.Popen[str]]:
    """Return a function that starts `teamsim sweep` on it.

    With more than one thread for matrices its workers are new processes, not copies.
    """

    def started(out: Path, *options: str, threads: int = 1) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "simulator.cli", "sweep", str(scenario)]
        return subprocess.Popen(
            [*command, "--out", str(out), *options],
            env={**os.environ, "OPENBLAS_NUM_THREADS": str(threads)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return started


def parts(out: Path) -> list[Path]:
    """Return the files of the data set that are there."""
    return sorted((out / "results").glob("part-*.parquet"))


def wait_for_parts(out: Path, process: subprocess.Popen[str], count: int = 1) -> None:
    """Wait until a running sweep has kept some chunks."""
    ends = time.monotonic() + 120
    while len(parts(out)) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < ends
        time.sleep(0.01)


def assert_same_as_uninterrupted(out: Path, scenario: Path) -> None:
    """Check a finished directory against the same sweep in memory, bit by bit."""
    table = read_results(out).sort_by([("point", "ascending"), ("replication", "ascending")])
    assert table.equals(uninterrupted(scenario.read_text()))


@cache
def uninterrupted(text: str) -> pa.Table:
    """Run a sweep in memory, once for all that are held against it."""
    return run_sweep(parse_study(text))
