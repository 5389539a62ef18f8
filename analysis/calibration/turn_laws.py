"""Laws of a turn's time, output and growth of context, with effects of its request.

A quantity of a turn is ``exp(location + scale * (request effect + phase + own))``. The location is
linear in the covariates (the model, the number of turns of the request, the size of its context).
The scale is log-linear in one of them: turns of short requests vary more than those of long ones.
The request's effect is normal and the same for all its turns. The phase comes and goes (an AR(1)
process). The turn's own part has the distribution that was observed. A chance, the probability of
an event in a turn, has a logit of the same form. The uncertainty of a location is a covariance that
is robust to correlation within sessions; coefficients are drawn from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy

from analysis.calibration.dependence import fit_lags
from analysis.calibration.turn_spread import fit_spread, shift_to_mean
from analysis.statistics.covariances import principal_root
from simulator.distributions import Floats

_VAGUE = 1.0
"""Prior standard deviation of a model's own effect, on the log scale: a factor of e."""

_ENOUGH = 4.0
"""Turns beyond which the weight of a request grows no more, as its turns are correlated."""

_MOST_SHARED = 0.9
"""Most of a turn's variance that it may share with the other turns of its request."""

_QUANTILES = (np.arange(1000) + 0.5) / 1000

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Design:
    """Rows to fit a law to.

    Attributes
    ----------
    models : ndarray of str, shape (n,)
    covariates : ndarray, shape (n, k)
    request, session : ndarray of int, shape (n,)
        Request and session of each row; rows of a request follow one another.
    """

    models: npt.NDArray[np.str_]
    covariates: Floats
    request: Ints
    session: Ints

    def matrix(self, names: Sequence[str]) -> Floats:
        """Return a column of ones, a column for each model, and the covariates."""
        own = self.models[:, None] == np.asarray(names)[None, :]
        return np.column_stack((np.ones(len(self.models)), own, self.covariates)).astype(float)

    @property
    def weights(self) -> Floats:
        """Weight of each row: a request counts for at most `_ENOUGH` turns."""
        size = np.bincount(self.request)[self.request]
        return np.asarray(np.minimum(1.0, _ENOUGH / size))


@dataclass(frozen=True)
class Location:
    """A linear function of model and covariates, with its uncertainty.

    Attributes
    ----------
    models : tuple of str
    at : ndarray, shape (1 + models + k,)
    root : ndarray, shape (m, m)
        Square root of the covariance.
    """

    models: tuple[str, ...]
    at: Floats
    root: Floats

    def draws(self, n: int, rng: np.random.Generator) -> Floats:
        """Return `n` draws of the coefficients, shape (n, m)."""
        return np.asarray(self.at + rng.standard_normal((n, len(self.at))) @ self.root.T)

    def of(self, coefficients: Floats, model: str) -> tuple[Floats, Floats]:
        """Return the intercepts of a model, shape (n,), and the slopes, shape (n, k)."""
        constant = coefficients[:, 0] + coefficients[:, 1 + self.models.index(model)]
        return constant, coefficients[:, 1 + len(self.models) :]


@dataclass(frozen=True)
class TurnLaw:
    """A positive quantity of a turn.

    Attributes
    ----------
    location : Location
    request, phase : float
        Standard deviations of the effects, on the log scale.
    length : float
        Turns over which the correlation of phases falls to 1/e.
    own : ndarray, shape (1000,)
        Quantiles of the turn's own part.
    low, high : float
        Logarithms of the smallest and largest value seen.
    spread : float
        Slope of the logarithm of the scale along the first covariate.
    middle : float
        Where the scale is 1.
    """

    location: Location
    request: float
    phase: float
    length: float
    own: Floats
    low: float
    high: float
    spread: float = 0.0
    middle: float = 0.0

    def scale(self, covariate: Floats) -> Floats:
        """Return what multiplies effects and own part at values of the first covariate."""
        return np.asarray(np.exp(self.spread * (covariate - self.middle)))

    def noise(self, rng: np.random.Generator, n: int, turns: int) -> Floats:
        """Return phases and turns' own parts together, shape (n, turns)."""
        total = self.own[rng.integers(len(self.own), size=(n, turns))]
        if self.phase > 0.0:
            rho = np.exp(-1.0 / self.length)
            fresh = rng.standard_normal((n, turns))
            fresh[:, 1:] *= np.sqrt(1.0 - rho**2)
            for t in range(1, turns):
                fresh[:, t] += rho * fresh[:, t - 1]
            total += self.phase * fresh
        return np.asarray(total)

    def sharing(self, request: float) -> TurnLaw:
        """Return the law with a request effect of this size, and as much less of a turn's own."""
        centre, variance = float(self.own.mean()), float(self.own.var())
        request = min(request, np.sqrt(_MOST_SHARED * variance))
        share = np.sqrt(1.0 - request**2 / variance) if variance > 0.0 else 0.0
        return replace(self, request=float(request), own=centre + share * (self.own - centre))

    def value(self, logs: Floats) -> Floats:
        """Return the quantity with this logarithm, within the range that was observed."""
        return np.exp(np.clip(logs, self.low, self.high))


