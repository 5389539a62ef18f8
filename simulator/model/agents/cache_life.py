"""How long a model's prompt cache keeps what the model has read."""

from __future__ import annotations

import math

from simulator.model.timers import AN_INSTANT
from simulator.scenario.agent import Price
from simulator.scenario.context import PromptCache


class CacheLife:
    """When an agent's cached prompt was last used, from which its expiry counts.

    Parameters
    ----------
    spec : PromptCache

    Attributes
    ----------
    expired : int
        Tokens that the request under way would have read from the cache in time.
    """

    __slots__ = ("_life_s", "_parent", "_spec", "_used_s", "expired")

    def __init__(self, spec: PromptCache) -> None:
        self._spec = spec
        self._life_s = math.inf if spec.life_s is None else spec.life_s * (1.0 + AN_INSTANT)
        self._used_s = -math.inf
        self._parent: CacheLife | None = None
        self.expired = 0

    @staticmethod
    def of(spec: PromptCache | None) -> CacheLife | None:
        """Return the life of what a cache holds; None where it keeps everything for ever."""
        return None if spec is None or spec.is_plain else CacheLife(spec)

    def use(self, now: float) -> None:
        """Note that a request uses the cache until now."""
        self._used_s = now
        if self._parent is not None:
            self._parent.use(now)

    def fork(self, waits: bool) -> CacheLife:
        """Return the life of the same prompt for another agent, which goes on from it.

        Where the agent `waits` for that one, the requests of that one keep its own prompt in the
        cache too, for as long as their prompts begin with it.
        """
        other = CacheLife(self._spec)
        other._used_s, other.expired = self._used_s, self.expired
        other._parent = self if waits else None
        return other

    def part(self) -> None:
        """Note that prompts no longer begin as those of the agent from which this went on."""
        self._parent = None

    def keeps(self, now: float, tokens: int, shared_tokens: int = 0) -> int:
        """Return how many of so many tokens are still there for a request that begins now.

        `shared_tokens` are kept by others. Before the first request, all tokens are.
        """
        if now - self._used_s > self._life_s and self._used_s > -math.inf:
            self.expired += max(0, tokens - shared_tokens)
            tokens = min(tokens, shared_tokens)
        return tokens if tokens >= self._spec.min_tokens else 0

    def written(self, uncached: int, cached: int) -> int:
        """Return how many tokens of a prompt a request writes to the cache."""
        return uncached if uncached + cached >= self._spec.min_tokens else 0

    def surcharge_usd(self, written: int, price: Price) -> float:
        """Return what writing so many tokens costs beyond their price as uncached input."""
        factor = self._spec.write_price_factor
        if factor is None:
            return price.write_surcharge_usd(written, self._spec.life_s)
        return price.usd(written, 0, 0) * (factor - 1.0)

    def take_expired(self) -> int:
        """Return the tokens that were no longer there, and begin anew."""
        expired, self.expired = self.expired, 0
        return expired
