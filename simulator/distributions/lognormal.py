"""The lognormal distribution."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simulator import special
from simulator.distributions._distribution import Distribution, Floats
from simulator.spec import NonNegative, Positive

_TINY = np.finfo(np.float64).tiny


class Lognormal(Distribution):
    """Log-normal: ``median * exp(sigma * Z)`` (scipy: ``lognorm(s=sigma, scale=median)``)."""

    kind: Literal["lognormal"] = "lognormal"
    median: Positive
    """Median, in the unit of the variable."""
    sigma: NonNegative
    """Standard deviation of the logarithm."""

    def quantile(self, u: Floats) -> Floats:
        """Return the quantiles at `u`."""
        if not self.sigma:  # 0 times infinity, at the ends
            return np.full(np.shape(u), self.median)
        return self.median * np.exp(self.sigma * special.ndtri(u))

    def cdf(self, x: Floats) -> Floats:
        """Return the probability of a value up to `x`."""
        z = np.log(np.maximum(x, _TINY) / self.median) / max(self.sigma, _TINY)
        return np.asarray(special.ndtr(z), dtype=np.float64)
