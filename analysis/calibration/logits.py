"""Logistic regressions of an agent's cells together: common slopes, an intercept for each cell.

The intercepts of an agent's cells are normal around its own; their spread is the one that is
likeliest (marginal likelihood, by Laplace's approximation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from analysis.calibration.estimates import VectorFit
from simulator.distributions import Floats

_SPREADS = (0.1, 0.3, 0.6, 1.0, 1.5, 2.2)
"""Standard deviations of cells' logits that are tried."""


@dataclass(frozen=True, slots=True)
class Trials:
    """What a regression is fitted to, in one cell.

    Attributes
    ----------
    covariates : ndarray, shape (n, K)
    hits, trials : ndarray, shape (n,)
        Of so many trials of one probability, how many were hits; hits may be expected numbers.
    """

    covariates: Floats
    hits: Floats
    trials: Floats


def fit_logits(cells: Sequence[Trials], mean: Floats, sd: Floats) -> list[VectorFit]:
    """Return for each cell its intercept and the common slopes.

    Parameters
    ----------
    cells : sequence of Trials
    mean, sd : ndarray, shape (1 + K,)
        Of the normal prior of the agent's intercept and of the slopes.
    """
    fits = [_fit(cells, mean, sd, spread) for spread in _SPREADS]
    _, at, covariance = max(fits, key=lambda fit: fit[0])
    known = len(mean)
    picked = [np.eye(known, len(at)) for _ in cells]
    for i, pick in enumerate(picked):
        pick[0, known + i] = 1.0
    return [VectorFit(pick @ at, pick @ covariance @ pick.T) for pick in picked]


def _fit(
    cells: Sequence[Trials], mean: Floats, sd: Floats, spread: float
) -> tuple[float, Floats, Floats]:
    """Return the log evidence, the posterior mode and its covariance.

    The parameters are the agent's intercept, the slopes, and what each cell's intercept is above
    the agent's.
    """
    rows = np.concatenate([np.full(len(cell.hits), i) for i, cell in enumerate(cells)]).astype(int)
    covariates = np.concatenate([cell.covariates for cell in cells])
    own = np.eye(len(cells))[rows].reshape(len(rows), len(cells))
    design = np.column_stack([np.ones(len(rows)), covariates, own])
    hits = np.concatenate([cell.hits for cell in cells])
    trials = np.concatenate([cell.trials for cell in cells])
    means = np.concatenate([mean, np.zeros(len(cells))])
    precision = np.concatenate([sd, np.full(len(cells), spread)]) ** -2.0

    def loss(at: Floats) -> tuple[float, Floats]:
        logit = design @ at
        off = at - means
        value = trials @ np.logaddexp(0.0, logit) - hits @ logit + 0.5 * (precision * off**2).sum()
        slope = design.T @ (trials * scipy.special.expit(logit) - hits) + precision * off
        return float(value), slope

    found = scipy.optimize.minimize(loss, means, jac=True, method="BFGS")
    p = scipy.special.expit(design @ found.x)
    curvature = design.T @ (design * (trials * p * (1.0 - p))[:, None]) + np.diag(precision)
    evidence = -found.fun + 0.5 * (np.log(precision).sum() - np.linalg.slogdet(curvature)[1])
    at = np.asarray(found.x, dtype=np.float64)
    return float(evidence), at, np.asarray(np.linalg.inv(curvature), dtype=np.float64)
