"""Fits every cell of a directory of real runs.

Everything is estimated directly from replies and runs (see `replies`, `latency` and `tokens`), but
for two habits of self-claiming agents that leave no direct trace, `deference` and the `noise` of
their choice: those are set so that simulated idle replies and concurrent writes match the real
ones (see `matching`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from analysis.calibration.cell import CellFit, safe_name
from analysis.calibration.latency import FEWEST, Residual, fit_latency, fit_residual
from analysis.calibration.matching import match_habits
from analysis.calibration.replies import (
    batch_sizes,
    blindness,
    error_rate,
    idleness,
    round_overhead_s,
    with_attempts,
)
from analysis.calibration.rounding import four_digits
from analysis.calibration.tokens import fit_tokens
from analysis.traces.llm_teams import CELL, TeamRuns, read_team_runs
from simulator.errors import TeamsimError
from simulator.scenario import scenario_json_schema


def calibrate_directory(
    directory: Path, out: Path, progress: Callable[[int, int], None] | None = None
) -> pd.DataFrame:
    """Fit every cell of a directory of real runs; write one scenario a cell and a report.

    Returns
    -------
    DataFrame
        The report, a row a cell; also in ``OUT/fit_report.csv``.

    Raises
    ------
    TeamsimError
        If the directory cannot be read or `out` cannot be written.
    """
    real = read_team_runs(directory)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TeamsimError(f"{out} cannot be made: {error.strerror}") from None
    fits = fit_cells(real, progress=progress)
    schema = json.dumps(scenario_json_schema(), indent=2)
    (out / "scenario.schema.json").write_text(schema, encoding="utf-8")
    header = (
        "# yaml-language-server: $schema=./scenario.schema.json\n"
        f"# Fitted by `teamsim calibrate` to runs in {directory.resolve().name}.\n"
    )
    for fit in fits:
        document = fit.scenario(real.tasks[fit.cell["task_type"], fit.cell["p_label"]])
        text = yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=100)
        (out / f"{fit.name}.yaml").write_text(header + text, encoding="utf-8")
    write_profiles(real, fits, out / "profiles")
    report = pd.DataFrame([fit.report() for fit in fits])
    report.to_csv(out / "fit_report.csv", index=False)
    cells = pd.DataFrame([{"scenario": f"{fit.name}.yaml", **fit.cell} for fit in fits])
    cells.to_csv(out / "cells.csv", index=False)
    return report


def write_profiles(real: TeamRuns, fits: Sequence[CellFit], directory: Path) -> None:
    """Write one agent profile for each model and mode, its cells pooled.

    The two matched habits are the medians over the cells.
    """
    directory.mkdir(exist_ok=True)
    calls = with_attempts(real)
    for (model, mode), runs in real.runs.groupby(["model_dir", "mode"]):
        mine = calls[calls["run_dir"].isin(runs["run_dir"])]
        cell = {"model_dir": str(model), "mode": str(mode), "task_type": "all", "p_label": "all"}
        same = [fit for fit in fits if (fit.cell["model_dir"], fit.cell["mode"]) == (model, mode)]
        deference, noise = (
            float(np.median([getattr(fit, habit) for fit in same]))
            for habit in ("deference", "noise")
        )
        pooled = fit_cell(cell, runs, mine, mine).with_habits(deference, noise)
        source = (
            f"fitted by teamsim calibrate to {len(runs)} runs and {len(mine)} calls of {model}, "
            f"{mode}, teams of {runs['n_teammates'].min()} to {runs['n_teammates'].max()}"
        )
        if pooled.claims_itself:
            source += f"; choice noise {four_digits(noise)}"
        text = yaml.safe_dump(
            {"source": source, **pooled.agent()},
            sort_keys=False,
            default_flow_style=None,
            width=100,
        )
        (directory / f"{safe_name(f'{model}-{mode}')}.yaml").write_text(text, encoding="utf-8")


def fit_cells(
    real: TeamRuns, match: bool = True, progress: Callable[[int, int], None] | None = None
) -> list[CellFit]:
    """Return the fit of every cell.

    Parameters
    ----------
    real : TeamRuns
    match : bool
        Whether to set, by simulation, what replies alone do not show.
    progress : callable, optional
        Told ``(cells done, cells in all)``.
    """
    calls = with_attempts(real)
    fits = []
    cells = real.runs.groupby(CELL, sort=True)
    for key, runs in cells:
        cell = dict(zip(CELL, (str(part) for part in key), strict=True))
        mine = calls[calls["run_dir"].isin(runs["run_dir"])]
        pool = calls[(calls["model_dir"] == cell["model_dir"]) & (calls["mode"] == cell["mode"])]
        fit = fit_cell(cell, runs, mine, pool)
        if match and fit.claims_itself:
            tasks = real.tasks[cell["task_type"], cell["p_label"]]
            fit = match_habits(fit, tasks, runs, mine)
        fits.append(fit)
        if progress is not None:
            progress(len(fits), cells.ngroups)
    return fits


def fit_cell(
    cell: dict[str, str], runs: pd.DataFrame, calls: pd.DataFrame, pool: pd.DataFrame
) -> CellFit:
    """Fit one cell from its runs and replies; `pool` lends where the cell has too few.

    Parameters
    ----------
    cell : dict
        The cell's keys.
    runs : DataFrame
        A row a run of the cell.
    calls : DataFrame
        A row a reply of the cell, with ``attempts``.
    pool : DataFrame
        Replies of the same model and mode.
    """
    working, idle = calls[calls["attempts"] > 0], calls[calls["attempts"] == 0]
    if len(working) < FEWEST:
        working = pool[pool["attempts"] > 0]
    if len(idle) < FEWEST:
        idle = pool[pool["attempts"] == 0]
    idle_median, idle_residual = _idle_latency(idle)
    error, error_run_sigma = error_rate(working, cell["mode"])
    idle_p, idle_run_sigma = idleness(calls, cell["mode"])
    return CellFit(
        cell=cell,
        runs=len(runs),
        latency=fit_latency(working),
        idle_median_s=idle_median,
        idle_residual=idle_residual,
        batch=batch_sizes(working),
        error=error,
        error_run_sigma=error_run_sigma,
        dependency_blindness=blindness(working, cell["mode"]),
        idle=idle_p,
        idle_run_sigma=idle_run_sigma,
        deference=0.0,
        noise=0.5,
        overhead_s=round_overhead_s(runs, calls),
        tokens=fit_tokens(runs, calls.groupby("run_dir")["attempts"].sum()),
    )


def _idle_latency(idle: pd.DataFrame) -> tuple[float, Residual]:
    if len(idle) < FEWEST:
        return 2.0, Residual("lognormal", 0.6, 0.0, float("nan"), 0.0)
    logs = np.log(np.maximum(idle["latency_s"].to_numpy(dtype=float), 0.05))
    median = float(np.median(logs))
    return float(np.exp(median)), fit_residual(logs - median, idle["run_dir"])
