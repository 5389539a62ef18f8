"""Instructions of this checkout beside another's: plain calls, retries, loops with tools.

    python -m benchmarks.bench_revision OTHER_CHECKOUT

Counted by valgrind's cachegrind, so that neighbours do not matter; the start of the program is
taken off by running three more replications. Takes a quarter of an hour.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from pathlib import Path

from benchmarks import programs

HERE = Path(__file__).resolve().parents[1]

PROGRAM = """
import sys
from simulator.engine import Simulation
from simulator.scenario import parse_study
simulation = Simulation(parse_study(sys.argv[1]).base)
for _ in range(int(sys.argv[2])):
    simulation.run(0)
"""

SCENARIO = """
name: bench
team:
  size: 10
  agent: {{latency: {{kind: seconds, base: {{kind: exponential, mean: 8}}}}}}
topology: decentralised
coordination: {coordination}
workload: {{kind: parallel_fraction, tasks: 5000, parallel_fraction: 1}}
"""

RETRIES = """
provider: {errors: {probability: 0.05}}
resilience: {retry: {max_retries: 3}, timeout: {seconds: 20}}
"""

CASES = {
    "rounds, pre-assigned": ("{protocol: pre_assigned}", ""),
    "asynchronous, self-claim": ("{protocol: self_claim, timing: asynchronous}", ""),
    "rounds, retries and time-outs": ("{protocol: pre_assigned}", RETRIES),
}


LOOPS = {
    "loops of 20 turns": "{}",
    "loops of 20 turns, each with three tools and a queue": programs.TOOLS,
}


def instructions(checkout: Path, scenario: str, replications: int) -> float:
    """Return what a run of so many replications executes, the start of Python included.

    It is no number where the checkout does not know the scenario.
    """
    tool = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    done = subprocess.run(
        [*tool, sys.executable, "-c", PROGRAM, scenario, str(replications)],
        cwd=checkout,
        env={
            **os.environ,
            "PYTHONPATH": str(checkout),
            "PYTHONHASHSEED": "0",
            "TEAMSIM_BUILD": "interpreted",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and "ScenarioError" in done.stderr:
        return math.nan
    assert not done.returncode, done.stderr
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    assert found is not None, done.stderr
    return int(found[1].replace(",", ""))


def main() -> None:
    """Print a row a case."""
    other = Path(sys.argv[1]).resolve()
    print("| case | other, million | here, million | ratio |\n|---|---|---|---|")
    scenarios = {
        name: SCENARIO.format(coordination=coordination) + more
        for name, (coordination, more) in CASES.items()
    }
    for name, tools in LOOPS.items():
        scenarios[name] = programs.LOOPS.format(n=100, turns=20, tools=tools, places=10)
    for name, scenario in scenarios.items():
        counts = [
            instructions(checkout, scenario, 4) - instructions(checkout, scenario, 1)
            for checkout in (other, HERE)
        ]
        before, now = (count / 1e6 for count in counts)
        shown = [f"{before:,.0f}", f"{now:,.0f}", f"{now / before:.3f}"]
        cells = " | ".join("" if cell == "nan" else cell for cell in shown)
        print(f"| {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
