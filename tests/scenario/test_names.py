"""Names that users choose: what may be one, and fields of what is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from simulator.errors import ScenarioError
from simulator.scenario import Scenario, load_study, parse_study
from simulator.scenario.names import is_name
from tests.cli.test_commands import teamsim

TEAM: dict[str, Any] = {
    "name": "named",
    "team": {
        "groups": {"coders": {"size": 2, "agent": {}}, "testers": {"size": 1, "agent": {}}},
        "agent": {
            "latency": {"kind": "seconds", "base": 3},
            "loop": {"turns": 8},
            "tools": {
                "tests": {"seconds": 60, "station": "ci"},
                "ask": {"starts": {"agent": "aid"}},
            },
        },
        "subagents": {"kinds": {"aid": {"loop": {"turns": 3}}}},
    },
    "topology": "independent",
    "coordination": {"protocol": "self_claim"},
    "workload": {"kind": "parallel_fraction", "tasks": 4, "parallel_fraction": 1},
    "stations": {"ci": {"concurrency": 1}},
}

MISSPELT = {
    "team.agent.tools.test.seconds": "unknown tool 'test'; did you mean 'tests'?",
    "team.agent.tools..seconds": "unknown tool ''",
    "team.groups.coders.agent.tools.tesst.seconds": "unknown tool 'tesst'; did you mean 'tests'?",
    "team.groups.coder.size": "unknown group 'coder'; did you mean 'coders'?",
    "team.groups.coder.agent.tools.tests.seconds": "unknown group 'coder'; did you mean",
    "team.subagents.kinds.aide.speed": "unknown kind 'aide'; did you mean 'aid'?",
    "team.subagents.kinds.aid.tools.ask.calls": "unknown tool 'ask'",  # they start none
    "team.coordinator.tools.tets.seconds": "unknown tool 'tets'; did you mean 'tests'?",
    "stations.cj.concurrency": "unknown station 'cj'; did you mean 'ci'?",
    "stations.cj.available.from": "unknown station 'cj'; did you mean 'ci'?",
}


def study(**changes: Any) -> str:
    return yaml.safe_dump(TEAM | changes, sort_keys=False, default_flow_style=None)


@pytest.mark.parametrize("path", MISSPELT)
def test_a_field_of_what_is_not_there_is_an_error_with_the_nearest_name(
    tmp_path: Path, path: str
) -> None:
    file = tmp_path / "named.yaml"
    file.write_text(study())
    with pytest.raises(ScenarioError) as set_once:
        _ = load_study(file, [f"{path}=2"]).base
    file.write_text(study(sweep={path: [1, 2]}))
    with pytest.raises(ScenarioError) as swept:
        _ = load_study(file).points
    lines = file.read_text().splitlines()
    (line,) = (i for i, each in enumerate(lines, 1) if f"{path}: [" in each)
    for caught, where in ((set_once, f"--set {path}=2"), (swept, f"{file}:{line}")):
        (problem,) = caught.value.problems
        assert problem.message.startswith(MISSPELT[path])
        assert problem.origin == where
    assert load_study(file).problems() == list(swept.value.problems)


def test_what_is_there_or_taken_over_can_be_swept() -> None:
    for path in (
        "team.agent.tools.tests.seconds",
        "team.groups.coders.agent.tools.tests.seconds",
        "team.groups.testers.size",
        "team.subagents.kinds.aid.tools.tests.seconds",
        "team.subagents.kinds.aid.speed",
        "stations.ci.concurrency",
    ):
        assert len(parse_study(study(sweep={path: [1, 2]})).points) == 2


def test_tools_of_a_profile_are_known_also_where_the_sweep_names_it() -> None:
    path = "team.agent.tools.pause.weight"
    team = {"size": 1, "agent": {}}
    sweep = {"team.agent.profile": ["claude-opus-4-5-loop"], path: [0.1, 0.2]}
    found = parse_study(study(team=team, stations={}, sweep=sweep)).points
    assert [p.scenario.team.workers[0].tools["pause"].weight for p in found] == [0.1, 0.2]
    wrong = {"team.agent.profile": ["claude-opus-4-5-loop"], path.replace("pause", "paus"): [0.1]}
    with pytest.raises(ScenarioError, match="did you mean 'pause'"):
        _ = parse_study(study(team=team, stations={}, sweep=wrong)).points


def test_a_whole_tool_may_be_added_and_its_fields_set(tmp_path: Path) -> None:
    file = tmp_path / "named.yaml"
    file.write_text(study())
    whole, field = "team.agent.tools.lint={seconds: 3}", "team.agent.tools.lint.seconds=5"
    for settings in ([whole], [whole, field], ["team.agent.tools={lint: {seconds: 3}}", field]):
        tools = load_study(file, settings).base.team.workers[0].tools
        assert tools["lint"].seconds.constant == (3.0 if len(settings) == 1 else 5.0)
    with pytest.raises(ScenarioError, match="to add one, set all of it"):
        _ = load_study(file, [field]).base
    # Of the points of a list, each adds for itself.
    added: dict[str, Any] = {"team.agent.tools.lint": {"seconds": 1}}
    changed = {"team.agent.tools.lint.seconds": 2}
    entries = [{"name": "with", **added, **changed}, {"name": "without", **changed}]
    assert len(parse_study(study(sweep=entries[:1])).points) == 1
    with pytest.raises(ScenarioError, match="unknown tool 'lint'"):
        _ = parse_study(study(sweep=entries)).points


@pytest.mark.parametrize("name", ["", "  ", "\t", "a\nb", "\x1b[31mred", "\u200b", "a\u2028b"])
@pytest.mark.parametrize(
    "path", ["team.agent.tools", "stations", "team.groups", "team.subagents.kinds"]
)
def test_names_that_do_not_show_are_refused(name: str, path: str) -> None:
    document: dict[str, Any] = yaml.safe_load(study())
    node = document
    for key in path.split("."):
        node = node[key]
    node[name] = {"size": 1, "agent": {}} if path == "team.groups" else {}
    with pytest.raises(ScenarioError) as caught:
        _ = parse_study(yaml.safe_dump(document), "named.yaml").base
    (problem,) = caught.value.problems
    assert "a name" in problem.message
    assert problem.path.startswith(f"{path}.")
    assert str(problem).isprintable()
    assert problem.origin.startswith("named.yaml:")


@pytest.mark.parametrize("name", ["", " ", "a\nb"])
def test_points_of_a_sweep_have_names_that_show(name: str) -> None:
    with pytest.raises(ScenarioError, match="a name"):
        _ = parse_study(study(sweep=[{"name": name, "team.agent.speed": 2}])).points


def test_names_in_any_writing_are_names() -> None:
    tools = {name: {"seconds": 1} for name in ("тесты", "mcp__a.b", "run tests", "🔍", "試験")}
    found = parse_study(study(team={"size": 1, "agent": TEAM["team"]["agent"] | {"tools": tools}}))
    assert set(found.base.team.workers[0].tools) == set(tools)


def test_every_mapping_of_what_users_name_is_known() -> None:
    names = ["team.groups.a", "team.agent.tools.a", "team.groups.a.agent.tools.b", "stations.a"]
    names += ["team.subagents.kinds.a", "resilience.fallback.model.tools.a"]
    assert all(is_name(Scenario, tuple(each.split("."))) for each in names)
    others = [
        "team",
        "team.agent",
        "resilience.bulkhead.a",
        "baseline.a",
        "team.agent.tools.a.seconds",
    ]
    assert not any(is_name(Scenario, tuple(each.split("."))) for each in others)


@pytest.mark.end_to_end
def test_the_command_ends_with_2(tmp_path: Path) -> None:
    file = tmp_path / "named.yaml"
    file.write_text(study(sweep={"team.agent.tools.tpyo.seconds": [1, 2]}))
    found = teamsim("sweep", file, "--out", tmp_path / "out")
    assert found.returncode == 2
    assert "Traceback" not in found.stderr
    assert "named.yaml:" in found.stderr
    assert "unknown tool 'tpyo'" in " ".join(found.stderr.split())
