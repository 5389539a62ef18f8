"""Sets by simulation the two habits of self-claiming agents that replies do not show.

With common random numbers a simulated moment is a nearly smooth, monotone function of its
parameter, so that bisection finds the value at which it equals the observed one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.cell import CellFit
from analysis.calibration.estimates import Estimate
from simulator.experiment import replicate
from simulator.scenario import Scenario

_REPLICATIONS = 40
_STEPS = 6
_PASSES = 2
_STEP = 0.1
"""Distance over which the slope of a moment is taken."""
_VAGUE = 0.29
"""Standard deviation of a parameter in [0, 1] of which nothing is known."""


def match_habits(
    fit: CellFit, tasks: list[dict[str, Any]], runs: pd.DataFrame, calls: pd.DataFrame
) -> CellFit:
    """Return `fit` with `deference` and `noise` such that teams idle and collide as observed.

    Parameters
    ----------
    fit : CellFit
    tasks : list of dict
        The cell's task list.
    runs, calls : DataFrame
        The cell's runs and replies; those of teams of two and more are matched.
    """
    teams = runs[runs["n_teammates"] > 1]
    if teams.empty:
        return fit
    sizes = sorted(int(n) for n in teams["n_teammates"].unique())
    in_teams = calls[calls["n_teammates"] > 1]
    # Means over team sizes, so that sizes with more runs or more calls count alike.
    is_idle = in_teams["attempts"] == 0
    idle = float(is_idle.groupby(in_teams["n_teammates"]).mean().mean())
    writes = float(teams.groupby("n_teammates")["concurrent_writes"].mean().mean())

    def idle_share(noise: float, deference: float) -> float:
        return _simulated(fit.with_habits(deference, noise), tasks, sizes)[0]

    def collisions(deference: float, noise: float) -> float:
        return _simulated(fit.with_habits(deference, noise), tasks, sizes)[1]

    deference, noise = fit.deference.value, fit.noise.value
    for _ in range(_PASSES):
        deference = _bisect(partial(idle_share, noise), idle, rising=True)
        noise = _bisect(partial(collisions, deference), writes, rising=False)
    by_run = is_idle.groupby(in_teams["run_dir"]).mean()
    per_run = teams["concurrent_writes"]
    errors = [
        _error(partial(idle_share, noise), deference, by_run),
        _error(partial(collisions, deference), noise, per_run),
    ]
    found = _simulated(fit.with_habits(deference, noise), tasks, sizes)
    return replace(
        fit,
        deference=Estimate(deference, errors[0]),
        noise=Estimate(noise, errors[1]),
        matching={
            "idle_seen": idle,
            "idle_matched": found[0],
            "writes_seen": writes,
            "writes_matched": found[1],
            "simulated_runs": float(_REPLICATIONS * len(sizes) * (2 * _PASSES * _STEPS + 5)),
        },
    )


def _error(moment: Callable[[float], float], at: float, seen: pd.Series) -> float:
    """Return the standard error of a matched parameter: the moment's over its slope."""
    low, high = max(0.0, at - _STEP), min(1.0, at + _STEP)
    slope = abs(moment(high) - moment(low)) / (high - low)
    spread = float(seen.std(ddof=1)) / np.sqrt(len(seen)) if len(seen) > 1 else 0.0
    return float(min(_VAGUE, spread / max(slope, 1e-9)))


def _simulated(fit: CellFit, tasks: list[dict[str, Any]], sizes: list[int]) -> tuple[float, float]:
    """Return the share of idle calls and the concurrent writes a run, means over team sizes."""
    idle, writes = [], []
    for size in sizes:
        scenario = Scenario.model_validate(fit.scenario(tasks, size))
        rows = replicate(scenario, _REPLICATIONS)
        idle.append(sum(row.idle_calls for row in rows) / sum(row.calls for row in rows))
        writes.append(sum(row.concurrent_writes for row in rows) / len(rows))
    return float(np.mean(idle)), float(np.mean(writes))


def _bisect(moment: Callable[[float], float], target: float, rising: bool) -> float:
    """Return the value in [0, 1] at which a monotone moment meets `target`, or the nearer end."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        if (moment(middle) < target) == rising:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
