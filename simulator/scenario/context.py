"""What YAML may say about what an agent reads: its context, and its model's prompt cache."""

from __future__ import annotations

import math
from functools import cached_property, lru_cache
from typing import Annotated, Literal

from pydantic import Field

from simulator.distributions import NonNegativeDistribution, PositiveDistribution
from simulator.distributions.deterministic import constant
from simulator.spec import Fraction, NonNegative, Positive, Spec, one_of, tag


class ContextEffect(Spec):
    """How something grows with the tokens in the context; the fill is tokens / window.

    ``linear``: ``height * fill``. ``doubling``: `height` for each doubling beyond
    `from_tokens`. ``logistic``: ``height / (1 + exp((knee - fill) / width))``, flat up to a
    knee ("context rot").
    """

    shape: Literal["linear", "doubling", "logistic"]
    """Which of the three."""
    height: NonNegative
    """Effect of a full window (linear), of one doubling (doubling), or of a fill far beyond the
    knee (logistic)."""
    from_tokens: Positive = 4000.0
    """Where the doublings are counted from."""
    knee: NonNegative = 0.5
    """Fill at which the logistic effect reaches half its height."""
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
    """Seconds for which a prompt stays in the cache, counted from when the last request that used
    it left service. A request whose service begins later reads everything anew. For ever when
    absent."""
    write_price_factor: NonNegative | None = None
    """Price of writing to the cache, as a multiple of the price of uncached input. When absent, the
    model's `Price` has the price of writing, which depends on the cache's life; if it has none,
    writing costs what input costs."""
    min_tokens: NonNegative = 0.0
    """Prompts with fewer tokens are not cached."""
    warm_tokens: NonNegative = 0.0
    """Tokens at the beginning of an agent's first prompt that the cache holds already, since others
    have lately read them: sessions with the same system prompt and tools, or an earlier session
    that the agent goes on with. At most `system_tokens` and `start_tokens` together. Others go on
    reading the part that is in the system prompt: it is there also when what the agent has read
    itself has expired."""

    @cached_property
    def is_plain(self) -> bool:
        """Whether it holds what was read for ever, and writing to it costs nothing extra."""
        return self.is_of(_for_ever())

    def is_of(self, other: PromptCache | None) -> bool:
        """Return whether it is another's cache, but for what others have read."""
        if other is None:
            return False
        mine, theirs = vars(self), vars(other)
        return all(mine[name] == theirs[name] for name in _OF_THE_CACHE)


_OF_THE_CACHE = tuple(name for name in PromptCache.model_fields if name != "warm_tokens")


@lru_cache(maxsize=1)
def _for_ever() -> PromptCache:
    """Return a cache that is as when nothing is said."""
    return PromptCache()


class Context(Spec):
    """What an agent reads before each call, in tokens.

    A prompt is the system prompt, the retained context, the messages not read yet and, read anew
    at every call, the artifacts, the board and the notes of others. The provider caches what a
    model has read: the longest unchanged beginning of the next prompt is billed and counted as
    cached input. The next call is the first to read what a call has written and what its tools
    have answered. Each agent and each model has a cache of its own.
    """

    system_tokens: NonNegative = 1500.0
    """System prompt and tools."""
    board_tokens_per_task: NonNegative = 25.0
    """The task board, for each task on it: those that have arrived, done or not."""
    artifact_tokens: NonNegative = 0.0
    """The workspace: tokens of each artifact that has been written, read anew at every call."""
    start_tokens: NonNegativeDistribution = Field(default_factory=lambda: constant(0.0))
    """Context with which an agent begins, drawn once: its task, or an earlier conversation. After
    a crash that lost the context, the agent begins with as much again."""
    turn_tokens: NonNegativeDistribution = Field(default_factory=lambda: constant(0.0))
    """What a call adds to the context besides its output: tool results, text of the harness."""
    first_turn_tokens: NonNegativeDistribution | None = None
    """The same for an agent's first call, if it differs: at first an agent looks around."""
    request_tokens: NonNegativeDistribution = Field(default_factory=lambda: constant(0.0))
    """What comes into the context between two tasks of an agent, besides what calls add: the next
    request of a person, for example. Between two loops, where the agent works in loops; between
    two calls, where it does not. No `retention` takes a share of it: it has not been read yet."""
    retention: Fraction = 1.0
    """Share of what was read and written that stays in the context for the next call. Below 1,
    the same share of everything is dropped, so that only the system prompt stays unchanged (and
    cached)."""
    window_tokens: PositiveDistribution = Field(default_factory=lambda: constant(200_000.0))
    """Context limit; beyond it the retained context is compacted or truncated. If the prompt is
    still too long, the call is refused at no cost, unless a `fallback` model has a larger window.
    The agent then waits until something shortens its prompt (`fallback.partial` leaves the tasks of
    that call alone). Where limits differ, each agent
    draws its own, and draws again while that is less than what it begins with."""
    overflow: Literal["compact", "truncate"] = "compact"
    """``compact``: a summary replaces the context. ``truncate``: the oldest part is dropped."""
    compaction: Fraction = 0.2
    """Size of the summary as a share of the window; never more than the text it summarises."""
    compaction_output: Fraction = 0.0
    """Output tokens of a compaction, as a share of the summary (1: all of it is newly written)."""
    loss: NonNegative = 0.0
    """Drift that a compaction or truncation adds, because something that mattered is lost. It is
    added at the call that makes room, after `sync` has reduced the drift."""
    cache: Annotated[
        Annotated[PromptCache, tag("fields")] | Annotated[bool, tag("switch")],
        one_of("fields", "switch", lambda value: isinstance(value, (dict, PromptCache))),
    ] = True
    """Whether the provider caches prompts, or how it does. What a billed request has read is in
    the cache when it is sent again, in the same call or the next. A hedge is sent too early to
    find it there. After a crash the system prompt is still in the cache."""
    cache_miss: Fraction = 0.0
    """Probability that a call finds only its system prompt in the cache, because the rest has
    expired or was evicted."""
    error: ContextEffect | None = None
    """What the context adds to the logit of the error probability."""
    slowdown: ContextEffect | None = None
    """What the context adds to a call's duration, as a multiple of it."""

    @cached_property
    def prompt_cache(self) -> PromptCache | None:
        """The provider's cache; None where there is none."""
        if isinstance(self.cache, PromptCache):
            return self.cache
        return PromptCache() if self.cache else None
