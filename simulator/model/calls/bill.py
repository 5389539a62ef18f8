"""The bill: tokens and money, booked once."""

from __future__ import annotations

import math

from simulator.model.agents.agent import AgentState
from simulator.model.agents.cache_life import CacheLife
from simulator.model.metrics import Metrics
from simulator.model.timers import AN_INSTANT


class Bill:
    """What calls have read and written, and what that costs.

    Parameters
    ----------
    metrics : Metrics
        Where it is counted.
    is_priced : bool
        Whether any model has a price.
    budget_usd : float or None
        What may be spent in all.
    """

    __slots__ = ("_budget_usd", "_is_priced", "_metrics")

    def __init__(self, metrics: Metrics, is_priced: bool, budget_usd: float | None) -> None:
        self._metrics = metrics
        self._is_priced = is_priced
        # Sums of costs have rounding errors, as sums of times have.
        self._budget_usd = math.inf if budget_usd is None else budget_usd * (1.0 - AN_INSTANT)

    @property
    def is_over_budget(self) -> bool:
        """Whether the budget is spent."""
        return self._metrics.cost_usd >= self._budget_usd

    def call(self, agent: AgentState) -> None:
        """Count a call, or a turn, that has been answered; book its prompt and whole output."""
        metrics, memory = self._metrics, agent.memory
        metrics.calls += 1
        if agent.loop is not None:
            metrics.turns += 1
        uncached, cached = memory.uncached, memory.cached
        metrics.input_tokens += uncached + cached
        metrics.cached_tokens += cached
        metrics.output_tokens += agent.call.output
        if self._is_priced:
            rates = agent.rates
            metrics.cost_usd += rates.usd(uncached, cached, agent.call.output)
        if memory.life is not None:
            metrics.cost_usd += self._book_cache(agent, memory.life, uncached, cached)

    def in_vain(
        self, agent: AgentState, written: float, is_read: bool = True, from_cache: float = 1.0
    ) -> tuple[int, int, int]:
        """Book a request that came to nothing.

        Parameters
        ----------
        agent : AgentState
        written : float
            The share of the output that was written by then.
        is_read : bool
            Whether the provider bills it: neither what it failed itself nor what was given up
            before it was read.
        from_cache : float
            The share of the cached input that is billed as such.

        Returns
        -------
        (int, int, int)
            Tokens on the bill: of input, of these from the cache, and of output.
        """
        metrics, uncached, cached, output = self._metrics, 0, 0, 0
        if is_read:
            cached = int(from_cache * agent.memory.cached)
            uncached = agent.memory.uncached + agent.memory.cached - cached
            output = agent.call.written(written)
        metrics.input_tokens += uncached + cached
        metrics.cached_tokens += cached
        metrics.output_tokens += output
        metrics.wasted_tokens += uncached + cached + output
        usd = agent.rates.usd(uncached, cached, output)
        if agent.memory.life is not None and is_read:
            usd += self._book_cache(agent, agent.memory.life, uncached, cached)
        metrics.cost_usd += usd
        metrics.wasted_usd += usd
        return uncached + cached, cached, output

    def _book_cache(self, agent: AgentState, life: CacheLife, uncached: int, cached: int) -> float:
        """Count what a request has written to the cache, and return what that costs on top."""
        written = life.written(uncached, cached)
        self._metrics.cache_write_tokens += written
        self._metrics.expired_tokens += life.take_expired()
        return life.surcharge_usd(written, agent.server.price)
