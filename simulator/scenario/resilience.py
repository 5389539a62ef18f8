"""What YAML may say about the patterns by which a team answers failures."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from simulator.distributions import NonNegativeDistribution, SharedDistribution
from simulator.distributions.deterministic import constant
from simulator.distributions.uniform import Uniform
from simulator.registry import OneOf
from simulator.scenario.agent import Agent
from simulator.scenario.backoff import Backoff
from simulator.scenario.families import PROTOCOLS, ProtocolSpec
from simulator.scenario.roles import FALLBACK_MODEL
from simulator.spec import Fraction, NonNegative, Positive, Spec


class Timeout(Spec):
    """How long a request may take, its wait in the provider's queue included.

    Two requests of a hedged pair are given up together, so long after the first was sent.

    With `percentile`, the limit is `factor` times that percentile of the times of the last
    `window` requests, their waits included; a request that timed out counts as longer than any
    other, and one that the provider failed does not count. Until `minimum` requests have been
    seen, the limit is `seconds`.
    """

    seconds: Positive
    """The limit, or the first one."""
    percentile: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of the requests seen that are quicker than the limit / `factor`."""
    factor: Positive = 1.0
    """Multiplies the percentile."""
    window: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Requests that are remembered."""
    minimum: Annotated[int, Field(ge=1)] = 20
    """Requests that must have been seen."""


class CallRetry(Spec):
    """What an agent does about a request that timed out, failed or came back malformed.

    The agent sends it again after a wait. Each of these tries has the client library's own retries
    (`provider.retry`) first.
    """

    max_retries: Annotated[int, Field(ge=0)] = 2
    """Retries of one call."""
    backoff: Backoff = Backoff(kind="full_jitter", base_s=0.5, cap_s=30.0)
    """Waits between the retries. Only the client library obeys a retry-after of the provider."""
    budget: Fraction | None = None
    """Retries that the whole team may send, as a share of its first requests (a token bucket
    that holds ten retries); no limit when absent."""


class BreakerSpec(Spec):
    """A circuit breaker for each model family, shared by the team (Nygard 2007).

    Closed, it lets everything through; when at least `failure_rate` of the last `window`
    requests have failed (of at least `minimum`), it opens. Open, nothing is sent for `open_s`.
    Then it is half open: `trial_calls` are let through; if one fails it opens again, if all
    succeed it closes and forgets what it has seen. Each request of a hedged pair counts by its
    own end; the one that is cancelled, as the other was answered, does not count.
    """

    failure_rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of failed requests that opens it."""
    window: Annotated[int, Field(ge=1, le=100_000)] = 20
    """Requests that are remembered."""
    minimum: Annotated[int, Field(ge=1)] = 5
    """Requests that must have been seen."""
    open_s: Positive = 30.0
    """Seconds for which it is open."""
    trial_calls: Annotated[int, Field(ge=1)] = 1
    """Requests let through when half open."""


class Hedge(Spec):
    """A second request when the first has not come back after a while (Dean & Barroso 2013).

    The first answer wins; the other request is cancelled, and its input and the output it has
    written by then are paid for. The second counts against all limits, as any request; if the
    provider or a bulkhead has no room for it when it is due, or a breaker is not closed, it is not
    sent.
    """

    after_s: Positive | None = None
    """Seconds after which the second is sent; give this or `percentile`."""
    percentile: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The second is sent after this share of the last `window` requests in service would have been
    answered; those that the provider failed do not count. Nothing is hedged until `minimum` have
    been seen."""
    window: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Requests that are remembered."""
    minimum: Annotated[int, Field(ge=1)] = 20
    """Requests that must have been seen."""
    correlation: Fraction = 0.0
    """Probability that the second takes as long as the first would: same model, same prompt."""

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if (self.after_s is None) == (self.percentile is None):
            raise ValueError("a hedge needs either 'after_s' or 'percentile'")
        return self


