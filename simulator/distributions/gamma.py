"""The gamma distribution."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simulator import special
from simulator.distributions._distribution import Distribution, Floats
from simulator.spec import Positive


class Gamma(Distribution):
    """Gamma (scipy: ``gamma(a=shape, scale=scale)``); mean ``shape * scale``."""

    kind: Literal["gamma"] = "gamma"
    shape: Positive
    """Shape (dimensionless)."""
    scale: Positive
    """Scale, in the unit of the variable."""

    def quantile(self, u: Floats) -> Floats:
        """Return the quantiles at `u`."""
        return np.asarray(self.scale * special.gammaincinv(self.shape, u), dtype=np.float64)

    def cdf(self, x: Floats) -> Floats:
        """Return the probability of a value up to `x`."""
        return np.asarray(
            special.gammainc(self.shape, np.maximum(x, 0.0) / self.scale), dtype=np.float64
        )
