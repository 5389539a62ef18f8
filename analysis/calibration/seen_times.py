"""Times as clocks show them: rounded, some to whole seconds, so that many are equal.

A time that is rounded may have been up to half of the resolution shorter or longer. Its likelihood
is the probability of that interval. The density at the rounded value would make times that are all
2 s known to the bound of the computer's numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.calibration.likelihood import UNTOLD
from analysis.calibration.log_families import log_difference
from simulator.distributions import Floats

SHORTEST_S = 0.05
"""Shorter times are taken as this, because the clocks of logs are no more precise."""

_RESOLUTIONS_S = (1.0, 0.1, 0.01, 0.001)
"""Resolutions of clocks, the coarsest first."""

_EXACT_S = 5e-7
"""Differences of times are no more precise: those are seconds since 1970, of 53 bits."""

_FINEST = 0.005
"""Relative width of an interval in which a time is seen, if most times are as good as equal."""


def resolution_s(seconds: Floats) -> float:
    """Return the coarsest resolution of a clock that shows these times; 0 if none does."""
    for resolution in _RESOLUTIONS_S:
        if np.abs(seconds - resolution * np.round(seconds / resolution)).max() < _EXACT_S:
            return resolution
    return 0.0


def least_error_s(seconds: Floats) -> float:
    """Return the standard error of a time that is always seen as the same, for it is rounded."""
    width = resolution_s(seconds) if seconds.any() else 2.0 * SHORTEST_S
    return float(width / 12**0.5)


Law = Callable[[Floats], Floats]
"""Of logarithms of times, one for each."""


@dataclass(frozen=True)
class Seen:
    """Logarithms of times, and between which ones each of them was, if that matters.

    Attributes
    ----------
    at : ndarray, shape (n,)
    low, high : ndarray or None, shape (n,)
    """

    at: Floats
    low: Floats | None = None
    high: Floats | None = None

    @classmethod
    def of(cls, seconds: Floats) -> Seen:
        """Return times, with intervals where clocks are coarse or most times as good as equal."""
        at = np.log(np.maximum(seconds, SHORTEST_S))
        width = resolution_s(seconds)
        middle = np.quantile(at, [0.25, 0.75])
        if width < SHORTEST_S and np.ptp(middle) > 2.0 * _FINEST:
            return cls(at)
        half = np.maximum(width, _FINEST * seconds) / 2.0
        with np.errstate(divide="ignore"):
            low, high = np.log(np.maximum(seconds - half, 0.0)), np.log(seconds + half)
        return cls(at, low, np.maximum(high, np.log(SHORTEST_S)))

    @property
    def is_rounded(self) -> bool:
        """Whether only intervals are known."""
        return self.low is not None

    @property
    def untold(self) -> float:
        """Standard error of the logarithm of a median of which only intervals are known.

        That is as far as times of one interval can be apart, and as far as those seen are.
        """
        if self.low is None or self.high is None:
            return UNTOLD
        width = float(np.median(np.minimum(self.high - self.low, 1.0)))
        return float(np.hypot(width / 12**0.5, self.at.std()))

    @property
    def log_seconds(self) -> Floats:
        """What is to be taken from `log_chance` so that it is of a second."""
        if self.low is None or self.high is None:
            return self.at
        return np.asarray(np.log(np.exp(self.high) - np.exp(self.low)))

    def log_chance(self, log_density: Law, log_survival: Law) -> Floats:
        """Return the log density of each time's logarithm, or the log chance of its interval."""
        if self.low is None or self.high is None:
            return log_density(self.at)
        return log_difference(log_survival(self.low), log_survival(self.high))
