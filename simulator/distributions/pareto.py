"""The pareto distribution."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simulator.distributions._distribution import Distribution, Floats
from simulator.spec import Positive


class Pareto(Distribution):
    """Pareto type I (scipy: ``pareto(b=shape, scale=minimum)``).

    Its variance is infinite for shapes up to 2.
    """

    kind: Literal["pareto"] = "pareto"
    shape: Positive
    """Tail index (dimensionless)."""
    minimum: Positive
    """Smallest value, in the unit of the variable."""

    def quantile(self, u: Floats) -> Floats:
        """Return the quantiles at `u`."""
        return self.minimum * (1.0 - u) ** (-1.0 / self.shape)

    def cdf(self, x: Floats) -> Floats:
        """Return the probability of a value up to `x`."""
        return 1.0 - (self.minimum / np.maximum(x, self.minimum)) ** self.shape

    @property
    def tail_index(self) -> float:
        """The exponent of the right tail."""
        return self.shape
