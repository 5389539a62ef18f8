"""All that commands print fits a terminal of 80 columns, and their JSON is as it is documented."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator.cli.answers import answered
from simulator.cli.json_fields import ENVELOPE, FORMS
from simulator.cli.main import app
from tests.analysis.observed_teams import team, write_runs

pytestmark = pytest.mark.end_to_end

MINE = """\
name: a-team-with-a-rather-long-name
question: Does a team of this size, whose agents sometimes err and talk, beat one agent alone?
replications: 3
team:
  size: 2
  agent:
    latency: {kind: seconds, base: {kind: exponential, mean: 3}}
    faults: {crash: {up_s: 400, repair_s: 50}}
topology: decentralised
coordination: {protocol: self_claim}
workload: {kind: parallel_fraction, tasks: 12, parallel_fraction: 1}
limits: {deadline_s: 30, budget_usd: 4}
expect: [makespan_s.p95 < 20, success.rate > 0.999]
"""
SWEPT = "'sweep={team.size: [1, 2], team.agent.behaviour.preference_correlation: [0, 1]}'"
COMMANDS = {
    "check": "check mine.yaml mine.yaml",
    "check, wrong": "check wrong.yaml --set team.agent.behaviour.preference=2",
    "run": "run mine.yaml",
    "run, trace": "run mine.yaml --trace t.csv",
    "run, table": "run mine.yaml --out t.json --set limits.deadline_s=1",
    "run, steady": "run queue.yaml --steady",
    "compare": "compare mine.yaml other.yaml -r 4 -w 1",
    "compare, far apart": "compare mine.yaml far.yaml -r 4 -w 1",
    "sweep": f"sweep mine.yaml -w 1 --out out --set {SWEPT}",
    "compare, stored": "compare out:0 out:1 out:2",
    "advise": "advise mine.yaml --sizes 2 -r 10 -w 1 --set limits.deadline_s=null",
    "advise, none": "advise mine.yaml --sizes 2 -r 10 -w 1 --set limits.deadline_s=1",
    "stack": f"stack mine.yaml -r 2 -w 1 --set limits={{}} --set {SWEPT}",
    "sensitivity": "sensitivity mine.yaml --vary team.size=2:4 --samples 2 -r 2 -w 1 "
    "--set limits={}",
    "chaos": "chaos mine.yaml -r 2 -w 1 --set limits={}",
    "timeline": "timeline mine.yaml --html t.html",
    "new": "new",
    "new, written": "new research own.yaml",
    "scenarios": "scenarios",
    "list": "list",
    "calibrate, calls": "calibrate calls.csv --out called",
    "observe": "observe traces --out seen -r 2",
    "no such option": "run mine.yaml --replicate 3",
    "no prices": "advise mine.yaml --budget-usd 2",
}
FAILS = {"check, wrong": 2, "no such option": 2, "no prices": 2, "run": 1, "run, table": 1}
"""Exit codes other than 0."""

JSON = {
    "check": "check mine.yaml wrong.yaml",
    "run": "run mine.yaml",
    "compare": "compare mine.yaml other.yaml -r 4 -w 1",
    "advise": COMMANDS["advise"],
    "stack": COMMANDS["stack"],
    "sensitivity": COMMANDS["sensitivity"],
    "chaos": COMMANDS["chaos"],
}
"""All with a documented form but `validate`, of which `test_totals` looks at both."""


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def printed(command: str) -> tuple[int, str, str]:
    """Return the exit code, and what is printed, also of notes and errors on a terminal."""
    out, err = io.StringIO(), Terminal()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = answered(lambda: app(shlex.split(command), standalone_mode=False))
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path, before = tmp_path_factory.mktemp("w"), Path.cwd()
    (path / "mine.yaml").write_text(MINE)
    (path / "wrong.yaml").write_text(MINE.replace("size: 2", "size: 0\n  sizes: 3"))
    far = MINE.replace("tasks: 12", "tasks: 3000").replace("limits:", "limits: {} #")
    (path / "far.yaml").write_text(far)
    (path / "other.yaml").write_text(MINE.replace("size: 2", "size: 3"))
    queue = "{kind: arrivals, tasks: 30, interarrival_s: {kind: exponential, mean: 2}}"
    (path / "queue.yaml").write_text(
        "\n".join(f"workload: {queue}" if line.startswith("workload") else line
                  for line in MINE.splitlines() if not line.startswith("limits"))
    )  # fmt: skip
    write_runs(team("lead with workers", 1), path / "traces", 2)
    calls = ["session,model,duration_s,input_tokens,output_tokens"]
    calls += [f"s{i % 4},claude-opus-4-5,{5 + i % 7},{1000 + 37 * i},{100 + 13 * (i % 11)}"
              for i in range(60)]  # fmt: skip
    (path / "calls.csv").write_text("\n".join(calls) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analysis.observation.tuning.RUNS", 2)
        patch.setattr("analysis.decisions.advice.turning_points._FACTORS", (0.5, 2.0))
        patch.setattr("analysis.plots.save", lambda figure, path: [])
        patch.setenv("TTY_COMPATIBLE", "0")  # no progress bars
        patch.setenv("COLUMNS", "80")
        os.chdir(path)
        yield path
        os.chdir(before)


@pytest.fixture(scope="module")
def said(here: Path) -> dict[str, tuple[int, str, str]]:
    return {name: printed(command) for name, command in COMMANDS.items()}


@pytest.mark.parametrize("name", COMMANDS)
def test_sentences_and_tables_fit_80_columns(
    said: dict[str, tuple[int, str, str]], name: str
) -> None:
    code, out, err = said[name]
    assert code == FAILS.get(name, 0), err
    assert out or err
    assert "Traceback" not in err
    lines = [*out.splitlines(), *err.splitlines()]
    is_command = ("  teamsim ", "Usage: ")  # to copy whole
    assert [line for line in lines if len(line) > 80 and not line.startswith(is_command)] == []
    assert "\N{HORIZONTAL ELLIPSIS}" not in out  # nothing is cut off


@pytest.mark.parametrize("command", JSON)
def test_json_holds_what_is_documented(here: Path, command: str) -> None:
    document: dict[str, Any] = json.loads(printed(f"{JSON[command]} --json")[1])
    assert document.keys() == ENVELOPE.keys() | FORMS[command].fields.keys()
    assert list(document)[:3] == ["schema", "command", "teamsim"]
    assert document["schema"] == f"teamsim/{command}/{FORMS[command].version}"
    assert document["command"] == command
