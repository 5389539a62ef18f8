"""What an agent reads and remembers: its context, its model's prompt cache, what it is sent."""

from __future__ import annotations

from simulator.model.agents.additions import Additions
from simulator.model.agents.cache_life import CacheLife
from simulator.model.agents.channels import Inbox
from simulator.model.agents.draws import OwnDraws
from simulator.model.agents.held import Conversation, Held
from simulator.model.agents.kind import Reading
from simulator.model.agents.overflow import compacted, window_of
from simulator.model.board import Board
from simulator.model.streams import Purpose
from simulator.scenario.context import PromptCache


class Memory:
    """The prompt of the call that an agent is in, and what stays of it for the next.

    Parameters
    ----------
    kind : Reading
    inbox : Inbox
        What it hears.
    draws : OwnDraws

    Attributes
    ----------
    uncached, cached : int
        Input tokens of the call, by whether the model's cache holds them.
    context_tokens : int
        What is remembered from call to call.
    sent_context : int
        How much of it the call sends.
    unread_messages, unread_tokens : int
        News that the call reads.
    is_read : bool
        Whether a model has read the prompt of the call.
    overflows : bool
        Whether the prompt of the call, with all that is retained, exceeds the window.
    summary_tokens : int
        Of the call's output, what stands for the retained context from then on.
    compactions : int
        How often the context was made to fit.
    life : CacheLife or None
        How long the model's cache keeps what it has read; None where that is for ever.
    """

    __slots__ = (
        "_additions",
        "_artifact_tokens",
        "_cache_miss",
        "_caches",
        "_held",
        "_kind",
        "_life_elsewhere",
        "_overflow",
        "_prefix_elsewhere",
        "_prefix_tokens",
        "_retention",
        "_rolls_miss",
        "_shared_tokens",
        "_start_tokens",
        "_system_tokens",
        "_tokens_per_task",
        "cached",
        "compactions",
        "context_tokens",
        "inbox",
        "is_read",
        "life",
        "overflows",
        "sent_context",
        "summary_tokens",
        "uncached",
        "unread_messages",
        "unread_tokens",
        "window_tokens",
    )

    def __init__(self, kind: Reading, inbox: Inbox, draws: OwnDraws) -> None:
        self._kind, self.inbox = kind, inbox
        self._tokens_per_task = kind.board_tokens_per_task
        self._artifact_tokens = kind.artifact_tokens
        self._start_tokens = int(draws.by(kind.start, Purpose.START_TOKENS)())
        self._additions = Additions(kind, draws)
        self._cache_miss = kind.cache_miss
        self._rolls_miss = draws.rolls(Purpose.CACHE_MISS, kind.cache_miss > 0.0)
        self._system_tokens = kind.system_tokens
        self.window_tokens = window_of(kind, self._system_tokens + self._start_tokens, draws)
        self._retention, self._overflow = kind.retention, kind.overflow
        self._caches = kind.cache is not None
        self.life = CacheLife.of(kind.cache) if kind.has_life else None
        self._life_elsewhere: CacheLife | None = None  # that of the model that stands in
        self.context_tokens = self._start_tokens
        # Cached tokens at the start of its prompt: in its model's cache; those that others keep
        # there; in the cache of the model that stands in for its own.
        self._prefix_tokens = min(kind.warm_tokens, self._system_tokens + self._start_tokens)
        self._shared_tokens = min(kind.warm_tokens, self._system_tokens)
        self._prefix_elsewhere = 0
        self.sent_context = self.uncached = self.cached = 0
        self.unread_messages = self.unread_tokens = self.summary_tokens = self.compactions = 0
        self.is_read = self.overflows = False
        self._held: Held | None = None  # what the loop that goes on has read

    def read(self, now: float, board: Board | None) -> None:
        """Read board and inbox; set the input tokens of the call that begins.

        Without a board it is a further turn of a loop, which reads its inbox only.
        """
        messages, unread, noted = self.inbox.read(now)
        self.unread_messages, self.unread_tokens = messages, unread
        if board is None:
            fresh = unread
            if self._held is not None:
                self._held.wait(self.inbox.is_shut)
        else:
            fresh = unread + noted
            if self._tokens_per_task:
                fresh += int(self._tokens_per_task * board.listed)
            if self._artifact_tokens:
                fresh += int(self._artifact_tokens * board.written)
        self.is_read = False
        self.cached = self._prefix_tokens
        if self._cache_miss and self._rolls_miss() < self._cache_miss:
            self.cached = min(self.cached, self._system_tokens)
        context = self.context_tokens
        total = self._system_tokens + context + fresh
        if total > self.window_tokens:
            context = self._make_room(fresh)
            total = self._system_tokens + context + fresh
        self.sent_context = context
        self.uncached = total - self.cached

    def _make_room(self, fresh: int) -> int:
        """Compact or truncate the context; return its size, kept only if the call succeeds."""
        self.overflows = True
        if self.life is not None:
            self.life.part()
        before, summary = self.context_tokens, 0
        if self._overflow == "truncate":
            context = min(before, max(0, int(self.window_tokens) - self._system_tokens - fresh))
        else:
            context, summary = compacted(self._kind, self.window_tokens, before)
        if context < before:
            self.summary_tokens = summary
            self.cached = min(self.cached, self._system_tokens)
        return context

    @property
    def prompt_tokens(self) -> int:
        """Input of the call."""
        return self.uncached + self.cached

    def is_too_long(self) -> bool:
        """Return whether the prompt of the call does not fit its own model's window."""
        return self.overflows and self.uncached + self.cached > self.window_tokens

    def makes_room(self) -> bool:
        """Return whether the call is sent less context than there was."""
        return self.overflows and self.sent_context < self.context_tokens

    def remember(self, output: int, goes_on: bool = False) -> None:
        """Keep in the context what the call that ends has read, and `output` that it has written.

        Where it `goes_on`, as a loop does after a turn, all that it has read is kept.

        What it has read there is the beginning of the next prompt, and in the model's cache;
        what it has written, and what its tools say, is read for the first time then. Of a
        context of which a share is dropped, the rest has moved.
        """
        read = kept = self.sent_context + self.unread_tokens
        if goes_on:
            kept, before = self.uncached + self.cached - self._system_tokens, self.context_tokens
            self._held = self._held or Held(before)
            self._held.end_turn(read, kept - read, before - self.sent_context, self._overflow)
            read = kept
            self.is_read = False
        elif self._held is not None:
            dropped = self.context_tokens - self.sent_context
            read, kept = self._held.end(read, dropped, self._overflow)
            self._held = None
        added, asked = self._additions.fixed, 0
        if self._additions.varies:
            added, asked = self._additions.draw(goes_on)
        total = kept + output + added
        if self.overflows:
            total -= self.summary_tokens  # it is what was sent as the context
            if self.makes_room():
                self.compactions += 1
                self.keep_prefix(0)
            self.overflows, self.summary_tokens = False, 0
        if self._retention == 1.0 or goes_on:
            self.context_tokens = total + asked
        else:
            self.context_tokens, read = int(self._retention * total) + asked, 0
            self.keep_prefix(0)
        if self._caches:
            self._prefix_tokens = self._system_tokens + read

    def saved(self) -> Conversation:
        """Return what a checkpoint has of the loop, whose last turn is over with its tools."""
        assert self._held is not None
        return self._held.saved(self.context_tokens, self._prefix_tokens - self._system_tokens)

    def put_away(self, is_saved: bool) -> None:
        """Leave the loop that breaks off to its checkpoint, with the last messages or without."""
        before = self.context_tokens if self._held is None else self._held.before
        self.replace(before, 0)
        self._held = Held(before, is_saved)

    def resume(self, said: Conversation, is_own: bool) -> Conversation:
        """Go on with a loop, cached if it `is_own`; return how it stands behind the context."""
        before, cached = self.context_tokens, 0
        if is_own and self._caches and said.cached and said.before == before:
            cached = said.cached
            self._prefix_tokens = max(self._prefix_tokens, self._system_tokens + cached)
        self._held = Held(before)
        self._additions.go_on()
        self.context_tokens += said.tokens
        return Conversation(said.tokens, before, cached, self.context_tokens)

    def fork(self, other: Memory, shares_cache: bool, is_awaited: bool) -> None:
        """Begin with another's whole context and, if it is shared, what its cache holds."""
        self.context_tokens += other.context_tokens
        if shares_cache:
            self._prefix_tokens = other._prefix_tokens
            self.life = None if other.life is None else other.life.fork(is_awaited)

    def take_in(self, tokens: int) -> None:
        """Keep what tools have said, for the next turn to read."""
        self.context_tokens += tokens

    def keep_prefix(self, context_tokens: int) -> None:
        """Limit the cached prefix to the system prompt and `context_tokens` of the context."""
        most = self._system_tokens + context_tokens
        self._prefix_tokens = min(self._prefix_tokens, most)
        self._prefix_elsewhere = min(self._prefix_elsewhere, most)

    def replace(self, kept: int, added: int) -> None:
        """Go on with the first `kept` tokens of the context, and `added` behind them."""
        self.keep_prefix(kept)
        self.context_tokens = kept + added

    def read_in_vain(self) -> None:
        """Note that a request was read that came to nothing: another finds its prompt cached."""
        self.is_read = True
        if self._caches:
            self.uncached, self.cached = 0, self.uncached + self.cached
            self._keep_what_was_read()

    def note_read(self) -> None:
        """Note that a model has read the prompt of the call."""
        self.is_read = True

    def come_to_nothing(self, goes_on: bool) -> None:
        """Note that the call has failed: its messages are to be read again.

        The cache has what was read. Of a loop that does not go on as much is kept as at its end.
        """
        self.overflows, self.summary_tokens = False, 0
        held, self._held = self._held, None
        if held is None or not held.is_between:
            self.inbox.go_back()
        if self.is_read and self._caches:
            self._keep_what_was_read()
        if held is not None and held.tokens:
            self.replace(held.begins, self.context_tokens - held.tokens - held.begins)
        if held is not None and not goes_on and self._retention < 1.0:
            self.replace(0, int(self._retention * self.context_tokens) + self._additions.ask())
        if self.life is not None:
            self.life.take_expired()

    def _keep_what_was_read(self) -> None:
        """Note that the prompt of a call that comes to nothing is in the cache of its model."""
        # After a compaction that came to nothing, or a crash, another context comes next.
        if self.context_tokens == self.sent_context:
            self._prefix_tokens = self._system_tokens + self.context_tokens + self.unread_tokens

    def change_model(self, cache: PromptCache | None, reads_prompt: bool) -> None:
        """Go over to another model's `cache`, of which one knows what it has read before.

        `reads_prompt` says whether that model reads the prompt of the call.
        """
        self._caches = cache is not None
        life, self._life_elsewhere = self._life_elsewhere, self.life
        self.life = life or CacheLife.of(cache)
        self._prefix_tokens, self._prefix_elsewhere = self._prefix_elsewhere, self._prefix_tokens
        warm_tokens = 0 if cache is None else int(cache.warm_tokens)
        self._shared_tokens = min(warm_tokens, self._system_tokens)
        self._prefix_tokens = max(self._prefix_tokens, self._shared_tokens)
        if reads_prompt:
            tokens = self.prompt_tokens
            # Behind the system prompt, a context that was made to fit begins otherwise.
            kept = self._system_tokens if self.makes_room() else tokens
            self.cached = min(self._prefix_tokens, kept)
            self.uncached = tokens - self.cached

    def look_in_cache(self, now: float) -> bool:
        """Read anew, if need be, what a request that begins now finds in the cache no more."""
        cached = self.cached
        if self.life is not None and cached:
            self.cached = self.life.keeps(now, cached, self._shared_tokens)
            self.uncached += cached - self.cached
        return self.cached < cached

    def forget(self) -> None:
        """Lose the context; the system prompt is still in the provider's cache."""
        self.replace(0, self._start_tokens)
        self._additions.begin_anew()
        self._held = None

    def go_on_as(self, other: Memory) -> None:
        """Take over another agent's context, behind one's own system prompt."""
        self.replace(0, other.context_tokens - (other._held.tokens if other._held else 0))
        self._held = None
