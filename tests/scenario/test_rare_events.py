"""A scenario's rare events are found, with their chances; common or harmless events are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.distributions import DISTRIBUTIONS, Distribution
from simulator.engine import Simulation
from simulator.model.metrics import NUMERIC_METRICS
from simulator.scenario import Scenario
from simulator.scenario.loop import LoopSpec
from simulator.scenario.rare_events import (
    REPLICATIONS,
    RareEvent,
    RareOnset,
    endless_tails,
    rare_events,
    rare_tail,
)
from tests.conftest import agent, scenario

NEGLIGIBLE = 0.005

PLAIN = {"kind": "lognormal", "median": 10, "sigma": 0.3}


def lasting(base: Any) -> dict[str, Any]:
    return {"kind": "seconds", "base": base}


def mixture(weight: float, rare: Any, common: Any = PLAIN) -> dict[str, Any]:
    parts = [
        {"weight": 1.0 - weight, "distribution": common},
        {"weight": weight, "distribution": rare},
    ]
    return {"kind": "mixture", "components": parts}


def made(said: dict[str, Any]) -> Distribution:
    return DISTRIBUTIONS.get(said["kind"])(**said)


AGENT = "team.agent"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"faults": {"slow": {"probability": 0.001}}}, ("faults.slow", 0.001, "calls")),
        ({"faults": {"stall": 0.002}}, ("faults.stall", 0.002, "calls")),
        ({"faults": {"malformed": 0.003}}, ("faults.malformed", 0.003, "calls")),
        ({"errors": {"probability": 0.004}}, ("errors.probability", 0.004, "attempts")),
        ({"errors": {"probability": 0.997}}, ("errors.probability", 0.003, "attempts")),
        (
            {"errors": {"probability": 0.3, "detection": 0.99}},
            ("errors.detection", 0.003, "attempts"),
        ),
        (
            {"faults": {"byzantine": {"probability": 0.01}}},
            ("faults.byzantine", 0.01, REPLICATIONS),
        ),
        ({"latency": lasting(mixture(0.001, 4000))}, ("latency.base", 0.001, "calls")),
        (
            {"faults": {"slow": {"probability": 0.5, "factor": mixture(0.01, 500, 2)}}},
            ("faults.slow.factor", 0.01, "slow_calls"),
        ),
    ],
)
def test_what_seldom_befalls_agents_is_found(
    fields: dict[str, Any], expected: tuple[str, float, str]
) -> None:
    path, probability, column = expected
    found = rare_events(scenario(team__agent=agent(**fields)), NEGLIGIBLE)
    event = next(each for each in found if each.path == f"{AGENT}.{path}")
    assert isinstance(event, RareEvent)
    assert event.probability == pytest.approx(probability, rel=0.1)
    assert event.column == column


def test_what_seldom_befalls_all_is_found() -> None:
    rough = scenario(
        provider={
            "errors": {"probability": 0.01},
            "outages": {"up_s": {"kind": "exponential", "mean": 1e5}, "down_s": 100},
            "slow": {"factor": 5, "mean_normal_s": 1e5, "mean_slow_s": 100},
        },
        network={"loss": 0.01, "delay_s": mixture(0.001, 500, 0.1)},
    )
    found = {each.path: each for each in rare_events(rough, NEGLIGIBLE)}
    assert set(found) == {
        "provider.errors",
        "provider.outages",
        "provider.slow",
        "network.loss",
        "network.delay_s",
    }
    columns = {"requests", "makespan_s", "deliveries"}
    assert {each.column for each in found.values()} == columns
    assert columns <= set(NUMERIC_METRICS)


def test_a_plain_scenario_has_no_rare_events() -> None:
    assert rare_events(scenario(team__agent=agent(latency=lasting(PLAIN))), NEGLIGIBLE) == []


def test_groups_share_the_chances() -> None:
    usual, weak = agent(), agent(faults={"stall": 0.01, "byzantine": {"probability": 0.01}})
    team = {"groups": {"usual": {"size": 6, "agent": usual}, "weak": {"size": 2, "agent": weak}}}
    mixed = Scenario.model_validate({**scenario().model_dump(exclude={"team"}), "team": team})
    stall, byzantine = rare_events(mixed, NEGLIGIBLE)
    columns = {"calls": np.array([50.0, 30.0])}
    assert stall.expected(columns, 2) == pytest.approx(0.01 * 80 * 2 / 8)
    assert byzantine.expected(columns, 2) == pytest.approx(0.01 * 2 * 2)


def test_a_crash_has_as_many_chances_as_there_are_agents_and_time() -> None:
    up_s = {"kind": "exponential", "mean": 1000.0}
    crashing = agent(faults={"crash": {"up_s": up_s, "repair_s": 5}})
    (crash,) = rare_events(scenario(team__agent=crashing, team__size=3), NEGLIGIBLE)
    assert isinstance(crash, RareOnset)
    expected = 3 * (2.0 - np.exp(-0.1) - np.exp(-0.3))
    assert crash.expected({"makespan_s": np.array([100.0, 300.0])}, 2) == pytest.approx(expected)


def test_a_spread_between_runs_has_one_chance_a_run() -> None:
    spread = agent(latency=lasting({**PLAIN, "run_sigma": 1.5}))
    (event,) = rare_events(scenario(team__agent=spread), NEGLIGIBLE)
    assert (event.path, event.column) == (f"{AGENT}.latency.base.run_sigma", REPLICATIONS)


@pytest.mark.parametrize(
    ("said", "probability"),
    [
        (PLAIN, 0.0),
        ({"kind": "exponential", "mean": 5}, 0.0),
        ({"kind": "lognormal", "median": 10, "sigma": 1}, 0.0),
        ({"kind": "empirical", "values": [1, 2, 3, 4, 5]}, 0.0),
        ({"kind": "empirical", "values": [1, 2, 400], "weights": [500, 499, 1]}, 0.001),
        (mixture(0.001, 4000), 0.001),
        (mixture(0.001, {**PLAIN, "median": 4000}), 0.001),
        (mixture(0.1, mixture(0.01, 3000)), 0.001),
        (mixture(0.001, 10), 0.0),
        (mixture(0.3, 4000), 0.0),
        ({**mixture(0.001, 4000), "at_most": 100}, 0.0),
        ({"kind": "lognormal", "median": 10, "sigma": 2}, 2e-4),
    ],
)
def test_the_rare_tail_of_a_distribution(said: dict[str, Any], probability: float) -> None:
    found, carried = rare_tail(made(said))
    assert found == pytest.approx(probability, rel=0.1)
    assert 0.0 <= carried < 1.0


def test_the_share_of_the_mean_in_a_tail() -> None:
    _, carried = rare_tail(made(mixture(0.001, 4000, 10)))
    assert carried == pytest.approx(4.0 / (0.999 * 10 + 4.0), rel=0.05)


def test_a_tail_that_cannot_matter_is_not_waited_for() -> None:
    harmless = agent(latency=lasting(mixture(1e-8, 100)))
    assert rare_events(scenario(team__agent=harmless), NEGLIGIBLE) == []


@pytest.mark.parametrize(
    ("said", "is_endless"),
    [
        ({"kind": "pareto", "shape": 2, "minimum": 1}, True),
        ({"kind": "pareto", "shape": 2.1, "minimum": 1}, False),
        ({"kind": "pareto", "shape": 1.5, "minimum": 1, "at_most": 1e4}, False),
        ({"kind": "burr12", "c": 1.5, "d": 1.2, "scale": 1}, True),
        ({"kind": "inverse_gamma", "shape": 1.9, "scale": 1}, True),
        ({"kind": "log_logistic", "shape": 2, "median": 1}, True),
        ({"kind": "scipy", "name": "halfcauchy"}, True),
        ({"kind": "scipy", "name": "invgauss", "shapes": {"mu": 0.5}}, False),
        (mixture(0.1, {"kind": "pareto", "shape": 1.5, "minimum": 1}), True),
        (mixture(0.1, {"kind": "pareto", "shape": 1.5, "minimum": 1, "at_most": 9}), False),
        (PLAIN, False),
    ],
)
def test_tails_without_variance_are_known(said: dict[str, Any], is_endless: bool) -> None:
    found = endless_tails(scenario(team__agent=agent(latency=lasting(said))))
    assert found == [f"{AGENT}.latency.base"] * is_endless


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "gamma", "shape": 2, "scale": 3, "shift": 1.0, "at_most": 9.0},
        {"kind": "pareto", "shape": 2, "minimum": 1, "at_least": 2.0},
        {**mixture(0.2, 50), "shift": 3.0},
    ],
)
def test_the_probability_up_to_a_value_is_the_share_of_draws(said: dict[str, Any]) -> None:
    distribution = made(said)
    draws = distribution.transform((np.arange(100_000) + 0.5) / 100_000)
    for x in np.quantile(draws, [0.1, 0.5, 0.9]) + 1e-9:
        share = float(distribution.probability_up_to(np.asarray(x)))
        assert share == pytest.approx((draws <= x).mean(), abs=1e-4)


def test_what_befalls_sub_agents_has_a_chance_with_each_of_them() -> None:
    kind = agent(
        loop={"turns": 3},
        latency=lasting(mixture(0.001, 500)),
        faults={"stall": 0.002, "crash": {"up_s": 4000, "repair_s": 1}},
        tools={"read": {"errors": 0.003}},
    )
    starts = {"ask": {"starts": {"agent": "helper"}, "calls": 4}}
    each = scenario(
        team={
            "size": 1,
            "agent": agent(loop={"turns": 2}, tools=starts),
            "subagents": {"kinds": {"helper": kind, "other": agent()}},
        },
        resilience={"timeout": {"seconds": 900}},
    )
    path = "team.subagents.kinds.helper"
    found = {event.path: event for event in rare_events(each, NEGLIGIBLE)}
    for name, probability in (
        ("faults.stall", 0.002),
        ("tools.read.errors", 0.003),
        ("latency.base", 0.001),
    ):
        event = found[f"{path}.{name}"]
        assert isinstance(event, RareEvent)
        assert event.column == "sub_agents"
        assert event.probability == pytest.approx(probability, rel=0.1)
        assert event.expected({"sub_agents": np.array([40.0, 60.0])}, 2) == pytest.approx(
            100 * 0.5 * event.probability
        )
    crash = found[f"{path}.faults.crash"]
    assert isinstance(crash, RareOnset)
    assert crash.expected({"sub_agent_s": np.array([100.0, 5000.0])}, 2) == 1.0


def test_calls_of_sub_agents_are_no_chances_of_the_team() -> None:
    tools = {"read": {"calls": 2, "probability": 0.5}, "write": {"weight": 1}, "run": {"weight": 3}}
    kind = agent(loop={"turns": {"kind": "uniform", "low": 4, "high": 8}}, tools=tools)
    who = agent(
        loop={"turns": 3},
        latency=lasting(mixture(0.001, 500)),
        faults={"stall": 0.002},
        tools={"ask": {"starts": {"agent": "helper"}, "calls": 4}, "test": {"errors": 0.003}},
    )
    said = {"size": 2, "agent": who, "subagents": {"kinds": {"helper": kind}}}
    each = scenario(team=said, resilience={"timeout": {"seconds": 900}}, workload__tasks=40)
    found = {event.path: event for event in rare_events(each, NEGLIGIBLE)}
    metrics = [Simulation(each).run(i) for i in range(3)]
    seen = {
        name: np.asarray([getattr(m, name) for m in metrics], dtype=float)
        for name in ("calls", "attempts", "sub_agents")
    }
    # Each task is a loop of three turns, after two of which come four sub-agents and a test; those
    # that stalls and errors add are not so many.
    for path, probability, chances in (
        (f"{AGENT}.faults.stall", 0.002, 3 * 40 * 3),
        (f"{AGENT}.latency.base", 0.001, 3 * 40 * 3),
        (f"{AGENT}.tools.test.errors", 0.003, 3 * 40 * 2 * 5),
    ):
        event = found[path]
        assert isinstance(event, RareEvent)
        # Each of three runs has some attempts more than its 40 tasks.
        assert event.expected(seen, 3) == pytest.approx(probability * chances, rel=0.1)
    # Sub-agents make 8 times as many calls, of which none is a chance of the team's.
    assert seen["calls"].sum() > 8 * 3 * 40 * 3


def test_with_sub_agents_every_kind_of_the_team_has_its_own_calls_for_chances() -> None:
    quick = agent(loop={"turns": 2}, tools={"ask": {"starts": {"agent": "helper"}}}, batch=2)
    groups = {name: {"size": n, "agent": quick} for name, n in (("a", 1), ("b", 3))}
    stalls = {"faults": {"stall": 0.01}}
    groups["b"]["agent"] = {**quick, **stalls}
    kinds = {"helper": agent(loop={"turns": 5})}
    team = {"groups": groups, "coordinator": {**agent(loop={"turns": 4}), **stalls},
            "subagents": {"kinds": kinds}}  # fmt: skip
    each = scenario(team=team, topology="centralised", coordination__protocol="lead_assign",
                    resilience={"timeout": {"seconds": 900}})  # fmt: skip
    found = {event.path: event for event in rare_events(each, NEGLIGIBLE)}
    seen = {"attempts": np.asarray([80.0]), "coordination_calls": np.asarray([30.0])}
    for path, chances in (("team.groups.b.agent", 80 / 2 * 0.75 * 2), ("team.coordinator", 30 * 4)):
        assert found[f"{path}.faults.stall"].expected(seen, 1) == pytest.approx(0.01 * chances)


@pytest.mark.parametrize(
    ("said", "mean"),
    [
        ({"turns": 5}, 5.0),
        ({"turns": 0.2}, 1.0),
        ({"turns": {"kind": "uniform", "low": 0.5, "high": 8.5}, "max_turns": 4}, 3.25),
        ({"end_probability": 0.25}, 4.0),
        ({"end_probability": 0.5, "max_turns": 2}, 1.5),
        ({"work_per_turn": 0.4}, 3.0),
    ],
)
def test_the_mean_number_of_turns(said: dict[str, Any], mean: float) -> None:
    assert LoopSpec.model_validate(said).mean_turns(1.0) == pytest.approx(mean, rel=2e-3)
