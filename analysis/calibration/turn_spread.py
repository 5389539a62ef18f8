"""How far the turns of requests spread: a scale that depends on their requests, and a mean."""

from __future__ import annotations

import numpy as np
import scipy

from simulator.distributions import Floats

_STEEPEST = 1.0
"""Largest slope of the logarithm of the scale."""

_FARTHEST = 2.0
"""Largest shift of a logarithm."""


def fit_spread(centred: Floats, covariate: Floats, weights: Floats) -> tuple[float, float]:
    """Return the slope of the log standard deviation of residuals, and the mean covariate.

    Fitted by maximum likelihood as if residuals were normal (Harvey 1976).

    Parameters
    ----------
    centred : ndarray, shape (n,)
        Residuals of mean 0.
    covariate, weights : ndarray, shape (n,)
    """
    middle = float(np.average(covariate, weights=weights))
    apart, squares = covariate - middle, centred**2
    if not (np.any(apart) and np.any(squares)):
        return 0.0, middle

    def loss(at: Floats) -> float:
        logs = at[0] + at[1] * apart
        return float(np.average(logs + 0.5 * squares * np.exp(-2.0 * logs), weights=weights))

    start = np.asarray([0.5 * np.log(np.average(squares, weights=weights)), 0.0])
    bounds = [(None, None), (-_STEEPEST, _STEEPEST)]
    return float(scipy.optimize.minimize(loss, start, bounds=bounds).x[1]), middle


def shift_to_mean(own: Floats, shared: float, scale: Floats, weights: Floats, mean: float) -> float:
    """Return what to add to logarithms so that the quantity has a mean.

    Parameters
    ----------
    own : ndarray, shape (m,)
        Quantiles of the logarithm of a turn's own part.
    shared : float
        Variance of the effects that it shares with others.
    scale, weights : ndarray, shape (n,)
        What multiplies both in each turn.
    mean : float
    """
    scales, place = np.unique(scale, return_inverse=True)
    count = np.bincount(place, weights)
    effects = np.exp(0.5 * scales**2 * shared)

    def lacks(shift: float) -> float:
        each = effects * np.exp(scales[:, None] * (own + shift)).mean(axis=1)
        return float(np.log(np.average(each, weights=count) / mean))

    if not lacks(-_FARTHEST) < 0.0 < lacks(_FARTHEST):
        return 0.0
    return float(scipy.optimize.brentq(lacks, -_FARTHEST, _FARTHEST))
