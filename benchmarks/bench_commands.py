"""Seconds of the commands in this checkout beside another's, taken in turns.

    python -m benchmarks.bench_commands OTHER_CHECKOUT [--runs DIR] [--calls DIR] [--times N]

A command that the other does not have has no times there. Of each command the least wall time and
the least processor time count (user and system, of its workers too): the second says more where
others use the machine. Each checkout reads its own scenarios and what its own commands have
written.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
QUICKSTART = "scenarios/quickstart.yaml"


def commands(runs: str | None, calls: str | None) -> dict[str, list[str]]:
    """Return the commands by name; ``{out}`` is a directory of the checkout's own."""
    few = ["--set", "replications=100"]
    found = {
        "help": ["--help"],  # --only would take "--help" for an option of its own
        "list": ["list"],
        "schema": ["schema"],
        "scenarios": ["scenarios"],
        "new": ["new", "single", "{out}/new-{turn}.yaml"],
        "check": ["check", QUICKSTART],
        "run": ["run", QUICKSTART],
        "compare": ["compare", QUICKSTART, "scenarios/amdahl.yaml", "-r", "100"],
        "sweep": ["sweep", QUICKSTART, "--out", "{out}/sweep-{turn}", *few],
        "plot": ["plot", "{out}/sweep-0"],
        "report": ["report", "{out}/sweep-0", "--stacks", "2"],
        "advise": ["advise", QUICKSTART, "-r", "200"],
        "stack": ["stack", QUICKSTART, "--out", "{out}/stack", "-r", "10"],
        "chaos": ["chaos", QUICKSTART, "-r", "10"],
        "sensitivity": ["sensitivity", QUICKSTART, "--vary", "team.agent.speed=0.5:2", "--vary",
                        "team.agent.redo_work=0.5:1", "--out", "{out}/sensitivity"],
        "timeline": ["timeline", QUICKSTART, "--out", "{out}/timeline"],
        "timeline --html": ["timeline", QUICKSTART, "--html", "{out}/live.html"],
    }  # fmt: skip
    if runs is not None:
        found["calibrate (teams)"] = ["calibrate", runs, "--out", "{out}/teams"]
        found["predict"] = [
            "predict",
            "{out}/teams",
            "--out",
            "{out}/predicted.parquet",
            "-r",
            "100",
        ]
        found["validate"] = [
            "validate", "{out}/predicted.parquet", runs, "--out", "{out}/validated"
        ]  # fmt: skip
        found["observe"] = ["observe", runs, "--out", "{out}/observed"]
        found["backtest"] = ["backtest", runs, "--out", "{out}/backtest", "-r", "100"]
    if calls is not None:
        found["calibrate (calls)"] = ["calibrate", calls, "--out", "{out}/calls"]
    return found


GOALS = {
    "list": 0.25,
    "check": 0.25,
    "run": 0.33,
    "sweep": 0.5,
    "calibrate (teams)": 0.25,
    "backtest": 0.25,
    "predict": 0.33,
    "advise": 0.5,
    "chaos": 0.5,
    "sensitivity": 0.5,
    "report": 0.5,
    "plot": 0.5,
}
"""What share of the time of revision 147ed29 a command was to take."""

ABSENT = (math.nan, math.nan)
"""Times of a command that a checkout does not have."""


def program(checkout: Path) -> str:
    """Return the module that ``teamsim`` runs, which further processes import again."""
    has_own = (checkout / "simulator" / "cli" / "__main__.py").exists()
    return "simulator.cli" if has_own else "simulator.cli.main"


def seconds(checkout: Path, command: list[str], out: Path, turn: int) -> tuple[float, float]:
    """Return the wall time and the processor time of a command, or `ABSENT`."""
    said = [part.format(out=out, turn=turn) for part in command]
    environment = {
        **os.environ,
        "PYTHONPATH": str(checkout),
        "OMP_NUM_THREADS": "1",
        "TEAMSIM_BUILD": "interpreted",  # as the other is, also where there is a compiled build
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else modules are compiled each time
    began = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", program(checkout), *said],
            cwd=checkout,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            message = errors.read().decode()
            if re.search(r"[Nn]o such (command|option)", message):
                return ABSENT
            raise SystemExit(f"{checkout}: {' '.join(said)}: {message[-2000:]}")
    return time.perf_counter() - began, used.ru_utime + used.ru_stime


def least(taken: list[tuple[float, float]]) -> list[float]:
    """Return the least of each kind of time."""
    return [min(times) for times in zip(*taken, strict=True)]


def main() -> None:
    """Print a row a command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("other", type=Path)
    parser.add_argument("--runs", help="directory of runs of teams, for calibrate and backtest")
    parser.add_argument("--calls", help="directory of calls, for calibrate")
    parser.add_argument("--times", type=int, default=3, help="how often each command runs")
    parser.add_argument("--only", nargs="*", help="names of rows; all when absent")
    asked = parser.parse_args()
    checkouts = [asked.other.resolve(), HERE]
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; the least of {asked.times}\n")
    print("| command | other, s | here, s | ratio | other, CPU s | here, CPU s | ratio | goal |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as directory:
        outs = [Path(directory) / name for name in ("other", "here")]
        for out in outs:
            out.mkdir()
        for name, command in commands(asked.runs, asked.calls).items():
            if asked.only and name not in asked.only:
                continue
            taken: list[list[tuple[float, float]]] = [[], []]
            for turn in range(asked.times):
                for mine, checkout, out in zip(taken, checkouts, outs, strict=True):
                    mine.append(seconds(checkout, command, out, turn))
            cells = []
            for before, now in zip(*map(least, taken), strict=True):
                cells += ["" if math.isnan(x) else f"{x:.2f}" for x in (before, now, now / before)]
            print(f"| {name} | {' | '.join(cells)} | {GOALS.get(name, '')} |", flush=True)
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
