"""An agent as a client of the provider: what it draws, and where its requests stand."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.distributions._distribution import Distribution
from simulator.model.agents.agent import AgentState
from simulator.model.calls.error_answers import ErrorAnswers
from simulator.model.calls.flight import Fate, Flight
from simulator.model.calls.provider import Place, Ticket
from simulator.model.latency._latency import LatencyModel
from simulator.model.streams import AGAIN, ELSEWHERE, Draw, Purpose, Streams, always
from simulator.scenario import Agent
from simulator.scenario.provider import ProviderErrors
from simulator.scenario.resilience import Fallback


class Caller:
    """One agent as a client of the provider.

    Parameters
    ----------
    agent : AgentState
    fallback : Fallback or None
        What answers instead, if anything does.
    errors : ProviderErrors or None
        The provider's.
    streams : Streams

    Attributes
    ----------
    slowed : float
        What a scripted fault multiplies its requests' times by.
    is_stuck : bool
        Whether, by a scripted fault, what it sends never comes back.
    retry_after_s : float
        What the provider has said with its last refusal; 0 if it has said nothing.
    tries, sdk_tries : int
        Retries of the call so far: the team's, and those of the client's library in a row.
    may_fail : bool
        Whether models that it asks are slow, stall or answer what is of no use.
    flight : Flight or None
        What is in service.
    share : float
        Share of the call that is asked for in the request in flight.
    served : float
        Share of the call that has been answered.
    other : Agent or None
        The model that stands in.
    uses_other : bool
        Whether it is asked.
    window_elsewhere : float
        Its context limit, in tokens.
    """

    __slots__ = (
        "_as_long_as",
        "_lasts_s",
        "_pauses",
        "_place",
        "_queued_s",
        "error_answers",
        "error_p",
        "flight",
        "is_stuck",
        "jitter",
        "latency_again",
        "latency_elsewhere",
        "may_fail",
        "other",
        "other_err_logit",
        "retry_after_s",
        "rolls_error",
        "rolls_hedge",
        "rolls_malformed",
        "rolls_slow",
        "rolls_stall",
        "sdk_tries",
        "served",
        "share",
        "slow_factors",
        "slowed",
        "ticket",
        "tries",
        "uses_other",
        "window_elsewhere",
    )

    def __init__(
        self,
        agent: AgentState,
        fallback: Fallback | None,
        errors: ProviderErrors | None,
        streams: Streams,
    ) -> None:
        entity, number = agent.entity, agent.number

        def rolls(purpose: Purpose, needed: bool = True) -> Draw:
            return streams.uniforms(entity, number, purpose) if needed else always(1.0)

        def again(distribution: Distribution, purpose: Purpose) -> Draw:
            return streams.draws(distribution, entity, number, purpose, AGAIN)

        def elsewhere(distribution: Distribution, purpose: Purpose) -> Draw:
            return streams.draws(distribution, entity, number, purpose, ELSEWHERE)

        self.slowed = 1.0
        self.is_stuck = False
        self.ticket = Ticket()
        self.flight: Flight | None = None
        self.share = 1.0
        self.retry_after_s = 0.0
        self._place: Place | None = None
        self._as_long_as: float | None = None
        self.begin(iter(()))
        other = fallback.model if fallback else None
        self.other: Agent | None = other
        self.uses_other = False
        self.other_err_logit = 0.0
        specs = [agent.spec.faults, *([other.faults] if other else [])]
        self.may_fail = any(s.slow or s.stall or s.malformed for s in specs)
        self.rolls_slow = rolls(Purpose.SLOW, any(s.slow for s in specs))
        self.rolls_stall = rolls(Purpose.STALL, any(s.stall for s in specs))
        self.rolls_malformed = rolls(Purpose.MALFORMED, any(s.malformed for s in specs))
        self.rolls_hedge = rolls(Purpose.HEDGE)
        self.rolls_error = rolls(Purpose.PROVIDER_ERROR)
        self.jitter = rolls(Purpose.CALL_RETRY)
        self.error_p = errors.probability if errors else 0.0
        self.error_answers: ErrorAnswers | None = None
        if errors:
            self.error_answers = ErrorAnswers(
                errors,
                again(errors.after_s, Purpose.PROVIDER_ERROR_AFTER),
                rolls(Purpose.ERROR_BILL, errors.bill is not None),
            )

        # Draws of their own: what is sent again leaves the calls that follow as they would be.
        self.latency_again = agent.kind.latency.durations(again)
        self.slow_factors: dict[bool, Draw] = {}
        if agent.spec.faults.slow:
            factor = agent.spec.faults.slow.factor
            self.slow_factors[False] = again(factor, Purpose.SLOW_FACTOR)
        self.window_elsewhere = 0.0
        if other:
            windows = elsewhere(other.context.window_tokens, Purpose.WINDOW_TOKENS)
            self.window_elsewhere = windows()
            times = LatencyModel.of(other.latency).service_times
            self.latency_elsewhere = times.durations(elsewhere)
            agent.judgement.draw_with(rolls(Purpose.ERROR))
            odds = other.errors.probability.odds
            self.other_err_logit = streams.logit(odds, entity, number, Purpose.ERROR)
            if other.faults.slow:
                self.slow_factors[True] = elsewhere(other.faults.slow.factor, Purpose.SLOW_FACTOR)

    def slow_down(self, factor: float) -> None:
        """Let requests take so many times as long."""
        self.slowed *= factor

    def speed_up(self, factor: float) -> None:
        """Take back `slow_down`."""
        self.slowed /= factor

    def get_stuck(self) -> None:
        """Let nothing that is sent come back."""
        self.is_stuck = True

    def get_loose(self) -> None:
        """Take back `get_stuck`."""
        self.is_stuck = False

    def begin(self, pauses: Iterator[float]) -> None:
        """Begin a call; `pauses` are the seconds before its retries."""
        self.tries = self.sdk_tries = 0
        self._pauses = pauses
        self._queued_s = 0.0
        self._lasts_s: float | None = None
        self.served = 0.0

    def ask_for(self, share: float) -> None:
        """Ask for a share of the call in the requests that follow."""
        self.share = share

    def be_answered(self) -> None:
        """Note that the request in flight was answered."""
        self.served += self.share

    @property
    def share_answered(self) -> float | None:
        """Share of the call that has been answered; None if no request has."""
        return min(1.0, self.served) if self.served > 0.0 else None

    def be_refused(self, retry_after_s: float) -> None:
        """Be refused by the provider, and told when to come back."""
        self.retry_after_s = retry_after_s

    def count_sdk_try(self) -> None:
        """Send a request again by the client's library, below the team's own retries."""
        self.sdk_tries += 1

    def end_sdk_tries(self) -> None:
        """Leave it to the team what to do next."""
        self.sdk_tries = 0

    def try_again(self) -> float:
        """Send a request again; return how many seconds to wait before."""
        self.tries += 1
        return next(self._pauses)

    def use_other(self, does: bool) -> None:
        """Ask another model from now on, or the agent's own."""
        self.uses_other = does

    def join_queue(self, place: Place) -> None:
        """Wait in the provider's queue."""
        self._place = place

    def be_served(self, queued_s: float) -> None:
        """Leave the queue for service, after so many seconds."""
        self._place = None
        self._queued_s = queued_s

    def leave_queue(self) -> None:
        """Give up the place in the provider's queue, if there is one."""
        if self._place is not None:
            self._place.abandon()
            self._place = None

    def take_queued_s(self) -> float:
        """Return how long the request was queued that goes into service."""
        queued_s, self._queued_s = self._queued_s, 0.0
        return queued_s

    def take_as_long(self, other: Caller) -> None:
        """Let the next request take as long as the one that another waits for."""
        self._as_long_as = other._lasts_s

    def take_own_time(self) -> None:
        """Take back `take_as_long`."""
        self._as_long_as = None

    def depart(self, fate: Fate) -> Flight:
        """Put a request into service that ends as `fate` says."""
        if self._as_long_as is not None:
            fate = fate._replace(seconds=self._as_long_as)
            self._as_long_as = None
        self._lasts_s = fate.seconds
        self.flight = flight = Flight(fate)
        return flight

    def arrive(self) -> None:
        """Note that nothing is in service any more."""
        self.flight = None
