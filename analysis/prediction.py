"""Simulates calibrated teams of sizes that may never have been run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from analysis.traces.llm_teams import CELL
from simulator.errors import TeamsimError
from simulator.experiment import run_points
from simulator.scenario import Point, load_study

METRICS = [
    "wall_clock_seconds",
    "total_tokens",
    "total_rounds",
    "success",
    "concurrent_writes",
    "claims_blocked",
    "calls",
]
"""What is predicted of a run, under the names that real runs have."""

COLUMNS = [*CELL, "n_teammates", "replication", *METRICS]
"""Columns of a table of predictions, a row a simulated replication."""


def predict_directory(
    directory: Path,
    team_sizes: Sequence[int],
    replications: int,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Simulate every calibrated cell at every team size.

    Parameters
    ----------
    directory : Path
        What `analysis.calibration.calibrate_directory` wrote.
    team_sizes : sequence of int
    replications : int
        Of each cell and size.
    workers : int
        Processes.
    progress : callable, optional
        Told ``(replications done, replications in all)``.

    Returns
    -------
    DataFrame
        `COLUMNS`, a row a replication; times in seconds.

    Raises
    ------
    TeamsimError
        If the directory holds no calibrated scenarios.
    """
    cells = _cells(directory)
    settings = [f"sweep={{team.size: {list(team_sizes)}}}", f"replications={replications}"]
    points: list[Point] = []
    for cell in cells["scenario"]:
        study = load_study(directory / cell, settings)
        points += [
            replace(point, index=len(points) + i, name=cell) for i, point in enumerate(study.points)
        ]
    results = run_points(points, ["team.size"], workers, progress).to_pandas()
    cells = cells.rename(columns={"scenario": "point_name"})
    return _rows(results.merge(cells, on="point_name", how="left"))


def _rows(results: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            **{key: results[key] for key in CELL},
            "n_teammates": results["team.size"],
            "replication": results["replication"],
            "wall_clock_seconds": results["makespan_s"],
            "total_tokens": results["input_tokens"] + results["output_tokens"],
            "total_rounds": results["rounds"],
            "success": results["success"],
            "concurrent_writes": results["concurrent_writes"],
            "claims_blocked": results["blocked_claims"],
            "calls": results["calls"],
        }
    )[COLUMNS]


def _cells(directory: Path) -> pd.DataFrame:
    path = directory / "cells.csv"
    if not path.exists():
        raise TeamsimError(f"{directory} holds no calibrated scenarios (no cells.csv)")
    cells = pd.read_csv(path, dtype=str)
    missing = [name for name in ("scenario", *CELL) if name not in cells]
    if missing:
        raise TeamsimError(f"{path} lacks the column {missing[0]!r}")
    return cells
