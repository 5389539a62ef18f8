"""Estimates by simulation the two habits of self-claiming agents that replies do not show.

With common random numbers a simulated moment is a nearly smooth, monotone function of its
parameter. A search that interpolates between what it has simulated finds the value at which the
moment equals the observed one; each value that it asks for is simulated once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.cell import CellFit, as_said
from analysis.calibration.coupling import Replications
from analysis.calibration.estimates import Estimate
from simulator.scenario import Scenario

_REPLICATIONS = 40
_PARTS = 64
"""A parameter in [0, 1] is found to within one of this many equal parts."""
_PASSES = 2
_STEP = 0.1
"""Distance over which the slope of a moment is taken."""
_VAGUE = 0.29
"""Standard deviation of a parameter in [0, 1] if nothing is known of it."""


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
        The cell's runs, and its replies with ``stalls``; those of teams of two and more are
        matched.
    """
    teams = runs[runs["n_teammates"] > 1]
    # A stall lasts until the round limit and would outweigh all else: runs without one are matched.
    stalled = calls.groupby("run_dir")["stalls"].any()
    whole = teams[~teams["run_dir"].map(stalled).astype(bool)]
    teams, alike = (teams, fit) if whole.empty else (whole, replace(fit, forgetting=None))
    if teams.empty:
        return fit
    sizes = sorted(int(n) for n in teams["n_teammates"].unique())
    in_teams = calls[calls["run_dir"].isin(teams["run_dir"])]
    # Means over team sizes, so that all sizes count the same, however many runs or calls they have.
    is_idle = in_teams["attempts"] == 0
    idle = float(is_idle.groupby(in_teams["n_teammates"]).mean().mean())
    writes = float(teams.groupby("n_teammates")["concurrent_writes"].mean().mean())

    simulated = [
        Replications(Scenario.model_validate(alike.scenario(tasks, size)), _REPLICATIONS)
        for size in sizes
    ]

    @cache
    def moments(deference: float, noise: float) -> tuple[float, float]:
        return _moments(simulated, deference, noise)

    def idle_share(noise: float, deference: float) -> float:
        return moments(deference, noise)[0]

    def collisions(deference: float, noise: float) -> float:
        return moments(deference, noise)[1]

    deference = _crossing(partial(idle_share, fit.noise.value), idle, rising=True)
    noise = _crossing(partial(collisions, deference), writes, rising=False)
    for _ in range(_PASSES - 1):
        deference = _crossing(partial(idle_share, noise), idle, rising=True, guess=deference)
        noise = _crossing(partial(collisions, deference), writes, rising=False, guess=noise)
    by_run = is_idle.groupby(in_teams["run_dir"]).mean()
    per_run = teams["concurrent_writes"]
    errors = [
        _error(partial(idle_share, noise), deference, by_run),
        _error(partial(collisions, deference), noise, per_run),
    ]
    found = moments(deference, noise)
    return replace(
        fit,
        deference=Estimate(deference, errors[0]),
        noise=Estimate(noise, errors[1]),
        matching={
            "idle_seen": idle,
            "idle_matched": found[0],
            "writes_seen": writes,
            "writes_matched": found[1],
            "simulated_runs": float(_REPLICATIONS * len(sizes) * moments.cache_info().misses),
        },
    )


def _error(moment: Callable[[float], float], at: float, seen: pd.Series) -> float:
    """Return the standard error of a matched parameter: the moment's over its slope."""
    low, high = max(0.0, at - _STEP), min(1.0, at + _STEP)
    slope = abs(moment(high) - moment(low)) / (high - low)
    spread = float(seen.std(ddof=1)) / np.sqrt(len(seen)) if len(seen) > 1 else 0.0
    return float(min(_VAGUE, spread / max(slope, 1e-9)))


def _moments(teams: Sequence[Replications], deference: float, noise: float) -> tuple[float, float]:
    """Return the share of idle calls and the concurrent writes a run, means over team sizes."""
    idle, writes = [], []
    for team in teams:
        rows = team.counts(as_said(deference), as_said(noise))
        idle.append(sum(row.idle_calls for row in rows) / sum(row.calls for row in rows))
        writes.append(sum(row.concurrent_writes for row in rows) / len(rows))
    return float(np.mean(idle)), float(np.mean(writes))


def _crossing(
    moment: Callable[[float], float], target: float, rising: bool, guess: float | None = None
) -> float:
    """Return the value in [0, 1] at which a monotone moment meets `target`, or the nearer end.

    It is the middle of one of `_PARTS` equal parts. The search first simulates the ends or, given a
    `guess`, edges at distances from it that double each time. Then it simulates the edge found by
    interpolation and, every fourth time, the middle.
    """
    below: dict[int, float] = {}
    above: dict[int, float] = {}
    asked = [0, _PARTS] if guess is None else _outwards(int(guess * _PARTS))
    low, high, steps = 0, _PARTS, 0
    while high - low > 1:
        edge = next((it for it in asked if low <= it <= high and it not in below | above), None)
        if edge is None:
            steps += 1
            share = 0.5 if steps % 4 == 0 else below[low] / (below[low] - above[high])
            edge = min(max(round(low + share * (high - low)), low + 1), high - 1)
        excess = moment(edge / _PARTS) - target
        (below if (excess < 0) == rising else above)[edge] = excess
        low, high = max(below, default=0), min(above, default=_PARTS)
    return (min(low, _PARTS - 1) + 0.5) / _PARTS


def _outwards(part: int) -> list[int]:
    """Return the edges of a part, then edges at doubled distances, and so on to the ends."""
    steps = [2**i - 1 for i in range(_PARTS.bit_length())]
    both = [edge for step in steps for edge in (part - step, part + 1 + step)]
    return [min(max(edge, 0), _PARTS) for edge in both]
