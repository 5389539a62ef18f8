"""The deterministic distribution."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Literal

import numpy as np

from simulator.distributions._distribution import Distribution, Floats


class Deterministic(Distribution):
    """Always `value`."""

    kind: Literal["deterministic"] = "deterministic"
    value: float
    """The one value."""

    def quantile(self, u: Floats) -> Floats:
        """Return the quantiles at `u`."""
        return np.full_like(u, self.value)

    def cdf(self, x: Floats) -> Floats:
        """Return the probability of a value up to `x`."""
        return np.where(x >= self.value, 1.0, 0.0)

    def lowest(self) -> float:
        """Return the value, shift applied."""
        return self.constant_before_effects

    @property
    def constant_before_effects(self) -> float:
        """The value, shift applied."""
        return self.value + self.shift

    @cached_property
    def constant(self) -> float | None:
        """The value, shift applied, unless a random effect makes it vary."""
        return None if any(self.sigmas) else self.constant_before_effects


@lru_cache(maxsize=256)
def constant(value: float) -> Deterministic:
    """Return the distribution that is always `value`; one, as it never changes, for all fields."""
    return Deterministic(value=value)
