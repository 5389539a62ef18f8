"""Non-linear least squares with standard errors, bounds and confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from simulator.distributions import Floats
from simulator.experiment.intervals import student_quantile

Array = npt.NDArray[np.float64]
Bounds = Sequence[tuple[float, float]]

_NULL = 1e-7
"""Share of the largest singular value below which one is an error of the finite differences."""


@dataclass(frozen=True)
class Estimate:
    """Parameters in their order: the best values, and the ends of their intervals.

    Attributes
    ----------
    values, low, high : ndarray, shape (parameters,)
        Ends are infinite, or at the bounds, if there are no more points than parameters, and for
        parameters that the points do not determine.
    rss : float
        Sum of the squared residuals.
    """

    values: Array
    low: Array
    high: Array
    rss: float


def least_squares(
    curve: Callable[[Array], Floats],
    target: Array,
    start: Sequence[float],
    bounds: Bounds,
    confidence: float = 0.95,
) -> Estimate:
    """Fit a curve by least squares.

    Parameters
    ----------
    curve : callable
        Returns the values at the points for given parameters.
    target : ndarray, shape (points,)
        At least as many as parameters.
    start : sequence of float
        First guess; put within the bounds.
    bounds : sequence of (float, float)
        Of each parameter.
    confidence : float
        Coverage of the intervals, by the linearised curve and Student's t (Seber & Wild 1989,
        section 5.1).
    """
    low, high = (np.array(ends) for ends in zip(*bounds, strict=True))
    scale = float(np.abs(target).max()) or 1.0

    def misses(values: Array) -> Array:
        return np.asarray((curve(values) - target) / scale)

    found = scipy.optimize.least_squares(
        misses,
        np.clip(start, low, high),
        bounds=(low, high),
        x_scale="jac",
        xtol=1e-14,
        ftol=1e-14,
        gtol=1e-14,
        max_nfev=20_000,
    )
    degrees = len(target) - len(start)
    errors = _unit_errors(np.asarray(found.jac)) * math.sqrt(2.0 * found.cost / max(1, degrees))
    half = np.full_like(errors, np.inf)
    known = np.isfinite(errors) & (degrees > 0)
    half[known] = errors[known] * student_quantile(0.5 + confidence / 2, max(1, degrees))
    return Estimate(
        values=found.x,
        low=np.maximum(low, found.x - half),
        high=np.minimum(high, found.x + half),
        rss=float(((curve(found.x) - target) ** 2).sum()),
    )


def _unit_errors(jacobian: Array) -> Array:
    """Return the standard errors of parameters for residuals of 1; infinite if undetermined.

    A parameter is undetermined if it can change, alone or with others, while the curve stays: it
    has a part in the null space of the Jacobian (Golub & Van Loan 2013, section 5.5). Columns are
    scaled to length 1, so that a parameter's unit does not matter.
    """
    lengths = np.linalg.norm(jacobian, axis=0)
    moves = lengths > 0.0
    errors = np.full(len(lengths), np.inf)
    if not moves.any():
        return errors
    scaled = jacobian[:, moves] / lengths[moves]
    _, sizes, directions = np.linalg.svd(scaled)
    sizes = np.concatenate([sizes, np.zeros(len(directions) - len(sizes))])
    is_null = sizes <= _NULL * sizes[0]
    variances = ((directions[~is_null].T / sizes[~is_null]) ** 2).sum(axis=1)
    is_free = (directions[is_null] ** 2).sum(axis=0) > _NULL
    errors[moves] = np.where(is_free, np.inf, np.sqrt(variances)) / lengths[moves]
    return errors


def small_sample_aic(rss: float, points: int, parameters: int, size: float) -> float:
    """Return Akaike's criterion of a least-squares fit, corrected for few points.

    Parameters
    ----------
    rss : float
        Sum of the squared residuals.
    points : int
    parameters : int
        Number of parameters, the variance included.
    size : float
        Sum of the squares of the values fitted: a fit is exact if `rss` is only rounding of it.

    Returns
    -------
    float
        AICc (Hurvich & Tsai 1989); infinite where there are too few points for it.
    """
    if points - parameters - 1 <= 0:
        return math.inf
    rss = max(rss, 1e-24 * size, 1e-300)
    extra = 2.0 * parameters * (parameters + 1) / (points - parameters - 1)
    return points * math.log(rss / points) + 2.0 * parameters + extra
