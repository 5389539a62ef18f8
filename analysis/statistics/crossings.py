"""How well it is known where two curves cross."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from analysis.statistics.intervals import Interval
from simulator.distributions import Floats

if TYPE_CHECKING:
    import pandas as pd


def crossing_interval(
    first: pd.DataFrame, second: pd.DataFrame, metric: str, log_x: bool
) -> Interval | None:
    """Return the first x at which two curves cross, and between which x they do; None if none.

    The ends are the points nearest to the crossing at which the intervals of the curves do not
    overlap: before it the one is below, after it the other. Two intervals of 95 % that do not
    overlap tell means apart with more than that (Goldstein & Healy 1995), so that the ends hold
    also though the nearest of several points are taken.

    Parameters
    ----------
    first, second : DataFrame
        Rows of two series from `analysis.statistics.curves.curves_against`.
    metric : str
        Their column, with ``_low`` and ``_high``.
    log_x : bool
        As for `analysis.statistics.curves.crossing`.

    Returns
    -------
    Interval or None
        An end is infinite if no point shows it.
    """
    at = crossing(first, second, metric, log_x)
    if at is None:
        return None
    both = first.merge(second, on="x", suffixes=("_first", "_second")).sort_values("x")
    ends = {
        (end, side): both[f"{metric}_{end}_{side}"].to_numpy(dtype=float)
        for end in ("low", "high")
        for side in ("first", "second")
    }
    # 1 where the first is known to be above, -1 where below, 0 where that is not known.
    order = np.where(ends["low", "first"] > ends["high", "second"], 1, 0)
    order = np.where(ends["high", "first"] < ends["low", "second"], -1, order)
    gap = (both[f"{metric}_first"] - both[f"{metric}_second"]).to_numpy(dtype=float)
    x = both["x"].to_numpy(dtype=float)
    differs = np.flatnonzero((x < at) & np.isfinite(gap) & (gap != 0.0))
    sign = np.sign(gap[differs[-1]]) if len(differs) else 0.0
    before, after = x[(x < at) & (order == sign)], x[(x > at) & (order == -sign)]
    known = sign != 0.0
    low = float(before[-1]) if known and len(before) else -math.inf
    high = float(after[0]) if known and len(after) else math.inf
    return Interval(at, low, high)


def crossing_in_words(found: Interval) -> str:
    """Return ``cross at 3 (2 to 8)``, or how far that is known."""
    at = f"cross at {found.estimate:.2g}"
    low, high = (f"{end:.2g}" for end in (found.low, found.high))
    if math.isinf(found.low) and math.isinf(found.high):
        return f"{at}, or not at all"
    if math.isinf(found.low):
        return f"{at} ({high} at most)"
    return f"{at} ({low} {'or more' if math.isinf(found.high) else f'to {high}'})"


def crossing(first: pd.DataFrame, second: pd.DataFrame, metric: str, log_x: bool) -> float | None:
    """Return the first x at which two curves cross, by linear interpolation; None if none.

    Curves that meet at points cross at the first of these if they part on the other side.

    Parameters
    ----------
    first, second : DataFrame
        Rows of two series from `curves_against`.
    metric : str
        Their column.
    log_x : bool
        Whether to interpolate on a logarithmic axis.
    """
    both = first.merge(second, on="x", suffixes=("_first", "_second")).sort_values("x")
    x = both["x"].to_numpy(dtype=float)
    lines = (both[f"{metric}{end}"].to_numpy(dtype=float) for end in ("_first", "_second"))
    y, other = (np.where(np.isfinite(line), line, np.nan) for line in lines)  # NaN never crosses
    gap = y - other
    last, met = 0.0, None  # the last difference, and where both have been equal since then
    for i, here in enumerate(gap):
        if np.isnan(here):
            last, met = 0.0, None
        elif here == 0.0:
            met = i if met is None else met
        elif last * here < 0.0:
            return float(x[met]) if met is not None else _between(x, gap, i, log_x)
        else:
            last, met = here, None
    return None


def _between(x: Floats, gap: Floats, i: int, log_x: bool) -> float:
    """Return where a difference is 0 between its values at two points, the second of which is i."""
    share = gap[i - 1] / (gap[i - 1] - gap[i])
    if log_x:
        return float(x[i - 1] * (x[i] / x[i - 1]) ** share)
    return float(x[i - 1] + share * (x[i] - x[i - 1]))
