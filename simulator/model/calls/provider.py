"""The provider that serves the model to all agents: shared limits, a queue, bad times."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.distributions.exponential import Exponential
from simulator.model.agenda import Agenda
from simulator.model.calls.outages import OutageCalendar
from simulator.model.calls.phases import Phases, Step
from simulator.model.streams import Draw, Entity, Purpose, Streams
from simulator.scenario.faults import ScriptedFault
from simulator.scenario.provider import Provider, Retry, SlowPhases

if TYPE_CHECKING:
    from simulator.model.agents.agent import AgentState
    from simulator.model.metrics import Metrics


class TokenBucket:
    """A rate limit: a bucket that holds `capacity` at most and fills at a steady rate.

    Parameters
    ----------
    per_minute : float
        Amount that flows in.
    burst_s : float
        Seconds of the rate that it holds.
    """

    __slots__ = ("_level", "_rate", "_updated_s", "capacity")

    def __init__(self, per_minute: float, burst_s: float) -> None:
        self._rate = per_minute / 60.0
        self.capacity = self._rate * burst_s
        self._level = self.capacity
        self._updated_s = 0.0

    def wait_s(self, amount: float, now: float) -> float:
        """Return the seconds until it holds `amount` (0 if it does).

        What is larger than the bucket passes when it is full, and leaves it in debt.
        """
        self._level = min(self.capacity, self._level + self._rate * (now - self._updated_s))
        self._updated_s = now
        missing = min(amount, self.capacity) - self._level
        # Else a rounding error could make a caller come back a moment too early, without end.
        return missing / self._rate if missing > 1e-9 * self.capacity else 0.0

    def give_back(self, amount: float) -> None:
        """Put `amount` back; what the bucket cannot hold flows over."""
        self._level += amount

    def take(self, amount: float) -> None:
        """Take `amount` out."""
        self._level -= amount


class Ticket:
    """A request as its client knows it: whether it is in service at the provider."""

    __slots__ = ("is_admitted",)

    def __init__(self, is_admitted: bool = False) -> None:
        self.is_admitted = is_admitted

    def take_in(self) -> None:
        """Be in service from now on."""
        self.is_admitted = True

    def give_back(self) -> bool:
        """Be in service no more; return whether it was."""
        was_admitted, self.is_admitted = self.is_admitted, False
        return was_admitted


@dataclass(slots=True, eq=False)
class Place:
    """A request in the provider's queue."""

    agent: AgentState
    ticket: Ticket
    seconds: float
    is_abandoned: bool = False
    """Whether its client has given up, which the provider does not know."""
    is_served: bool = False

    def serve(self) -> None:
        """Leave the queue for service."""
        self.is_served = True
        self.ticket.take_in()

    def abandon(self) -> None:
        """Be given up by its client."""
        self.is_abandoned = True

    def waits(self) -> bool:
        """Return whether its client still waits for it."""
        return not (self.is_served or self.is_abandoned)


