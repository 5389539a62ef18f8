"""What somebody types who does not know the options yet: it works, or says what to type."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import typer

from analysis.statistics.curves import NUMBERS, TO_SUCCESS
from analysis.statistics.expectations import expectations_in
from simulator.cli.main import app
from simulator.errors import TeamsimError
from tests.cli.conftest import Here
from tests.scenario.test_bad_scenarios import GOOD

pytestmark = pytest.mark.end_to_end

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD + "replications: 4\nsweep: {team.size: [1, 2]}\n")
    return path


def options_of(command: str) -> dict[str, list[str]]:
    return {each.name: each.opts for each in COMMANDS[command].params}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_an_option_has_the_same_names_in_all_commands(command: str) -> None:
    options = options_of(command)
    for name, short in (("replications", "-r"), ("workers", "-w"), ("quiet", "-q")):
        assert name not in options or options[name] == [f"--{name}", short]


@pytest.mark.parametrize(
    "command", [each for each in sorted(COMMANDS) if "scenario" in options_of(each)]
)
def test_what_runs_a_scenario_can_set_its_fields_and_its_seed(command: str) -> None:
    assert {"settings", "seed", "quiet"} <= options_of(command).keys()


LONG = {
    *("run", "compare", "sweep", "advise", "stack", "sensitivity", "chaos", "report"),
    *("calibrate", "predict", "backtest"),
}
"""Commands whose work can be divided among processes."""


def test_commands_of_long_work_take_workers_and_all_can_be_quiet() -> None:
    assert {each for each in COMMANDS if "workers" in options_of(each)} == LONG
    assert all("quiet" in options_of(each) for each in COMMANDS)


def test_replications_of_a_sweep_are_said_as_those_of_a_run(mine: Path, teamsim_here: Here) -> None:
    assert "6 replications" in teamsim_here("sweep", mine, "-r", "3", "--out", "out").stdout
    again = teamsim_here("sweep", "--from", "out", "-r", "5", "--out", "again")
    assert "10 replications" in again.stdout, again.stderr


def test_workers_do_not_change_what_a_run_prints(mine: Path, teamsim_here: Here) -> None:
    alone, two = (teamsim_here("run", mine, "-w", n) for n in (1, 2))
    assert two.stdout == alone.stdout
    assert alone.returncode == 0


def test_a_page_without_a_name_is_called_by_its_scenario(mine: Path, teamsim_here: Here) -> None:
    for more in ((), ("--seed", "3")):
        done = teamsim_here("timeline", mine, "--html", *more)
        assert done.stdout.startswith("good-timeline.html (open it"), done.stderr
        assert Path("good-timeline.html").is_file()
        Path("good-timeline.html").unlink()
    assert teamsim_here("timeline", mine, "--html", "x.html").stdout.startswith("x.html")
    for said, name in ((mine, "good"), ("quickstart", "quickstart")):
        done = teamsim_here("timeline", "--html", said)
        assert done.stdout.startswith(f"{name}-timeline.html (open it"), done.stderr
    assert "the path is empty" in teamsim_here("timeline", mine, "--html=").stderr


@pytest.mark.slow
def test_json_needs_no_directory(mine: Path, teamsim_here: Here) -> None:
    vary = ("--vary", "team.size=1:3", "--samples", "2", "-w", "1")
    before = set(mine.parent.iterdir())
    for command in (("stack", mine), ("sensitivity", mine, *vary)):
        done = teamsim_here(*command, "-r", "2", "--json")
        assert json.loads(done.stdout)["rows"], done.stderr
        done = teamsim_here(*command, "-r", "2")
        assert done.returncode == 0
        assert done.stdout
    assert set(mine.parent.iterdir()) == before


def test_events_of_a_simulated_run_are_no_calls_to_observe(mine: Path, teamsim_here: Here) -> None:
    for ending in ("csv", "parquet", "json"):
        teamsim_here("run", mine, "--trace", f"events.{ending}")
        done = teamsim_here("observe", f"events.{ending}", "--out", "out")
        assert done.returncode == 2
        assert "these are the events of a simulated run" in done.stderr
        assert "otlp.jsonl" in done.stderr


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("makespan < 60", "makespan_s.mean"),
        ("makespan.p95 < 60", "makespan_s.p95"),
        ("makespan.p50 < 60", "makespan_s.p50"),
        ("makespan.max < 60", "makespan_s.max"),
        ("makespan.p950 < 60", "makespan_s.mean"),
        ("sucess.p95 > 0.9", "success.rate"),
        ("makespan.rate < 60", "makespan_s.mean"),
        ("makespan_s.rate < 60", "makespan_s.mean"),
        ("sucess > 0.9", "success.rate"),
        ("success > 0.9", "success.rate"),
        ("success.p95 > 0.9", "success.rate"),
        ("calls_to_success < 9", "calls_to_success.mean"),
        ("calls_to_success.p95 < 9", "calls_to_success.mean"),
    ],
)
def test_what_is_suggested_for_an_expectation_can_be_expected(said: str, instead: str) -> None:
    with pytest.raises(TeamsimError, match=re.escape(instead)):
        expectations_in([said])
    expectations_in([f"{instead} < 1"])


def test_the_metrics_are_listed_once_for_all_wrong_expectations() -> None:
    texts = ["makespan.p95 < 60", "makspan_s.max < 9", "zzz.mean > 3", "tokens.p < 1"]
    with pytest.raises(TeamsimError) as refused:
        expectations_in(texts)
    lines = str(refused.value).split("\n")
    assert [len(line) > 300 for line in lines] == [True, False, False, False]
    assert "did you mean 'makespan_s.max'?" in lines[1]


def test_whatever_metric_is_misspelt_the_suggestion_is_right() -> None:
    for metric in sorted(NUMBERS | {name + TO_SUCCESS for name in NUMBERS}):
        for said in (metric, metric[:-1], f"{metric[1:]}.mean"):
            with pytest.raises(TeamsimError) as refused:
                expectations_in([f"{said} < 1"])
            message = str(refused.value).partition(" (allowed")[0]
            (instead,) = re.findall(r"(?:did you mean '|for example )([a-z_0-9.]+)", message)
            expectations_in([f"{instead} < 1"])


def test_a_field_of_a_range_is_refused_by_its_whole_path(mine: Path, teamsim_here: Here) -> None:
    vary = "limits=1:2"
    said = teamsim_here("sensitivity", mine, "--vary", vary, "--samples", "2").stderr
    assert "only a number can be varied, one of limits.max_rounds, limits.max_calls" in said
    vary = "workload.parallel_fraction=-1:2"
    said = teamsim_here("sensitivity", mine, "--vary", vary, "--samples", "2").stderr
    assert re.search(r"\): .*parallel_fraction: ", said), said


def test_a_port_that_is_taken_is_all_that_is_said(mine: Path, teamsim_here: Here) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = teamsim_here("explore", mine, "--port", port)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: port {port} is taken: give another --port\n"


def test_a_field_is_on_the_axis_or_names_the_lines(mine: Path, teamsim_here: Here) -> None:
    teamsim_here("sweep", mine, "--out", "out")
    done = teamsim_here("plot", "out", "--x", "team.size", "--series", "team.size")
    assert done.returncode == 2
    assert "team.size is on the horizontal axis" in done.stderr


def test_a_run_that_takes_no_time_is_drawn_without_warnings(mine: Path, teamsim_here: Here) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        none = ("--set", "team.agent.latency.base=0")
        done = teamsim_here("timeline", mine, "--out", "out", *none)
    assert (done.returncode, done.stderr) == (0, "")
    assert '"ts": 0' in Path("out/perfetto.json").read_text()


@pytest.mark.slow
def test_a_reader_who_leaves_does_not_stop_the_work(mine: Path) -> None:
    command = [sys.executable, "-m", "simulator.cli", "advise", str(mine), "--sizes", "2",
               "-r", "20", "-w", "1", "--write", "best.yaml"]  # fmt: skip
    reader, writer = os.pipe()
    os.close(reader)
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        command, stdout=writer, stderr=subprocess.PIPE, text=True, env=env, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
    assert Path("best.yaml").read_text().startswith("# The scenario that teamsim advise")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("closed", "begins"),
    [(">&-", ""), ("2>&-", "metric"), ("<&-", "metric"), ("<&- >&- 2>&-", "")],
)
def test_closed_streams_do_not_stop_the_work(mine: Path, closed: str, begins: str) -> None:
    """Python has no `sys.stdout` then, and the next file that is opened has its number."""
    command = f'"{sys.executable}" -m simulator.cli run mine.yaml --out runs.csv {closed}'
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=env, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout[:6] == begins
    runs = Path("runs.csv").read_text().splitlines()
    assert runs[0].startswith("replication,")
    assert len(runs) == 5


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("run mine.yaml --steady --out runs.csv", "--out: --steady goes without it"),
        ("run mine.yaml --steady --trace t.csv", "--trace: --steady goes without it"),
        ("run mine.yaml --trace t.csv -r 3", "--replications: --trace is of one run"),
        ("run mine.yaml --replication 2", "--replication: give --trace"),
        ("timeline mine.yaml --html --messages", "--messages: --html shows them anyway"),
        ("sweep mine.yaml --out out --dask tcp://x:1 -w 2", "--workers: the cluster of --dask"),
        ("predict d --out p --requests r.csv --topology star", "--topology: requests of"),
        ("predict d --out p --requests r.csv 4", "--team-sizes: requests of"),
    ],
)
def test_what_would_change_nothing_is_refused(
    mine: Path, teamsim_here: Here, typed: str, said: str
) -> None:
    done = teamsim_here(*typed.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("few_turning_points")
def test_the_commands_of_the_readme_run_on_its_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, teamsim_here: Here
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    (scenario,) = re.findall(r"(?ms)^```yaml\n(.*?)^```$", text)
    for name in ("mine.yaml", "theirs.yaml"):
        (tmp_path / name).write_text(scenario.replace("to: 16", "to: 2"))
    few = {
        **{name: ["-r", "4"] for name in ("run", "sweep", "compare")},
        "advise": ["-r", "10", "--sizes", "2", "-w", "1"],
        "stack": ["-r", "2", "-w", "1"],
        "chaos": ["-r", "2", "-w", "1"],
    }
    ran = []
    for line in re.findall(r"(?m)^\$ teamsim (.* (?:mine\.yaml|out/mine).*)$", text):
        words = shlex.split(line, comments=True)
        done = teamsim_here(*words, *few.get(words[0], []))
        assert done.returncode == 0, (line, done.stderr)
        ran.append(words[0])
    assert set(ran) >= {"check", "sweep", "plot", "report", "timeline", *few}
