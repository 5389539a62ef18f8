"""Every field that an agent may have, in its role, changes numbers, and every other is refused."""

from __future__ import annotations

import json

import pytest

from simulator import Simulation
from simulator.errors import ScenarioError
from simulator.scenario import Scenario
from simulator.scenario.loading import parse_study
from simulator.scenario.roles import (
    COORDINATOR,
    FALLBACK_MODEL,
    SUBAGENT,
    VERIFIER,
    Role,
    drop_lacking,
    heirs_in,
)
from tests.golden.options import of_schema
from tests.scenario.agent_fields import AGENT, CHANGES, LOOP, WINDOW, Fields, at, merged

REVIEW = {"review": {"by": "coordinator", "miss": 0.2, "false_alarm": 0.1}}
BY_VERIFIERS = {"review": {"by": "verifiers", "verifiers": 2, "miss": 0.2, "false_alarm": 0.1}}
ROUNDS = {"timing": "rounds"}
PEERS = {"topology": {"kind": "decentralised"}}
VOTE = {"protocol": {"kind": "replicate_and_vote"}}
OUTPUT_LIMIT = {"provider": {"output_tokens_per_minute": 20_000}}
BREAKERS = {"resilience": {"breaker": {"minimum": 2, "failure_rate": 0.2, "open_s": 40.0}}}
FAILS = {"faults": {"malformed": 0.5}}
HANGS = {"faults": {"stall": 0.5}}

PLACES: dict[str, tuple[tuple[str, ...], tuple[Fields, ...]]] = {
    "worker": (
        ("team", "agent"),
        ({}, {"coordination": ROUNDS, **PEERS}, PEERS, {"coordination": VOTE}, OUTPUT_LIMIT),
    ),
    "coordinator": (
        ("team", "coordinator"),
        (
            {"coordination": REVIEW},
            {"coordination": {**ROUNDS, **REVIEW}},
            {"coordination": {"protocol": {"kind": "lead_assign"}}},
            {"coordination": REVIEW, "team": {"agent": LOOP}},
            {"coordination": REVIEW, **OUTPUT_LIMIT},
            {"coordination": REVIEW, "team": {"agent": HANGS}, **BREAKERS},
        ),
    ),
    "verifier": (
        ("team", "verifier"),
        (
            {"coordination": BY_VERIFIERS},
            {"coordination": {**ROUNDS, **BY_VERIFIERS}},
            {"coordination": BY_VERIFIERS, **OUTPUT_LIMIT},
            {"coordination": BY_VERIFIERS, "team": {"agent": HANGS}, **BREAKERS},
        ),
    ),
    "sub-agent": (
        ("team", "subagents", "kinds", "asked"),
        (
            {},
            OUTPUT_LIMIT,
            {"team": {"agent": HANGS}, **BREAKERS},
        ),
    ),
    "fallback model": (
        ("resilience", "fallback", "model"),
        (
            {"resilience": {"retry": {"max_retries": 0}}, "team": {"agent": FAILS}},
            {"resilience": {"retry": {"max_retries": 0}}, "team": {"agent": merged(FAILS, WINDOW)}},
        ),
    ),
}
"""For each role the path of the agent, and what scenarios in which it acts say."""

ROLES: dict[str, Role | None] = {
    "worker": None,
    "coordinator": COORDINATOR,
    "verifier": VERIFIER,
    "sub-agent": SUBAGENT,
    "fallback model": FALLBACK_MODEL,
}

SAME = {
    "source",
    "profile",
    "price.provider",
    "price.model",
    "behaviour.idle.probability",
    "errors.probability.probability",
    "forgetting.probability.probability",
}
"""Fields that say where numbers come from, and those that a bare number stands for."""


def scenario(role: str, agent: Fields, over: Fields) -> Fields:
    """Return a scenario in which an agent acts in a role."""
    asks = {"tools": {"ask": {"probability": 0.5, "starts": {"agent": "asked"}}}}
    kinds = {"helper": {}, "other": {"speed": 9.0}, "asked": {}}
    team: Fields = {"size": 3, "agent": AGENT, "subagents": {"kinds": kinds, "max_total": 40}}
    if role == "sub-agent":
        team["agent"] = merged(merged(AGENT, LOOP), asks)
    document: Fields = {
        "name": "role",
        "seed": 3,
        "team": team,
        "topology": {"kind": "centralised"},
        "coordination": {"protocol": {"kind": "self_claim"}, "timing": "asynchronous"},
        "workload": {
            "kind": "layered",
            "layers": 3,
            "width": 3,
            "coupling": 0.5,
            "sharing": 0.4,
            "size": {"kind": "exponential", "mean": 1.0},
        },
        "stations": {"ci": {"order": "priority"}},
        "resilience": {"timeout": {"seconds": 60.0}, "retry": {"max_retries": 3}},
        "limits": {"max_calls": 400, "deadline_s": 20_000},
    }
    document = merged(document, over)
    node = document
    *above, last = PLACES[role][0]
    for key in above:
        node = node.setdefault(key, {})
    node[last] = merged(document["team"]["agent"] if role == "worker" else {}, agent)
    return document


