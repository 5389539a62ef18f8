"""The state of one agent in one replication, and the draws it makes."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from simulator.distributions import Distribution
from simulator.model.agents.messages import Mailbox, Notes, Outlet, Subscription
from simulator.model.answers import CORRECT, Difficulty
from simulator.model.board import Board
from simulator.model.latency import DrawFrom, LatencyModel
from simulator.model.protocols import Dispatcher
from simulator.model.streams import Draw, Entity, Purpose, Streams, always
from simulator.scenario import Agent

WORKER, COORDINATOR, VERIFIER = 0, 1, 2
"""Roles: who takes tasks, who answers reports, who reviews."""

NOT_LEADING, DUTY, MERGE = 0, 1, 2
"""What a worker's call is that attempts no tasks: its protocol's, or after a partition."""

WAITING, SERVING, COMMITTING, WASTING = 0, 1, 2, 3
"""Phases of a call that takes more than its service; what was wasted is known only after."""

Rolls = Callable[[Purpose, bool], Draw]
"""Gives one agent's stream of uniforms for a purpose, if it is needed."""

_ENTITY = {
    WORKER: Entity.AGENT,
    COORDINATOR: Entity.COORDINATOR,
    VERIFIER: Entity.VERIFIER,
}


@dataclass
class Voice:
    """Where an agent speaks and what it hears."""

    outbox: list[Outlet] = field(default_factory=list)
    inbox: list[Subscription] = field(default_factory=list)
    mailbox: Mailbox | None = None
    notes: Notes | None = None


class Submission(NamedTuple):
    """A finished task that waits for review."""

    agent: AgentState
    task: int
    answer: int
    started_s: float
    """When the call that finished it began."""
    board: Board
    """The board, of one side of a partition, on which it was done."""
    is_backup: bool
    """Whether it was a backup of what another agent has in its hands."""


