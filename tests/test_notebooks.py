"""Notebooks run from top to bottom."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.conftest import REAL_DATA

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
NEED_REAL_DATA = {"calibrate_and_predict"}


def code_cells(path: Path) -> list[dict[str, Any]]:
    cells = json.loads(path.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_keeps_its_outputs(path: Path) -> None:
    cells = code_cells(path)
    assert all(cell["execution_count"] for cell in cells)
    assert any(cell["outputs"] for cell in cells)


def some_runs(into: Path) -> Path:
    """Write the real runs of one model and task, a sixth of all, into a directory of their own."""
    runs = pd.read_parquet(REAL_DATA / "runs.parquet")
    model = runs["model_dir"].str.startswith("google")
    runs = runs[model & (runs["task_type"] == "mathutilities20")]
    events = pd.read_parquet(REAL_DATA / "events.parquet")
    runs.to_parquet(into / "runs.parquet")
    events[events["run_dir"].isin(runs["run_dir"])].to_parquet(into / "events.parquet")
    shutil.copytree(REAL_DATA / "tasks", into / "tasks")
    return into


LONG = {
    "calibrate_and_predict",
    "choosing_a_team",
    "observe_a_team",
    "paper_findings",
    "stragglers_and_redundancy",
}
"""Calibrate from thousands of calls, observe, advise or simulate many, as other tests do."""


FEWER = """\
from analysis.decisions.advice import turning_points
from analysis.observation import tuning
turning_points._FACTORS = (0.5, 2.0)
tuning.RUNS = 4
"""
"""Looks for what changes an advice at few values, and tunes twins by few runs."""


@pytest.mark.each
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(
            path,
            marks=pytest.mark.thorough if path.stem in LONG else pytest.mark.slow,
            id=path.stem,
        )
        for path in NOTEBOOKS
    ],
)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    if path.stem in NEED_REAL_DATA and not REAL_DATA.is_dir():
        pytest.skip(f"needs the real runs of arXiv 2603.12229 in {REAL_DATA}")
    lines = [line for cell in code_cells(path) for line in "".join(cell["source"]).splitlines()]
    code = "\n".join(line for line in lines if not line.startswith("%"))  # Jupyter's own words
    # It runs; what it shows was made with more. Four replications share a draw of parameters.
    code = FEWER + code
    fewer = {**os.environ, "REPLICATIONS": "16"}
    if path.stem in NEED_REAL_DATA:
        fewer["TEAM_RUNS"] = str(some_runs(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=path.parent,
        env=fewer,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
