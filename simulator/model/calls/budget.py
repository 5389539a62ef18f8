"""A budget of retries: a token bucket filled by first requests."""

from __future__ import annotations

from simulator.model.timers import AN_INSTANT

_HOLDS = 10.0
"""Retries that a full bucket holds; it begins full."""


class RetryBudget:
    """Lets retries be sent as a share of first requests.

    Parameters
    ----------
    share : float or None
        Retries for each first request; None for no limit.
    """

    __slots__ = ("_level", "_share")

    def __init__(self, share: float | None) -> None:
        self._share = share
        self._level = _HOLDS

    def first_request(self) -> None:
        """Note that a first request is sent."""
        if self._share is not None:
            self._level = min(_HOLDS, self._level + self._share)

    def take(self) -> bool:
        """Return whether a retry may be sent, and count it."""
        if self._share is None:
            return True
        if self._level < 1.0 - AN_INSTANT:  # ten times a tenth is a little less than one
            return False
        self._level -= 1.0
        return True
