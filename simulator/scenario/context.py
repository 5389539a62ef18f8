"""What YAML may say about what an agent reads: its context, and its model's prompt cache."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Literal

from pydantic import Field

from simulator.distributions import NonNegativeDistribution
from simulator.distributions.deterministic import constant
from simulator.spec import Fraction, NonNegative, Positive, Spec


class ContextEffect(Spec):
    """How something grows with the tokens in the context; the fill is tokens / window.

    ``linear``: ``height * fill``. ``doubling``: `height` for each doubling beyond
    `from_tokens`. ``logistic``: ``height / (1 + exp((knee - fill) / width))``, flat up to a
    knee ("context rot").
    """

    shape: Literal["linear", "doubling", "logistic"]
    height: NonNegative
    """Effect of a full window, of one doubling, or far beyond the knee."""
    from_tokens: Positive = 4000.0
    """Where the doublings are counted from."""
    knee: NonNegative = 0.5
    """Fill at which half of the logistic effect is there."""
    width: Positive = 0.1
    """Width of the logistic rise, in units of fill."""

    def at(self, tokens: float, window_tokens: float) -> float:
        """Return the effect of a context of `tokens`."""
        if self.shape == "doubling":
            return self.height * max(0.0, math.log2(max(tokens, 1.0) / self.from_tokens))
        fill = tokens / window_tokens
        if self.shape == "linear":
            return self.height * fill
        return self.height / (1.0 + math.exp(min(700.0, (self.knee - fill) / self.width)))


class PromptCache(Spec):
    """The provider's cache of what a model has read."""

    life_s: Positive | None = None
    """Seconds for which a prompt stays in the cache after the last request that used it has left
    service; a request whose service begins later reads everything anew. For ever when absent."""
    write_price_factor: NonNegative | None = None
    """What multiplies the price of uncached input, which is written to the cache. When absent, what
    the model's `Price` says of writing, by the cache's life; without that, the price of input."""
    min_tokens: NonNegative = 0.0
    """Prompts with fewer tokens are not cached."""

    @property
    def is_plain(self) -> bool:
        """Whether it holds every prompt for ever, at no price of its own."""
        return self == PromptCache()


class Context(Spec):
    """What an agent reads before each call, in tokens.

    A prompt is the system prompt, the retained context, the messages not read yet and, read anew
    at every call, the artifacts, the board and the notes of others. The provider caches what a
    model has read: of the next prompt, the part from the beginning on that is as it was costs
    and counts as cached input. What a call has written and what its tools have said is read
    for the first time by the next one. Agents share no cache, nor do models.
    """

    system_tokens: NonNegative = 1500.0
    """System prompt and tools."""
    board_tokens_per_task: NonNegative = 25.0
    """The task board, for each task on it."""
    artifact_tokens: NonNegative = 0.0
    """The workspace: tokens of each artifact that has been written, read anew at every call."""
    start_tokens: NonNegativeDistribution = Field(default_factory=lambda: constant(0.0))
    """Context with which an agent begins, drawn once: its task, a conversation that goes on. After
    a crash that lost the context, it begins so again."""
    turn_tokens: NonNegativeDistribution = Field(default_factory=lambda: constant(0.0))
    """What a call adds to the context besides its output: tool results, the harness's words."""
    first_turn_tokens: NonNegativeDistribution | None = None
    """The same for an agent's first call, where it differs: it looks around."""
    retention: Fraction = 1.0
    """Share of what was read and written that stays in the context for the next call. Below 1
    the same share of everything is dropped, so that only the system prompt is as it was."""
    window_tokens: Positive = 200_000.0
    """Context limit; beyond it the retained context is compacted or truncated. A call whose
    prompt is too long all the same is refused, at no cost, unless a `fallback` model has a
    larger window; the agent then waits until something shortens its prompt."""
    overflow: Literal["compact", "truncate"] = "compact"
    """``compact``: a summary takes the context's place. ``truncate``: the oldest goes."""
    compaction: Fraction = 0.2
    """Size of the summary as a share of the window; it is never larger than what it sums up."""
    compaction_output: Fraction = 0.0
    """Output tokens of a compaction, as a share of the summary (1: it is all written anew)."""
    loss: NonNegative = 0.0
    """Drift that a compaction or truncation adds: something that mattered is gone. It comes with
    the call that makes room, after what `sync` takes away."""
    cache: bool | PromptCache = True
    """Whether the provider caches prompts, or how. What was read by a request that was
    billed is found in the cache when it is sent again, in the same call or the next; a hedge is
    sent too early for that. After a crash the system prompt is still there."""
    cache_miss: Fraction = 0.0
    """Probability that a call finds no more than its system prompt in the cache: the rest has
    expired or was evicted."""
    error: ContextEffect | None = None
    """What the context adds to the logit of the error probability."""
    slowdown: ContextEffect | None = None
    """What the context adds to a call's duration, as a multiple of it."""

    @cached_property
    def compacted_tokens(self) -> int:
        """Tokens that a compaction keeps, at most."""
        return int(self.compaction * self.window_tokens)

    @cached_property
    def prompt_cache(self) -> PromptCache | None:
        """The provider's cache; None where there is none."""
        if isinstance(self.cache, PromptCache):
            return self.cache
        return PromptCache() if self.cache else None
