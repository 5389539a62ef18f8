"""Families of positive variables, by the logarithm of the variable, for likelihoods.

The parameters of each are without bounds, so that it can be part of a mixture, or be fitted to
counts and to censored values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from simulator.distributions import Floats

_TINY = 1e-300

_FAR = np.log(1e8)
"""Largest logarithm of a parameter, either way."""


@dataclass(frozen=True)
class LogFamily:
    """A family of positive variables X, in terms of x = log X.

    Attributes
    ----------
    kind : str
        Its name in scenarios.
    names : tuple of str
        Parameters as scenarios call them: their logarithms are fitted.
    log_survival : callable
        ``(at, x) -> log P(log X > x)``.
    log_density : callable
        ``(at, x) ->`` log density of x.
    start : callable
        ``x -> at``, parameters to begin with.
    quantile : callable
        ``(at, u) ->`` quantiles of X.
    """

    kind: str
    names: tuple[str, ...]
    log_survival: Callable[[Floats, Floats], Floats]
    log_density: Callable[[Floats, Floats], Floats]
    start: Callable[[Floats], Floats]
    quantile: Callable[[Floats, Floats], Floats]

    def has_maximum(self, at: Floats) -> bool:
        """Return whether parameters at the largest likelihood are such, or run away without end.

        A Burr law whose c grows while c d stays is on its way to a Pareto law, for example: no
        scenario can say it.
        """
        return bool(np.abs(at[: len(self.names)]).max() < _FAR)

    def spec(self, at: Floats) -> dict[str, float]:
        """Return the parameters by name."""
        return dict(zip(self.names, np.exp(at).tolist(), strict=True))


def _spread(x: Floats) -> tuple[float, float]:
    middle, sigma = float(np.median(x)), float(x.std())
    return middle, max(sigma, 0.05)


def _lognormal_start(x: Floats) -> Floats:
    middle, sigma = _spread(x)
    return np.asarray([middle, np.log(sigma)])


def _shape_start(x: Floats) -> Floats:
    middle, sigma = _spread(x)
    return np.asarray([middle, -np.log(sigma * np.sqrt(3.0) / np.pi)])


def _weibull_start(x: Floats) -> Floats:
    middle, sigma = _spread(x)
    return np.asarray([middle + 0.4 * sigma, -np.log(sigma * np.sqrt(6.0) / np.pi)])


def _softplus(z: Floats) -> Floats:
    return np.asarray(np.logaddexp(0.0, z))


LOG_FAMILIES: dict[str, LogFamily] = {
    family.kind: family
    for family in (
        LogFamily(
            "lognormal",
            ("median", "sigma"),
            lambda at, x: np.asarray(scipy.stats.norm.logsf((x - at[0]) / np.exp(at[1]))),
            lambda at, x: (
                -0.5 * ((x - at[0]) / np.exp(at[1])) ** 2 - at[1] - 0.5 * np.log(2.0 * np.pi)
            ),
            _lognormal_start,
            lambda at, u: np.exp(at[0] + np.exp(at[1]) * scipy.special.ndtri(u)),
        ),
        LogFamily(
            "log_logistic",
            ("median", "shape"),
            lambda at, x: -_softplus(np.exp(at[1]) * (x - at[0])),
            lambda at, x: (
                at[1] + np.exp(at[1]) * (x - at[0]) - 2.0 * _softplus(np.exp(at[1]) * (x - at[0]))
            ),
            _shape_start,
            lambda at, u: np.exp(at[0] + scipy.special.logit(u) / np.exp(at[1])),
        ),
        LogFamily(
            "weibull",
            ("scale", "shape"),
            lambda at, x: -np.exp(np.minimum(np.exp(at[1]) * (x - at[0]), 600.0)),
            lambda at, x: (
                at[1]
                + np.exp(at[1]) * (x - at[0])
                - np.exp(np.minimum(np.exp(at[1]) * (x - at[0]), 600.0))
            ),
            _weibull_start,
            lambda at, u: np.exp(at[0]) * (-np.log1p(-u)) ** np.exp(-at[1]),
        ),
        LogFamily(
            "burr12",
            ("scale", "c", "d"),
            lambda at, x: -np.exp(at[2]) * _softplus(np.exp(at[1]) * (x - at[0])),
            lambda at, x: (
                at[1]
                + at[2]
                + np.exp(at[1]) * (x - at[0])
                - (np.exp(at[2]) + 1.0) * _softplus(np.exp(at[1]) * (x - at[0]))
            ),
            lambda x: np.append(_shape_start(x), 0.0),
            lambda at, u: np.exp(at[0]) * np.expm1(-np.log1p(-u) / np.exp(at[2])) ** np.exp(-at[1]),
        ),
    )
}


def log_difference(more: Floats, less: Floats) -> Floats:
    """Return ``log(exp(more) - exp(less))``, bounded below."""
    return np.asarray(more + np.log(np.maximum(-np.expm1(np.minimum(less - more, 0.0)), _TINY)))
