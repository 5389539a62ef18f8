"""Signals end any command soon, with one line, the exit code of the signal, and no process left."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.analysis.harness import DEALT, write_runs
from tests.analysis.test_calibration import TRUTH, logged
from tests.conftest import first_in_ci
from tests.faults.conftest import ENDLESS, PATIENCE_S, Ended, Running, parts

Begin = Callable[..., Running]

ADVICE = "keeps what is done, and the same command goes on from there"


def assert_ended(ended: Ended, code: int, line: str) -> None:
    """Check how a command ended; notes may come before the line that says so."""
    assert ended.code == code, ended
    *notes, last = ended.err.splitlines(keepends=True)
    assert all(note.startswith(("note: ", "warning: ")) for note in notes), ended.err
    assert last.startswith(line), ended.err
    assert ended.seconds < PATIENCE_S
    assert ended.left == []


def assert_interrupted(running: Running) -> None:
    """Send Ctrl-C twice, a moment apart, to the whole group; one line says that it has ended."""
    assert running.runs
    for _ in range(2):
        running.send(signal.SIGINT, to_all=True)
        time.sleep(0.1)
    assert_ended(running.end(), 130, "interrupted\n")


def test_several_ctrl_c_end_a_sweep_and_say_how_it_goes_on(
    begin: Begin, sweep: Path, tmp_path: Path
) -> None:
    running = begin("sweep", sweep, "--out", tmp_path / "out", "-w", 2, *ENDLESS)
    running.wait_for(lambda: parts(tmp_path / "out"))  # in workers by now
    for _ in range(3):
        running.send(signal.SIGINT, to_all=True)
        time.sleep(0.05)
    ended = running.end()
    assert_ended(ended, 130, "interrupted: ")
    assert ADVICE in ended.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_other_signals_do_the_same(
    begin: Begin, sweep: Path, tmp_path: Path, number: int, code: int
) -> None:
    running = begin("sweep", sweep, "--out", tmp_path / "out", "-w", 2, *ENDLESS)
    running.wait_for(lambda: parts(tmp_path / "out"))
    running.send(number)
    assert_ended(running.end(), code, "interrupted: " if code == 130 else "ended by SIG")


@pytest.mark.slow
@pytest.mark.parametrize("seed", first_in_ci(2, range(4)))
def test_workers_end_with_a_main_process_that_is_killed(
    begin: Begin, sweep: Path, tmp_path: Path, seed: int
) -> None:
    running = begin("sweep", sweep, "--out", tmp_path / "out", "-w", 2, *ENDLESS)
    running.wait_for(lambda: parts(tmp_path / "out"))
    time.sleep(random.Random(seed).uniform(0.0, 1.5))  # while workers start, or later
    running.send(signal.SIGKILL)
    ended = running.end()
    assert (ended.code, "Traceback" in ended.err, ended.left) == (-signal.SIGKILL, False, [])


@pytest.mark.each
@pytest.mark.slow
@pytest.mark.parametrize("seed", first_in_ci(3, range(6)))
def test_ctrl_c_at_any_moment_leaves_no_traceback(
    begin: Begin, sweep: Path, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    running = begin("sweep", sweep, "--out", tmp_path / "out", "-w", 2, *ENDLESS)
    running.wait_until_signals_are_caught()
    time.sleep(chance.uniform(0.0, 4.0))
    for _ in range(chance.randint(1, 5)):
        running.send(signal.SIGINT, to_all=True)
        time.sleep(chance.uniform(0.0, 0.2))
    assert_ended(running.end(), 130, "interrupted")


IN_THE_MIDST_S = 4
"""What commands have worked when they have imported all, and begun; they would go on for hours."""

LONG = {
    "chaos": ("-r", 100_000, "-w", 2),
    "run": ("-r", 1_000_000),
    # Of replications so long, the first look at all candidates takes an hour.
    "advise": ("-r", 1_000_000, "-w", 2, "--set", "workload.tasks=100000"),
    "sensitivity": ("--vary", "workload.tasks=100:900", "-r", 10_000, "-w", 2, "--out", "s"),
    "stack": ("-r", 100_000, "--out", "s", "--set", "sweep={team.size: [1, 2]}"),
}


@pytest.mark.each
@pytest.mark.slow
@pytest.mark.parametrize("name", first_in_ci(1, LONG))
def test_all_long_commands_end_so(
    begin: Begin, sweep: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    running = begin(name, sweep, *LONG[name])
    running.wait_until_worked(IN_THE_MIDST_S)
    assert_interrupted(running)


@pytest.mark.each
@pytest.mark.slow
@pytest.mark.parametrize("name", first_in_ci(1, ["backtest", "calibrate", "predict"]))
def test_commands_that_read_traces_end_so(begin: Begin, tmp_path: Path, name: str) -> None:
    (tmp_path / "runs").mkdir()
    runs = 1000 if name == "calibrate" else 8  # it is to go on for longer than we wait
    write_runs(tmp_path / "runs", logged(TRUTH, DEALT, (1, 2, 3), runs))
    out = "--out", tmp_path / "out"
    if name == "predict":
        assert begin("calibrate", tmp_path / "runs", *out, "-w", 1).end().code == 0
        running = begin(
            "predict", tmp_path / "out", "--out", tmp_path / "p.parquet", "-r", 100_000, "-w", 2
        )
    else:
        more = ("-r", 100_000) if name == "backtest" else ()
        running = begin(name, tmp_path / "runs", *out, *more, "-w", 2)
    running.wait_until_worked(IN_THE_MIDST_S)
    assert_interrupted(running)


@pytest.mark.thorough
def test_a_report_ends_so(begin: Begin, sweep: Path, tmp_path: Path) -> None:
    # Teams and one agent, which speed-up stacks are held against.
    small = "--set", "replications=3", "--set", "sweep={team.size: [1, 2]}"
    assert begin("sweep", sweep, "--out", tmp_path / "out", *small, "-w", 1).end().code == 0
    running = begin("report", tmp_path / "out", "--stacks", 1_000_000)
    running.wait_until_worked(IN_THE_MIDST_S)
    assert_interrupted(running)


@pytest.mark.slow
def test_the_explorer_ends_so_in_the_midst_of_a_request(
    begin: Begin, sweep: Path, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    many = "--set", "workload.tasks=400000"
    running = begin("explore", sweep, "--port", port, *many)

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    running.wait_for(answers)
    layout = f"http://127.0.0.1:{port}/_dash-dependencies"
    with urllib.request.urlopen(layout) as found:
        callbacks = json.load(found)
    callback = next(each for each in callbacks if "yaml.children" in each["output"])
    moved = {
        "topology": "gossip",
        "coordination.protocol": "self_claim",
        "coordination.timing": "asynchronous",
        "workload.parallel_fraction": 0.9,
        "workload.tasks": 400_000,
    }
    values: dict[str, object] = {"most": 32, "pinned": None}
    inputs: list[object] = [
        {"id": each["id"], "property": each["property"], "value": values[each["id"]]}
        for each in callback["inputs"]
        if each["id"] in values
    ]
    names = [{"field": path} for path in moved]
    inputs.append(
        [
            {"id": name, "property": "value", "value": value}
            for name, value in zip(names, moved.values(), strict=True)
        ]
    )
    state = [[{"id": name, "property": "id", "value": name} for name in names]]
    output = callback["output"]  # ..chart-0.figure...chart-1.figure..
    outputs = [
        dict(zip(("id", "property"), each.split("."), strict=True))
        for each in output[2:-2].split("...")
    ]
    asks = {
        "output": output, "outputs": outputs, "inputs": inputs, "state": state,
        "changedPropIds": [],
    }  # fmt: skip
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/_dash-update-component",
        json.dumps(asks).encode(),
        {"Content-Type": "application/json"},
    )
    asked = threading.Thread(target=lambda: _ask(request), daemon=True)
    before = running.worked_s()
    asked.start()
    running.wait_until_worked(before + 0.5)
    assert asked.is_alive()
    assert_interrupted(running)


def _ask(request: urllib.request.Request) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        urllib.request.urlopen(request, timeout=60)


STUCK = """
import time
from simulator.cli.interrupts import run_until_signal

