"""Parameters with their uncertainty, and partial pooling over similar cells.

An estimate is normal on the scale of its link: the logarithm of a positive parameter, the logit of
a probability, the square of a standard deviation that may be 0. Cells are pooled as draws from
one normal distribution, so that a cell with few or odd runs moves towards the others. How far
cells differ is itself uncertain: the standard deviation between them has a flat prior up to the
largest that is possible (Gelman 2006), and the posterior mean of its square is used. Where cells
are few the likeliest value is often 0, which would leave them no errors of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from analysis.statistics.covariances import principal_root
from simulator import special
from simulator.distributions import Floats

Link = Literal["identity", "log", "logit", "square"]

_EDGE = 1e-6
"""Least distance of a probability from 0 and 1."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A parameter: normal with mean `at` and standard deviation `error` on its link's scale."""

    at: float
    error: float
    link: Link = "identity"

    @classmethod
    def of(cls, value: float, error: float = 0.0, link: Link = "identity") -> Estimate:
        """Return the estimate with median `value` and standard error `error` (link scale)."""
        return cls(float(_forward(value, link)), float(error), link)

    @property
    def value(self) -> float:
        """The median."""
        return _backward(self.at, self.link)

    @property
    def shown_error(self) -> float:
        """The standard error as reports show it: relative on a log scale, else of the value.

        Of a standard deviation whose variance was estimated, it is how much larger it may be.
        """
        if self.link == "square":
            return float(np.sqrt(max(0.0, self.at) + self.error)) - self.value
        return self.error * self.value * (1.0 - self.value) if self.link == "logit" else self.error

    def draw(self, rng: np.random.Generator) -> Estimate:
        """Return a value drawn from the uncertainty, as a certain estimate.

        One whose uncertainty is not known stays as it is.
        """
        error = self.error if math.isfinite(self.error) else 0.0
        return Estimate(self.at + error * float(rng.standard_normal()), 0.0, self.link)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the central interval that holds the parameter with probability `level`."""
        half = float(special.ndtri(0.5 + level / 2)) * self.error
        return _backward(self.at - half, self.link), _backward(self.at + half, self.link)


def _forward(value: float, link: Link) -> float:
    if link == "log":
        return float(np.log(max(value, 1e-12)))
    if link == "logit":
        return float(special.logit(np.clip(value, _EDGE, 1.0 - _EDGE)))
    return value**2 if link == "square" else value


def _backward(at: float, link: Link) -> float:
    if link == "log":
        return float(np.exp(at))
    if link == "logit":
        return float(special.expit(at))
    return float(np.sqrt(max(0.0, at))) if link == "square" else at


NOT_SEEN = Estimate(0.0, math.nan)
"""A spread or a correlation of which the data say nothing: simulated as 0, with no error of it."""

UNTOLD = Estimate(0.5, 12**-0.5)
"""A probability of which nothing is known: mean and standard deviation of a uniform one."""


@dataclass(frozen=True, slots=True)
class BetaEstimate:
    """A probability with a beta distribution: `hits` for, `misses` against."""

    hits: float
    misses: float

    @property
    def value(self) -> float:
        """The mean."""
        return self.hits / (self.hits + self.misses)

    @property
    def error(self) -> float:
        """The standard deviation."""
        return float(np.sqrt(self.value * (1 - self.value) / (self.hits + self.misses + 1)))

    @property
    def shown_error(self) -> float:
        """The standard error as reports show it."""
        return self.error

    def draw(self, rng: np.random.Generator) -> Estimate:
        """Return a value drawn from the uncertainty, as a certain estimate."""
        return Estimate(float(rng.beta(max(self.hits, 1e-9), max(self.misses, 1e-9))), 0.0)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the central interval that holds the probability with probability `level`."""
        tail = (1.0 - level) / 2
        low, high = special.betaincinv(self.hits, self.misses, [tail, 1.0 - tail])
        return float(low), float(high)


Probability = Estimate | BetaEstimate


def persistence(first: Probability, again: Probability) -> float:
    """Return the probability of doing something again, beyond that of doing it in any call."""
    p = first.value
    return max(0.0, (again.value - p) / (1.0 - p)) if p < 1.0 else 0.0


