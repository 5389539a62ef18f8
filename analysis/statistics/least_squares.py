"""Non-linear least squares with standard errors, bounds and confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.statistics import optimisers
from simulator.distributions import Floats
from simulator.experiment.intervals import student_quantile

Array = npt.NDArray[np.float64]
Bounds = Sequence[tuple[float, float]]

_EXACT = 1e-14
"""Relative change of the sum of squares, or of the parameters, below which it is the least."""
_MOST_CURVES = 8_000
"""Where a parameter runs away, the sum has then come within 10^-5 of itself to the least, and the
parameter counts as undetermined."""
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

    best, jacobian = _least(misses, np.clip(start, low, high), low, high)
    degrees = len(target) - len(start)
    spread = float((misses(best) ** 2).sum())
    errors = _unit_errors(jacobian) * math.sqrt(spread / max(1, degrees))
    half = np.full_like(errors, np.inf)
    known = np.isfinite(errors) & (degrees > 0)
    half[known] = errors[known] * student_quantile(0.5 + confidence / 2, max(1, degrees))
    return Estimate(
        values=best,
        low=np.maximum(low, best - half),
        high=np.minimum(high, best + half),
        rss=float(((curve(best) - target) ** 2).sum()),
    )


def _least(
    misses: Callable[[Array], Array], start: Array, low: Array, high: Array
) -> tuple[Array, Array]:
    """Return where the sum of squares is least, and the Jacobian there.

    Without bounds it is found by MINPACK, whose steps take a tenth of the time. That matters where
    a parameter is not determined: the sum may fall for thousands of steps.
    """
    if not (np.isfinite(low) | np.isfinite(high)).any():
        # All is asked for, since it warns else of what is exact already.
        best = optimisers.leastsq(
            misses,
            start,
            full_output=True,
            xtol=_EXACT,
            ftol=_EXACT,
            gtol=_EXACT,
            maxfev=_MOST_CURVES,
        )[0]
        steps = math.sqrt(np.finfo(np.float64).eps) * np.maximum(1.0, np.abs(best))
        jacobian = optimisers.approx_fprime(best, misses, steps)
        return np.asarray(best), np.atleast_2d(jacobian)  # a row, where there is one point
    found = optimisers.least_squares(
        misses,
        start,
        bounds=(low, high),
        x_scale="jac",
        xtol=_EXACT,
        ftol=_EXACT,
        gtol=_EXACT,
        max_nfev=20_000,
    )
    return np.asarray(found.x), np.asarray(found.jac)


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
