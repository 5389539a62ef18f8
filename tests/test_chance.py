"""Whether a scenario has chance, so that runs that were alike may not all be."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from analysis.decisions.chaos import NONE, chaos
from analysis.decisions.comparison_words import same_runs_note
from analysis.decisions.side_by_side import compare
from analysis.report.answer import answer
from analysis.statistics.chance import are_sure, does_any_vary, varying
from simulator.cli.chaos_table import notes_on_alike
from simulator.cli.same_values import same_in_all
from simulator.experiment import run_each
from simulator.model.metrics import NUMERIC_METRICS
from simulator.scenario import Scenario
from simulator.scenario.chance import has_chance

ALIKE = {name: np.zeros(5) for name in (*NUMERIC_METRICS, "replication")}
"""Five runs without anything that differs."""


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
    assert not has_chance(sure(precision={"relative": 0.1}))


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
        sure(agent={"behaviour": {"claim_blindness": 1}}),  # who takes any of several tasks
        sure(workspace={"kind": "consensus", "ack_loss": 1e-9}),
    ],
)
def test_little_chance_is_chance(scenario: Scenario) -> None:
    assert has_chance(scenario)


def test_random_links_are_chance_of_a_plugin() -> None:
    assert same_in_all(sure(), ALIKE, ["calls"]) == []
    links = sure(topology={"kind": "random", "density": 0.5})
    assert same_in_all(links, ALIKE, ["calls"]) == ["calls"]


def test_peers_probes_and_orders_are_drawn() -> None:
    assert are_sure(sure(), ALIKE)
    assert not are_sure(sure(topology={"kind": "gossip", "peers": 1}), ALIKE)
    assert are_sure(sure(workspace={"kind": "locks"}), ALIKE)
    assert not are_sure(sure(workspace={"kind": "locks", "order": "chosen"}), ALIKE)
    assert are_sure(sure(workspace={"kind": "quorum"}), ALIKE)
    assert not are_sure(sure(workspace={"kind": "quorum", "read": 1}), ALIKE)
    assert are_sure(sure(resilience={"detector": {}}), ALIKE)
    assert not are_sure(sure(resilience={"detector": {"kind": "swim"}}), ALIKE)


@pytest.mark.parametrize(
    ("said", "is_sure"),
    [
        ({"retry": {}}, False),  # by default with jitter
        ({"retry": {"backoff": {"kind": "exponential", "base_s": 20, "cap_s": 60}}}, True),
        ({"retry": {"backoff": {"kind": "none"}}}, True),
    ],
)
@pytest.mark.parametrize("timeout_s", [1, 3])
def test_waits_that_are_drawn_are_chance_where_requests_come_to_nothing(
    said: dict[str, Any], is_sure: bool, timeout_s: float
) -> None:
    provider = {"retry": {"jitter": 0, "lag": 0}}
    scenario = sure(
        2,
        provider=provider,
        resilience={"timeout": {"seconds": timeout_s}, **said},
        limits={"deadline_s": 1.01},
    )
    # Of requests of 2 s, all time out after 1 s, or none does. The end follows soon.
    with warnings.catch_warnings(action="ignore"):
        rows = run_each([scenario], 3).to_pandas()
    assert varying(rows) == set()
    assert are_sure(scenario, rows) is (is_sure or timeout_s == 3)
    words = " ".join(
        answer(rows.assign(point_name="a", baseline_point=None), lambda _: scenario)[1].words
    )
    assert ("further runs are the same" in words) is (is_sure or timeout_s == 3)


def test_the_waits_of_clients_and_of_commits_are_drawn_too() -> None:
    refused = {**ALIKE, "rate_limits": np.ones(5)}
    assert are_sure(sure(), ALIKE)
    assert not are_sure(sure(), refused)
    assert are_sure(sure(provider={"retry": {"jitter": 0, "lag": 0}}), refused)
    assert are_sure(sure(workspace="optimistic"), ALIKE)
    shy = {"kind": "optimistic", "backoff": {"kind": "equal_jitter"}}
    assert not are_sure(sure(workspace=shy), ALIKE)


@pytest.mark.parametrize(
    ("protocol", "is_random"),
    [
        ("pre_assigned", False),
        ("lead_assign", False),
        ("self_claim", True),
        ({"kind": "self_claim", "choice": "random"}, True),
        ({"kind": "self_claim", "choice": "first"}, False),
        ({"kind": "self_claim", "noise": 0}, False),
    ],
)
def test_a_protocol_by_which_agents_choose_is_chance(protocol: object, is_random: bool) -> None:
    said = sure(coordination={"protocol": protocol}, topology="centralised")
    assert same_in_all(said, ALIKE, ["calls"]) == (["calls"] if is_random else [])


def test_chaos_says_that_runs_may_differ_only_of_faults_that_are_drawn() -> None:
    table = chaos(sure(), 3)
    is_sure = table.set_index(["fault", "patterns"])["is_sure"]
    assert is_sure["one worker is lost", NONE]
    assert not is_sure["5 % of requests fail", NONE]
    exact = table[table["is_sure"] & (table["completed"] == 1.0)]
    assert (exact["makespan_low"] == exact["makespan_high"]).all()
    assert (exact["extra_tokens_low"] == exact["extra_tokens_high"]).all()
    drawn, known = notes_on_alike(table, 3)
    assert "up to 63 % of further ones may end otherwise" in drawn
    assert "one worker is lost" in known
    assert "5 % of requests fail" not in known
    assert notes_on_alike(table[table["is_sure"]], 3) == []


def test_what_is_not_known_of_all_runs_is_no_difference_between_them() -> None:
    rows = run_each([sure()], 3).to_pandas()
    assert rows["cost_usd"].isna().all()
    assert varying(rows) == set()
    assert not does_any_vary(rows)
    costs = rows.assign(cost_usd=[1.0, 1.0, np.nan])
    assert varying(costs) == {"cost_usd"}
    assert does_any_vary(costs)


@pytest.mark.parametrize(("latency", "is_sure"), [(1, True), (rarely(1, 2), False)])
def test_a_report_hedges_equal_runs_only_where_there_is_chance(
    latency: object, is_sure: bool
) -> None:
    said = sure(latency)
    rows = run_each([said], 3).to_pandas().assign(point_name="a", baseline_point=None)
    assert varying(rows) == set()
    words = " ".join(answer(rows, lambda point: said)[1].words)
    assert ("further runs may fail" in words) is not is_sure
    assert ("may take another time" in words) is not is_sure
    assert ("further runs are the same" in words) is is_sure


def test_teams_without_chance_are_sure_to_be_the_same() -> None:
    rows = run_each([sure()], 3).to_pandas()
    assert are_sure(sure(), rows)
    assert not are_sure(sure(), rows[:1])  # one run shows nothing
    found = compare({"a": rows, "b": rows})
    assert same_runs_note(found, {"a"}) == same_runs_note(found) != []
    assert same_runs_note(found, {"a", "b"}) == []