class Backup(Spec):
    """Backup tasks near the end (Dean & Ghemawat 2004): free agents repeat tasks in progress.

    The first agent to finish a task has done it; the calls of the others are cancelled.
    """

    when_left: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of the tasks that are not done when backups begin."""
    copies: Annotated[int, Field(ge=1)] = 1
    """Most backups of a task at a time (r)."""
    correlation: Fraction = 0.0
    """Probability that a backup takes as long as the original, because the task itself is slow."""


class Checkpoint(Spec):
    """A call in service saves its work every `every_s` seconds; after a crash it resumes there.

    What is saved is a share of the work: whoever goes on needs its own time for what is left, and
    writes as large a share of its reply. A call that is slowed down saves as much later. In votes
    and debates each agent's attempt at a task has a checkpoint of its own.

    A loop saves each turn that is over instead, with its tools, at no cost: a turn whose tools
    still ran is taken again. It goes on with as many turns as it had when it began, and reads what
    its saved turns have said, behind what the agent that takes it up remembers from before the loop
    (see `keeps_context`). The cache has that if the same agent goes on, behind the same beginning.
    """

    every_s: Positive
    """Seconds of work between two checkpoints."""
    cost_s: NonNegative = 0.0
    """Seconds that one takes."""


class DetectorSpec(Spec):
    """How the team learns that an agent is dead or stuck.

    ``heartbeat``: agents report every `period_s` (all at multiples of it); an agent that has not
    reported for `timeout_s` is taken for dead. ``swim``: in each period every agent probes another
    at random (Das, Gupta & Motivala 2002); a dead agent is found at the end of the period in which
    another probes it. An agent is taken for stuck, rightly or wrongly, when its call has made no
    progress for `progress_s`; the call is then cancelled. A call makes progress when it begins
    and, in a loop, when a turn of its own or of one of its sub-agents begins or ends. The time of
    tools is therefore time without progress.
    """

    kind: Literal["heartbeat", "swim"] = "heartbeat"
    """How death is noticed."""
    period_s: Positive = 5.0
    """Seconds between two heartbeats, or probes."""
    timeout_s: Positive = 15.0
    """Silence after which an agent is taken for dead (``heartbeat``)."""
    progress_s: Positive | None = None
    """Time without progress in a call after which its agent is taken for stuck; never when
    absent."""
    reassign: bool = True
    """Whether the tasks of an agent taken for dead or stuck, and a merge that it is to make after a
    partition, go to the others."""


class SupervisorSpec(Spec):
    """Restarts agents found dead or stuck, up to a number in a period (Armstrong 2003)."""

    restart_s: SharedDistribution = Field(default_factory=lambda: constant(5.0))
    """Seconds that a restart takes; its context is gone."""
    max_restarts: Annotated[int, Field(ge=0)] | None = None
    """More restarts than this in `within_s` and the supervisor gives up; never when absent."""
    within_s: Positive = 60.0
    """The period of `max_restarts`."""


class ElectionSpec(Spec):
    """Who leads when the coordinator is lost: an election by the rules of Raft.

    (Ongaro & Ousterhout 2014: terms, one vote a term, randomised time-outs; only a worker that
    knows at least as much as a majority may lead.) Who is cut off by a partition takes no part;
    where the others are no majority of all, nobody is elected until it ends. The elected worker
    takes over the coordinator's place, model and instructions. Its place as a worker stays empty
    until the lost coordinator is back.
    """

    timeout_s: NonNegativeDistribution = Field(default_factory=lambda: Uniform(low=10.0, high=20.0))
    """Silence after which a worker stands for election."""
    heartbeat_s: Positive = 5.0
    """Seconds between the leader's heartbeats."""
    delay_s: NonNegativeDistribution = Field(default_factory=lambda: constant(0.05))
    """Seconds of a message one way."""
    write_s: NonNegative = 0.0
    """Seconds to write a vote down before it is sent."""


