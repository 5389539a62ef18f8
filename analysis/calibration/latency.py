"""Fits the duration of calls to the work they took on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats

from analysis.calibration.rounding import four_digits
from simulator.distributions import Floats

FEWEST = 12
"""Calls below which a cell borrows from a larger pool."""


@dataclass(frozen=True, slots=True)
class Residual:
    """A positive factor with median 1: the family that fits best, and how well."""

    kind: str
    """lognormal or log_logistic."""
    scale: float
    """Scale of the logarithm: sigma, or 1 / shape."""
    run_sigma: float
    """Standard deviation between runs of the logarithm."""
    ks: float
    """Kolmogorov-Smirnov distance of the fit."""
    aic_gain: float
    """AIC of the other family minus AIC of this one."""

    def spec(self, median: float | None = None) -> dict[str, Any]:
        """Return the distribution as a scenario says it, with `median` (1 when absent)."""
        spec: dict[str, Any] = {"kind": self.kind, "median": four_digits(median or 1.0)}
        if self.kind == "lognormal":
            spec["sigma"] = four_digits(self.scale)
        else:
            spec["shape"] = four_digits(1.0 / self.scale)
        if self.run_sigma > 0.005:
            spec["run_sigma"] = four_digits(self.run_sigma)
        return spec


@dataclass(frozen=True, slots=True)
class LatencyFit:
    """``(base_s + per_task_s * tasks) * residual``."""

    base_s: float
    per_task_s: float
    residual: Residual
    calls: int


def fit_latency(calls: pd.DataFrame) -> LatencyFit:
    """Fit call durations against the tasks attempted in the call.

    Least squares on the logarithm with a soft-L1 loss, since a few calls hang for minutes.

    Parameters
    ----------
    calls : DataFrame
        Columns ``latency_s`` (positive), ``attempts`` (at least 1), ``run_dir``.
    """
    seconds = np.maximum(calls["latency_s"].to_numpy(dtype=float), 0.05)
    tasks = calls["attempts"].to_numpy(dtype=float)
    log_seconds = np.log(seconds)

    def misfit(parameters: Floats) -> Floats:
        residual: Floats = log_seconds - np.log(parameters[0] + parameters[1] * tasks)
        return residual

    start = np.asarray([max(0.1, 0.3 * np.median(seconds)), 0.5 * np.median(seconds / tasks)])
    fit = optimize.least_squares(
        misfit, start, bounds=([0.01, 0.0], [np.inf, np.inf]), loss="soft_l1", f_scale=0.5
    )
    errors = misfit(fit.x)
    centre = float(np.exp(np.median(errors)))
    residual = fit_residual(errors - np.median(errors), calls["run_dir"])
    return LatencyFit(centre * fit.x[0], centre * fit.x[1], residual, len(calls))


def fit_residual(logs: Floats, runs: pd.Series) -> Residual:
    """Fit centred logarithms by a run effect and, within runs, the better of two families.

    Parameters
    ----------
    logs : ndarray, shape (calls,)
    runs : Series, shape (calls,)
        The run of each.
    """
    run_sigma = _between_runs(logs, runs)
    within = logs
    if run_sigma > 0.0:
        effects = pd.Series(logs).groupby(runs.to_numpy()).transform("mean").to_numpy()
        sizes = pd.Series(logs).groupby(runs.to_numpy()).transform("size").to_numpy()
        noise = logs.var() / sizes
        within = logs - effects * run_sigma**2 / (run_sigma**2 + noise)  # shrunk (BLUP)
        within = within - np.median(within)
    scales = {
        "lognormal": max(0.01, float(np.sqrt(np.mean(within**2)))),
        "log_logistic": max(0.01, float(stats.logistic.fit(within, floc=0.0)[1])),
    }
    laws = {
        "lognormal": stats.norm(scale=scales["lognormal"]),
        "log_logistic": stats.logistic(scale=scales["log_logistic"]),
    }
    aic = {name: -2.0 * float(law.logpdf(within).sum()) for name, law in laws.items()}
    best = min(aic, key=lambda name: aic[name])
    ks = float(stats.kstest(within, laws[best].cdf).statistic)
    gain = max(aic.values()) - min(aic.values())
    return Residual(best, scales[best], run_sigma, ks, gain)


def _between_runs(logs: Floats, runs: pd.Series) -> float:
    """Return the standard deviation between runs (ANOVA estimator, unbalanced, not below 0)."""
    groups = pd.Series(logs).groupby(runs.to_numpy())
    sizes, means = groups.size().to_numpy(dtype=float), groups.mean().to_numpy()
    k, n = len(sizes), float(sizes.sum())
    if k < 3 or n - k < 3:
        return 0.0
    within = float(((logs - groups.transform("mean").to_numpy()) ** 2).sum()) / (n - k)
    between = float((sizes * (means - logs.mean()) ** 2).sum()) / (k - 1)
    typical = (n - float((sizes**2).sum()) / n) / (k - 1)
    return float(np.sqrt(max(0.0, (between - within) / typical)))
