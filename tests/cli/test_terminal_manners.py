"""Plain output for pipes and narrow terminals, and JSON as docs/json.md says."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import typer.main

from simulator.cli import terminal
from simulator.cli.answers import answered
from simulator.cli.harmless import complain
from simulator.cli.json_fields import FORMS
from simulator.cli.json_output import plain
from simulator.cli.main import app, program_of
from simulator.experiment import replicate
from simulator.scenario import load_study
from tests.cli.conftest import Here
from tests.scenario.test_bad_scenarios import GOOD

pytestmark = pytest.mark.end_to_end

ROOT = Path(__file__).parents[2]


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(GOOD)
    return tmp_path / "mine.yaml"


def test_every_command_with_json_is_documented() -> None:
    documented = {*FORMS, "observe"}
    commands = {
        each.callback.__name__: inspect.signature(each.callback).parameters
        for each in app.registered_commands
        if each.callback is not None
    }
    assert {name for name, has in commands.items() if "as_json" in has} == documented
    assert {"run", "compare", "check", "advise", "stack", "chaos", "validate"} <= documented


def test_what_is_not_known_is_null() -> None:
    values = {"a": [float("nan"), float("inf"), 1.5], 3: (True, None)}
    assert json.loads(json.dumps(plain(values))) == {"a": [None, None, 1.5], "3": [True, None]}


def test_every_option_of_every_command_has_a_help_text() -> None:
    group = typer.main.get_command(app)
    commands = group.commands  # type: ignore[attr-defined]
    assert len(commands) > 15
    for name, command in commands.items():
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", ""), f"{name} {parameter.name}"


@pytest.mark.slow  # three processes
def test_piped_output_and_NO_COLOR_are_plain(mine: Path) -> None:
    def printed(**more: str) -> str:
        command = [sys.executable, "-m", "simulator.cli", "-h"]
        env = {name: value for name, value in os.environ.items() if "COLOR" not in name}
        env |= {"PYTHONPATH": str(ROOT), **more}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        return done.stdout

    colour = re.compile(r"\x1b\[(?:\d+;)*3\d")
    assert "\x1b" not in printed()
    assert colour.search(printed(FORCE_COLOR="1"))
    assert not colour.search(printed(FORCE_COLOR="1", NO_COLOR="1"))


def test_a_run_fits_80_columns_and_loses_no_column(
    mine: Path, teamsim_here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(width: int) -> list[str]:
        monkeypatch.setattr(terminal.console, "width", width)
        printed = teamsim_here("run", mine, "-r", 5).stdout
        return printed.partition("cost: unknown")[0].splitlines()

    wide, narrow = shown(200), shown(80)
    assert max(map(len, wide)) > 80 >= max(map(len, narrow))
    assert "…" not in "".join(narrow)
    heads = [line.split()[1:] for line in narrow if line.startswith("metric")]
    assert [head for part in heads for head in part] == wide[0].split()[1:]
    (whole,) = [line.split() for line in wide if line.startswith("makespan_s")]
    parts = [line.split() for line in narrow if line.startswith("makespan_s")]
    assert len(parts) > 1
    assert [cell for part in parts for cell in part[1:]] == whole[1:]


def test_a_table_that_is_too_wide_is_cut_between_columns_and_names_are_folded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal.console, "width", 40)
    heads = ["name", "the first of all causes", "n", "x"]
    terminal.print_table(heads, [["a name that is long beyond measure", "1" * 12, "2" * 10, "3"]])
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 40
    for whole in ("1" * 12, "2" * 10, "the first of", "all causes"):
        assert whole in printed
    assert all(word in printed for word in ("a name that", "long", "beyond", "measure"))


def test_what_is_piped_has_80_columns() -> None:
    code = "from simulator.cli.terminal import console; print(console.width)"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "80"


READERS = {
    ".csv": pd.read_csv,
    ".json": pd.read_json,
    ".parquet": pd.read_parquet,
    ".CSV": pd.read_csv,
}


@pytest.mark.parametrize("ending", READERS)
def test_the_ending_of_a_table_says_its_format(mine: Path, teamsim_here: Here, ending: str) -> None:
    out = mine.with_name(f"table{ending}")
    assert teamsim_here("run", mine, "-r", 3, "--out", out).returncode == 0
    table = READERS[ending](out)
    assert list(table["replication"]) == [0, 1, 2]
    expected = [each.makespan_s for each in replicate(load_study(mine).base, 3)]
    assert list(table["makespan_s"]) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    "command",
    [("run", "-r", 1, "--out"), ("run", "--trace"), ("chaos", "--out"), ("advise", "--out")],
    ids=str,
)
@pytest.mark.parametrize("name", ["table.xls", "table"])
def test_an_unknown_ending_is_refused_before_the_work(
    mine: Path, teamsim_here: Here, command: tuple[object, ...], name: str
) -> None:
    first, *options = command
    done = teamsim_here(first, mine, *options, name)
    assert done.returncode == 2
    assert f"{name}: a table is written as .csv, .html, .json or .parquet" in done.stderr
    assert not Path(name).exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_the_names_of_commands(shell: str) -> None:
    how = {"COMP_WORDS": "teamsim sens", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "teamsim sens",
           "_TYPER_COMPLETE_FISH_ACTION": "get-args"}  # fmt: skip
    env = {**os.environ, **how, "PYTHONPATH": str(ROOT), "_TEAMSIM_COMPLETE": f"complete_{shell}"}
    code = "import sys; sys.argv = ['teamsim']; from simulator.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert "sensitivity" in done.stdout
    assert "advise" not in done.stdout


def test_a_cost_is_not_drawn_as_0(mine: Path, teamsim_here: Here) -> None:
    sizes = "--set", "sweep={team.size: [1, 2]}", "--set", "replications=2"
    assert teamsim_here("sweep", mine, "--out", "out", "-w", 1, *sizes).returncode == 0
    done = teamsim_here("plot", "out", "--y", "cost_usd")
    assert done.returncode == 2
    assert "made without prices" in done.stderr


def test_a_traced_run_has_no_cost_of_0_either(mine: Path, teamsim_here: Here) -> None:
    done = teamsim_here("run", mine, "--trace", "t.parquet")
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("cost_usd")]
    assert row.split() == ["cost_usd", "unknown"]


@pytest.mark.parametrize(
    "command",
    [
        ("compare", "quickstart", "amdahl", "-r", 4),
        ("run", "amdahl", "-r", 4, "--expect", "makespan_s.p95 < 2000"),
        ("list",),
        ("scenarios",),
        ("new",),
    ],
)
def test_tables_and_sentences_fit_80_columns(
    command: tuple[object, ...], teamsim_here: Here, tmp_path: Path
) -> None:
    done = teamsim_here(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) > 3
    assert [line for line in lines if len(line) > 80 and " " in line] == []


_LONG = "error: no known format (tried canonical, jaeger, langfuse, langsmith); see docs/traces.md"


@pytest.mark.parametrize("width", [40, 60])
def test_errors_are_filled_on_a_terminal_and_a_line_each_elsewhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    complain(f"{_LONG}\n{_LONG}")
    assert capsys.readouterr().err.splitlines() == [_LONG, _LONG]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    complain(f"{_LONG}\n{_LONG}")
    lines = capsys.readouterr().err.splitlines()
    assert max(map(len, lines)) <= width
    assert [line for line in lines if line[0] != " "] == [lines[0], lines[0]]
    assert " ".join(" ".join(lines).split()) == f"{_LONG} {_LONG}"
    complain("a" * 300)
    assert capsys.readouterr().err == f"{'a' * 300}\n"  # a path stays whole


@pytest.mark.parametrize(
    "command",
    [
        ("stack", "bad.yaml", "--out", "new/out"),
        ("stack", "alone.yaml", "--out", "new/out"),
        ("sensitivity", "alone.yaml", "--vary", "team.nothing=1:2", "--out", "new/out"),
        ("sensitivity", "alone.yaml", "--vary", "workload.tasks=-5:0", "--out", "new/out"),
        ("timeline", "bad.yaml", "--out", "new/out"),
        ("compare", "alone.yaml", "bad.yaml", "--out", "new/out"),
        ("sweep", "bad.yaml", "--out", "new/out"),
        ("observe", "alone.yaml", "--out", "new/out"),
        ("calibrate", "alone.yaml", "--out", "new/out"),
        ("plot", "nothing", "--out", "new/out"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_what_is_refused_leaves_no_directory(
    mine: Path, teamsim_here: Here, command: tuple[str, ...]
) -> None:
    mine.with_name("alone.yaml").write_text(GOOD)
    mine.with_name("bad.yaml").write_text(GOOD.replace("team:", "teem:"))
    before = sorted(mine.parent.iterdir())
    assert teamsim_here(*command).returncode == 2
    assert sorted(mine.parent.iterdir()) == before


def _fail_in(out: Path, writes: bool) -> None:
    with terminal.directory_for(out):
        if writes:
            (out / "kept").touch()
        raise ZeroDivisionError


def test_a_directory_goes_only_if_it_is_new_and_empty(tmp_path: Path) -> None:
    for name, writes in (("a/b", False), (".", False), ("c", True)):
        with pytest.raises(ZeroDivisionError):
            _fail_in(tmp_path / name, writes)
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "c" / "kept").exists()


@pytest.mark.parametrize("name", [each.name for each in app.registered_commands])
def test_a_command_alone_says_what_it_says_among_all(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for program in (app, program_of([name])):
        for asked in ("--help", "--no-such-option"):
            answered(partial(program, [name, asked], standalone_mode=False))
        said.append(capsys.readouterr())
    assert said[0] == said[1]
    assert said[0].out
    assert said[0].err
    assert len(program_of([name]).registered_commands) == 1
