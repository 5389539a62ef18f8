"""The command line as a user types it."""

from __future__ import annotations

import itertools
import json
import math
import re
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.calibration import held_out
from analysis.statistics.summaries import QUANTILES
from simulator.cli.running import _with_bounds
from simulator.model.trace import COLUMNS
from tests.analysis.harness import DEALT, write_runs
from tests.analysis.test_calibration import TRUTH, logged
from tests.analysis.test_call_fits import made_calls
from tests.cli.conftest import Here
from tests.scenario.test_bad_scenarios import CYCLE, GOOD, WORK

pytestmark = pytest.mark.end_to_end

SWEEP = GOOD + "seed: 2\nreplications: 10\nsweep: {team.size: [1, 2, 4]}\n"


def teamsim(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "simulator.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture
def scenario_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(SWEEP)
    return path


def test_check_counts_points_and_replications(scenario_file: Path, teamsim_here: Here) -> None:
    done = teamsim_here("check", scenario_file)
    assert (done.returncode, done.stdout.strip()) == (
        0,
        f"{scenario_file}: ok, 3 points, 30 replications",
    )


def test_check_refuses_in_one_clear_message(scenario_file: Path) -> None:
    scenario_file.write_text(GOOD.replace("size: 2", "size: 0"))
    done = teamsim("check", scenario_file, cwd=scenario_file.parent)
    assert done.returncode == 2
    assert "mine.yaml:3: team.size:" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_refuses_a_precision_of_no_metric(scenario_file: Path, teamsim_here: Here) -> None:
    precision = "precision={metric: makespan, relative: 0.1}"
    done = teamsim_here("check", scenario_file, "--set", precision)
    assert done.returncode == 2
    assert "precision.metric: unknown metric 'makespan'; did you mean 'makespan_s'" in done.stderr


TEN_BAD_SCENARIOS = {
    "unknown key": GOOD.replace("size: 2", "sise: 2"),
    "wrong type": GOOD.replace("size: 2", "size: two"),
    "negative latency": GOOD.replace("base: 3", "base: -3"),
    "cyclic DAG": GOOD.replace(WORK, CYCLE),
    "unknown topology": GOOD.replace("decentralised", "meshed"),
    "n = 0": GOOD.replace("size: 2", "size: 0"),
    "probability 1.2": GOOD.replace("base: 3}", "base: 3}\n    errors: {probability: 1.2}"),
    "missing file": GOOD.replace(WORK, "{kind: dag, path: nowhere.json}"),
    "empty YAML": "",
    "tab": "name: good\n\tteam: 1\n",
    "bomb": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
        for before, name in itertools.pairwise("abcdefghi")
    ),
}


