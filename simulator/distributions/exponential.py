"""The exponential distribution."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simulator.distributions._distribution import Distribution, Floats
from simulator.spec import Positive


class Exponential(Distribution):
    """Exponential with the given mean (scipy: ``expon(scale=mean)``)."""

    kind: Literal["exponential"] = "exponential"
    mean: Positive
    """Mean, in the unit of the variable."""

    def quantile(self, u: Floats) -> Floats:
        """Return the quantiles at `u`."""
        return -self.mean * np.log1p(-u)

    def cdf(self, x: Floats) -> Floats:
        """Return the probability of a value up to `x`."""
        return -np.expm1(-np.maximum(x, 0.0) / self.mean)