class Fallback(Spec):
    """What a call does instead when its retries are used up or a breaker is open.

    It goes to another model, if `model` is given. If that fails too, or there is none, and
    `partial` is set, the call yields what is there, a partial answer. At an open breaker a call
    fails at once if that leaves its tasks as they are; else it waits.
    """

    model: Annotated[Agent, FALLBACK_MODEL] | None = None
    """The other model: latency, error probability and price; fields not given are those of the
    team's `agent`. No outage, error, slow phase or breaker of the first model concerns it."""
    shares_limits: bool = True
    """Whether its requests count against the provider's limits and wait in its queue, like all
    others; false if another provider serves it."""
    partial: bool = False
    """Whether the tasks of a call that has failed for good are left as they are and are known to be
    faulty: at once, or when the copies of them that are in progress (backups, `redundancy`) have
    not done them either. In votes and debates the others decide without the agent, if there are
    any."""
    partial_after: Annotated[int, Field(ge=1)] = 1
    """With `partial`, the calls that must fail at a task before it is left (in votes and debates,
    of each agent's own calls); until then the task is attempted again."""


class SimplerProtocol(Spec):
    """Another protocol for the rest of the run, once too few agents are left."""

    protocol: Annotated[ProtocolSpec, OneOf(PROTOCOLS)]
    """The simpler protocol, without coordinators."""
    when_lost: Literal["coordinator", "workers"] = "coordinator"
    """Whose loss it answers: that of any coordinator, or of a share of the workers."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """With ``workers``, the share of workers that must be down."""
    after_s: NonNegative = 0.0
    """Seconds for which they must have been down."""
    agents: Annotated[int, Field(ge=1)] | None = None
    """Number of workers that go on: the first ones that are up (1: a single agent). All workers
    when absent."""


class Degraded(Spec):
    """What the team leaves out while a share of its agents is down or the breaker is open."""

    when_down: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Share of the workers that are down."""
    skip: tuple[Literal["messages", "reviews", "idle_calls"], ...] = ("messages", "reviews")
    """What is left out."""


class Resilience(Spec):
    """The patterns; each works alone, and any of them work together."""

    timeout: Timeout | None = None
    """A limit on each request's time."""
    retry: CallRetry | None = None
    """Sending a failed request again."""
    breaker: BreakerSpec | None = None
    """Sending no requests while all of them fail."""
    hedge: Hedge | None = None
    """Sending a second request when the first is slow."""
    fallback: Fallback | None = None
    """Using another model, or a partial answer, when a call fails."""
    simpler_protocol: SimplerProtocol | None = None
    """Going on with another protocol, and perhaps fewer workers."""
    backup: Backup | None = None
    """Having free agents repeat the last tasks in progress."""
    bulkhead: dict[str, Annotated[int, Field(ge=1)]] | None = None
    """Most requests in flight for each group of workers (``team`` for workers without groups), the
    requests of their sub-agents included, so that one group cannot use up what all need."""
    checkpoint: Checkpoint | None = None
    """Losing less in a crash."""
    detector: DetectorSpec | None = None
    """Noticing agents that are dead or stuck, and giving their tasks to others."""
    supervisor: SupervisorSpec | None = None
    """Restarting agents that are found dead or stuck."""
    election: ElectionSpec | None = None
    """A new coordinator for a lost one."""
    degraded: Degraded | None = None
    """Leaving out messages, reviews or idle calls while agents are down or the breaker is open."""
    wait_for: Annotated[float, Field(gt=0, le=1)] = 1.0
    """In rounds, the share of the calls on tasks for which a barrier waits (k of n, rounded up);
    the other calls are cancelled."""
    enough: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the tasks that is enough: the run is complete when these are done. If an aggregator
    or merges still follow, workers begin no other calls meanwhile."""

    @model_validator(mode="before")
    @classmethod
    def _must_be_a_mapping(cls, data: Any) -> Any:
        if data is None:
            raise ValueError("should be a mapping of patterns")
        return data

    @model_validator(mode="after")
    def _patterns_agree(self) -> Self:
        if self.supervisor is not None and self.detector is None:
            raise ValueError("a 'supervisor' restarts who is found dead: it needs a 'detector'")
        return self

    @cached_property
    def any(self) -> bool:
        """Whether there is any pattern."""
        return self != _no_patterns()


@lru_cache(maxsize=1)
def _no_patterns() -> Resilience:
    """Return what says nothing: one, as scenarios are asked by the thousand."""
    return Resilience()
