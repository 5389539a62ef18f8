"""Kinds of agents: what their specification says, found out once.

Every replication makes its agents anew, and each asks for some hundred things. An attribute of a
specification takes a hundred times as long as one of those here.
"""

from __future__ import annotations

from simulator.distributions import Distribution
from simulator.distributions.deterministic import constant
from simulator.model.latency import LatencyModel
from simulator.model.streams import Law
from simulator.scenario.agent import Agent
from simulator.scenario.context import Context


class Reading:
    """What agents of a kind read, and what comes into their contexts.

    Attributes
    ----------
    start, window : Law
        The tokens with which an agent begins, and its limit.
    turn, request : Law
        The tokens that a call adds to the context, and a request.
    first_turn : Law or None
        Those that an agent's first call adds, if they differ.
    added : int or None
        What every call adds; None where that varies, or where requests add something.
    has_requests : bool
        Whether requests add anything.
    warm_tokens : int
        Tokens at the start of a prompt that others have read, so that the cache has them.
    has_life : bool
        Whether the cache forgets, or does not take everything.
    """

    __slots__ = (
        "added",
        "artifact_tokens",
        "board_tokens_per_task",
        "cache",
        "cache_miss",
        "compaction",
        "compaction_output",
        "first_turn",
        "has_life",
        "has_requests",
        "overflow",
        "request",
        "retention",
        "start",
        "system_tokens",
        "turn",
        "warm_tokens",
        "window",
    )

    def __init__(self, spec: Context) -> None:
        self.system_tokens = int(spec.system_tokens)
        self.board_tokens_per_task = spec.board_tokens_per_task
        self.artifact_tokens = spec.artifact_tokens
        self.start, self.window = Law(spec.start_tokens), Law(spec.window_tokens)
        self.turn, self.request = Law(spec.turn_tokens), Law(spec.request_tokens)
        self.first_turn = _law(spec.first_turn_tokens)
        self.has_requests = spec.request_tokens.constant != 0.0
        every = spec.turn_tokens.constant
        self.added: int | None = None
        if every is not None and self.first_turn is None and not self.has_requests:
            self.added = int(every)
        self.retention, self.overflow = spec.retention, spec.overflow
        self.compaction, self.compaction_output = spec.compaction, spec.compaction_output
        self.cache, self.cache_miss = spec.prompt_cache, spec.cache_miss
        self.warm_tokens = 0 if self.cache is None else int(self.cache.warm_tokens)
        self.has_life = self.cache is not None and not self.cache.is_plain


class Working:
    """How agents of a kind go about their calls.

    Attributes
    ----------
    batch_size : int
        Tasks that every call takes on; 0 where that is drawn.
    batch, first_batch, capacity, output, message : Law
        Of what has their name; None for a first batch that is like any, and where a reply holds
        everything.
    one_by_one : bool
        Whether it may begin with one task a call: with a probability `alone_p` at `alone_at`
        tasks, whose odds grow by a power `alone_growth` of their number.
    slowness : Law or None
        What makes calls longer and replies hold less, if anything does.
    per_unit, relay : float
        Tokens of output for each work unit, and of a message for each token of news.
    fixed_output, fixed_message : int
        The tokens of every call and message; -1 where that is drawn, or depends on the call.
    """

    __slots__ = (
        "alone_at",
        "alone_growth",
        "alone_p",
        "batch",
        "batch_persistence",
        "batch_size",
        "capacity",
        "capacity_elasticity",
        "chatter",
        "first_batch",
        "fixed_message",
        "fixed_output",
        "idle",
        "idle_first",
        "idle_persistence",
        "leave_drafts",
        "leaving_persistence",
        "message",
        "one_by_one",
        "output",
        "per_unit",
        "redo_work",
        "relay",
        "slowness",
        "talk",
        "truncation_loss",
    )

    def __init__(self, spec: Agent) -> None:
        behaviour, tokens = spec.behaviour, spec.tokens
        alone = spec.one_by_one
        self.one_by_one = alone is not None
        self.alone_p, self.alone_at, self.alone_growth = 0.0, 1.0, 0.0
        if alone is not None:
            self.alone_p, self.alone_at = alone.probability, alone.at_tasks
            self.alone_growth = alone.growth
        self.batch, self.first_batch = Law(spec.batch), _law(spec.first_batch)
        every = spec.batch.constant
        varies = every is None or self.first_batch is not None or self.one_by_one
        self.batch_size = 0 if every is None or varies else count(every)
        self.batch_persistence = spec.batch_persistence
        self.capacity = _law(spec.capacity)
        self.capacity_elasticity = spec.capacity_elasticity
        slows = self.capacity is not None and self.capacity_elasticity
        self.slowness = _law(LatencyModel.of(spec.latency).slowness if slows else None)
        self.truncation_loss, self.redo_work = spec.truncation_loss, spec.redo_work
        self.leave_drafts = behaviour.leave_drafts
        self.leaving_persistence = behaviour.leaving_persistence
        self.idle = behaviour.idle.odds
        self.idle_first = behaviour.idle_first
        self.idle_persistence = behaviour.idle_persistence
        self.talk, self.chatter = behaviour.talk, behaviour.chatter
        self.output, self.per_unit = Law(tokens.output), tokens.per_work_unit
        self.message, self.relay = Law(tokens.message), tokens.relay
        self.fixed_output = _fixed(self.output, self.per_unit)
        self.fixed_message = _fixed(self.message, self.relay)


