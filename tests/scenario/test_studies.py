"""Sweeps, overrides, profiles and baselines."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import jsonschema
import pytest
import yaml

from simulator.engine import Simulation
from simulator.errors import ScenarioError
from simulator.scenario import (
    REGISTRIES,
    Scenario,
    load_study,
    parse_study,
    profile_names,
    scenario_json_schema,
)
from simulator.scenario.context import Context, PromptCache
from simulator.scenario.inheritance import profile_text
from simulator.scenario.schema_text import scenario_schema_text
from simulator.scenario.sweep import Range
from tests.scenario.test_bad_scenarios import GOOD

SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios").glob("*.yaml"))


def sizes(sweep: str) -> list[int]:
    return [point.scenario.team.size for point in parse_study(GOOD + sweep).points]


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ("{from: 0.1, to: 0.7, step: 0.1}", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
        ("{from: 0.7, to: 1, step: 0.1}", [0.7, 0.8, 0.9, 1]),
        ("{from: 0, to: 1, num: 11}", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]),
        ("{from: 0.001, to: 1, num: 4, scale: log}", [0.001, 0.01, 0.1, 1]),
        ("{from: 0, to: 1, num: 4}", [0, 0.333333333333, 0.666666666667, 1]),
        # One that is told, and steps that 12 digits do not tell apart, stay as they are.
        ("{from: 0.123456789012345, to: 1, step: 0.5}", [0.123456789012345, 0.623456789012]),
        (
            "{from: 0.5, to: 0.50000000000003, step: 1.4210854715202004e-14}",
            [0.5, 0.5 + 2.0**-46, 0.5 + 2.0**-45],
        ),
    ],
)
def test_the_values_of_a_range_have_no_rounding_errors(said: str, values: list[float]) -> None:
    points = parse_study(GOOD + f"sweep: {{workload.parallel_fraction: {said}}}\n").points
    assert [point.scenario.workload.parallel_fraction for point in points] == values
    assert [point.name for point in points][:1] == [f"workload.parallel_fraction={values[0]}"]


@pytest.mark.parametrize(
    ("said", "near_zero"),
    [
        ({"from": -0.3, "to": 0.3, "step": 0.1}, [-0.1, 0, 0.1]),
        ({"from": -1000.3, "to": 1, "step": 0.1}, [-0.1, 0, 0.1]),
        ({"from": -0.3, "to": 0.3, "num": 7}, [-0.1, 0, 0.1]),
        ({"from": 0, "to": 0}, [0]),
    ],
)
def test_a_range_over_zero_has_no_rounding_errors_either(
    said: dict[str, float], near_zero: list[float]
) -> None:
    values = Range.model_validate(said).values()
    assert [value for value in values if abs(value) < 0.15] == near_zero


def test_a_sweep_is_the_full_grid() -> None:
    sweep = (
        "sweep:\n  team.size: [1, 4]\n  workload.parallel_fraction: {from: 0, to: 1, step: 0.5}\n"
    )
    points = parse_study(GOOD + sweep).points
    assert len(points) == 6
    assert points[1].name == "team.size=1, workload.parallel_fraction=0.5"
    assert [p.scenario.workload.parallel_fraction for p in points[:3]] == [0, 0.5, 1]


DESK = """
stations: {desk: {}}
sweep:
"""


@pytest.mark.parametrize(
    ("said", "hours"),
    [
        ("  - {name: day, stations.desk.available: {from: 9, to: 17}}\n"
         "  - {name: late, stations.desk.available: {from: 20, to: 24, days: [mon]}}\n",
         [(9, 17), (20, 24)]),
        ("  stations.desk.available: [{from: 9, to: 17}, {from: 0, to: 24}]\n",
         [(9, 17), (0, 24)]),
        ("  - {name: x, stations.desk.available: {values: [{from: 1, to: 2}, {from: 3, to: 4}]}}\n",
         [(1, 2), (3, 4)]),
        ("  - {name: x, stations.desk.available: {in_step: [{from: 1, to: 2}]}}\n", [(1, 2)]),
        ("  stations.desk: [{available: {from: 5, to: 6}}]\n", [(5, 6)]),
        ("  stations.desk.available.to: {from: 12, to: 14}\n", [(9, 12), (9, 13), (9, 14)]),
        ("  - {name: x, stations.desk.available.to: {from: 12, to: 13}}\n", [(9, 12), (9, 13)]),
    ],
)  # fmt: skip
def test_working_hours_are_a_value_and_no_range(
    said: str, hours: list[tuple[float, float]]
) -> None:
    found = [
        point.scenario.stations["desk"].available
        for point in parse_study(GOOD + DESK + said).points
    ]
    assert [(each.opens, each.closes) for each in found if each is not None] == hours


def test_working_hours_as_an_axis_are_to_be_listed() -> None:
    study = parse_study(GOOD + DESK + "  stations.desk.available: {from: 9, to: 17}\n")
    with pytest.raises(ScenarioError) as error:
        _ = study.points
    assert "sweep.stations.desk.available: working hours are one value, not a range" in str(
        error.value
    )
    assert "list them: [{from: 9, to: 17}, ...]" in str(error.value)


def test_ranges_step_spread_and_double() -> None:
    assert sizes("sweep: {team.size: {from: 2, to: 8, step: 3}}\n") == [2, 5, 8]
    assert sizes("sweep: {team.size: {from: 1, to: 9, num: 3}}\n") == [1, 5, 9]
    assert sizes("sweep: {team.size: {from: 1, to: 64, num: 7, scale: log}}\n") == [
        1, 2, 4, 8, 16, 32, 64,
    ]  # fmt: skip


def test_points_may_be_named() -> None:
    sweep = "sweep:\n  - {name: alone, team.size: 1, topology: single}\n  - {name: team}\n"
    points = parse_study(GOOD + sweep).points
    assert [(p.name, p.scenario.team.size, p.scenario.topology.kind) for p in points] == [
        ("alone", 1, "single"),
        ("team", 2, "decentralised"),
    ]


def test_the_baseline_is_a_point_for_each_combination_of_the_other_axes() -> None:
    text = GOOD + (
        "sweep:\n  team.size: [2, 4]\n  workload.parallel_fraction: [0.5, 0.9]\n"
        "baseline: {team.size: 1, topology: single}\n"
    )
    points = parse_study(text).points
    alone = [p for p in points if p.baseline == p.index]
    assert [p.scenario.workload.parallel_fraction for p in alone] == [0.5, 0.9]
    for point in points:
        fraction = points[point.baseline].scenario.workload.parallel_fraction
        assert fraction == point.scenario.workload.parallel_fraction


def test_a_setting_overrides_any_field_and_opens_short_forms(tmp_path: Path) -> None:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    settings = [
        "team.size=7",
        "coordination.protocol.noise=0.25",
        "team.agent.latency.base={kind: exponential, mean: 1e-3}",
    ]
    base = load_study(path, settings).base
    assert base.team.size == 7
    assert base.coordination.protocol.noise == 0.25
    assert base.team.agent.latency.base.mean == 0.001


def test_a_profile_stands_where_the_agent_is_silent(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "latency: {kind: seconds, base: 5, per_work_unit_s: 2}\nbatch: 3\nsource: measured\n"
    )
    path = tmp_path / "good.yaml"
    path.write_text(
        GOOD.replace("{kind: seconds, base: 3}", "{kind: seconds, base: 3}\n    profile: mine.yaml")
        + "sweep: {team.agent.batch: [4]}\n"
    )
    study = load_study(path)
    agent = study.base.team.agent
    assert (agent.latency.base.value, agent.latency.per_work_unit_s) == (3, 2)
    assert agent.batch.value == 3
    assert study.points[0].scenario.team.agent.batch.value == 4


def test_a_profile_is_no_scenario_and_names_the_one_that_uses_it(tmp_path: Path) -> None:
    path = tmp_path / "mine-loop.yaml"
    path.write_text("source: measured\nlatency: {kind: seconds, base: 5}\nloop: {turns: 3}\n")
    with pytest.raises(ScenarioError, match=r"is a profile.*profile: mine-loop\.yaml") as alone:
        load_study(path)
    assert "session" not in str(alone.value)
    session = tmp_path / "mine.session.yaml"
    session.write_text(GOOD)
    with pytest.raises(ScenarioError, match=f"one session of it: {session}"):
        load_study(path)


def test_a_coordinator_is_like_the_agents_where_it_is_silent() -> None:
    text = GOOD.replace("topology:", "  coordinator: {speed: 9}\ntopology:")
    team = parse_study(text).base.team
    assert team.coordinator is not None
    assert (team.coordinator.speed, team.coordinator.latency) == (9, team.agent.latency)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_shipped_scenario_is_right_and_names_its_schema(path: Path) -> None:
    assert path.read_text().startswith("# yaml-language-server: $schema=./scenario.schema.json")
    study = load_study(path)
    assert study.points
    assert all(point.scenario.name == path.stem for point in study.points)
    assert study.points[0].scenario.question
    assert study.points[0].scenario.answer


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = scenario_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_shipped_scenario_satisfies_the_json_schema(
    path: Path, validator: jsonschema.Draft202012Validator
) -> None:
    validator.validate(yaml.safe_load(path.read_text()))


def test_the_json_schema_refuses_what_the_loader_refuses(
    validator: jsonschema.Draft202012Validator,
) -> None:
    good = yaml.safe_load(GOOD)
    assert validator.is_valid(good)
    for wrong in ({"topology": "mash"}, {"team": {"sise": 3}}, {"workload": {"kind": "dagg"}}):
        assert not validator.is_valid({**good, **wrong})


def test_the_schema_that_ships_beside_the_scenarios_is_the_current_one() -> None:
    path = Path(__file__).parents[2] / "scenarios" / "scenario.schema.json"
    assert json.loads(path.read_text()) == scenario_json_schema()
    assert scenario_schema_text() == json.dumps(scenario_json_schema(), indent=2)


def test_a_schema_file_that_a_shell_has_emptied_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = scenario_schema_text()
    (tmp_path / "scenario.schema.json").touch()
    monkeypatch.setattr("simulator.scenario.schema_text.scenario_directory", lambda: tmp_path)
    assert scenario_schema_text() == whole


def test_plugins_of_other_packages_are_in_the_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    topologies = REGISTRIES[0]
    point = EntryPoint(
        "elsewhere", "simulator.model.topologies.single:Single", "teamsim.topologies"
    )
    monkeypatch.setitem(topologies.__dict__, "_entry_points", {"elsewhere": point})
    definition = json.loads(scenario_schema_text())["$defs"][topologies.definition]
    assert "elsewhere" in definition["anyOf"][0]["enum"]


def test_null_takes_away_a_tool_of_a_profile_or_of_the_team() -> None:
    agent = "profile: claude-haiku-4-5-loop\n    tools: {pause: null, tests: {seconds: 60}}"
    text = GOOD.replace("latency: {kind: seconds, base: 3}", agent)
    text = text.replace(
        "  agent:\n", "  subagents: {kinds: {reader: {tools: {tests: null}}}}\n  agent:\n"
    )
    team = parse_study(text, "file.yaml").base.team
    assert team.agent is not None
    assert team.subagents is not None
    assert sorted(team.agent.tools) == ["tests", "tool"]
    assert sorted(team.subagents.kinds["reader"].tools) == ["tool"]


@pytest.mark.parametrize("name", profile_names())
def test_a_shipped_profile_is_a_whole_agent_with_its_source(name: str) -> None:
    text = GOOD.replace("latency: {kind: seconds, base: 3}", f"profile: {name}")
    agent = parse_study(text).base.team.agent
    assert agent.source
    assert Simulation(parse_study(text).base).run(0).success
    assert yaml.safe_load(profile_text(name))


def test_a_spec_that_has_computed_something_is_made_of_its_fields_all_the_same() -> None:
    fresh, asked = parse_study(GOOD).base, parse_study(GOOD).base
    assert not asked.is_resilient
    assert not asked.has_steps
    assert [name for name, _ in asked] == list(Scenario.model_fields)
    assert asked == fresh
    assert asked.model_dump() == fresh.model_dump()


def test_a_copy_with_other_fields_keeps_nothing_computed_from_the_old_ones() -> None:
    context = Context(cache=PromptCache(life_s=300.0))
    assert context.prompt_cache == PromptCache(life_s=300.0)
    assert context.model_copy(update={"cache": False}).prompt_cache is None
