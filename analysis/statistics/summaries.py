"""Tables of what runs came to: means, their intervals and quantiles of each metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from analysis.statistics.intervals import interval_of_metric, quantile_interval

if TYPE_CHECKING:
    import pandas as pd

QUANTILES = {"p5": 0.05, "p50": 0.5, "p95": 0.95, "p99": 0.99}
"""The quantiles over replications of a `summary`, by their columns."""


def summary(results: pd.DataFrame, metrics: list[str], confidence: float = 0.95) -> pd.DataFrame:
    """Return mean, interval and quantiles of each metric over replications.

    Parameters
    ----------
    results : DataFrame
        A row a replication.
    metrics : list of str
        Numeric columns of it.
    confidence : float
        Coverage of the intervals of means and quantiles.

    Returns
    -------
    DataFrame
        Index: metric; columns: ``mean, low, high`` (`interval_of_metric`), ``sd`` (over
        replications), and for each of `QUANTILES` its estimate and, with ``_low`` and ``_high``,
        its interval, whose ends are infinite if there are too few replications.
    """
    import pandas as pd

    rows = summaries({name: results[name].to_numpy() for name in metrics}, confidence)
    return pd.DataFrame.from_dict(rows, orient="index")


def summaries(
    columns: Mapping[str, npt.ArrayLike], confidence: float = 0.95
) -> dict[str, dict[str, float]]:
    """Return the rows of a `summary` by metric, without a data frame.

    Parameters
    ----------
    columns : mapping of str to array_like, each of shape (replications,)
        The values of each metric.
    confidence : float
        Coverage of the intervals of means and quantiles.
    """
    rows = {}
    for metric, column in columns.items():
        values = np.asarray(column, dtype=np.float64)
        interval = interval_of_metric(values, metric, confidence)
        row = {"mean": interval.estimate, "low": interval.low, "high": interval.high}
        row["sd"] = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        for name, share in QUANTILES.items():
            quantile = quantile_interval(values, share, confidence)
            row[name] = quantile.estimate
            row |= {f"{name}_low": quantile.low, f"{name}_high": quantile.high}
        # Of money that is not known, nor are there ends, which are infinite for few runs.
        rows[metric] = dict.fromkeys(row, math.nan) if np.isnan(values).all() else row
    return rows
