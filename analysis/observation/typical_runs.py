"""What runs typically are, and how much they differ: what a twin is tuned to."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy

from analysis.traces.canonical import CHATS


def of_roles(calls: pd.DataFrame, role: pd.Series) -> pd.DataFrame:
    """Return the typical run of each role: ``calls, input, output`` (of a call), by role.

    The typical values are geometric means, which serve as well as medians and vary less;
    ``mean_input`` and ``mean_output`` are means over the calls of all runs. Calls that
    failed do not count, unless all did: in a twin an attempt that fails is a part of a call.
    """
    chats = calls["operation_name"].isin(CHATS)
    answered = chats & (calls["status"].fillna("ok") == "ok")
    chats = answered if answered.any() else chats
    frame = pd.DataFrame(
        {
            "role": role[chats].astype(str),
            "run": calls.loc[chats, "run_id"].astype(str),
            "input": calls.loc[chats, "input_tokens"].astype("Float64").astype(float),
            "output": calls.loc[chats, "output_tokens"].astype("Float64").astype(float),
        }
    )
    each = frame.groupby(["role", "run"])
    runs = each[["input", "output"]].mean().assign(calls=each.size())
    logs = runs.where(runs > 0.0).apply(np.log).groupby("role").mean()
    means = frame.groupby("role")[["input", "output"]].mean().add_prefix("mean_")
    return logs.apply(np.exp).join(means)


def middle(values: pd.Series) -> float:
    """Return the geometric mean of the middle half of the positive values; NaN if there are none.

    It is as little moved by very short and very long runs as the median, and varies less.
    """
    known = np.log(values[values > 0.0].to_numpy(dtype=float))
    return float(np.exp(scipy.stats.trim_mean(known, 0.25))) if len(known) else float("nan")


def log_variance(values: pd.Series) -> float:
    """Return the variance of the logarithms of the positive values, from their quartiles."""
    logs = np.log(values[values > 0.0].to_numpy(dtype=float))
    if len(logs) < 2:
        return 0.0
    low, high = np.quantile(logs, [0.25, 0.75])
    return float(((high - low) / 1.349) ** 2)
