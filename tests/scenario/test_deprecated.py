"""Old names of fields and values go on working, and say so: held with a table that is made up."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from pydantic import ValidationError

from simulator.errors import ScenarioError, TeamsimWarning
from simulator.scenario import Study, deprecated, load_study, parse_study, scenario_json_schema
from simulator.scenario.deprecated import Replaced
from tests.cli.conftest import Here

TABLE = (
    Replaced("limits.time_limit_s", "limits.deadline_s", "0.2", "0.4"),
    Replaced("team.agent.pace", "team.agent.speed", "0.2", "0.4"),
    Replaced("team.agent.tools.*.time", "team.agent.tools.*.seconds", "0.3", "0.5"),
    Replaced("deadline_s", "limits.deadline_s", "0.1", "0.4"),
    Replaced("coordination.timing", "coordination.timing", "0.2", "0.4", "sync", "rounds"),
    Replaced("topology.kind", "topology.kind", "0.2", "0.4", "mesh", "decentralised"),
)
TEXT = """
name: old
team:
  size: 2
  agent:
    latency: {kind: seconds, base: 1}
    loop: {turns: 2}
    tools: {ci: {time: {kind: exponential, mean: 7}}}
    pace: 2
topology: mesh
coordination: {protocol: pre_assigned, timing: sync}
workload: {kind: parallel_fraction, tasks: 4, parallel_fraction: 1}
limits: {time_limit_s: 600}
"""


@pytest.fixture
def teamsim_here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    return Here(capsys, monkeypatch)


@pytest.fixture(autouse=True)
def _made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deprecated, "REPLACED", TABLE)


def test_old_names_are_carried_over_with_a_warning_that_names_the_line() -> None:
    with pytest.warns(TeamsimWarning) as seen:
        found = parse_study(TEXT, "old.yaml").base
    assert found.limits.deadline_s == 600
    assert found.team.agent is not None
    assert found.team.agent.speed == 2
    assert found.team.agent.tools["ci"].seconds.model_dump()["mean"] == 7
    assert (found.topology.kind, found.coordination.timing) == ("decentralised", "rounds")
    assert {str(each.message) for each in seen} == {
        "old.yaml:13: limits.time_limit_s: is deprecated since 0.2 and goes in 0.4: use "
        "limits.deadline_s",
        "old.yaml:9: team.agent.pace: is deprecated since 0.2 and goes in 0.4: use "
        "team.agent.speed",
        "old.yaml:8: team.agent.tools.ci.time: is deprecated since 0.3 and goes in 0.5: use "
        "team.agent.tools.ci.seconds",
        "old.yaml:11: coordination.timing: 'sync' is deprecated since 0.2 and goes in 0.4: use "
        "'rounds'",
        "old.yaml:10: topology: 'mesh' is deprecated since 0.2 and goes in 0.4: use "
        "'decentralised'",
    }


def test_an_error_in_what_is_carried_over_names_its_line() -> None:
    with pytest.raises(ScenarioError, match=r"old.yaml:9: team.agent.speed: .* greater than 0"):
        _ = quietly(TEXT.replace("pace: 2", "pace: -2")).base


def quietly(text: str) -> Study:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TeamsimWarning)
        return parse_study(text, "old.yaml")


def test_both_names_are_an_error() -> None:
    both = TEXT.replace("pace: 2", "pace: 2\n    speed: 3")
    message = r"old.yaml:9: team.agent.pace: is deprecated, and team.agent.speed is said too "
    with pytest.raises(ScenarioError, match=message + r"\(old.yaml:10\): leave this one out"):
        parse_study(both, "old.yaml")


@pytest.mark.parametrize("setting", ["limits.time_limit_s=60", "deadline_s=60"])
def test_settings_with_an_old_name_win_over_the_file(tmp_path: Path, setting: str) -> None:
    path = tmp_path / "new.yaml"
    path.write_text(TEXT.replace("time_limit_s: 600", "deadline_s: 600"))
    with pytest.warns(TeamsimWarning, match=rf"--set {setting}: \S+: is deprecated"):
        assert load_study(path, [setting]).base.limits.deadline_s == 60
    with pytest.warns(TeamsimWarning, match=r"team.agent.pace: is deprecated"):
        found = load_study(path, ["team.agent={pace: 3, latency: {kind: seconds, base: 1}}"]).base
    assert found.team.agent is not None
    assert found.team.agent.speed == 3


def test_sweeps_and_profiles_may_say_old_names(tmp_path: Path) -> None:
    path = tmp_path / "new.yaml"
    text = TEXT.replace("pace: 2", "profile: mine.yaml").replace("time: {k", "seconds: {k")
    path.write_text(text + "sweep: {team.agent.pace: [1, 4]}\nbaseline: {team.size: 1}\n")
    (tmp_path / "mine.yaml").write_text("redo_work: 0.5\npace: 3\n")
    study = load_study(path)
    with pytest.warns(TeamsimWarning) as seen:
        points = study.points
    agents = [each.scenario.team.agent for each in points]
    speeds = [agent.speed for agent in agents if agent is not None]
    assert study.base.team.agent is not None
    assert study.base.team.agent.speed == 3
    assert sorted(speeds) == [1, 1, 4, 4]
    said = [str(each.message) for each in seen]
    assert len(said) == len(set(said))  # each once, however many points there are
    assert any(each.startswith(f"{path}:14: team.agent.pace") for each in said)
    assert any(each.startswith(f"{tmp_path / 'mine.yaml'}:2: pace: is dep") for each in said)


@pytest.mark.filterwarnings("ignore::simulator.errors.TeamsimWarning")
def test_agents_that_take_over_may_say_old_names() -> None:
    text = TEXT.replace("topology: mesh", "topology: centralised").replace(
        "  agent:", "  coordinator: {pace: 5}\n  agent:"
    )
    with pytest.warns(
        TeamsimWarning, match=r"team.coordinator.pace: .* use team.coordinator.speed"
    ):
        found = parse_study(text).base
    assert found.team.coordinator is not None
    assert found.team.coordinator.speed == 5


def test_the_json_schema_marks_old_names() -> None:
    schema = scenario_json_schema()
    limit = schema["$defs"]["Limits"]["properties"]["time_limit_s"]
    assert limit["deprecated"] is True
    assert limit["description"] == "Deprecated since 0.2; use limits.deadline_s."
    assert limit["anyOf"] == schema["$defs"]["Limits"]["properties"]["deadline_s"]["anyOf"]
    assert schema["properties"]["deadline_s"]["deprecated"] is True
    for agent in ("Agent", "Coordinator"):
        assert schema["$defs"][agent]["properties"]["pace"]["exclusiveMinimum"] == 0
    timing = schema["$defs"]["CoordinationSpec"]["properties"]["timing"]["anyOf"]
    assert timing[1] == {
        "const": "sync", "deprecated": True, "description": "Deprecated since 0.2; use 'rounds'."
    }  # fmt: skip


def test_check_warns_and_goes_on(tmp_path: Path, teamsim_here: Here) -> None:
    path = tmp_path / "old.yaml"
    path.write_text(TEXT)
    done = teamsim_here("check", path)
    assert done.returncode == 0
    assert f"note: {path}:9: team.agent.pace: is deprecated since 0.2" in done.stderr
    found = json.loads(teamsim_here("check", path, "--json").stdout)["files"][0]
    assert found["ok"] is True
    assert {each["field"] for each in found["deprecated"]} >= {"team.agent.pace", "topology"}


def test_without_the_table_old_names_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deprecated, "REPLACED", ())
    with pytest.raises((ScenarioError, ValidationError), match="unknown key 'pace'"):
        _ = parse_study(TEXT).base
