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
from tests.faults.conftest import PATIENCE_S, Ended, Running, parts

Begin = Callable[..., Running]

ADVICE = "keeps what is done, and the same command goes on from there"


def assert_ended(ended: Ended, code: int, line: str) -> None:
    assert ended.code == code, ended
    assert ended.err.count("\n") == 1, ended.err
    assert ended.err.startswith(line)
    assert ended.seconds < PATIENCE_S
    assert ended.left == []


def assert_interrupted(running: Running) -> None:
    """Send Ctrl-C twice, a moment apart, to the whole group; one line says that it has ended."""
    for _ in range(2):
        running.send(signal.SIGINT, to_all=True)
        time.sleep(0.1)
    assert_ended(running.end(), 130, "interrupted\n")


def test_several_ctrl_c_end_a_sweep_that_goes_on_later(
    begin: Begin, sweep: Path, tmp_path: Path
) -> None:
    command = "sweep", sweep, "--out", tmp_path / "out", "-w", 2
    running = begin(*command)
    running.wait_for(lambda: len(parts(tmp_path / "out")) > 3)  # in workers by now
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
    running = begin("sweep", sweep, "--out", tmp_path / "out", "-w", 2)
    running.wait_for(lambda: len(parts(tmp_path / "out")) > 3)
    running.send(number)
    assert_ended(running.end(), code, "interrupted: " if code == 130 else "ended by SIG")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_workers_end_with_a_main_process_that_is_killed(
    begin: Begin, sweep: Path, tmp_path: Path, seed: int
) -> None:
    running = begin("sweep", sweep, "--out", tmp_path / "out", "-w", 2)
    running.wait_for(lambda: parts(tmp_path / "out"))
    time.sleep(random.Random(seed).uniform(0.0, 1.5))  # while workers start, or later
    running.send(signal.SIGKILL)
    ended = running.end()
    assert (ended.code, ended.err, ended.left) == (-signal.SIGKILL, "", [])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_ctrl_c_at_any_moment_leaves_no_traceback(
    begin: Begin, sweep: Path, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    running = begin("sweep", sweep, "--out", tmp_path / "out", "-w", 2)
    time.sleep(chance.uniform(0.5, 5.0))
    for _ in range(chance.randint(1, 5)):
        running.send(signal.SIGINT, to_all=True)
        time.sleep(chance.uniform(0.0, 0.2))
    ended = running.end()
    if ended.code:  # it may have been over
        assert_ended(ended, 130, "interrupted")


LONG = {
    "run": ("-r", 1_000_000),
    "chaos": ("-r", 100_000, "-w", 2),
    "advise": ("-r", 1_000_000, "--indifference", 0, "-w", 2),
    "sensitivity": ("--vary", "workload.tasks=100:900", "-r", 10_000, "-w", 2, "--out", "s"),
    "stack": ("-r", 100_000, "--out", "s", "--set", "sweep={team.size: [1, 2]}"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_all_long_commands_end_so(
    begin: Begin, sweep: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    running = begin(name, sweep, *LONG[name])
    time.sleep(6)
    assert_interrupted(running)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["backtest", "calibrate", "predict"])
def test_commands_that_read_traces_end_so(begin: Begin, tmp_path: Path, name: str) -> None:
    (tmp_path / "runs").mkdir()
    write_runs(tmp_path / "runs", logged(TRUTH, DEALT, (1, 2, 3), 8))
    out = "--out", tmp_path / "out"
    if name == "predict":
        assert begin("calibrate", tmp_path / "runs", *out, "-w", 1).end().code == 0
        running = begin(
            "predict", tmp_path / "out", "--out", tmp_path / "p.parquet", "-r", 100_000, "-w", 2
        )
    else:
        more = ("-r", 100_000) if name == "backtest" else ()
        running = begin(name, tmp_path / "runs", *out, *more, "-w", 2)
    time.sleep(3.5)
    assert_interrupted(running)


@pytest.mark.slow
def test_a_report_ends_so(begin: Begin, sweep: Path, tmp_path: Path) -> None:
    small = "--set", "replications=3"
    assert begin("sweep", sweep, "--out", tmp_path / "out", *small, "-w", 1).end().code == 0
    running = begin("report", tmp_path / "out", "--stacks", 10_000)
    time.sleep(6)
    assert_interrupted(running)


@pytest.mark.slow
def test_the_explorer_ends_so_in_the_midst_of_a_request(
    begin: Begin, sweep: Path, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = begin("explore", sweep, "--port", port)

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    running.wait_for(answers)
    layout = f"http://127.0.0.1:{port}/_dash-dependencies"
    with urllib.request.urlopen(layout) as found:
        (callback,) = json.load(found)
    values = {"most": 32, "topology": "gossip", "protocol": "self_claim", "timing": "asynchronous"}
    names = [(each["id"], each["property"]) for each in callback["inputs"]]
    moved = {"knob-0": 0.9, "knob-1": 600, "knob-2": 0.1, "knob-3": 0.5, "knob-4": 0}
    inputs = [
        {"id": name, "property": what, "value": values.get(name, moved.get(name, 0))}
        for name, what in names
    ]
    content = json.dumps({"output": callback["output"], "inputs": inputs, "changedPropIds": []})
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/_dash-update-component",
        content.encode(),
        {"Content-Type": "application/json"},
    )
    asked = threading.Thread(target=lambda: _ask(request), daemon=True)
    asked.start()
    time.sleep(1.5)
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


def test_what_does_not_unwind_is_ended_anyway(tmp_path: Path) -> None:
    (tmp_path / "stuck.py").write_text(STUCK)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "stuck.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=10)
    assert (process.returncode, said) == (143, "ended by SIGTERM\n")
    assert time.monotonic() - started < PATIENCE_S
