"""``teamsim sweep --from``, and ``teamsim plot`` of whatever one asks for."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import pandas as pd
import pytest

from analysis.statistics.curves import curves_against
from simulator.experiment import read_manifest, run_sweep
from simulator.experiment.manifest import write_manifest
from simulator.scenario import load_study
from tests.cli.conftest import Here
from tests.scenario.test_bad_scenarios import GOOD

pytestmark = pytest.mark.end_to_end

POINT = "team.size=1, topology=ring, workload.parallel_fraction=0.5"
RANDOM = GOOD.replace("base: 3", "base: {kind: exponential, mean: 3}")
SWEPT = (
    RANDOM
    + """replications: 3
sweep:
  team.size: [1, 2]
  topology: [decentralised, ring]
  workload.parallel_fraction: [0.5, 1]
baseline: {team.size: 1, topology: single}
"""
)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("swept")
    (path / "mine.yaml").write_text(SWEPT)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        run_sweep(load_study("mine.yaml"), Path("out"), workers=1)
    return path


@pytest.fixture
def swept(once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory, which has a scenario and what its sweep wrote."""
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(directory: str) -> pd.DataFrame:
    return pd.read_parquet(f"{directory}/results").sort_values(["point", "replication"])


def test_what_made_a_directory_is_run_again(swept: Path, teamsim_here: Here) -> None:
    (swept / "mine.yaml").unlink()
    done = teamsim_here("sweep", "--from", "out", "--out", "again", "-w", 1)
    assert (done.returncode, done.stderr) == (0, "")
    pd.testing.assert_frame_equal(
        rows("out").reset_index(drop=True), rows("again").reset_index(drop=True)
    )
    before, after = (read_manifest(name) for name in ("out", "again"))
    assert before["sha256"] == after["sha256"]
    assert before["axes"] == after["axes"]


