"""The inverse-gamma distribution."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simulator import special
from simulator.distributions._distribution import Distribution, Floats
from simulator.spec import Positive

_TINY = np.finfo(np.float64).tiny


class InverseGamma(Distribution):
    """Inverse gamma (scipy: ``invgamma(a=shape, scale=scale)``); Pareto-like right tail."""

    kind: Literal["inverse_gamma"] = "inverse_gamma"
    shape: Positive
    """Shape, the tail index (dimensionless)."""
    scale: Positive
    """Scale, in the unit of the variable."""

    def quantile(self, u: Floats) -> Floats:
        """Return the quantiles at `u`."""
        return np.asarray(self.scale / special.gammainccinv(self.shape, u), dtype=np.float64)

    def cdf(self, x: Floats) -> Floats:
        """Return the probability of a value up to `x`."""
        # Far below the scale the ratio is infinite, and the probability is rightly 0.
        with np.errstate(over="ignore"):
            ratio = self.scale / np.maximum(x, _TINY)
        return np.asarray(special.gammaincc(self.shape, ratio), dtype=np.float64)

    @property
    def tail_index(self) -> float:
        """The exponent of the right tail."""
        return self.shape
