"""``teamsim run --expect``, and ``expect:`` in a scenario."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import simulator as ts
from tests.cli.conftest import Here
from tests.scenario.test_bad_scenarios import GOOD

pytestmark = pytest.mark.end_to_end

LATENCY = "latency: {kind: seconds, base: {kind: exponential, mean: 3}}"
RANDOM = GOOD.replace("latency: {kind: seconds, base: 3}", LATENCY) + "replications: 40\n"


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_text(RANDOM)
    return path


def test_what_is_met_ends_well_and_what_failed_with_1(mine: Path, teamsim_here: Here) -> None:
    met = teamsim_here("run", mine, "--expect", "makespan_s.mean < 600")
    assert (met.returncode, met.stderr) == (0, "")
    assert "makespan_s.mean < 600" in met.stdout
    failed = teamsim_here(
        "run", mine, "--expect", "makespan_s.mean < 600", "--expect", "makespan_s.median<20"
    )
    assert failed.returncode == 1
    (row,) = [line for line in failed.stdout.splitlines() if line.startswith("makespan_s.median")]
    assert "failed" in row
    assert "%)" in row  # by how much
    assert (
        "Of 2 expectations that all hold, but only just, some are said to fail in up to 5.0 %"
        in (" ".join(failed.stdout.split()))
    )


def test_what_is_not_resolved_is_an_error_only_if_strict(mine: Path, teamsim_here: Here) -> None:
    said = "--expect", "makespan_s.p99 < 10000"
    open_ = teamsim_here("run", mine, *said)
    assert open_.returncode == 0
    assert "is not resolved by 40 replications: about 370 would" in " ".join(open_.stdout.split())
    assert teamsim_here("run", mine, *said, "--strict").returncode == 1


def test_a_scenario_says_what_it_expects(mine: Path, teamsim_here: Here) -> None:
    mine.write_text(RANDOM + "expect: [makespan_s.median < 2, success.rate > 0.5]\n")
    done = teamsim_here("run", mine, "--expect", "quality.mean > 0.5")
    assert done.returncode == 1
    for said in ("makespan_s.median < 2", "success.rate > 0.5", "quality.mean > 0.5"):
        assert said in done.stdout
    assert teamsim_here("check", mine).returncode == 0


def test_a_wrong_expectation_in_a_scenario_has_its_line(mine: Path, teamsim_here: Here) -> None:
    mine.write_text(RANDOM + "expect:\n  - success.rate > 0.5\n  - makespan_s.avg < 2\n")
    for command in ("run", "check"):
        done = teamsim_here(command, mine)
        assert done.returncode == 2
        assert f"mine.yaml:{len(mine.read_text().splitlines())}: expect.1" in done.stderr
        assert "unknown statistic 'avg'" in done.stderr


def test_a_metric_is_checked_before_the_runs(mine: Path, teamsim_here: Here) -> None:
    mine.write_text(RANDOM + "expect: [makespan.mean < 2]\n")
    for command in ("run", "check"):
        done = teamsim_here(command, mine)
        assert (done.returncode, done.stdout) == (2, "")
        assert "did you mean 'makespan_s.mean'" in done.stderr


def test_runs_that_did_not_finish_are_told(mine: Path, teamsim_here: Here) -> None:
    done = teamsim_here(
        "run", mine, "--set", "limits.deadline_s=25", "--expect", "makespan_s.p95 < 100"
    )
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert "count them as never" in said
    assert "never ends" in said


def test_the_table_fits_80_columns(mine: Path, teamsim_here: Here) -> None:
    done = teamsim_here(
        "run", mine, "--expect", "input_tokens_to_success.mean <= 123456.789012345",
        "--expect", "coordination_calls.median >= 123456789", "--expect", "makespan_s.p95 < 1e-9",
    )  # fmt: skip
    table = done.stdout.partition("expected")[2]
    assert done.returncode == 1
    assert max(map(len, table.splitlines())) <= 80


def test_programs_get_verdicts_as_json(mine: Path, teamsim_here: Here) -> None:
    done = teamsim_here("run", mine, "--json", "--expect", "makespan_s.p99 < 10000")
    found = json.loads(done.stdout)
    assert found["schema"] == "teamsim/run/1"
    (verdict,) = found["expectations"]
    assert (verdict["verdict"], verdict["needed"], verdict["high"]) == ("not resolved", 370, None)
    assert found["metrics"]["cost_usd"]["mean"] is None  # nobody said a price


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--expect", "makespan.p95 < 3"], "did you mean 'makespan_s.p95'"),
        (["--expect", "makespan_s.p95"], "METRIC.STATISTIC"),
        (["--expect", "makespan_s < 3"], "which statistic"),
        (["--expect", "makespan_s.p95 < soon"], "'soon' is no number"),
        (["--expect", "makespan_s.p95 = 3"], "one of < <= > >="),
        (["--expect", "makespan_s.q95 < 3"], "unknown statistic 'q95'"),
        (["--expect", "success.p95 < 3"], "write success.rate"),
        (["--expect", ""], "METRIC.STATISTIC"),
        (["--expect"], "requires an argument"),
        (["--expect", "cost_usd.mean < 3"], "no price is said"),
        (["--expect", "success.mean > 2"], "success is a share, from 0 to 1; 2 % is 0.02"),
        (["--expect", "quality.mean > 1"], "quality is a share, from 0 to 1"),
        (["--expect", "utilisation.p95 < 80"], "a share, from 0 to 1; 80 % is 0.8"),
        (["--expect", "makespan_s.mean < 0"], "makespan_s is never below 0"),
        (["--expect", "quality.mean > 0", "--steady"], "--expect: --steady goes without it"),
        (["--expect", "quality.mean > 0", "--trace", "t.parquet"], "--expect: --trace is"),
        (["--expect", "a.mean > 0", "--expect", "b.mean > 0"], "'b.mean > 0'"),
    ],
)
def test_bad_expectations_get_one_clear_message(
    mine: Path, arguments: list[str], message: str, teamsim_here: Here
) -> None:
    done = teamsim_here("run", mine, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_verdicts_are_those_of_the_command(tmp_path: Path, teamsim_here: Here) -> None:
    said = "makespan_s.p95 < 200", "success.rate > 0.5", "cost_usd.mean < 0.001", "quality.min >= 1"
    options = [word for each in said for word in ("--expect", each)]
    done = teamsim_here("run", "quickstart", "-r", 30, "--json", *options, cwd=tmp_path)
    theirs = pd.DataFrame(json.loads(done.stdout)["expectations"])
    mine = ts.run("quickstart", replications=30).findings(*said)
    names = {"text": "expected", "verdict": "verdict", "estimate": "found", "beyond": "beyond"}
    for there, here in names.items():
        assert mine[here].tolist() == theirs[there].tolist()
    assert set(mine["verdict"]) >= {"met", "failed"}
