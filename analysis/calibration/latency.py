"""Fits the duration of calls to the work they took on.

``T = (base + per_task (edited + hand_in other)) * run effect * residual``: the files of `edited`
tasks are written, `other` ones are only claimed or handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats

from analysis.calibration.estimates import Estimate, VectorFit, pool
from analysis.calibration.rounding import four_digits
from simulator.distributions import Floats

FASTEST_S = 0.05
"""Durations below are taken as this: clocks of logs are no better."""

_WEAK = np.asarray([1.0, 1.0, 1.5])
"""Standard deviations of the prior around the pooled fit: log base, log per task, log hand_in."""


@dataclass(frozen=True)
class Residual:
    """A positive factor with median 1: the family that fits best, and how well.

    Attributes
    ----------
    kind : str
        lognormal or log_logistic.
    scale : Estimate
        Scale of the logarithm: sigma, or 1 / shape.
    run_sigma : Estimate
        Standard deviation between runs of the logarithm.
    ks, ad : float
        Kolmogorov-Smirnov distance, and Anderson-Darling's statistic, of the fit.
    aic_gain : float
        AIC of the other family minus AIC of this one.
    """

    kind: str
    scale: Estimate
    run_sigma: Estimate
    ks: float
    ad: float
    aic_gain: float

    def draw(self, rng: np.random.Generator) -> Residual:
        """Return a residual drawn from the uncertainty."""
        return replace(self, scale=self.scale.draw(rng), run_sigma=self.run_sigma.draw(rng))

    def spec(self, median: float = 1.0) -> dict[str, Any]:
        """Return the distribution as a scenario says it."""
        spec: dict[str, Any] = {"kind": self.kind, "median": four_digits(median)}
        if self.kind == "lognormal":
            spec["sigma"] = four_digits(self.scale.value)
        else:
            spec["shape"] = four_digits(1.0 / self.scale.value)
        if self.run_sigma.value > 0.005:
            spec["run_sigma"] = four_digits(self.run_sigma.value)
        return spec


def fit_latencies(cells: Sequence[pd.DataFrame]) -> list[VectorFit]:
    """Fit the working calls of similar cells, each by itself and then pooled.

    Soft-L1 least squares on the logarithm, since a few calls hang for minutes; covariances are
    robust to calls of one run going alike (the sandwich estimator by run).

    Parameters
    ----------
    cells : sequence of DataFrame
        Each with ``latency_s, edited, other, run_dir``.

    Returns
    -------
    list of VectorFit
        Logarithms of base, per task and hand_in.
    """
    everything = pd.concat(cells, ignore_index=True)
    seconds = np.maximum(everything["latency_s"].to_numpy(dtype=float), FASTEST_S)
    tasks = everything["edited"] + everything["other"]
    start = np.log(
        [max(0.1, 0.3 * np.median(seconds)), 0.5 * np.median(seconds / tasks), 0.2]
    )
    vague = _fit(everything, start, np.full(3, 3.0))
    return pool([_fit(cell, vague.at, _WEAK) for cell in cells])


def mean_log_seconds(at: Floats, calls: pd.DataFrame) -> Floats:
    """Return the logarithm of the expected duration of calls under fitted parameters."""
    base, per_task, hand_in = np.exp(at)
    work = calls["edited"].to_numpy() + min(1.0, hand_in) * calls["other"].to_numpy()
    return np.asarray(np.log(base + per_task * work))


def _fit(calls: pd.DataFrame, centre: Floats, spread: Floats) -> VectorFit:
    logs = np.log(np.maximum(calls["latency_s"].to_numpy(dtype=float), FASTEST_S))

    def misfit(at: Floats) -> Floats:
        return np.asarray(logs - mean_log_seconds(at, calls))

    def objective(at: Floats) -> Floats:
        return np.concatenate([misfit(at) / 0.5, (at - centre) / spread])

    upper = np.asarray([np.inf, np.inf, 1e-9])
    start = np.minimum(centre, upper - 1e-6)
    fit = optimize.least_squares(
        objective, start, bounds=(-np.inf, upper), loss="soft_l1", max_nfev=200
    )
    return VectorFit(fit.x, _sandwich(fit, calls["run_dir"], spread))


def _sandwich(fit: Any, runs: pd.Series, spread: Floats) -> Floats:
    """Return the covariance of a penalised fit, calls clustered by run."""
    n = len(runs)
    residual, slope = fit.fun[:n], fit.jac[:n]
    weight = 1.0 / np.sqrt(1.0 + residual**2)  # of soft L1
    bread = np.linalg.inv((slope * weight[:, None]).T @ slope + np.diag(spread**-2.0))
    scores = pd.DataFrame(slope * (weight * residual)[:, None]).groupby(runs.to_numpy()).sum()
    k = len(scores)
    meat = scores.to_numpy().T @ scores.to_numpy() * (k / max(1, k - 1))
    return np.asarray(bread @ (meat + np.diag(spread**-2.0)) @ bread)


def fit_residual(logs: Floats, runs: pd.Series) -> Residual:
    """Fit centred logarithms by a run effect and, within runs, the better of two families.

    Parameters
    ----------
    logs : ndarray, shape (calls,)
    runs : Series, shape (calls,)
        The run of each.
    """
    run_sigma = between_runs(logs, runs)
    within = logs
    if run_sigma.value > 0.005:
        groups = pd.Series(logs).groupby(runs.to_numpy())
        means, sizes = groups.transform("mean").to_numpy(), groups.transform("size").to_numpy()
        kept = run_sigma.value**2 / (run_sigma.value**2 + logs.var() / sizes)
        within = logs - means * kept  # shrunk (BLUP)
        within = within - np.median(within)
    scales = {
        "lognormal": max(0.01, 1.4826 * float(np.median(np.abs(within)))),
        "log_logistic": max(0.01, float(stats.logistic.fit(within, floc=0.0)[1])),
    }
    scales["lognormal"] = max(scales["lognormal"], float(np.sqrt(np.mean(within**2))))
    laws = {
        "lognormal": stats.norm(scale=scales["lognormal"]),
        "log_logistic": stats.logistic(scale=scales["log_logistic"]),
    }
    aic = {name: -2.0 * float(law.logpdf(within).sum()) for name, law in laws.items()}
    best = min(aic, key=lambda name: aic[name])
    # Both scales have Fisher information of about 2 n / scale^2 (1.43 n for the logistic).
    error = 1.0 / np.sqrt((2.0 if best == "lognormal" else 1.43) * max(len(within), 1))
    return Residual(
        best,
        Estimate.of(scales[best], error, "log"),
        run_sigma,
        float(stats.kstest(within, laws[best].cdf).statistic),
        anderson_darling(laws[best].cdf(np.sort(within))),
        max(aic.values()) - min(aic.values()),
    )


def anderson_darling(probabilities: Floats) -> float:
    """Return A^2 of sorted probabilities against the uniform (Anderson & Darling 1954)."""
    u = np.clip(probabilities, 1e-12, 1.0 - 1e-12)
    n = len(u)
    i = np.arange(1, n + 1)
    return float(-n - np.mean((2 * i - 1) * (np.log(u) + np.log1p(-u[::-1]))))


def between_runs(logs: Floats, runs: pd.Series) -> Estimate:
    """Return the standard deviation between runs (ANOVA estimator, unbalanced, not below 0)."""
    groups = pd.Series(logs).groupby(runs.to_numpy())
    sizes, means = groups.size().to_numpy(dtype=float), groups.mean().to_numpy()
    k, n = len(sizes), float(sizes.sum())
    if k < 3 or n - k < 3:
        return Estimate.of(0.0)
    within = float(((logs - groups.transform("mean").to_numpy()) ** 2).sum()) / (n - k)
    between = float((sizes * (means - logs.mean()) ** 2).sum()) / (k - 1)
    typical = (n - float((sizes**2).sum()) / n) / (k - 1)
    sigma = float(np.sqrt(max(0.0, (between - within) / typical)))
    if sigma == 0.0:
        return Estimate.of(0.0)
    # Delta method from the chi-squared spread of the mean square between runs.
    error = between / typical * np.sqrt(2.0 / (k - 1)) / (2.0 * sigma**2)
    return Estimate.of(sigma, min(1.0, error), "log")
