"""What YAML may say about the patterns by which a team answers failures."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from simulator.distributions import NonNegativeDistribution, SharedDistribution
from simulator.distributions.deterministic import constant
from simulator.distributions.uniform import Uniform
from simulator.registry import OneOf
from simulator.scenario.agent import Agent
from simulator.scenario.backoff import Backoff
from simulator.scenario.families import PROTOCOLS, ProtocolSpec
from simulator.spec import Fraction, NonNegative, Positive, Spec


class Timeout(Spec):
    """How long a request may take, its wait in the provider's queue included.

    With `percentile`, the limit is `factor` times that percentile of the last `window`
    requests' times (one that timed out counts as longer than any), and `seconds` until there
    are `minimum` of them.
    """

    seconds: Positive
    """The limit, or the first one."""
    percentile: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of the requests seen that are to be quicker than the limit / `factor`."""
    factor: Positive = 1.0
    """Multiplies the percentile."""
    window: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Requests that are remembered."""
    minimum: Annotated[int, Field(ge=1)] = 20
    """Requests that must have been seen."""


class CallRetry(Spec):
    """What an agent does about a request that timed out, failed or came back malformed.

    It is sent again after a wait. The client library's own retries (`provider.retry`) come
    first, for each of these.
    """

    max_retries: Annotated[int, Field(ge=0)] = 2
    """Retries of one call."""
    backoff: Backoff = Backoff(kind="full_jitter", base_s=0.5, cap_s=30.0)
    """Waits between them; a retry-after of the provider is what the client library obeys."""
    budget: Fraction | None = None
    """Retries that the whole team may send, as a share of its first requests (a token bucket
    that holds ten); no limit when absent."""


class BreakerSpec(Spec):
    """A circuit breaker for each model family, shared by the team (Nygard 2007).

    Closed, it lets everything through; when at least `failure_rate` of the last `window`
    requests have failed (of at least `minimum`), it opens. Open, nothing is sent for `open_s`.
    Then it is half open: `trial_calls` are let through; if one fails it opens again, if all
    succeed it closes and forgets what it has seen.
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
    provider or a bulkhead has no room for it when it is due, it is not sent.
    """

    after_s: Positive | None = None
    """Seconds after which the second is sent, or"""
    percentile: Annotated[float, Field(gt=0, lt=1)] | None = None
    """the percentile of the last `window` requests' times; nothing is hedged until `minimum`
    have been seen."""
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
    """Backup tasks near the end (Dean & Ghemawat 2004): who is free does again what is in progress.

    The first to finish a task has done it; the calls of the others are cancelled.
    """

    when_left: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of the tasks that are not done when backups begin."""
    copies: Annotated[int, Field(ge=1)] = 1
    """Most backups of a task at a time (r)."""
    correlation: Fraction = 0.0
    """Probability that a backup takes as long as the original: the task is what is slow."""


class Checkpoint(Spec):
    """A call in service saves what it has every `every_s`; after a crash work resumes there.

    Of a loop it saves the turns that have ended, at no cost, instead.
    """

    every_s: Positive
    """Seconds of work between two checkpoints."""
    cost_s: NonNegative = 0.0
    """Seconds that one takes."""


class DetectorSpec(Spec):
    """How the team learns that an agent is dead or stuck.

    ``heartbeat``: agents report every `period_s` (all at multiples of it), and who has not for
    `timeout_s` is taken for dead. ``swim``: in each period every agent probes another at random
    (Das, Gupta & Motivala 2002); a dead one is found at the end of the period in which somebody
    probes it. An agent in whose call nothing has happened for `progress_s` is taken for stuck,
    rightly or wrongly, and the call is cancelled. What happens is that the call begins and, of a
    loop, that a turn begins or ends, its own or one of a sub-agent of its: tools count in full.
    """

    kind: Literal["heartbeat", "swim"] = "heartbeat"
    """How death is noticed."""
    period_s: Positive = 5.0
    """Seconds between two heartbeats, or probes."""
    timeout_s: Positive = 15.0
    """Silence after which an agent is taken for dead (``heartbeat``)."""
    progress_s: Positive | None = None
    """Length of a call, of a loop that of a turn or of the time until the next, after which its
    agent is taken for stuck; never when absent."""
    reassign: bool = True
    """Whether the tasks of who is taken for dead or stuck go to the others."""


