"""Scores predictions against true runs, beside baselines and the noise floor."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.calibration.simulated_runs import METRICS
from analysis.traces.named_tables import (
    read_parquet,
    stored_in,
    with_names,
    with_numbers,
    with_stored,
)
from analysis.traces.team_run_tables import read_runs
from analysis.traces.team_runs import CELL
from analysis.validation.baselines import BASELINES, Pilot
from analysis.validation.carry_over import MAPPED
from analysis.validation.prediction import COLUMNS
from analysis.validation.scores import (
    brier,
    brier_again,
    brier_floor,
    coverage_of,
    covers,
    mean_crps,
    noise_floor,
    pit,
    ratio_to_again,
    running_again,
)
from simulator.distributions import Floats
from simulator.errors import TeamsimError
from simulator.experiment.intervals import mean_interval

LEVELS = (0.5, 0.8, 0.95)
"""Central intervals whose coverage is reported."""

_PILOT = b"teamsim.pilot"
_NEEDED = [name for name in COLUMNS if name != "max_rounds"]
"""Columns that a table of predictions must have, of whatever version."""


@dataclass(frozen=True)
class Validation:
    """How good predictions are.

    Attributes
    ----------
    summary : DataFrame
        A row a metric: mean scores (CRPS of the logarithm; Brier score for success) of the
        ``floor``, of running it ``again``, the prediction (``predicted``), its ``ratio`` to
        running it again, with ``ratio_low`` and ``ratio_high`` (95 %, over cells), and each
        baseline, the name of the ``best`` baseline, ``skill``, the share of the gap between its
        score and the floor that is closed (NaN if no gap shows), coverage, with its own 95 %
        interval over cells (``cover_80%``, ``cover_80%_low``, ``cover_80%_high``), and mean
        absolute errors of the log median.
    cells : DataFrame
        The same for each cell and team size.
    pits : dict
        For each metric, the probability integral transforms of the true runs.
    in_sample : bool
        Whether the scored teams are themselves in the pilot.
    skipped : list of str
        Real runs that could not be used, and why.
    """

    summary: pd.DataFrame
    cells: pd.DataFrame
    pits: dict[str, Floats]
    in_sample: bool
    skipped: list[str]


def write_predictions(table: pd.DataFrame, pilot: pd.DataFrame, path: Path) -> None:
    """Write predictions with the pilot's runs, which baselines need, in the file's metadata."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    rows = json.loads(pilot.to_json(orient="split", index=False, double_precision=15))
    pq.write_table(with_stored(arrow, _PILOT, rows), path)