@pytest.mark.parametrize("wrong", TEN_BAD_SCENARIOS)
def test_a_bad_scenario_is_one_message_and_exit_code_2(
    wrong: str, tmp_path: Path, teamsim_here: Here
) -> None:
    (tmp_path / "bad.yaml").write_text(TEN_BAD_SCENARIOS[wrong])
    for command in ("check", "run"):
        done = teamsim_here(command, "bad.yaml", cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr.startswith("error: bad.yaml")
        assert done.stderr.count("\n") == 1
        assert done.stdout == ""


def test_schema_and_list_name_every_plugin(teamsim_here: Here) -> None:
    schema = json.loads(teamsim_here("schema").stdout)
    assert "topology" in schema["$defs"]
    listed = teamsim_here("list").stdout
    assert "topology: blackboard, centralised, decentralised, gossip, hierarchical" in listed
    assert "claude-sonnet-4-6" in listed


def test_run_prints_means_and_writes_rows(
    scenario_file: Path, tmp_path: Path, teamsim_here: Here
) -> None:
    done = teamsim_here("run", scenario_file, "-r", 5, "--out", tmp_path / "rows.parquet")
    assert done.returncode == 0, done.stderr
    assert "makespan_s" in done.stdout
    assert "5 replications: completed 5" in done.stdout
    assert len(pd.read_parquet(tmp_path / "rows.parquet")) == 5


def test_run_says_how_many_finished_and_the_time_to_success(
    scenario_file: Path, teamsim_here: Here
) -> None:
    def printed(deadline_s: float) -> str:
        limit = "--set", f"limits.deadline_s={deadline_s}"
        latency = "--set", "team.agent.latency.base={kind: exponential, mean: 3}"
        done = teamsim_here("run", scenario_file, "-r", 40, *limit, *latency)
        assert done.returncode == 0, done.stderr
        return " ".join(done.stdout.split())

    assert "none of 40 runs finished: how long the work takes is not known" in printed(1)
    some = printed(20)
    said = re.search(r"(\d+) of 40 runs finished: makespan_s is the time to success", some)
    assert said is not None
    assert 0 < int(said[1]) < 40
    row = re.search(r"makespan_s ([\d.]+) ", some)
    assert row is not None
    assert float(row[1]) > 20  # which no run took
    assert "runs finished" not in printed(10_000)


def test_run_prints_a_steady_state(scenario_file: Path, teamsim_here: Here) -> None:
    arrivals = "workload={kind: arrivals, tasks: 200, interarrival_s: {kind: exponential, mean: 4}}"
    done = teamsim_here("run", scenario_file, "--steady", "-r", 4, "--set", arrivals)
    assert done.returncode == 0, done.stderr
    assert "time_in_system_s" in done.stdout
    assert "4 replications, one warm-up for all deleted" in done.stdout


def test_a_steady_state_says_when_runs_are_too_short(
    scenario_file: Path, teamsim_here: Here
) -> None:
    arrivals = "workload={kind: arrivals, tasks: 30, interarrival_s: {kind: exponential, mean: 2}}"
    done = teamsim_here("run", scenario_file, "--steady", "-r", 2, "--set", arrivals)
    assert done.returncode == 0, done.stderr
    assert (
        "run too short: the interval of wait_s covers the mean less often than it says"
        in done.stdout
    )


def test_run_says_which_quantiles_are_not_known(scenario_file: Path, teamsim_here: Here) -> None:
    done = teamsim_here("run", scenario_file, "-r", 20)
    assert "p99 is not known from 20 replications: 368 needed" in done.stdout
    assert "p50 is not known" not in done.stdout
    assert "≥ " in done.stdout
    quiet = teamsim_here("run", scenario_file, "-r", 20, "-q")
    assert "is not known" not in quiet.stdout


RARE = {"probability": 1e-6, "detection": 0}


def test_values_that_were_the_same_in_few_runs_are_not_said_to_be_sure(
    scenario_file: Path, teamsim_here: Here
) -> None:
    """Of few attempts none was faulty: that shows neither the mean of the correct ones nor p99."""
    told = ("run", scenario_file, "-r", 5, "--set", f"team.agent.errors={json.dumps(RARE)}")
    said = " ".join(teamsim_here(*told).stdout.split())
    assert "the same in all 5 runs: tasks_done, tasks_correct," in said
    assert "of further runs up to 45 % may have another value (95 % confidence)" in said
    found = json.loads(teamsim_here(*told, "--json").stdout)
    assert found["metrics"]["tasks_correct"]["sd"] == 0.0
    assert "the same in all 5 runs" in " ".join(found["notes"])


def test_the_only_value_of_few_runs_is_a_bound_of_a_quantile() -> None:
    row = {"mean": 4.0, "low": 4.0, "high": 4.0, "sd": 0.0}
    for name in QUANTILES:
        row |= {name: 4.0, f"{name}_low": -math.inf, f"{name}_high": 4.0}
    assert set(_with_bounds("calls", row)[-4:]) == {"≤ 4"}
    assert set(_with_bounds("agents", row, may_vary=False)[-4:]) == {"4"}


def test_values_of_a_scenario_without_chance_are_sure(tmp_path: Path, teamsim_here: Here) -> None:
    path = tmp_path / "sure.yaml"
    path.write_text(
        "name: sure\nteam: {size: 2, agent: {latency: {kind: seconds, base: 3}}}\n"
        "topology: {kind: independent, aggregate: false}\ncoordination: {protocol: pre_assigned}\n"
        "workload: {kind: parallel_fraction, tasks: 4, parallel_fraction: 1}\n"
    )
    done = teamsim_here("run", path, "-r", 5)
    assert "makespan_s" in done.stdout
    assert "the same in all" not in done.stdout
    assert "is not known" not in done.stdout


def test_a_share_is_not_at_least_1() -> None:
    row = {"mean": 0.9, "low": 0.8, "high": 1.0, "sd": 0.1}
    for name in QUANTILES:
        row |= {name: 1.0, f"{name}_low": 1.0, f"{name}_high": math.inf}
    assert set(_with_bounds("quality", row)[-4:]) == {"1"}
    assert set(_with_bounds("makespan_s", row)[-4:]) == {"≥ 1"}


def test_run_and_sweep_say_which_precision_was_not_reached(
    scenario_file: Path, tmp_path: Path, teamsim_here: Here
) -> None:
    rare = (
        "--set",
        "precision={relative: 0.5}",
        "--set",
        "team.agent.faults={slow: {probability: 0.001}}",
    )
    for command in (("run",), ("sweep", "--out", tmp_path / "out")):
        done = teamsim_here(command[0], scenario_file, *command[1:], *rare)
        assert done.returncode == 0, done.stderr
        said = " ".join(done.stdout.split())
        assert "precision not reached in 10 replications: the interval of makespan_s" in said
        assert "of 30 events expected of team.agent.faults.slow" in said


def test_a_table_may_be_a_page(scenario_file: Path, tmp_path: Path, teamsim_here: Here) -> None:
    out = tmp_path / "a<b>.html"
    done = teamsim_here("run", scenario_file, "-r", 5, "--out", out)
    assert done.returncode == 0, done.stderr
    text = out.read_text("utf-8")
    assert "<h1>a&lt;b&gt;</h1>" in text
    body = text.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in body.split("</tr>")[:-1]]
    teamsim_here("run", scenario_file, "-r", 5, "--out", tmp_path / "rows.csv")
    wanted = pd.read_csv(tmp_path / "rows.csv")
    assert re.findall(r"<th>(.*?)</th>", text) == list(wanted.columns)
    where = list(wanted.columns).index("makespan_s")
    found = [float(row[where]) for row in rows]
    assert found == pytest.approx(wanted["makespan_s"].tolist(), rel=1e-5)


