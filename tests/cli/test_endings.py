"""The ending of a name says the format; one that cannot be written is refused before the work."""

from __future__ import annotations

from pathlib import Path

import pytest

import simulator as ts
from simulator.errors import TeamsimError
from tests.cli.conftest import Here
from tests.scenario.test_bad_scenarios import GOOD
from tests.test_api import SAID

pytestmark = pytest.mark.end_to_end

A_DIRECTORY = "files get their names in a directory: give one, such as"


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD + "replications: 2\n")
    return path


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("report out --out r.csv", "r.csv: a page is written as .html or .htm, not as '.csv'"),
        ("report out --out r", "r: a page is written as .html or .htm, and this name has no"),
        ("timeline mine.yaml --html r.pdf", "r.pdf: a page is written as .html or .htm"),
        ("plot out --out x.pdf", "x.pdf: a picture is written as .png or .svg, not as '.pdf'"),
        ("predict fits --out p.csv", "p.csv: this table is written as .parquet, not as '.csv'"),
        ("run mine.yaml --out r.xlsx", "a table is written as .csv, .html, .json or .parquet"),
        ("run mine.yaml --trace r.txt", "a table is written as .csv, .html, .json or .parquet"),
        ("sensitivity mine.yaml --vary team.agent.speed=1:2 --out c.csv", f"{A_DIRECTORY} c"),
        ("sweep mine.yaml --out c.parquet", f"{A_DIRECTORY} c"),
        ("stack mine.yaml --out c.PNG", f"{A_DIRECTORY} c"),
        ("compare mine.yaml mine.yaml --out c.json", f"{A_DIRECTORY} c"),
        ("timeline mine.yaml --out c.html", f"{A_DIRECTORY} c"),
        ("validate p.parquet runs --out c.csv", f"{A_DIRECTORY} c"),
        ("backtest runs --out c.csv", f"{A_DIRECTORY} c"),
    ],
)
def test_an_ending_that_is_not_written_is_refused(
    mine: Path, teamsim_here: Here, typed: str, said: str
) -> None:
    if "backtest" in typed:
        (mine.parent / "runs").mkdir()
    before = sorted(mine.parent.iterdir())
    done = teamsim_here(*typed.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert sorted(mine.parent.iterdir()) == before


def test_a_directory_that_is_there_may_have_any_name(mine: Path, teamsim_here: Here) -> None:
    (mine.parent / "runs.csv").mkdir()
    assert teamsim_here("sweep", mine, "--out", "runs.csv", "-w", 1).returncode == 0
    assert teamsim_here("sweep", mine, "--out", "v1.2", "-w", 1).returncode == 0


def test_results_of_programs_are_not_put_into_a_directory_called_as_a_file(tmp_path: Path) -> None:
    with pytest.raises(TeamsimError, match=A_DIRECTORY):
        ts.sweep(SAID, tmp_path / "x.csv", replications=1)
    assert not (tmp_path / "x.csv").exists()
