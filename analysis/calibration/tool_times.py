"""Fits how long tools take: a body and, if there is one, a tail of people and absences.

Seconds are a mixture of a body (the tool) and a much longer, wider lognormal tail (a person is
asked, or is away). Only the durations themselves separate the two. There is a tail only if it
improves AIC by `_GAIN`; its share has a standard error. Tests that run for an hour are in the tail
as well, because durations alone cannot tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from analysis.calibration.estimates import Estimate, VectorFit
from analysis.calibration.goodness import anderson_darling, kolmogorov_smirnov
from analysis.calibration.likelihood import UNTOLD, maximise
from analysis.calibration.log_families import LOG_FAMILIES, LogFamily
from analysis.calibration.rounding import four_digits
from analysis.calibration.seen_times import SHORTEST_S, Seen, least_error_s
from analysis.calibration.sessions import as_distribution
from simulator.distributions import Floats

FEWEST_FOR_TAIL = 200
"""Fewest calls from which a tail is fitted."""

_GAIN = 10.0
"""Least gain of AIC by a tail."""

_STEEPEST = 5.0
"""Largest log density of a part, on the log scale of seconds: a spread of about 0.3 %."""

_FEWEST_IN_TAIL = 3.0
"""Calls that a tail must stand for."""

_TAIL = LOG_FAMILIES["lognormal"]
_BODIES = ("lognormal", "log_logistic", "weibull")
_BODIES_WITH_TAIL = ("lognormal", "log_logistic")
_CONSTANT = "deterministic"

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ToolTimes:
    """Seconds of a tool: body and tail.

    Attributes
    ----------
    calls : int
        Calls that it was fitted to.
    kind : str
        Family of the body, by its name in scenarios.
    fit : VectorFit
        Logarithms of the body's parameters; with a tail, then the logit of its share, the
        logarithms of its median and of its sigma. Of equal seconds: themselves.
    most : float
        Longest seen, in seconds.
    tail_seconds : ndarray
        Observed values of the tail, drawn by their probability of belonging to it.
    tail_from_s : float
        Seconds beyond which a call is more likely in the tail than in the body; infinite without
        a tail.
    ks, ad : float
        Kolmogorov-Smirnov distance and Anderson-Darling statistic.
    """

    calls: int
    kind: str
    fit: VectorFit
    most: float
    tail_seconds: Floats
    tail_from_s: float
    ks: float
    ad: float

    @property
    def has_tail(self) -> bool:
        """Whether there is a tail."""
        return bool(np.isfinite(self.tail_from_s))

    @property
    def _body(self) -> int:
        return 0 if self.kind == _CONSTANT else len(LOG_FAMILIES[self.kind].names)

    @property
    def share(self) -> Estimate:
        """Share of the tail."""
        return self.fit.estimate(self._body, "logit") if self.has_tail else Estimate.of(0.0)

    def body(self) -> float | dict[str, Any]:
        """Return the body as a scenario says it."""
        if self.kind == _CONSTANT:
            return four_digits(self.most)
        said = LOG_FAMILIES[self.kind].spec(self.fit.at[: self._body])
        numbers = {name: four_digits(value) for name, value in said.items()}
        return {"kind": self.kind, **numbers, "at_most": four_digits(self.most)}

    def tail(self) -> float | dict[str, Any]:
        """Return the tail as a scenario says it: the observed values, so that its mean is right."""
        return as_distribution(self.tail_seconds)

    def parameters(self) -> dict[str, Estimate]:
        """Return the parameters with their standard errors."""
        if self.kind == _CONSTANT:
            return {"seconds": Estimate(self.most, float(self.fit.covariance[0, 0]) ** 0.5)}
        names = LOG_FAMILIES[self.kind].names
        found = {f"seconds_{name}": self.fit.estimate(i, "log") for i, name in enumerate(names)}
        if self.has_tail:
            found["tail_share"] = self.share
            for i, name in enumerate(_TAIL.names):
                found[f"tail_{name}"] = self.fit.estimate(self._body + 1 + i, "log")
        return found

    def cdf(self, seconds: Floats) -> Floats:
        """Return the probability of at most `seconds`."""
        x = np.log(np.maximum(seconds, SHORTEST_S))
        if self.kind == _CONSTANT:
            return np.asarray(seconds >= self.most, dtype=float)
        body = -np.expm1(LOG_FAMILIES[self.kind].log_survival(self.fit.at[: self._body], x))
        if not self.has_tail:
            return np.asarray(body)
        p = self.share.value
        tail = -np.expm1(_TAIL.log_survival(self.fit.at[self._body + 1 :], x))
        return np.asarray((1.0 - p) * body + p * tail)


_CLOCK = 1e-6
"""Relative difference below which times are equal: a clock shows no less."""


def fit_tool_times(seconds: Floats, clusters: Ints) -> ToolTimes:
    """Fit the seconds of a tool.

    Parameters
    ----------
    seconds : ndarray, shape (n,)
    clusters : ndarray of int, shape (n,)
        Session of each.
    """
    x = Seen.of(seconds)
    n, most = len(seconds), float(seconds.max())
    if np.ptp(x.at) < _CLOCK:
        nearest = VectorFit(np.asarray([most]), np.asarray([[least_error_s(seconds) ** 2]]))
        return ToolTimes(n, _CONSTANT, nearest, most, seconds[:0], np.inf, np.nan, np.nan)
    kind, fit, aic = _best(x, _BODIES, _alone, clusters)
    tail_from, tail_seconds = np.inf, seconds[:0]
    if n >= FEWEST_FOR_TAIL:
        body, mixed, mixed_aic = _best(x, _BODIES_WITH_TAIL, _mixture, clusters)
        edge = _tail_begins(body, mixed.at, x.at)
        there = n * float(scipy.special.expit(mixed.at[len(LOG_FAMILIES[body].names)]))
        is_tail = np.isfinite(edge) and _FEWEST_IN_TAIL <= there <= n / 2
        if mixed_aic < aic - _GAIN and is_tail:
            kind, fit, tail_from = body, mixed, edge
            near, far = _parts(kind, fit.at, x)
            tail_seconds = _drawn_by(scipy.special.expit(far - near), seconds)
    times = ToolTimes(n, kind, fit, most, tail_seconds, tail_from, np.nan, np.nan)
    u = np.sort(times.cdf(seconds))
    ks = kolmogorov_smirnov(u)
    return replace(times, ks=ks, ad=anderson_darling(u))


def _best(
    x: Seen,
    kinds: Sequence[str],
    density: Callable[[str, Floats, Seen], Floats],
    clusters: Ints,
) -> tuple[str, VectorFit, float]:
    """Return the kind with the lowest AIC, its fit, and this AIC."""
    found = []
    for kind in kinds:
        start = LOG_FAMILIES[kind].start(x.at)
        if density is _mixture:
            # Start with the body where most values are, and the tail beyond the 90th percentile.
            edge = min(np.quantile(x.at, 0.9), np.nextafter(x.at.max(), -np.inf))
            near, far = x.at[x.at <= edge], x.at[x.at > edge]
            tail = [scipy.special.logit(0.1), float(far.mean()), np.log(max(0.3, float(far.std())))]
            start = np.concatenate((LOG_FAMILIES[kind].start(near), tail))

        def log_density(at: Floats, kind: str = kind) -> Floats:
            return density(kind, at, x)

        untold = np.full(len(start), UNTOLD)
        untold[0] = x.untold
        fit = maximise(log_density, start, clusters, untold)
        aic = 2.0 * len(start) - 2.0 * float(density(kind, fit.at, x).sum())
        found.append((kind, fit, aic))
    return min(found, key=lambda each: each[2])


def _drawn_by(probability: Floats, values: Floats) -> Floats:
    """Return values in order, each in proportion to its probability (systematic, not random)."""
    order = np.argsort(values)
    passed = np.floor(np.cumsum(probability[order]) + 0.5)
    return values[order][np.diff(passed, prepend=0.0) > 0.0]


def _alone(kind: str, at: Floats, x: Seen) -> Floats:
    return _log_chance(LOG_FAMILIES[kind], at, x)


def _log_chance(family: LogFamily, at: Floats, x: Seen) -> Floats:
    return x.log_chance(partial(family.log_density, at), partial(family.log_survival, at))


def _parts(kind: str, at: Floats, x: Seen) -> tuple[Floats, Floats]:
    """Return the log density of body and tail, each with its share."""
    n = len(LOG_FAMILIES[kind].names)
    body = _log_chance(LOG_FAMILIES[kind], at[:n], x) - np.logaddexp(0.0, at[n])
    tail = _log_chance(_TAIL, at[n + 1 :], x) - np.logaddexp(0.0, -at[n])
    return body, tail


def _mixture(kind: str, at: Floats, x: Seen) -> Floats:
    """Return the log density of the mixture; impossible where a part shrinks to a point.

    The likelihood of a mixture has no bound there (Kiefer & Wolfowitz 1956).
    """
    with np.errstate(all="ignore"):
        body, tail = _parts(kind, at, x)
    if not max(body.max(), tail.max()) < _STEEPEST:
        return np.full(len(x.at), -np.inf)
    return np.asarray(np.logaddexp(body, tail))


def _tail_begins(kind: str, at: Floats, x: Floats) -> float:
    """Return the seconds beyond which values belong to the tail; infinite if none do."""
    grid = np.linspace(np.median(x), x.max(), 400)
    body, tail = _parts(kind, at, Seen(grid))
    below = np.flatnonzero(tail <= body)
    if not len(below):
        return np.inf
    after = int(below[-1]) + 1
    return float(np.exp(grid[after])) if after < len(grid) else np.inf