def outcome(document: Fields, known: dict[str, str]) -> str:
    """Return all metrics of two replications, as text."""
    text = json.dumps(document)
    if text not in known:
        simulation = Simulation(parse_study(text).base)
        known[text] = repr([simulation.run(replication) for replication in range(2)])
    return known[text]


def agent_of(role: str, needs: Fields) -> Fields:
    """Return an agent in a role that says what a field needs to matter."""
    whole = merged(AGENT, needs)
    found = ROLES[role]
    return whole if found is None else found.without(whole)


def is_lacked(role: str, path: str) -> bool:
    """Return whether a role lacks a field, or what it is part of."""
    found = ROLES[role]
    return found is not None and not found.has(path)


@pytest.mark.each
@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_every_field_of_a_role_changes_numbers(role: str) -> None:
    known: dict[str, str] = {}
    still = []
    for path, needs, value in CHANGES:
        if is_lacked(role, path):
            continue
        before = agent_of(role, needs)
        after = merged(before, at(path, value))
        if not any(
            outcome(scenario(role, before, over), known)
            != outcome(scenario(role, after, over), known)
            for over in PLACES[role][1]
        ):
            still.append(path)
    assert still == []


@pytest.mark.parametrize("role", ROLES)
def test_no_field_of_a_role_is_without_such_a_change(role: str) -> None:
    prefix = ".".join("*" if key == "asked" else key for key in PLACES[role][0]) + "."
    options = {o.removeprefix(prefix) for o in of_schema() if o.startswith(prefix)}
    fields = {option.partition("=")[0].partition("[")[0] for option in options} - SAME
    tried = set()
    for path, _, _ in CHANGES:
        keys = path.split(".")
        if keys[0] == "tools" and len(keys) > 1:
            keys[1] = "*"
        tried |= {".".join(keys[:n]) for n in range(1, len(keys) + 1)}
    assert fields - tried == set()
    if role != "worker":
        assert len(options) > 30


@pytest.mark.parametrize("role", [name for name, role in ROLES.items() if role is not None])
def test_fields_that_a_role_lacks_are_refused(role: str) -> None:
    for path, needs, value in CHANGES:
        if not is_lacked(role, path):
            continue
        document = scenario(role, merged(agent_of(role, needs), at(path, value)), {})
        where = ".".join((*PLACES[role][0], path))
        with pytest.raises(ScenarioError) as found:
            _ = parse_study(json.dumps(document)).base
        (problem,) = found.value.problems
        assert problem.message.startswith(f"this has no effect on a {role}, which ")
        assert problem.path.startswith(where) or where.startswith(problem.path)


def test_errors_are_where_they_were_said_and_name_what_the_role_has() -> None:
    text = (
        "team:\n  size: 3\n  agent: {latency: {kind: seconds, base: 3}}\n"
        "  coordinator: {batch: 3, spede: 2, speed: fast}\n"
        "sweep: {team.coordinator.behaviour.idle: [0.1]}\n"
    )
    found = {problem.path: problem for problem in parse_study(text).problems()}
    assert found["team.coordinator.batch"].origin == "<text>:4"
    assert found["team.coordinator.behaviour.idle"].origin == "<text>:5"
    assert "should be a valid number" in found["team.coordinator.speed"].message
    unknown = found["team.coordinator.spede"].message
    assert unknown.startswith("unknown key 'spede'; did you mean 'speed'? (allowed: context, drift")


def whole_team() -> Fields:
    """Return a scenario with an agent in every role, each of which says something."""
    document = scenario("coordinator", {"speed": 2.0}, {"coordination": BY_VERIFIERS})
    document["team"]["verifier"] = {"speed": 3.0}
    document["resilience"]["fallback"] = {"model": {"speed": 4.0}}
    return document


def test_what_the_team_agent_says_reaches_every_role_but_for_what_it_lacks() -> None:
    found = parse_study(json.dumps(whole_team())).base
    agent = found.team.agent
    assert agent is not None
    assert agent.batch.constant == 2
    assert [path for path, role in heirs_in(found.model_dump()) if role] == [
        ("team", "coordinator"),
        ("team", "verifier"),
        *(("team", "subagents", "kinds", name) for name in ("helper", "other", "asked")),
        ("resilience", "fallback", "model"),
    ]
    for each in found.models[1:]:
        assert each.latency == agent.latency
        assert each.batch.constant == 1
        assert each.errors.detection == 1.0


def test_a_scenario_that_is_dumped_can_be_read() -> None:
    found = parse_study(json.dumps(whole_team())).base
    dumped = found.model_dump(mode="json")
    assert "errors" not in dumped["team"]["coordinator"]
    assert "artifact_tokens" not in dumped["team"]["subagents"]["kinds"]["helper"]["context"]
    assert Scenario.model_validate(dumped) == found


def test_a_scenario_that_an_earlier_version_dumped_can_be_read() -> None:
    found = parse_study(json.dumps(whole_team())).base
    dumped = found.model_dump(mode="json")
    for node in (dumped["team"]["coordinator"], dumped["team"]["subagents"]["kinds"]["other"]):
        node |= {"errors": {"probability": 0.5}, "batch": 4}
    drop_lacking(dumped)
    assert Scenario.model_validate(dumped) == found
