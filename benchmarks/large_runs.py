"""Large runs: what they take, and whether memory grows.

    python -m benchmarks.large_runs [--quick]
    python -m benchmarks.large_runs --growth

One replication of 10,000 agents and 1,000,000 tasks; 200,000 replications of the quickstart;
1,000,000 replications of a small team. Prints time, and the resident memory of the largest process
at each quarter of a sweep. Takes some ten minutes on two cores.

With `--growth`, the processor time of 10,000 agents that make more and more calls, up to a million,
and the slope of its logarithm over that of the calls: 1 if each call takes as long as those before.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from benchmarks import programs
from simulator.experiment.pool import default_workers
from simulator.experiment.runner import sweep_into
from simulator.scenario import Study, load_study, parse_study

QUICKSTART = Path(__file__).parents[1] / "scenarios" / "quickstart.yaml"

SMALL = """
name: small
replications: {each}
team: {{size: 2, agent: {{latency: {{kind: seconds, base: {{kind: exponential, mean: 8}}}}}}}}
topology: decentralised
coordination: {{protocol: pre_assigned}}
workload: {{kind: parallel_fraction, tasks: 4, parallel_fraction: 1}}
sweep: {{team.size: [1, 2, 3, 4]}}
"""


QUIET = "{message: 0}"
"""What agents tell each other: of ten thousand, the messages of all would fit no context."""


def resident_mb() -> float:
    """Return the memory of the largest process of this program, in megabytes."""
    pids = ["self", *(str(child.pid) for child in multiprocessing.active_children())]
    found = []
    for pid in pids:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:  # it has just ended
            continue
        lines = [line for line in status.splitlines() if line.startswith("VmRSS")]
        found += [int(line.split()[1]) / 1000 for line in lines]
    return max(found)


def sweep(name: str, study: Study) -> None:
    """Run a sweep and print how long it took, and its memory by quarters."""
    peaks, quarter, over = [0.0] * 4, [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            peaks[quarter[0]] = max(peaks[quarter[0]], resident_mb())

    def progress(done: int, total: int) -> None:
        quarter[0] = min(3, 4 * done // total)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with tempfile.TemporaryDirectory() as directory:
        started = time.perf_counter()
        count = sweep_into(Path(directory) / "out", study, default_workers(), progress)
        seconds = time.perf_counter() - started
    over.set()
    watcher.join()
    by_quarter = ", ".join(f"{peak:,.0f}" for peak in peaks)
    print(f"| {name}, {count:,} replications | {seconds:,.0f} s, {count / seconds:,.0f}/s "
          f"| {by_quarter} MB |", flush=True)  # fmt: skip


def team() -> None:
    """Run one replication of 10,000 agents and 1,000,000 tasks in this process."""
    run = programs.team(10_000, 100, timing="asynchronous", tokens=QUIET)
    started = time.perf_counter()
    calls = run()
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"| 10,000 agents, {calls:,} calls | {seconds:,.0f} s, {calls / seconds:,.0f} calls/s "
          f"| {peak:,.0f} MB |", flush=True)  # fmt: skip


def growth(times: int = 2) -> None:
    """Print the processor time of 10,000 agents over the number of their calls, and its slope."""
    each = (13, 25, 50, 100)
    runs = [programs.team(10_000, tasks, timing="asynchronous", tokens=QUIET) for tasks in each]
    seconds, calls = np.full(len(each), np.inf), np.zeros(len(each))
    for _ in range(times):  # in turns, since machines are noisy
        for i, run in enumerate(runs):
            started = time.process_time()
            calls[i] = run()
            seconds[i] = min(seconds[i], time.process_time() - started)
    print("| calls | CPU s | us/call |\n|---:|---:|---:|")
    for count, taken in zip(calls, seconds, strict=True):
        print(f"| {count:,.0f} | {taken:.2f} | {1e6 * taken / count:.1f} |")
    slope = np.polyfit(np.log(calls), np.log(seconds), 1)[0]
    print(f"\nslope of log time over log calls: {slope:.3f}", flush=True)


def main() -> None:
    """Run them all and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a hundredth of each sweep")
    parser.add_argument("--growth", action="store_true", help="only time over calls")
    parser.add_argument("--team", action="store_true", help="only the large team")
    arguments = parser.parse_args()
    if arguments.team:
        team()
        return
    if arguments.growth:
        growth()
        return
    part = 100 if arguments.quick else 1
    print("| run | time | resident memory, each quarter |\n|---|---|---|", flush=True)
    # Apart: its memory is not to be counted with the others.
    subprocess.run([sys.executable, "-m", "benchmarks.large_runs", "--team"], check=True)
    each = 200_000 // len(load_study(QUICKSTART).points) // part
    sweep("quickstart", load_study(QUICKSTART, [f"replications={each}"]))
    small = parse_study(SMALL.format(each=1_000_000 // 4 // part))
    sweep("a small team", small)


if __name__ == "__main__":
    main()
