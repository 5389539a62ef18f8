"""Fits agents to single calls whose durations are known and tokens are not.

This is the fallback: a family of durations with session and phase effects. If tokens are known,
`analysis.calibration.calls` gives a much better model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.calls import FEWEST
from analysis.calibration.dependence import Dependence, dependence, without_effects
from analysis.calibration.estimates import Estimate
from analysis.calibration.families import Family, best_family
from analysis.calibration.sessions import HORIZON
from simulator.distributions import Floats


@dataclass(frozen=True)
class MarginalFit:
    """An agent fitted to the durations of its calls alone."""

    model: str
    sessions: int
    calls: int
    duration: Family
    effects: Dependence

    def agent(self) -> dict[str, Any]:
        """Return the simulated agent, as a scenario says it."""
        base = {**self.duration.spec(), **self.effects.spec()}
        return {"latency": {"kind": "seconds", "base": base}}

    def parameters(self) -> dict[str, Estimate]:
        """Return every parameter that has a standard error."""
        return {"session": self.effects.session, "phase": self.effects.phase}


def fit_durations(calls: pd.DataFrame) -> list[MarginalFit]:
    """Fit every model with enough calls (`FEWEST`), the largest first.

    Parameters
    ----------
    calls : DataFrame
        As `analysis.calibration.calls.timed` returns them; calls cut short are left out.
    """
    calls = calls[~calls["censored"]]
    counts = calls["model"].value_counts()
    fits = []
    for model in counts[counts >= FEWEST].index:
        mine = calls[calls["model"] == model].reset_index(drop=True)
        weights = run_weights(mine)
        seconds = mine["duration_s"].to_numpy(dtype=float)
        effects = dependence(seconds, mine["session"], weights)
        own = best_family(without_effects(seconds, effects, weights), weights)
        fits.append(MarginalFit(str(model), mine["session"].nunique(), len(mine), own, effects))
    return fits


def run_weights(calls: pd.DataFrame) -> Floats:
    """Return, for each call, the number of windows of `HORIZON` calls of its session that hold it.

    The first and last calls of a session are unlike the others (a plan, a final answer) and are in
    fewer windows. The calls of a session shorter than the horizon have the weight of one window.
    """
    groups = calls.groupby("session", sort=False)["session"]
    place = calls.groupby("session", sort=False).cumcount().to_numpy()
    size = groups.transform("size").to_numpy()
    to_edge = np.minimum(place + 1, size - place)
    possible = np.maximum(size - HORIZON + 1, 1)
    held = np.minimum(np.minimum(to_edge, HORIZON), possible)
    return np.asarray(held, dtype=np.float64)
