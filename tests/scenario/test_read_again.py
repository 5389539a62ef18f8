"""A scenario that was written down is read again as it was, and can be varied."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.decisions.advice import candidates
from analysis.decisions.chaos import changed
from simulator.engine import Simulation
from simulator.experiment.manifest import manifest_of, scenario_of
from simulator.registry import Plugin
from simulator.scenario import REGISTRIES, Scenario, load_study
from simulator.scenario.changes import with_changes
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