@dataclass(frozen=True)
class ChanceLaw:
    """Probability of an event in a turn: its logit has a normal effect of the request."""

    location: Location
    request: float


def fit_turn_law(
    values: Floats, design: Design, names: Sequence[str], sums: bool = False
) -> tuple[TurnLaw, Floats]:
    """Fit a positive quantity; return the law and the residuals, effects included, at scale 1.

    The location is fitted by least squares on the logarithm, the scale by maximum likelihood as if
    residuals were normal (Harvey 1976). The variances of the effects match the covariances of turns
    at several distances; the rest is the turns' own part. With `sums`, these are the covariances
    of the quantity itself, and its mean is as observed, so that sums over turns vary as observed.
    Those of logarithms say too little of sums where large values come together.
    """
    logs, weights = np.log(values), design.weights
    matrix = design.matrix(names)
    prior = np.zeros(matrix.shape[1])
    at = _solve(matrix, logs, weights, prior)
    variance = float(np.average((logs - matrix @ at) ** 2, weights=weights))
    prior[1 : 1 + len(names)] = max(variance, 1e-6) / _VAGUE**2
    at = _solve(matrix, logs, weights, prior)
    residual = logs - matrix @ at
    bread = np.asarray(np.linalg.pinv((matrix.T * weights) @ matrix + np.diag(prior)), dtype=float)
    unseen = _as_unseen(matrix, weights, residual, bread, design.session)
    scores = np.asarray(matrix * (weights * unseen)[:, None])
    root = _root(bread, scores, design.session, prior * variance)
    mean = float(np.average(np.exp(residual), weights=weights))
    residual = unseen
    centre = float(np.average(residual, weights=weights))
    centred = residual - centre
    spread, middle = fit_spread(centred, design.covariates[:, 0], weights)
    scale = np.exp(spread * (design.covariates[:, 0] - middle))
    centred = centred / scale
    residual = centre + centred
    variance = float(np.average(centred**2, weights=weights))
    request, phase, length = fit_lags(centred, design.request, weights, sums=sums)
    shared = request + phase
    if shared > _MOST_SHARED * variance:
        request, phase = (_MOST_SHARED * variance * each / shared for each in (request, phase))
    own_share = np.sqrt(1.0 - (request + phase) / variance) if variance > 0.0 else 0.0
    own = centre + own_share * _weighted_quantiles(centred, weights)
    if sums and variance > 0.0:
        own += shift_to_mean(own, request + phase, scale, weights, mean)
    location = Location(tuple(names), at, root)
    law = TurnLaw(
        location,
        float(np.sqrt(request)),
        float(np.sqrt(phase)),
        length,
        own,
        float(logs.min()),
        float(logs.max()),
        spread,
        middle,
    )
    return law, residual


