"""What never acts changes nothing: limits beyond reach, faults that never come."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.errors import TeamsimError
from simulator.model.metrics import Metrics
from tests.builds import generated
from tests.conftest import agent, run

NEVER_S = 1e9
"""Longer than any run of these."""

INERT: dict[str, tuple[str, Any]] = {
    "a time-out": ("resilience.timeout", {"seconds": NEVER_S}),
    "a hedge": ("resilience.hedge", {"after_s": NEVER_S}),
    "no retries": ("resilience.retry", {"max_retries": 0}),
    "a breaker": ("resilience.breaker", {"minimum": 100_000, "window": 100_000}),
    "a checkpoint": ("resilience.checkpoint", {"every_s": NEVER_S}),
    "a bulkhead": ("resilience.bulkhead", {"team": 10**6}),
    "an election": (
        "resilience.election",
        {"timeout_s": {"kind": "uniform", "low": NEVER_S, "high": 2 * NEVER_S}},
    ),
    "places for all": ("provider.concurrency", 10**6),
    "a rate for all requests": ("provider.requests_per_minute", 1e12),
    "a rate for all input": ("provider.input_tokens_per_minute", 1e15),
    "a rate for all output": ("provider.output_tokens_per_minute", 1e15),
    "no errors": ("provider.errors", {"probability": 0.0}),
    "no outage": ("provider.outages", {"up_s": NEVER_S, "down_s": 1.0}),
    "slow phases as quick as others": (
        "provider.slow",
        {"factor": 1.0, "mean_normal_s": 50.0, "mean_slow_s": 50.0},
    ),
    "a deadline": ("limits.deadline_s", NEVER_S),
    "a budget": ("limits.budget_usd", 1e9),
    "no stragglers": ("team.agent.faults.slow", {"probability": 0.0}),
    "no crash": ("team.agent.faults.crash", {"up_s": NEVER_S}),
    "nobody Byzantine": ("team.agent.faults.byzantine", {"probability": 0.0}),
    "no partition": ("network.partitions", [{"at_s": NEVER_S, "duration_s": 1.0}]),
    "a fault of later": ("faults", [{"kind": "slow", "agent": 0, "at_s": NEVER_S, "factor": 3.0}]),
    "a loop of one turn": ("team.agent.loop", {"turns": 1}),
    "replies that hold all": ("team.agent.capacity", 1e9),
    "a cache for long": ("team.agent.context.cache", {"life_s": NEVER_S}),
}
"""Mechanisms that never act: where they are in a document, and how they are said."""

NOT_SAME = {"requests", "turns", "reason", "cache_write_tokens", "expired_tokens"}
"""What is counted only where a scenario says something of it."""


def with_inert(document: dict[str, Any], path: str, value: Any) -> dict[str, Any] | None:
    """Return a document with a mechanism that it has not; None where it has one."""
    found = copy.deepcopy(document)
    *parents, last = path.split(".")
    node = found
    for key in parents:
        if node.get(key) is None:
            node[key] = {}
        if not isinstance(node[key], dict):
            return None
        node = node[key]
    if last in node:
        return None
    node[last] = value
    return found


def differences(one: Metrics, other: Metrics) -> dict[str, tuple[object, object]]:
    """Return the metrics that differ by more than the order of a sum; how often, to the unit."""
    found: dict[str, tuple[object, object]] = {}
    for field in dataclasses.fields(Metrics):
        a, b = (dataclasses.asdict(each)[field.name] for each in (one, other))
        if isinstance(a, float) and math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12):
            continue
        if a != b and field.name not in NOT_SAME:
            found[field.name] = (a, b)
    return found


# A stuck team is ended by whatever wakes it, in however many years.
@pytest.mark.slow
@pytest.mark.parametrize(
    "numbers", [range(2), pytest.param(range(2, 60), marks=pytest.mark.thorough)]
)
def test_mechanisms_that_never_act_change_nothing(numbers: range) -> None:
    compared = 0
    for number in numbers:
        document = generated.document(number)
        document["limits"].update(max_calls=400, max_rounds=100)
        before = Simulation(generated.parse(document)).run(0)
        if before.outcome == "deadlock":
            continue
        for name, (path, value) in INERT.items():
            inert = with_inert(document, path, value)
            try:
                scenario = None if inert is None else generated.parse(inert)
            except TeamsimError:
                continue  # not in this scenario: a bulkhead for a team of groups, for example
            if scenario is not None:
                after = Simulation(scenario).run(0)
                assert differences(before, after) == {}, (number, name)
                compared += 1
    assert compared > len(numbers) * len(INERT) // 3


WAYS: list[dict[str, Any]] = [{}, {"resilience": {"timeout": {"seconds": NEVER_S}}}]
"""The two services: of requests that cannot fail, and of those that can."""


@pytest.mark.parametrize("way", WAYS)
def test_a_request_that_is_not_sent_again_is_no_retry(way: dict[str, Any]) -> None:
    # One request a minute. The second is refused at 1 s, and would be sent again at 60 s.
    m = run(
        coordination__timing="asynchronous",
        provider={"requests_per_minute": 1, "retry": {"lag": 0}},
        limits__deadline_s=50,
        **way,
    )
    assert (m.rate_limits, m.retries) == (1, 0)


AT_6_S: dict[str, Any] = {"kind": "slow", "agent": 0, "at_s": 6.0, "factor": 1.0}
"""Something that goes off, and changes nothing."""


@pytest.mark.parametrize("faults", [[], [AT_6_S]])
def test_a_round_that_spends_the_budget_is_made_to_its_end(faults: list[Any]) -> None:
    # Calls of 4 s and 10 s, each of 1 dollar: that of 4 s spends the budget, the round has 10 s.
    priced = agent(
        latency={"kind": "seconds", "base": 4},
        price={"output_per_mtok": 1e4},
        tokens={"output": 100, "message": 0},
    )
    slow = {**priced, "latency": {"kind": "seconds", "base": 10}}
    m = run(
        team={"groups": {"a": {"size": 1, "agent": priced}, "b": {"size": 1, "agent": slow}}},
        faults=faults,
        limits__budget_usd=0.5,
    )
    assert (m.outcome, m.makespan_s, m.tasks_done) == ("budget", 10.0, 2)
    assert m.cost_usd == pytest.approx(2.0)


def test_the_next_call_ends_a_run_of_as_many_as_may_be_made() -> None:
    # The second call begins at 5 s and ends at 10 s; what goes off in between ends nothing.
    m = run(
        team__agent=agent(latency={"kind": "seconds", "base": 5}),
        coordination__timing="asynchronous",
        faults=[AT_6_S],
        limits__max_calls=2,
    )
    assert (m.outcome, m.makespan_s, m.tasks_done) == ("max_calls", 10.0, 2)


def test_tokens_that_a_rounding_error_keeps_from_being_whole_are_paid_for() -> None:
    # Nine requests of 10 s, each given up after 4 s: two fifths of 100 tokens are written.
    m = run(
        team__agent=agent(
            latency={"kind": "seconds", "base": 10},
            tokens={"output": 100, "message": 0},
        ),
        workload__tasks=1,
        resilience={
            "timeout": {"seconds": 4},
            "retry": {"backoff": {"kind": "none"}},
            "fallback": {"partial": True},
        },
        provider__retry={"base_s": 0.1 / 3, "jitter": 0.7},
    )
    assert (m.timeouts, m.output_tokens) == (9, 9 * 40)
