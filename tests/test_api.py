"""The front door: what ``import simulator as ts`` offers, and what it returns."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import polars
import pytest
from matplotlib.figure import Figure

import simulator as ts
from simulator.errors import TeamsimError
from simulator.version import __version__

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


def test_arrays_have_points_and_replications() -> None:
    pytest.importorskip("xarray")
    result = ts.sweep(ts.load("quickstart", SMALL))
    data = result.to_xarray()
    assert data.sizes == {"point": result.table["point"].nunique(), "replication": 3}
    last = result.table.iloc[-1]
    found = data["makespan_s"].sel(point=last["point"], replication=last["replication"])
    assert float(found) == last["makespan_s"]
    assert str(data["point_name"].sel(point=last["point"]).item()) == last["point_name"]


def test_teams_are_compared_with_the_first() -> None:
    alone, team = ts.load("quickstart"), ts.load("quickstart", {"team.size": 3})
    result = ts.compare({"alone": alone, "team": team}, replications=20)
    assert set(result.table["team"]) == {"team"}
    assert result.comparison.replications == {"team": 20}
    assert isinstance(result.plot(), Figure)
    with pytest.raises(TeamsimError, match="two teams or more"):
        ts.compare({"alone": alone})


def test_advice_has_a_table_and_sentences(tmp_path: Path) -> None:
    result = ts.advise("quickstart", sizes=[2], replications=20)
    assert result.sentences
    assert len(result.table) > 1
    result.save(tmp_path / "advice.csv")
    assert len(pd.read_csv(tmp_path / "advice.csv")) == len(result.table)


PROGRAM = """
import pandas as pd
import simulator as ts

result = ts.sweep(ts.load("quickstart", {"replications": 2}))
table: pd.DataFrame = result.table
result.plot().savefig("curves.png")
best: list[str] = ts.advise("quickstart").sentences
"""


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["", "ts.run(3.5)", "result.tabel"])
def test_a_type_checker_knows_the_front_door(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "program.py").write_text(f"{PROGRAM}{wrong}\n")
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
    assert done.returncode == (1 if wrong else 0), done.stdout
    assert done.stdout.count("error:") == (1 if wrong else 0), done.stdout