class ProviderState:
    """The provider in one replication.

    Parameters
    ----------
    spec : Provider
    script : iterable of ScriptedFault
    streams : Streams
    agenda : Agenda
    metrics : Metrics
    phases : Phases

    Attributes
    ----------
    has_paces : bool
        Whether it is slower at times: see `pace`.
    refuses : bool
        Whether there is any limit.
    refunds : bool
        Whether it wants to know what each request has written: see `settle`.
    """

    __slots__ = (
        "_admitted",
        "_agenda",
        "_in_service",
        "_input",
        "_metrics",
        "_output",
        "_phases",
        "_queue",
        "_requests",
        "_reserving",
        "_rolls_retry",
        "_slow",
        "has_paces",
        "outages",
        "refunds",
        "refuses",
        "spec",
    )

    def __init__(
        self,
        spec: Provider,
        script: Iterable[ScriptedFault],
        streams: Streams,
        agenda: Agenda,
        metrics: Metrics,
        phases: Phases,
    ) -> None:
        def bucket(per_minute: float | None) -> TokenBucket | None:
            return None if per_minute is None else TokenBucket(per_minute, spec.burst_s)

        self.spec = spec
        self._requests = bucket(spec.requests_per_minute)
        self._input = bucket(spec.input_tokens_per_minute)
        self._output = bucket(spec.output_tokens_per_minute)
        self.refuses = spec.refuses
        self.refunds = spec.refunds_output and self._output is not None
        self._reserving: defaultdict[int, int] = defaultdict(int)
        """Requests under way of each agent."""
        self._agenda = agenda
        self._metrics = metrics
        self._phases = phases
        self.outages = OutageCalendar(spec, script, streams)
        self._in_service = 0
        self._admitted = 0
        self._queue: deque[Place] = deque()
        self._rolls_retry = streams.uniforms(Entity.RUN, 0, Purpose.RETRY)
        self._slow = _SlowPhases(spec.slow, streams) if spec.slow else None
        self.has_paces = self._slow is not None or self.outages.has_brownouts

    def refusal(
        self, agent: AgentState, goes_on: bool = False, is_second: bool = False
    ) -> float | None:
        """Take in a request of the agent's call, or refuse it.

        Parameters
        ----------
        agent : AgentState
        goes_on : bool
            Whether the request has been in service before: it asks for a place only.
        is_second : bool
            Whether another request of the call is in service: it keeps in the cache what it has
            found there, and the second one reads as much anew as it did.

        Returns
        -------
        float or None
            None if the request is admitted; else the retry-after in seconds, or 0 where the
            provider does not say.
        """
        if not self.has_room:
            queue = self.spec.queue
            if queue is None or (queue.limit is not None and len(self._queue) >= queue.limit):
                return 0.0
        now = self._agenda.now
        if not goes_on:
            if not is_second:
                agent.look_in_cache(now)  # it decides what counts against the limit on input
            read = agent.memory.uncached + (
                agent.memory.cached if self.spec.cached_input_counts else 0
            )
            writes = _reserved(agent)
            asked = [(self._requests, 1), (self._input, read), (self._output, writes)]
            limits = [(bucket, amount) for bucket, amount in asked if bucket is not None]
            longest = max((bucket.wait_s(amount, now) for bucket, amount in limits), default=0.0)
            if longest > 0.0:
                return longest
            for bucket, amount in limits:
                bucket.take(amount)
            if self.refunds:
                self._reserving[agent.index] += 1
        if self.refuses:
            self._admitted += 1
            agent.time.admitted(self._admitted)
        return None

    def settle(self, agent: AgentState, written: int) -> None:
        """Give back what a request that has ended had reserved of the limit on output.

        One that was not in service, or only goes on, has reserved nothing.
        """
        if self._output is not None and self._reserving[agent.index]:
            self._reserving[agent.index] -= 1
            self._output.give_back(_reserved(agent) - written)

    def admits(self, agent: AgentState, goes_on: bool) -> Generator[Step, None, bool]:
        """Be asked by an agent until its request is taken in; return False if it gives up.

        `goes_on` says whether the request has been in service before: it asks for a place only.
        """
        retries = 0
        while (after_s := self.refusal(agent, goes_on)) is not None:
            self._metrics.rate_limits += 1
            pause_s = self.pause_s(retries, after_s)
            yield from self._phases.wait(agent, "rate_limit", pause_s)
            if retries == self.spec.retry.max_retries:
                return False
            retries += 1
            self._metrics.retries += 1
        return True

    @property
    def has_room(self) -> bool:
        """Whether one more call can be served now."""
        return self.spec.concurrency is None or self._in_service < self.spec.concurrency

    def enter(self) -> None:
        """Note that a call is in service."""
        self._in_service += 1

    def _has_queue(self) -> bool:
        return bool(self._queue)

    def enqueue(self, agent: AgentState, ticket: Ticket, seconds: float) -> Place:
        """Let a request wait that will be in service for `seconds`."""
        place = Place(agent, ticket, seconds)
        self._queue.append(place)
        return place

    def finished(self, left_s: float = 0.0) -> None:
        """Note that a call is over for its client; it goes on for `left_s` for the provider.

        The first in the queue takes its place. A request whose client has given up is served in
        vain, unless the provider drops it.
        """
        if left_s > 0.0 and not self.spec.cancels:
            self._agenda.at(self._agenda.now + left_s, self.finished, self._has_queue)
            return
        self._in_service -= 1
        while self._queue and self.has_room:
            place = self._queue.popleft()
            if not place.is_abandoned:
                self._in_service += 1
                place.serve()
                self._agenda.resume(place.agent.index)
            elif self.spec.queue is not None and not self.spec.queue.drops_expired:
                self._in_service += 1
                now = self._agenda.now
                lasts_s, _ = self.outages.fate(now, place.seconds)
                self._agenda.at(now + lasts_s, self.finished, self._has_queue)

    def pause_s(self, retry: int, retry_after_s: float) -> float:
        """Return how long a client waits before retry 0, 1, ... (see `Retry`)."""
        spec: Retry = self.spec.retry
        if retry_after_s > 0.0:
            return retry_after_s * (1.0 + spec.lag * self._rolls_retry())
        wait = min(spec.base_s * 2.0 ** min(retry, 60), spec.cap_s)
        return wait * (1.0 - spec.jitter * self._rolls_retry())

    def pace(self, now: float) -> float:
        """Return what multiplies the duration of a call that starts now."""
        factor = self._slow.factor_at(now) if self._slow else 1.0
        return factor * self.outages.factor_at(now)


def _reserved(agent: AgentState) -> int:
    """Return what a request of the agent's call takes from a limit on output."""
    return max(agent.call.output, agent.spec.tokens.max_tokens or 0)


class _SlowPhases:
    """Alternating normal and slow phases, drawn as time reaches them."""

    __slots__ = ("_end_s", "_ends", "_factor", "_is_slow")

    def __init__(self, spec: SlowPhases, streams: Streams) -> None:
        self._factor = spec.factor
        lengths = [
            streams.draws(Exponential(mean=mean), Entity.RUN, index, Purpose.SLOW_PHASE)
            for index, mean in enumerate((spec.mean_normal_s, spec.mean_slow_s))
        ]
        self._ends = self._phases(lengths)
        self._is_slow, self._end_s = next(self._ends)

    @staticmethod
    def _phases(lengths: list[Draw]) -> Iterator[tuple[int, float]]:
        end_s = 0.0
        while True:
            for is_slow, length in enumerate(lengths):
                end_s += length()
                yield is_slow, end_s

    def factor_at(self, now: float) -> float:
        while self._end_s <= now:
            self._is_slow, self._end_s = next(self._ends)
        return self._factor if self._is_slow else 1.0
