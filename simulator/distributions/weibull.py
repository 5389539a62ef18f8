"""The weibull distribution."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simulator.distributions._distribution import Distribution, Floats
from simulator.spec import Positive


class Weibull(Distribution):
    """Weibull (scipy: ``weibull_min(c=shape, scale=scale)``)."""

    kind: Literal["weibull"] = "weibull"
    shape: Positive
    """Shape; below 1 the hazard falls with time."""
    scale: Positive
    """Scale, in the unit of the variable."""

    def quantile(self, u: Floats) -> Floats:
        """Return the quantiles at `u`."""
        return self.scale * (-np.log1p(-u)) ** (1.0 / self.shape)

    def cdf(self, x: Floats) -> Floats:
        """Return the probability of a value up to `x`."""
        return -np.expm1(-((np.maximum(x, 0.0) / self.scale) ** self.shape))