def test_run_writes_a_trace(scenario_file: Path, tmp_path: Path, teamsim_here: Here) -> None:
    done = teamsim_here("run", scenario_file, "--trace", tmp_path / "t.parquet", "--replication", 3)
    assert done.returncode == 0, done.stderr
    trace = pd.read_parquet(tmp_path / "t.parquet")
    assert trace["replication"].unique().tolist() == [3]
    assert trace["event"].iloc[[0, -1]].tolist() == ["run_start", "run_end"]
    assert trace["time_s"].is_monotonic_increasing
    # Numbers that are missing in some rows are whole numbers still.
    wanted = pa.schema(list(COLUMNS.items()))
    assert pq.read_schema(tmp_path / "t.parquet").equals(wanted)


@pytest.mark.slow
def test_sweep_then_plot(scenario_file: Path, tmp_path: Path, teamsim_here: Here) -> None:
    out = tmp_path / "out"
    done = teamsim_here("sweep", scenario_file, "--out", out, "--set", "replications=6")
    assert done.returncode == 0, done.stderr
    assert "18 replications in" in done.stdout
    done = teamsim_here("plot", out)
    assert done.returncode == 0, done.stderr
    assert (out / "scaling.png").exists()
    assert (out / "scaling.svg").exists()
    done = teamsim_here("plot", out, "--out", tmp_path / "drawn.png")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.glob("drawn.*")} == {"drawn.png"}


