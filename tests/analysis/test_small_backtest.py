"""Planted agents: pilots of one and two predict three, with one of two task lists alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.calibration import fit_cells
from analysis.calibration.store import calibrated
from analysis.traces.readers.llm_teams import read_team_runs
from analysis.validation import validate
from analysis.validation.carry_over import MAPPED
from analysis.validation.prediction import predict_cells
from analysis.validation.targets import Target
from simulator.cli import fitting
from tests.analysis.harness import CONTEXT, DEALT, logged_run, scenario, write_runs

RUNS = 5
"""Runs of each cell and size: each is forecast by the four others, if it is run again."""
SEEDS = 5

LISTS: dict[str, list[dict[str, Any]]] = {
    "short": [{"id": f"t{i}", "dependencies": [], "files": [f"f{i}.py"]} for i in range(6)],
    "long": [
        {"id": f"t{i}", "dependencies": ["t0"] if i == 7 else [], "files": [f"f{i}.py"]}
        for i in range(8)
    ],
}


def agent(base: float, per_task: float, batch: list[int], error: float) -> dict[str, Any]:
    """Return an agent whose calls and runs differ by chance."""
    return {
        "latency": {
            "kind": "seconds",
            "base": base,
            "per_work_unit_s": per_task,
            "residual": {"kind": "lognormal", "median": 1, "sigma": 0.3, "run_sigma": 0.1},
            "idle": {"kind": "lognormal", "median": 2, "sigma": 0.5},
        },
        "batch": {"kind": "empirical", "values": batch},
        "batch_persistence": 0.5,
        "tokens": {"output": 150, "per_work_unit": 80, "message": 0},
        "context": CONTEXT,
        "behaviour": {"idle": 0.05, "idle_first": 0.05, "idle_persistence": 0.3, "chatter": 1},
        "errors": {"probability": error},
    }


MODELS = {"quick": agent(4.0, 3.0, [2, 3], 0.05), "slow": agent(12.0, 2.0, [1, 2], 0.1)}


def planted(seed: int) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """Yield runs of teams of one to three, each of two models on each of two lists."""
    for m, (model, spec) in enumerate(MODELS.items()):
        for k, (name, tasks) in enumerate(LISTS.items()):
            for size in (1, 2, 3):
                truth = scenario(spec, DEALT, size, tasks, 100 * seed + 10 * m + k)
                for i in range(RUNS):
                    yield logged_run(truth, DEALT, 1000 * size + i, "p10", model, name)


def predicted(directory: Path, task_list: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return predictions of teams of three and their pilot, with one list, as `backtest` does."""
    pilot = read_team_runs(directory).on_list(task_list).of_sizes([1, 2])
    cells = calibrated(pilot, fit_cells(pilot))
    return predict_cells(cells, Target([3], {}), 200), pilot.runs


def scored(directory: Path, seed: int, task_list: str) -> pd.DataFrame:
    """Return the scores of each cell with one list, as predicted and with 1.5 times the seconds."""
    table, pilot = predicted(directory, task_list)
    broken = table.assign(wall_clock_seconds=1.5 * table["wall_clock_seconds"])
    return pd.concat(
        validate(each, pilot, directory).cells.assign(seed=seed, forecast=name)
        for name, each in (("right", table), ("broken", broken))
    )


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory of planted runs, those of the first seed."""
    return write_runs(tmp_path_factory.mktemp("planted"), planted(0), LISTS)


@pytest.fixture(scope="module")
def scores(first: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Return the scores of each cell of all seeds."""
    others = (
        write_runs(tmp_path_factory.mktemp(f"planted{seed}"), planted(seed), LISTS)
        for seed in range(1, SEEDS)
    )
    parts = [
        scored(directory, seed, task_list)
        for seed, directory in enumerate([first, *others])
        for task_list in LISTS
    ]
    return pd.concat(parts, ignore_index=True)


def error(values: pd.Series) -> float:
    """Return the standard error of a mean over independent cells."""
    return float(values.std() / np.sqrt(len(values)))


def of(scores: pd.DataFrame, metric: str, forecast: str = "right") -> pd.DataFrame:
    """Return the scores of a metric, a row a cell."""
    chosen = (scores["metric"] == metric) & (scores["forecast"] == forecast)
    return scores[chosen].reset_index(drop=True)


@pytest.mark.thorough
@pytest.mark.theory
@pytest.mark.parametrize("metric", MAPPED)
def test_planted_teams_of_three_are_predicted_as_well_as_by_running_them_again(
    scores: pd.DataFrame, metric: str
) -> None:
    """The truth is in the family of the model, so that only what the pilot leaves open is missing.

    Let the true distribution score C. On average no forecast scores less, and m other runs score
    (1 + 1 / m) C: 1.25 C with four of them. A pilot of ten runs of the same agents is a forecast
    of (1 + 1 / 10) C if the change between sizes is known. So the ratio to running it again is
    from 0.8 to 1, nearer to 0.88, and a forecast worth a single run has 1.6. Bounds are four
    standard errors over 20 independent cells.
    """
    cells = of(scores, metric)
    assert len(cells) == 4 * SEEDS
    above, worse = cells["predicted"] - cells["floor"], cells["predicted"] - cells["again"]
    assert above.mean() > -4 * error(above)
    assert worse.mean() < 4 * error(worse) < 0.6 * cells["again"].mean()


@pytest.mark.thorough
@pytest.mark.theory
@pytest.mark.parametrize("metric", MAPPED)
def test_intervals_of_planted_teams_hold_as_many_runs_as_they_say(
    scores: pd.DataFrame, metric: str
) -> None:
    """80 % intervals of 100 runs, four standard errors of the binomial: 64 to 96 %.

    Rounds are whole numbers, of which intervals hold more than they say.
    """
    cells = of(scores, metric)
    held = float(np.average(cells["cover_80%"], weights=cells["runs"]))
    bound = 4 * np.sqrt(0.8 * 0.2 / cells["runs"].sum())
    assert held > 0.8 - bound
    assert held < 0.8 + bound or metric == "total_rounds"


@pytest.mark.thorough
@pytest.mark.theory
def test_predictions_broken_on_purpose_are_seen_as_worse(scores: pd.DataFrame) -> None:
    """Half as many seconds again are 0.41 on the log scale, more than runs differ by."""
    metric = "wall_clock_seconds"
    right, broken = of(scores, metric), of(scores, metric, "broken")
    worse = broken["predicted"] - right["predicted"]
    assert worse.mean() > 4 * error(worse)
    assert broken["predicted"].mean() > broken["again"].mean()
    assert broken["cover_80%"].mean() < right["cover_80%"].mean()


@pytest.mark.slow
def test_the_command_scores_the_same(first: Path, tmp_path: Path) -> None:
    fitting.backtest(first, tmp_path, [1, 2], [3], 200, 1, task_list="short")
    said = pd.read_csv(tmp_path / "validation.csv")
    scores = scored(first, 0, "short")
    for metric in MAPPED:
        here = of(scores, metric)
        there = said[said["metric"] == metric]
        assert there["predicted"].tolist() == pytest.approx(here["predicted"].tolist())
