"""Requests in service: one, or two where it is hedged, from the beginning to the end."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.agents.timesheet import SERVING, WAITING
from simulator.model.calls.bill import Bill
from simulator.model.calls.breakers import Breakers
from simulator.model.calls.bulkhead import Bulkhead
from simulator.model.calls.caller import Caller
from simulator.model.calls.checkpoints import CallPart, Checkpoints
from simulator.model.calls.fates import Fates
from simulator.model.calls.flight import Fate, Flight, time_left
from simulator.model.calls.patience import Patience
from simulator.model.calls.phases import Phases, Step
from simulator.model.calls.provider import ProviderState, Ticket
from simulator.model.calls.service import CallLostError, StallError, share_done
from simulator.model.journal import Journal
from simulator.model.timers import AN_INSTANT
from simulator.model.trace import Event
from simulator.model.why import Why


class Transit:
    """Takes requests from the beginning of their service to the end, and books them.

    Parameters
    ----------
    callers : mapping of int to Caller
    fates : Fates
    patience : Patience
    provider : ProviderState
    bulkhead : Bulkhead
    breakers : Breakers
    checkpoints : Checkpoints or None
    hedge_correlation : float
        Probability that a second request takes as long as the first.
    agenda : Agenda
    journal : Journal
    phases : Phases
    bill : Bill
    """

    __slots__ = (
        "_agenda",
        "_bill",
        "_breakers",
        "_bulkhead",
        "_callers",
        "_checkpoints",
        "_fates",
        "_hedge_correlation",
        "_journal",
        "_metrics",
        "_patience",
        "_phases",
        "_provider",
    )

    def __init__(
        self,
        callers: Mapping[int, Caller],
        fates: Fates,
        patience: Patience,
        provider: ProviderState,
        bulkhead: Bulkhead,
        breakers: Breakers,
        checkpoints: Checkpoints | None,
        hedge_correlation: float,
        agenda: Agenda,
        journal: Journal,
        phases: Phases,
        bill: Bill,
    ) -> None:
        self._callers = callers
        self._fates = fates
        self._patience = patience
        self._provider = provider
        self._bulkhead = bulkhead
        self._breakers = breakers
        self._checkpoints = checkpoints
        self._hedge_correlation = hedge_correlation
        self._agenda = agenda
        self._journal = journal
        self._metrics = journal.metrics
        self._phases = phases
        self._bill = bill

    def take(self, agent: AgentState, seconds: float) -> Generator[Step, None, Why]:
        """Be in service for one request, or two where it is hedged; return what went wrong.

        Raises `CallLostError` if the call is lost meanwhile.
        """
        caller, began_s = self._callers[agent.index], self._agenda.now
        if not caller.served:
            seconds *= agent.look_in_cache(began_s)
        timeout_s, queued_s = self._patience.limit_s(), caller.take_queued_s()
        limit_s = timeout_s - queued_s
        part = CallPart(seconds, caller.served, caller.share)
        seconds = self._with_checkpoints(agent, part)
        flight = caller.depart(self._fates.draw(agent, seconds))
        hedge_s = math.inf if caller.uses_other else self._patience.hedge_s()
        self._phases.enter(agent, SERVING)
        while True:
            end_s, why = flight.first if flight.second is None else flight.end
            # An answer at the very instant of the time-out counts.
            cut_s = limit_s if end_s > limit_s + AN_INSTANT * timeout_s else math.inf
            over_s = min(end_s, cut_s)
            due_s = min(over_s, hedge_s, flight.fails_s)
            try:
                yield None if math.isinf(due_s) else max(0.0, due_s - (self._agenda.now - began_s))
            except StallError:
                self._metrics.stalls += flight.stall(self._agenda.now - began_s)
                continue
            except CallLostError as lost:
                elapsed_s = self._agenda.now - began_s
                if self._checkpoints is not None and lost.why is Why.CRASH:
                    self._checkpoints.save(agent, part, seconds * flight.share_done(elapsed_s))
                self._lose(agent, flight, elapsed_s, lost.why)
                raise
            if due_s == over_s:
                break
            if due_s == flight.fails_s:
                self._drop(agent, flight, due_s)
                continue
            hedge_s = math.inf
            if self._takes_a_second(agent, flight):
                flight.send_second(due_s, self._second(agent, flight, due_s))
        if cut_s < end_s:
            why = Why.TIMEOUT
        elapsed_s = self._agenda.now - began_s
        self._land(agent, flight, elapsed_s, why)
        if why and flight.is_read:
            agent.memory.read_in_vain()
        if self._checkpoints is not None and not why:
            self._checkpoints.note_answer(agent, part, seconds)
        self._patience.remember(elapsed_s, why, queued_s)
        return why

    def _with_checkpoints(self, agent: AgentState, part: CallPart) -> float:
        """Return how long a part of a call takes from its last checkpoint on."""
        if self._checkpoints is None:
            return part.seconds
        return self._checkpoints.seconds_left(agent, part)

    def time_out(self, agent: AgentState) -> None:
        """Book a request that has waited for service too long."""
        self._bulkhead.leave(agent)
        if self._provider.refunds:
            self._provider.settle(agent, 0)
        self._count(Why.TIMEOUT)
        self._patience.remember(0.0, Why.TIMEOUT)
        self._breakers.record(agent, Why.TIMEOUT)

    def release(self, ticket: Ticket, left_s: float = 0.0) -> None:
        """Free a request's place at the provider, where it would go on for `left_s`."""
        if ticket.give_back():
            self._provider.finished(left_s)

    def cut_off(self, agent: AgentState) -> float | None:
        """End what is in flight with the run; return which share of the call is then written.

        None where not even the prompt has been read.
        """
        caller = self._callers[agent.index]
        flight, elapsed_s = caller.flight, self._agenda.now - agent.time.since_s
        if flight is None or elapsed_s <= 0.0:
            return caller.share_answered
        self._pay_second(agent, flight, elapsed_s, Why.CUT_OFF)
        if flight.first_is_over:
            return caller.share_answered
        done = share_done(elapsed_s, flight.first.seconds)
        return min(1.0, caller.served + caller.share * done)

    def _drop(self, agent: AgentState, flight: Flight, elapsed_s: float) -> None:
        """Settle that one of two requests which has failed while the other goes on."""
        first = flight.first
        if first.seconds <= elapsed_s:
            self.release(self._callers[agent.index].ticket)
            flight.note_bill(self._pay(agent, elapsed_s, first.seconds, first.why))
            self._breakers.record(agent, first.why)
            flight.drop_first()
        else:
            self.release(flight.ticket)
            self._pay_second(agent, flight, elapsed_s, Why.HEDGED)
            if flight.second is not None:
                self._breakers.record(agent, flight.second.why, is_hedge=True)
            flight.drop_second()
        self._bulkhead.leave(agent)

    def _land(self, agent: AgentState, flight: Flight, elapsed_s: float, why: Why) -> None:
        """Settle a request, or a pair of them, that is answered or given up."""
        first, second = flight.first, flight.second
        if second is not None and flight.is_whole:
            if flight.second_wins and not why:
                said = first.by(elapsed_s, Why.HEDGED)
                flight.note_bill(self._pay(agent, elapsed_s, first.seconds, said))
            else:
                unused = why if why is Why.TIMEOUT else Why.HEDGED
                self._pay_second(agent, flight, elapsed_s, unused)
        self._free(agent, flight, elapsed_s)
        if why:
            self._throw_away(agent, flight, elapsed_s, why)
        elif self._provider.refunds:
            self._provider.settle(agent, agent.call.output)
        if not why or flight.is_read:
            agent.use_cache(self._agenda.now)
        if second is None:
            self._breakers.record(agent, why)
        else:
            for said, is_hedge in flight.ends(elapsed_s, why):
                self._breakers.record(agent, said, is_hedge)

    def _lose(self, agent: AgentState, flight: Flight, elapsed_s: float, why: Why) -> None:
        """Settle a request, or a pair of them, whose call is lost."""
        self._free(agent, flight, elapsed_s)
        agent.memory.note_read()
        agent.use_cache(self._agenda.now)
        self._throw_away(agent, flight, elapsed_s, why)
        if flight.is_whole:
            self._pay_second(agent, flight, elapsed_s, why)

    def _free(self, agent: AgentState, flight: Flight, elapsed_s: float) -> None:
        """Free what a request, or a pair of them, holds for its service."""
        caller = self._callers[agent.index]
        caller.arrive()
        self.release(caller.ticket, time_left(flight.first.seconds, elapsed_s))
        if flight.second is not None:
            self.release(flight.ticket, time_left(flight.second.seconds, elapsed_s))
        self._bulkhead.release(agent)

    def _takes_a_second(self, agent: AgentState, flight: Flight) -> bool:
        """Return whether breaker, bulkhead and provider let a second request through now.

        If they do, its places are held.
        """
        provider = self._provider
        if not (self._bulkhead.has_room(agent) and provider.has_room):
            return False
        if not self._breakers.lets_more_through(agent):
            return False
        if provider.refusal(agent, is_second=True) is not None:
            self._metrics.rate_limits += 1
            return False
        provider.enter()
        flight.take_in_second()
        self._breakers.send_hedge(agent)
        self._bulkhead.hold(agent)
        return True

    def _second(self, agent: AgentState, flight: Flight, sent_s: float) -> Fate:
        """Return what becomes of a second request; seconds count from when the first was sent."""
        self._metrics.hedges += 1
        self._metrics.requests += 1
        caller = self._callers[agent.index]
        if caller.rolls_hedge() < self._hedge_correlation:
            seconds, why = flight.first
        else:
            whole_s = caller.share * self._fates.seconds_again(agent)
            part = CallPart(whole_s, caller.served, caller.share)
            seconds, why = self._fates.draw(agent, self._with_checkpoints(agent, part))
        return Fate(sent_s + seconds, why)

    def _throw_away(self, agent: AgentState, flight: Flight, elapsed_s: float, why: Why) -> None:
        """Book the time of requests that came to nothing; pay for the first of those left."""
        agent.time.throw_away()
        self._phases.enter(agent, WAITING)
        if agent.is_of_team:
            self._metrics.lost_s += elapsed_s
        if flight.first_is_over:
            self._pay_second(agent, flight, elapsed_s, why, elapsed_s)
            return
        first = flight.first
        said = first.by(elapsed_s, why)
        flight.note_bill(self._pay(agent, elapsed_s, first.seconds, said, elapsed_s))

    def _pay_second(
        self, agent: AgentState, flight: Flight, elapsed_s: float, why: Why, wasted_s: float = 0.0
    ) -> None:
        """Pay for the second request, if one is in flight, whose answer is not used.

        It has ended as `why` says, unless it had failed by itself before.
        """
        second = flight.second
        if second is not None and not flight.second_is_over:
            seconds, since_s = second.seconds - flight.sent_s, flight.since_second_s(elapsed_s)
            said = second.by(elapsed_s, why)
            flight.note_bill(self._pay(agent, since_s, seconds, said, wasted_s))

    def _pay(
        self, agent: AgentState, elapsed_s: float, seconds: float, why: Why, wasted_s: float = 0.0
    ) -> bool:
        """Pay for what a request has read, and written when given up; return if it is billed."""
        self._count(why)
        # A request given up at the very moment at which it was sent has not been read.
        paid = why.is_billed and (elapsed_s > 0.0 or seconds <= 0.0)
        caller, from_cache = self._callers[agent.index], 1.0
        share = caller.share * share_done(elapsed_s, seconds)
        if why is Why.ERROR and caller.error_answers is not None:
            billed, from_cache, part = caller.error_answers.billed()
            paid, share = billed and elapsed_s > 0.0, share * part
        read, cached, written = self._bill.in_vain(agent, share, paid, from_cache)
        if self._provider.refunds:
            self._provider.settle(agent, written)
        if self._bill.is_over_budget:
            self._agenda.stop("budget", "")
        self._journal.note(
            Event.REQUEST,
            agent.index,
            agent.call.number,
            duration_s=wasted_s,
            input_tokens=read,
            cached_tokens=cached,
            output_tokens=written,
            outcome=why.value,
        )
        return paid

    def _count(self, why: Why) -> None:
        metrics = self._metrics
        metrics.timeouts += why is Why.TIMEOUT
        metrics.provider_errors += not why.is_billed
        metrics.malformed += why is Why.MALFORMED