def fit_chance(happened: npt.NDArray[np.bool_], design: Design, names: Sequence[str]) -> ChanceLaw:
    """Fit a chance by maximum likelihood, with the request's effect integrated out.

    The integral is a Gauss-Hermite quadrature of 15 nodes. A model's own effect has a prior with
    standard deviation `_VAGUE`.
    """
    matrix = design.matrix(names)
    group = pd.factorize(design.request)[0]
    count = int(group.max()) + 1
    session = np.zeros(count, dtype=np.int64)
    session[group] = design.session
    sign = np.where(happened, 1.0, -1.0)[:, None]
    prior = np.full(matrix.shape[1], 1e-2)
    prior[1 : 1 + len(names)] = _VAGUE**-2.0

    def by_request(at: Floats) -> tuple[Floats, Floats]:
        """Return log likelihood and its gradient of each request."""
        scale = np.exp(at[-1])
        eta = sign * ((matrix @ at[:-1])[:, None] + scale * _NODES)
        each = -np.logaddexp(0.0, -eta)
        slope = sign * scipy.special.expit(-eta)
        joint = np.stack(
            [np.bincount(group, each[:, j], minlength=count) for j in range(len(_NODES))], axis=1
        )
        total = scipy.special.logsumexp(joint, axis=1, b=_WEIGHTS)
        posterior = _WEIGHTS * np.exp(joint - total[:, None])
        rows = posterior[group] * slope
        mean_slope = rows.sum(axis=1)
        gradient = np.empty((count, len(at)))
        for k in range(matrix.shape[1]):
            gradient[:, k] = np.bincount(group, mean_slope * matrix[:, k], minlength=count)
        gradient[:, -1] = np.bincount(group, rows @ (scale * _NODES), minlength=count)
        return np.asarray(total), gradient

    def loss(at: Floats) -> tuple[float, Floats]:
        total, gradient = by_request(at)
        penalty = 0.5 * float((prior * at[:-1] ** 2).sum()) + 0.5 * at[-1] ** 2
        down = gradient.sum(axis=0)
        down[:-1] -= prior * at[:-1]
        down[-1] -= at[-1]
        return penalty - float(total.sum()), -down

    share = float(np.clip(happened.mean(), 1e-4, 1.0 - 1e-4))
    start = np.zeros(matrix.shape[1] + 1)
    start[0] = scipy.special.logit(share)
    found = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B").x
    scores = by_request(found)[1]
    information = scores.T @ scores + np.diag([*prior, 1.0])
    bread = np.asarray(np.linalg.pinv(information)[:-1], dtype=float)
    root = _root(bread, scores, session, np.append(prior, 1.0))
    return ChanceLaw(Location(tuple(names), found[:-1], root), float(np.exp(found[-1])))


def _solve(matrix: Floats, y: Floats, weights: Floats, prior: Floats) -> Floats:
    normal = (matrix.T * weights) @ matrix + np.diag(prior + 1e-6)
    return np.asarray(np.linalg.lstsq(normal, (matrix.T * weights) @ y, rcond=None)[0])


def _as_unseen(
    matrix: Floats, weights: Floats, residual: Floats, bread: Floats, session: Ints
) -> Floats:
    """Return the residuals of each session under the fit to all other sessions.

    ``(1 - H)^-1 r`` with the session's block of the hat matrix (Bell & McCaffrey 2002).
    """
    unseen = residual.copy()
    for rows in pd.Series(np.arange(len(session))).groupby(session).indices.values():
        x, w = matrix[rows], weights[rows]
        # (1 - x B x' w)^-1 r = r + x (B^-1 - x' w x)^-1 x' w r, a small system.
        inner = np.eye(len(bread)) - bread @ (x.T * w) @ x
        unseen[rows] += (
            x @ np.linalg.lstsq(inner, bread @ ((x.T * w) @ residual[rows]), rcond=None)[0]
        )
    return unseen


def _root(bread: Floats, scores: Floats, session: Ints, prior: Floats) -> Floats:
    """Return the square root of the sandwich covariance, with scores summed over sessions.

    Directions without data vary as in the prior, whose precision is `prior`.
    """
    summed = pd.DataFrame(scores).groupby(session).sum().to_numpy()
    k = len(summed)
    meat = summed.T @ summed * k / max(1, k - 1) + np.diag(prior)
    return principal_root(bread @ meat @ bread.T)


def _weighted_quantiles(values: Floats, weights: Floats) -> Floats:
    order = np.argsort(values)
    passed = (np.cumsum(weights[order]) - 0.5 * weights[order]) / weights.sum()
    return np.interp(_QUANTILES, passed, values[order])


def to_document(law: TurnLaw | ChanceLaw) -> dict[str, Any]:
    """Return a law as JSON holds it."""
    where = law.location
    said: dict[str, Any] = {
        "models": list(where.models),
        "at": where.at.tolist(),
        "root": where.root.tolist(),
        "request": law.request,
    }
    if isinstance(law, TurnLaw):
        said |= {"phase": law.phase, "length": law.length, "own": law.own.tolist()}
        said |= {"low": law.low, "high": law.high, "spread": law.spread, "middle": law.middle}
    return said


def location_of(said: Mapping[str, Any]) -> Location:
    """Return the location of a law from JSON."""
    return Location(tuple(said["models"]), np.asarray(said["at"]), np.asarray(said["root"]))


def turn_law(said: Mapping[str, Any]) -> TurnLaw:
    """Return a law from JSON."""
    numbers = {name: float(said[name]) for name in ("request", "phase", "length", "low", "high")}
    # Earlier fits have one spread for all.
    numbers |= {name: float(said.get(name, 0.0)) for name in ("spread", "middle")}
    return TurnLaw(location_of(said), own=np.asarray(said["own"]), **numbers)


def chance_law(said: Mapping[str, Any]) -> ChanceLaw:
    """Return a chance from JSON."""
    return ChanceLaw(location_of(said), float(said["request"]))
