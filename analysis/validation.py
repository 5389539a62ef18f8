"""Holds simulated runs against real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from analysis.prediction import COLUMNS, METRICS
from analysis.tables import read_parquet
from analysis.traces.llm_teams import CELL, read_team_runs
from simulator.errors import TeamsimError


def read_predictions(path: Path) -> pd.DataFrame:
    """Read a table that `teamsim predict` wrote.

    Raises
    ------
    TeamsimError
        If it is missing, is no Parquet file, or lacks a column.
    """
    return read_parquet(path, COLUMNS)


def compare(predictions: pd.DataFrame, directory: Path) -> pd.DataFrame:
    """Return observed beside simulated, for each mode, team size and metric.

    Parameters
    ----------
    predictions : DataFrame
        Columns of `analysis.prediction.COLUMNS`.
    directory : Path
        Real runs.

    Returns
    -------
    DataFrame
        ``mode, n, metric, cells, runs, observed, simulated``: means over cells of the cells'
        means; ``typical_factor``: exp of the median over cells of |log(simulated / observed)|,
        the factor by which the simulated mean of a cell is typically off (null where a mean
        is 0); ``inside_90``: share of the real runs between the 5th and the 95th percentile of
        their cell's simulated runs.

    Raises
    ------
    TeamsimError
        If no cell and size is in both.
    """
    real = read_team_runs(directory).runs
    real = real.assign(total_tokens=real["total_input_tokens"] + real["total_output_tokens"])
    keys = [*CELL, "n_teammates"]
    numeric = dict.fromkeys(METRICS, float)
    real, predictions = real.astype(numeric), predictions.astype(numeric)
    shared = real[keys].drop_duplicates().merge(predictions[keys].drop_duplicates(), on=keys)
    if shared.empty:
        raise TeamsimError("no cell and team size is in both the predictions and the real runs")
    rows = []
    for (mode, n), cells in shared.groupby(["mode", "n_teammates"]):
        seen = real.merge(cells, on=keys)
        simulated = predictions.merge(cells, on=keys)
        for metric in METRICS:
            row = {"mode": mode, "n": n, "metric": metric, "cells": len(cells), "runs": len(seen)}
            rows.append({**row, **_one_metric(seen, simulated, keys, metric)})
    return pd.DataFrame(rows)


def _one_metric(
    seen: pd.DataFrame, simulated: pd.DataFrame, keys: list[str], metric: str
) -> dict[str, float]:
    observed_means = seen.groupby(keys)[metric].mean()
    simulated_cells = simulated.groupby(keys)[metric]
    simulated_means = simulated_cells.mean().reindex(observed_means.index)
    both = (observed_means > 0) & (simulated_means > 0)
    factors = np.abs(np.log(simulated_means[both] / observed_means[both]))
    window = pd.DataFrame(
        {"p5": simulated_cells.quantile(0.05), "p95": simulated_cells.quantile(0.95)}
    )
    joined = seen[[*keys, metric]].merge(window.reset_index(), on=keys)
    inside = joined[metric].between(joined["p5"], joined["p95"])
    return {
        "observed": float(observed_means.mean()),
        "simulated": float(simulated_means.mean()),
        "typical_factor": float(np.exp(np.median(factors))) if both.any() else np.nan,
        "inside_90": float(inside.mean()),
    }
