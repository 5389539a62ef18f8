"""What was put in is found again; real runs come out near what they were."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.calibration import calibrate_directory, fit_cells
from analysis.calibration.latency import fit_latency
from analysis.calibration.tokens import fit_tokens
from analysis.prediction import COLUMNS, predict_directory
from analysis.traces.readers.llm_teams import CELL, read_team_runs
from analysis.validation import compare, read_predictions
from simulator.engine import Simulation
from simulator.errors import TeamsimError
from simulator.model.trace import Event, Trace
from simulator.scenario import Scenario, load_study

TASKS = [{"id": f"t{i}", "dependencies": [], "files": [f"f{i}.py"]} for i in range(20)]
TRUTH: dict[str, Any] = {
    "latency": {
        "kind": "seconds",
        "base": 6.0,
        "per_work_unit_s": 2.0,
        "residual": {"kind": "lognormal", "median": 1, "sigma": 0.4, "run_sigma": 0.25},
        "idle": {"kind": "lognormal", "median": 2, "sigma": 0.5},
    },
    "batch": {"kind": "empirical", "values": [2, 5]},
    "tokens": {"output": 150, "per_work_unit": 80, "message": 60},
    "context": {"system_tokens": 1200, "board_tokens_per_task": 0, "retention": 0.8},
    "behaviour": {"idle": 0.15, "chatter": 1},
}


def simulated_cell(mode: str, size: int, replication: int) -> tuple[dict[str, Any], list[Any]]:
    """Run the simulator and write down what the harness of the real runs would have logged."""
    protocol = "pre_assigned" if mode == "preassign_nolead" else {"kind": "self_claim"}
    scenario = Scenario.model_validate(
        {
            "name": "truth",
            "team": {"size": size, "agent": TRUTH},
            "topology": "decentralised",
            "coordination": {"protocol": protocol},
            "workload": {"kind": "dag", "tasks": TASKS},
            "limits": {"max_rounds": 60},
            "seed": 5,
        }
    )
    trace = Trace()
    m = Simulation(scenario).run(replication, trace)
    run_dir = f"{mode}-{size}-{replication}"
    acts: dict[int, list[str]] = {}
    events: list[Any] = []
    for row in trace.rows:
        if row.event is Event.ROUND_START:
            events.append(("round_start", row.time_s, run_dir, row.round, None))
        elif row.event is Event.ATTEMPT:
            names = {
                "done": ["edit_file", "claim_task", "complete_task"],
                "duplicate": ["edit_file"],
                "blocked": ["edit_file", "claim_blocked"],
            }
            acts.setdefault(row.call, []).extend(names[row.outcome])
        elif row.event is Event.CALL_END:
            events.append(("agent_reply", row.time_s, run_dir, row.round, f"Dev{row.agent + 1}"))
            events += [
                (act, row.time_s, run_dir, row.round, None) for act in acts.get(row.call, [])
            ]
    run = {
        "run_dir": run_dir,
        "model_dir": "truth",
        "mode": mode,
        "task_type": "toy",
        "p_label": "p10",
        "n_teammates": size,
        "success": m.success,
        "wall_clock_seconds": m.makespan_s,
        "total_rounds": m.rounds,
        "concurrent_writes": m.concurrent_writes,
        "claims_blocked": m.blocked_claims,
        "total_input_tokens": m.input_tokens,
        "total_output_tokens": m.output_tokens,
    }
    return run, events


@pytest.fixture(scope="module")
def simulated_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("runs")
    runs, events = [], []
    for mode in ("preassign_nolead", "decentralized"):
        for size in (1, 2, 3):
            for replication in range(60):
                run, log = simulated_cell(mode, size, replication)
                runs.append(run)
                events += log
    pd.DataFrame(runs).to_parquet(directory / "runs.parquet")
    columns = ["type", "ts", "run_dir", "round", "agent"]
    pd.DataFrame(events, columns=columns).to_parquet(directory / "events.parquet")
    (directory / "tasks" / "toy").mkdir(parents=True)
    (directory / "tasks" / "toy" / "p10.json").write_text(json.dumps(TASKS))
    return directory


def test_parameters_are_recovered_from_simulated_runs(simulated_data: Path) -> None:
    # 180 runs and about 1,000 calls a cell: tolerances are about four standard errors.
    fits = {fit.cell["mode"]: fit for fit in fit_cells(read_team_runs(simulated_data), match=False)}
    fit = fits["preassign_nolead"]
    assert fit.latency.base_s == pytest.approx(6, rel=0.2)
    assert fit.latency.per_task_s == pytest.approx(2, rel=0.15)
    assert fit.latency.residual.kind == "lognormal"
    assert fit.latency.residual.scale == pytest.approx(0.4, rel=0.12)
    assert fit.latency.residual.run_sigma == pytest.approx(0.25, rel=0.35)
    assert fit.idle_median_s == pytest.approx(2, rel=0.15)
    assert fit.idle == pytest.approx(0.15, abs=0.04)
    assert fit.error == 0
    assert fit.batch[2] == pytest.approx(0.5, abs=0.07)
    assert sum(fit.batch.values()) == pytest.approx(1)
    assert fit.tokens.system == pytest.approx(1200, rel=0.1)
    assert fit.tokens.retention == pytest.approx(0.8, abs=0.05)
    assert fit.tokens.per_task == pytest.approx(80, rel=0.15)


def test_calibrated_teams_reproduce_the_runs_they_were_fitted_to(
    simulated_data: Path, tmp_path: Path
) -> None:
    report = calibrate_directory(simulated_data, tmp_path)
    assert len(report) == 2
    assert len(list(tmp_path.glob("truth-*.yaml"))) == 2
    predictions = predict_directory(tmp_path, [1, 2, 3], 200)
    assert list(predictions.columns) == COLUMNS
    assert len(predictions) == 2 * 3 * 200
    table = compare(predictions, simulated_data).set_index(["mode", "n", "metric"])
    for mode, n in [("preassign_nolead", 1), ("preassign_nolead", 3), ("decentralized", 1)]:
        for metric in ("wall_clock_seconds", "total_rounds", "total_tokens", "calls"):
            assert table.loc[(mode, n, metric), "typical_factor"] < 1.15, (mode, n, metric)
        assert table.loc[(mode, n, "wall_clock_seconds"), "inside_90"] > 0.8


def test_the_written_scenarios_stand_alone(simulated_data: Path, tmp_path: Path) -> None:
    calibrate_directory(simulated_data, tmp_path)
    for path in [*tmp_path.glob("truth-*.yaml")]:
        scenario = load_study(path, ["team.size=5"]).base
        assert Simulation(scenario).run(0).success
    assert len(list((tmp_path / "profiles").glob("*.yaml"))) == 2


def test_latency_is_found_under_heavy_tails_and_hung_calls() -> None:
    rng = np.random.default_rng(7)
    attempts = rng.integers(1, 10, 600)
    seconds = (5 + 3 * attempts) * np.exp(0.1 * rng.logistic(size=600) * 1.5)
    seconds[:6] = 600.0
    calls = pd.DataFrame(
        {"latency_s": seconds, "attempts": attempts, "run_dir": rng.integers(0, 30, 600)}
    )
    fit = fit_latency(calls)
    assert fit.base_s == pytest.approx(5, rel=0.2)
    assert fit.per_task_s == pytest.approx(3, rel=0.1)
    assert fit.residual.kind == "log_logistic"
    assert fit.residual.run_sigma < 0.1


def test_token_totals_without_growth_give_no_retention() -> None:
    runs = pd.DataFrame(
        {
            "run_dir": [f"r{i}" for i in range(12)],
            "n_teammates": [1, 2, 3] * 4,
            "calls": [6, 12, 30, 12, 8, 9, 3, 24, 18, 30, 40, 60],
        }
    )
    runs["total_input_tokens"] = 2000 * runs["calls"]
    runs["total_output_tokens"] = 400 * runs["calls"]
    fit = fit_tokens(runs, pd.Series(1.0, index=runs["run_dir"]))
    assert fit.system == pytest.approx(2000, rel=0.05)
    assert fit.retention < 0.05
    assert fit.message < 60


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("runs.parquet", "runs.parquet: no such file"),
        ("events.parquet", "events.parquet: no such file"),
        ("tasks/toy/p10.json", "p10.json: no such file"),
    ],
)
def test_a_missing_file_is_named(
    simulated_data: Path, tmp_path: Path, broken: str, message: str
) -> None:
    shutil.copytree(simulated_data, tmp_path / "copy")
    (tmp_path / "copy" / broken).unlink()
    with pytest.raises(TeamsimError, match=message):
        read_team_runs(tmp_path / "copy")


def test_a_broken_table_names_file_and_column(simulated_data: Path, tmp_path: Path) -> None:
    runs = pd.read_parquet(simulated_data / "runs.parquet")
    runs.drop(columns="success").to_parquet(tmp_path / "runs.parquet")
    with pytest.raises(TeamsimError, match=r"runs\.parquet lacks the column 'success'"):
        read_team_runs(tmp_path)
    (tmp_path / "runs.parquet").write_text("no parquet")
    with pytest.raises(TeamsimError, match="cannot be read as Parquet"):
        read_team_runs(tmp_path)
    with pytest.raises(TeamsimError, match="no such file"):
        read_predictions(tmp_path / "predictions.parquet")
    with pytest.raises(TeamsimError, match="lacks the column 'model_dir'"):
        read_predictions(simulated_data / "events.parquet")
    with pytest.raises(TeamsimError, match="holds no calibrated scenarios"):
        predict_directory(tmp_path, [1], 1)


def test_gaps_in_the_event_log_are_named(simulated_data: Path, tmp_path: Path) -> None:
    shutil.copytree(simulated_data, tmp_path / "copy")
    events = pd.read_parquet(simulated_data / "events.parquet")
    path = tmp_path / "copy" / "events.parquet"
    events[events["run_dir"] != "decentralized-2-7"].to_parquet(path)
    with pytest.raises(
        TeamsimError, match="no agent_reply of 1 runs, among them 'decentralized-2-7'"
    ):
        read_team_runs(tmp_path / "copy")
    starts = (events["type"] == "round_start") & (events["run_dir"] == "decentralized-3-1")
    events[~(starts & (events["round"] == 1))].to_parquet(path)
    with pytest.raises(TeamsimError, match="in round 1 of 'decentralized-3-1'"):
        read_team_runs(tmp_path / "copy")


@pytest.mark.slow
def test_real_pre_assigned_teams_are_simulated_within_a_third(
    real_data: Path, tmp_path: Path
) -> None:
    calibrate_directory(real_data, tmp_path)
    table = compare(predict_directory(tmp_path, [1, 2, 3], 60, workers=2), real_data)
    table = table.set_index(["mode", "n", "metric"])
    for n in (1, 2, 3):
        wall = table.loc[("preassign_nolead", n, "wall_clock_seconds")]
        assert wall["typical_factor"] < 1.35
        assert wall["inside_90"] > 0.7
        # M3: the same agents who claim tasks themselves take two to five times as long.
        claimed = table.loc[("decentralized", n, "wall_clock_seconds")]
        assert 2 < claimed["simulated"] / wall["simulated"] < 5


def test_real_replies_are_counted_as_published(real_data: Path) -> None:
    real = read_team_runs(real_data)
    assert len(real.runs) == 559
    assert len(real.calls) == 11_483
    assert real.runs[CELL].drop_duplicates().shape[0] == 36
    assert (real.calls["latency_s"] > 0).all()
    # A run's wall clock is about the sum over rounds of the longest call (96 %), plus tests.
    longest = real.calls.groupby(["run_dir", "round"])["latency_s"].max().sum()
    assert 0.9 < longest / real.runs["wall_clock_seconds"].sum() < 1
