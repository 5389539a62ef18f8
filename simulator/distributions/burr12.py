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
        return self.scale * np.expm1(-np.log1p(-u) / self.d) ** (1.0 / self.c)

    def cdf(self, x: Floats) -> Floats:
        """Return the probability of a value up to `x`."""
        power = (np.maximum(x, 0.0) / self.scale) ** self.c
        return -np.expm1(-self.d * np.log1p(power))

    @property
    def tail_index(self) -> float:
        """The exponent of the right tail."""
        return self.c * self.d
