"""A finite mixture of distributions."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from simulator.distributions._distribution import Distribution, DistributionSpec, Floats
from simulator.spec import Positive, Spec


class Component(Spec):
    """One part of a mixture."""

    weight: Positive
    """Relative weight; the weights need not add up to one."""
    distribution: DistributionSpec
    """What is drawn when this component is chosen."""


class Mixture(Distribution):
    """Draws from one of several distributions, chosen by weight."""

    kind: Literal["mixture"] = "mixture"
    components: Annotated[tuple[Component, ...], Field(min_length=1)]
    """The parts."""

    @cached_property
    def _weights(self) -> Floats:
        weights = np.asarray([component.weight for component in self.components])
        return np.asarray(weights / weights.sum(), dtype=np.float64)

    def transform(self, u: Floats) -> Floats:
        """Turn uniforms into draws: `u` picks the component and, rescaled, the draw in it.

        A truncated mixture has no such shortcut and inverts its distribution function.
        """
        if self.at_least is not None or self.at_most is not None:
            return super().transform(u)
        edges = np.concatenate(([0.0], np.cumsum(self._weights)))
        chosen = np.minimum(np.searchsorted(edges, u, side="right") - 1, len(self.components) - 1)
        x = np.empty_like(u)
        for i, component in enumerate(self.components):
            here = chosen == i
            inner = (u[here] - edges[i]) / self._weights[i]
            x[here] = component.distribution.transform(np.clip(inner, 0.0, _BELOW_ONE))
        return x + self.shift

    def lowest(self) -> float:
        """Return the smallest value that any component can draw."""
        parts = min(component.distribution.lowest() for component in self.components)
        return max(parts + self.shift, -np.inf if self.at_least is None else self.at_least)

    def quantile(self, u: Floats) -> Floats:
        """Return the quantiles at `u`, by bisection between the components' quantiles."""
        u = np.clip(u, 0.0, _BELOW_ONE)
        parts = np.stack([component.distribution.transform(u) for component in self.components])
        low, high = parts.min(axis=0), parts.max(axis=0)
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            short = self.cdf(middle) < u
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        return np.asarray(high, dtype=np.float64)

    def cdf(self, x: Floats) -> Floats:
        """Return the probability of a value up to `x`."""
        total = np.zeros(np.shape(x))
        for weight, component in zip(self._weights, self.components, strict=True):
            total += weight * component.distribution.probability_up_to(x)
        return total

    @property
    def tail_index(self) -> float:
        """The least of the components'."""
        parts = [component.distribution for component in self.components]
        return min(math.inf if part.at_most is not None else part.tail_index for part in parts)


_BELOW_ONE = np.nextafter(1.0, 0.0)
_BISECTIONS = 80
"""Enough to reach the last bit of a double."""
