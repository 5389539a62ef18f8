"""The uniform distribution."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import model_validator

from simulator.distributions._distribution import Distribution, Floats


class Uniform(Distribution):
    """Uniform between `low` and `high`."""

    kind: Literal["uniform"] = "uniform"
    low: float = 0.0
    """Smallest value, in the unit of the variable."""
    high: float
    """Largest value, in the unit of the variable; above `low`."""

    def quantile(self, u: Floats) -> Floats:
        """Return the quantiles at `u`."""
        return self.low + (self.high - self.low) * u

    def cdf(self, x: Floats) -> Floats:
        """Return the probability of a value up to `x`."""
        return np.clip((x - self.low) / (self.high - self.low), 0.0, 1.0)

    @model_validator(mode="before")
    @classmethod
    def _bounds_are_in_order(cls, data: dict[str, object]) -> dict[str, object]:
        low, high = data.get("low", 0.0), data.get("high")
        if isinstance(low, (int, float)) and isinstance(high, (int, float)) and high <= low:
            raise ValueError(f"high ({high}) must be above low ({low})")
        return data
