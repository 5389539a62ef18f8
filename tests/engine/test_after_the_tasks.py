"""What follows once the tasks are done: the end of the run, aggregators, merges."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.model.trace import Event, Trace
from tests.conftest import agent, scenario

TWO = [{"id": "first"}, {"id": "second", "dependencies": ["first"]}]
LATENCY = {"kind": "seconds", "base": 10}


@pytest.mark.parametrize("way", ["plain", "stepwise"])
@pytest.mark.parametrize(
    "over", [{"resilience": {"enough": 0.5}}, {"limits": {"max_calls": 1}}], ids=["enough", "calls"]
)
def test_nobody_begins_a_call_as_the_run_ends(over: dict[str, Any], way: str) -> None:
    # The first task frees the second, for which the other agent would be woken.
    if way == "stepwise":
        over = {"provider": {"concurrency": 2}, **over}
    trace = Trace()
    m = Simulation(
        scenario(
            team={"size": 2, "agent": agent(latency=LATENCY)},
            topology={"kind": "independent", "aggregate": False},
            coordination={
                "protocol": {"kind": "self_claim", "claims": "immediate", "choice": "first"},
                "timing": "asynchronous",
            },
            workload={"kind": "dag", "tasks": TWO},
            **over,
        )
    ).run(0, trace)
    assert (m.makespan_s, m.tasks_done, m.calls) == (10.0, 1, 1)
    assert sum(row.event is Event.CALL_START for row in trace.rows) == 1


def cut_off_and_killed(resilience: dict[str, Any]) -> Any:
    """Return the row of three workers, of whom the last owes a merge from 23 s on, and dies then.

    It has done task 2, and task 3 as the others have; merging that takes 7 s.
    """
    return Simulation(
        scenario(
            team={"size": 3, "agent": agent(latency=LATENCY)},
            topology={"kind": "independent", "aggregate": False},
            coordination={
                "protocol": {"kind": "self_claim", "claims": "immediate", "choice": "first"},
                "timing": "asynchronous",
            },
            workload__tasks=6,
            workload__parallel_fraction=1.0,
            workspace={"kind": "last_writer_wins", "on_partition": "available", "merge_s": 7},
            network={"partitions": [{"at_s": 5, "duration_s": 18, "minority": 0.4}]},
            faults=[{"at_s": 24, "kind": "kill", "agent": 2}],
            resilience=resilience,
        )
    ).run(0)


def test_another_makes_the_merge_of_an_agent_that_is_found_dead() -> None:
    # Its last heartbeat is at 20 s, so that it is missed at 35 s.
    m = cut_off_and_killed({"detector": {"period_s": 5, "timeout_s": 15}})
    assert (m.outcome, m.makespan_s, m.tasks_done) == ("completed", 42.0, 6)
    assert (m.merges, m.coordination_s) == (1, 7.0)


def test_a_run_says_whose_merge_it_lacks() -> None:
    m = cut_off_and_killed({})
    assert (m.outcome, m.makespan_s) == ("deadlock", 30.0)
    assert m.reason.endswith("all tasks are done; agent 2 has a merge to make")


def test_a_run_says_that_it_lacks_the_call_of_its_aggregator() -> None:
    m = Simulation(
        scenario(
            team={"size": 2, "agent": agent(latency=LATENCY)},
            topology="independent",
            coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
            workload__tasks=2,
            faults=[{"at_s": 1, "kind": "kill", "agent": "coordinator"}],
        )
    ).run(0)
    assert (m.outcome, m.tasks_done) == ("deadlock", 2)
    assert m.reason.endswith("all tasks are done; the aggregator has not made its call")
