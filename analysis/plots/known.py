"""What is known of a curve, and how that is said where something is not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.statistics.curves import (
    QUANTILES,
    RATIOS,
    TIMES,
    TO_SUCCESS,
    not_known,
    without_price,
)
from analysis.statistics.intervals import SHARE_METRICS

Array = npt.NDArray[np.float64]

_NO_PRICE_OR_END = "no price, or no run finished"

_REACH = 0.12
"""How far an open interval reaches beyond all finite values, as a share of their range."""


def within_reach(known: pd.DataFrame, metric: str) -> tuple[Array, Array]:
    """Return the ends of a series' intervals, with open ends a little beyond all finite values.

    Those of metrics that lie between 0 and 1 do, too.
    """
    columns = [metric, f"{metric}_low", f"{metric}_high"]
    values = known[columns].to_numpy(dtype=float)
    finite = values[np.isfinite(values)]
    if not len(finite):
        return values[:, 1], values[:, 2]
    least, most = float(finite.min()), float(finite.max())
    further = _REACH * ((most - least) or abs(most) or 1.0)
    # Positive ends stay positive, since the axis may be logarithmic.
    bottom, top = (least / (1.0 + _REACH) if least > 0.0 else least - further), most + further
    low, high = (
        np.where(np.isfinite(values[:, i]), values[:, i], to) for i, to in ((1, bottom), (2, top))
    )
    if metric in SHARE_METRICS:  # whose intervals, of means, may reach further than a share can
        low, high = np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)
    return low, high


def reason(curves: pd.DataFrame, metric: str) -> str:
    """Return the reason why a metric is unknown, or both if there are two."""
    unpriced = without_price(curves, metric)
    if unpriced.any():
        return "no price" if unpriced.eq(not_known(curves, metric)).all() else _NO_PRICE_OR_END
    if metric == "speedup":
        return "one side never finished"
    is_quantile = metric.endswith(tuple(QUANTILES))
    return "too few runs finished" if is_quantile else "no run finished"


def say_not_known(label: str, curves: pd.DataFrame, metric: str) -> str:
    """Return the label of an axis, with a line that explains the x marks, if there are any."""
    is_any = not_known(curves, metric).any()
    return f"{label}\n\N{MULTIPLICATION SIGN}: {reason(curves, metric)}" if is_any else label


def why_not_known(curves: pd.DataFrame, metric: str) -> str:
    """Return the text of a panel that has no number to show."""
    if metric in RATIOS and not has_baseline(curves):
        return "not known: no single agent to compare with"
    is_known = np.isfinite(curves[metric].to_numpy(dtype=float))
    if metric == "error_amplification" and not is_known.any():
        return "not known: the single agent made no errors"
    if is_known.any() or not not_known(curves, metric).any():
        return "none"
    if metric == "speedup" and curves["finished"].any():
        return "not known: the single agent never finished"
    return f"not known: {reason(curves, metric)}"


def has_baseline(curves: pd.DataFrame) -> bool:
    """Return whether any point of `curves_against` has a single agent to compare with."""
    return bool(curves["baseline_finished"].notna().any())


def all_finished(curves: pd.DataFrame) -> bool:
    """Return whether all runs of all points finished."""
    return bool((curves["finished"] == curves["runs"]).all())


def span_of_shares(shares: pd.Series[float]) -> str:
    """Return ``48 to 82 %``, or ``48 %`` if all are equal."""
    low, high = f"{100 * shares.min():.0f}", f"{100 * shares.max():.0f}"
    return f"{high} %" if low == high else f"{low} to {high} %"


def open_note(curves: pd.DataFrame, metrics: Sequence[str]) -> str:
    """Return a figure's note on arrows at the ends of intervals, or nothing if there are none."""
    for metric in metrics:
        known = curves[np.isfinite(curves[metric].to_numpy(dtype=float))]
        ends = known[[f"{metric}_low", f"{metric}_high"]].to_numpy(dtype=float)
        if not np.isfinite(ends).all():
            return "arrows: intervals that so few runs do not bound"
    return ""


def _of_times(metrics: Sequence[str]) -> list[str]:
    """Return how times count runs that did not finish, where there are such times."""
    said = []
    if any(name in {*TIMES, "speedup"} or name.endswith(TO_SUCCESS) for name in metrics):
        said.append("times are until success, failed runs started again")
    if any(name.removesuffix(ending) in TIMES for name in metrics for ending in QUANTILES
           if name.endswith(ending)):  # fmt: skip
        said.append("percentiles of times count runs that failed as longer than all others")
    return said


def finish_note(curves: pd.DataFrame, metrics: Sequence[str]) -> str:
    """Return a figure's note on runs that did not finish.

    If all did, it is nothing, unless some of its `metrics` are until success.
    """
    if all_finished(curves):
        is_any = any(name.endswith(TO_SUCCESS) for name in metrics)
        return "until success: bands leave out failures that no run shows" if is_any else ""
    share = curves["finished"] / curves["runs"]
    said = ["open marks: not all runs finished"]
    some, never = share[(share < 1.0) & (share > 0.0)], int((share == 0.0).sum())
    if len(some):
        said[0] += f" ({span_of_shares(some)} {'where some ' * bool(never)}did)"
        said += _of_times(metrics)
    if never:
        said.append(f"no run finished at {never} of {len(share)} points")
    return "; ".join(said)
