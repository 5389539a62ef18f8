"""Plain output for pipes and narrow terminals, and JSON as docs/json.md says."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from simulator.cli import running
from simulator.cli.json_output import plain
from simulator.cli.main import app
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
    text = (ROOT / "docs" / "json.md").read_text()
    documented = set(re.findall(r"(?m)^\| `(\w+)` \|", text)) | {"observe"}
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


def test_a_run_fits_a_terminal_of_80_columns(
    mine: Path, teamsim_here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = teamsim_here("run", mine, "-r", 5)
    monkeypatch.setattr(running.console, "width", 80)
    narrow = teamsim_here("run", mine, "-r", 5)
    table = narrow.stdout.partition("cost: unknown")[0].splitlines()
    assert max(map(len, table)) <= 80
    assert table[0].split() == ["metric", "mean", "95", "%", "low", "95", "%", "high", "p50", "p95"]
    assert "…" not in narrow.stdout
    assert "sd" in wide.stdout.splitlines()[0]


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
