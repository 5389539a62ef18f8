"""Between which values most runs are: what a further run may be expected to take."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

SHARE = 0.8
"""Probability with which the next run lies between the two values, where runs are enough."""


def few_for_range(runs: int) -> bool:
    """Return whether runs are too few for `range_of_runs`: fewer than nine."""
    return _rank(runs) < 1


def range_of_runs(values: npt.ArrayLike) -> tuple[float, float]:
    """Return two of the values between which a further one lies with a probability of 80 % or more.

    They are the values of rank r and n + 1 - r, where ``1 - 2 r / (n + 1)`` is that probability,
    whatever the distribution (Wilks 1941; Hahn & Meeker 1991, section 5.3). At least 80 % of the
    values themselves lie between them, too. Quantiles of 10 and 90 % of the values are too near to
    each other where runs are few: between those of three normal values lies the next in 42 %,
    and one of the three itself.

    Parameters
    ----------
    values : array_like, shape (runs,)
        At least one.

    Returns
    -------
    tuple of float
        The least and the greatest of fewer than nine, between which a further one lies with the
        smaller probability ``(n - 1) / (n + 1)``.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    rank = max(1, _rank(len(ordered)))
    return float(ordered[rank - 1]), float(ordered[-rank])


def _rank(runs: int) -> int:
    return math.floor((1.0 - SHARE) / 2.0 * (runs + 1) + 1e-9)