@pytest.mark.slow
def test_chaos_prints_and_writes_one_table(
    scenario_file: Path, tmp_path: Path, teamsim_here: Here
) -> None:
    patterns = "--set", "resilience={retry: {}, timeout: {seconds: 20}}"
    table = tmp_path / "chaos.csv"
    done = teamsim_here("chaos", scenario_file, *patterns, "-r", "4", "--out", table)
    assert done.returncode == 0, done.stderr
    assert "one worker is lost" in done.stdout
    assert "without retry" in done.stdout
    said = " ".join(done.stdout.split())
    assert "where all runs were completed, or none, up to 53 % of further ones may end" in said
    assert "cost: unknown, since no price is said: give a price" in done.stdout
    written = pd.read_csv(table)
    assert set(written["patterns"]) == {
        "all patterns",
        "without retry",
        "without timeout",
        "no pattern",
    }
    assert f"{len(written)} rows in {table}" in " ".join(done.stdout.split())


@pytest.mark.slow
@pytest.mark.usefixtures("few_turning_points")
def test_a_decision_is_printed_drawn_and_written(
    scenario_file: Path, tmp_path: Path, teamsim_here: Here
) -> None:
    out = tmp_path / "out"
    advice = teamsim_here("advise", scenario_file, "--sizes", "2,4", "-r", "20", "-w", "1")
    assert advice.returncode == 0, advice.stderr
    assert "one agent" in advice.stdout
    drawn = teamsim_here("stack", scenario_file, "--out", out, "-r", "2")
    assert drawn.returncode == 0, drawn.stderr
    when = teamsim_here("timeline", scenario_file, "--out", out)
    assert when.returncode == 0, when.stderr
    vary = "--vary", "workload.tasks=5:20"
    varied = teamsim_here("sensitivity", scenario_file, *vary, "--out", out, "-r", "2", "-w", "1")
    assert varied.returncode == 0, varied.stderr
    assert "workload.tasks" in varied.stdout
    assert {path.name for path in out.iterdir()} >= {
        "speedup_stack.png",
        "speedup_stack.csv",
        "timeline.png",
        "perfetto.json",
        "otlp.jsonl",
        "sensitivity.png",
        "sensitivity.csv",
    }


STOPS = """
import time
from simulator.cli.__main__ import main
from simulator.experiment.store import Store

add = Store.add

def add_and_stop(*what):
    add(*what)
    print("a part is kept", flush=True)
    time.sleep(600)

Store.add = add_and_stop
main()
"""
"""The program, which does no more when it has kept something."""


