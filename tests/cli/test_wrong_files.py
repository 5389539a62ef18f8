"""What is no scenario, and a path that is empty, is refused by what it is, before any work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Here

pytestmark = pytest.mark.end_to_end

DIRECTORIES = [
    ("report", ""),
    ("plot", ""),
    ("sweep", "quickstart", "--out", ""),
    ("sweep", "--from", "d", "--out", " "),
    ("plot", "d", "--out", ""),
    ("stack", "quickstart", "--out", ""),
    ("sensitivity", "quickstart", "--vary", "team.size=1:2", "--out", ""),
    ("timeline", "quickstart", "--out", ""),
    ("compare", "quickstart", "quickstart", "--out", ""),
    ("run", ""),
    ("predict", "", "--out", "p.parquet"),
    ("validate", "", "traces", "--out", "v"),
    ("validate", "p.parquet", "", "--out", "v"),
    ("backtest", "", "--out", "b"),
    ("calibrate", "traces", "--out", ""),
]


@pytest.mark.parametrize("command", DIRECTORIES, ids=" ".join)
def test_an_empty_path_is_not_the_working_directory(
    command: tuple[str, ...], tmp_path: Path, teamsim_here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = teamsim_here(*command)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the path is empty" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (json.dumps({"resourceSpans": []}), "none of the fields of one, but 'resourceSpans'; tr"),
        (json.dumps({"points": [], "sha256": "", "teamsim": ""}), "this is kept by a sweep"),
        ("name: a\nteam: &x {size: 2}\nprovider: {<<: *x}\n", "3: provider.<<: merge keys"),
    ],
)
def test_a_file_of_another_kind_is_named(
    text: str, said: str, tmp_path: Path, teamsim_here: Here
) -> None:
    (tmp_path / "x.yaml").write_text(text)
    done = teamsim_here("check", tmp_path / "x.yaml")
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "quickstart", "-r", "x"), "'-r': should be a valid integer\n"),
        (("run", "quickstart", "-r", "0"), "'-r': should be greater than or equal to 1\n"),
        (("stack", "quickstart", "--seed", "1.5"), "'--seed': should be a valid integer\n"),
        (
            ("sensitivity", "quickstart", "--vary", "a=1:2", "--method", "x"),
            "'--method': 'x' is not one of 'morris', 'sobol'",
        ),
    ],
)
def test_wrong_options_are_told_in_plain_words(
    arguments: tuple[str, ...], said: str, teamsim_here: Here
) -> None:
    assert said in teamsim_here(*arguments).stderr


def test_a_table_that_is_not_known_is_told_by_its_columns(
    tmp_path: Path, teamsim_here: Here
) -> None:
    (tmp_path / "a.csv").write_text("start,tokens\n1,2\n")
    (tmp_path / "t.txt").write_text("no table\n")
    done = teamsim_here("observe", "a.csv", "--out", "o", cwd=tmp_path)
    assert done.returncode == 2
    assert "Its columns are 'start', 'tokens': a table of calls needs a duration" in done.stderr
    done = teamsim_here("observe", "t.txt", "--out", "o", cwd=tmp_path)
    assert done.returncode == 2
    assert "columns" not in done.stderr


def test_no_size_at_all_is_no_list_of_sizes(tmp_path: Path, teamsim_here: Here) -> None:
    done = teamsim_here("advise", "quickstart", "--sizes", " ", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "'--sizes': team sizes are whole numbers from 1, as 1,2" in done.stderr