def read_predictions(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read predictions and the pilot's runs.

    Raises
    ------
    TeamsimError
        If the file is missing, is no Parquet file, lacks a column, a value or the pilot.
    """
    table = with_names(read_parquet(path, _NEEDED), path, CELL)
    table = with_numbers(table, path, ["n_teammates", "replication", *METRICS], may_miss=False)
    stored = stored_in(path, _PILOT)
    if stored is None:
        raise TeamsimError(f"{path} does not say which pilot it is from: write it with predict")
    return table, pd.DataFrame(stored["data"], columns=stored["columns"])


def validate(predictions: pd.DataFrame, pilot: pd.DataFrame, directory: Path) -> Validation:
    """Score predictions against the runs in a directory.

    Cells and sizes that are in the pilot are scored only if there are no others.

    Raises
    ------
    TeamsimError
        If no cell and size is in both.
    """
    real, skipped = read_runs(directory)
    if real.empty:
        reason = skipped[0] if skipped else "it is empty"
        raise TeamsimError(f"{directory / 'runs.parquet'}: no usable runs; {reason}")
    keys = [*CELL, "n_teammates"]
    shared = real[keys].drop_duplicates().merge(predictions[keys].drop_duplicates(), on=keys)
    if shared.empty:
        raise TeamsimError("no cell and team size is in both the predictions and the real runs")
    known = pd.MultiIndex.from_frame(pilot[keys])
    new = shared[~pd.MultiIndex.from_frame(shared).isin(known)]
    scored = shared if new.empty else new
    rng = np.random.default_rng(1)
    rows: list[dict[str, Any]] = []
    pits: dict[str, list[Floats]] = {metric: [] for metric in MAPPED}
    for key in scored.itertuples(index=False):
        cell = dict(zip(keys, key, strict=True))
        truth, forecast = _select(real, cell), _select(predictions, cell)
        own = _select(pilot, {name: cell[name] for name in CELL})
        for metric in MAPPED:
            x, y = np.log(_values(forecast, metric)), np.log(_values(truth, metric))
            base = Pilot(
                own["n_teammates"].to_numpy(dtype=float),
                np.log(_values(own, metric)),
                float(own["p_true"].iloc[0]) if "p_true" in own and len(own) else float("nan"),
                metric == "wall_clock_seconds",
            )
            pits[metric].append(pit(x, y, rng))
            rows.append(
                {**cell, "metric": metric, **_scores(x, y, base, float(cell["n_teammates"]))}
            )
        rows.append({**cell, "metric": "success", **_success(forecast, truth, own)})
    cells = pd.DataFrame(rows)
    joined = {metric: np.concatenate(values) for metric, values in pits.items()}
    return Validation(_summary(cells), cells, joined, new.empty, skipped)


def _select(runs: pd.DataFrame, where: dict[str, Any]) -> pd.DataFrame:
    chosen = np.ones(len(runs), dtype=bool)
    for name, value in where.items():
        chosen &= (runs[name] == value).to_numpy()
    return runs[chosen]


def _values(runs: pd.DataFrame, metric: str) -> Floats:
    if metric == "total_tokens" and metric not in runs:
        total = runs["total_input_tokens"] + runs["total_output_tokens"]
        return np.asarray(np.maximum(total.to_numpy(dtype=float), 1.0))
    return np.asarray(np.maximum(runs[metric].to_numpy(dtype=float), 1e-9))


def _scores(x: Floats, y: Floats, pilot: Pilot, n: float) -> dict[str, float]:
    row = {"runs": float(len(y)), "floor": noise_floor(y), "again": running_again(y)}
    row["predicted"] = mean_crps(x, y)
    middle = float(np.median(y))
    row["median_error"] = abs(float(np.median(x)) - middle)
    for name, baseline in BASELINES.items():
        ensemble = baseline(pilot, n) if len(pilot.logs) else None
        row[name] = float("nan") if ensemble is None else mean_crps(ensemble, y)
        row[f"median_error {name}"] = (
            float("nan") if ensemble is None else abs(float(np.median(ensemble)) - middle)
        )
    for level in LEVELS:
        row[f"cover_{level:.0%}"] = covers(x, y, level)
    return row


def _success(forecast: pd.DataFrame, truth: pd.DataFrame, own: pd.DataFrame) -> dict[str, float]:
    happened = truth["success"].to_numpy(dtype=float)
    row = {
        "runs": float(len(happened)),
        "floor": brier_floor(happened),
        "again": brier_again(happened),
        "predicted": brier(float(forecast["success"].mean()), happened),
    }
    if len(own):
        sizes = own["n_teammates"]
        for name, runs in (
            ("largest pilot", own[sizes == sizes.max()]),
            ("all pilot runs", own),
            ("single agent", own[sizes == 1]),
        ):
            share = float(runs["success"].mean()) if len(runs) else float("nan")
            row[name] = brier(share, happened)
    return row


def _skill(teams: pd.DataFrame, best: str | float) -> float:
    """Return which share of the gap between the best baseline and the floor predictions close.

    Of teams whose floor is known. A baseline that chance may have put above the floor leaves no
    gap: the share would be one of noise, of either sign. So it is NaN unless the gap is above 0 at
    95 % confidence over fits, where there are several.
    """
    if not isinstance(best, str):  # no baseline applies to all
        return math.nan
    known = teams[teams["floor"].notna()]
    gaps = known[best] - known["floor"]
    by_fit = gaps.groupby([known[name] for name in CELL]).sum()
    least = mean_interval(by_fit).low if len(by_fit) > 1 else by_fit.sum()
    closed = (known[best] - known["predicted"]).sum()
    return float(closed / gaps.sum()) if least > 0.0 else math.nan


def _summary(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the means over cells, the best baseline and the skill of each metric."""
    means = cells.groupby("metric", sort=False).mean(numeric_only=True)
    means = means.drop(columns=["n_teammates", "runs"])
    means.insert(0, "cells", cells.groupby("metric").size())
    ratios = {metric: ratio_to_again(rows, CELL) for metric, rows in cells.groupby("metric")}
    for name, end in (("ratio", "estimate"), ("ratio_low", "low"), ("ratio_high", "high")):
        means[name] = [getattr(ratios[metric], end) for metric in means.index]
    for name in (f"cover_{level:.0%}" for level in LEVELS):
        for end in ("low", "high"):
            means[f"{name}_{end}"] = [
                getattr(coverage_of(rows, name, CELL), end)
                for rows in (cells[cells["metric"] == metric] for metric in means.index)
            ]
    names = [name for name in BASELINES if name in means]
    # A baseline that does not apply to every cell is not compared: its mean is over other cells.
    complete = cells[names].notna().groupby(cells["metric"]).all()
    rivals = means[names].where(complete.reindex(means.index))
    means["best"] = rivals.idxmin(axis=1)
    means["skill"] = [
        _skill(cells[cells["metric"] == metric], best) for metric, best in means["best"].items()
    ]
    means = means.reset_index()
    means["best_median_error"] = [
        row.get(f"median_error {row['best']}", float("nan")) for row in means.to_dict("records")
    ]
    return means
