"""Draws from a density that a normal one resembles: importance sampling.

A posterior with little data leans to one side: its mode and curvature, taken for its mean and
variance, are wrong, and errors too small.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.calibration.estimates import VectorFit
from analysis.statistics.covariances import principal_root
from simulator import special
from simulator.distributions import Floats

LogDensities = Callable[[Floats], Floats]
"""Returns the log densities, up to a constant, of points of shape (P, K); their shape is (P,)."""

_FREEDOM = 5
"""Degrees of freedom of the multivariate t that is drawn from: heavier tails than the density's."""
_STEP = 1e-3
_MOST_NEWTON = 5
"""Each doubles the digits that are right: two are enough where the optimiser has come near."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Weighted draws.

    Attributes
    ----------
    at : ndarray, shape (P, K)
    weights : ndarray, shape (P,)
        Their sum is 1.
    """

    at: Floats
    weights: Floats

    def moments(self) -> VectorFit:
        """Return the mean and the covariance."""
        mean = self.weights @ self.at
        off = self.at - mean
        return VectorFit(mean, np.asarray(off.T @ (off * self.weights[:, None])))

    def pick(self, count: int, rng: np.random.Generator) -> Floats:
        """Return draws that all count the same, shape (count, K); by systematic resampling."""
        places = (rng.random() + np.arange(count)) / count
        rows = np.searchsorted(np.cumsum(self.weights), places)
        return np.asarray(self.at[np.minimum(rows, len(self.at) - 1)])


def draws_of(
    log_densities: LogDensities,
    mode: Floats,
    covariance: Floats,
    count: int,
    rng: np.random.Generator,
) -> Draws:
    """Return draws from a density by importance sampling from a multivariate t.

    Parameters
    ----------
    log_densities : callable
    mode, covariance : ndarray, shapes (K,) and (K, K)
        Of the normal distribution that resembles it.
    count : int
        Number of draws; they come in pairs on both sides of the mode.
    rng : Generator
    """
    half = -(-count // 2)
    k = len(mode)
    normal = rng.standard_normal((half, k))
    scale = np.sqrt(_FREEDOM / rng.chisquare(_FREEDOM, half))[:, None]
    away = (normal * scale) @ principal_root(covariance)
    at = mode + np.concatenate([away, -away])
    squares = np.tile(((normal * scale) ** 2).sum(axis=1), 2)
    logs = log_densities(at) + 0.5 * (_FREEDOM + k) * np.log1p(squares / _FREEDOM)
    return Draws(at, np.asarray(special.softmax(logs)))


def mode_near(log_densities: LogDensities, near: Floats) -> Floats:
    """Return the mode of a density near a point at which an optimiser has stopped, shape (K,).

    Steps of Newton's method, with derivatives by central differences, are taken while the density
    grows and none is longer than 1: an optimiser that has stopped is nearer. It stops early, at
    points that differ in the fifth digit from one processor to another; so would all that is drawn
    around them.
    """
    steps: npt.NDArray[np.float64] = _STEP * np.eye(len(near))
    for _ in range(_MOST_NEWTON):
        slope = (log_densities(near + steps) - log_densities(near - steps)) / (2.0 * _STEP)
        step = covariance_at(log_densities, near) @ slope
        before, after = log_densities(np.stack([near, near + step]))
        if not (after > before and np.abs(step).max() < 1.0):
            break
        near = near + step
    return near


def covariance_at(log_densities: LogDensities, mode: Floats) -> Floats:
    """Return the inverse of minus the Hessian of a log density at its mode (central differences).

    Where it curves upwards or hardly at all, a variance of 100 stands in.
    """
    k = len(mode)
    steps: npt.NDArray[np.float64] = _STEP * np.eye(k)
    first, second = np.triu_indices(k)
    corners = [
        steps[first] * a + steps[second] * b for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))
    ]
    plus, over, under, minus = (log_densities(mode + corner) for corner in corners)
    hessian = np.zeros((k, k))
    hessian[first, second] = (plus - over - under + minus) / (4.0 * _STEP**2)
    hessian = np.triu(hessian) + np.triu(hessian, 1).T
    values, vectors = np.linalg.eigh(-hessian)
    return np.asarray((vectors / np.maximum(values, 0.01)) @ vectors.T)
