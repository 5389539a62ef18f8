"""Estimates the correlation of the calls of a session."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy

from analysis.calibration.estimates import NOT_SEEN, Estimate
from analysis.calibration.rounding import four_digits
from simulator.distributions import Floats

_FEWEST_PAIRS = 200
"""Fewest pairs of calls from which session effects can be told from chance."""

_FEWEST_SESSIONS = 3
"""Fewest sessions of several calls from which session effects can be estimated."""

_FEWEST_LAGGED = 30
"""Fewest pairs of calls at a lag from which the correlation at that lag is used."""

_FARTHEST = 50.0
"""Logarithm beyond which a value counts as this one, whose products are numbers."""

_LEAST = 0.05
"""Smallest mean product of two values of mean 1, of which a logarithm is taken."""

_LAGS = np.asarray([1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 19])

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Dependence:
    """Correlation of the calls of a session: standard deviations of effects on the logarithm."""

    session: Estimate
    phase: Estimate
    length: float
    """Calls over which the correlation of the phase effect falls to 1/e."""
    why_not: str | None = None
    """Reason why the effects were not estimated; they are then 0, with an unknown error."""

    def spec(self) -> dict[str, float]:
        """Return the effects as fields of a scenario's distribution; an agent is a session."""
        spec = {}
        if self.session.value > 0.005:
            spec["agent_sigma"] = four_digits(self.session.value)
        if self.phase.value > 0.005:
            spec["phase_sigma"] = four_digits(self.phase.value)
            spec["phase_length"] = four_digits(self.length)
        return spec


