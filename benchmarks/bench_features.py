"""Microseconds per simulated call for each structure, protocol and workspace, against n.

    python benchmarks/bench_features.py

The shortest of three runs each; every row is one scenario at three team sizes, so that a cost
that grows with n shows.
"""

from __future__ import annotations

import time

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
coordination: {{protocol: {protocol}, timing: {timing}{more}}}
workload: {{kind: parallel_fraction, tasks: {tasks}, parallel_fraction: 1}}
workspace: {workspace}
resilience: {resilience}
"""

SIZES = (10, 100, 1000)

CASES: dict[str, dict[str, str]] = {
    "mesh, pre-assigned, rounds": {},
    "centralised": {"topology": "centralised"},
    "hierarchical": {"topology": "hierarchical"},
    "gossip": {"topology": "gossip"},
    "blackboard": {"topology": "blackboard"},
    "small world": {"topology": "small_world"},
    "self-claim from one queue, asynchronous": {
        "protocol": "{kind: self_claim, claims: immediate}",
        "timing": "asynchronous",
    },
    "work stealing, asynchronous": {"protocol": "work_stealing", "timing": "asynchronous"},
    "bounded staleness": {"timing": "bounded_staleness"},
    "lead-assign, centralised": {"topology": "centralised", "protocol": "lead_assign"},
    "three replicas and a vote": {"protocol": "{kind: replicate_and_vote, replicas: 3}"},
    "debates of three": {"protocol": "{kind: debate, debaters: 3, rounds: 1}"},
    "reviewed by peers, asynchronous": {
        "more": ", review: {by: peers, batch: 2}",
        "timing": "asynchronous",
    },
    "optimistic workspace": {"workspace": "optimistic"},
    "locks": {"workspace": "locks"},
    "quorum": {"workspace": "quorum"},
    "consensus": {"workspace": "consensus"},
    "time-outs, retries, hedges, a breaker": {
        "resilience": "{timeout: {seconds: 60}, retry: {}, hedge: {percentile: 0.95}, breaker: {}}"
    },
    "heartbeats, progress and backups, asynchronous": {
        "timing": "asynchronous",
        "resilience": "{detector: {progress_s: 100}, backup: {when_left: 0.02}}",
    },
    "two copies of each task, asynchronous": {
        "protocol": "redundancy",
        "timing": "asynchronous",
    },
}


def microseconds_per_call(n: int, **fields: str) -> float:
    """Return the cost of a call in a team of `n`."""
    said = {
        "topology": "decentralised",
        "protocol": "pre_assigned",
        "timing": "rounds",
        "workspace": "last_writer_wins",
        "more": "",
        "resilience": "{}",
        **fields,
    }
    simulation = Simulation(parse_study(SCENARIO.format(n=n, tasks=20 * n, **said)).base)
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        calls = simulation.run(0).calls
        best = min(best, (time.perf_counter() - started) / calls)
    return 1e6 * best


def main() -> None:
    """Print the table."""
    print("| us/call | " + " | ".join(f"n = {n}" for n in SIZES) + " |")
    print("|---|" + "---|" * len(SIZES))
    for name, fields in CASES.items():
        cells = " | ".join(f"{microseconds_per_call(n, **fields):.1f}" for n in SIZES)
        print(f"| {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
