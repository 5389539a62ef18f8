"""Estimates how many tasks fit into a reply, and how many replies that are cut off are useless."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy

from analysis.calibration.estimates import Share, VectorFit

_FEWEST = 3
"""Replies that must have been cut off with a result, for these to tell what fits into one."""
LONG = 0.7
"""Share of the longest duration beyond which a reply has reached the limit."""


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
    is_long = working["latency_s"].to_numpy() > LONG * limit_s
    cut = (wrote > 0.0) & is_long & (wrote < working["left"].to_numpy())
    if not cut.any():
        return None
    uncut = scipy.stats.ecdf(scipy.stats.CensoredData(uncensored=wrote[cut], right=wrote[~cut])).sf
    passed = uncut.quantiles[uncut.probabilities <= 0.5]
    if not len(passed) or np.count_nonzero(wrote[cut] <= passed[0]) < _FEWEST:
        return None
    return float(passed[0])


def loss_share(calls: pd.DataFrame, capacity: float | None) -> Share:
    """Return how many of the replies that reached the limit were useless."""
    if capacity is None:
        return Share(np.zeros(0), np.zeros(0))
    full = calls[calls["is_lost"] | (calls["edited"] >= 0.75 * capacity)]
    return Share.of(full["is_lost"], full["run_dir"])