def dependence(values: Floats, sessions: pd.Series, weights: Floats) -> Dependence:
    """Return the session and phase effects of positive values in the order of their sessions.

    Multiplicative log-normal effects with variances s^2 and a^2 give values k calls apart the
    covariance ``mean^2 (exp(s^2 + a^2 rho^k) - 1)``; the lagged products within sessions are
    matched by least squares, which makes sums of consecutive values vary as observed. Standard
    errors of the variances are from a jackknife over twenty groups of sessions (Quenouille 1956,
    Tukey 1958), not below those by chance, and hold what either effect could explain. Of
    twenty sessions, 95 % intervals hold nine effects in ten; of eight or fewer, some eight in ten,
    as the estimates themselves are too small then.
    """
    mean = float(np.average(values, weights=weights))
    centred = pd.Series(values - mean)
    group = pd.factorize(sessions)[0]
    folds = group % 20
    products = np.zeros((len(_LAGS), 20))
    pairs = np.zeros((len(_LAGS), 20))
    for i, lag in enumerate(_LAGS):
        product = (centred * centred.groupby(group).shift(lag)).to_numpy()
        seen = np.isfinite(product)
        products[i] = np.bincount(folds[seen], product[seen], minlength=20)
        pairs[i] = np.bincount(folds[seen], minlength=20)

    def solve(keep: Floats) -> Floats:
        n = pairs @ keep
        covariance = (products @ keep) / np.maximum(n, 1.0) / mean**2
        seen = np.log(np.maximum(1.0 + covariance, 0.05))

        def misfit(x: Floats) -> Floats:
            return np.asarray((x[0] + x[1] * np.exp(-_LAGS / x[2]) - seen) * np.sqrt(n / n.max()))

        bounds = ([0.0, 0.0, 1.0], [4.0, 4.0, 60.0])
        return np.asarray(scipy.optimize.least_squares(misfit, [0.05, 0.1, 6.0], bounds=bounds).x)

    several = int((np.bincount(group) > 1).sum()) if len(group) else 0
    why_not = None
    if several < _FEWEST_SESSIONS:
        why_not = f"sessions of several calls: {several}, {_FEWEST_SESSIONS} are needed"
    elif pairs.sum() < _FEWEST_PAIRS:
        why_not = f"pairs of calls: {pairs.sum():.0f}, {_FEWEST_PAIRS} are needed"
    elif values.min() == values.max():
        why_not = "all values are equal"
    if why_not is not None:
        return Dependence(NOT_SEEN, NOT_SEEN, 10.0, why_not)
    everything = np.ones(20)
    found = solve(everything)
    groups = np.flatnonzero(pairs.sum(axis=0) > 0)  # with few sessions, some folds are empty
    left_out = np.stack([solve(everything - np.eye(20)[i]) for i in groups])[:, :2]
    share = (len(groups) - 1.0) / len(groups)
    jackknife = np.sqrt(share * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
    errors = np.maximum(jackknife, _chance(np.log(values), group, found))
    # What calls share at the longest lag may be of a long phase, or of the session.
    either = found[1] * np.exp(-_LAGS[-1] / found[2])
    errors = np.hypot(errors, either)
    session, phase = (_effect(*each) for each in zip(found[:2], errors, strict=True))
    return Dependence(session, phase, float(found[2]))


def _chance(logs: Floats, group: Ints, found: Floats) -> Floats:
    """Return the least standard errors of the variances of sessions and of phases, shape (2,).

    The variance of m independent normal values has m - 1 degrees of freedom. What is estimated is
    it and what blurs each value: the sessions are blurred by the phases and the rest of their
    calls; the phases, each of twice their length, by the rest. A jackknife says less where
    estimates are at 0, whoever is left out, or groups are few.
    """
    session, phase, length = found
    sizes = np.bincount(group)
    sizes = sizes[sizes > 1].astype(float)
    means = np.bincount(group, logs) / np.bincount(group)
    freedom = max(1, len(logs) - len(means))
    rest = max(0.0, float(((logs - means[group]) ** 2).sum()) / freedom - phase)
    spans = np.minimum(sizes, 2.0 * length)
    blur = float((phase * spans / sizes + rest / sizes).mean())
    phases = float((sizes / spans).sum())
    return np.asarray(
        [
            _doubt(len(sizes) - 1.0) * (session + blur),
            _doubt(phases - 1.0) * (phase + rest / float(spans.mean())),
        ]
    )


def _doubt(freedom: float) -> float:
    """Return by which share a variance may exceed its estimate from so many degrees of freedom.

    The logarithm of a chi-squared value has the standard deviation sqrt(trigamma(freedom / 2)); it
    is by one of these. For many degrees of freedom this is the usual sqrt(2 / freedom).
    """
    spread = scipy.special.polygamma(1, max(1.0, freedom) / 2.0)
    return float(np.expm1(np.sqrt(spread)))


def _effect(variance: float, error: float) -> Estimate:
    """Return a standard deviation, by its variance and the standard error of that."""
    if variance > 1.5 * error:  # the estimate is skewed, but far from 0 its logarithm is not
        return Estimate.of(float(np.sqrt(variance)), float(error / (2.0 * variance)), "log")
    return Estimate(float(variance), float(error), "square")


def without_effects(values: Floats, effects: Dependence, weights: Floats) -> Floats:
    """Return values with the mean, and the variance (log) that remains without the effects."""
    logs = np.log(values)
    centre = float(np.average(logs, weights=weights))
    variance = float(np.average((logs - centre) ** 2, weights=weights))
    shared = effects.session.value**2 + effects.phase.value**2
    if variance == 0.0:
        return values
    own = np.exp(centre + (logs - centre) * np.sqrt(max(0.1, 1.0 - shared / variance)))
    mean = float(np.average(values, weights=weights))
    return np.asarray(own * mean / (float(np.average(own, weights=weights)) * np.exp(shared / 2)))


def fit_lags(
    centred: Floats, group: Ints, weights: Floats, sums: bool = False
) -> tuple[float, float, float]:
    """Return the variance that a group shares, that of its phases, and their length.

    The covariance of values k apart is ``s^2 + a^2 exp(-k / length)``, matched by least squares.
    With `sums`, `centred` are logarithms of log-normal values, whose relative covariance is
    ``exp(s^2 + a^2 exp(-k / length)) - 1``.

    Parameters
    ----------
    centred : ndarray, shape (n,)
        Values of mean 0, in order within their groups.
    group : ndarray of int, shape (n,)
    weights : ndarray, shape (n,)
        How much each counts.
    sums : bool
        Whether the covariances of the values themselves are matched, and not of logarithms.
    """
    values = centred
    if sums:
        values = np.exp(np.minimum(centred, _FARTHEST))
        values = values / np.average(values, weights=weights) - 1.0
    series, grouped = pd.Series(values), np.asarray(group)
    covariance, pairs = np.zeros(len(_LAGS)), np.zeros(len(_LAGS))
    for i, lag in enumerate(_LAGS):
        product = (series * series.groupby(grouped).shift(int(lag))).to_numpy()
        seen = np.isfinite(product)
        if int(seen.sum()) >= _FEWEST_LAGGED:
            pairs[i] = float(weights[seen].sum())
            covariance[i] = float((product[seen] * weights[seen]).sum()) / pairs[i]
    if not pairs.any():
        return 0.0, 0.0, 1.0
    if sums:
        covariance = np.log(np.maximum(1.0 + covariance, _LEAST))
    scale = np.sqrt(pairs / pairs.max())

    def misfit(x: Floats) -> Floats:
        return np.asarray((x[0] + x[1] * np.exp(-_LAGS / x[2]) - covariance) * scale)

    top = max(float(np.var(centred)), 1e-9)
    bounds = ([0.0, 0.0, 1.0], [2.0 * top, 2.0 * top, 60.0])
    found = scipy.optimize.least_squares(misfit, [0.1 * top, 0.1 * top, 4.0], bounds=bounds).x
    return float(found[0]), float(found[1]), float(found[2])
