"""Advice that is written as a scenario, and the decisions as JSON."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pandas as pd
import pytest

from simulator.cli.chaos_table import print_chaos
from simulator.cli.json_fields import FORMS
from simulator.scenario import load_study
from tests.cli.conftest import Here
from tests.scenario.test_bad_scenarios import GOOD

pytestmark = [pytest.mark.end_to_end, pytest.mark.usefixtures("few_turning_points")]

PARALLEL = GOOD.replace("0.5", "1").replace("tasks: 10", "tasks: 12")
FEW = ("--sizes", "2,4", "-r", "30", "-w", "1")
SERIAL = ("--set", "workload.parallel_fraction=0")
"""Work of which one agent is the best: what would change that is quickly seen."""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_text(PARALLEL + "seed: 4\nreplications: 8\nsweep: {team.size: [1, 2, 4]}\n")
    return path


@pytest.mark.slow
def test_the_best_scenario_is_written_and_runs(mine: Path, teamsim_here: Here) -> None:
    done = teamsim_here("advise", mine, *FEW, "--write", "best.yaml")
    assert done.returncode == 0, done.stderr
    assert "best.yaml: 4, " in done.stdout
    text = Path("best.yaml").read_text()
    assert text.startswith("# The scenario that teamsim advise ")
    assert "team is worth it: 4, " in text  # why
    best = load_study("best.yaml")
    assert (best.base.team.size, best.base.name, best.base.seed) == (4, "best", 4)
    assert len(best.points) == 1
    assert teamsim_here("check", "best.yaml").returncode == 0
    ran = teamsim_here("run", "best.yaml")
    assert ran.returncode == 0, ran.stderr
    # Again is fine; it is the file of an earlier advice.
    assert teamsim_here("advise", mine, *FEW, "--write", "best.yaml").returncode == 0


@pytest.mark.slow
def test_one_agent_is_in_the_table_though_teams_are_better(
    mine: Path, teamsim_here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.cli.deciding._MOST_SHOWN", 2)
    few = "--sizes", "2", "-r", "10", "-w", "1"
    done = teamsim_here("advise", mine, *few, "--out", "a.csv")
    assert done.returncode == 0, done.stderr
    systems = pd.read_csv("a.csv")["system"].tolist()
    assert systems.index("one agent") >= 2
    first = done.stdout.split("\n\n")[0].splitlines()
    assert [line.split("  ")[0] for line in first[-3:]] == [*systems[:2], "one agent"]
    assert f"{len(systems) - 3} further systems are not shown (--out has them)" in done.stdout


@pytest.mark.slow
def test_what_is_assumed_is_said_and_changes_no_run(mine: Path, teamsim_here: Here) -> None:
    assert teamsim_here("sweep", mine, "--out", "out", "-w", 1).returncode == 0
    mine.write_text(mine.read_text() + "assumptions: [no two tasks need each other]\n")
    made = {path: path.stat().st_mtime_ns for path in Path("out/results").iterdir()}
    assert teamsim_here("sweep", mine, "--out", "out", "-w", 1).returncode == 0
    assert made == {path: path.stat().st_mtime_ns for path in Path("out/results").iterdir()}
    said = "Assumed, not measured: no two tasks need each other."
    assert said in teamsim_here("advise", mine, *FEW, *SERIAL).stdout
    found = json.loads(teamsim_here("advise", mine, *FEW, "--json").stdout)
    assert "what is assumed holds, a team is worth it: 4, " in found["sentences"][0]
    assert found["sentences"][1] == said
    assert teamsim_here("sweep", mine, "--out", "new", "-w", 1).returncode == 0
    assert teamsim_here("report", "new", "--stacks", 0).returncode == 0
    assert said in Path("new/report.html").read_text("utf-8")


@pytest.mark.slow
def test_one_agent_can_be_the_best(mine: Path, teamsim_here: Here) -> None:
    done = teamsim_here("advise", mine, *FEW, *SERIAL, "--write", "best.yaml")
    assert done.returncode == 0, done.stderr
    best = load_study("best.yaml").base
    assert (best.team.size, best.topology.kind) == (1, "single")
    assert best.workload.model_dump()["parallel_fraction"] == 0.0


@pytest.mark.slow
def test_what_other_files_say_goes_along(mine: Path, tmp_path: Path, teamsim_here: Here) -> None:
    (tmp_path / "profile.yaml").write_text("latency: {kind: seconds, base: 3}\n")
    mine.write_text(PARALLEL.replace("latency: {kind: seconds, base: 3}", "profile: profile.yaml"))
    (tmp_path / "elsewhere").mkdir()
    for path in (tmp_path / "beside.yaml", tmp_path / "elsewhere" / "best.yaml"):
        done = teamsim_here("advise", mine, *FEW, "--write", path)
        assert done.returncode == 0, done.stderr
        agent = load_study(path).base.team.agent
        assert agent is not None
        assert agent.latency == load_study(mine).base.team.agent.latency  # type: ignore[union-attr]


def test_nothing_is_written_if_nothing_will_do(mine: Path, teamsim_here: Here) -> None:
    never = "--set", "limits.deadline_s=1"
    done = teamsim_here("advise", mine, *FEW, *never, "--write", "best.yaml")
    assert done.returncode == 1
    assert "is not written" in done.stderr
    assert not Path("best.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--write", "mine.yaml"], "it exists"),
        (["--write", "best.txt"], "ends in .yaml"),
        (["--write", "no/where.yaml"], "there is no directory no"),
        (["--write", "."], "ends in .yaml"),
        (["--write"], "requires an argument"),
        (["--usd-per-hour", "20"], "error: --usd-per-hour: what a run costs is not known"),
        (["--budget-usd", "2"], "error: --budget-usd: what a run costs is not known"),
        (["--seed", "-3"], "greater than or equal to 0"),
        (["--seed", "x"], "valid integer"),
        (["--set", "team.agent.price=claud"], "no model 'claud'"),
        (["--jason"], "No such option"),
    ],
)
def test_bad_arguments_get_one_clear_message(
    mine: Path, arguments: list[str], message: str, teamsim_here: Here
) -> None:
    before = mine.read_text()
    done = teamsim_here("advise", mine, *FEW, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.split())
    assert mine.read_text() == before


def found(done: object, command: str) -> dict[str, object]:
    document = json.loads(done.stdout)  # type: ignore[attr-defined]
    assert document["schema"] == f"teamsim/{command}/{FORMS[command].version}"
    assert document["rows"]
    return dict(document)


@pytest.mark.slow
def test_advice_as_json(mine: Path, teamsim_here: Here) -> None:
    advice = found(teamsim_here("advise", mine, *FEW, *SERIAL, "--json"), "advise")
    assert advice["best"] == "one agent"
    assert advice["rows"][0]["cost_usd"] is None  # type: ignore[index]
    assert set(advice["gain"]) == {"estimate", "low", "high"}  # type: ignore[call-overload]


def test_faults_as_json(mine: Path, teamsim_here: Here) -> None:
    chaos = found(teamsim_here("chaos", mine, "-r", 3, "-w", 1, "--json"), "chaos")
    assert chaos["rows"][0]["extra_usd"] is None  # type: ignore[index]


@pytest.mark.slow  # both draw
@pytest.mark.parametrize(
    ("seconds", "completed", "said"),
    [(0.0, 0.0, "?"), (21.0, 0.0, ">21"), (21.0, 0.9, ">21"), (0.0, 0.9, "0"), (21.0, 1.0, "21")],
)
def test_no_team_recovers_at_once_whose_runs_all_fail(
    seconds: float, completed: float, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    row = dict.fromkeys(("lost_tasks", "makespan_s", "extra_usd", "makespan_low"), math.nan)
    row |= dict.fromkeys(("makespan_high", "extra_usd_low", "extra_usd_high"), math.nan)
    row |= {"completed": completed, "recovery_s": seconds}
    print_chaos(pd.DataFrame([{"fault": "f", "patterns": "p", **row}]), priced=True)
    heads, cells = (re.split(r"\s{2,}", line) for line in capsys.readouterr().out.splitlines()[:2])
    assert cells[heads.index("recovery s") - 1] == said  # without the empty interval of times


@pytest.mark.slow
def test_causes_and_parameters_as_json(mine: Path, teamsim_here: Here) -> None:
    stack = found(teamsim_here("stack", mine, "--out", "out", "-r", 2, "--json"), "stack")
    assert {row["n"] for row in stack["rows"]} == {2, 4}  # type: ignore[attr-defined]
    vary = "--vary", "workload.tasks=5:20", "--out", "out", "-r", "2", "-w", "1"
    varied = found(teamsim_here("sensitivity", mine, *vary, "--json"), "sensitivity")
    assert varied["metric"] == "makespan_s"


@pytest.mark.slow
def test_a_cost_without_a_price_is_never_0(mine: Path, teamsim_here: Here) -> None:
    run = teamsim_here("run", mine)
    assert "cost: unknown" in run.stdout
    assert "team.agent.price" in run.stdout
    advice = teamsim_here("advise", mine, *FEW, *SERIAL)
    assert "cost: unknown" in advice.stdout
    free = "--set", "team.agent.price={input_per_mtok: 0, output_per_mtok: 0}"
    assert "cost: unknown" not in teamsim_here("run", mine, *free).stdout
    vary = "--vary", "workload.tasks=5:20", "--out", "out", "--metric", "cost_usd"
    varied = teamsim_here("sensitivity", mine, *vary)
    assert varied.returncode == 2
    assert "not known" in varied.stderr
