"""How seldom programs look for garbage: hardly ever while they import, and not when they end."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.experiment.pool import processes

ROOT = Path(__file__).resolve().parents[1]

COMMAND = """
import gc, sys
from simulator.cli.interrupts import run_until_signal
from simulator.cli.main import main

searched = []
gc.callbacks.append(lambda phase, info: searched.append((phase, info["generation"])))
sys.argv = ["teamsim", *{words}]

def command():
    try:
        main()
    finally:
        print(*(generation for phase, generation in searched if phase == "stop"))

searched.clear()
run_until_signal(command)
"""


def _words_of(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


@pytest.mark.parametrize(
    "words", [["check", "scenarios/quickstart.yaml"], ["run", "scenarios/quickstart.yaml"]]
)
def test_a_short_command_looks_for_no_garbage(words: list[str]) -> None:
    assert not _words_of(COMMAND.format(words=words))


@pytest.mark.parametrize("ends", ["pass", "raise SystemExit(0)"])
def test_a_program_ends_without_a_last_look(ends: str) -> None:
    said = _words_of(
        "from simulator.cli.interrupts import run_until_signal\n"
        "class Circle:\n"
        "    def __init__(self): self.itself = self\n"
        "    def __del__(self): print('found', flush=True)\n"
        "kept = Circle()\n"
        "def program():\n"
        f"    print('done')\n    {ends}\n"
        "run_until_signal(program)\n"
    )
    assert said == ["done"]


def test_workers_look_seldom_too() -> None:
    before = gc.get_threshold()
    with processes(1) as pool:
        assert pool.submit(gc.get_threshold).result()[0] > 100 * 700
    assert gc.get_threshold() == before
