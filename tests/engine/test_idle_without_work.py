"""An idle call is one that takes no task although there is one: who finds none waits."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.model.trace import Event, Trace
from tests.conftest import agent, run, scenario

PROTOCOLS: list[dict[str, Any]] = [
    {"kind": "pre_assigned"},
    {"kind": "self_claim"},
    {"kind": "self_claim", "claims": "immediate"},
    {"kind": "work_stealing"},
    {"kind": "shortest_queue"},
    {"kind": "pipeline"},
    {"kind": "redundancy"},
    {"kind": "replicate_and_vote", "replicas": 2},
    {"kind": "debate", "rounds": 1},
]
SLUGGISH = agent(behaviour={"idle": 0.5, "talk": 0})
DEFERENT = agent(behaviour={"deference": 0.5, "talk": 0})


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda each: "-".join(map(str, each.values())))
@pytest.mark.parametrize(("n", "worker"), [(1, SLUGGISH), (3, SLUGGISH), (3, DEFERENT)])
def test_nobody_calls_before_there_is_a_task(
    protocol: dict[str, Any], n: int, worker: dict[str, Any]
) -> None:
    # One task every 1,000 s, calls of 1 s: all calls begin while a task is there and not done.
    trace = Trace()
    each = scenario(
        team={"size": n, "agent": worker},
        coordination={"protocol": protocol, "timing": "asynchronous"},
        workload={"kind": "arrivals", "tasks": 30, "interarrival_s": 1000},
    )
    m = Simulation(each).run(0, trace)
    left = 0
    for row in trace.rows:
        left += row.event is Event.TASK_READY
        left -= row.event is Event.ATTEMPT and row.outcome == "done"
        assert left or row.event is not Event.CALL_START
    defers = worker is SLUGGISH or protocol["kind"] == "self_claim"  # else nobody chooses
    assert (m.idle_calls > 5) == defers
    assert m.tasks_done == 30


def test_one_who_is_dealt_nothing_makes_no_call() -> None:
    m = run(
        team={"size": 2, "agent": SLUGGISH},
        coordination={"protocol": "pre_assigned", "timing": "rounds", "idle_agents": "wait"},
        workload__tasks=1,
    )
    assert m.calls == m.idle_calls + 1 == m.rounds


def test_workers_who_are_given_nothing_are_not_called() -> None:
    # Of five workers only one has the one task; the others are never called.
    m = run(
        team={"size": 5, "agent": SLUGGISH},
        topology="centralised",
        coordination={"protocol": "lead_assign", "timing": "rounds"},
        workload__tasks=1,
    )
    assert m.calls - m.coordination_calls == m.idle_calls + 1


def test_in_rounds_in_which_all_call_who_finds_no_task_calls_idly() -> None:
    m = run(team={"size": 2, "agent": SLUGGISH}, coordination__protocol="pre_assigned")
    assert m.calls == 2 * m.rounds
