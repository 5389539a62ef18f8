"""Fits the duration of calls, given the work that they took on.

``T = (base + per_task (edited + hand_in other)) * run effect * residual``: the files of `edited`
tasks are written, `other` ones are only claimed or handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.estimates import NOT_SEEN, Estimate, VectorFit, prior_of
from analysis.calibration.goodness import anderson_darling, kolmogorov_smirnov
from analysis.calibration.hyperpriors import Prior, shipped
from analysis.calibration.rounding import four_digits
from analysis.calibration.seen_times import SHORTEST_S
from analysis.calibration.shares import Share
from analysis.statistics import optimisers
from simulator.distributions import Floats
from simulator.special import expit, log1p, ndtr

_WEAK = np.asarray([1.0, 1.0, 1.5])
"""Standard deviations of the prior around the pooled fit: log base, log per task, log hand_in.
Cells of the public runs' agents differ by less (0.57, 0.59, 0.99)."""


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

    @property
    def sd(self) -> Estimate:
        """Standard deviation of the logarithm within runs."""
        factor = 1.0 if self.kind == "lognormal" else float(np.pi / np.sqrt(3.0))
        return Estimate(self.scale.at + float(np.log(factor)), self.scale.error, self.scale.link)

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


def fit_latencies(cells: Sequence[pd.DataFrame], prior: Prior | None = None) -> list[VectorFit]:
    """Fit the working calls of similar cells, first separately and then pooled.

    This is least squares on the logarithm with a random effect of the run. The loss is robust to
    outliers, since a few calls hang for minutes. What the cells have in common is the prior of a
    second fit of each, which keeps the durations of the cell's own calls better than first fits
    that are shrunk (see `analysis.calibration.tokens.fit_tokens`).

    Parameters
    ----------
    cells : sequence of DataFrame
        Each with ``latency_s, edited, other, run_dir``.
    prior : Prior, optional
        Of all cells together; that of the hyperpriors that ship.

    Returns
    -------
    list of VectorFit
        Logarithms of base, per task and hand_in.
    """
    together = fit_alone(pd.concat(cells, ignore_index=True), prior or shipped().priors["latency"])
    fits = [_fit(cell, together.at, _WEAK) for cell in cells]
    if len(fits) < 2:
        return [fit for fit, _ in fits]
    at, spread = prior_of([fit for fit, _ in fits], together.at, _WEAK)
    return [
        _fit_scaled(cell, fit.at, at, spread, noise)
        for cell, (fit, noise) in zip(cells, fits, strict=True)
    ]


def fit_alone(calls: pd.DataFrame, prior: Prior) -> VectorFit:
    """Fit working calls by themselves, under a prior."""
    seconds = np.maximum(calls["latency_s"].to_numpy(dtype=float), SHORTEST_S)
    tasks = calls["edited"] + calls["other"]
    start = np.log([max(0.1, 0.3 * np.median(seconds)), 0.5 * np.median(seconds / tasks), 0.2])
    return _fit(calls, prior.mean, prior.sd, start)[0]


def mean_log_seconds(at: Floats, calls: pd.DataFrame) -> Floats:
    """Return the logarithm of the expected duration of calls under fitted parameters."""
    return _mean_log_seconds(at, calls["edited"].to_numpy(), calls["other"].to_numpy())


def _mean_log_seconds(at: Floats, edited: Floats, other: Floats) -> Floats:
    base, per_task, hand_in = np.exp(at)
    work = edited + min(1.0, hand_in) * other
    return np.asarray(np.log(base + per_task * work))


@dataclass(frozen=True)
class _Noise:
    """Standard deviations of logarithms within runs and between them."""

    within: float
    between: float


_TYPICAL_NOISE = _Noise(0.5, 0.0)
_LARGEST = np.asarray([np.inf, np.inf, 1e-9])
"""Upper bounds of the parameters: to hand a task in is no more work than to do it."""


def _fit(
    calls: pd.DataFrame, centre: Floats, spread: Floats, start: Floats | None = None
) -> tuple[VectorFit, _Noise]:
    """Fit by penalised least squares, from `start` on, and find the noise around the fit."""
    logs = np.log(np.maximum(calls["latency_s"].to_numpy(dtype=float), SHORTEST_S))
    runs = calls["run_dir"].astype(str)
    at, noise = centre if start is None else start, _TYPICAL_NOISE
    for _ in range(3):
        fit = _fit_scaled(calls, at, centre, spread, noise)
        at = fit.at
        raw = logs - mean_log_seconds(at, calls)
        effect = between_runs(raw - np.median(raw), runs).value
        noise = _Noise(max(0.05, within_runs(raw, runs)), effect)
    return fit, noise


