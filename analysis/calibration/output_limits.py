"""Estimates how many tasks fit into a reply, and how many replies that are cut off are useless."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.calibration.estimates import Share, VectorFit


def capacity_of(latency: VectorFit, limit_s: float | None, most: int) -> float | None:
    """Return how many tasks fit into a reply of `limit_s`, if that is less than there are."""
    if limit_s is None:
        return None
    base, per_task, _ = np.exp(latency.at)
    capacity = max(1.0, (limit_s - base) / per_task)
    return capacity if capacity < most else None


def loss_share(calls: pd.DataFrame, capacity: float | None) -> Share:
    """Return how many of the replies that reached the limit were useless."""
    if capacity is None:
        return Share(np.zeros(0), np.zeros(0))
    full = calls[calls["is_lost"] | (calls["edited"] >= 0.75 * capacity)]
    return Share.of(full["is_lost"], full["run_dir"])
