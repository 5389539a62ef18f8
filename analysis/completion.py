"""How long the work takes when some runs do not finish it.

A run that ends at a deadline, a budget or a deadlock says nothing of how long the work takes, only
that it takes longer: it is censored. So a time is never a mean over the runs as they ended. It is
the **time to success**: a run that fails is started again, until one finishes. The number of runs
is geometric, and by Wald's identity the expected time is the mean length of all runs over the share
that finished (Auger & Hansen 2005, "expected running time"). Where all runs finish, this is the
mean makespan; where none does, it is not known, and at least as long as all runs together.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.statistics import Interval, ratio_of_means_interval, ratio_of_products_interval

UNKNOWN = Interval(math.nan, math.nan, math.nan)
"""Where no run finished."""


def time_to_success(rows: pd.DataFrame, confidence: float = 0.95) -> Interval:
    """Return the expected time until a run has finished, failed ones started again.

    Parameters
    ----------
    rows : DataFrame
        A row a replication, with ``makespan_s`` and ``success``.
    confidence : float
        Coverage of the interval.

    Returns
    -------
    Interval
        In simulated seconds; `UNKNOWN` where no run finished.
    """
    lengths, finished = _lengths(rows), _finished(rows)
    if not finished.any():
        return UNKNOWN
    return ratio_of_means_interval(lengths, finished, confidence)


def speedup(alone: pd.DataFrame, team: pd.DataFrame, confidence: float = 0.95) -> Interval:
    """Return how many times sooner a team succeeds than one agent.

    Parameters
    ----------
    alone, team : DataFrame
        Row i of both is of the same replication, with ``makespan_s`` and ``success``.
    confidence : float
        Coverage of the interval.

    Returns
    -------
    Interval
        Time to success of the one over that of the other; `UNKNOWN` where either never finished.

    Raises
    ------
    ValueError
        If the two have different lengths.
    """
    if not (_finished(alone).any() and _finished(team).any()):
        return UNKNOWN
    return ratio_of_products_interval(
        (_lengths(alone), _finished(team)), (_finished(alone), _lengths(team)), confidence
    )


def _lengths(rows: pd.DataFrame) -> npt.NDArray[np.float64]:
    return rows["makespan_s"].to_numpy(dtype=np.float64)


def _finished(rows: pd.DataFrame) -> npt.NDArray[np.float64]:
    return rows["success"].to_numpy(dtype=np.float64)
