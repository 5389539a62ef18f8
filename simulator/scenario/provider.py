"""What YAML may say about the provider that serves the model to all agents."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Self

from pydantic import Field, model_validator

from simulator.distributions import NonNegativeDistribution, SharedDistribution
from simulator.distributions.deterministic import Deterministic
from simulator.spec import Fraction, NonNegative, Positive, Spec


class Retry(Spec):
    """What a client does about a request that was refused, failed or timed out.

    The default is that of the vendors' SDKs.

    The wait is what the provider says (retry-after) or, where it says nothing,
    ``min(base_s * 2**retry, cap_s)``, less a random share of up to `jitter`
    (anthropic 2.11.0 and openai 3.52.0: 2 retries, 0.5 s, 8 s, a quarter).
    """

    max_retries: Annotated[int, Field(ge=0)] = 2
    """Retries of one call, after refusals, failures and time-outs together. When they are used up,
    `resilience.retry` and `fallback` follow at once; without them the call has failed, one that is
    refused after another wait."""
    base_s: Positive = 0.5
    """Wait before the first retry."""
    cap_s: Positive = 8.0
    """Longest wait."""
    jitter: Fraction = 0.25
    """Largest share by which a wait is shortened at random."""
    lag: NonNegative = 0.05
    """Largest share by which a client is late after a retry-after, so that clients do not stay in
    step."""

    @property
    def is_random(self) -> bool:
        """Whether a wait is drawn."""
        return max(self.jitter, self.lag) > 0.0


class SlowPhases(Spec):
    """Phases in which every call of every agent is slower, at random times."""

    factor: Annotated[float, Field(ge=1)]
    """Multiplies the duration of calls that start in a slow phase."""
    mean_normal_s: Positive
    """Mean length of the time between two slow phases (exponential)."""
    mean_slow_s: Positive
    """Mean length of a slow phase (exponential)."""


class ErrorBill(Spec):
    """What the provider bills of requests that fail, as where replies break off."""

    share: Fraction = 1.0
    """Probability that such a request is billed."""
    cached: Fraction = 1.0
    """Share of the input from the prompt cache that has its price; the rest is uncached input."""
    written: Fraction = 0.0
    """Share of the output that has been written by then."""


class ProviderErrors(Spec):
    """Requests that fail at the provider (HTTP 5xx), independently of each other."""

    probability: Fraction
    """Probability that a request fails."""
    after_s: NonNegativeDistribution = Field(default_factory=lambda: Deterministic(value=1.0))
    """Seconds until the error comes, or the time of the request if that is shorter."""
    bill: ErrorBill | None = None
    """What is billed of them; nothing when absent."""


class Outages(Spec):
    """Times in which the provider serves nobody, an alternating renewal process."""

    up_s: SharedDistribution
    """Seconds between two outages (its mean is the MTBF)."""
    down_s: SharedDistribution
    """Seconds that an outage lasts (its mean is the MTTR)."""
    hangs: bool = False
    """Whether calls wait for the end of the outage rather than fail."""


class Queue(Spec):
    """Where calls beyond `concurrency` wait at the provider, first come first served."""

    limit: Annotated[int, Field(ge=0)] | None = None
    """Calls that may wait; further ones are refused. No limit when absent."""
    drops_expired: bool = False
    """Whether a waiting call is dropped, rather than served, once its client has given up."""


class Provider(Spec):
    """Limits shared by the whole team, and common-mode slowness.

    Each rate limit is a token bucket: it fills at the rate and holds at most `burst_s` seconds of
    it. A call for which it does not hold enough is refused (HTTP 429), and told after how many
    seconds there will be enough (retry-after).
    """

    requests_per_minute: Positive | None = None
    """Calls."""
    input_tokens_per_minute: Positive | None = None
    """Input tokens; cached ones count only with `cached_input_counts`."""
    output_tokens_per_minute: Positive | None = None
    """Output tokens, counted as what a request may write (`Tokens.max_tokens`)."""
    refunds_output: bool = False
    """Whether a request, when it ends, gives back what it took from the limit on output but did
    not write."""
    cached_input_counts: bool = False
    """Whether tokens read from the prompt cache count against the limit on input."""
    burst_s: Positive = 60.0
    """Seconds of the rate that a bucket holds: 60 for a whole minute, 1 for one request a second
    at 60 a minute."""
    concurrency: Annotated[int, Field(ge=1)] | None = None
    """Calls in service at the same time. A call refused for this limit is told no retry-after."""
    queue: Queue | None = None
    """The queue in which calls beyond `concurrency` wait; they are refused when absent."""
    cancels: bool = True
    """Whether a call in service ends, and frees its place, when its client gives up."""
    errors: ProviderErrors | None = None
    """Requests that fail."""
    outages: Outages | None = None
    """Times in which all requests fail, or wait."""
    error_s: Positive = 1.0
    """Seconds until a call sent in an outage has failed."""
    retry: Retry = Retry()
    """What the client library does after a refusal, an error, a failure in an outage or a
    time-out."""
    slow: SlowPhases | None = None
    """Slow phases."""

    @model_validator(mode="after")
    def _queue_has_a_server(self) -> Self:
        if self.queue is not None and self.concurrency is None:
            raise ValueError("a 'queue' needs 'concurrency': how many calls are served at a time")
        return self

    @property
    def fails(self) -> bool:
        """Whether there are errors, outages, or a queue to wait in."""
        return bool(self.errors or self.outages or self.queue)

    @cached_property
    def refuses(self) -> bool:
        """Whether there is any limit."""
        limits = (
            self.requests_per_minute,
            self.input_tokens_per_minute,
            self.output_tokens_per_minute,
            self.concurrency,
        )
        return any(limit is not None for limit in limits)
