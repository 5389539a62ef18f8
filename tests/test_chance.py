"""Whether a scenario has chance, so that runs that were alike may not all be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.cli.same_values import same_in_all
from simulator.model.metrics import NUMERIC_METRICS
from simulator.scenario import Scenario
from simulator.scenario.chance import has_chance


def sure(latency: object = 1, agent: dict[str, Any] | None = None, **fields: Any) -> Scenario:
    """Return a scenario without chance but for what is given."""
    said: dict[str, Any] = {
        "name": "sure",
        "team": {
            "size": 2,
            "agent": {"latency": {"kind": "seconds", "base": latency}, **(agent or {})},
        },
        "topology": {"kind": "independent", "aggregate": False},
        "coordination": {"protocol": "pre_assigned"},
        "workload": {"kind": "parallel_fraction", "tasks": 4, "parallel_fraction": 0.5},
    }
    return Scenario.model_validate(said | fields)


def rarely(value: float, other: float) -> dict[str, Any]:
    parts = [(0.999, value), (0.001, other)]
    return {
        "kind": "mixture",
        "components": [
            {"weight": weight, "distribution": {"kind": "deterministic", "value": each}}
            for weight, each in parts
        ],
    }


def test_a_scenario_without_chance_has_none() -> None:
    assert not has_chance(sure())
    assert not has_chance(sure(agent={"errors": {"probability": 0}}))


@pytest.mark.parametrize(
    "scenario",
    [
        sure(rarely(1, 100)),
        sure(rarely(1, 1.5)),
        sure(rarely(3, 1)),
        sure({"kind": "deterministic", "value": 1, "agent_sigma": 1e-9}),
        sure(agent={"behaviour": {"talk": 0.999}}),
        sure(agent={"context": {"cache_miss": 1e-6}}),
        sure(agent={"errors": {"probability": 1e-9}}),
    ],
)
def test_little_chance_is_chance(scenario: Scenario) -> None:
    assert has_chance(scenario)


def test_random_links_are_chance_of_a_plugin() -> None:
    alike = {name: np.ones(5) for name in (*NUMERIC_METRICS, "replication")}
    assert same_in_all(sure(), alike, ["calls"]) == []
    links = sure(topology={"kind": "random", "density": 0.5})
    assert same_in_all(links, alike, ["calls"]) == ["calls"]


@pytest.mark.parametrize(
    ("protocol", "is_random"),
    [("pre_assigned", False), ("lead_assign", False), ("self_claim", True)],
)
def test_a_protocol_by_which_agents_choose_is_chance(protocol: str, is_random: bool) -> None:
    alike = {name: np.ones(5) for name in [*NUMERIC_METRICS, "replication"]}
    said = sure(coordination={"protocol": protocol}, topology="centralised")
    assert same_in_all(said, alike, ["calls"]) == (["calls"] if is_random else [])
