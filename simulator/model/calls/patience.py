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

    __slots__ = ("_hedge", "_hedged_times", "_timeout", "_times")

    def __init__(self, timeout: Timeout | None, hedge: Hedge | None) -> None:
        self._timeout = timeout
        self._hedge = hedge
        self._times = RecentTimes(timeout.window, timeout.minimum) if timeout else None
        self._hedged_times = RecentTimes(hedge.window, hedge.minimum) if hedge else None

    def limit_s(self) -> float:
        """Return after how many seconds a request times out."""
        timeout = self._timeout
        if timeout is None:
            return math.inf
        if timeout.percentile is None:
            return timeout.seconds
        assert self._times is not None
        found = self._times.percentile(timeout.percentile)
        return timeout.seconds if math.isinf(found) else timeout.factor * found

    def hedge_s(self) -> float:
        """Return after how many seconds a second request is sent."""
        hedge = self._hedge
        if hedge is None:
            return math.inf
        if hedge.after_s is not None:
            return hedge.after_s
        assert self._hedged_times is not None
        assert hedge.percentile is not None
        return self._hedged_times.percentile(hedge.percentile)

    def remember(self, elapsed_s: float, why: Why) -> None:
        """Learn how long a request took; one that timed out took longer than any other."""
        seen_s = math.inf if why is Why.TIMEOUT else elapsed_s
        for times in (self._times, self._hedged_times):
            if times is not None:
                times.add(seen_s)
