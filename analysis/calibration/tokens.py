"""Fits the tokens that calls read and write to the token totals of runs.

A call reads ``system + kept + artifact * written`` tokens and writes ``output + per_task * work``.
The agent's next call reads again the share `retention` of what this call kept, wrote and was told
by the harness (`turn`). The log shows which agent called when, and what was written by then. So a
run's totals follow from the parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.estimates import NOT_SEEN, Estimate, VectorFit, priors_by_others
from analysis.calibration.hyperpriors import PARAMETERS, Prior, shipped
from analysis.calibration.rounding import four_digits
from analysis.statistics import optimisers
from simulator.distributions import Floats
from simulator.experiment.intervals import student_over_normal

NAMES = PARAMETERS["tokens"]
_SCALE = 0.25
"""Typical residual of a run's log total, beyond which the soft-L1 loss becomes linear."""
_MOST_SIGMA = 3.0
"""Standard deviation of what runs write (of the log) beyond which none is drawn: of runs that far
apart, one writes twenty times what the other does. In the public cells it is up to 0.64."""


@dataclass(frozen=True)
class TokenFit:
    """Tokens of a call; `at` holds the parameters `NAMES`, which the module explains."""

    fit: VectorFit
    run_sigma: Estimate
    """Standard deviation between runs of the log of what their calls write, work and all."""
    input_error: float
    """Standard deviation of the log of a run's input tokens around the fit."""

    def estimate(self, name: str) -> Estimate:
        """Return one of `NAMES`."""
        return self.fit.estimate(NAMES.index(name), "logit" if name == "retention" else "log")

    def draw(self, rng: np.random.Generator) -> TokenFit:
        """Return a fit drawn from the uncertainty.

        Of few runs it is hardly known how far runs differ, and a lognormal law of it has no end:
        a draw is at most `_MOST_SIGMA`, or what was found if that is more.
        """
        fit, drawn = self.fit.draw(rng), self.run_sigma.draw(rng)
        most = max(_MOST_SIGMA, self.run_sigma.value)
        run_sigma = drawn if drawn.value <= most else Estimate.of(most, link=drawn.link)
        return TokenFit(fit, run_sigma, self.input_error)

    def spec(self) -> dict[str, Any]:
        """Return ``tokens`` and ``context`` as a scenario says them."""
        output: dict[str, Any] = {
            "kind": "deterministic",
            "value": four_digits(self.estimate("output").value),
        }
        if self.run_sigma.value > 0.005:
            output["run_sigma"] = four_digits(self.run_sigma.value)
        return {
            "tokens": {
                "output": output,
                "per_work_unit": four_digits(self.estimate("per_task").value),
                "message": 0,
            },
            "context": {
                "system_tokens": four_digits(self.estimate("system").value),
                "board_tokens_per_task": 0,
                "artifact_tokens": four_digits(self.estimate("artifact").value),
                "turn_tokens": four_digits(self.estimate("turn").value),
                "retention": four_digits(self.estimate("retention").value),
            },
        }


@dataclass(frozen=True)
class Log:
    """What the totals of several runs follow from.

    Tokens that a call keeps are read again by each later call of its agent, of which it has m. The
    last axis of two arrays is m, from 0 on.

    Attributes
    ----------
    calls : ndarray, shape (runs,)
        Calls of all agents.
    written : ndarray, shape (runs,)
        Number of artifacts when a call begins, summed over calls.
    work : ndarray, shape (runs,)
        Tasks that calls work on, summed.
    followed_calls, followed_work : ndarray, shape (runs, M)
        Of these, the calls that their agent follows with m more, and the work on them.
    inputs, outputs : ndarray, shape (runs,)
        Logarithms of the totals.
    """

    calls: Floats
    written: Floats
    work: Floats
    followed_calls: Floats
    followed_work: Floats
    inputs: Floats
    outputs: Floats


