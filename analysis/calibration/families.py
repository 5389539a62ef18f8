"""Families of positive distributions: fitted by maximum likelihood, chosen by AIC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from analysis.calibration.goodness import anderson_darling, kolmogorov_smirnov
from analysis.calibration.rounding import four_digits
from simulator.distributions import Floats


@dataclass(frozen=True)
class _Kind:
    """A family of distributions, with its name in scipy.stats and what it is in scenarios."""

    name: str
    spec: Callable[[Floats], dict[str, Any]]

    @property
    def _family(self) -> Any:
        return getattr(scipy.stats, self.name)

    def fit(self, values: Floats) -> Floats:
        """Return scipy's parameters, without the location, by maximum likelihood."""
        parameters = self._family.fit(values, floc=0.0)
        return np.asarray([*parameters[:-2], parameters[-1]], dtype=float)

    def law(self, parameters: Floats) -> Any:
        """Return the frozen distribution."""
        return self._family(*parameters[:-1], loc=0.0, scale=parameters[-1])


FAMILIES: dict[str, _Kind] = {
    "lognormal": _Kind("lognorm", lambda p: {"sigma": p[0], "median": p[1]}),
    "log_logistic": _Kind("fisk", lambda p: {"shape": p[0], "median": p[1]}),
    "gamma": _Kind("gamma", lambda p: {"shape": p[0], "scale": p[1]}),
    "weibull": _Kind("weibull_min", lambda p: {"shape": p[0], "scale": p[1]}),
    "inverse_gamma": _Kind("invgamma", lambda p: {"shape": p[0], "scale": p[1]}),
    "burr12": _Kind("burr12", lambda p: {"c": p[0], "d": p[1], "scale": p[2]}),
}


CONSTANT = "deterministic"
"""Kind of a fit to values that are all equal, so that their spread is not known."""


@dataclass(frozen=True)
class Family:
    """A fitted family, truncated at the largest value seen.

    Attributes
    ----------
    kind : str
        Its name in scenarios.
    parameters : ndarray
        As scipy has them, scale last.
    most : float
        Largest value seen.
    ks, ad : float
        Kolmogorov-Smirnov distance and Anderson-Darling statistic.
    aic_gain : float
        AIC of the second best family minus AIC of this one.
    """

    kind: str
    parameters: Floats
    most: float
    ks: float
    ad: float
    aic_gain: float

    def spec(self) -> dict[str, Any]:
        """Return the distribution as a scenario says it."""
        if self.kind == CONSTANT:
            return {"kind": CONSTANT, "value": four_digits(self.most)}
        said = FAMILIES[self.kind].spec(self.parameters)
        numbers = {name: four_digits(float(value)) for name, value in said.items()}
        return {"kind": self.kind, **numbers, "at_most": four_digits(self.most)}

    def quantile(self, u: Floats) -> Floats:
        """Return the quantiles at `u`, for QQ plots."""
        if self.kind == CONSTANT:
            return np.full_like(u, self.most)
        return np.asarray(FAMILIES[self.kind].law(self.parameters).ppf(u))


def best_family(values: Floats, weights: Floats | None = None) -> Family:
    """Return the family with the lowest AIC; a constant where all values are equal.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Positive.
    weights : ndarray, shape (n,), optional
        Weights, by which the values are resampled (systematically, so that the result does not
        depend on chance).
    """
    if weights is not None:
        values = np.sort(values)[_systematic(weights[np.argsort(values)], len(values))]
    if values.min() == values.max():
        nothing = float("nan")
        return Family(CONSTANT, values[:1], float(values[0]), nothing, nothing, nothing)
    aic, fits = {}, {}
    for name, kind in FAMILIES.items():
        with np.errstate(over="ignore"):  # where a family fits badly
            fits[name] = kind.fit(values)
            log_likelihood = float(kind.law(fits[name]).logpdf(values).sum())
        aic[name] = 2.0 * len(fits[name]) - 2.0 * log_likelihood
    best, second = sorted(aic, key=lambda name: aic[name])[:2]
    probabilities = np.sort(FAMILIES[best].law(fits[best]).cdf(values))
    return Family(
        best,
        fits[best],
        float(values.max()),
        kolmogorov_smirnov(probabilities),
        anderson_darling(probabilities),
        aic[second] - aic[best],
    )


def _systematic(weights: Floats, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return `count` indices in proportion to their weights, evenly spaced."""
    edges = np.cumsum(weights) / weights.sum()
    index = np.searchsorted(edges, (np.arange(count) + 0.5) / count)
    return np.minimum(index, len(weights) - 1).astype(np.int64)