def program():
    print("runs", flush=True)
    while True:
        try:
            time.sleep(60)
        except BaseException:  # a library that swallows what ends it
            pass

run_until_signal(program)
"""


def _started(directory: Path, program: str) -> subprocess.Popen[str]:
    """Start a program, and return it once it has printed a line."""
    file = directory / "program.py"
    file.write_text(program)
    process = subprocess.Popen(
        [sys.executable, file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_what_does_not_unwind_is_ended_anyway(tmp_path: Path) -> None:
    process = _started(tmp_path, STUCK)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=10)
    assert (process.returncode, said) == (143, "ended by SIGTERM\n")
    assert time.monotonic() - started < PATIENCE_S


AT_THE_START = """
import os, signal
from simulator.cli import interrupts

class Waiting(interrupts.Waiting):
    def start(self):
        os.kill(os.getpid(), signal.SIGINT)
        super().start()

interrupts.Waiting = Waiting
print("starts", flush=True)
interrupts.run_until_signal(lambda: print("runs"))
"""


def test_a_signal_before_the_work_ends_it_with_a_line(tmp_path: Path) -> None:
    process = _started(tmp_path, AT_THE_START)
    assert process.communicate(timeout=10) == ("", "interrupted\n")
    assert process.returncode == 130


DONE = """
import atexit, time
from simulator.cli.interrupts import run_until_signal

def end():
    print("ends", flush=True)
    time.sleep(0.5)

atexit.register(end)
run_until_signal(lambda: None)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_after_the_work_changes_nothing(number: signal.Signals, tmp_path: Path) -> None:
    process = _started(tmp_path, DONE)
    process.send_signal(number)
    _, said = process.communicate(timeout=10)
    assert (process.returncode, said) == (0, "")
