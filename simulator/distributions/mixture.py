"""A finite mixture of distributions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from simulator.distributions._distribution import (
    BELOW_ONE,
    Distribution,
    DistributionSpec,
    Floats,
)
from simulator.spec import Positive, Spec


class Component(Spec):
    """One part of a mixture."""

    weight: Positive
    """Relative weight; the weights need not add up to one."""
    distribution: DistributionSpec
    """What is drawn when this component is chosen."""


class Mixture(Distribution):
    """Draws from one of several distributions, chosen by weight.

    Random effects of the mixture hold for all components; those of a component hold for draws from
    it. The ``Z`` of a run, an agent or a phase is the same number for all of them.
    """

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
        x = np.empty_like(u)
        for part, here, inner in self._parts(u):
            x[here] = part.transform(inner)
        return x + self.shift

    def _parts(self, u: Floats) -> Iterator[tuple[Distribution, npt.NDArray[np.bool_], Floats]]:
        """Yield each component, a mask of the `u` that choose it, and the uniforms of its draws."""
        edges = np.concatenate(([0.0], np.cumsum(self._weights)))
        chosen = np.minimum(np.searchsorted(edges, u, side="right") - 1, len(self.components) - 1)
        for i, component in enumerate(self.components):
            here = chosen == i
            inner = (u[here] - edges[i]) / self._weights[i]
            yield component.distribution, here, np.clip(inner, 0.0, BELOW_ONE)

    def part_sigmas(self, u: Floats) -> Floats | None:
        """Return the effects of the components that `u` choose, which add to the mixture's own."""
        if not self._parts_vary:
            return None
        sigmas = np.zeros((3, *u.shape))
        for part, here, inner in self._parts(u):
            sigmas[:, here] = np.reshape(part.sigmas, (3, 1))
            inside = part.part_sigmas(inner)
            if inside is not None:
                sigmas[:, here] += inside
        return sigmas

    @cached_property
    def _parts_vary(self) -> bool:
        parts = [component.distribution for component in self.components]
        return any(any(part.sigmas) or _parts_vary(part) for part in parts)

    @model_validator(mode="after")
    def _effects_of_parts_can_be_told(self) -> Self:
        if self._parts_vary and (self.at_least is not None or self.at_most is not None):
            raise ValueError(
                "in a truncated mixture the component of a draw is not known: give run_sigma, "
                "agent_sigma and phase_sigma for the mixture, not for a component"
            )
        # Scenarios that are written out in full say the default for every component.
        lengths = {component.distribution.phase_length for component in self.components}
        if lengths - {Distribution.model_fields["phase_length"].default, self.phase_length}:
            raise ValueError(
                "the phases of a mixture have one phase_length: give it for the mixture"
            )
        return self

    @property
    def has_agent_effect(self) -> bool:
        """Whether it or a component has an effect of one agent in a replication."""
        parts = [component.distribution for component in self.components]
        return self.agent_sigma > 0.0 or any(part.has_agent_effect for part in parts)

    @property
    def has_phases(self) -> bool:
        """Whether it or a component has an effect that comes and goes."""
        return self.phase_sigma > 0.0 or any(c.distribution.has_phases for c in self.components)

    def lowest(self) -> float:
        """Return the smallest value that any component can draw."""
        parts = min(component.distribution.lowest() for component in self.components)
        return max(parts + self.shift, -np.inf if self.at_least is None else self.at_least)

    @cached_property
    def largest(self) -> float:
        """The largest absolute value of a draw, which any component may have, with a phase."""
        if self.at_least is not None or self.at_most is not None:
            return super().largest
        # Unlike those of one family, its draws do not grow with the uniform that they are made of.
        parts = [component.distribution for component in self.components]
        return (max(each.largest for each in parts) + abs(self.shift)) * self.largest_phase

    def quantile(self, u: Floats) -> Floats:
        """Return the quantiles at `u`, by bisection between the components' quantiles."""
        u = np.clip(u, 0.0, BELOW_ONE)
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
        """The smallest tail exponent of the components."""
        parts = [component.distribution for component in self.components]
        return min(math.inf if part.at_most is not None else part.tail_index for part in parts)


def _parts_vary(part: Distribution) -> bool:
    return isinstance(part, Mixture) and part._parts_vary


_BISECTIONS = 80
"""Number of bisections, enough to reach the last bit of a double."""