@pytest.mark.slow
def test_an_interrupted_sweep_is_resumed_by_the_same_command(
    tmp_path: Path, teamsim_here: Here
) -> None:
    path = tmp_path / "long.yaml"
    path.write_text(SWEEP.replace("tasks: 10", "tasks: 400"))
    command = ["sweep", str(path), "--out", str(tmp_path / "out"), "-w", "1"]
    process = subprocess.Popen(
        [sys.executable, "-c", STOPS, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "a part is kept\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in said
    assert "Traceback" not in said
    (kept,) = (tmp_path / "out" / "results").glob("*.parquet")
    written = kept.stat().st_mtime_ns
    assert teamsim_here(*command).returncode == 0
    assert kept.stat().st_mtime_ns == written
    again = pd.read_parquet(tmp_path / "out" / "results")
    whole = teamsim_here("sweep", path, "--out", tmp_path / "whole", "-w", 1)
    assert whole.returncode == 0
    pd.testing.assert_frame_equal(again, pd.read_parquet(tmp_path / "whole" / "results"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "nothing.yaml"], "nothing.yaml: no such file"),
        (["check", "."], "cannot be read"),
        (["check", "mine.yaml", "--set", "team.sise=3"], "did you mean 'size'"),
        (["run", "mine.yaml", "--trace", "no/where.parquet"], "there is no directory no"),
        (["run", "mine.yaml", "--out", "."], "is a directory"),
        (["run", "mine.yaml", "--steady", "--set", "workload.tasks=5"], "at least ten tasks"),
        (["run", "mine.yaml", "-r", "0"], "should be greater than or equal to 1"),
        (["sweep", "mine.yaml"], "Missing option '--out'"),
        (["sweep", "mine.yaml", "--out", "mine.yaml"], "is not a directory"),
        (["sweep", "mine.yaml", "--out", "."], "is not empty"),
        (["plot", "nothing"], "holds no sweep"),
        (["stack", "mine.yaml", "--out", "mine.png"], "in a directory: give one, such as mine"),
        (["calibrate", "nothing", "--out", "fits"], "no such file"),
        (["calibrate", ".", "--out", "fits"], "no known trace format"),
        (["calibrate", ".", "--out", "fits", "--format", "otpl"], "did you mean 'otlp'"),
        (["calibrate", "mine.yaml", "--out", "fits", "--format", "otlp"], "no calls in it"),
        (["calibrate", ".", "--out", "f", "--column", "duration_s"], "a column is OURS=THEIRS"),
        (["calibrate", ".", "--out", "f", "--team-sizes", "one"], "team sizes are whole numbers"),
        (["calibrate", ".", "--out", "f", "--holdout", "1.5"], "less than or equal to 0.9"),
        (["predict", "nothing", "--out", "p.parquet"], "holds no calibrated cells"),
        (["predict", ".", "--out", "p.parquet", "--workload", "w.yaml"], "w.yaml: no such file"),
        (["predict", ".", "--out", "p.parquet", "--protocol", "{"], "not YAML"),
        (["backtest", "nothing", "--out", "b"], "no such file"),
        (["backtest", ".", "--out", "b", "--pilot", "0"], "team sizes are whole numbers"),
        (
            ["predict", ".", "--out", "p.parquet", "--team-sizes", "0"],
            "should be greater than or equal to 1",
        ),
        (["validate", "nothing.parquet", "."], "no such file"),
        (["validate", "mine.yaml", "."], "cannot be read as Parquet"),
        (["chaos", "nothing.yaml"], "nothing.yaml: no such file"),
        (["chaos", "mine.yaml", "-r", "0"], "should be greater than or equal to 1"),
        (["chaos", "mine.yaml", "-r", "many"], "should be a valid integer"),
        (["chaos", "mine.yaml", "--out", "table.txt"], "written as .csv, .html, .json or .parquet"),
        (["chaos", "mine.yaml", "--out", "no/where.csv"], "there is no directory no"),
        (["chaos", "mine.yaml", "--out", "."], "is a directory"),
        (["chaos", "mine.yaml", "--set", "resilience.retri={}"], "did you mean 'retry'"),
        (["chaos", "mine.yaml", "--set", "team.size=0"], "greater than or equal to 1"),
        (["chaos", "mine.yaml", "--workers", "-1"], "should be greater than or equal to 0"),
        (["chaos"], "Missing argument 'SCENARIO'"),
        (["advise", "nothing.yaml"], "nothing.yaml: no such file"),
        (["advise", "mine.yaml", "--sizes", "two"], "team sizes are whole numbers"),
        (["advise", "mine.yaml", "--sizes", "1"], "there is no team to compare"),
        (["advise", "mine.yaml", "--min-quality", "2"], "less than or equal to 1"),
        (["advise", "mine.yaml", "-r", "1"], "should be greater than or equal to 10"),
        (["advise", "mine.yaml", "--usd-per-hour", "-1"], "greater than or equal to 0"),
        (["advise", "mine.yaml", "--out", "no/where.csv"], "there is no directory no"),
        (["stack", "mine.yaml", "--out", "mine.yaml"], "cannot be made"),
        (
            ["stack", "mine.yaml", "--out", "s", "--set", "sweep={team.size: [2]}"],
            "no single agent",
        ),
        (["sensitivity", "mine.yaml", "--out", "s"], "Missing option '--vary'"),
        (["sensitivity", "mine.yaml", "--out", "s", "--vary", "x"], "a range is PATH=LOW:HIGH"),
        (["sensitivity", "mine.yaml", "--out", "s", "--vary", "team.sise=1:2"], "mean 'size'"),
        (["sensitivity", "mine.yaml", "--out", "s", "--vary", "team.size=2:1"], "is empty"),
        (["timeline", "mine.yaml", "--out", "mine.yaml"], "cannot be made"),
        (["timeline", "mine.yaml", "--out", "t", "--replication", "-1"], "equal to 0"),
        (["explore", "nothing.yaml"], "nothing.yaml: no such file"),
        (["explore", "mine.yaml", "--port", "99999"], "less than or equal to 65535"),
        (["report", "nothing"], "holds no sweep"),
        (["report", ".", "--stacks", "-1"], "should be greater than or equal to 0"),
        (["swep"], "No such command 'swep'"),
    ],
)
def test_bad_arguments_get_one_clear_message(
    scenario_file: Path, arguments: list[str], message: str, teamsim_here: Here
) -> None:
    before = scenario_file.read_text()
    done = teamsim_here(*arguments, cwd=scenario_file.parent)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
    assert scenario_file.read_text() == before