@dataclass(frozen=True)
class VectorFit:
    """Several parameters fitted together: normal with covariance, on the scale of their links."""

    at: Floats
    covariance: Floats

    def draw(self, rng: np.random.Generator) -> VectorFit:
        """Return values drawn from the uncertainty, as a certain fit."""
        at = self.at + self._root @ rng.standard_normal(len(self.at))
        return VectorFit(at, np.zeros(self.covariance.shape))

    @cached_property
    def _root(self) -> Floats:
        """A root of the covariance, found once for all draws."""
        return principal_root(self.covariance)

    def estimate(self, i: int, link: Link) -> Estimate:
        """Return one coordinate; its standard error is NaN where the fit has none."""
        variance = float(self.covariance[i, i])
        error = math.sqrt(variance) if variance >= 0.0 else math.nan
        return Estimate(float(self.at[i]), error, link)


def pool(fits: Sequence[VectorFit], most: Floats) -> list[VectorFit]:
    """Return each fit moved towards the others as far as their spread allows.

    The true values are taken as normal around a common mean with independent coordinates. A single
    fit is returned as it is.

    Parameters
    ----------
    fits : sequence of VectorFit
    most : ndarray, shape (K,)
        Largest standard deviation between cells that is possible.
    """
    if len(fits) < 2:
        return list(fits)
    at, variance = _moments(fits)
    common = _in_common(at, 1.0 / variance, most, np.zeros(len(most)), np.zeros(len(most)))
    between, of_mean = np.diag(common.between), np.diag(common.of_mean)
    pooled = []
    for fit in fits:
        # Kalman's form: no inverse of a variance that may be 0.
        gain = between @ np.linalg.pinv(between + fit.covariance)
        rest = np.eye(len(most)) - gain
        covariance = gain @ fit.covariance + rest @ of_mean @ rest.T
        pooled.append(VectorFit(common.mean + gain @ (fit.at - common.mean), covariance))
    return pooled


def pool_posteriors(fits: Sequence[VectorFit], centre: Floats, spread: Floats) -> list[VectorFit]:
    """Return each fit moved towards the others, where each was fitted with the same prior.

    The prior is that of what they have in common, and counts once: of cells that say nothing many
    are no surer than one. A single fit is returned as it is.

    Parameters
    ----------
    fits : sequence of VectorFit
        Their coordinates are independent.
    centre, spread : ndarray, shape (K,)
        Mean and standard deviation of the prior. Cells differ by no more than the second, and none
        is less sure.
    """
    if len(fits) < 2:
        return list(fits)
    common = common_of(fits, centre, spread, spread)
    pooled = []
    for at, precision in zip(*_alone(fits, centre, spread), strict=True):
        doubt = 1.0 / (1.0 + common.between * precision)  # of what the cell says itself
        variance = common.between * doubt + doubt**2 * common.of_mean
        variance = np.minimum(variance, spread**2)
        moved = common.mean + (1.0 - doubt) * (at - common.mean)
        pooled.append(VectorFit(moved, np.diag(variance)))
    return pooled


