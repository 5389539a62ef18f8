"""Fits agents to single calls whose durations are known and tokens are not.

This is the fallback: a family of durations with session and phase effects. If tokens are known,
`analysis.calibration.calls` gives a much better model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.calibration.calls import FEWEST, run_weights
from analysis.calibration.dependence import Dependence, dependence, without_effects
from analysis.calibration.estimates import Estimate
from analysis.calibration.families import Family, best_family


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