def test_a_backtest_that_cannot_write_says_so_before_it_fits(
    tmp_path: Path, teamsim_here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_runs(tmp_path, logged(TRUTH, DEALT, (1, 2), 2))
    (tmp_path / "taken").write_text("a file", "utf-8")
    monkeypatch.setattr("simulator.cli.fitting.processes_for", lambda runs, workers: 1 / 0)
    done = teamsim_here("backtest", tmp_path, "--out", tmp_path / "taken" / "out")
    assert done.returncode == 2
    assert "cannot be made" in done.stderr


@pytest.mark.slow
def test_a_backtest_calibrates_predicts_and_scores(tmp_path: Path, teamsim_here: Here) -> None:
    write_runs(tmp_path, logged(TRUTH, DEALT, (1, 2, 3), 8))
    done = teamsim_here(
        "backtest",
        tmp_path,
        "--out",
        tmp_path / "out",
        "-r",
        "40",
        "--pilot",
        "1,2",
        "-w",
        "1",
    )
    assert done.returncode == 0, done.stderr
    for said in ("1 cells of 16 runs", "40 simulated runs", "largest pilot", "skill", "in 80 %"):
        assert said in done.stdout, said
    for name in ("posterior_predictive.png", "validation.png", "validation.csv", "fits.json"):
        assert (tmp_path / "out" / name).exists()
    backtest = ("backtest", tmp_path, "--out", tmp_path / "list", "-r", "4", "-w", "1")
    alone = teamsim_here(*backtest, "--list", "toy")
    assert "1 cells of 16 runs" in alone.stdout, alone.stderr
    assert "did you mean 'toy'?" in teamsim_here(*backtest, "--list", "toi").stderr
    again = teamsim_here(
        "predict", tmp_path / "out", "--out", tmp_path / "p.parquet", "--team-sizes", "4", "5",
        "-r", "12", "-w", "1", "--topology", "ring", "--protocol", "{kind: work_stealing}",
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert sorted(pd.read_parquet(tmp_path / "p.parquet")["n_teammates"].unique()) == [4, 5]
    scored = teamsim_here("validate", tmp_path / "p.parquet", tmp_path)
    assert scored.returncode == 2
    assert "no cell and team size is in both" in scored.stderr
    wrong = teamsim_here(
        "predict", tmp_path / "out", "--out", tmp_path / "q.parquet", "--topology", "rnig"
    )
    assert wrong.returncode == 2
    assert "rnig" in wrong.stderr
    assert not (tmp_path / "q.parquet").exists()


@pytest.mark.slow
def test_calls_of_a_table_become_profiles(
    tmp_path: Path, teamsim_here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_out, "_SIMULATED", 200)  # how near the sums come is not looked at
    calls = made_calls(40, 1).rename(columns={"cached": "cached_input_tokens"})
    calls = calls.rename(columns={"input": "input_tokens", "output": "output_tokens"})
    calls["session"] = calls["session"].str.partition("\x1f")[0]
    calls[["session", "model", "duration_s", "input_tokens", "cached_input_tokens",
           "output_tokens"]].to_csv(tmp_path / "calls.csv", index=False)  # fmt: skip
    done = teamsim_here("calibrate", tmp_path / "calls.csv", "--out", tmp_path / "fits")
    assert done.returncode == 0, done.stderr
    assert "1 profile," in done.stdout
    assert "nats" in done.stdout
    assert "has no start times" in done.stderr
    assert (tmp_path / "fits" / "m.yaml").exists()


def test_output_may_be_piped_into_a_closed_pipe() -> None:
    command = f"{sys.executable} -m simulator.cli schema | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stdout == "{\n"
    assert "Traceback" not in done.stderr
