"""Estimates the work of an agent's later attempts at a task, as a share of that of the first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.calibration.estimates import BetaEstimate, VectorFit
from analysis.calibration.shares import Share, pool_shares

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(21)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_EDGE = 1e-6
"""Least distance of the share from 0 and 1."""


def fit_redo(working: Sequence[pd.DataFrame], latencies: Sequence[VectorFit]) -> list[BetaEstimate]:
    """Return the share in each cell: a beta with its mean and variance.

    A later attempt either writes the task's files again, and is as much work as the first, or only
    claims it or hands it in. So the share follows from how many do the former, pooled over the
    cells, and from the work of handing in, and is as uncertain as both.

    Parameters
    ----------
    working : sequence of DataFrame
        The working calls of each cell: ``run_dir, attempts, fresh, edited``.
    latencies : sequence of VectorFit
        Their durations (see `analysis.calibration.latency`).
    """
    rewritten = pool_shares([_rewritten(calls) for calls in working])
    return [_redo(share, fit) for share, fit in zip(rewritten, latencies, strict=True)]


def _rewritten(calls: pd.DataFrame) -> Share:
    """Return how many later attempts write the task's files again."""
    columns = {
        "hits": calls["edited"] - calls["fresh"],
        "trials": calls["attempts"] - calls["fresh"],
    }
    table = pd.DataFrame(columns).groupby(calls["run_dir"].to_numpy()).sum()
    table = table[table["trials"] > 0]
    return Share(table["hits"].to_numpy(dtype=float), table["trials"].to_numpy(dtype=float))


def _redo(rewritten: BetaEstimate, latency: VectorFit) -> BetaEstimate:
    hand_in = latency.estimate(2, "log")
    work = np.minimum(1.0, np.exp(hand_in.at + hand_in.error * _NODES))
    shares = rewritten.value + work * (1.0 - rewritten.value)
    mean = float(np.clip(_WEIGHTS @ shares, _EDGE, 1.0 - _EDGE))
    square = _WEIGHTS @ (((1.0 - work) * rewritten.error) ** 2 + shares**2)
    variance = max(float(square) - mean**2, _EDGE**2)
    total = max(mean * (1.0 - mean) / variance - 1.0, _EDGE)
    return BetaEstimate(mean * total, (1.0 - mean) * total)
