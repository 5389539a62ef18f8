"""Fits how many turns a request takes, from whole requests and from those cut short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.calibration.estimates import Estimate, VectorFit
from analysis.calibration.likelihood import maximise
from analysis.calibration.log_families import LOG_FAMILIES, log_difference
from analysis.calibration.rounding import four_digits
from simulator.distributions import Floats

GEOMETRIC = "geometric"
"""Kind of a fit in which every turn is the last with the same probability."""

CONSTANT = "deterministic"

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TurnCounts:
    """The law of the number of turns of a request.

    Attributes
    ----------
    kind : str
        `GEOMETRIC`, `CONSTANT`, or the family of a variable that is rounded, as scenarios call it.
    fit : VectorFit
        The logit of the probability of ending, or the logarithms of the family's parameters.
    most : int
        Most turns seen: a draw is no larger.
    ks : float
        Largest distance between the fitted distribution function and the Kaplan-Meier estimate.
    aic_gain : float
        AIC of the second best family minus AIC of this one.
    """

    kind: str
    fit: VectorFit
    most: int
    ks: float
    aic_gain: float

    def spec(self) -> dict[str, Any]:
        """Return the end of a ``loop`` as a scenario says it."""
        if self.kind == GEOMETRIC:
            return {"end_probability": four_digits(self.parameters()["turns_end"].value)}
        if self.kind == CONSTANT:
            return {"turns": self.most}
        numbers = LOG_FAMILIES[self.kind].spec(self.fit.at)
        rounded = {name: four_digits(value) for name, value in numbers.items()}
        return {"turns": {"kind": self.kind, **rounded, "at_most": float(self.most)}}

    def parameters(self) -> dict[str, Estimate]:
        """Return the parameters with their standard errors."""
        if self.kind == GEOMETRIC:
            return {"turns_end": self.fit.estimate(0, "logit")}
        if self.kind == CONSTANT:
            return {}
        names = LOG_FAMILIES[self.kind].names
        return {f"turns_{name}": self.fit.estimate(i, "log") for i, name in enumerate(names)}

    def survival(self, turns: Ints) -> Floats:
        """Return the probability of more turns than `turns` (any shape)."""
        if self.kind == CONSTANT:
            return np.asarray(turns < self.most, dtype=float)
        return np.exp(_log_survival(self.kind, self.fit.at, np.asarray(turns, dtype=float)))


def fit_turns(turns: Ints, is_whole: npt.NDArray[np.bool_], clusters: Ints) -> TurnCounts:
    """Fit the number of turns by maximum likelihood, the family chosen by AIC.

    Parameters
    ----------
    turns : ndarray of int, shape (n,)
        Turns of each request, at least 1.
    is_whole : ndarray of bool, shape (n,)
        Whether the request ended after them; the others would have gone on (censored values).
    clusters : ndarray of int, shape (n,)
        Session of each.
    """
    most = int(turns.max())
    if turns[is_whole].min() == most and is_whole.all():
        return TurnCounts(CONSTANT, VectorFit(np.zeros(0), np.zeros((0, 0))), most, 0.0, np.nan)
    count = turns.astype(float)
    aic: dict[str, float] = {}
    fits: dict[str, VectorFit] = {}
    for kind in (GEOMETRIC, *LOG_FAMILIES):

        def log_density(at: Floats, kind: str = kind) -> Floats:
            here = _log_survival(kind, at, count)
            ended = log_difference(_log_survival(kind, at, count - 1.0), here)
            return np.where(is_whole, ended, here)

        mean = count.sum() / max(1, int(is_whole.sum()))
        start = (
            np.asarray([-np.log(max(mean - 1.0, 0.01))])
            if kind == GEOMETRIC
            else LOG_FAMILIES[kind].start(np.log(count))
        )
        fit = maximise(log_density, start, clusters)
        if kind != GEOMETRIC and not LOG_FAMILIES[kind].has_maximum(fit.at):
            continue
        fits[kind] = fit
        aic[kind] = 2.0 * len(start) - 2.0 * float(log_density(fit.at).sum())
    best, *others = sorted(aic, key=lambda kind: aic[kind])
    gain = aic[others[0]] - aic[best] if others else np.nan
    found = TurnCounts(best, fits[best], most, np.nan, gain)
    grid = np.arange(1, most + 1)
    ks = float(np.abs(found.survival(grid) - kaplan_meier(turns, is_whole, grid)).max())
    return TurnCounts(best, fits[best], most, ks, gain)


def _log_survival(kind: str, at: Floats, turns: Floats) -> Floats:
    """Return the log probability of more turns than so many."""
    if kind == GEOMETRIC:
        return np.asarray(-turns * np.logaddexp(0.0, at[0]))
    edge = np.log(np.maximum(turns, 0.5) + 0.5)
    return np.where(turns < 1.0, 0.0, LOG_FAMILIES[kind].log_survival(at, edge))


def kaplan_meier(turns: Ints, is_whole: npt.NDArray[np.bool_], grid: Ints) -> Floats:
    """Return the share of requests of more turns than `grid` (Kaplan & Meier 1958).

    A request that was cut short would have taken at least one more turn: its last turn was not the
    end of it, and counts among those that might have been.
    """
    alive = 1.0
    survival = {}
    for turn in range(1, int(grid.max()) + 1):
        at_risk = int((turns >= turn).sum())
        ended = int(((turns == turn) & is_whole).sum())
        alive *= 1.0 - ended / at_risk if at_risk else 1.0
        survival[turn] = alive
    return np.asarray([survival[int(turn)] for turn in grid])
