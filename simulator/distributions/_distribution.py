"""What every distribution has: quantile, cdf, shift, truncation and random effects."""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import cached_property
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, model_validator
from pydantic_core import PydanticCustomError

from simulator.distributions._facts import Facts
from simulator.registry import OneOf, Plugin, Registry
from simulator.spec import NonNegative, Positive

Floats = npt.NDArray[np.float64]

_SIGMAS = ("run_sigma", "agent_sigma", "phase_sigma")

BELOW_ONE = float(np.nextafter(1.0, 0.0))
"""The largest uniform that is used: a distribution without an upper end is infinite at 1."""

_ACROSS = np.asarray([0.0, 0.5, BELOW_ONE])
"""Uniforms that give the smallest, the middle and the largest draw."""

_FARTHEST = 8.3
"""No standard normal that is made of a uniform is larger (the quantile at 1 - 2^-53 is 8.21)."""

_LARGEST_LOG = 700.0
"""Its exponential is a number."""

DISTRIBUTIONS: Registry[Distribution] = Registry(
    "distribution", "simulator.distributions", "teamsim.distributions", takes_numbers=True
)


class Distribution(Plugin):
    """A real random variable, drawn by inversion of uniforms.

    A family implements `quantile` and `cdf`; shift and truncation are done here. The
    random effects are multiplicative: a draw is multiplied by
    ``exp(run_sigma * Z_run + agent_sigma * Z_agent)`` with standard normal ``Z`` drawn once a
    replication and once an agent (median 1), so that there are slow runs and slow agents. It is
    also multiplied by ``exp(phase_sigma * Z_t)``, where ``Z_t`` is a stationary autoregressive
    process of each agent whose correlation over k draws is ``exp(-k / phase_length)``, so that
    there are slow phases. The effects multiply the draw after its shift and truncation. A quantity
    that no agent draws (such as the sizes of tasks, or the times of a workspace) has no effect of
    an agent, and an `agent_sigma` there is an error.
    """

    shift: float = 0.0
    """Added to every draw (a location parameter), in the unit of the variable."""
    at_least: float | None = None
    """Lower truncation point of the shifted variable; draws below never happen."""
    at_most: float | None = None
    """Upper truncation point of the shifted variable; draws above never happen."""
    run_sigma: NonNegative = 0.0
    """Standard deviation, on the log scale, of the effect shared by a whole replication."""
    agent_sigma: NonNegative = 0.0
    """Standard deviation, on the log scale, of the effect of one agent in a replication."""
    phase_sigma: NonNegative = 0.0
    """Standard deviation, on the log scale, of the effect that comes and goes."""
    phase_length: Positive = 10.0
    """Draws over which the correlation of that effect falls to 1/e."""

    @abstractmethod
    def quantile(self, u: Floats) -> Floats:
        """Return the quantiles at `u` (any shape, in [0, 1)) of the plain family."""

    @abstractmethod
    def cdf(self, x: Floats) -> Floats:
        """Return the probability of a value up to `x` (any shape) under the plain family."""

    def transform(self, u: Floats) -> Floats:
        """Turn uniforms on [0, 1) into draws, shift and truncation applied.

        Parameters
        ----------
        u : ndarray, any shape
            Independent uniforms.

        Returns
        -------
        ndarray, shape of `u`
        """
        if self.at_least is None and self.at_most is None:
            return self.quantile(u) + self.shift
        below, inside = self.window_mass()
        if inside < 1.0:
            u = np.minimum(below + u * inside, BELOW_ONE)  # a sum can be rounded to 1
        # Rounding at the edges only.
        return np.clip(self.quantile(u) + self.shift, self.at_least, self.at_most)

    def window_mass(self) -> tuple[float, float]:
        """Return the probability below the truncation window and inside it."""
        below, above = 0.0, 1.0
        if self.at_least is not None:
            # A point mass on the edge belongs to the window.
            edge = np.nextafter(self.at_least - self.shift, -np.inf)
            below = float(self.cdf(np.asarray(edge)))
        if self.at_most is not None:
            above = float(self.cdf(np.asarray(self.at_most - self.shift)))
        return below, above - below

    def probability_up_to(self, x: Floats) -> Floats:
        """Return the probability of a draw up to `x` (any shape), shift and truncation applied."""
        below, inside = self.window_mass()
        return np.clip((self.cdf(x - self.shift) - below) / inside, 0.0, 1.0)

    @cached_property
    def _across(self) -> tuple[float, ...]:
        """The smallest, the middle and the largest draw."""
        with np.errstate(over="ignore", invalid="ignore"):
            return tuple(self.transform(_ACROSS).tolist())

    def lowest(self) -> float:
        """Return the smallest value that can be drawn."""
        return self._across[0]

    @cached_property
    def largest(self) -> float:
        """The largest absolute value of a draw, with the effect of a phase and no other."""
        low, _, high = self._across
        ends = [abs(end) for end in (low, high) if not math.isnan(end)]
        return max(ends, default=math.nan) * self.largest_phase

    @property
    def largest_phase(self) -> float:
        """What a draw is multiplied by at most by the effect that comes and goes."""
        return math.exp(min(_LARGEST_LOG, _FARTHEST * self.phase_sigma))

    @property
    def tail_index(self) -> float:
        """The exponent of the plain family's right tail, where that is a power law.

        Infinite for lighter tails. The mean is infinite up to 1, the variance up to 2.
        """
        return math.inf

    @property
    def has_variance(self) -> bool:
        """Whether the variance of a draw is finite."""
        return self.at_most is not None or self.tail_index > 2.0

    @property
    def constant(self) -> float | None:
        """The value of a variable that never varies, else None."""
        return None

    @property
    def constant_before_effects(self) -> float | None:
        """The value that random effects multiply, where nothing else varies, else None."""
        return None

    @property
    def sigmas(self) -> tuple[float, float, float]:
        """Standard deviations of the effects of a run, of an agent and of a phase."""
        return self.run_sigma, self.agent_sigma, self.phase_sigma

    def part_sigmas(self, u: Floats) -> Floats | None:
        """Return further standard deviations of the effects on each draw, shape (3, *u.shape).

        They add to `sigmas`, for draws made of `u` (any shape). None if there are none.
        """
        return None

    @property
    def has_agent_effect(self) -> bool:
        """Whether it has an effect of each agent in a replication."""
        return self.agent_sigma > 0.0

    @property
    def has_phases(self) -> bool:
        """Whether it has an effect that comes and goes."""
        return self.phase_sigma > 0.0

    @cached_property
    def facts(self) -> Facts:
        """What those who draw from it need to know."""
        value = self.constant
        if value is not None:
            return Facts(is_constant=True, constant=value)
        value, has_phases = self.constant_before_effects, self.phase_sigma > 0.0
        has_part_effects = self.part_sigmas(np.zeros(1)) is not None
        return Facts(
            is_one_number=value is not None and not has_phases,
            constant=value or 0.0,
            has_part_effects=has_part_effects,
            has_effects=bool(self.run_sigma or self.agent_sigma),
            run_sigma=self.run_sigma,
            agent_sigma=self.agent_sigma,
            has_phases=has_phases,
            largest=0.0 if has_part_effects else self.largest,
        )

    @model_validator(mode="after")
    def _effects_have_an_effect(self) -> Self:
        fields = self.model_fields_set
        if "phase_length" in fields and not ("phase_sigma" in fields or self.has_phases):
            raise ValueError(
                "phase_length says how long phases last, but without phase_sigma there are none"
            )
        if any(self.sigmas) and not any(self._across):
            said = next(n for n, sigma in zip(_SIGMAS, self.sigmas, strict=True) if sigma > 0.0)
            raise ValueError(f"{said} multiplies each draw, and this is always 0; leave it out")
        return self

    @model_validator(mode="after")
    def _window_is_not_empty(self) -> Self:
        if not self.window_mass()[1] > 0.0:
            raise ValueError(
                f"truncation to [{self.at_least}, {self.at_most}] leaves nothing to draw"
            )
        return self


