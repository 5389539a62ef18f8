"""Tables of runs, on the command line: calibrate, predict another protocol, validate, backtest."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from simulator.cli.json_fields import ENVELOPE, FORMS
from tests.cli.conftest import Here

pytestmark = pytest.mark.end_to_end

COLUMNS = ("--column", "n=team_size", "--column", "seconds=wall")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("totals") / "RUNS.csv"
    rows = ["model,protocol,team_size,wall,tokens,rounds,success"]
    for i in range(4):
        rows.append(f"gpt-5.2,pre_assigned,2,{60 + 5 * i},{30_000 + 900 * i},{3 + i % 2},true")
        rows.append(f"gpt-5.2,claimed,2,{150 + 9 * i},{250_000 + 9000 * i},{14 + i},true")
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.slow
def test_a_protocol_that_was_not_run_is_predicted_and_scored(
    runs: Path, tmp_path: Path, teamsim_here: Here
) -> None:
    out = tmp_path / "fits"
    dealt = tmp_path / "dealt.csv"
    table = pd.read_csv(runs)
    table[table["protocol"] == "pre_assigned"].to_csv(dealt, index=False)
    done = teamsim_here("calibrate", dealt, *COLUMNS, "--out", out, "-w", "1")
    assert done.returncode == 0, done.stderr
    assert "4 runs: run_fits.json" in done.stdout
    printed = done.stdout
    assert "assumed: no limit of rounds is known" in done.stdout
    assert [path.name for path in out.glob("*.yaml")] == ["gpt-5.2-pre_assigned.yaml"]
    predicted = tmp_path / "p.parquet"
    done = teamsim_here(
        "predict", out, "--protocol", "claimed", "--n", "2", "--n", "5",
        "-r", "24", "-w", "1", "--out", predicted,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    printed += done.stdout
    assert "assumed: 'claimed' (simulated as self_claim) was not run" in " ".join(printed.split())
    rows = pd.read_parquet(predicted)
    assert rows.groupby(["protocol", "n"]).size().to_dict() == {
        ("claimed", 2): 24,
        ("claimed", 5): 24,
    }
    scored = teamsim_here("validate", predicted, runs, *COLUMNS)
    assert scored.returncode == 0, scored.stderr
    printed += scored.stdout
    assert "run again, predicted, and by the pilot's own runs" in " ".join(printed.split())
    long = [line for line in printed.splitlines() if len(line) > 80]
    assert [line for line in long if str(tmp_path) not in line] == []
    document = json.loads(teamsim_here("validate", predicted, runs, *COLUMNS, "--json").stdout)
    assert document.keys() == ENVELOPE.keys() | FORMS["validate"].fields.keys()
    assert (document["of"], document["requests"]) == ("runs", None)
    scores = pd.read_csv(tmp_path / "runs_validation.csv")
    assert set(scores["measure"]) == {"seconds", "tokens", "rounds", "success"}
    assert (scores["n"] == 2).all()


@pytest.mark.slow
def test_a_backtest_of_a_table_does_all_three(
    runs: Path, tmp_path: Path, teamsim_here: Here
) -> None:
    done = teamsim_here(
        "backtest", runs, *COLUMNS, "--pilot", "pre_assigned", "--target", "claimed",
        "-r", "20", "-w", "1", "--out", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(pd.read_parquet(tmp_path / "predictions.parquet")) == 20
    assert "ratio" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["calibrate", "RUNS.csv", "--column", "n=team_sise"], "did you mean 'team_size'?"),
        (["calibrate", "RUNS.csv", "--column", "second=wall", "--column", "n=team_size"],
         "unknown column of a run 'second'; did you mean 'seconds'?"),
        (["calibrate", "RUNS.csv", "--column", "n=team_size", "--column", "seconds=wall",
          "--like", "nowhere"], "analogues.json: no such file"),
        (["calibrate", "RUNS.csv", "--column", "n=team_size", "--column", "seconds=wall",
          "--protocol", "claimed"], "say NAME=KIND"),
        (["calibrate", "RUNS.csv", "--column", "n=team_size", "--column", "seconds=wall",
          "--protocol", "claimed=selfclaim"], "did you mean 'self_claim'?"),
        (["calibrate", "RUNS.csv", "--column", "n=team_size", "--column", "seconds=wall",
          "--team-sizes", "3"], "unknown n of a run '3'"),
        (["backtest", "RUNS.csv", "--column", "n=team_size", "--column", "seconds=wall",
          "--pilot", "pre_asigned"], "did you mean 'pre_assigned'?"),
        (["backtest", "RUNS.csv", "--column", "n=team_size", "--column", "seconds=wall",
          "--without", "forgetting"], "has no parts to leave out"),
        (["backtest", "RUNS.csv", "--column", "n=team_size", "--column", "seconds=wall",
          "--list", "sums"], "--list: this is a table of runs"),
        (["backtest", ".", "--like", "fits"], "--like: this is not a table of runs"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_the_nearest_name(
    runs: Path,
    arguments: list[str],
    said: str,
    teamsim_here: Here,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(runs.parent)
    done = teamsim_here(*arguments, "--out", tmp_path / "out")
    assert done.returncode == 2, done.stdout
    assert said in " ".join(done.stderr.split())
