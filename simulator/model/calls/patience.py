"""Patience: how long a request is waited for, and when a second one is sent."""

from __future__ import annotations

import math

from simulator.model.calls.percentiles import RecentTimes
from simulator.model.why import Why
from simulator.scenario.resilience import Hedge, Timeout


class Patience:
    """The time-outs and the hedges of all requests, by what they have taken before.

    Parameters
    ----------
    timeout : Timeout or None
    hedge : Hedge or None
    """

    __slots__ = ("_hedge", "_hedge_s", "_hedged_times", "_limit_s", "_timeout", "_times")

    def __init__(self, timeout: Timeout | None, hedge: Hedge | None) -> None:
        self._timeout = timeout
        self._hedge = hedge
        # Times are remembered only where a percentile of them is asked for.
        self._times: RecentTimes | None = None
        self._limit_s: float | None = math.inf
        if timeout is not None:
            self._limit_s = timeout.seconds
            if timeout.percentile is not None:
                self._limit_s = None
                self._times = RecentTimes(timeout.window, timeout.minimum)
        self._hedged_times: RecentTimes | None = None
        self._hedge_s: float | None = math.inf
        if hedge is not None:
            self._hedge_s = hedge.after_s
            if hedge.after_s is None:
                self._hedged_times = RecentTimes(hedge.window, hedge.minimum)

    def limit_s(self) -> float:
        """Return after how many seconds a request times out."""
        if self._limit_s is not None:
            return self._limit_s
        timeout = self._timeout
        assert timeout is not None
        assert timeout.percentile is not None
        assert self._times is not None
        found = self._times.percentile(timeout.percentile)
        return timeout.seconds if math.isinf(found) else timeout.factor * found

    def hedge_s(self) -> float:
        """Return after how many seconds a second request is sent."""
        if self._hedge_s is not None:
            return self._hedge_s
        hedge = self._hedge
        assert hedge is not None
        assert self._hedged_times is not None
        assert hedge.percentile is not None
        return self._hedged_times.percentile(hedge.percentile)

    def remember(self, served_s: float, why: Why, queued_s: float = 0.0) -> None:
        """Learn how long a request took, in service and, before, in the provider's queue.

        One that timed out took longer than any other, and one that never got into service tells
        nothing of how long that takes. What the provider failed tells nothing at all.
        """
        if (self._times is None and self._hedged_times is None) or not why.is_billed:
            return
        has_timed_out = why is Why.TIMEOUT
        if self._times is not None:
            self._times.add(math.inf if has_timed_out else queued_s + served_s)
        if self._hedged_times is not None and not (has_timed_out and served_s == 0.0):
            self._hedged_times.add(math.inf if has_timed_out else served_s)
