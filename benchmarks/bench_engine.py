"""Simulated calls per second, beside hand-written SimPy programs, in one run.

    python benchmarks/bench_engine.py

The work is the same for all: n agents, each taking one open task a round, a log-normal
duration, a barrier, until the tasks are done. The hand-written programs do nothing else; the
simulator reads the board and the inbox, decides, counts tokens, commits, talks and keeps its
books. Runs are interleaved, and ratios are medians over repetitions, since machines are noisy.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
import simpy

from simulator.engine import Simulation
from simulator.scenario import parse_study

SCENARIO = """
name: bench
team:
  size: {n}
  agent:
    latency: {{kind: seconds, base: {{kind: lognormal, median: 8, sigma: 0.6}}}}
    context: {{board_tokens_per_task: 0}}
topology: {topology}
coordination:
  protocol: {{kind: {protocol}}}
workload: {{kind: parallel_fraction, tasks: {tasks}, parallel_fraction: 1}}
"""


def simulator(n: int, rounds: int, topology: str, protocol: str) -> Callable[[], int]:
    """Return a function that runs the simulator and counts its calls."""
    text = SCENARIO.format(n=n, tasks=n * rounds, topology=topology, protocol=protocol)
    simulation = Simulation(parse_study(text).base)
    return lambda: simulation.run(0).calls


def process_a_call(n: int, rounds: int) -> Callable[[], int]:
    """Return the textbook SimPy program: a process for each call, `all_of` for the barrier."""

    def run() -> int:
        env, rng = simpy.Environment(), np.random.default_rng(0)
        tasks, calls = deque(range(n * rounds)), 0

        def agent(task: int) -> Iterator[simpy.Event]:
            nonlocal calls
            yield env.timeout(rng.lognormal(2.08, 0.6))
            calls += 1

        def team() -> Iterator[simpy.Event]:
            while tasks:
                yield env.all_of([env.process(agent(tasks.popleft())) for _ in range(n)])

        env.process(team())
        env.run()
        return calls

    return run


def process_an_agent(n: int, rounds: int) -> Callable[[], int]:
    """Return the leanest SimPy program: a process for each agent and a counting barrier."""

    def run() -> int:
        env, rng = simpy.Environment(), np.random.default_rng(0)
        tasks, calls = deque(range(n * rounds)), 0
        barrier, waiting = env.event(), 0

        def agent() -> Iterator[simpy.Event]:
            nonlocal barrier, calls, waiting
            while tasks:
                tasks.popleft()
                yield env.timeout(rng.lognormal(2.08, 0.6))
                calls += 1
                waiting += 1
                if waiting == n:
                    waiting, full, barrier = 0, barrier, env.event()
                    full.succeed()
                else:
                    yield barrier

        for _ in range(n):
            env.process(agent())
        env.run()
        return calls

    return run


def seconds_per_call(run: Callable[[], int]) -> float:
    """Return the seconds that one simulated call takes."""
    started = time.perf_counter()
    calls = run()
    return (time.perf_counter() - started) / calls


def interleaved(runs: dict[str, Callable[[], int]], repeats: int) -> dict[str, list[float]]:
    """Return seconds a call of each program, measured in turn `repeats` times."""
    for run in runs.values():
        run()
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            found[name].append(seconds_per_call(run))
    return found


def ratio(a: list[float], b: list[float]) -> float:
    """Return the median over repetitions of a / b."""
    return statistics.median(x / y for x, y in zip(a, b, strict=True))


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats

    print("| program (n = 10, 500 rounds) | calls/s | ratio |\n|---|---|---|")
    times = interleaved(
        {
            "teamsim, mesh, pre-assigned": simulator(10, 500, "decentralised", "pre_assigned"),
            "hand-written, a process a call": process_a_call(10, 500),
            "hand-written, a process an agent": process_an_agent(10, 500),
        },
        repeats,
    )
    ours = times["teamsim, mesh, pre-assigned"]
    for name, seconds in times.items():
        rate = 1.0 / statistics.median(seconds)
        print(f"| {name} | {rate:,.0f} | teamsim makes {ratio(seconds, ours):.2f}x |")

    names = ("teamsim, pre-assigned", "teamsim, self-claim", "hand-written, a process an agent")
    sizes = (10, 100, 1000)
    print(f"\n| us/call in a mesh, 100 rounds | {' | '.join(f'n = {n}' for n in sizes)} | growth |")
    print("|---|---|---|---|---|")
    by_n = interleaved(
        {
            f"{name} {n}": run
            for n in sizes
            for name, run in (
                (names[0], simulator(n, 100, "decentralised", "pre_assigned")),
                (names[1], simulator(n, 100, "decentralised", "self_claim")),
                (names[2], process_an_agent(n, 100)),
            )
        },
        max(5, repeats // 3),
    )
    for name in names:
        cells = [f"{1e6 * statistics.median(by_n[f'{name} {n}']):.1f}" for n in sizes]
        growth = ratio(by_n[f"{name} 1000"], by_n[f"{name} 10"])
        print(f"| {name} | {' | '.join(cells)} | {growth:.2f}x |")

    print("\n| start-up | s |\n|---|---|")
    for what, command in {
        "`import simulator`": [sys.executable, "-c", "import simulator"],
        "`teamsim --help`": [sys.executable, "-m", "simulator.cli.main", "--help"],
    }.items():
        samples = []
        for _ in range(5):
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            samples.append(time.perf_counter() - started)
        print(f"| {what} | {statistics.median(samples):.2f} |")


if __name__ == "__main__":
    main()