def _fit_scaled(
    calls: pd.DataFrame, start: Floats, centre: Floats, spread: Floats, noise: _Noise
) -> VectorFit:
    """Fit by penalised least squares with a random effect of the run, the noise known.

    The effect is removed by quasi-demeaning (generalised least squares; Fuller & Battese 1973),
    since calls of a run are correlated and some runs have ten times the calls of others.
    """
    logs = np.log(np.maximum(calls["latency_s"].to_numpy(dtype=float), SHORTEST_S))
    edited, other = calls["edited"].to_numpy(), calls["other"].to_numpy()
    demean = _quasi_demeaning(calls["run_dir"].astype(str), (noise.between / noise.within) ** 2)

    def objective(x: Floats) -> Floats:
        misfit = demean(np.asarray(logs - _mean_log_seconds(x, edited, other)))
        return np.concatenate([misfit / noise.within, (x - centre) / spread])

    # The loss is quadratic up to three sigma; only calls beyond that are treated as hung.
    fit = optimisers.least_squares(
        objective,
        np.minimum(start, _LARGEST - 1e-6),
        bounds=(-np.inf, _LARGEST),
        loss="soft_l1",
        f_scale=3.0,
        max_nfev=200,
    )
    # The Jacobian that scipy returns makes J'J the Hessian of the loss.
    slope = np.asarray(fit.jac)
    return VectorFit(np.asarray(fit.x, dtype=np.float64), np.linalg.inv(slope.T @ slope))


Transform = Callable[[Floats], Floats]


def _quasi_demeaning(runs: pd.Series, ratio: float) -> Transform:
    """Return a function that removes a run effect of `ratio` times the variance within runs."""
    group = pd.factorize(runs)[0]
    sizes = np.bincount(group)
    share = (1.0 - 1.0 / np.sqrt(1.0 + sizes * ratio))[group]

    def demean(values: Floats) -> Floats:
        means = np.bincount(group, values) / sizes
        return np.asarray(values - share * means[group])

    return demean


def within_runs(logs: Floats, runs: pd.Series) -> float:
    """Return the standard deviation within runs; that of all where no run has two."""
    group = pd.factorize(runs)[0]
    sizes = np.bincount(group)
    rest = logs - (np.bincount(group, logs) / sizes)[group]
    freedom = len(logs) - len(sizes)
    return float(np.sqrt((rest**2).sum() / freedom)) if freedom > 0 else float(logs.std())


_LEAST_VARIANCE = 1e-12
"""Least variance of logarithms of durations within runs: equal durations are equal to a part in a
million."""

HUNG = 8.0
"""A call hangs if it takes this many times the duration expected from its work."""


def hung(logs: Floats, runs: pd.Series) -> Share:
    """Return how often calls hang, run by run; replies that reach the output limit do not count."""
    return Share.of(pd.Series(logs - np.median(logs) > np.log(HUNG)), runs)


def fit_residual(logs: Floats, runs: pd.Series) -> Residual:
    """Fit centred logarithms by a run effect and, within runs, the better of two families.

    Parameters
    ----------
    logs : ndarray, shape (calls,)
    runs : Series, shape (calls,)
        The run of each.
    """
    run_sigma = between_runs(logs, runs)
    sizes = runs.groupby(runs.to_numpy()).transform("size").to_numpy()
    several = sizes > 1
    within, freedom = logs, float(len(logs))
    if several.sum() > 30:
        kept = pd.Series(logs[several])
        means = kept.groupby(runs.to_numpy()[several]).transform("mean").to_numpy()
        freedom = float(several.sum()) - float((1.0 / sizes[several]).sum())
        within = (kept.to_numpy() - means) * np.sqrt(several.sum() / freedom)
        within = within - np.median(within)
    scales = {
        "lognormal": max(0.01, float(np.sqrt(np.mean(within**2)))),
        "log_logistic": max(0.01, _logistic_scale(within)),
    }
    normal, logistic = (within / scale for scale in scales.values())
    densities = {
        "lognormal": -(normal**2) / 2.0 - np.log(np.sqrt(2.0 * np.pi)),
        "log_logistic": -np.abs(logistic) - 2.0 * log1p(np.exp(-np.abs(logistic))),
    }
    aic = {name: -2.0 * float((densities[name] - np.log(scales[name])).sum()) for name in scales}
    best = min(aic, key=lambda name: aic[name])
    probabilities = ndtr(np.sort(normal)) if best == "lognormal" else expit(np.sort(logistic))
    # Both scales have Fisher information of about 2 n / scale^2 (1.43 n for the logistic).
    error = 1.0 / np.sqrt((2.0 if best == "lognormal" else 1.43) * max(freedom, 1.0))
    return Residual(
        best,
        Estimate.of(scales[best], error, "log"),
        run_sigma,
        kolmogorov_smirnov(probabilities),
        anderson_darling(probabilities),
        max(aic.values()) - min(aic.values()),
    )


