"""Commands that are started, disturbed and observed from outside."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.experiment.conftest import LONG

SWEEP = (
    LONG.replace("replications: 24", "replications: 60")
    .replace("tasks: 1200", "tasks: 600")
    .replace("[2, 4, 8, 16]", "[2, 4, 8]")
)
"""Some seconds on two cores."""

ENDLESS = ("--set", "replications=100000")
"""Makes it some hours."""

PATIENCE_S = 2.0
"""In which a command has ended that was asked to."""


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float
    left: list[str]
    """Processes of its group that are still there."""


class Running:
    """A command in a process group of its own, as a shell starts it."""

    def __init__(self, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "simulator.cli", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid

    def wait_for(
        self, condition: Callable[[], object], every_s: float = 0.01, may_end: bool = False
    ) -> None:
        """Wait until something holds while the command runs; or until it ends, if it may."""
        ends = time.monotonic() + 120
        while not condition():
            if may_end and not self.runs:
                return
            assert self._process.poll() is None, self._process.communicate()
            assert time.monotonic() < ends
            time.sleep(every_s)

    def wait_until_signals_are_caught(self, may_end: bool = False) -> None:
        """Wait until a signal is answered: before, Python itself ends, or shows where it is.

        Or until it ends, if it may, as a sweep does that was over before.
        """

        def catches_sigterm() -> int:
            status = Path(f"/proc/{self.pid}/status").read_text()
            (caught,) = re.findall(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)
            return int(caught, 16) >> signal.SIGTERM - 1 & 1

        self.wait_for(catches_sigterm, may_end=may_end)

    def wait_until_worked(self, seconds: float) -> None:
        """Wait until its processes have had a processor for so long, on a busy machine as well."""
        self.wait_for(lambda: self.worked_s() >= seconds, every_s=0.1)

    def worked_s(self) -> int:
        """Return for how long the processes of the group have had a processor."""
        seconds = 0
        for used, _ in self._processes():
            hours, minutes, rest = map(int, used.split(":"))
            seconds += 3600 * hours + 60 * minutes + rest
        return seconds

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def send(self, number: int, to_all: bool = False) -> None:
        """Signal the main process, or the group, as a terminal does."""
        if self.runs:
            (os.killpg if to_all else os.kill)(self.pid, number)

    def end(self, timeout_s: float = 120.0) -> Ended:
        started = time.monotonic()
        try:
            out, err = self._process.communicate(timeout=timeout_s)
        finally:
            self.send(signal.SIGKILL, to_all=True)
        over = time.monotonic()
        # Its pipes are closed, so that processes which hold them are at an end as well; the system
        # may take a moment to remove them.
        while (left := self.group()) and time.monotonic() - over < PATIENCE_S:
            time.sleep(0.02)
        return Ended(self._process.returncode, out, err, over - started, left)

    def group(self) -> list[str]:
        """Return the processes of the group that are not over."""
        return [args for _, args in self._processes()]

    def _processes(self) -> list[tuple[str, str]]:
        """Return processor time, as hh:mm:ss, and command of the processes that are not over."""
        asked = ["ps", "-e", "-o", "pgid=,stat=,time=,args="]
        lines = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        rows = (line.split(None, 3) for line in lines.splitlines())
        return [
            (used, args)
            for pgid, stat, used, args in rows
            if int(pgid) == self.pid and stat[0] != "Z"
        ]


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Return the file of a sweep of some seconds."""
    path = tmp_path / "long.yaml"
    path.write_text(SWEEP)
    return path


@pytest.fixture
def begin() -> Iterator[Callable[..., Running]]:
    """Return what starts commands; none outlives the test."""
    started: list[Running] = []

    def start(*arguments: object) -> Running:
        started.append(Running(*arguments))
        return started[-1]

    yield start
    for each in started:
        each.send(signal.SIGKILL, to_all=True)


def parts(out: Path) -> list[Path]:
    """Return the files that hold a sweep's results."""
    return sorted((out / "results").glob("part-*.parquet"))
