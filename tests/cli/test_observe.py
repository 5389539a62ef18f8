"""`teamsim observe` as a user types it: a team, its twin, little data, and what is wrong."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.observation.structure import LEAD, PIPELINE
from analysis.traces.reading import read_traces
from analysis.traces.tables import write_traces
from simulator.cli.observing import WIDTH
from tests.analysis.observed_teams import team, write_runs
from tests.cli.conftest import Here
from tests.conftest import first_in_ci

pytestmark = [pytest.mark.end_to_end, pytest.mark.usefixtures("hardly_tuned")]


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no pictures."""
    monkeypatch.setattr("analysis.plots.save", lambda figure, path: None)


@pytest.fixture(scope="module")
def lead(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Traces of a lead with workers."""
    directory = tmp_path_factory.mktemp("traces") / "lead"
    write_runs(team(LEAD, 1), directory, 6)
    return directory


@pytest.mark.slow
def test_a_team_is_observed(lead: Path, tmp_path: Path, teamsim_here: Here) -> None:
    out = tmp_path / "out"
    done = teamsim_here("observe", lead, "--out", out, "-r", 20)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(("What does not fit", "The twin fits"))
    assert any(line.startswith("Structure: lead with workers, lead: coordinator") for line in lines)
    too_wide = [line for line in lines if len(line) > WIDTH and str(tmp_path) not in line]
    assert too_wide == []
    assert re.search(r"6 files .* 6 runs", " ".join(done.stderr.split()))
    for name in ("observed.png", "observed.svg", "twin.png", "twin.svg", "summary.json"):
        assert (out / name).stat().st_size > 1000
    runs = pd.read_parquet(out / "tables" / "run_measures.parquet")
    assert len(runs) == 6
    path = pd.read_parquet(out / "tables" / "critical_path.parquet")
    length = (path["end_s"] - path["start_s"]).groupby(path["run_id"]).sum()
    assert length.to_dict() == pytest.approx(runs.set_index("run_id")["makespan_s"].to_dict())
    assert len(read_traces([out / "tables"]).chats) == runs["calls"].sum()
    checked = teamsim_here("check", out / "team.yaml")
    assert (checked.returncode, "ok" in checked.stdout) == (0, True), checked.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", first_in_ci(1, [PIPELINE, LEAD]))
@pytest.mark.usefixtures("few_turning_points")
def test_the_commands_that_follow_work(kind: str, tmp_path: Path, teamsim_here: Here) -> None:
    write_runs(team(kind, 1), tmp_path / "traces", 4)
    out = tmp_path / "out"
    done = teamsim_here("observe", tmp_path / "traces", "--out", out, "-r", 4)
    text = (out / "team.yaml").read_text()
    (out / "team.yaml").write_text(text.replace("replications: 200", "replications: 3"))
    commands = [line.strip() for line in done.stdout.splitlines() if "  teamsim " in line]
    assert len(commands) == 3
    for each in (part for command in commands for part in command.split(" && ")):
        program, name, *rest = shlex.split(each)
        few = {"advise": ["-r", "20", "-w", "1"], "chaos": ["-r", "3", "-w", "1"]}.get(name, [])
        again = teamsim_here(name, *rest, *few)
        assert (program, again.returncode) == ("teamsim", 0), (each, again.stderr)
    assert list((out / "sweep").glob("*.png"))


KEYS = {"schema", "command", "teamsim", "scenario", "seed", "reading", "notes", "structure", "runs",
        "costs", "agents", "started",
        "told", "tools", "errors", "time", "concurrency", "critical_path", "middle_run", "twin",
        "comparison", "next"}  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_programs_get_it_as_json(lead: Path, tmp_path: Path, teamsim_here: Here) -> None:
    done = teamsim_here("observe", lead, "--out", tmp_path / "out", "-r", 4, "--json")
    said = json.loads(done.stdout)
    assert said == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (said["schema"], set(said)) == ("teamsim/observe/1", KEYS)
    assert said["structure"]["kind"] == "lead with workers"
    assert said["reading"]["runs"] == 6
    assert sum(said["time"].values()) == pytest.approx(1.0)
    assert sum(row["share"] for row in said["critical_path"]) == pytest.approx(1.0)


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_neutral_names_are_everywhere(lead: Path, tmp_path: Path, teamsim_here: Here) -> None:
    out = tmp_path / "out"
    done = teamsim_here("observe", lead, "--out", out, "-r", 4, "--anonymise")
    assert done.returncode == 0, done.stderr
    names = ("coordinator 0", "worker 0", "run-0", "lead-with-workers-1", "simulated")
    tools = {each["tool_name"] for each in read_traces([lead]).tools.to_dict("records")}
    written = [path for path in out.rglob("*") if path.suffix in {".yaml", ".json", ".parquet"}]
    for path in written:
        found = [name for name in (*names[:4], *tools) if name.encode() in path.read_bytes()]
        assert found == [], path
    said = done.stdout + done.stderr
    assert not any(name in said for name in (*names[:4], *tools))


@pytest.mark.slow
def test_neutral_names_are_in_what_reading_says(tmp_path: Path, teamsim_here: Here) -> None:
    table = tmp_path / "secret-name.csv"
    table.write_text(
        "agent,model,start,end,input_tokens\n"
        + "".join(f"secret-agent,secret-model,{i}0,{i}5,100\n" for i in range(1, 9))
        + "secret-agent,secret-model,secret-time,9,1\n"
    )
    shown = teamsim_here("observe", table, "--out", tmp_path / "shown", "-r", 2)
    hidden = teamsim_here("observe", table, "--out", tmp_path / "out", "-r", 2, "--anonymise")
    assert (shown.returncode, hidden.returncode) == (0, 0), hidden.stderr
    assert "secret" in shown.stderr
    assert "1 row or value could not be used:" in shown.stderr  # rows lose a value, too
    assert "secret" in shown.stdout
    assert "secret" not in hidden.stdout + hidden.stderr
    assert "1 row or value with an error (first: not said)" in " ".join(hidden.stderr.split())


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("option", "value", "left"),
    [("--session", "lead-with-workers-1-1-2", 1), ("--agent", "worker 1", 6),
     pytest.param("--since", "2020-01-01", 6, marks=pytest.mark.slow),
     pytest.param("--model", "simulated", 6, marks=pytest.mark.slow)],
)  # fmt: skip
def test_parts_are_chosen(
    option: str, value: str, left: int, lead: Path, tmp_path: Path, teamsim_here: Here
) -> None:
    done = teamsim_here("observe", lead, "--out", tmp_path, "-r", 4, "--json", option, value)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["structure"]["runs"] == left
    if option == "--agent":
        assert [row["role"] for row in said["agents"]] == ["worker"]


HEAD = "session,agent,model,start_s,duration_s,input_tokens,output_tokens,status\n"

FEW: dict[str, str] = {
    "one call": "s,a,m,0,3,1000,100,ok\n",
    "no tokens": "".join(f"s{i % 3},a,m,{9 * i},{3 + i % 4},,,ok\n" for i in range(40)),
    "errors only": "".join(f"s,a,m,{9 * i},3,,,error\n" for i in range(5)),
    "one session": "".join(f"s,a,m,{9 * i},{3 + i % 4},{900 + i},{50 + i},ok\n" for i in range(40)),
    "equal": "".join(f"s{i % 4},a,m,{9 * i},3,1000,100,ok\n" for i in range(60)),
    "no model": "".join(f"s{i % 2},a,,{9 * i},{3 + i % 4},1000,100,ok\n" for i in range(20)),
    "all at once": "".join(f"s,a{i},m,0,{3 + i % 4},1000,100,ok\n" for i in range(20)),
    "of no length": "s,a,m,0,0,1000,100,ok\n" * 3,
}


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("what", first_in_ci(4, FEW))
def test_little_or_odd_data_gets_a_twin_that_says_what_is_missing(
    what: str, tmp_path: Path, teamsim_here: Here
) -> None:
    (tmp_path / "calls.csv").write_text(HEAD + FEW[what])
    done = teamsim_here("observe", tmp_path / "calls.csv", "--out", tmp_path / "out", "-r", 4)
    assert done.returncode == 0, done.stderr
    assert "Not estimated: " in done.stdout
    assert "nan" not in done.stdout.lower()
    assert teamsim_here("check", tmp_path / "out" / "team.yaml").returncode == 0


BAD: dict[str, tuple[list[str], str]] = {
    "no file": (["missing.jsonl", "--out", "out"], "missing.jsonl: no such file"),
    "empty": (["empty.jsonl", "--out", "out"], "empty.jsonl: it is empty"),
    "no trace": (["notes.txt", "--out", "out"], "notes.txt: no known trace format"),
    "session": (["calls.csv", "--out", "out", "--session", "s11"], "did you mean 's1'"),
    "agent": (["calls.csv", "--out", "out", "--agent", "agnt"], "did you mean 'agent'"),
    "model": (["calls.csv", "--out", "out", "--model", "mm"], "did you mean 'm'"),
    "since": (["calls.csv", "--out", "out", "--since", "yesterday"], "no date or time"),
    "too late": (["calls.csv", "--out", "out", "--since", "2100-01-01"], "no run began then"),
    "out is a file": (["calls.csv", "--out", "notes.txt"], "notes.txt: it is a file"),
    "out below a file": (["calls.csv", "--out", "notes.txt/x"], "notes.txt/x cannot be made"),
    "no runs": (["calls.csv", "--out", "out", "-r", "0"], "Invalid value for '--replications'"),
    "format": (["calls.csv", "--out", "out", "--format", "cvs"], "unknown trace format 'cvs'"),
    "column": (["calls.csv", "--out", "out", "--column", "a"], "a column is OURS=THEIRS"),
    "no out": (["calls.csv"], "give --out DIRECTORY"),
    "no path": (["", "--out", "out"], "the path is empty"),
    "no path out": (["calls.csv", "--out", ""], "the path is empty"),
    "metrics": (["metrics.json", "--out", "out"], "it has 1 rows that are no calls"),
    "other spans": (["web.json", "--out", "out"], "it has 1 rows that are no calls"),
    "header only": (["header.csv", "--out", "out"], "it has no rows"),
    "cut short": (["cut.csv.gz", "--out", "out"], "cut.csv.gz cannot be read: Compressed file"),
    "no parquet": (["bad.parquet", "--out", "out"], "cannot be read as Parquet"),
    "below zero": (["below.csv", "--out", "out"], "row 0: no duration, or one below 0"),
    "endless": (["endless.csv", "--out", "out"], "'inf' is too large"),
    "no column": (
        ["calls.csv", "--out", "out", "--column", "request_model=x"],
        "unknown column (for request_model)",
    ),
    "other column": (["calls.csv", "--out", "out", "--column", "x=model"], "unknown column 'x'"),
    "circle": (["circle", "--out", "out"], "Too many levels of symbolic links"),
    "other format": (
        ["calls.csv", "--out", "out", "--format", "otlp"],
        "calls.csv: no calls in it",
    ),
    "an error": (["error.json", "--out", "out"], "error.json: no known trace format"),
    "directory": (["empty", "--out", "out"], "empty: there are no files in this directory"),
    "no data": (["words", "--out", "out"], "words: 1 file: no known trace format"),
    "not zstd": (["calls.csv.zst", "--out", "out"], "not compressed with zstd, as its name says"),
    "not gzip": (["rest.json.gz", "--out", "out"], "not compressed with gzip, as its name says"),
    "pattern": (["none*.json", "--out", "out"], "none*.json: no such file"),
    "tools only": (["tools.csv", "--out", "out"], "no calls of a model"),
}


SPAN = {"traceId": "1", "spanId": "2", "name": "GET /", "startTimeUnixNano": "1780000000000000000",
        "endTimeUnixNano": "1780000001000000000", "attributes": []}  # fmt: skip
BAD_FILES: dict[str, bytes] = {
    "metrics.json": b'{"resourceMetrics": [{"scopeMetrics": []}]}',
    "web.json": json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}).encode(),
    "header.csv": b"model,latency_ms,prompt_tokens\n",
    "cut.csv.gz": b"\x1f\x8b\x08\x00cut",
    "bad.parquet": b"PAR1bad",
    "below.csv": b"model,latency_ms,prompt_tokens\nm,-5,1\n",
    "endless.csv": b"model,latency_ms,prompt_tokens\nm,inf,1\n",
    "calls.csv.zst": b"Access denied",
    "rest.json.gz": b"\x7f\x03\xee\x00\xffrest",
    "error.json": b'{"error": "unauthorized", "status": 401}',
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_said(what: str, tmp_path: Path, teamsim_here: Here) -> None:
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "notes.txt").write_text("Nothing of interest.\n")
    rows = "".join(f"s{i % 2},agent,m,{9 * i},3,1000,100,ok\n" for i in range(20))
    (tmp_path / "calls.csv").write_text(HEAD + rows)
    tools = "session,operation_name,tool_name,start_s,duration_s,output_tokens\n"
    (tmp_path / "tools.csv").write_text(tools + "s,execute_tool,grep,0,3,5\n" * 3)
    for name, content in BAD_FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "empty").mkdir()
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "notes.txt").write_text("Nothing of interest.\n")
    (tmp_path / "circle").symlink_to("circle")
    arguments, said = BAD[what]
    done = teamsim_here("observe", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_is_read_only_is_said(
    lead: Path, tmp_path: Path, teamsim_here: Here
) -> None:
    (tmp_path / "out").mkdir(mode=0o500)
    done = teamsim_here("observe", lead, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


@pytest.mark.slow
def test_events_of_a_simulated_run_are_no_calls(tmp_path: Path, teamsim_here: Here) -> None:
    assert teamsim_here("run", "quickstart", "--trace", tmp_path / "t.csv").returncode == 0
    done = teamsim_here("observe", tmp_path / "t.csv", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "events of a simulated run" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_ctrl_c_is_one_line(lead: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "simulator.cli", "observe", lead, "--out", tmp_path / "out"]
    running: subprocess.Popen[str] = subprocess.Popen(
        [*map(str, command), "-r", "100000"], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "out").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 130
    assert said.count("\n") == 1
    assert said.startswith("interrupted: ")


def test_the_summary_says_each_thing_that_was_found(lead: Path, tmp_path: Path) -> None:
    from analysis.observation.summary import summary

    said: dict[str, Any] = {
        "comparison": [
            {"name": "makespan", "unit": "s", "observed": 9.0, "low": 1.0, "high": 2.0,
             "median": 1.5, "fits": False, "reason": "why " * 30}
        ],
        "structure": {"kind": "pipeline", "lead": None, "stages": ["a", "b"], "in_rounds": False,
                      "in_turn": False, "confidence": 0.6, "agreeing": 1, "runs": 2,
                      "evidence": "when agents worked"},
        "started": [], "told": [{"from": "a", "to": "b", "times": 3}], "notes": ["a note " * 20],
        "runs": {}, "costs": "unknown", "agents": [], "tools": [],
        "errors": [{"error": "rate_limit", "calls": 3}], "time": {"model": 1.0},
        "critical_path": [], "concurrency": [], "next": ["teamsim check x"],
        "twin": {"workers": 2, "tasks": 4, "replications": 5, "missing": ["this", "that"],
                 "assumptions": ["no task needs another"], "runs": 1, "of_runs": 2,
                 "of_time": 0.75},
    }  # fmt: skip
    measures = ("makespan_s cost_usd input_tokens output_tokens calls turns tool_calls agents peak "
                "failed_calls retries tool_errors")  # fmt: skip
    said["runs"] = {name: {"median": None, "low": None, "high": None} for name in measures.split()}
    lines = summary(said, WIDTH)
    assert max(map(len, lines)) <= WIDTH
    text = "\n".join(lines)
    for part in ("makespan: 9, not 1 to 2", "pipeline: a > b", "a told b: 3 times", "unknown",
                 "Assumed: no task needs another", "errors of models: rate_limit 3"):  # fmt: skip
        assert part in text
    assert text.startswith("The twin stands for 1 of 2 runs, with 75 % of their time")
    fits = {**said["comparison"][0], "observed": 1.5, "fits": True}
    twin = {**said["twin"], "of_runs": 1}
    first, second, *_ = summary({**said, "comparison": [fits], "twin": twin}, WIDTH)
    assert (first[:13], second.strip()[:23]) == ("The twin fits", "It was made of one run,")
    roles = [f"ourproject.agents.{name}" for name in ("a-planner", "a-plan-reviewer")]
    path = [{"role": role, "what": what, "share": 0.2} for role in roles for what in ("model", "x")]
    agents = [{"role": role, "agents": 1, "calls": 1, "output_tokens": 1, "cost_usd": 1}
              for role in roles]  # fmt: skip
    lines = summary({**said, "critical_path": path, "agents": agents}, WIDTH)
    named = [line.partition(" 20 %")[0] for line in lines if line.startswith("  ourproject.")]
    assert len(named) == len(set(named)) == 6  # each is told from the others


@pytest.mark.thorough
def test_the_twin_has_the_seed_that_is_given(
    lead: Path, tmp_path: Path, undrawn: None, teamsim_here: Here
) -> None:
    found = []
    for seed in (7, 8):
        done = teamsim_here("observe", lead, "--out", tmp_path / "o", "-r", 2, "--seed", seed)
        assert done.returncode == 0, done.stderr
        assert f"seed: {seed}" in (tmp_path / "o" / "team.yaml").read_text()
        summary = json.loads((tmp_path / "o" / "summary.json").read_text())
        found.append([row["median"] for row in summary["comparison"]])
    assert found[0] != found[1]


@pytest.mark.slow
def test_what_an_observation_wrote_is_not_read_with_the_traces(lead: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(lead, home / "traces")
    alone = read_traces([home])
    tables = home / "out" / "tables"
    tables.mkdir(parents=True)
    write_traces(alone, tables)
    (tables / "run_measures.parquet").touch()
    for said in (home, f"{home}/*"):
        again = read_traces([said])
        assert len(again.calls) == len(alone.calls)
        assert again.notes[-1] == f"{tables} is left out: teamsim observe has written it"
    for said in (home / "out", tables):  # there is nothing else
        assert len(read_traces([said]).calls) == len(alone.calls)


def test_patterns_that_match_no_traces_are_refused(tmp_path: Path, teamsim_here: Here) -> None:
    (tmp_path / "a.yaml").write_text("name: a")
    (tmp_path / "empty").mkdir()
    for said in (f"{tmp_path}/*.yaml", f"{tmp_path}/e*", f"{tmp_path}/*"):
        done = teamsim_here("observe", said, "--out", tmp_path / "out")
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: {said}: no known trace format (tried braintrust, ")
    (tmp_path / "out" / "tables").mkdir(parents=True)
    (tmp_path / "out" / "tables" / "run_measures.parquet").touch()
    done = teamsim_here("observe", f"{tmp_path}/*", "--out", tmp_path / "out")
    assert "only what teamsim observe has written" in done.stderr