class SupervisorSpec(Spec):
    """Restarts agents that are found dead or stuck (Armstrong 2003: intensity and period)."""

    restart_s: SharedDistribution = Field(default_factory=lambda: constant(5.0))
    """Seconds that a restart takes; its context is gone."""
    max_restarts: Annotated[int, Field(ge=0)] | None = None
    """More restarts than this in `within_s` and the supervisor gives up; never when absent."""
    within_s: Positive = 60.0
    """The period of `max_restarts`."""


class ElectionSpec(Spec):
    """Who leads when the coordinator is lost: an election by the rules of Raft.

    (Ongaro & Ousterhout 2014: terms, one vote a term, randomised time-outs, and only who knows
    at least as much as a majority may lead.) The elected worker takes the coordinator's seat,
    model and instructions; its own seat stays empty until the lost one is back.
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
    """What is done instead, when retries are used up or a breaker is open.

    In this order, as far as they are given: the call goes to another model; it yields what is
    there, a partial answer. Without either, a call waits at an open breaker.
    """

    model: Agent | None = None
    """The other model: latency, error probability and price; what it does not say is as in the
    team's `agent`. No outage, error, slow phase or breaker of the first model concerns it."""
    shares_limits: bool = True
    """Whether its requests count against the provider's limits and wait in its queue, as all
    others do; not if somebody else serves it."""
    partial: bool = False
    """Whether the tasks of a call that has failed for good are left as they are, known faulty."""
    partial_after: Annotated[int, Field(ge=1)] = 1
    """With `partial`, calls that must have failed at a task; before, it is attempted again."""


class SimplerProtocol(Spec):
    """Another protocol for the rest of the run, once too few can go on."""

    protocol: Annotated[ProtocolSpec, OneOf(PROTOCOLS)]
    """The simpler protocol, without coordinators."""
    when_lost: Literal["coordinator", "workers"] = "coordinator"
    """Whose loss it answers: any coordinator's, or that of a share of the workers."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """With ``workers``, the share of them that is down."""
    after_s: NonNegative = 0.0
    """Seconds that the loss must have lasted."""
    agents: Annotated[int, Field(ge=1)] | None = None
    """Workers that go on, the first ones that are up (1: a single agent); all when absent."""


class Degraded(Spec):
    """What the team leaves out while a share of its agents is down or the breaker is open."""

    when_down: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Share of the workers that are down."""
    skip: tuple[Literal["messages", "reviews", "idle_calls"], ...] = ("messages", "reviews")
    """What is left out."""


class Resilience(Spec):
    """The patterns; each does without the others, and any of them go together."""

    timeout: Timeout | None = None
    """A limit on each request's time."""
    retry: CallRetry | None = None
    """Sending it again."""
    breaker: BreakerSpec | None = None
    """Sending nothing while everything fails."""
    hedge: Hedge | None = None
    """Sending it twice."""
    fallback: Fallback | None = None
    """Doing something else."""
    simpler_protocol: SimplerProtocol | None = None
    """Going on in another way."""
    backup: Backup | None = None
    """Doing the last tasks twice."""
    bulkhead: dict[str, Annotated[int, Field(ge=1)]] | None = None
    """Most requests under way for each group of workers (``team`` for all workers alike), those of
    their sub-agents included, so that one cannot use up what all need."""
    checkpoint: Checkpoint | None = None
    """Losing less in a crash."""
    detector: DetectorSpec | None = None
    """Noticing who is dead or stuck, and giving its tasks to others."""
    supervisor: SupervisorSpec | None = None
    """Restarting who is found dead or stuck."""
    election: ElectionSpec | None = None
    """A new coordinator for a lost one."""
    degraded: Degraded | None = None
    """Leaving things out while it is bad."""
    wait_for: Annotated[float, Field(gt=0, le=1)] = 1.0
    """In rounds, the share of the calls at work on tasks that a barrier waits for (k of n, rounded
    up); the others are cancelled."""
    enough: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the tasks that is enough: the run is complete with them."""

    @model_validator(mode="before")
    @classmethod
    def _must_be_a_mapping(cls, data: Any) -> Any:
        if data is None:
            raise ValueError("a mapping of patterns is wanted")
        return data

    @model_validator(mode="after")
    def _patterns_agree(self) -> Self:
        if self.supervisor is not None and self.detector is None:
            raise ValueError("a 'supervisor' restarts who is found dead: it needs a 'detector'")
        return self

    @property
    def any(self) -> bool:
        """Whether there is any pattern."""
        return self != Resilience()