class AgentState:
    """One agent: its draws, what it remembers, and the call it is in.

    Parameters
    ----------
    spec : Agent
        Its parameters.
    index : int
        Its number in the team.
    role, number : int
        Its role, and its number among the agents of that role, which names its draws: they do
        not depend on the size of the team.
    tasks : int
        Tasks on the board that it reads.
    streams : Streams
        The replication's random streams.
    difficulty : Difficulty
        The draws that agents share.
    voice : Voice
    """

    __slots__ = (
        "answering",
        "artifact_tokens",
        "awaits_answer",
        "batch_draw",
        "batch_persistence",
        "batch_size",
        "board",
        "board_tokens",
        "busy_s",
        "byzantine",
        "cache_miss",
        "cached",
        "caches",
        "call",
        "call_correlation",
        "call_roll",
        "calls_in_round",
        "capacity",
        "chatter",
        "common_mode",
        "common_rolls",
        "compactions",
        "context_error",
        "context_tokens",
        "dispatcher",
        "down_since_s",
        "drift",
        "drift_step",
        "drifts",
        "duration_s",
        "entity",
        "err_logit",
        "err_now",
        "err_p",
        "errs",
        "failed",
        "first_batch_draw",
        "first_turn_draw",
        "free_since",
        "idle_first",
        "idle_logit",
        "idle_p",
        "idle_persistence",
        "in_call",
        "inbox",
        "index",
        "is_astray",
        "is_backup",
        "is_cut",
        "is_down",
        "is_particular",
        "is_read",
        "is_retired",
        "is_shut_out",
        "last_admitted",
        "last_batch",
        "latency",
        "leads",
        "lost_to",
        "mailbox",
        "manager",
        "message_draw",
        "message_tokens",
        "next_turn",
        "notes",
        "number",
        "outbox",
        "outdated",
        "output",
        "output_draw",
        "output_per_work_unit",
        "overflows",
        "own_logit",
        "paid_share",
        "phase",
        "picks",
        "prefix_elsewhere",
        "prefix_tokens",
        "read_s",
        "reads_more",
        "redo_work",
        "rejected",
        "relay",
        "reports",
        "retention",
        "reviews",
        "role",
        "rolls_call",
        "rolls_common",
        "rolls_detection",
        "rolls_error",
        "rolls_hand_off",
        "rolls_idle",
        "rolls_miss",
        "rolls_persistence",
        "rolls_propagation",
        "rolls_review",
        "rolls_talk",
        "rolls_truncation",
        "rolls_wrong",
        "sent_context",
        "served_at_pace",
        "served_s",
        "server",
        "shifts",
        "side",
        "since_s",
        "spec",
        "start_tokens",
        "started_s",
        "steady_pace",
        "subordinates",
        "summary_tokens",
        "system_tokens",
        "talk",
        "tried",
        "turn_draw",
        "uncached",
        "unread_messages",
        "unread_tokens",
        "unreported",
        "waited_s",
        "waits_for",
        "was_idle",
        "window_tokens",
        "work",
    )

    def __init__(
        self,
        spec: Agent,
        index: int,
        role: int,
        number: int,
        tasks: int,
        streams: Streams,
        difficulty: Difficulty,
        voice: Voice,
    ) -> None:
        self.entity = entity = _ENTITY[role]
        self.number = number

        def draw_from(distribution: Distribution, purpose: Purpose) -> Draw:
            return streams.draws(distribution, entity, number, purpose)

        def rolls(purpose: Purpose, needed: bool = True) -> Draw:
            # A thousand agents with streams that they never use would not fit the cache.
            return streams.uniforms(entity, number, purpose) if needed else always(1.0)

        self.spec = self.server = spec
        self.index = index
        self.role = role
        self.outbox, self.inbox = tuple(voice.outbox), tuple(voice.inbox)
        self.mailbox, self.notes = voice.mailbox, voice.notes
        self.reads_more = self.mailbox is not None or self.notes is not None

        self.latency = LatencyModel.of(spec.latency).sampler(draw_from)
        self._set_batches(draw_from, rolls)
        self.output_draw = draw_from(spec.tokens.output, Purpose.OUTPUT_TOKENS)
        self.output_per_work_unit = spec.tokens.per_work_unit
        self.relay = spec.tokens.relay
        self.message_draw = draw_from(spec.tokens.message, Purpose.MESSAGE_TOKENS)

        self.idle_logit = streams.logit(spec.behaviour.idle, entity, number, Purpose.IDLE)
        self.idle_p = _expit(self.idle_logit)
        self.idle_first = spec.behaviour.idle_first
        self.idle_persistence = spec.behaviour.idle_persistence
        speaks = bool(self.outbox) or self.notes is not None
        self.talk = spec.behaviour.talk if speaks else 0.0
        self.chatter = spec.behaviour.chatter if speaks else 0.0
        sometimes = 0.0 < self.talk < 1.0 or 0.0 < self.chatter < 1.0
        self.rolls_talk = rolls(Purpose.TALK, sometimes)
        self.drift = 0.0
        self.drifts = (
            spec.drift.step.constant != 0.0
            or spec.drift.per_1k_tokens > 0.0
            or spec.context.loss > 0.0
        )
        self.drift_step = draw_from(spec.drift.step, Purpose.DRIFT)
        self.rolls_idle = rolls(
            Purpose.IDLE, self.idle_p > 0.0 or (self.drifts and spec.drift.idle_logit > 0.0)
        )

        self.err_logit = streams.logit(spec.errors.probability, entity, number, Purpose.ERROR)
        self._set_errors(rolls, difficulty)
        self.rolls_detection = rolls(Purpose.DETECTION)
        self.rolls_propagation = rolls(Purpose.PROPAGATION)
        self.rolls_hand_off = rolls(Purpose.HAND_OFF, spec.errors.hand_off > 0.0)
        self.rolls_review = rolls(Purpose.REVIEW)

        self.board_tokens = int(spec.context.board_tokens_per_task * tasks)
        self.artifact_tokens = spec.context.artifact_tokens
        self._set_turns(draw_from, rolls)
        self.steady_pace = (
            spec.speed == 1.0 and spec.context.slowdown is None and not spec.drift.slowdown
        )
        self.is_particular = bool(self.call_correlation or self.capacity or self.redo_work != 1.0)
        self._begin_life()

    def _set_batches(self, draw_from: DrawFrom, rolls: Rolls) -> None:
        """Set how much the agent takes on in a call, and what a reply can hold."""
        spec = self.spec
        fixed = spec.first_batch is None and spec.batch.constant is not None
        self.batch_size = _count(spec.batch.constant or 0.0) if fixed else 0
        self.batch_draw = draw_from(spec.batch, Purpose.BATCH)
        self.first_batch_draw = (
            None if spec.first_batch is None else draw_from(spec.first_batch, Purpose.FIRST_BATCH)
        )
        self.batch_persistence = spec.batch_persistence
        self.rolls_persistence = rolls(Purpose.BATCH_PERSISTENCE, spec.batch_persistence > 0.0)
        self.redo_work = spec.redo_work
        self.capacity = spec.capacity or 0.0
        self.rolls_truncation = rolls(Purpose.TRUNCATION, spec.truncation_loss > 0.0)

    def _set_turns(self, draw_from: DrawFrom, rolls: Rolls) -> None:
        """Set what the agent begins with and what its calls add, and how its cache fails it."""
        context = self.spec.context
        self.start_tokens = int(draw_from(context.start_tokens, Purpose.START_TOKENS)())
        self.turn_draw = self.first_turn_draw = draw_from(context.turn_tokens, Purpose.TURN_TOKENS)
        if context.first_turn_tokens is not None:
            first = context.first_turn_tokens
            self.first_turn_draw = draw_from(first, Purpose.FIRST_TURN_TOKENS)
        self.cache_miss = context.cache_miss
        self.rolls_miss = rolls(Purpose.CACHE_MISS, context.cache_miss > 0.0)

    def _set_errors(self, rolls: Rolls, difficulty: Difficulty) -> None:
        """Set how the agent's attempts go wrong."""
        spec, errors = self.spec, self.spec.errors
        self.own_logit = self.err_now = self.err_logit
        self.err_p = _expit(self.err_logit)
        self.errs = errs = self.err_p > 0.0
        self.context_error = spec.context.error if errs else None
        self.shifts: Sequence[float] | None = difficulty.shifts(spec.family, errors)
        self.common_mode = errors.common_mode if errs else 0.0
        self.common_rolls: Sequence[float] = ()
        if self.common_mode:
            self.common_rolls = difficulty.common_rolls(spec.family)
        self.rolls_common = rolls(Purpose.COMMON_MODE, self.common_mode > 0.0)
        self.call_correlation = errors.call_correlation if errs else 0.0
        self.rolls_call = rolls(Purpose.CALL_ERROR, self.call_correlation > 0.0)
        self.rolls_error = rolls(Purpose.ERROR, errs)
        self.rolls_wrong = rolls(Purpose.WRONG_ANSWER, errs and errors.wrong_answers.options > 1)

    def _begin_life(self) -> None:
        """Set the state of an agent that has not called yet."""
        self.board: Board
        self.dispatcher: Dispatcher
        self.manager: AgentState | None = None
        self.subordinates = 0
        self.reports: deque[AgentState] = deque()
        self.unreported = 0
        self.answering: list[AgentState] = []
        self.awaits_answer = False
        self.reviews: list[Submission] = []
        self.leads = NOT_LEADING
        self.side = 0
        self._begin_context()
        self.in_call = False
        self._begin_well()
        self.call = 0
        self.calls_in_round = 0
        self.last_batch = 0
        self.was_idle = False
        self.call_roll = 0.0
        self.tried: set[int] = set()
        self.picks: list[int] = []
        self.rejected: set[int] = set()
        self.outdated: set[int] = set()
        self.work = 0.0
        self.unread_messages = 0
        self.unread_tokens = 0
        self.uncached = 0
        self.cached = 0
        self.output = 0
        self.message_tokens = -1
        self.started_s = 0.0
        self.read_s = 0.0  # when it read the artifacts that it writes
        self.duration_s = 0.0
        self.phase = WAITING
        self.since_s = 0.0
        self.served_s = 0.0
        self.served_at_pace = 1.0  # what slow phases multiply its service by
        self.waits_for = ""
        self.last_admitted = 0  # the request of it that the provider took in last, by number
        self.free_since = 0.0
        self.busy_s = 0.0
        self.waited_s = 0.0

    def _begin_context(self) -> None:
        """Set what an agent remembers that has read nothing yet."""
        context = self.spec.context
        self.system_tokens = int(context.system_tokens)
        self.window_tokens = context.window_tokens
        self.retention = context.retention
        self.caches = context.cache
        self.context_tokens = self.start_tokens
        self.next_turn = self.first_turn_draw
        self.sent_context = 0  # with the call that it is in
        self.prefix_tokens = 0  # of its prompt, from the beginning on, in its model's cache
        self.prefix_elsewhere = 0  # the same at the model that stands in for its own
        self.is_read = False  # whether a model has read the prompt of the call
        self.overflows = False  # the prompt of the call, with all that is retained
        self.is_shut_out = False  # as its prompt is too long, until something may shorten it
        self.compactions = 0
        self.summary_tokens = 0  # of the call's output, what stands for the retained context

    def _begin_well(self) -> None:
        """Set the state of an agent with which nothing has gone wrong."""
        self.is_astray = False
        self.is_backup = False
        self.is_cut = False
        self.is_down = False
        self.is_retired = False
        self.byzantine = ""
        self.down_since_s = 0.0
        self.failed = False
        self.lost_to = ""
        self.paid_share: float | None = None  # of the output, where the input was read

    @property
    def is_there(self) -> bool:
        """Whether it is there to begin a call: neither down nor retired."""
        return not (self.is_down or self.is_retired)

    @property
    def is_of_use(self) -> bool:
        """Whether it is a worker that, asleep, could do a task that there is to do."""
        is_held_up = self.role or self.awaits_answer or self.side or self.is_shut_out
        return not is_held_up and self.is_there

    def retire(self) -> None:
        """Take no further part."""
        self.is_retired = True

    def take_count(self) -> int:
        """Draw how many tasks the call that begins takes on, where `batch_size` does not say."""
        if not self.last_batch and self.first_batch_draw is not None:
            self.last_batch = _count(self.first_batch_draw())
        elif not (self.last_batch and self.batch_persistence) or (
            self.rolls_persistence() >= self.batch_persistence
        ):
            self.last_batch = _count(self.batch_draw())
        return self.last_batch

    def idles(self) -> bool:
        """Return whether the call that begins takes no task, whatever there is."""
        p = self.idle_p
        if not self.call and self.idle_first is not None:
            p = self.idle_first
        elif self.was_idle:
            p += (1.0 - p) * self.idle_persistence
        self.was_idle = self.rolls_idle() < p
        return self.was_idle

    def effort(self, task: int) -> float:
        """Return the share of the task's work that an attempt takes."""
        return self.redo_work if task in self.tried else 1.0

    def read(self, now: float) -> None:
        """Read board and inbox; set the input tokens of the call that begins."""
        unread = messages = 0
        for subscription in self.inbox:
            log = subscription.log
            subscription.tokens_before = seen = subscription.tokens_seen
            unread += log.tokens - seen
            subscription.messages_before = seen = subscription.messages_seen
            messages += log.messages - seen
            subscription.tokens_seen = log.tokens
            subscription.messages_seen = log.messages
        noted = 0
        if self.reads_more:
            mail, mail_tokens, noted = self._read_more(now)
            messages += mail
            unread += mail_tokens
        self.unread_messages = messages
        self.unread_tokens = unread
        fresh = unread + noted + self.board_tokens
        if self.artifact_tokens:
            fresh += int(self.artifact_tokens * self.board.written)
        self.is_read = False
        self.cached = self.prefix_tokens
        if self.cache_miss and self.rolls_miss() < self.cache_miss:
            self.cached = min(self.cached, self.system_tokens)
        context = self.context_tokens
        if self.system_tokens + context + fresh > self.window_tokens:
            context = self._make_room(fresh)
        self.sent_context = context
        self.uncached = self.system_tokens + context + fresh - self.cached
        if self.context_error is not None:
            self._set_error()

    def _read_more(self, now: float) -> tuple[int, int, int]:
        """Return the news in mailbox and notes, the tokens in the mailbox, and in the notes."""
        news = tokens = noted = 0
        if self.mailbox is not None:
            news, tokens = self.mailbox.collect(now)
        if self.notes is not None:
            noted = self.notes.seen_by(self.index)  # read anew each time, not kept
            news += noted > 0
        return news, tokens, noted

    def _make_room(self, fresh: int) -> int:
        """Return the context to send in place of one that does not fit; it stays if all is well."""
        spec = self.spec.context
        self.overflows = True
        if spec.overflow == "truncate":
            context = max(0, int(spec.window_tokens) - self.system_tokens - fresh)
        else:
            context = min(spec.compacted_tokens, self.context_tokens)
            if context < self.context_tokens:
                self.summary_tokens = int(spec.compaction_output * context)
        if context < self.context_tokens:
            self.cached = min(self.cached, self.system_tokens)
        return context

    @property
    def prompt_tokens(self) -> int:
        """Input of the call that it is in."""
        return self.uncached + self.cached

    @property
    def is_too_long(self) -> bool:
        """Whether the prompt of the call does not fit its own model's window."""
        return self.overflows and self.prompt_tokens > self.window_tokens

    @property
    def makes_room(self) -> bool:
        """Whether the call is sent less context than there was."""
        return self.overflows and self.sent_context < self.context_tokens

    def remember(self) -> None:
        """Keep in the context what the call that ends has read and written.

        What it has read there is the beginning of the next prompt, and in the model's cache;
        what it has written, and what its tools say, is read for the first time then. Of a
        context of which a share is dropped, the rest has moved.
        """
        read = self.sent_context + self.unread_tokens
        total = read + self.output + int(self.next_turn())
        self.next_turn = self.turn_draw
        if self.overflows:
            total -= self.summary_tokens  # it is what was sent as the context
            if self.makes_room:
                self.compactions += 1
                self.keep_prefix(0)
            self._leave_overflow()
        if self.retention == 1.0:
            self.context_tokens = total
        else:
            self.context_tokens, read = int(self.retention * total), 0
            self.keep_prefix(0)
        if self.caches:
            self.prefix_tokens = self.system_tokens + read

    def _leave_overflow(self) -> None:
        self.overflows = False
        self.summary_tokens = 0

    def keep_prefix(self, context_tokens: int) -> None:
        """Let no more than the system prompt and so much of the context begin as it did."""
        most = self.system_tokens + context_tokens
        self.prefix_tokens = min(self.prefix_tokens, most)
        self.prefix_elsewhere = min(self.prefix_elsewhere, most)

    def read_in_vain(self) -> None:
        """Note that a request was read that came to nothing: another finds its prompt cached."""
        self.is_read = True
        if self.caches:
            self.uncached, self.cached = 0, self.uncached + self.cached
            self._keep_what_was_read()

    def come_to_nothing(self) -> None:
        """Note that the call has failed: its messages are to be read again.

        What the model has read of its prompt is in the cache.
        """
        self._leave_overflow()
        for subscription in self.inbox:
            subscription.go_back()
        if self.mailbox is not None:
            self.mailbox.go_back()
        if self.is_read and self.caches:
            self._keep_what_was_read()

    def _keep_what_was_read(self) -> None:
        """Note that the prompt of a call that comes to nothing is in the cache of its model."""
        # After a compaction that came to nothing, or a crash, another context comes next.
        if self.context_tokens == self.sent_context:
            self.prefix_tokens = self.system_tokens + self.context_tokens + self.unread_tokens

    def wander(self) -> None:
        """Move the drift state by one call, and the probabilities that depend on it."""
        spec = self.spec.drift
        drift = self.drift * (1.0 - spec.sync) if self.unread_messages else self.drift
        if self.makes_room:
            drift = self._start_afresh(drift)
        tokens = self.uncached + self.cached + self.output
        drift = max(0.0, drift + self.drift_step() + spec.per_1k_tokens * tokens / 1000.0)
        self.drift = drift
        self._set_error()
        self.idle_p = _expit(self.idle_logit + spec.idle_logit * drift)

    def _start_afresh(self, drift: float) -> float:
        """Return the drift after a compaction or truncation: what is lost comes last."""
        context = self.spec.context
        if context.overflow == "compact":
            drift *= 1.0 - self.spec.drift.sync
        return drift + context.loss

    def _set_error(self) -> None:
        self.err_now = self.err_logit + self.spec.drift.error_logit * self.drift
        if self.context_error is not None:
            tokens = self.uncached + self.cached
            self.err_now += self.context_error.at(tokens, self.window_tokens)
        self.err_p = _expit(self.err_now)

    def answer_with(self, model: Agent | None, err_logit: float = 0.0) -> None:
        """Let another model answer, with its errors, prices and cache; None: the agent's own.

        `err_logit` is the other model's logit of the error probability, effects apart where it
        has none of its own: those of the run and the agent stay then.
        """
        self.server = model or self.spec
        self.caches = self.server.context.cache
        self.prefix_tokens, self.prefix_elsewhere = self.prefix_elsewhere, self.prefix_tokens
        if model is not None:
            tokens = self.prompt_tokens
            # Behind the system prompt, a context that was made to fit begins otherwise.
            kept = self.system_tokens if self.makes_room else tokens
            self.cached = min(self.prefix_tokens, kept)
            self.uncached = tokens - self.cached
        self.err_logit = self.own_logit
        if model is not None:
            own, effects = self.spec.errors.probability.probability, 0.0
            if 0.0 < own < 1.0 and not model.errors.probability.effects:
                effects = self.own_logit - _logit(own)
            self.err_logit = err_logit + effects
        self._set_error()
        self.errs = self.err_p > 0.0

    def forget(self) -> None:
        """Lose what a crash destroys: the context, the drift, the drafts.

        The provider has not crashed: the system prompt is still in its cache.
        """
        self.context_tokens = self.start_tokens
        self.next_turn = self.first_turn_draw
        self.keep_prefix(0)
        self.is_shut_out = False
        self.drift = 0.0
        self.tried.clear()
        self._set_error()
        self.idle_p = _expit(self.idle_logit)

    def go_on_as(self, other: AgentState) -> None:
        """Take over another agent's context, behind one's own system prompt."""
        self.context_tokens = other.context_tokens
        self.is_shut_out = False
        self.keep_prefix(0)

    def pace(self) -> float:
        """Return what multiplies the duration of the call that begins."""
        factor = 1.0 + self.spec.drift.slowdown * self.drift
        slowdown = self.spec.context.slowdown
        if slowdown is not None:
            factor += slowdown.at(self.uncached + self.cached, self.window_tokens)
        return factor / self.spec.speed

    def answer(self, task: int) -> int:
        """Return what an attempt at `task` answers: `CORRECT` or the number of a wrong answer."""
        p = self.err_p
        if self.shifts is not None:
            p = _expit(self.err_now + self.shifts[task])
        if self.common_mode and self.rolls_common() < self.common_mode:
            roll = self.common_rolls[task]
        elif self.call_correlation and self.rolls_call() < self.call_correlation:
            roll = self.call_roll
        else:
            roll = self.rolls_error()
        return CORRECT if roll >= p else self._wrong_answer()

    def _wrong_answer(self) -> int:
        wrong = self.spec.errors.wrong_answers
        if wrong.options == 1 or self.rolls_wrong() < wrong.shared:
            return 1
        return 1 + int(self.rolls_wrong() * wrong.options)


def _count(value: float) -> int:
    return max(1, round(value))


def _logit(p: float) -> float:
    if p in (0.0, 1.0):
        return -math.inf if p == 0.0 else math.inf
    return math.log(p / (1.0 - p))


def _expit(logit: float) -> float:
    if logit >= 0.0:
        return 1.0 / (1.0 + math.exp(-logit))
    odds = math.exp(logit)
    return odds / (1.0 + odds)
