"""The burr12 distribution."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simulator.distributions._distribution import Distribution, Floats
from simulator.spec import Positive


class Burr12(Distribution):
    """Burr XII (scipy: ``burr12(c, d, scale=scale)``); tail index ``c * d``."""

    kind: Literal["burr12"] = "burr12"
    c: Positive
    """First shape."""
    d: Positive
    """Second shape."""
    scale: Positive
    """Scale, in the unit of the variable."""

    def quantile(self, u: Floats) -> Floats:
        """Return the quantiles at `u`."""
        t = -np.log1p(-u) / self.d
        with np.errstate(over="ignore"):
            x: Floats = self.scale * np.expm1(t) ** (1.0 / self.c)
            # Where the exponential is beyond all numbers, 1 is nothing beside it.
            return np.where(np.isinf(x), self.scale * np.exp(t / self.c), x)

    def cdf(self, x: Floats) -> Floats:
        """Return the probability of a value up to `x`."""
        ratio = np.maximum(x, 0.0) / self.scale
        with np.errstate(over="ignore", divide="ignore"):
            log = np.log1p(ratio**self.c)
            log = np.where(np.isinf(log), self.c * np.log(ratio), log)
        return -np.expm1(-self.d * log)

    @property
    def tail_index(self) -> float:
        """The exponent of the right tail."""
        return self.c * self.d
