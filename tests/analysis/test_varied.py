"""Only numbers that are said can be varied; what is no number is told, with numbers that are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from analysis.decisions.sensitivity import sensitivity
from analysis.decisions.varied import is_whole
from simulator.errors import ScenarioError, TeamsimError
from simulator.scenario import parse_study
from simulator.scenario.changes import with_changes
from tests.conftest import scenario

RUNS = [{"sizes": [1.0, 2.0], "weight": 1.0}, {"sizes": [9.0]}]
SEEN = scenario(workload={"kind": "resampled", "runs": RUNS}, team__size=1)

REFUSED = {
    "workload.runs": "is a list of 2: .*, one of workload.runs.0.weight, workload.runs.1.weight",
    "workload.runs.0": "has fields of its own: .*, one of workload.runs.0.weight",
    "workload.runs.0.sizes": "is a list of 2: .*, one of workload.runs.0.sizes.0",
    "workload.runs.7.weight": r"workload.runs is a list of 2: '7' is none .*\(allowed: 0 to 1\)",
    "workload.runs.-1.weight": r"'-1' is none of its items",
    "workload.runs.0.wieght": "workload.runs.0: unknown field 'wieght'; did you mean 'weight'",
    "workload": "one of workload.runs.0.weight",
    "workload.kind": "is 'resampled': only a number",
    "faults": "is an empty list",
    "faults.0.at_s": r"faults is a list of 0: '0' is none of its items \(allowed: none\)",
    "team.agent.tools": "is empty",
    "team..size": "unknown field ''",
    "provider.requests_per_minute": r"is not set \(give it a number first\)",
    "provider.requests_per_minute.x": "is not set .* has no fields",
    "team.agent.context.cache": "is True",
    "seed": "says how the scenario is run",
    "replications": "says how the scenario is run",
}


@pytest.mark.parametrize(("path", "said"), REFUSED.items())
def test_what_is_no_number_is_refused_by_its_path(path: str, said: str) -> None:
    with pytest.raises(TeamsimError, match=said) as caught:
        is_whole(SEEN, path)
    assert path in str(caught.value)
    assert "[" not in str(caught.value), "no value is repeated in Python's form"


@pytest.mark.parametrize(
    ("path", "whole"), [("team.size", True), ("workload.runs.1.sizes.0", False)]
)
def test_numbers_are_whole_or_not(path: str, whole: bool) -> None:
    assert is_whole(SEEN, path) is whole


def test_an_item_of_a_list_is_varied() -> None:
    bounds = {"workload.runs.1.weight": (0.01, 100.0), "workload.runs.1.sizes.0": (8.9, 9.1)}
    table = sensitivity(SEEN, bounds, samples=4, replications=20).set_index("parameter")
    assert table.loc["workload.runs.1.weight", "mu"] < 0.0  # its run has one task, the other two
    changed = with_changes(SEEN, {"workload.runs.0.sizes.1": 5.0}).model_dump()
    assert list(changed["workload"]["runs"][0]["sizes"]) == [1.0, 5.0]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("workload.runs.2.weight=1", r"runs.2: '2' is no index of a list of 2 \(allowed: 0 to 1\)"),
        ("workload.runs.0=1", "runs.0: should be a mapping of fields; found 1"),
        ("team.=3", "team.'': unknown key ''"),
        (".=3", "unknown key ''"),
        ("faults.0.at_s=1", "faults: should be a list; found a mapping"),
        ("workload=3", r"is a name or a mapping with 'kind' \(allowed: .*resampled\); found 3"),
    ],
)
def test_a_setting_of_a_list_or_mapping_says_what_is_allowed(setting: str, said: str) -> None:
    document: dict[str, Any] = {"name": "a", **SEEN.model_dump(mode="json", exclude_unset=True)}
    with pytest.raises(ScenarioError, match=said) as caught:
        _ = parse_study(json.dumps(document), settings=[setting]).base
    assert str(caught.value).startswith(f"--set {setting}: ")
