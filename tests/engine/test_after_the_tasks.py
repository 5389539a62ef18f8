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
