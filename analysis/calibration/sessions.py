"""Fits the input of the calls of a session: its start, its growth, and failures of the cache.

A call's input is that of the call before, what that call wrote, and the results of its tools. The
first calls of a session add more than later ones (files are opened). So growth is fitted to the
first `HORIZON` calls, and to the first of these separately. If the input of a session shrinks by
then, it was compacted, or it is several sessions; such sessions are left out if there are enough
others. They are not left out of the fit of how sessions begin: those that begin with a long
conversation are the ones that are compacted soon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.estimates import Estimate
from analysis.calibration.gaps import Gap
from analysis.calibration.rounding import four_digits
from simulator.distributions import Floats

HORIZON = 20
"""Number of consecutive calls of a session for which a fit is made."""
_FEWEST = 10
"""With fewer sessions of `HORIZON` calls that only grow, all sessions are used."""

_EDGES = np.asarray([*np.linspace(0.0, 0.95, 20), 0.98, 0.99, 0.995, 1.0])
"""Quantiles between which values are replaced by their mean; finer in the tail, which determines
the mean."""
_MISSED = 0.9
"""The cache has failed if it holds less than this share of what the call before has read."""
_SYSTEM = 0.05
"""Quantile of the sessions' first inputs that is taken as the system prompt, common to all."""


@dataclass(frozen=True)
class SessionFit:
    """What calls read.

    Attributes
    ----------
    sessions : int
        Sessions that it was fitted to.
    system_tokens : float
        Tokens with which all sessions begin.
    start, first_turn, turn : ndarray
        Further tokens with which the sessions begin; tokens that their first calls, and their
        later calls, have added to the context besides their output.
    cache_miss : Estimate
        Probability that the cache fails.
    first_cached : ndarray
        What the sessions' first calls have read from the cache: what others had read before.
    """

    sessions: int
    system_tokens: float
    start: Floats
    first_turn: Floats
    turn: Floats
    cache_miss: Estimate
    first_cached: Floats

    @property
    def warm_tokens(self) -> float:
        """Tokens that are warm, so that first calls of these inputs find as many on average."""
        first = np.sort(self.system_tokens + self.start)
        rest = np.arange(len(first) - 1, -1, -1)
        found = (np.cumsum(first) + rest * first) / len(first)
        return float(np.interp(self.first_cached.mean(), [0.0, *found], [0.0, *first]))

    def spec(self) -> dict[str, Any]:
        """Return the fields of ``context`` as a scenario says them."""
        said: dict[str, Any] = {"system_tokens": four_digits(self.system_tokens)}
        if self.start.any():
            said["start_tokens"] = as_distribution(self.start)
        if len(self.turn):
            said["turn_tokens"] = as_distribution(self.turn)
        elif len(self.first_turn):
            said["turn_tokens"] = as_distribution(self.first_turn)
        if len(self.first_turn):
            first = as_distribution(self.first_turn)
            if first != said.get("turn_tokens"):
                said["first_turn_tokens"] = first
        if self.cache_miss.value > 1e-5:
            said["cache_miss"] = four_digits(self.cache_miss.value)
        if self.warm_tokens >= 1.0:
            said["cache"] = {"warm_tokens": four_digits(self.warm_tokens)}
        return said

    def gaps(self) -> list[Gap]:
        """Return what was not estimated."""
        found = []
        if not len(self.turn) and not len(self.first_turn):
            found.append(Gap("growth of the input", "no session has two calls", "none"))
        elif not len(self.turn):
            what = "growth of the input in later calls"
            found.append(Gap(what, "no session has three calls", "that of the second calls"))
        if np.isnan(self.cache_miss.error):
            why = "no call read the cache again"
            found.append(Gap("failures of the cache", why, "none: the cache never fails"))
        if self.sessions < 2:
            what = "spread of what sessions begin with"
            found.append(Gap(what, f"{self.sessions} session", "what it began with"))
        return found

    def parameters(self) -> dict[str, Estimate]:
        """Return means and the probability, with standard errors."""
        means = {"start": self.start, "first_turn": self.first_turn, "turn": self.turn}
        return {
            **{f"{name}_tokens": mean_of(values) for name, values in means.items() if len(values)},
            "cache_miss": self.cache_miss,
            "first_cached_tokens": mean_of(self.first_cached),
        }


