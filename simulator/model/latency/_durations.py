"""How long the calls of one agent take: what the latency models give an agent."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import SupportsFloat, cast

from simulator.distributions import Distribution
from simulator.documents import MOST_NUMBER
from simulator.errors import TeamsimError
from simulator.model.streams import Draw, Purpose

Sampler = Callable[[float, int, int, int], float]
"""``(work units, uncached input tokens, cached input tokens, output tokens) -> seconds``."""

DrawFrom = Callable[[Distribution, Purpose], Draw]
"""Gives one agent's stream of draws from a distribution, for a purpose."""


class Durations(ABC):
    """A `Sampler` that is no plain function: what is compiled calls it as C does."""

    __slots__ = ()

    @abstractmethod
    def seconds(self, work: float, uncached: int, cached: int, output: int) -> float:
        """Draw how long a call takes, in seconds."""

    def __call__(self, work: float, uncached: int, cached: int, output: int) -> float:
        """Draw how long a call takes, in seconds."""
        return self.seconds(work, uncached, cached, output)


class Told(Durations):
    """Durations as a function of another package draws them.

    Parameters
    ----------
    kind : str
        The name of its latency model, for errors.
    sampler : callable
    """

    __slots__ = ("_kind", "_sampler")

    def __init__(self, kind: str, sampler: Sampler) -> None:
        self._kind = kind
        self._sampler = sampler

    def seconds(self, work: float, uncached: int, cached: int, output: int) -> float:
        """Draw how long a call takes, in seconds.

        Raises
        ------
        TeamsimError
            If it is no time: no number, below 0, or beyond what can be added up.
        """
        sampler: Callable[..., object] = self._sampler  # who knows what another package returns
        found = sampler(work, uncached, cached, output)
        try:  # a number of NumPy may have fewer digits, and sums would have no more
            seconds = float(cast(SupportsFloat, found))
        except (TypeError, ValueError):
            seconds = math.nan
        if not 0.0 <= seconds <= MOST_NUMBER:
            raise TeamsimError(
                f"latency: {self._kind!r} says that a call takes {found} s, which is no time "
                f"from 0 to {MOST_NUMBER:g} s (work units {work:g}, input tokens "
                f"{uncached:g} uncached and {cached:g} cached, output tokens {output:g})"
            )
        return seconds


class ServiceTimes(ABC):
    """How long the calls of agents of a kind take: what their specification says, read once."""

    __slots__ = ()

    @abstractmethod
    def durations(self, draw_from: DrawFrom) -> Durations:
        """Return the durations of the calls of one agent, which has draws of its own."""


class Sampled(ServiceTimes):
    """Service times of which only the sampler of each agent is known.

    Parameters
    ----------
    kind : str
        The name of the latency model.
    sampler : callable
        Makes the `Sampler` of an agent.
    """

    __slots__ = ("_kind", "_sampler")

    def __init__(self, kind: str, sampler: Callable[[DrawFrom], Sampler]) -> None:
        self._kind = kind
        self._sampler = sampler

    def durations(self, draw_from: DrawFrom) -> Durations:
        """Return the durations of the calls of one agent."""
        sampler = self._sampler(draw_from)
        return sampler if isinstance(sampler, Durations) else Told(self._kind, sampler)


class Drawn(Durations):
    """Durations that do not depend on what is in the call."""

    __slots__ = ("_base",)

    def __init__(self, base: Callable[[], float]) -> None:
        self._base = base

    def seconds(self, work: float, uncached: int, cached: int, output: int) -> float:
        """Draw how long a call takes, in seconds."""
        return self._base()


class ByWork(Durations):
    """``(base + per_work * work + per_token * input) * residual``, and at most `most_s`.

    A call without work takes what `idle` draws, where that is given.
    """

    __slots__ = ("_base", "_idle", "_most_s", "_per_token", "_per_work", "_residual")

    def __init__(
        self,
        base: Callable[[], float],
        per_work: float,
        per_token: float,
        residual: Callable[[], float],
        most_s: float,
        idle: Callable[[], float] | None,
    ) -> None:
        self._base, self._residual, self._idle = base, residual, idle
        self._per_work, self._per_token, self._most_s = per_work, per_token, most_s

    def seconds(self, work: float, uncached: int, cached: int, output: int) -> float:
        """Draw how long a call takes, in seconds."""
        if self._idle is not None and work == 0.0:
            return self._idle()
        base_s = self._base() + self._per_work * work
        seconds = (base_s + self._per_token * (uncached + cached)) * self._residual()
        return seconds if seconds < self._most_s else self._most_s


class BySeconds(ServiceTimes):
    """Service times by `Seconds`: see there."""

    __slots__ = ("_base", "_idle", "_is_plain", "_most_s", "_per_token", "_per_work", "_residual")

    def __init__(
        self,
        base: Distribution,
        per_work: float,
        per_token: float,
        residual: Distribution,
        most_s: float,
        idle: Distribution | None,
    ) -> None:
        self._base, self._residual, self._idle = base, residual, idle
        self._per_work, self._per_token, self._most_s = per_work, per_token, most_s
        is_limited = most_s < math.inf
        is_varied = residual.constant != 1.0 or idle is not None
        self._is_plain = not (per_work or per_token or is_varied or is_limited)

    def durations(self, draw_from: DrawFrom) -> Durations:
        """Return the durations of the calls of one agent."""
        base = draw_from(self._base, Purpose.LATENCY)
        if self._is_plain:
            return Drawn(base)
        residual = draw_from(self._residual, Purpose.LATENCY_RESIDUAL)
        idle: Draw | None = None
        if self._idle is not None:
            idle = draw_from(self._idle, Purpose.LATENCY_IDLE)
        return ByWork(base, self._per_work, self._per_token, residual, self._most_s, idle)


class ByTokens(Durations):
    """``base`` and what each token takes that is read, cached or written, times ``residual``."""

    __slots__ = ("_base", "_per_cached", "_per_output", "_per_uncached", "_residual")

    def __init__(
        self,
        base: float,
        per_uncached: float,
        per_cached: float,
        per_output: float,
        residual: Callable[[], float],
    ) -> None:
        self._base, self._residual = base, residual
        self._per_uncached, self._per_cached = per_uncached, per_cached
        self._per_output = per_output

    def seconds(self, work: float, uncached: int, cached: int, output: int) -> float:
        """Draw how long a call takes, in seconds."""
        mean = self._base + self._per_uncached * uncached + self._per_cached * cached
        return (mean + self._per_output * output) * self._residual()


class ByTokenCounts(ServiceTimes):
    """Service times by `TokenLatency`: see there."""

    __slots__ = ("_base", "_per_cached", "_per_output", "_per_uncached", "_residual")

    def __init__(
        self,
        base: float,
        per_uncached: float,
        per_cached: float,
        per_output: float,
        residual: Distribution,
    ) -> None:
        self._base, self._residual = base, residual
        self._per_uncached, self._per_cached = per_uncached, per_cached
        self._per_output = per_output

    def durations(self, draw_from: DrawFrom) -> Durations:
        """Return the durations of the calls of one agent."""
        residual = draw_from(self._residual, Purpose.LATENCY_RESIDUAL)
        rates = self._per_uncached, self._per_cached, self._per_output
        return ByTokens(self._base, *rates, residual)