def by_another_version(
    directory: Path, changed: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """Let the team in a directory's scenarios be as another version might have written it."""
    manifest = read_manifest(directory)
    for point in manifest["points"]:
        point["scenario"]["team"] |= changed(point["scenario"]["team"])
    write_manifest(directory, manifest)


READING = (
    ("report", "out", "--stacks", 1, "--out", "report.html"),
    ("plot", "out", "--x", "team.size", "--y", "makespan_s", "--out", "figure.png"),
    ("plot", "out", "--x", "team.size", "--y", "cost_usd", "--out", "cost.png"),
    (
        "compare",
        f"out:{POINT}",
        "mine.yaml",
        "-r",
        2,
    ),
    ("sweep", "--from", "out", "--out", "again", "-w", 1),
)


@pytest.mark.parametrize("command", READING, ids=lambda command: " ".join(map(str, command[:5])))
def test_results_of_a_version_with_more_fields_for_staff_are_read(
    swept: Path, teamsim_here: Here, command: tuple[object, ...]
) -> None:
    priced = {"price": {"input_per_mtok": 1.0, "output_per_mtok": 1.0}}
    by_another_version(
        swept / "out", lambda team: dict.fromkeys(("agent", "verifier"), team["agent"] | priced)
    )
    done = teamsim_here(*command)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", READING, ids=lambda command: " ".join(map(str, command[:5])))
def test_a_field_that_this_version_does_not_know_is_named(
    swept: Path, teamsim_here: Here, command: tuple[object, ...]
) -> None:
    by_another_version(swept / "out", lambda team: {"moods": 3})
    done = teamsim_here(*command)
    if "makespan_s" in command:  # needs nothing of the scenarios
        assert done.returncode == 0, done.stderr
        return
    assert done.returncode == 2, done.stdout
    assert "does not take the scenario of" in done.stderr
    assert "moods" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_may_have_another_seed(swept: Path, teamsim_here: Here) -> None:
    done = teamsim_here("sweep", "--from", "out", "--out", "again", "-w", 1, "--seed", 8)
    assert done.returncode == 0
    assert read_manifest("again")["seed"] == 8
    assert not rows("out")["makespan_s"].equals(rows("again")["makespan_s"])


def test_the_directory_itself_is_gone_on_with(swept: Path, teamsim_here: Here) -> None:
    for part in (swept / "out" / "results").glob("*.parquet"):
        part.unlink()
    done = teamsim_here("sweep", "--from", "out", "--out", "out", "-w", 1)
    assert done.returncode == 0, done.stderr
    assert len(rows("out")) == 30


@pytest.mark.slow  # it draws
def test_anything_is_drawn_against_anything(swept: Path, teamsim_here: Here) -> None:
    asked = "--x", "workload.parallel_fraction", "--y", "tokens", "--y", "makespan_s_p95"
    lines = "--series", "team.size", "--series", "topology"
    done = teamsim_here("plot", "out", *asked, *lines, "--out", "pictures")
    assert (done.returncode, done.stderr) == (0, "")
    picture = matplotlib.image.imread(swept / "pictures" / "figure.png")
    assert picture.shape[0] > 300


def test_a_speed_up_over_nobody_is_refused_and_draws_nothing(
    swept: Path, teamsim_here: Here
) -> None:
    (swept / "mine.yaml").write_text(SWEPT.replace("[1, 2]", "[2, 3]").partition("baseline")[0])
    run_sweep(load_study("mine.yaml"), Path("without"), workers=1)
    done = teamsim_here("plot", "without", "--y", "speedup", "--out", "empty.png")
    assert done.returncode == 2
    assert "speedup: the sweep has no single agent to compare with" in done.stderr
    assert not (swept / "empty.png").exists()


def test_lines_are_named_by_the_fields_that_one_asks_for(swept: Path) -> None:
    lines = curves_against(
        rows("out"), ["makespan_s"], "workload.parallel_fraction", by=["topology", "team.size"]
    )
    assert sorted(lines["series"].unique()) == [
        "decentralised, size 1", "decentralised, size 2", "ring, size 1", "ring, size 2",
        "single, size 1",
    ]  # fmt: skip
    assert lines.groupby("series").size().eq(2).all()


NINE = [
    part
    for name in ("tokens", "quality", "success", "calls", "rounds", "messages", "agents",
                 "attempts", "makespan_s")
    for part in ("--y", name)
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sweep", "--out", "new"], "give a scenario, or --from"),
        (["sweep", "mine.yaml", "--from", "out", "--out", "new"], "not both"),
        (["sweep", "--from", "nothing", "--out", "new"], "holds no sweep (there is no such"),
        (
            ["sweep", "--from", "mine.yaml", "--out", "new"],
            "holds no sweep (it is a file; to make one: teamsim sweep mine.yaml --out DIRECTORY)",
        ),
        (["sweep", "--from", "out"], "Missing option '--out'"),
        (["sweep", "--from", "out", "--out", "new", "--set", "team.size=3"], "--set: it goes with"),
        (["sweep", "--from", "out", "--out", "out", "--seed", "8"], "results of another sweep"),
        (["sweep", "--from", "out", "--out", "mine.yaml"], "is not a directory"),
        (["sweep", "--from", "out", "--out", "new", "--seed", "-8"], "greater than or equal to 0"),
        (["plot", "out", "--x", "team.sise"], "did you mean 'team.size'"),
        (["plot", "out", "--y", "makespan"], "did you mean 'makespan_s'"),
        (["plot", "out", "--series", "topologi"], "did you mean 'topology'"),
        (["plot", "out", "--x", "team.size", "--series", "topology"], "name that as a series, too"),
        (["plot", "out", *NINE], "9 metrics"),
        (["plot", "out", "--y"], "requires an argument"),
        (["plot", "nothing", "--y", "tokens"], "holds no sweep"),
        (["plot", "out", "--y", "tokens", "--out", "mine.yaml"], "cannot be made"),
    ],
)
def test_bad_arguments_get_one_clear_message(
    swept: Path, arguments: list[str], message: str, teamsim_here: Here
) -> None:
    done = teamsim_here(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (swept / "new").exists()
