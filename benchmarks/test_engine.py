"""Microseconds a simulated call over team size, for every structure, protocol and workspace.

    python -m pytest benchmarks/test_engine.py          (a part of `make bench`)

A cost that grows with n shows in the rows of one case.
"""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import programs

SIZES = (10, 100, 1000)

CASES: dict[str, dict[str, str]] = {
    "mesh, pre-assigned, rounds": {},
    "mesh, pre-assigned, asynchronous": {"timing": "asynchronous"},
    "self-claim, rounds": {"protocol": "self_claim"},
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


def measure(benchmark: Any, run: programs.Program, n: int) -> None:
    """Time as many calls at each size: a few milliseconds may be one of the processor's bursts."""
    benchmark.pedantic(run, rounds=5, iterations=max(SIZES) // n)


# n varies fastest: what is held against each other is measured one after the other.
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("case", CASES)
def test_cost_of_a_call(benchmark: Any, case: str, n: int) -> None:
    run = programs.team(n, 20, **CASES[case])
    calls = run()
    benchmark.group = case
    benchmark.extra_info.update(kind="engine", case=case, n=n, calls=calls)
    measure(benchmark, run, n)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("tools", [False, True])
def test_cost_of_a_turn(benchmark: Any, tools: bool, n: int) -> None:
    run = programs.loops(n, 20, programs.TOOLS if tools else "{}")
    case = "loops of 20 turns, each with three tools and a queue" if tools else "loops of 20 turns"
    benchmark.extra_info.update(kind="engine", case=case, n=n, calls=run())
    measure(benchmark, run, n)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("make", [programs.process_an_agent, programs.tasks_in_a_store])
def test_cost_of_a_call_by_hand(benchmark: Any, make: Any, n: int) -> None:
    """How much dearer memory alone makes a call at n = 1000, with nothing of the model."""
    run = make(n, 20)
    what = {programs.process_an_agent: "rounds", programs.tasks_in_a_store: "asynchronous"}
    benchmark.extra_info.update(
        kind="engine", case=f"SimPy by hand, {what[make]}", n=n, calls=run()
    )
    measure(benchmark, run, n)
