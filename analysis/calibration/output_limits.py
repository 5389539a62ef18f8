"""Estimates how many tasks fit into a reply, and how many replies that are cut off are useless."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy

from analysis.calibration.estimates import Share, VectorFit
from simulator.distributions import Floats

_FEWEST = 3
"""Replies that must have been cut off with a result, for these to tell what fits into one."""
LONG = 0.7
"""Share of the longest duration beyond which a reply has reached the limit."""
_FULL = 0.75
"""Share of what fits into a reply from which on one that has reached the limit was full."""


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
    uncut = scipy.stats.ecdf(scipy.stats.CensoredData(uncensored=wrote[cut], right=wrote[~cut])).sf
    passed = uncut.quantiles[uncut.probabilities <= 0.5]
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
    return np.where(_is_cut(calls, limit_s) & (wrote >= _FULL * capacity), wrote, capacity)


def between_cells(capacities: Sequence[float | None], most: int) -> tuple[float | None, float]:
    """Return the median of what fits into a reply, and the deviation of its log between cells.

    Cells where all of the `most` tasks fit (None) are censored there (Tobin 1958).

    Returns
    -------
    (float or None, float)
        None and 0 if everything fits everywhere.
    """
    known = np.log([each for each in capacities if each is not None])
    if not len(known):
        return None, 0.0
    censored = np.full(len(capacities) - len(known), np.log(most))
    if not len(censored):
        return float(np.exp(known.mean())), float(known.std())
    mean, sigma = scipy.stats.norm.fit(scipy.stats.CensoredData(known, right=censored))
    return float(np.exp(mean)), float(sigma)


def loss_share(calls: pd.DataFrame) -> Share:
    """Return how many of the replies that reached the limit were useless.

    Parameters
    ----------
    calls : DataFrame
        ``edited, fits`` (tasks that fit into the reply, at most), ``is_lost, run_dir``.
    """
    full = calls[calls["is_lost"] | (calls["edited"] >= _FULL * calls["fits"])]
    return Share.of(full["is_lost"], full["run_dir"])