def log_of(runs: pd.DataFrame, calls: pd.DataFrame) -> Log:
    """Sum up calls (``run_dir, agent, written, work``, in order) for their runs' totals."""
    place = {name: i for i, name in enumerate(runs["run_dir"])}
    run = calls["run_dir"].map(place).to_numpy()
    later = calls.groupby(["run_dir", "agent"], sort=False).cumcount(ascending=False).to_numpy()
    count, many = len(place), 1 + int(later.max())

    def by_run(values: Floats) -> Floats:
        return np.asarray(np.bincount(run, values, count), dtype=np.float64)

    def by_followers(values: Floats) -> Floats:
        summed = np.bincount(run * many + later, values, count * many)
        return np.asarray(summed, dtype=np.float64).reshape(count, many)

    written, work = (calls[name].to_numpy(dtype=float) for name in ("written", "work"))
    totals = runs[["total_input_tokens", "total_output_tokens"]].to_numpy(dtype=float)
    logs = np.log(np.maximum(totals, 1.0))
    return Log(
        calls=by_run(np.ones(len(calls))),
        written=by_run(written),
        work=by_run(work),
        followed_calls=by_followers(np.ones(len(calls))),
        followed_work=by_followers(work),
        inputs=logs[:, 0],
        outputs=logs[:, 1],
    )


def fit_tokens(
    cells: Sequence[tuple[pd.DataFrame, pd.DataFrame]], prior: Prior | None = None
) -> list[TokenFit]:
    """Fit similar cells, each ``(runs, calls)``, first separately and then pooled.

    A single cell is fitted once, under the prior of agents. What the other cells of several say is
    the prior of a second fit of each. To shrink the first fits would not do: totals of a few runs
    tell some sums of parameters well and the parameters badly, so that their covariance is nearly
    singular, and parameters that move along it by more than their errors no longer have the cell's
    totals.
    """
    logs = [log_of(runs, calls) for runs, calls in cells]
    agents = prior or shipped().priors["tokens"]
    pooled = [fit_alone(log, agents) for log in logs]
    if len(logs) > 1:
        priors = priors_by_others(pooled, agents.mean, agents.sd)
        # How far its runs are from a cell's own fit is known by then. Estimated anew, it would
        # grow with each step towards the prior, and make way for the next.
        pooled = [
            _fit_scaled(log, fit.at, *by_others, _scales(log, fit.at))
            for log, fit, by_others in zip(logs, pooled, priors, strict=True)
        ]
    return [_token_fit(fit, log) for fit, log in zip(pooled, logs, strict=True)]


def fit_alone(log: Log, prior: Prior) -> VectorFit:
    """Fit runs by themselves, under a prior."""
    return _fit(log, prior.mean, prior.sd)


def totals(at: Floats, log: Log) -> tuple[Floats, Floats]:
    """Return input and output tokens of each run under the parameters (links as `NAMES`).

    Parameters
    ----------
    at : ndarray, shape (P, 6)
        Sets of parameters.
    log : Log

    Returns
    -------
    (ndarray, ndarray), shape (P, runs)
    """
    system, turn, artifact, output, per_task = np.exp(at[:, [0, 1, 3, 4, 5]]).T[:, :, None]
    retention = 1.0 / (1.0 + np.exp(-at[:, 2, None]))
    again = _read_again(retention, log.followed_calls.shape[1])
    read = system * log.calls + artifact * log.written
    read += (turn + output) * (again @ log.followed_calls.T)
    read += per_task * (again @ log.followed_work.T)
    return read, output * log.calls + per_task * log.work


def _read_again(retention: Floats, many: int) -> Floats:
    """Return how often m calls read a token that one before them kept: the sum of its shares.

    These are retention, its square and so on, m of them, for m from 0 to `many` - 1.

    Parameters
    ----------
    retention : ndarray, shape (P, 1)
    many : int

    Returns
    -------
    ndarray, shape (P, many)
    """
    shares = retention ** np.arange(float(many))
    shares[:, 0] = 0.0
    return shares.cumsum(axis=1)


def _fit(log: Log, centre: Floats, spread: Floats) -> VectorFit:
    """Fit by penalised least squares; inputs and outputs each have their own spread."""
    rough = _fit_scaled(log, centre, centre, spread, np.repeat([_SCALE, _SCALE], len(log.inputs)))
    return _fit_scaled(log, rough.at, centre, spread, _scales(log, rough.at))