def prior_of(fits: Sequence[VectorFit], centre: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """Return what similar fits say of another one: the mean and standard deviation, each (K,).

    Parameters
    ----------
    fits : sequence of VectorFit
        Each was fitted with independent normal priors. These are taken out: what pulled all cells
        to one place would else be taken for what they have in common.
    centre, spread : ndarray, shape (K,)
        Mean and standard deviation of these priors. Cells differ by no more than the second.
    """
    common = common_of(fits, centre, spread, spread)
    return common.mean, common.sd


def priors_by_others(
    fits: Sequence[VectorFit], centre: Floats, spread: Floats
) -> list[tuple[Floats, Floats]]:
    """Return what the others of similar fits say of each: mean and standard deviation, each (K,).

    This times the likelihood of a cell's own runs is its posterior. If its own fit had a say in it
    too, its runs would count twice.

    Parameters
    ----------
    fits : sequence of VectorFit
        Two or more, as for `prior_of`.
    centre, spread : ndarray, shape (K,)
        Mean and standard deviation of the priors of all agents and their cells, under which they
        were fitted. Cells of one agent differ by no more than the second, and none is less sure.
    """
    others = ([*fits[:i], *fits[i + 1 :]] for i in range(len(fits)))
    found = (prior_of(each, centre, spread) for each in others)
    return [(mean, np.minimum(sd, spread)) for mean, sd in found]


def common_of(
    fits: Sequence[VectorFit], centre: Floats, spread: Floats, most: Floats, scale: float = np.inf
) -> Common:
    """Return what similar fits have in common, their priors taken out (see `prior_of`).

    Parameters
    ----------
    fits, centre, spread
        As of `prior_of`.
    most : ndarray, shape (K,)
        Largest standard deviation between them.
    scale : float
        Of the half-Cauchy prior of that, in units of `spread`; infinite: it is flat.
    """
    at, precision = _alone(fits, centre, spread)
    return _in_common(at, precision, most, centre, spread**-2, scale * spread)


def _alone(fits: Sequence[VectorFit], centre: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """Return estimates and their precisions without a prior that they had, each (cells, K)."""
    at, variance = _moments(fits)
    precision = 1.0 / variance - spread**-2
    precision[precision * spread**2 < _EDGE] = 0.0
    # The quotient of two normal densities is normal: precisions subtract, and so do their means'.
    alone = (at - centre) / variance / np.where(precision > 0.0, precision, np.inf)
    return centre + alone, precision


def _moments(fits: Sequence[VectorFit]) -> tuple[Floats, Floats]:
    """Return estimates and their variances, each (cells, K)."""
    variances = [np.maximum(np.diag(fit.covariance), 1e-10) for fit in fits]
    return np.stack([fit.at for fit in fits]), np.stack(variances)


@dataclass(frozen=True, slots=True)
class Common:
    """The distribution of the true values: mean, variance between cells, and that of the mean.

    The rows of `evidence` are log likelihoods of the standard deviations between cells that were
    tried, up to `most`, with their prior.
    """

    mean: Floats
    between: Floats
    of_mean: Floats
    evidence: Floats

    @property
    def sd(self) -> Floats:
        """Standard deviation of the value of another cell."""
        return np.asarray(np.sqrt(self.between + self.of_mean))


SPREADS_TRIED = (np.arange(200.0) + 0.5) / 200.0
"""Standard deviations between cells that are tried, as shares of the largest possible one."""


def _in_common(
    at: Floats,
    precision: Floats,
    most: Floats,
    centre: Floats,
    known: Floats,
    scale: float | Floats = np.inf,
) -> Common:
    """Return what cells have in common, coordinate by coordinate.

    Parameters
    ----------
    at, precision : ndarray, shape (cells, K)
        Estimates; a precision of 0 is that of a cell that says nothing.
    most : ndarray, shape (K,)
        Largest standard deviation between cells.
    centre, known : ndarray, shape (K,)
        Mean and precision of the prior of the mean; a precision of 0 is a flat one.
    scale : float or ndarray, shape (K,)
        Of the half-Cauchy prior of the standard deviation between cells; infinite: it is flat.
    """
    tau = (SPREADS_TRIED[:, None] * most)[:, None, :] ** 2  # (grid, 1, K)
    weights = precision / (1.0 + tau * precision)
    total = weights.sum(axis=1) + known
    away = at - centre
    means = (weights * away).sum(axis=1) / total
    squares = (weights * away**2).sum(axis=1) - total * means**2
    informed = np.where(precision > 0.0, weights, 1.0)
    logs = 0.5 * (np.log(informed).sum(axis=1) - np.log(total) - squares)
    logs -= np.log1p(tau[:, 0] / np.square(scale))
    chance = np.exp(logs - logs.max(axis=0))
    chance /= chance.sum(axis=0)
    mean = (chance * means).sum(axis=0)
    of_mean = (chance * (1.0 / total + (means - mean) ** 2)).sum(axis=0)
    return Common(centre + mean, (chance * tau[:, 0]).sum(axis=0), of_mean, logs)
