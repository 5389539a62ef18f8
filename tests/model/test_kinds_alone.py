"""What agents of a kind have in common, found out once for all replications."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from simulator.model.agents.cast import Cast
from simulator.model.agents.kind import Kind
from simulator.model.topologies import Topology
from simulator.scenario.agent import Agent
from simulator.scenario.families import TOPOLOGIES
from simulator.scenario.network import Network
from simulator.scenario.team import Group, Team
from tests.model.parts import model


def cast(team: Team, topology: str = "decentralised", verifiers: int = 0, **network: float) -> Cast:
    """Return the cast of a team."""
    kind = Topology.of(TOPOLOGIES.get(topology).model_validate({"kind": topology}))
    return Cast(team, verifiers, kind, Network.model_validate(network))


def test_workers_of_a_group_are_of_one_kind() -> None:
    groups = {"a": Group(size=2, agent=model()), "b": Group(size=1, agent=model(family="b"))}
    first, second, third = cast(Team(groups=groups)).workers
    assert first is second
    assert first is not third
    assert [kind.erring.family for kind in (first, third)] == ["model", "b"]


def test_the_staff_are_as_the_workers_unless_something_else_is_said() -> None:
    team = Team(size=2, agent=model(), verifier=model(speed=2.0))
    found = cast(team, "centralised", verifiers=1)
    assert (found.coordinators, found.verifiers) == (1, 1)
    assert found.lead.spec is team.agent
    assert (found.lead.is_steady, found.checker.is_steady) == (True, False)


def test_who_hears_whom_is_found_once_unless_it_is_drawn() -> None:
    team = Team(size=4, agent=model())
    found = cast(team).channels
    assert found is not None
    assert [list(each.receivers) for each in found] == [[0, 1, 2, 3]]
    assert cast(team, "random").channels is None


@pytest.mark.parametrize(("network", "has_mail"), [({}, False), ({"loss": 0.1}, True)])
def test_messages_are_mail_where_links_are_not_plain(
    network: dict[str, float], has_mail: bool
) -> None:
    assert cast(Team(size=2, agent=model()), **network).has_mail == has_mail


def test_a_kind_may_begin_with_other_tokens() -> None:
    kind = Kind(model(context={"start_tokens": 10}, speed=2.0))
    begun = kind.beginning_with(70.0)
    assert (kind.reading.start.facts.constant, begun.reading.start.facts.constant) == (10.0, 70.0)
    assert begun.is_steady == kind.is_steady
    assert begun.working.batch.distribution is kind.working.batch.distribution


def test_every_call_adds_as_much_unless_requests_or_the_first_call_add_more() -> None:
    every = Kind(model(context={"turn_tokens": 5})).reading
    first = Kind(model(context={"turn_tokens": 5, "first_turn_tokens": 9})).reading
    asked = Kind(model(context={"turn_tokens": 5, "request_tokens": 9})).reading
    assert (every.added, first.added, asked.added) == (5, None, None)
    assert (every.has_requests, asked.has_requests) == (False, True)


@pytest.mark.parametrize(
    "copied", [lambda spec: pickle.loads(pickle.dumps(spec)), copy.deepcopy], ids=["sent", "copied"]
)
def test_what_was_found_out_of_a_specification_is_not_copied_with_it(
    copied: Callable[[Agent], Agent],
) -> None:
    spec = model()
    Kind(spec)
    assert "odds" in vars(spec.errors.probability)
    other = copied(spec)
    assert other == spec
    assert other.errors is not spec.errors
    assert "odds" not in vars(other.errors.probability)
