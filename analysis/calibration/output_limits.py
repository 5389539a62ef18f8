"""Estimates how many tasks fit into a reply, and how many replies that are cut off are useless."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.estimates import VectorFit
from analysis.calibration.rounding import four_digits
from analysis.calibration.shares import Share
from analysis.statistics import optimisers
from simulator.distributions import Floats
from simulator.special import log_ndtr

_FEWEST = 3
"""Replies that must have been cut off with a result, for these to tell what fits into one."""
LONG = 0.7
"""Share of the longest duration beyond which a reply has reached the limit."""
_FULL = 0.75
"""Share of what fits into a reply from which on one counts as full."""
_CUT = 0.5
"""Share from which on a long reply that wrote less than it could was cut off, and not just slow."""


def capacity_of(
    latency: VectorFit, limit_s: float | None, most: int, working: pd.DataFrame
) -> float | None:
    """Return how many tasks fit into a reply of `limit_s`, if that is less than there are.

    That is the median of what replies that were cut off have written (`_median_written`). Where
    too few were, it is what the mean durations of all replies lead to, but no less than a reply has
    written.

    Parameters
    ----------
    latency : VectorFit
        Logarithms of base, per task and hand_in.
    limit_s : float or None
    most : int
        Tasks that there are.
    working : DataFrame
        The cell's working calls: ``edited, left, latency_s``.
    """
    if limit_s is None:
        return None
    capacity = _median_written(working, limit_s)
    if capacity is None:
        base, per_task, _ = np.exp(latency.at)
        most_written = float(working["edited"].max()) if len(working) else 0.0
        capacity = max(1.0, (limit_s - base) / per_task, most_written)
    return capacity if capacity < most else None


def _median_written(working: pd.DataFrame, limit_s: float) -> float | None:
    """Return the median number of tasks at which replies are cut off; None if too few tell.

    A long reply that wrote fewer tasks than it could was cut off. Any other would have been cut off
    at more than it wrote: it is censored there (Kaplan & Meier 1958).
    """
    wrote = working["edited"].to_numpy(dtype=float)
    cut = _is_cut(working, limit_s)
    if not cut.any():
        return None
    numbers, which, at = np.unique(wrote, return_inverse=True, return_counts=True)
    reached = at[::-1].cumsum()[::-1]
    uncut = np.cumprod((reached - np.bincount(which[cut], minlength=len(at))) / reached)
    passed = numbers[uncut <= 0.5]
    if not len(passed) or np.count_nonzero(wrote[cut] <= passed[0]) < _FEWEST:
        return None
    return float(passed[0])


def _is_cut(calls: pd.DataFrame, limit_s: float) -> npt.NDArray[np.bool_]:
    """Return which replies have a result and took long, but wrote less than they could."""
    wrote = calls["edited"].to_numpy()
    is_long = calls["latency_s"].to_numpy() > LONG * limit_s
    return (wrote > 0) & is_long & (wrote < calls["left"].to_numpy())


def fits(calls: pd.DataFrame, capacity: Floats, limit_s: float) -> Floats:
    """Return how many tasks fit into each reply: of one that was cut off, what it wrote.

    Parameters
    ----------
    calls : DataFrame, N rows
        ``edited, left, latency_s``.
    capacity : ndarray, shape (N,)
        What fits into the median reply; infinite where nothing is cut off.
    limit_s : float

    Returns
    -------
    ndarray, shape (N,)
    """
    wrote = calls["edited"].to_numpy(dtype=float)
    return np.where(_is_cut(calls, limit_s) & (wrote >= _CUT * capacity), wrote, capacity)


@dataclass(frozen=True)
class Capacity:
    """How many tasks fit into a reply.

    Attributes
    ----------
    tasks : float
        Of a run of median speed.
    sigma : float
        Standard deviation of its logarithm between runs, beside that of their speed.
    elasticity : float
        How much less fits where work takes longer: 1 for a limit of time, 0 for none.
    """

    tasks: float
    sigma: float = 0.0
    elasticity: float = 0.0

    def spec(self) -> dict[str, Any]:
        """Return the fields of an agent."""
        tasks, run_sigma = four_digits(self.tasks), four_digits(self.sigma)
        if not run_sigma and not self.elasticity:
            return {"capacity": tasks}
        drawn = {"kind": "deterministic", "value": tasks, "run_sigma": run_sigma}
        return {"capacity": drawn, "capacity_elasticity": self.elasticity}


def between_cells(tasks: Floats, slowness: Floats, most: int) -> Capacity | None:
    """Return what fits into a reply of cells whose work takes differently long.

    The limit is one of time: where work takes longer, less fits. Cells where all tasks fit are
    censored at the `most` that there are (Tobin 1958).

    Parameters
    ----------
    tasks : ndarray, shape (cells,)
        What fits into a reply of each cell; infinite where all tasks do.
    slowness : ndarray, shape (cells,)
        Of each cell, the mean logarithm of how long its runs take beside the median run.
    most : int

    Returns
    -------
    Capacity or None
        None if everything fits everywhere.
    """
    is_known = np.isfinite(tasks)
    if not is_known.any():
        return None
    logs = np.log(np.where(is_known, tasks, most)) + slowness
    known, censored = logs[is_known], logs[~is_known]
    if not (censored > known.min()).any():  # they tell nothing
        return Capacity(float(np.exp(known.mean())), float(known.std()), 1.0)
    mean, sigma = _censored_normal(known, right=censored)
    return Capacity(float(np.exp(mean)), sigma, 1.0)


def _censored_normal(known: Floats, right: Floats) -> tuple[float, float]:
    """Return the likeliest mean and standard deviation, in the steps of ``scipy.stats.norm.fit``.

    Parameters
    ----------
    known, right : ndarray
        Values, and others that are only known to be larger than these.
    """

    def loss(at: Floats) -> float:
        mean, sigma = at
        if sigma <= 0.0:
            return np.inf
        squares = float((((known - mean) / sigma) ** 2).sum())
        beyond = float(log_ndtr((mean - right) / sigma).sum())
        return 0.5 * squares + len(known) * float(np.log(sigma)) - beyond

    everything = np.concatenate([known, right])
    mean, sigma = optimisers.fmin(loss, [everything.mean(), everything.std()], disp=False)
    return float(mean), float(sigma)


def loss_share(calls: pd.DataFrame) -> Share:
    """Return how many of the replies that reached the limit were useless.

    Parameters
    ----------
    calls : DataFrame
        ``edited, fits`` (tasks that fit into the reply, at most), ``is_lost, run_dir``.
    """
    full = calls[calls["is_lost"] | (calls["edited"] >= _FULL * calls["fits"])]
    return Share.of(full["is_lost"], full["run_dir"])
