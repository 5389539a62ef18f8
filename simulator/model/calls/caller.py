"""An agent as a client of the provider: what it draws, and where its requests stand."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.distributions._distribution import Distribution
from simulator.model.agents.agent import AgentState
from simulator.model.calls.flight import Flight
from simulator.model.calls.provider import Place, Ticket
from simulator.model.latency._latency import LatencyModel
from simulator.model.streams import AGAIN, ELSEWHERE, Draw, Purpose, Streams, always
from simulator.scenario import Agent, Scenario


class Caller:
    """One agent as a client of the provider.

    Attributes
    ----------
    slowed : float
        What a scripted fault multiplies its requests' times by.
    is_stuck : bool
        Whether, by a scripted fault, what it sends never comes back.
    """

    def __init__(self, agent: AgentState, scenario: Scenario, streams: Streams) -> None:
        entity, number = agent.entity, agent.number

        def rolls(purpose: Purpose, needed: bool = True) -> Draw:
            return streams.uniforms(entity, number, purpose) if needed else always(1.0)

        def again(distribution: Distribution, purpose: Purpose) -> Draw:
            return streams.draws(distribution, entity, number, purpose, AGAIN)

        def elsewhere(distribution: Distribution, purpose: Purpose) -> Draw:
            return streams.draws(distribution, entity, number, purpose, ELSEWHERE)

        self.slowed = 1.0
        self.is_stuck = False
        self.tries = 0
        self.sdk_tries = 0
        self.pauses: Iterator[float] = iter(())
        self.term: int | None = None
        self.ticket = Ticket()
        self.place: Place | None = None
        self.queued_s = 0.0
        self.lasts_s: float | None = None
        self._begin()
        self.as_long_as: float | None = None
        other = scenario.resilience.fallback and scenario.resilience.fallback.model
        self.other: Agent | None = other or None
        self.uses_other = False
        self.other_err_logit = 0.0
        specs = [agent.spec.faults, *([other.faults] if other else [])]
        self.rolls_slow = rolls(Purpose.SLOW, any(s.slow for s in specs))
        self.rolls_stall = rolls(Purpose.STALL, any(s.stall for s in specs))
        self.rolls_malformed = rolls(Purpose.MALFORMED, any(s.malformed for s in specs))
        self.rolls_hedge = rolls(Purpose.HEDGE)
        self.rolls_error = rolls(Purpose.PROVIDER_ERROR)
        self.jitter = rolls(Purpose.CALL_RETRY)
        errors = scenario.provider.errors
        self.error_p = errors.probability if errors else 0.0
        self.error_after = always(1.0)
        if errors:
            self.error_after = again(errors.after_s, Purpose.PROVIDER_ERROR_AFTER)

        # Draws of their own: what is sent again leaves the calls that follow as they would be.
        self.latency_again = LatencyModel.of(agent.spec.latency).sampler(again)
        self.slow_factors: dict[bool, Draw] = {}
        if agent.spec.faults.slow:
            factor = agent.spec.faults.slow.factor
            self.slow_factors[False] = again(factor, Purpose.SLOW_FACTOR)
        if other:
            self.latency_elsewhere = LatencyModel.of(other.latency).sampler(elsewhere)
            agent.judgement.draw_with(rolls(Purpose.ERROR))
            spec = other.errors.probability
            self.other_err_logit = streams.logit(spec, entity, number, Purpose.ERROR)
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

    def _begin(self) -> None:
        """Set the state of a caller that has not sent anything."""
        self.flight: Flight | None = None
        self.share = 1.0
        """Share of the call that is asked for in the request in flight."""
        self.served = 0.0
        """Share of the call that has been answered."""
