"""Mechanisms that meet: what one of them ends, holds or waits for, the others are told.

All times are constant, so that each run can be counted by hand.
"""

from __future__ import annotations

from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Row, Trace
from tests.conftest import agent, run, scenario

ASYNC: dict[str, Any] = {"coordination__timing": "asynchronous"}
DEALT: dict[str, Any] = {"coordination": {"protocol": "pre_assigned", "timing": "asynchronous"}}
NO_SDK: dict[str, Any] = {"max_retries": 0}


def lasting(seconds: float, **fields: Any) -> dict[str, Any]:
    return agent(latency={"kind": "seconds", "base": seconds}, **fields)


def traced(**fields: Any) -> tuple[Metrics, list[Row]]:
    trace = Trace()
    return Simulation(scenario(**fields)).run(0, trace), trace.rows


def of_event(rows: list[Row], event: Event, outcome: str | None = None) -> list[Row]:
    return [row for row in rows if row.event is event and outcome in (None, row.outcome)]


# Sub-agents that nobody waits for, and limits of the provider.

ANY: dict[str, Any] = {"calls": 2, "wait_for": "any", "starts": {"agent": "helper"}}
LATE: dict[str, Any] = {"calls": 2, "timeout_s": 2, "starts": {"agent": "helper"}}


@pytest.mark.parametrize(("tool", "waited_s"), [(ANY, 4), (LATE, 2)])
def test_a_sub_agent_that_is_cancelled_frees_its_place_at_the_provider(
    tool: dict[str, Any], waited_s: float
) -> None:
    """Three loops of two turns; after the first, two helpers of 4 s are asked."""
    caller = lasting(1, loop={"turns": 2, "max_turns": 2}, tools={"ask": tool})
    metrics = run(
        **ASYNC,
        team={
            "size": 1,
            "agent": caller,
            "subagents": {"kinds": {"helper": lasting(4, loop={"turns": 1})}},
        },
        workload__tasks=3,
        provider={"concurrency": 2},
    )
    # As many places as helpers: nobody is ever refused, however many were cancelled before.
    assert (metrics.sub_agents, metrics.rate_limits) == (6, 0)
    assert metrics.makespan_s == 3 * (1 + waited_s + 1)


def test_a_sub_agent_that_is_cancelled_gives_back_what_it_did_not_write() -> None:
    """Helpers of 4 s reserve 1,000 tokens and would write 300; after 2 s they have written 150."""
    tokens = {"output": 300, "max_tokens": 1000}
    asks = {"starts": {"agent": "helper"}, "timeout_s": 2}
    metrics = run(
        **ASYNC,
        team={
            "size": 1,
            "agent": lasting(
                0, loop={"turns": 2, "max_turns": 2}, tokens={"output": 0}, tools={"ask": asks}
            ),
            "subagents": {
                "kinds": {"helper": lasting(4, loop={"turns": 1}, tokens=tokens)},
            },
        },
        workload__tasks=6,
        provider={"output_tokens_per_minute": 1850, "refunds_output": True},
    )
    # Five helpers leave 1,100 of the first 1,850, which is enough for the sixth.
    assert metrics.rate_limits == 0
    assert metrics.output_tokens == 6 * 150
