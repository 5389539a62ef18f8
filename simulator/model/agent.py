"""The state of one agent in one replication, and the draws it makes."""

from __future__ import annotations

import math

from simulator.distributions import Distribution
from simulator.model.latency import LatencyModel
from simulator.model.messages import Post, Subscription
from simulator.model.streams import Draw, Entity, Purpose, Streams, always
from simulator.scenario import Agent


class AgentState:
    """One agent: its draws, what it remembers, and the call it is in.

    Parameters
    ----------
    spec : Agent
        Its parameters.
    index : int
        Its number in the team.
    is_coordinator : bool
    tasks : int
        Tasks on the board that it reads.
    streams : Streams
        The replication's random streams.
    outbox, inbox : lists
        Where it sends and what it hears.
    """

    __slots__ = (
        "batch_draw",
        "batch_size",
        "board_tokens",
        "busy_s",
        "cached",
        "caches",
        "call",
        "chatter",
        "context_tokens",
        "drift",
        "drift_step",
        "drifts",
        "duration_s",
        "err_logit",
        "err_p",
        "free_since",
        "idle_logit",
        "idle_p",
        "in_call",
        "inbox",
        "index",
        "is_coordinator",
        "latency",
        "message_draw",
        "message_tokens",
        "outbox",
        "output",
        "output_draw",
        "output_per_work_unit",
        "picks",
        "retention",
        "rolls_detection",
        "rolls_error",
        "rolls_idle",
        "rolls_propagation",
        "rolls_talk",
        "spec",
        "started_s",
        "system_tokens",
        "talk",
        "uncached",
        "unread_messages",
        "unread_tokens",
        "waited_s",
        "window_tokens",
        "work",
    )

    def __init__(
        self,
        spec: Agent,
        index: int,
        is_coordinator: bool,
        tasks: int,
        streams: Streams,
        outbox: list[Post],
        inbox: list[Subscription],
    ) -> None:
        entity = Entity.COORDINATOR if is_coordinator else Entity.AGENT
        number = 0 if is_coordinator else index  # the coordinator's draws do not depend on n

        def draw_from(distribution: Distribution, purpose: Purpose) -> Draw:
            return streams.draws(distribution, entity, number, purpose)

        def rolls(purpose: Purpose, needed: bool) -> Draw:
            # A thousand agents with streams that they never use would not fit the cache.
            return streams.uniforms(entity, number, purpose) if needed else always(1.0)

        self.spec = spec
        self.index = index
        self.is_coordinator = is_coordinator
        self.outbox = outbox
        self.inbox = inbox

        assert isinstance(spec.latency, LatencyModel)
        self.latency = spec.latency.sampler(draw_from)
        self.batch_size = 0 if spec.batch.constant is None else _count(spec.batch.constant)
        self.batch_draw = draw_from(spec.batch, Purpose.BATCH)
        self.output_draw = draw_from(spec.tokens.output, Purpose.OUTPUT_TOKENS)
        self.output_per_work_unit = spec.tokens.per_work_unit
        self.message_draw = draw_from(spec.tokens.message, Purpose.MESSAGE_TOKENS)

        self.idle_logit = streams.logit(spec.behaviour.idle, entity, number, Purpose.IDLE)
        self.idle_p = _expit(self.idle_logit)
        self.talk = spec.behaviour.talk if outbox else 0.0
        self.chatter = spec.behaviour.chatter if outbox else 0.0
        sometimes = 0.0 < self.talk < 1.0 or 0.0 < self.chatter < 1.0
        self.rolls_talk = rolls(Purpose.TALK, sometimes)
        self.err_logit = streams.logit(spec.errors.probability, entity, number, Purpose.ERROR)
        self.err_p = _expit(self.err_logit)
        self.rolls_idle = rolls(Purpose.IDLE, self.idle_p > 0.0)
        self.rolls_error = rolls(Purpose.ERROR, self.err_p > 0.0)
        self.rolls_detection = rolls(Purpose.DETECTION, self.err_p > 0.0)
        self.rolls_propagation = rolls(Purpose.PROPAGATION, self.err_p > 0.0)
        self.drift = 0.0
        self.drifts = spec.drift.step.constant != 0.0 or spec.drift.per_1k_tokens > 0.0
        self.drift_step = draw_from(spec.drift.step, Purpose.DRIFT)

        self.board_tokens = int(spec.context.board_tokens_per_task * tasks)
        self._begin_life()

    def _begin_life(self) -> None:
        """Set the state of an agent that has not called yet."""
        self.system_tokens = int(self.spec.context.system_tokens)
        self.window_tokens = self.spec.context.window_tokens
        self.retention = self.spec.context.retention
        self.caches = self.spec.context.cache
        self.context_tokens = 0
        self.in_call = False
        self.call = 0
        self.picks: list[int] = []
        self.work = 0.0
        self.unread_messages = 0
        self.unread_tokens = 0
        self.uncached = 0
        self.cached = 0
        self.output = 0
        self.message_tokens = -1
        self.started_s = 0.0
        self.duration_s = 0.0
        self.free_since = 0.0
        self.busy_s = 0.0
        self.waited_s = 0.0

    def take_count(self) -> int:
        """Return how many tasks the call that begins takes on."""
        return self.batch_size or _count(self.batch_draw())

    def read(self) -> None:
        """Read board and inbox; set the input tokens of the call that begins."""
        unread = messages = 0
        for subscription in self.inbox:
            log = subscription.log
            unread += log.tokens - subscription.tokens_seen
            messages += log.messages - subscription.messages_seen
            subscription.tokens_seen = log.tokens
            subscription.messages_seen = log.messages
        self.unread_messages = messages
        self.unread_tokens = unread
        fresh = unread + self.board_tokens
        kept = self.context_tokens + self.system_tokens
        if kept + fresh > self.window_tokens:
            context = self.spec.context
            self.context_tokens = int(context.compaction * context.window_tokens)
            self.drift *= 1.0 - self.spec.drift.sync  # a fresh start
            kept = self.context_tokens + self.system_tokens
            self.cached = 0
        else:
            self.cached = kept if self.caches and self.call else 0
        self.uncached = fresh + kept - self.cached

    def remember(self) -> None:
        """Keep in the context what the call that ends has read and written."""
        total = self.context_tokens + self.unread_tokens + self.output
        retention = self.retention
        self.context_tokens = total if retention == 1.0 else int(retention * total)

    def wander(self) -> None:
        """Move the drift state by one call, and the probabilities that depend on it."""
        spec = self.spec.drift
        drift = self.drift * (1.0 - spec.sync) if self.unread_messages else self.drift
        tokens = self.uncached + self.cached + self.output
        drift = max(0.0, drift + self.drift_step() + spec.per_1k_tokens * tokens / 1000.0)
        self.drift = drift
        self.err_p = _expit(self.err_logit + spec.error_logit * drift)
        self.idle_p = _expit(self.idle_logit + spec.idle_logit * drift)


def _count(value: float) -> int:
    return max(1, round(value))


def _expit(logit: float) -> float:
    if logit >= 0.0:
        return 1.0 / (1.0 + math.exp(-logit))
    odds = math.exp(logit)
    return odds / (1.0 + odds)