class Erring:
    """How attempts of agents of a kind go wrong.

    Attributes
    ----------
    odds : Odds
        Of an error.
    family : str
    probability, difficulty_correlation : float
        By which tasks differ: see `Difficulty.shifts`.
    of_context : ContextEffect or None
    of_drift : float
        What a unit of drift adds to the logit.
    options, shared : int, float
        How many wrong answers there are, and how often it is the most popular one.
    """

    __slots__ = (
        "call_correlation",
        "common_mode",
        "detection",
        "difficulty_correlation",
        "family",
        "hand_off",
        "max_attempts",
        "odds",
        "of_context",
        "of_drift",
        "options",
        "probability",
        "propagation",
        "shared",
    )

    def __init__(self, spec: Agent) -> None:
        errors = spec.errors
        self.odds, self.probability = errors.probability.odds, errors.probability.probability
        self.family, self.difficulty_correlation = spec.family, errors.difficulty_correlation
        self.of_context, self.of_drift = spec.context.error, spec.drift.error_logit
        self.common_mode, self.call_correlation = errors.common_mode, errors.call_correlation
        self.detection, self.propagation = errors.detection, errors.propagation
        self.options, self.shared = errors.wrong_answers.options, errors.wrong_answers.shared
        self.hand_off, self.max_attempts = errors.hand_off, errors.max_attempts


class Kind:
    """What agents of one specification have in common.

    Parameters
    ----------
    spec : Agent

    Attributes
    ----------
    spec : Agent
    latency : ServiceTimes
    loop : LoopSpec or None
        The turns of a call; None where each is one.
    is_steady : bool
        Whether the latency alone determines how long calls take.
    drifts : bool
        Whether drift ever changes.
    step : Law
        Of a step of drift.
    rates : Rates
        What tokens cost.
    """

    __slots__ = (
        "drifts",
        "erring",
        "is_steady",
        "latency",
        "loop",
        "rates",
        "reading",
        "spec",
        "step",
        "tools",
        "working",
    )

    def __init__(self, spec: Agent) -> None:
        self.spec = spec
        self.reading = Reading(spec.context)
        self.working = Working(spec)
        self.erring = Erring(spec)
        self.latency = LatencyModel.of(spec.latency).service_times
        self.loop, self.tools = spec.loop if spec.loops else None, spec.tools
        slows_down = spec.context.slowdown is not None or bool(spec.drift.slowdown)
        self.is_steady = spec.speed == 1.0 and not slows_down
        self.drifts, self.step = spec.drifts, Law(spec.drift.step)
        self.rates = spec.price.rates

    def beginning_with(self, tokens: float) -> Kind:
        """Return the same kind, but for a context that begins with so many tokens."""
        spec = self.spec
        context = spec.context.model_copy(update={"start_tokens": constant(tokens)})
        return Kind(spec.model_copy(update={"context": context}))


def count(value: float) -> int:
    """Return how many tasks a draw says."""
    return max(1, round(value))


def _law(distribution: Distribution | None) -> Law | None:
    return None if distribution is None else Law(distribution)


def _fixed(law: Law, per_unit: float) -> int:
    """Return how many tokens they always are; -1 where that is drawn or depends on the units."""
    return int(law.facts.constant) if law.facts.is_constant and not per_unit else -1