def fit_sessions(calls: pd.DataFrame) -> SessionFit:
    """Fit one model's `usable` calls, in the order of their sessions."""
    frame = _in_order(calls)
    begun = frame[frame["place"] == 0]
    first = begun["input"].to_numpy()
    system = float(np.quantile(first, _SYSTEM))
    frame = frame[begins(calls)]
    grown = frame[frame["input"] >= frame["before"]]
    added = (grown["input"] - grown["before"] - grown["written"]).to_numpy()
    is_second = (grown["place"] == 1).to_numpy()
    missed = grown["cached"] < _MISSED * grown["before"]
    count = len(grown)
    has_cache = (frame["cached"] > 0).any() and count > 0
    # A miss leaves the system prompt; where more was found, it is a part of one.
    lost = (grown["before"] - grown["cached"]) / (grown["before"] - system).clip(lower=1.0)
    misses = float(lost.clip(0.0, 1.0)[missed].sum()) if has_cache else 0.0
    # Half a miss is added (Jeffreys 1946), since misses are possible even if none was observed.
    error = float(np.sqrt(misses + 0.5)) / count if has_cache else float("nan")
    return SessionFit(
        sessions=len(first),
        system_tokens=system,
        start=_with_mean(np.maximum(first - system, 0.0), float(first.mean()) - system),
        first_turn=_never_negative(added[is_second]),
        turn=_never_negative(added[~is_second]),
        cache_miss=Estimate.of(misses / max(1, count), error),
        first_cached=begun["cached"].to_numpy(),
    )


def begins(calls: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which calls are the first `HORIZON` of their sessions, as a simulation makes them.

    Only sessions of at least that length whose input does not shrink by then count, if there are
    enough of these and they are most of the long ones; otherwise all sessions count.
    """
    frame = _in_order(calls)
    is_early = frame["place"] < HORIZON
    shrinks = (frame["input"] < frame["before"]) & is_early
    early = is_early.groupby(frame["session"], sort=False).transform("sum")
    is_whole = (early == HORIZON) & ~shrinks.groupby(frame["session"], sort=False).transform("any")
    whole = is_early & is_whole
    kept, long = int(whole.sum()), int((is_early & (early == HORIZON)).sum())
    enough = kept >= _FEWEST * HORIZON and kept > 0.5 * long
    return np.asarray(whole if enough else is_early, dtype=bool)


def with_mean(said: float | Mapping[str, Any], mean: float) -> float | dict[str, Any]:
    """Return what `as_distribution` has returned, multiplied so that its mean is another."""
    if not isinstance(said, Mapping) or mean == 0.0:
        return four_digits(mean)
    before = float(np.average(said["values"], weights=said["weights"]))
    return {**said, "values": [four_digits(each * mean / before) for each in said["values"]]}


def _in_order(calls: pd.DataFrame) -> pd.DataFrame:
    """Return the calls with their place in the session and the tokens of the call before."""
    sessions = calls.groupby("session", sort=False)
    return calls.assign(
        place=sessions.cumcount(),
        before=sessions["input"].shift(),
        written=sessions["output"].shift(),
    )


def _never_negative(values: Floats) -> Floats:
    """Return values of the same mean without those below 0 (text that the harness drops)."""
    return _with_mean(np.maximum(values, 0.0), float(values.mean())) if len(values) else values


def _with_mean(values: Floats, mean: float) -> Floats:
    total = float(values.mean())
    return np.asarray(values * (max(0.0, mean) / total) if total > 0.0 else values)


def as_distribution(values: Floats) -> float | dict[str, Any]:
    """Return values as a scenario's distribution: a number, or their means between quantiles.

    The mean stays the same; the quantiles stay as nearly as two dozen values allow.
    """
    ordered = np.sort(values)
    if not len(ordered) or ordered[0] == ordered[-1]:
        return four_digits(float(ordered[0])) if len(ordered) else 0.0
    cuts = np.unique(np.round(_EDGES * len(ordered)).astype(int))
    parts = [ordered[low:high] for low, high in pairwise(cuts)]
    return {
        "kind": "empirical",
        "values": [four_digits(float(part.mean())) for part in parts],
        "weights": [four_digits(len(part) / len(ordered)) for part in parts],
    }


def mean_of(values: Floats) -> Estimate:
    """Return the mean of values, with its standard error.

    The error is NaN, not 0, of one value, and of equal ones: they do not show how they vary.
    """
    varies = len(values) > 1 and values.min() < values.max()
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if varies else float("nan")
    return Estimate.of(float(values.mean()), error)
