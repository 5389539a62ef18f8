"""Maximum likelihood, with errors that are valid if observations of a session are correlated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy

from analysis.calibration.estimates import VectorFit
from simulator.distributions import Floats

FEWEST_CLUSTERS = 10
"""Fewest sessions whose scores give the errors of a few parameters."""

_STEP = 1e-4

UNTOLD = 3.0
"""Standard error of the logarithm, or logit, of a parameter that no observation tells."""

LogDensity = Callable[[Floats], Floats]
"""Returns the log density of every observation, shape (n,), at some parameters."""


def maximise(
    log_density: LogDensity,
    start: Floats,
    clusters: npt.NDArray[np.int64] | None = None,
    untold: Floats | float = UNTOLD,
) -> VectorFit:
    """Return the parameters of the greatest likelihood, with their covariance.

    Parameters
    ----------
    log_density : callable
    start : ndarray, shape (k,)
        Parameters without bounds (logarithms, logits).
    clusters : ndarray of int, shape (n,), optional
        Session of each observation: the covariance is the sandwich with scores summed over
        sessions (Liang & Zeger 1986) where there are at least `FEWEST_CLUSTERS`, else that of
        independent observations.
    untold : float or ndarray, shape (k,)
        Standard errors of parameters that no observation tells.
    """

    def loss(at: Floats) -> float:
        total = float(log_density(at).sum())
        return -total if np.isfinite(total) else 1e12

    found = scipy.optimize.minimize(loss, start, method="L-BFGS-B")
    found = scipy.optimize.minimize(
        loss,
        found.x,
        method="Nelder-Mead",
        options={"maxiter": 300 * len(start), "xatol": 1e-4, "fatol": 1e-3},
    )
    at = np.asarray(found.x, dtype=float)
    return VectorFit(at, _covariance(log_density, at, clusters, untold))


def _covariance(
    log_density: LogDensity,
    at: Floats,
    clusters: npt.NDArray[np.int64] | None,
    untold: Floats | float,
) -> Floats:
    scores = np.column_stack(
        [
            (log_density(at + _STEP * unit) - log_density(at - _STEP * unit)) / (2.0 * _STEP)
            for unit in np.eye(len(at))
        ]
    )
    # At the bound of a parameter, the density of some observations has no derivative.
    known = np.isfinite(scores).all(axis=1)
    scores, clusters = scores[known], None if clusters is None else clusters[known]
    # The outer product of the scores stands in for the Hessian (Berndt et al. 1974).
    # In units of what they are known by at least: then none has an information below 1.
    scores = scores * untold
    information = scores.T @ scores
    values, vectors = np.linalg.eigh(information)
    missing = (vectors * np.maximum(1.0 - values, 0.0)) @ vectors.T
    bread = np.linalg.inv(information + missing)
    scale = np.outer(untold * np.ones(len(at)), untold * np.ones(len(at)))
    if clusters is None or len(np.unique(clusters)) < FEWEST_CLUSTERS:
        return np.asarray(bread * scale)
    summed = pd.DataFrame(scores).groupby(clusters).sum().to_numpy()
    k = len(summed)
    return np.asarray(bread @ (summed.T @ summed * k / (k - 1) + missing) @ bread * scale)
