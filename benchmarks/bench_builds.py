"""Processor time of this checkout's builds, interpreted and compiled, beside another checkout.

    python -m benchmarks.bench_builds OTHER_CHECKOUT [--rounds 5]

The programs take turns, each in a process of its own, and the best of their times counts: the
machine may be busy, ratios hold. What the other checkout does not know has no number there.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
from pathlib import Path

from benchmarks import programs

HERE = Path(__file__).resolve().parents[1]

PROGRAM = """
import sys, time
from simulator.engine import Simulation
from simulator.scenario import load_study, parse_study
text, replications = sys.argv[1], int(sys.argv[2])
try:
    study = load_study(text) if text.endswith(".yaml") else parse_study(text)
    simulations = [Simulation(point.scenario) for point in study.points]
except Exception:
    sys.exit("unknown")
best = float("inf")
for _ in range(4):  # the first makes everything warm
    began = time.process_time()
    calls = sum(each.run(k).calls for k in range(replications) for each in simulations)
    best = min(best, time.process_time() - began)
print(best, calls)
"""


def _team(size: int, each: int, protocol: str, timing: str, resilience: str = "{}") -> str:
    return programs.TEAM.format(
        n=size,
        tasks=size * each,
        topology="decentralised",
        protocol=protocol,
        timing=timing,
        workspace="last_writer_wins",
        more="",
        resilience=resilience,
        tokens="{}",
    )


def _loops(tools: str) -> str:
    return programs.LOOPS.format(n=100, turns=20, tools=tools, places=10)


_PATTERNS = "{retry: {max_retries: 3}, timeout: {seconds: 20}}"
_ERRORS = "provider: {errors: {probability: 0.05}}"

CASES = {
    "plain calls in rounds": (_team(10, 500, "pre_assigned", "rounds"), 1),
    "plain calls, asynchronous": (_team(10, 500, "self_claim", "asynchronous"), 1),
    "a mesh of 500 agents, rounds": (_team(500, 20, "pre_assigned", "rounds"), 1),
    "loops of 20 turns": (_loops("{}"), 2),
    "loops of 20 turns with three tools": (_loops(programs.TOOLS), 1),
    "the quickstart's points": ("scenarios/quickstart.yaml", 50),
    "retries and time-outs": (_team(10, 200, "pre_assigned", "rounds", _PATTERNS) + _ERRORS, 1),
}
"""What is run: a scenario, and replications of each of its points."""

GOALS = {
    "plain calls in rounds": 8,
    "plain calls, asynchronous": 6,
    "a mesh of 500 agents, rounds": 8,
    "loops of 20 turns with three tools": 5,
    "the quickstart's points": 4,
    "retries and time-outs": 2,
}
"""How many times as fast as revision 147ed29 the compiled build was to be; loops, which that
revision does not know, as its own sources."""


def seconds(checkout: Path, build: str, case: str) -> float:
    """Return the processor time of a case by a build of a checkout; infinite if it is unknown."""
    scenario, replications = CASES[case]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, scenario, str(replications)],
        cwd=checkout,
        env={
            **os.environ,
            "PYTHONPATH": str(checkout),
            "TEAMSIM_BUILD": build,
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and done.stderr.strip() == "unknown":
        return math.inf
    assert not done.returncode, done.stderr
    return float(done.stdout.split()[0])


def main() -> None:
    """Print a row a case."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_builds")
    parser.add_argument("other", type=Path, help="a checkout of another revision")
    parser.add_argument("--rounds", type=int, default=5, help="turns that each program takes")
    parser.add_argument("--only", default="", help="cases with this in their names")
    said = parser.parse_args()
    programs_ = [(said.other.resolve(), "interpreted"), (HERE, "interpreted"), (HERE, "compiled")]
    print("| case | other, ms | interpreted, ms | compiled, ms | other / interpreted |", end="")
    print(" other / compiled | interpreted / compiled | goal, compiled |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for case in CASES:
        if said.only not in case:
            continue
        best = [math.inf] * len(programs_)
        for _ in range(said.rounds):
            for i, (checkout, build) in enumerate(programs_):
                best[i] = min(best[i], seconds(checkout, build, case))
        other, plain, fast = best
        shown = [f"{1000 * each:.1f}" if each < math.inf else "" for each in best]
        ratios = [other / plain, other / fast, plain / fast]
        shown += [f"{each:.2f}" if each < math.inf else "" for each in ratios]
        shown.append(str(GOALS.get(case, "")))
        print(f"| {case} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
