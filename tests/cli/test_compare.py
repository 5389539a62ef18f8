"""``teamsim compare``: scenarios and directories of results beside each other."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from simulator.experiment import run_sweep
from simulator.scenario import load_study
from tests.cli.conftest import Here
from tests.scenario.test_bad_scenarios import GOOD

pytestmark = pytest.mark.end_to_end

RANDOM = (
    GOOD.replace("base: 3", "base: {kind: exponential, mean: 3}").replace("0.5", "1")
    + "replications: 30\n"
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(RANDOM)
    (tmp_path / "b.yaml").write_text(RANDOM.replace("size: 2", "size: 4") + "seed: 7\n")
    return tmp_path


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("swept")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        Path("a.yaml").write_text(RANDOM)
        study = load_study("a.yaml", ["sweep={team.size: [2, 4]}"])
        run_sweep(study, Path("out"), workers=1)
    return path / "out"


@pytest.fixture
def swept(here: Path, once: Path) -> Path:
    shutil.copytree(once, here / "out")
    return here


def test_two_scenarios_are_run_with_the_same_luck(here: Path, teamsim_here: Here) -> None:
    (here / "one.yaml").write_text(RANDOM.replace("size: 2", "size: 1"))
    done = teamsim_here("compare", "one.yaml", "b.yaml", "-w", 1)
    assert (done.returncode, done.stderr) == (0, "")
    said = " ".join(done.stdout.split())
    assert said.startswith("b is faster than one by ")
    assert "30 pairs of runs, seed 0" in said
    assert "that up to 9.5 % of a team's further runs may fail (95 % confidence)" in said
    assert "cost: unknown, as there is no price in one, b: give a price" in said
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.slow  # the first picture of a process imports matplotlib
def test_a_comparison_is_drawn_and_written(here: Path, teamsim_here: Here) -> None:
    done = teamsim_here("compare", "a.yaml", "b.yaml", "a.yaml", "-w", 1, "--out", "out")
    assert done.returncode == 0
    assert (here / "out" / "comparison.png").stat().st_size > 10_000
    table = pd.read_csv(here / "out" / "comparison.csv")
    assert table["metric"].tolist() == 2 * [
        "makespan_s", "cost_usd", "tokens", "success", "quality"
    ]  # fmt: skip
    assert table["change"].isna().tolist() == 2 * [False, True, False, False, False]


def test_what_was_run_before_need_not_be_run_again(swept: Path, teamsim_here: Here) -> None:
    stored = teamsim_here("compare", "out:0", "out:team.size=4", "--json")
    fresh = teamsim_here("compare", "out:0", "b.yaml", "--json", "-w", 1)
    assert (stored.returncode, fresh.returncode) == (0, 0)
    one, other = (json.loads(done.stdout) for done in (stored, fresh))
    assert one["schema"] == "teamsim/compare/2"
    # b.yaml has another seed, but is run with that of the directory: it is the same team.
    assert one["systems"][0]["metrics"] == other["systems"][0]["metrics"]
    assert one["systems"][0]["metrics"]["cost_usd"]["change"]["estimate"] is None


def test_runs_of_another_seed_are_told(swept: Path, teamsim_here: Here) -> None:
    sizes = "--set", "sweep={team.size: [2]}"
    teamsim_here("sweep", "a.yaml", "--out", "other", "-w", 1, "--seed", 9, *sizes)
    done = teamsim_here("compare", "out:0", "other")
    assert done.returncode == 0
    assert "other was run with another seed" in " ".join(done.stdout.split())


def test_a_seed_changes_nothing_of_what_was_run(swept: Path, teamsim_here: Here) -> None:
    done = teamsim_here("compare", "out:0", "out:1", "--seed", 7)
    assert done.returncode == 2
    assert "seed: these have been run already, with 0: leave it out" in done.stderr
    assert teamsim_here("compare", "out:0", "out:1", "--seed", 0).returncode == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--set", "team.size=3"], "--set team.size=3: these have been run already: leave it out"),
        (["-r", "31"], "out:0 has been run 30 times, not 31"),
    ],
)
def test_what_would_change_nothing_of_what_was_run_is_refused(
    swept: Path, teamsim_here: Here, given: list[str], said: str
) -> None:
    done = teamsim_here("compare", "out:0", "out:1", *given)
    assert done.returncode == 2
    assert said in done.stderr


def test_of_what_was_run_the_first_replications_are_compared(
    swept: Path, teamsim_here: Here
) -> None:
    done = teamsim_here("compare", "out:0", "out:1", "-r", 7)
    assert "7 pairs of runs" in done.stdout, done.stderr


def test_a_team_beside_itself_is_the_same(here: Path, teamsim_here: Here) -> None:
    done = teamsim_here("compare", "a.yaml", "a.yaml", "-r", 5, "-w", 1)
    assert "a (2) and a are the same in all 5 replications" in done.stdout


def test_a_dearer_price_changes_no_time(here: Path, teamsim_here: Here) -> None:
    for name, usd in (("cheap", 1), ("dear", 2)):
        agent = f"{{latency: {{kind: seconds, base: 3}}, price: {{input_per_mtok: {usd}}}}}"
        (here / f"{name}.yaml").write_text(
            f"name: {name}\nteam: {{size: 2, agent: {agent}}}\ntopology: decentralised\n"
            "coordination: {protocol: self_claim}\n"
            "workload: {kind: parallel_fraction, tasks: 6, parallel_fraction: 1}\n"
        )
    done = teamsim_here("compare", "cheap.yaml", "dear.yaml", "-r", 4, "-w", 1)
    said = " ".join(done.stdout.split())
    assert "dear takes as long as cheap, costs 100 % more" in said, done.stderr


def test_a_cost_that_is_known_is_said_beside_one_that_is_not(
    here: Path, teamsim_here: Here
) -> None:
    priced = "team.agent.price={output_per_mtok: 1000}"
    assert (
        teamsim_here("sweep", "a.yaml", "--out", "dear", "--set", priced, "-w", 1).returncode == 0
    )
    said = " ".join(teamsim_here("compare", "dear", "a.yaml", "-w", 1).stdout.split())
    assert re.search(r"dear costs [\d.]+ USD a run \[.*\]; what a costs is not known", said)
    assert "cost: unknown, as there is no price in a: give a price" in said


def test_a_cost_of_nothing_is_known(here: Path, teamsim_here: Here) -> None:
    for name, price in (("free", 0), ("dear", 1000)):
        changed = f"team.agent.price={{output_per_mtok: {price}}}"
        done = teamsim_here("sweep", "a.yaml", "--out", name, "--set", changed, "-w", 1)
        assert done.returncode == 0, done.stderr
    said = " ".join(teamsim_here("compare", "free", "dear", "-w", 1).stdout.split())
    assert re.search(r"free costs nothing; dear costs [\d.]+ USD a run \[.*\]\.", said)
    assert "not known" not in said
    assert "give a price" not in said


def test_programs_are_told_how_to_give_a_price(here: Path, teamsim_here: Here) -> None:
    found = json.loads(teamsim_here("compare", "a.yaml", "b.yaml", "-w", 1, "--json").stdout)
    unseen, note = found["notes"]
    assert unseen.startswith("All runs finished, and the intervals are of runs that do.")
    assert note.startswith("cost: unknown, as there is no price in a, b: give a price")
    assert found["sentences"][0].endswith("What they cost is not known.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument"),
        (["a.yaml"], "1 given: name two"),
        (["a.yaml"] * 13, "13 given"),
        (["a.yaml", "c.yaml"], "c.yaml: no such file"),
        (["a.yaml", "."], "holds no sweep"),
        (["a.yaml", "out"], "out: it holds 2 points; write out:POINT"),
        (["a.yaml", "out:7"], "unknown point '7'; write out:POINT, by number or name 0: team"),
        (["a.yaml", "out:team.size=3"], "did you mean 'team.size=4'"),
        (["a.yaml", "b.yaml", "-r", "1"], "greater than or equal to 2"),
        (["a.yaml", "b.yaml", "--seed", "-1"], "greater than or equal to 0"),
        (["a.yaml", "b.yaml", "--out", "a.yaml"], "cannot be made"),
        (["a.yaml", "b.yaml", "--set", "team.size=0"], "team.size"),
    ],
)
def test_bad_arguments_get_one_clear_message(
    swept: Path, arguments: list[str], message: str, teamsim_here: Here
) -> None:
    done = teamsim_here("compare", *arguments)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_points_that_there_are_stand_on_a_line_each(swept: Path, teamsim_here: Here) -> None:
    done = teamsim_here("compare", "a.yaml", "out:9")
    assert done.stderr.splitlines() == [
        "error: out: unknown point '9'; write out:POINT, by number or name",
        "  0: team.size=2",
        "  1: team.size=4",
    ]


@pytest.mark.parametrize("name", ["out", "quickstart", "a-longer-name-of-results"])
def test_nothing_of_the_table_is_cut_off(here: Path, teamsim_here: Here, name: str) -> None:
    sizes = "--set", "sweep={team.size: [2, 4]}"
    assert teamsim_here("sweep", "a.yaml", "--out", name, "-w", 1, *sizes, "-q").returncode == 0
    told = teamsim_here("compare", f"{name}:0", f"{name}:1")
    assert "…" not in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 80
    assert "resolved" in told.stdout
