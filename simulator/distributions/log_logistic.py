"""The log-logistic distribution."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simulator.distributions._distribution import Distribution, Floats
from simulator.spec import Positive


class LogLogistic(Distribution):
    """Log-logistic (scipy: ``fisk(c=shape, scale=median)``)."""

    kind: Literal["log_logistic"] = "log_logistic"
    shape: Positive
    """Shape, the tail index (dimensionless)."""
    median: Positive
    """Median, in the unit of the variable."""

    def quantile(self, u: Floats) -> Floats:
        """Return the quantiles at `u`."""
        return self.median * (u / (1.0 - u)) ** (1.0 / self.shape)

    def cdf(self, x: Floats) -> Floats:
        """Return the probability of a value up to `x`."""
        power = (np.maximum(x, 0.0) / self.median) ** self.shape
        return power / (1.0 + power)

    @property
    def tail_index(self) -> float:
        """The exponent of the right tail."""
        return self.shape