def _never_negative(distribution: Distribution) -> Distribution:
    lowest = distribution.lowest()
    if lowest < 0.0:
        raise PydanticCustomError(
            "negative",
            "this quantity cannot be negative, but {kind} can be {lowest}; truncate it with "
            "at_least: 0 if that is meant",
            {"kind": distribution.kind, "lowest": f"{lowest:.4g}"},
        )
    return distribution


def _positive(distribution: Distribution) -> Distribution:
    if distribution.constant == 0.0:
        raise PydanticCustomError("zero", "this quantity must be greater than 0")
    return distribution


def _nobodys(distribution: Distribution) -> Distribution:
    if distribution.has_agent_effect:
        raise ValueError(
            "no agent draws this, so there is no agent_sigma: leave it out, or use run_sigma for "
            "an effect that all draws of a replication share"
        )
    return distribution


DistributionSpec = Annotated[Distribution, OneOf(DISTRIBUTIONS)]
"""A field that holds any distribution."""

NonNegativeDistribution = Annotated[DistributionSpec, AfterValidator(_never_negative)]
"""A field that holds a distribution of durations, tokens or counts."""

PositiveDistribution = Annotated[NonNegativeDistribution, AfterValidator(_positive)]
"""A field that holds a distribution of sizes that are not 0."""

SharedDistribution = Annotated[NonNegativeDistribution, AfterValidator(_nobodys)]
"""A field that holds a distribution of durations, tokens or counts that no agent draws."""
