"""Estimates how likely an agent is to begin with one task a call, by how many it has to do.

That is a logistic regression on the logarithm of their number, with an intercept for each cell. The
intercepts of an agent's cells are normal around its own; their spread is the one that is likeliest
(marginal likelihood, by Laplace's approximation).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy

from analysis.calibration.estimates import VectorFit
from simulator.distributions import Floats

AT_TASKS = 20.0
"""The number of tasks that the intercept is for."""

_PRIOR = np.asarray([-2.0, 1.0])
"""Mean of the prior of an agent's logit and growth: rare, and likelier with more tasks."""
_PRIOR_SD = np.asarray([2.0, 1.0])
_SPREADS = (0.1, 0.3, 0.6, 1.0, 1.5, 2.2)
"""Standard deviations of cells' logits that are tried."""


def begins_with_one(calls: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each agent that had a choice: its ``tasks``, and whether it ``takes_one``.

    Parameters
    ----------
    calls : DataFrame
        Working calls in order within each agent: ``run_dir, agent, attempts, left, ready``.
    """
    first = calls[~calls.duplicated(["run_dir", "agent"]) & (calls["ready"] > 1)]
    return pd.DataFrame({"tasks": first["left"], "takes_one": first["attempts"] == 1})


def fit_styles(cells: Sequence[pd.DataFrame]) -> list[VectorFit]:
    """Return for each cell of an agent the logit at `AT_TASKS` tasks, and the growth.

    Parameters
    ----------
    cells : sequence of DataFrame
        The working calls of each cell.
    """
    found = [begins_with_one(calls) for calls in cells]
    x = [np.log(each["tasks"].to_numpy(dtype=float) / AT_TASKS) for each in found]
    y = [each["takes_one"].to_numpy(dtype=float) for each in found]
    fits = [_fit(x, y, spread) for spread in _SPREADS]
    _, at, covariance = max(fits, key=lambda fit: fit[0])
    picked = [np.eye(2, len(at)) for _ in cells]
    for i, pick in enumerate(picked):
        pick[0, 2 + i] = 1.0
    return [VectorFit(pick @ at, pick @ covariance @ pick.T) for pick in picked]


def _fit(x: Sequence[Floats], y: Sequence[Floats], spread: float) -> tuple[float, Floats, Floats]:
    """Return the log evidence, the posterior mode and its covariance.

    The parameters are the agent's logit, its growth, and what each cell's logit is above the
    agent's.
    """
    cells = len(x)
    rows = np.concatenate([np.full(len(each), i) for i, each in enumerate(x)]).astype(int)
    design = np.column_stack(
        [np.ones(len(rows)), np.concatenate(x), np.eye(cells)[rows].reshape(len(rows), cells)]
    )
    outcome = np.concatenate(y)
    mean = np.concatenate([_PRIOR, np.zeros(cells)])
    precision = np.concatenate([_PRIOR_SD, np.full(cells, spread)]) ** -2.0

    def loss(at: Floats) -> tuple[float, Floats]:
        logit = design @ at
        off = at - mean
        value = np.logaddexp(0.0, logit).sum() - outcome @ logit + 0.5 * (precision * off**2).sum()
        return float(value), design.T @ (scipy.special.expit(logit) - outcome) + precision * off

    found = scipy.optimize.minimize(loss, mean, jac=True, method="BFGS")
    p = scipy.special.expit(design @ found.x)
    curvature = design.T @ (design * (p * (1.0 - p))[:, None]) + np.diag(precision)
    evidence = -found.fun + 0.5 * (np.log(precision).sum() - np.linalg.slogdet(curvature)[1])
    at = np.asarray(found.x, dtype=np.float64)
    return float(evidence), at, np.asarray(np.linalg.inv(curvature), dtype=np.float64)
