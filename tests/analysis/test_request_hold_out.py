"""Requests of real sessions that were held out: the simulator, a black box, simple baselines."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.calibration.calls import fit_calls, usable
from analysis.calibration.request_fit import fit_request_model
from analysis.calibration.requests import find_requests
from analysis.traces.reading import read_traces
from analysis.validation.request_prediction import predict_requests
from analysis.validation.request_scores import SCORED, score_requests
from tests.analysis.test_call_fits import REAL_CALLS

LEVELS = (np.arange(20) + 0.5) / 20


def black_box(pilot: pd.DataFrame, asked: pd.DataFrame, name: str) -> np.ndarray:
    """Return quantiles of a gradient-boosted quantile regression, shape (requests, 20)."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    models = sorted(pilot["model"].unique())

    def features(table: pd.DataFrame) -> np.ndarray:
        own = table["model"].to_numpy()[:, None] == np.asarray(models)[None, :]
        numbers = np.log(table[["context_tokens", "turns"]].to_numpy(dtype=float))
        return np.column_stack((own, numbers))

    wanted = np.log(np.maximum(pilot[name].to_numpy(dtype=float), 1.0))
    found = []
    for level in LEVELS:
        regression = ensemble.GradientBoostingRegressor(
            loss="quantile", alpha=level, min_samples_leaf=10, random_state=0
        )
        found.append(regression.fit(features(pilot), wanted).predict(features(asked)))
    return np.column_stack(found)


def quantile_score(quantiles: np.ndarray, truth: np.ndarray) -> float:
    """Return the CRPS of quantiles at evenly spaced levels: twice the mean pinball loss."""
    apart = truth[:, None] - quantiles
    return float(2.0 * np.maximum(LEVELS * apart, (LEVELS - 1.0) * apart).mean())


@pytest.mark.thorough
def test_requests_of_sessions_held_out_are_predicted_as_well_as_by_a_black_box(
    tmp_path: Path,
) -> None:
    """Three sessions in ten are held out, by the checksum of their names."""
    if not REAL_CALLS.is_dir():
        pytest.skip(f"needs the real calls of coding agents in {REAL_CALLS}")
    calls = read_traces([REAL_CALLS / "calls.parquet"]).calls
    is_held = calls["run_id"].map(lambda name: zlib.crc32(name.encode()) % 10 < 3).astype(bool)
    requests = find_requests(calls[~is_held])
    latency = {fit.model: np.exp(fit.latency.at[:4]) for fit in fit_calls(usable(calls[~is_held]))}
    model = fit_request_model(requests, latency)
    assert model is not None
    pilot, truth = requests.named(), find_requests(calls[is_held]).named()
    asked = truth[["request", "model", "context_tokens", "turns"]].astype({"turns": float})
    out = tmp_path / "predicted.parquet"
    predict_requests(model, asked, 200, pilot, out)
    scores = score_requests(pd.read_parquet(out), asked, pilot, truth)
    table = scores.table.set_index("quantity")
    table["black box"] = [
        quantile_score(
            black_box(pilot, asked, name), np.log(np.maximum(truth[name].to_numpy(float), 1.0))
        )
        for name in SCORED
    ]
    print(table.round(4).to_string(), scores.sums.round(3).to_string(), sep="\n")
    assert (table["simulated"] <= 1.05 * table["black box"]).all()
    simple = table.drop(columns=["simulated", "coverage", "black box"]).min(axis=1)
    # One in a hundred: the chance of 200 draws.
    assert (table["simulated"] <= 1.01 * simple).all()
    assert table["coverage"].between(0.7, 0.9).all()
    assert scores.sums["ratio"].between(0.9, 1.1).all()
