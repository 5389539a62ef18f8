"""Carries the runs of a pilot over to a predicted team.

The pilot's own runs hold more information than the parameters fitted to them. So each run is
carried over to the predicted team by quantile delta mapping (Cannon, Sobie & Murdock 2015): it is
changed as the simulator changes a run of its rank. How far such changes can be trusted is measured
within the pilot, if it has several team sizes, by the regression of observed on simulated changes
between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from simulator.distributions import Floats

Simulated = Mapping[int, pd.DataFrame]
"""Simulated runs of the pilot's teams, by team size."""

MAPPED = ["wall_clock_seconds", "total_tokens", "total_rounds"]
"""Metrics that are carried over from pilot runs, on a log scale."""

_MECHANISM_ALONE = 0.35
"""Share of replications that come from the simulation alone, not from single pilot runs."""
_NEARNESS = 0.8
"""Pilot teams have the weight ``exp(-|log(n / target)| / nearness)``: near sizes count more."""
_DOUBT = 0.5
"""Standard deviation of the prior of the share of a simulated change that is observed."""
_JITTER = 0.1
"""Spread (log) around a pilot run carried over: the kernel of the smoothed bootstrap."""


def carried_over(
    pilot: pd.DataFrame,
    simulated: Simulated,
    here: pd.DataFrame,
    n: int,
    trust: Mapping[str, float],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the replications `here`, with most of them replaced by pilot runs carried over.

    Parameters
    ----------
    pilot : DataFrame
        The pilot's runs of the cell.
    simulated : mapping
    here : DataFrame
        Simulated runs of the predicted team, of size `n`.
    n : int
    trust : mapping
        What `trust_in_changes` returns.
    rng : Generator
    """
    sizes = pilot["n_teammates"].to_numpy(dtype=float)
    counts = pilot.groupby("n_teammates")["n_teammates"].transform("size").to_numpy()
    weights = np.exp(-np.abs(np.log(sizes / n)) / _NEARNESS) / counts
    chosen = rng.choice(len(pilot), len(here), p=weights / weights.sum())
    alone = rng.random(len(here)) < _MECHANISM_ALONE
    jitter = _JITTER * rng.standard_normal(len(here))
    columns: dict[str, Floats] = {}
    for metric in MAPPED:
        real = np.log(np.maximum(_of_pilot(pilot, metric), 1e-9))
        target = _logs(here, metric)
        carried = np.empty(len(pilot))
        for size in np.unique(sizes):
            there = _logs(simulated[int(size)], metric)
            same = sizes == size
            carried[same] = real[same] + trust[metric] * _change(real[same], there, target)
        values = np.where(alone, target, carried[chosen] + jitter)
        if metric == "total_rounds":
            values = np.log(np.maximum(1.0, np.round(np.exp(values))))
        columns[metric] = np.exp(values)
    columns["success"] = _success(pilot, simulated, here, alone, chosen, rng)
    return here.assign(**columns)


def trust_in_changes(cells: Iterable[tuple[pd.DataFrame, Simulated]]) -> dict[str, float]:
    """Return for each metric the share of a simulated change that is observed, 0 to 1.

    It is the regression through the origin of observed changes (log means), between neighbouring
    team sizes of the pilot, on simulated ones, with a prior of 1 +- `_DOUBT`.
    """
    trust, cells = {}, list(cells)
    for metric in MAPPED:
        precision, product = _DOUBT**-2, _DOUBT**-2
        for pilot, simulated in cells:
            logs = pd.Series(np.log(np.maximum(_of_pilot(pilot, metric), 1e-9)))
            seen = logs.groupby(pilot["n_teammates"].to_numpy()).agg(["mean", "var", "size"])
            means = [_logs(simulated[int(n)], metric).mean() for n in seen.index]
            variance = np.maximum(seen["var"].fillna(0.25), 0.01) / seen["size"]
            noise = variance.to_numpy()[1:] + variance.to_numpy()[:-1]
            expected, found = np.diff(means), np.diff(seen["mean"])
            precision += float((expected**2 / noise).sum())
            product += float((expected * found / noise).sum())
        trust[metric] = float(np.clip(product / precision, 0.0, 1.0))
    return trust


def _change(values: Floats, before: Floats, after: Floats) -> Floats:
    """Return the change from `before` to `after` at the ranks that `values` have in `before`."""
    ordered = np.sort(before)
    middle = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    rank = np.clip(middle / (2.0 * len(ordered)), 0.02, 0.98)
    return np.asarray(np.quantile(after, rank) - np.quantile(ordered, rank))


def _success(
    pilot: pd.DataFrame,
    simulated: Simulated,
    here: pd.DataFrame,
    alone: np.ndarray[Any, np.dtype[np.bool_]],
    chosen: np.ndarray[Any, np.dtype[np.int64]],
    rng: np.random.Generator,
) -> Floats:
    """Return successes: simulated ones, or draws with the pilot's odds, changed as simulated.

    Half a success and half a failure are added to the pilot's counts at each size (Jeffreys). The
    logit of this share is then changed by as much as the simulator changes it.
    """
    target = _logit(here["success"])
    odds = {}
    for size in pilot["n_teammates"].unique().tolist():
        runs = pilot[pilot["n_teammates"] == size]
        change = target - _logit(simulated[int(size)]["success"])
        odds[size] = _logit(runs["success"]) + change
    probability = 1.0 / (1.0 + np.exp(-pilot["n_teammates"].map(odds).to_numpy()))
    carried = rng.random(len(here)) < probability[chosen]
    return np.asarray(np.where(alone, here["success"].to_numpy(dtype=bool), carried))


def _logit(happened: pd.Series) -> float:
    hits, misses = float(happened.sum()) + 0.5, float((~happened.astype(bool)).sum()) + 0.5
    return float(np.log(hits / misses))


def _logs(runs: pd.DataFrame, metric: str) -> Floats:
    return np.asarray(np.log(np.maximum(runs[metric].to_numpy(dtype=float), 1e-9)))


def _of_pilot(pilot: pd.DataFrame, metric: str) -> Floats:
    if metric == "total_tokens":
        total = pilot["total_input_tokens"] + pilot["total_output_tokens"]
        return np.asarray(total, dtype=np.float64)
    return np.asarray(pilot[metric], dtype=np.float64)
