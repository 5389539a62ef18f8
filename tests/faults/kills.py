"""A sweep that is killed again and again at random moments, and its table in the end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from simulator.experiment import read_results, run_sweep
from simulator.scenario import load_study
from tests.faults.conftest import Running, parts

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
FAULTS = ("main", "worker", "cut part", "empty part", "lost part", "manifest", "small files")


@dataclass
class Toll:
    """What was done to a sweep.

    Of a main process that is killed outright nobody is left to say anything; Python itself may
    then tell that a worker which was being started found its pipe cut. That is no traceback here.
    """

    done: Counter[str] = field(default_factory=Counter)
    orphans: int = 0
    tracebacks: list[str] = field(default_factory=list)


def killed_and_resumed(scenario: Path, out: Path, seed: int, kills: int) -> Toll:
    """Run a sweep, disturb it so many times, and let it finish.

    Parameters
    ----------
    scenario, out : Path
        What is swept, and into which directory.
    seed : int
        Of which faults there are when.
    kills : int
        Disturbances in all. A sweep that is over begins anew.

    Raises
    ------
    AssertionError
        If a finished table is not, bit for bit, that of an undisturbed sweep.
    """
    chance, toll = random.Random(seed), Toll()
    expected = run_sweep(load_study(scenario))
    command = ("sweep", scenario, "--out", out, "-w", 2)
    turn = 0
    while sum(toll.done.values()) < kills:
        running = Running(*command)
        fault = chance.choice(FAULTS)
        running.wait_until_signals_are_caught(may_end=True)
        ends = time.monotonic() + chance.uniform(0.0, 4.0)
        while running.runs and time.monotonic() < ends:
            time.sleep(0.01)
        is_killed = False
        if running.runs:
            is_killed = _disturb(running, fault, chance) == signal.SIGKILL
            toll.done[fault] += 1
        ended = running.end()
        toll.orphans += len(ended.left)
        if "Traceback" in ended.err and not is_killed:
            toll.tracebacks.append(ended.err)
        if ended.code == 0:
            assert read_results(out).equals(expected)
            turn += 1
            out = out.with_name(f"out-{turn}")
            command = (*command[:3], out, *command[4:])
        else:
            _damage(out, fault, chance)
    assert Running(*command).end().code == 0
    assert read_results(out).equals(expected)
    return toll


def _disturb(running: Running, fault: str, chance: random.Random) -> signal.Signals | None:
    """Disturb a sweep; return the signal that its main process got, if any."""
    if fault == "worker" and (workers := _workers(running.pid)):
        os.kill(chance.choice(workers), signal.SIGKILL)
    elif fault == "small files":
        # As `ulimit -f`: writing more than so many bytes fails.
        limit = ["prlimit", f"--pid={running.pid}", "--fsize=2000"]
        subprocess.run(limit, check=False, capture_output=True)
    else:
        sent = chance.choice(SIGNALS)
        running.send(sent)
        return sent
    return None


def _damage(out: Path, fault: str, chance: random.Random) -> None:
    there = parts(out)
    if fault == "manifest" and there:
        (out / "manifest.json").write_text("{")
    if not there:
        return
    part = chance.choice(there)
    if fault == "cut part":
        part.write_bytes(part.read_bytes()[: chance.randrange(max(1, part.stat().st_size))])
    elif fault == "empty part":
        part.write_bytes(b"")
    elif fault == "lost part":
        part.unlink()


def _workers(pid: int) -> list[int]:
    asked = ["ps", "-e", "-o", "ppid=,pid=,args="]
    lines = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = (line.split(None, 2) for line in lines)
    return [int(child) for parent, child, args in rows if int(parent) == pid and "spawn_m" in args]


def needs_proc() -> bool:
    """Return whether this is no system on which workers can be found."""
    return not sys.platform.startswith("linux")