def _fit_scaled(
    log: Log, start: Floats, centre: Floats, spread: Floats, scales: Floats
) -> VectorFit:
    """Fit with spreads of the runs that are known: `scales`, shape (2 * runs,), inputs first."""

    def objectives(x: Floats) -> Floats:
        return np.concatenate([_misfits(x, log) / scales, (x - centre) / spread], axis=1)

    def objective(x: Floats) -> Floats:
        return np.asarray(objectives(x[None])[0])

    def slope(x: Floats) -> Floats:
        return forward_differences(objectives, x)

    fit = optimisers.least_squares(
        objective, start, slope, loss="soft_l1", f_scale=2.0, max_nfev=100
    )
    covariance = _covariance(np.asarray(fit.jac), len(log.inputs))
    return VectorFit(np.asarray(fit.x, dtype=np.float64), covariance)


def _misfits(x: Floats, log: Log) -> Floats:
    """Return how far the fit's log totals are from the runs', inputs first, shape (P, 2 * runs)."""
    read, wrote = totals(x, log)
    return np.concatenate([np.log(read) - log.inputs, np.log(wrote) - log.outputs], axis=1)


def _scales(log: Log, at: Floats) -> Floats:
    """Return the spread of runs around a fit, shape (2 * runs,)."""
    n = len(log.inputs)
    rest = _misfits(at[None], log).reshape(2, n)
    freedom = _freedom(n, len(at))
    robust = [1.4826 * np.median(np.abs(each)) for each in rest]
    own = np.sqrt((rest**2).sum(axis=1) / freedom)
    # The mean square, unless a few runs are far out.
    kept = [max(0.003, min(o, 2.0 * r + 0.003)) for o, r in zip(own, robust, strict=True)]
    return np.repeat(kept, n)


Objectives = Callable[[Floats], Floats]


def forward_differences(function: Objectives, x: Floats) -> Floats:
    """Return the Jacobian at `x`, all of its points evaluated together.

    Parameters
    ----------
    function : callable
        Takes points, shape (P, K), and returns values, shape (P, M).
    x : ndarray, shape (K,)

    Returns
    -------
    ndarray, shape (M, K)
        The steps are those of `scipy.optimize.least_squares`.
    """
    root = np.sqrt(np.finfo(np.float64).eps)
    steps = root * np.where(x >= 0.0, 1.0, -1.0) * np.maximum(1.0, np.abs(x))
    points = np.tile(x, (len(x) + 1, 1))
    ahead = x + steps
    np.fill_diagonal(points[1:], ahead)
    values = function(points)
    return np.asarray(((values[1:] - values[0]) / (ahead - x)[:, None]).T)


def _covariance(slope: Floats, runs: int) -> Floats:
    """Return the covariance of a penalised fit to runs whose spread is known from themselves only.

    The first `runs` rows are inputs, the next ones outputs, the rest the prior. What runs tell is
    worth less by as much as Student's t is wider than a normal law, at 95 %. A sandwich of the
    runs' scores would not do: a run that decides a parameter alone leaves no residual, by which
    the parameter would have no error.
    """
    wider = student_over_normal(0.975, _freedom(runs, slope.shape[1]))
    told, prior = slope[: 2 * runs] / wider, slope[2 * runs :]
    return np.asarray(np.linalg.inv(told.T @ told + prior.T @ prior))


def _freedom(runs: int, parameters: int) -> float:
    """Return the degrees of freedom of the runs' spread, of inputs or outputs alike."""
    return max(1.0, runs - parameters / 2)


def _token_fit(fit: VectorFit, log: Log) -> TokenFit:
    (read,), (wrote,) = totals(fit.at[None], log)
    return TokenFit(
        fit,
        run_sigma=_between_runs(np.log(wrote) - log.outputs),
        input_error=_spread(np.log(read) - log.inputs),
    )


def _spread(residuals: Floats) -> float:
    """Return a robust standard deviation (Rousseeuw & Croux 1993: 1.4826 MAD)."""
    return float(1.4826 * np.median(np.abs(residuals - np.median(residuals))))


def _between_runs(residuals: Floats) -> Estimate:
    """Return the standard deviation of what runs write, of which two parameters were fitted.

    The logarithm of a MAD of n normal values has a standard deviation of 1.166 / sqrt(n): it has
    0.37 of the efficiency of the standard deviation (Rousseeuw & Croux 1993).
    """
    sigma, free = _spread(residuals), max(1, len(residuals) - 2)
    if sigma == 0.0:
        return Estimate.of(0.0) if len(residuals) > 2 else NOT_SEEN
    return Estimate.of(sigma * (len(residuals) / free) ** 0.5, 1.166 / free**0.5, "log")
