"""The requests of a call, where they can fail: timed out, retried, hedged, sent elsewhere.

A call goes through one request after another until one is answered or nothing is left to be
tried. The time of requests that came to nothing is wasted; what they have read and written is
paid for, but for those that the provider failed.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from functools import partial

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.agents.timesheet import SERVING, WAITING
from simulator.model.calls.backoff import waits
from simulator.model.calls.bill import Bill
from simulator.model.calls.breakers import Breakers
from simulator.model.calls.budget import RetryBudget
from simulator.model.calls.bulkhead import Bulkhead
from simulator.model.calls.caller import Caller
from simulator.model.calls.checkpoints import Checkpoints
from simulator.model.calls.flight import Flight, as_it_was, time_left
from simulator.model.calls.patience import Patience
from simulator.model.calls.phases import Phases, Step
from simulator.model.calls.provider import Place, ProviderState, Ticket
from simulator.model.calls.service import CallLostError, Service, StallError, share_done
from simulator.model.journal import Journal
from simulator.model.streams import Streams
from simulator.model.timers import AN_INSTANT
from simulator.model.trace import Event
from simulator.scenario import Scenario

_UNPAID = frozenset({"error", "outage"})
"""How requests end for which the provider sends no bill."""

_FAULTS_OF_THE_SERVICE = frozenset({"timeout", "error", "outage"})
"""How requests end that speak against the service, for its breaker."""

_SHORTEST_S = 1e-3
"""A failure takes some time: a call that fails at once for ever would stop the clock."""


class Requests(Service):
    """Sends the requests of all agents' calls.

    Parameters
    ----------
    scenario : Scenario
    agents : sequence of AgentState
    streams : Streams
    agenda : Agenda
    journal : Journal
    phases : Phases
    provider : ProviderState
    bill : Bill
    """

    def __init__(
        self,
        scenario: Scenario,
        agents: Sequence[AgentState],
        streams: Streams,
        agenda: Agenda,
        journal: Journal,
        phases: Phases,
        provider: ProviderState,
        bill: Bill,
    ) -> None:
        self._agenda = agenda
        self._journal = journal
        self._metrics = journal.metrics
        self._phases = phases
        self._provider = provider
        self._bill = bill
        limits = scenario.resilience.bulkhead
        self._bulkhead = None if limits is None else Bulkhead(limits, scenario.team, agenda, phases)
        patterns = scenario.resilience
        self._patterns = patterns
        self._sdk = scenario.provider.retry
        self.callers = [Caller(agent, scenario, streams) for agent in agents]
        self._budget = RetryBudget(patterns.retry.budget if patterns.retry else None)
        self._breakers = Breakers(patterns.breaker, agenda, journal, phases)
        self._patience = Patience(patterns.timeout, patterns.hedge)
        self.checkpoints = Checkpoints(patterns.checkpoint) if patterns.checkpoint else None

    @property
    def a_breaker_is_open(self) -> bool:
        """Whether calls are held back."""
        return self._breakers.is_any_open

    def begin(self, agent: AgentState) -> None:
        """Note that a call begins."""
        caller = self.callers[agent.index]
        caller.tries = caller.sdk_tries = 0
        caller.queued_s = 0.0
        caller.lasts_s = None
        caller.served = 0.0
        retry = self._patterns.retry
        if retry is not None:
            caller.pauses = waits(retry.backoff, caller.jitter)
        self._budget.first_request()
        if agent.memory.is_too_long:
            self._use_other(agent, caller, True)

    def take_as_long(self, agent: AgentState, other: AgentState) -> None:
        """Let the agent's next request take as long as the one that `other` waits for."""
        self.callers[agent.index].as_long_as = self.callers[other.index].lasts_s

    def serve(self, agent: AgentState, seconds: float) -> Iterator[Step]:
        """Send requests until one is answered, which takes `seconds` if all goes well.

        Raises `CallLostError` if nothing helps.
        """
        caller = self.callers[agent.index]
        caller.share = share = (
            seconds / agent.time.duration_s if agent.time.duration_s > 0.0 else 1.0
        )
        yield from self._get_in(agent, caller, agent.time.served_s > 0.0)
        if caller.uses_other:
            seconds = share * self._seconds_elsewhere(agent, caller)
        while True:
            why = yield from self._request(agent, caller, seconds)
            if not why:
                caller.served += share
                self._phases.enter(agent, WAITING)
                return
            if why not in _UNPAID:
                agent.memory.read_in_vain()
            yield from self._try_again(agent, caller, why)
            yield from self._get_in(agent, caller, False)
            if caller.uses_other:
                seconds = share * self._seconds_elsewhere(agent, caller)
            else:
                seconds = share * self._seconds_again(agent, caller)

    def lost(self, agent: AgentState, why: str) -> None:
        """Free all that a call which is lost holds or waits for; say what is paid of it."""
        agent.call.fail(why)
        agent.call.pay(self._share_answered(agent))
        caller = self.callers[agent.index]
        if caller.place is not None:
            caller.place.is_abandoned = True
            caller.place = None
        self._leave(caller.ticket, 0.0)
        if self._bulkhead is not None:
            self._bulkhead.forget(agent)
        self._withdraw(agent, caller)
        self._breakers.forget(agent)

    def _share_answered(self, agent: AgentState) -> float | None:
        """Return which share of the call has been answered; None if no request has."""
        served = self.callers[agent.index].served
        return min(1.0, served) if served > 0.0 else None

    def cut_off(self, agent: AgentState) -> None:
        """End the requests in flight with the run; pay for a hedge, and say what else is paid."""
        caller = self.callers[agent.index]
        flight, elapsed_s = caller.flight, self._agenda.now - agent.time.since_s
        if flight is None or elapsed_s <= 0.0:
            agent.call.pay(self._share_answered(agent))
        else:
            if flight.second is not None:
                self._pay_second(agent, flight, elapsed_s, "cut_off")
            written = caller.served + caller.share * share_done(elapsed_s, flight.first[0])
            agent.call.pay(min(1.0, written))
        self._phases.enter(agent, WAITING)

    def over(self, agent: AgentState) -> None:
        """Let the agent's own model answer its next call."""
        caller = self.callers[agent.index]
        if caller.uses_other:
            self._use_other(agent, caller, False)

    def _withdraw(self, agent: AgentState, caller: Caller) -> None:
        """Take back from the breaker a request of which it will hear no more."""
        if caller.term is not None:
            self._breakers.withdraw(agent, caller.term)
            caller.term = None

    def _leave(self, ticket: Ticket, left_s: float) -> None:
        """Free a request's place at the provider, where it would go on for `left_s`."""
        if ticket.is_admitted:
            ticket.is_admitted = False
            self._provider.finished(left_s)

    def _get_in(self, agent: AgentState, caller: Caller, goes_on: bool) -> Iterator[Step]:
        while True:
            why = yield from self._admit(agent, caller, goes_on)
            if not why:
                return
            yield from self._try_again(agent, caller, why)

    def _try_again(self, agent: AgentState, caller: Caller, why: str) -> Iterator[Step]:
        """Wait before the next request; raise `CallLostError` if there is to be none."""
        retry, metrics = self._patterns.retry, self._metrics
        if why in _FAULTS_OF_THE_SERVICE and caller.sdk_tries < self._sdk.max_retries:
            metrics.retries += 1
            pause_s = self._provider.pause_s(caller.sdk_tries, 0.0)
            caller.sdk_tries += 1
            yield from self._phases.wait(agent, "retry", pause_s)
            return
        caller.sdk_tries = 0
        if retry is not None and caller.tries < retry.max_retries and self._budget.take():
            caller.tries += 1
            metrics.retries += 1
            wait_s = next(caller.pauses)
            if wait_s > 0.0:
                yield from self._phases.wait(agent, "retry", wait_s)
            return
        if self.other_can_read(agent) and not caller.uses_other:
            self._use_other(agent, caller, True)
            return
        raise CallLostError(why)

    def other_can_read(self, agent: AgentState) -> bool:
        """Return whether there is another model, with a window for the call's prompt."""
        other = self.callers[agent.index].other
        return other is not None and agent.memory.prompt_tokens <= other.context.window_tokens

    def _use_other(self, agent: AgentState, caller: Caller, does: bool) -> None:
        caller.uses_other = does
        agent.answer_with(caller.other if does else None, caller.other_err_logit)
        self._metrics.fallbacks += does

    def _admit(
        self, agent: AgentState, caller: Caller, goes_on: bool
    ) -> Generator[Step, None, str]:
        """Get a request past the breaker and into the provider; return why not, if not."""
        metrics = self._metrics
        if self._patterns.breaker is not None and not caller.uses_other:
            yield from self._pass_breaker(agent, caller)
        if not self._is_limited(caller):
            if self._bulkhead is not None:
                yield from self._bulkhead.enter(agent)
            metrics.requests += not goes_on
            return ""
        provider = self._provider
        if not (yield from provider.admits(agent, goes_on, self._bulkhead)):
            self._withdraw(agent, caller)
            return "refused"
        metrics.requests += not goes_on
        if provider.has_room:
            provider.enter()
            caller.ticket.is_admitted = True
            return ""
        return (yield from self._queue(agent, caller))

    def _is_limited(self, caller: Caller) -> bool:
        """Return whether the provider's limits concern the requests that are sent now."""
        fallback = self._patterns.fallback
        return not caller.uses_other or (fallback is not None and fallback.shares_limits)

    def _pass_breaker(self, agent: AgentState, caller: Caller) -> Iterator[Step]:
        while True:
            caller.term = self._breakers.admit(agent)
            if caller.term is not None:
                return
            if self.other_can_read(agent):
                self._use_other(agent, caller, True)
                return
            if agent.call.picks and self._patterns.fallback and self._patterns.fallback.partial:
                raise CallLostError("breaker")
            yield from self._breakers.wait(agent)

    def _queue(self, agent: AgentState, caller: Caller) -> Generator[Step, None, str]:
        """Wait in the provider's queue, as long as the client has patience."""
        began_s = self._agenda.now
        seconds = agent.time.duration_s * self._factor(agent, caller)
        caller.place = place = self._provider.enqueue(agent, caller.ticket, seconds)
        limit_s = self._patience.limit_s()
        if not math.isinf(limit_s):
            self._agenda.at(
                began_s + limit_s, partial(self._lose_patience, agent, place), place.waits
            )
        yield from self._phases.wait(agent, "queue", None)
        caller.place = None
        if caller.ticket.is_admitted:
            caller.queued_s = self._agenda.now - began_s
            return ""
        if self._bulkhead is not None:
            self._bulkhead.leave(agent)
        self._count("timeout")
        self._note(agent, caller, "timeout")
        return "timeout"

    def _lose_patience(self, agent: AgentState, place: Place) -> None:
        if place.waits():
            place.is_abandoned = True
            self._agenda.resume(agent.index)

    def _factor(self, agent: AgentState, caller: Caller) -> float:
        """Return what slow phases, brownouts and scripted slowness multiply a request's time by."""
        if caller.uses_other:
            return caller.slowed
        return caller.slowed * self._provider.pace(self._agenda.now)

    def _fate(self, agent: AgentState, caller: Caller, seconds: float) -> tuple[float, str]:
        """Return after how many seconds a request ends that starts now, and what went wrong."""
        faults = (caller.other or agent.spec if caller.uses_other else agent.spec).faults
        seconds *= self._factor(agent, caller)
        if faults.slow and caller.rolls_slow() < faults.slow.probability:
            self._metrics.slow_calls += 1
            seconds *= caller.slow_factors[caller.uses_other]()
        why = ""
        if faults.malformed and caller.rolls_malformed() < faults.malformed:
            why = "malformed"
        if caller.is_stuck or (faults.stall and caller.rolls_stall() < faults.stall):
            self._metrics.stalls += 1
            seconds = math.inf
        if caller.uses_other:
            return seconds, why
        if caller.error_p and caller.rolls_error() < caller.error_p:
            seconds, why = min(seconds, max(_SHORTEST_S, caller.error_after())), "error"
        seconds, fails = self._provider.outages.fate(self._agenda.now, seconds)
        return (seconds, "outage") if fails else (seconds, why)

    def _seconds_again(self, agent: AgentState, caller: Caller) -> float:
        """Return a new draw of the time that a request of the call takes."""
        seconds = caller.latency_again(
            agent.call.work, agent.memory.uncached, agent.memory.cached, agent.call.output
        )
        return seconds if agent.is_steady else seconds * agent.pace()

    def _seconds_elsewhere(self, agent: AgentState, caller: Caller) -> float:
        seconds = caller.latency_elsewhere(
            agent.call.work, agent.memory.uncached, agent.memory.cached, agent.call.output
        )
        assert caller.other is not None
        return seconds / caller.other.speed

    def _request(
        self, agent: AgentState, caller: Caller, seconds: float
    ) -> Generator[Step, None, str]:
        """Be in service for one request and, hedged, a second; return what went wrong."""
        began_s = self._agenda.now
        timeout_s = self._patience.limit_s()
        limit_s = timeout_s - caller.queued_s
        caller.queued_s = 0.0
        if self.checkpoints is not None:
            seconds = self.checkpoints.seconds_left(agent, seconds)
        flight = Flight(self._fate(agent, caller, seconds))
        if caller.as_long_as is not None:
            flight.first = (caller.as_long_as, flight.first[1])
            caller.as_long_as = None
        caller.lasts_s = flight.first[0]
        caller.flight = flight
        hedge_s = math.inf if caller.uses_other else self._patience.hedge_s()
        self._phases.enter(agent, SERVING)
        while True:
            end_s, why = flight.end
            # What is answered at the instant of its time-out is answered.
            cut_s = limit_s if end_s > limit_s + AN_INSTANT * timeout_s else math.inf
            due_s = min(end_s, cut_s, hedge_s)
            try:
                yield None if math.isinf(due_s) else max(0.0, due_s - (self._agenda.now - began_s))
            except StallError:
                self._metrics.stalls += flight.stall(self._agenda.now - began_s)
                continue
            except CallLostError as lost:
                self._lose(agent, caller, flight, self._agenda.now - began_s, lost.why)
                raise
            if due_s == min(end_s, cut_s):
                break
            hedge_s = math.inf
            if self._takes_a_second(agent, flight):
                flight.sent_s = due_s
                flight.second = self._second(agent, caller, flight)
        if cut_s < end_s:
            why = "timeout"
        self._land(agent, caller, flight, self._agenda.now - began_s, why)
        return why

    def _land(
        self, agent: AgentState, caller: Caller, flight: Flight, elapsed_s: float, why: str
    ) -> None:
        """Settle a request, or a pair of them, that is answered or given up."""
        caller.flight = None
        if flight.second is not None:
            first, second = flight.first, flight.second
            second_won = not second[1] and (second[0] < first[0] or bool(first[1]))
            if second_won and not why:
                self._pay(agent, elapsed_s, first[0], as_it_was(first, elapsed_s))
            else:
                said = why if why == "timeout" else as_it_was(second, elapsed_s)
                self._pay_second(agent, flight, elapsed_s, said)
        self._free(agent, caller, flight, elapsed_s)
        if why:
            self._throw_away(agent, elapsed_s, flight.first[0], why)
        elif self.checkpoints is not None:
            self.checkpoints.forget(agent)
        self._patience.remember(elapsed_s, why)
        self._note(agent, caller, why)

    def _lose(
        self, agent: AgentState, caller: Caller, flight: Flight, elapsed_s: float, why: str
    ) -> None:
        """Settle a request, or a pair of them, whose call is lost."""
        caller.flight = None
        self._free(agent, caller, flight, elapsed_s)
        agent.memory.note_read()
        if self.checkpoints is not None and why == "crash":
            self.checkpoints.save(agent, elapsed_s)
        self._throw_away(agent, elapsed_s, flight.first[0], why)
        if flight.second is not None:
            self._pay_second(agent, flight, elapsed_s, why)

    def _free(self, agent: AgentState, caller: Caller, flight: Flight, elapsed_s: float) -> None:
        """Free what a request, or a pair of them, holds for its service."""
        self._leave(caller.ticket, time_left(flight.first[0], elapsed_s))
        if flight.second is not None:
            self._leave(flight.ticket, time_left(flight.second[0], elapsed_s))
        if self._bulkhead is not None:
            self._bulkhead.forget(agent)

    def _takes_a_second(self, agent: AgentState, flight: Flight) -> bool:
        """Return whether bulkhead and provider take in a second request now; hold its places."""
        provider = self._provider
        if self._bulkhead is not None and not self._bulkhead.has_room(agent):
            return False
        if not provider.has_room:
            return False
        if provider.refusal(agent) is not None:
            self._metrics.rate_limits += 1
            return False
        provider.enter()
        flight.ticket.is_admitted = True
        if self._bulkhead is not None:
            self._bulkhead.hold(agent)
        return True

    def _pay_second(self, agent: AgentState, flight: Flight, elapsed_s: float, why: str) -> None:
        assert flight.second is not None
        self._pay(agent, elapsed_s - flight.sent_s, flight.second[0] - flight.sent_s, why)

    def _second(self, agent: AgentState, caller: Caller, flight: Flight) -> tuple[float, str]:
        """Send the second request; return when, after the first was sent, and how it ends."""
        hedge = self._patterns.hedge
        assert hedge is not None
        self._metrics.hedges += 1
        self._metrics.requests += 1
        if caller.rolls_hedge() < hedge.correlation:
            return flight.sent_s + flight.first[0], flight.first[1]
        lasts_s, why = self._fate(agent, caller, self._seconds_again(agent, caller))
        return flight.sent_s + lasts_s, why

    def _throw_away(self, agent: AgentState, elapsed_s: float, seconds: float, why: str) -> None:
        """Book a request that came to nothing, and pay for it."""
        agent.time.throw_away()
        self._phases.enter(agent, WAITING)
        self._metrics.lost_s += elapsed_s
        self._pay(agent, elapsed_s, seconds, why, elapsed_s)

    def _pay(
        self, agent: AgentState, elapsed_s: float, seconds: float, why: str, wasted_s: float = 0.0
    ) -> None:
        """Pay for what a request has read, and written by the time it was given up."""
        self._count(why)
        # A request given up at the very moment at which it was sent has not been read.
        paid = why not in _UNPAID and (elapsed_s > 0.0 or seconds <= 0.0)
        share = self.callers[agent.index].share * share_done(elapsed_s, seconds)
        read, written = self._bill.in_vain(agent, share, paid)
        if self._bill.is_over_budget:
            self._agenda.stop("budget", "")
        self._journal.note(
            Event.REQUEST,
            agent.index,
            agent.call.number,
            duration_s=wasted_s,
            input_tokens=read,
            cached_tokens=agent.memory.cached * paid,
            output_tokens=written,
            outcome=why,
        )

    def _count(self, why: str) -> None:
        metrics = self._metrics
        metrics.timeouts += why == "timeout"
        metrics.provider_errors += why in _UNPAID
        metrics.malformed += why == "malformed"

    def _note(self, agent: AgentState, caller: Caller, why: str) -> None:
        """Tell its breaker how a request has ended."""
        if caller.term is not None:
            self._breakers.record(agent, caller.term, why in _FAULTS_OF_THE_SERVICE)
            caller.term = None
