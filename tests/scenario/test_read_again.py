"""A scenario that was written down is read again as it was, and can be varied."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from analysis.decisions.advice import candidates
from analysis.decisions.chaos import changed
from simulator.engine import Simulation
from simulator.experiment.manifest import manifest_of, scenario_of
from simulator.registry import Plugin
from simulator.scenario import REGISTRIES, Scenario, load_study
from simulator.scenario.changes import with_changes
from simulator.scenario.loading import parse_study
from simulator.spec import Spec
from tests.conftest import scenario
from tests.golden.corpus import WRITTEN

HOURS = WRITTEN / "220.yaml"
"""With working hours, whose fields have other names in YAML than in Python."""


@pytest.mark.parametrize("path", [WRITTEN / "000.yaml", HOURS], ids=lambda path: path.stem)
def test_what_is_kept_of_a_point_is_its_scenario(path: Path) -> None:
    study = load_study(path)
    (kept, *_) = manifest_of(study)["points"]
    said = study.points[0].scenario.model_dump_json()
    assert scenario_of(kept).model_dump_json() == said


def test_a_scenario_with_working_hours_can_be_varied() -> None:
    scenario = load_study(HOURS).base
    assert with_changes(scenario, {}) == scenario
    assert changed(scenario, {"faults": []}).stations == scenario.stations
    later = with_changes(scenario, {"stations.boss.available.from": 10.0})
    assert later.stations["boss"].available != scenario.stations["boss"].available
    assert all(each.stations == scenario.stations for each in candidates(scenario, [2]).values())


LACKING = """
name: lacking
team:
  agent: {latency: {kind: seconds, base: 1}, loop: {turns: 3}, tools: {find: {}, ask: {}}}
  groups:
    all: {size: 1, agent: {}}
    one: {size: 1, agent: {tools: {find: null, own: {seconds: 3}}}}
    none: {size: 1, agent: {tools: {find: null, ask: null}}}
  coordinator: {tools: {ask: null}}
topology: centralised
coordination: {protocol: pre_assigned, timing: asynchronous}
workload: {kind: dag, tasks: [{id: a}]}
"""


def test_parts_of_a_team_can_be_dumped() -> None:
    (point,) = parse_study(LACKING).points
    team = point.scenario.team
    assert team.model_dump(include={"groups": {"one": {"size"}}}) == {
        "groups": {"one": {"size": 1}}
    }
    assert "agent" not in team.model_dump(exclude={"groups": {"all": {"agent"}}})["groups"]["all"]


def test_tools_that_were_taken_away_stay_away() -> None:
    (point,) = parse_study(LACKING).points
    groups = point.scenario.team.groups or {}
    assert [list(group.agent.tools) for group in groups.values()] == [
        ["find", "ask"],
        ["own", "ask"],
        [],
    ]
    for how in ({}, {"exclude_unset": True}, {"exclude_none": True}):
        said = yaml.safe_dump(point.scenario.model_dump(mode="json", **how), sort_keys=False)
        (again,) = parse_study(said).points
        assert again.scenario == point.scenario
        assert Scenario.model_validate(yaml.safe_load(said)) == point.scenario


def test_every_specification_is_dumped_as_yaml_says_it() -> None:
    classes = [Spec, Plugin, *(reg.get(name) for reg in REGISTRIES for name in reg.names())]
    assert all(each.model_config["serialize_by_alias"] for each in classes)


def test_scenarios_are_equal_where_their_fields_are() -> None:
    # Also where draws have cached tables beside the fields.
    def read(values: list[float]) -> Scenario:
        draws = {"kind": "empirical", "values": values}
        return scenario(team__agent__latency={"kind": "seconds", "base": draws})

    one, same, other = read([1, 2, 3]), read([1, 2, 3]), read([1, 2, 4])
    for each in (one, same, other):
        Simulation(each).run(0)
    assert one == same
    assert one != other
    assert hash(one.limits) == hash(same.limits)