def _logistic_scale(x: Floats) -> float:
    """Return the likeliest scale of a logistic law around 0, in the steps of ``scipy.stats``."""
    if not x.any():
        return 0.0

    def slope(scale: Floats) -> Floats:
        return np.asarray([(x / scale * np.tanh(x / scale / 2)).sum() - len(x)])

    begin = np.sqrt(x.var() / (np.pi**2 / 3.0))
    return abs(float(optimisers.fsolve(slope, [begin], full_output=True)[0][0]))


def between_rounds(logs: Floats, calls: pd.DataFrame) -> Estimate:
    """Return the standard deviation between rounds of a run: all agents are slow at some times.

    It comes from the products of a team's calls in one round and the squares of all of its calls,
    each less the mean of the run, by their expectations: that mean has the effects of its rounds,
    so that the products alone would be too small, in short runs by much. In runs of as many rounds
    of as many calls it is the nested analysis of variance. Its error is from a jackknife over ten
    groups of runs, NaN where few rounds have several calls. It is reported, not simulated.
    """
    frame = pd.DataFrame({"run": calls["run_dir"], "round": calls["round"], "log": logs})
    frame["log"] -= frame.groupby("run")["log"].transform("mean")
    frame["square"] = frame["log"] ** 2
    sums = frame.groupby(["run", "round"]).agg(
        total=("log", "sum"), size=("log", "size"), squares=("square", "sum")
    )
    sums["products"] = sums["total"] ** 2 - sums["squares"]
    sums["pairs"] = sums["size"] * (sums["size"] - 1.0)
    if (sums["pairs"] > 0).sum() < 10:
        return NOT_SEEN
    sums["sizes"] = sums["size"] ** 2.0
    of_run = sums.groupby("run")
    n, alike = of_run["size"].transform("sum"), of_run["sizes"].transform("sum")
    # Expectations of products and squares, by the variance of rounds and that of calls.
    sums["by_round"] = sums["pairs"] * (1.0 - 2.0 * sums["size"] / n + alike / n**2)
    sums["by_call"] = -sums["pairs"] / n
    runs = of_run.sum()
    runs = runs[runs["pairs"] > 0]
    spread = pd.DataFrame({"by_round": runs["size"] - runs["sizes"] / runs["size"]})
    spread["by_call"] = runs["size"] - 1.0
    columns = [runs[["by_round", "by_call", "products"]], spread, runs["squares"]]
    table = np.column_stack(columns).astype(np.float64)

    def variance(kept: npt.NDArray[np.bool_]) -> float:
        round_, call, products, round_too, call_too, squares = table[kept].sum(axis=0)
        both = round_ * call_too - call * round_too
        return float((products * call_too - call * squares) / max(both, 1e-12))

    group = np.arange(len(table)) % 10
    left_out = np.asarray([variance(group != i) for i in np.unique(group)])
    error = np.sqrt((len(left_out) - 1) * left_out.var())
    return Estimate(variance(group >= 0), float(error), "square")


def between_runs(logs: Floats, runs: pd.Series) -> Estimate:
    """Return the standard deviation between runs, if they tell it (Paule & Mandel 1982)."""
    group = pd.factorize(runs)[0]
    sizes = np.bincount(group).astype(float)
    means = np.bincount(group, logs) / sizes
    k, n = len(sizes), float(sizes.sum())
    if k < 3 or n - k < 3:
        return NOT_SEEN
    noise = np.maximum(within_runs(logs, runs) ** 2, _LEAST_VARIANCE) / sizes

    def excess(variance: float) -> float:
        weights = 1.0 / (variance + noise)
        centre = (weights * means).sum() / weights.sum()
        return float((weights * (means - centre) ** 2).sum()) - (k - 1)

    spread = np.sqrt(2.0 / ((1.0 / noise) ** 2).sum())
    if excess(0.0) <= 0.0:
        return Estimate(0.0, float(spread), "square")
    top = float(means.var()) * 10.0 + 1e-6
    variance = float(optimisers.brentq(excess, 0.0, top)) if excess(top) < 0 else top
    spread = np.sqrt(2.0 / ((1.0 / (variance + noise)) ** 2).sum())
    if variance > 1.5 * spread:  # the estimate is skewed, but far from 0 its logarithm is not
        return Estimate.of(float(np.sqrt(variance)), float(spread / (2.0 * variance)), "log")
    return Estimate(variance, float(spread), "square")
