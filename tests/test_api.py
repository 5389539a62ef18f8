"""The front door: what ``import simulator as ts`` offers, and what it returns."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars
import pytest
import yaml
from matplotlib.figure import Figure

import simulator as ts
from analysis.observation.structure import LEAD
from simulator.errors import TeamsimError, TeamsimWarning
from simulator.scenario.changes import with_changes
from simulator.scenario.costs import is_cost_known
from simulator.version import __version__
from tests.analysis.observed_teams import team, write_runs

SMALL = {"replications": 3}


def test_a_run_is_a_table_with_its_origin_and_the_rows_of_the_simulator() -> None:
    study = ts.load("quickstart", {"team.size": 2})
    result = ts.run(study, replications=4, seed=7)
    assert result.table.attrs == {"scenario": study.base.name, "seed": 7, "teamsim": __version__}
    simulation = ts.Simulation(study.base.model_copy(update={"seed": 7}))
    assert list(result.table["makespan_s"]) == [simulation.run(i).makespan_s for i in range(4)]
    mean = result.summary().loc[(study.base.name, "calls"), "mean"]
    assert mean == pytest.approx(result.table["calls"].mean())


def test_what_a_run_costs_is_missing_where_nobody_says_a_price() -> None:
    for name, is_known in (("quickstart", True), ("batching", False)):
        result = ts.run(name, replications=3)
        cost = result.summary().xs("cost_usd", level="metric")
        assert cost.notna().all(axis=None) == is_known
        assert cost.notna().any(axis=None) == is_known


@pytest.mark.parametrize("wrong", [{"replications": 0}, {"replications": -1}, {"seed": -1}])
def test_a_number_of_runs_that_makes_none_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(TeamsimError, match=f"{next(iter(wrong))}: .* is too small"):
        ts.run("quickstart", **wrong)


@pytest.mark.slow
def test_a_sweep_is_what_run_sweep_returns_and_is_drawn() -> None:
    study = ts.load("quickstart", SMALL)
    result = ts.sweep(study)
    pd.testing.assert_frame_equal(result.table, ts.run_sweep(study).to_pandas())
    assert isinstance(result.plot(), Figure)
    assert len(result.plot(y=("quality",)).axes) >= 1
    with pytest.raises(TeamsimError, match="colour"):
        result.plot(y=("colour",))
    html = result._repr_html_()
    assert "makespan_s" in html
    assert f"teamsim {__version__}" in html


def test_duckdb_and_polars_read_a_table_as_it_is() -> None:
    rows = ts.run("quickstart", replications=5).table
    ((mean,),) = duckdb.sql("select avg(makespan_s) from rows").fetchall()
    assert mean == pytest.approx(rows["makespan_s"].mean())
    assert polars.from_pandas(rows)["makespan_s"].mean() == pytest.approx(mean)


def test_xarray_is_asked_for_by_name_where_it_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(TeamsimError, match=r"llm-teamsim\[xarray\]"):
        ts.run("quickstart", replications=2).to_xarray()


@pytest.mark.slow
def test_arrays_have_points_and_replications() -> None:
    pytest.importorskip("xarray")
    result = ts.sweep(ts.load("quickstart", SMALL))
    data = result.to_xarray()
    assert data.sizes == {"point": result.table["point"].nunique(), "replication": 3}
    last = result.table.iloc[-1]
    found = data["makespan_s"].sel(point=last["point"], replication=last["replication"])
    assert float(found) == last["makespan_s"]
    assert str(data["point_name"].sel(point=last["point"]).item()) == last["point_name"]
    # Also where a point leaves a field of the sweep to the file.
    study = ts.load("quickstart", SMALL)
    shares = [point.scenario.workload.parallel_fraction for point in study.points]  # type: ignore[attr-defined]
    assert data["workload.parallel_fraction"].to_numpy().tolist() == shares
    assert set(shares) == {0.9, 0.5}


@pytest.mark.parametrize("name", ["quickstart", "approvals", "batching"])
def test_runs_of_one_team_are_drawn_whatever_its_sweep_draws(name: str) -> None:
    """Each of them has a figure against a field that a run does not vary."""
    result = ts.run(name, replications=20)
    drawn = {ax.get_xlabel() for ax in result.plot().axes}
    is_priced = result.summary().xs("cost_usd", level="metric")["mean"].notna().all()
    assert any("makespan" in label for label in drawn)
    assert any("cost" in label for label in drawn) == is_priced
    (ax,) = result.plot(y=("makespan_s",)).axes
    steps = ax.get_lines()[0]
    np.testing.assert_array_equal(np.sort(result.table["makespan_s"]), steps.get_xdata()[1:])
    with pytest.raises(TeamsimError, match="colour"):
        result.plot(y=("colour",))
    with pytest.raises(TeamsimError, match=r"it varies nothing|swept field"):
        result.plot(x="team.size")


def test_teams_are_compared_with_the_first() -> None:
    alone, team = ts.load("quickstart"), ts.load("quickstart", {"team.size": 3})
    result = ts.compare({"alone": alone, "team": team}, replications=20)
    assert set(result.table["team"]) == {"team"}
    assert result.comparison.replications == {"team": 20}
    assert isinstance(result.plot(), Figure)
    with pytest.raises(TeamsimError, match="two teams or more"):
        ts.compare({"alone": alone})


SAID: dict[str, Any] = {
    "name": "said",
    "team": {"size": 2, "agent": {"latency": {"kind": "seconds", "base": 3}}},
    "topology": "decentralised",
    "coordination": {"protocol": "self_claim"},
    "workload": {"kind": "parallel_fraction", "tasks": 6, "parallel_fraction": 1},
    "replications": 6,
}
LARGER = {**SAID, "name": "larger", "team": {**SAID["team"], "size": 3}}


def test_teams_are_compared_however_they_are_given() -> None:
    ways: list[tuple[Any, ...]] = [
        (SAID, LARGER),
        ([SAID, LARGER],),
        (ts.load(SAID), ts.load(LARGER).base),
        (ts.run(SAID), ts.run(LARGER)),
    ]
    found = [ts.compare(*way) for way in ways]
    assert {each.comparison.reference for each in found} == {"said"}
    for each in found:
        pd.testing.assert_frame_equal(each.table, found[0].table)
    assert set(ts.compare(SAID, SAID).table["team"]) == {"said (2)"}
    with pytest.raises(TeamsimError, match="at 32 points"):
        ts.compare(ts.sweep("quickstart", replications=1), SAID)


def test_a_comparison_says_the_cost_that_is_known_and_how_to_price_the_other() -> None:
    agent = {**SAID["team"]["agent"], "price": {"output_per_mtok": 15}}
    priced = {**SAID, "name": "priced", "team": {**SAID["team"], "agent": agent}}
    found = ts.compare(priced, SAID)
    verdict, unseen, same, note = found.sentences
    assert same.startswith("What is the same in all pairs has no interval")
    assert unseen.startswith("All runs finished, and the intervals are of runs that do.")
    assert re.search(r"priced costs [\d.]+ USD a run \[.*\]; what said costs is not known", verdict)
    assert note.startswith("cost: unknown, as there is no price in said: give a price")
    assert repr(found).endswith(note)
    assert "what said costs is not known" in found._repr_html_()
    (cost,) = found.table[found.table["metric"] == "cost_usd"].to_dict("records")
    assert cost["reference_low"] <= cost["reference_value"] <= cost["reference_high"]
    assert np.isnan(cost["value"])
    assert not any("cost" in said for said in ts.compare(priced, priced).sentences[1:])


def test_a_dictionary_is_a_scenario() -> None:
    assert len(ts.run(SAID).table) == 6
    assert ts.load(SAID, {"team.size": 5}).base.team.size == 5
    with pytest.raises(TeamsimError, match="did you mean 'team'"):
        ts.run({**SAID, "teem": 1})


def test_a_sweep_takes_replications_and_a_seed() -> None:
    swept = {**SAID, "sweep": {"team.size": [1, 2]}}
    result = ts.sweep(ts.load(swept), replications=3, seed=8)
    expected = ts.sweep(ts.load(swept, {"replications": 3, "seed": 8}))
    pd.testing.assert_frame_equal(result.table, expected.table)
    assert result.table.attrs["seed"] == 8
    with pytest.raises(TeamsimError, match="seed is swept"):
        ts.sweep({**SAID, "sweep": {"seed": [1, 2]}}, seed=3)


def test_a_study_tells_what_it_asks_and_varies() -> None:
    said = repr(ts.load("quickstart"))
    assert said.startswith("Study: quickstart, seed 1, 32 points of 300 replications\nDoes a team")
    assert "\nteam.size: 1, 2, 3, 4, 5, 6, 7, 8\n" in said
    assert "<p>team.size: 1, 2" in ts.load("quickstart")._repr_html_()
    assert "team: this field is required" in repr(ts.load({"name": "x"}))


WRONG = (None, 3, [1, 2], b"x", object(), pd.DataFrame({"a": [1]}), {"a": {1, 2}}, "nothing.yaml")


@pytest.mark.parametrize("called", [ts.load, ts.run, ts.sweep, ts.advise, ts.compare, ts.observe])
@pytest.mark.parametrize("given", WRONG, ids=lambda each: type(each).__name__)
def test_what_is_no_scenario_is_said(called: Callable[[Any], object], given: object) -> None:
    with pytest.raises(TeamsimError):
        called(given)


@pytest.mark.parametrize("called", [ts.run, ts.sweep])
@pytest.mark.parametrize(
    "wrong", [{"replications": "x"}, {"replications": True}, {"seed": 1.5}, {"seed": -1}]
)
def test_numbers_that_are_none_are_said(
    called: Callable[..., object], wrong: dict[str, Any]
) -> None:
    with pytest.raises(TeamsimError, match=next(iter(wrong))):
        called(SAID, **wrong)


@pytest.mark.slow
def test_directories_of_results_are_compared_without_running_them_again(tmp_path: Path) -> None:
    study = ts.load("quickstart", {"replications": 12})
    ts.sweep(study, tmp_path / "out")
    names = [point.name for point in study.points]
    teams = {"first": study.points[0].scenario, "third": study.points[2].scenario}
    fresh = ts.compare(teams)
    where = str(tmp_path / "out")
    kept = ts.compare({"first": f"{where}:0", "third": f"{where}:{names[2]}"})
    pd.testing.assert_frame_equal(kept.table, fresh.table)
    mixed = ts.compare({"first": f"{where}:0", "third": teams["third"]})
    pd.testing.assert_frame_equal(mixed.table, fresh.table)
    few = ts.compare({"first": f"{where}:0", "third": f"{where}:2"}, replications=5)
    assert few.comparison.replications == {"third": 5}
    with pytest.raises(TeamsimError, match=rf"holds {len(names)} points; write"):
        ts.compare({"first": tmp_path / "out", "third": teams["third"]})
    with pytest.raises(TeamsimError, match=r"unknown point 'team.size=99'"):
        ts.compare({"first": f"{where}:team.size=99", "third": teams["third"]})
    with pytest.raises(TeamsimError, match="holds no sweep"):
        ts.compare({"first": tmp_path, "third": teams["third"]})


def test_results_of_another_seed_are_told(tmp_path: Path) -> None:
    for seed in (1, 2):
        one = ts.load("quickstart", {"replications": 5, "seed": seed, "sweep": None})
        ts.sweep(one, tmp_path / str(seed))
    teams: dict[str, str | Path] = {"a": tmp_path / "1", "b": tmp_path / "2"}
    with pytest.warns(TeamsimWarning, match="b was run with another seed than 1"):
        result = ts.compare(teams)
    assert result.table.attrs["seed"] == 1


def test_what_is_expected_is_met_fails_or_is_not_resolved() -> None:
    result = ts.run("quickstart", replications=40)
    mean = result.table["makespan_s"].mean()
    met, failed, open_ = (f"makespan_s.mean < {mean * factor}" for factor in (2.0, 0.5, 1.001))
    table = result.findings(met, failed, open_)
    assert table["verdict"].tolist() == ["met", "failed", "not resolved"]
    assert table["found"].tolist() == pytest.approx([mean] * 3)
    assert table["beyond"].tolist() == pytest.approx([-mean, mean / 2, -mean * 0.001])
    assert table["needed"].isna().tolist() == [True, True, False]
    pd.testing.assert_frame_equal(result.expect(met, open_), result.findings(met, open_))
    with pytest.raises(
        ts.UnmetExpectation, match=r"quickstart: makespan_s.mean < .*: failed"
    ) as no:
        result.expect(met, failed, open_)
    pd.testing.assert_frame_equal(no.value.findings, table)
    assert str(no.value).count("\n") == 0  # what is not resolved is no failure
    with pytest.raises(ts.UnmetExpectation, match=r"not resolved, .* about .* would resolve it"):
        result.expect(met, open_, strict=True)


def test_every_point_of_a_sweep_is_held_against_what_it_and_the_caller_expect() -> None:
    scenario = {"replications": 5, "expect": ["calls.mean > 0"]}
    result = ts.sweep(ts.load("quickstart", scenario))
    names = [point["name"] for point in result.manifest["points"]]
    table = result.findings("makespan_s.mean > 0")
    assert table["point_name"].tolist() == [name for name in names for _ in range(2)]
    assert table["expected"].tolist() == ["calls.mean > 0", "makespan_s.mean > 0"] * len(names)
    assert "met" in set(table["verdict"]) <= {"met", "not resolved"}


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ((), "nothing is expected"),
        (("makespan.mean < 3",), "did you mean 'makespan_s.mean'"),
        (("makespan_s ~ 3",), "expect: "),
        (("cost_usd.mean < 3",), "what a run costs is not known"),
    ],
)
def test_what_cannot_be_expected_is_refused(expected: tuple[str, ...], message: str) -> None:
    with pytest.raises(TeamsimError, match=message):
        ts.run("batching", replications=2).expect(*expected)


@pytest.mark.parametrize(
    ("price", "is_known"),
    [
        ({"input_per_mtok": 0, "output_per_mtok": 0}, True),
        ({"output_per_mtok": 0.0}, True),
        ({}, False),
        (None, False),
        ({"input_per_mtok": 3}, True),
    ],
)
def test_a_price_of_0_is_known_also_where_results_are_read_again(
    tmp_path: Path, price: dict[str, float] | None, is_known: bool
) -> None:
    said = {} if price is None else {"team.agent.price": price}
    study = ts.load("batching", {"replications": 3, "sweep": None, **said})
    ts.sweep(study, tmp_path / "out")
    result = ts.compare({"kept": tmp_path / "out", "fresh": study})
    cost = result.table.set_index("metric")["value"]["cost_usd"]
    assert np.isfinite(cost) == is_known
    cost = ts.run(study).summary().xs("cost_usd", level="metric")["mean"]
    assert cost.notna().all() == is_known
    again = type(study.base).model_validate(study.base.model_dump(mode="json"))
    assert again == study.base
    assert is_cost_known(again) == is_known
    assert is_cost_known(with_changes(study.base, {"team.size": 2})) == is_known


@pytest.mark.slow
@pytest.mark.usefixtures("hardly_tuned")
def test_traces_are_observed_and_have_a_twin(tmp_path: Path) -> None:
    write_runs(team(LEAD, 1), tmp_path / "traces", 6)
    result = ts.observe(tmp_path / "traces", replications=20)
    assert len(result.table) == 6
    assert result.table.attrs == {"scenario": "traces", "seed": None, "teamsim": __version__}
    twin = result.observation.twin
    study = ts.parse_study(yaml.safe_dump(twin.document))
    assert study.base.topology.kind == "centralised"
    assert isinstance(result.plot(), Figure)
    files = sorted((tmp_path / "traces").rglob("*.json*"))
    some = ts.observe(files[:3], replications=20)
    assert len(some.table) == 3
    result.save(tmp_path / "observed.csv")
    assert len(pd.read_csv(tmp_path / "observed.csv")) == 6
    with pytest.raises(TeamsimError):
        ts.observe(tmp_path / "nothing")


@pytest.mark.usefixtures("few_turning_points")
def test_advice_has_a_table_and_sentences(tmp_path: Path) -> None:
    result = ts.advise("quickstart", sizes=[2], replications=20)
    (ax,) = result.plot().axes
    assert [each.get_text() for each in ax.get_yticklabels()] == result.table["system"].tolist()
    assert ax.get_xlabel() == "time until success, times that of the best"
    assert [line.get_xdata() for line in ax.get_lines()[:-1]] == [
        [pytest.approx(1.0 + behind)] for behind in result.table["behind"]
    ]
    assert result.sentences
    assert len(result.table) > 1
    result.save(tmp_path / "advice.csv")
    assert len(pd.read_csv(tmp_path / "advice.csv")) == len(result.table)


FRONT: dict[str, Callable[[Any], object]] = {
    "load": ts.load,
    "run": ts.run,
    "sweep": ts.sweep,
    "advise": ts.advise,
    "compare": ts.compare,
    "observe": ts.observe,
    "load_study": ts.load_study,
    "parse_study": ts.parse_study,
    "replicate": ts.replicate,
    "run_sweep": ts.run_sweep,
    "Simulation": ts.Simulation,
    "settings of load": lambda given: ts.load("quickstart", given),
    "out of sweep": lambda given: ts.sweep("quickstart", given),
}


@pytest.mark.parametrize("wrong", [3, True, [3], pd.DataFrame({"a": [1]}), b"x", object()])
@pytest.mark.parametrize("name", FRONT)
def test_what_is_no_scenario_is_refused_in_our_words(name: str, wrong: object) -> None:
    with pytest.raises(TeamsimError, match="found"):
        FRONT[name](wrong)


PROGRAM = """
import pandas as pd
import simulator as ts

result = ts.sweep(ts.load("quickstart", {"replications": 2}))
table: pd.DataFrame = result.table
result.plot().savefig("curves.png")
best: list[str] = ts.advise("quickstart").sentences
ts.run(3.5)
result.tabel
"""


@pytest.mark.thorough
def test_a_type_checker_knows_the_front_door(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    root = Path(__file__).parents[1]
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file",
        os.devnull,
        "--follow-imports",
        "silent",
        "--cache-dir",
        str(tmp_path),
        "program.py",
    ]
    env = {**os.environ, "MYPYPATH": str(root)}
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    wrong = [line for line in done.stdout.splitlines() if "error:" in line]
    lines = PROGRAM.splitlines()
    assert [lines[int(line.split(":")[1]) - 1] for line in wrong] == ["ts.run(3.5)", "result.tabel"]
    assert done.returncode == 1, done.stdout
