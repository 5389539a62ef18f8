"""The requests of a call, where they can fail: timed out, retried, hedged, sent elsewhere.

A call goes through one request after another until one is answered or nothing is left to be
tried. The time of requests that came to nothing is wasted; what they have read and written is
paid for, but for those that the provider failed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.agents.timesheet import WAITING
from simulator.model.calls.backoff import waits
from simulator.model.calls.bill import Bill
from simulator.model.calls.breakers import Breakers
from simulator.model.calls.budget import RetryBudget
from simulator.model.calls.bulkhead import Bulkhead
from simulator.model.calls.caller import Caller
from simulator.model.calls.checkpoints import Checkpoints
from simulator.model.calls.fates import Fates
from simulator.model.calls.given_up import GivenUp
from simulator.model.calls.patience import Patience
from simulator.model.calls.phases import Phases, Step
from simulator.model.calls.provider import Place, ProviderState
from simulator.model.calls.service import CallLostError, Service
from simulator.model.calls.transit import Transit
from simulator.model.journal import Journal
from simulator.model.why import Why
from simulator.scenario.provider import Retry
from simulator.scenario.resilience import Resilience


class Requests(Service):
    """Sends the requests of all agents' calls.

    Parameters
    ----------
    spec : Resilience
    sdk : Retry
        How often the client's library sends a request again.
    agents : iterable of AgentState
    caller_of : callable
        Makes the `Caller` of an agent.
    bulkhead : Bulkhead
    agenda : Agenda
    journal : Journal
    phases : Phases
    provider : ProviderState
    bill : Bill

    Attributes
    ----------
    callers : dict of int to Caller
        Those of all agents, sub-agents included while they are there.
    breakers : Breakers
    given_up : GivenUp
    """

    __slots__ = (
        "_agenda",
        "_budget",
        "_bulkhead",
        "_caller_of",
        "_checkpoints",
        "_fates",
        "_is_open",
        "_metrics",
        "_patience",
        "_phases",
        "_provider",
        "_sdk",
        "_spec",
        "_transit",
        "breakers",
        "callers",
        "given_up",
    )

    def __init__(
        self,
        spec: Resilience,
        sdk: Retry,
        agents: Iterable[AgentState],
        caller_of: Callable[[AgentState], Caller],
        bulkhead: Bulkhead,
        agenda: Agenda,
        journal: Journal,
        phases: Phases,
        provider: ProviderState,
        bill: Bill,
    ) -> None:
        metrics = journal.metrics
        self._spec = spec
        self._sdk = sdk
        self._agenda = agenda
        self._metrics = metrics
        self._phases = phases
        self._provider = provider
        self.callers = {agent.index: caller_of(agent) for agent in agents}
        self._caller_of = caller_of
        self._budget = RetryBudget(spec.retry.budget if spec.retry else None)
        self._bulkhead = bulkhead
        self._is_open = bulkhead.is_open and not provider.refuses and spec.breaker is None
        self.breakers = Breakers(spec.breaker, agenda, journal, phases)
        self.given_up = GivenUp(spec.fallback)
        self._patience = Patience(spec.timeout, spec.hedge)
        self._fates = Fates(self.callers, provider, agenda, metrics)
        self._checkpoints = Checkpoints(spec.checkpoint) if spec.checkpoint else None
        self._transit = Transit(
            self.callers,
            self._fates,
            self._patience,
            provider,
            self._bulkhead,
            self.breakers,
            self._checkpoints,
            spec.hedge.correlation if spec.hedge else 0.0,
            agenda,
            journal,
            phases,
            bill,
        )

    def join(self, agent: AgentState) -> None:
        """Send the requests of one more agent from now on."""
        self.callers[agent.index] = self._caller_of(agent)

    def leave(self, agent: AgentState) -> None:
        """Send no more requests of an agent."""
        del self.callers[agent.index]

    def begin(self, agent: AgentState) -> None:
        """Note that a call begins."""
        caller = self.callers[agent.index]
        retry = self._spec.retry
        caller.begin(iter(()) if retry is None else waits(retry.backoff, caller.jitter))
        self._budget.first_request()
        if self._checkpoints is not None and agent.loop is None:
            agent.call.skip(self._checkpoints.share_saved(agent))
        if agent.memory.is_too_long():
            self._use_other(agent, caller, True)

    def serve(self, agent: AgentState, seconds: float) -> Iterator[Step]:
        """Send requests until one is answered, which takes `seconds` if all goes well.

        Raises `CallLostError` if nothing helps.
        """
        caller = self.callers[agent.index]
        duration_s = agent.time.duration_s
        share = seconds / duration_s if duration_s > 0.0 else 1.0
        caller.ask_for(share)
        goes_on = agent.time.served_s > 0.0
        if self._is_open and not caller.uses_other:
            self._walk_in(agent, caller, goes_on)
        else:
            yield from self._get_in(agent, caller, goes_on)
        if caller.uses_other:
            seconds = share * self._fates.seconds_again(agent)
        elif agent.memory.life is not None and duration_s > 0.0:
            seconds = share * agent.time.duration_s
        while True:
            why = yield from self._transit.take(agent, seconds)
            if not why:
                caller.be_answered()
                self._phases.enter(agent, WAITING)
                return
            yield from self._try_again(agent, caller, why)
            if self._is_open and not caller.uses_other:
                self._walk_in(agent, caller, False)
            else:
                yield from self._get_in(agent, caller, False)
            seconds = share * self._fates.seconds_again(agent)

    def lost(self, agent: AgentState, why: Why) -> None:
        """Free all that a call which is lost holds or waits for; say what is paid of it."""
        caller = self.callers[agent.index]
        agent.call.fail(why)
        agent.call.pay(caller.share_answered)
        if self._checkpoints is not None and why is Why.CRASH:
            self._checkpoints.save_answered(agent)
        caller.leave_queue()
        if self._provider.refunds:  # what it has reserved and never begun to use
            self._provider.settle(agent, 0)
        self._transit.release(caller.ticket)
        self._bulkhead.release(agent)
        self.breakers.withdraw(agent)
        self.breakers.stop_waiting(agent)

    def cut_off(self, agent: AgentState) -> None:
        """End the requests in flight with the run; pay for a hedge, and say what else is paid."""
        agent.call.pay(self._transit.cut_off(agent))
        self._phases.enter(agent, WAITING)

    def over(self, agent: AgentState) -> None:
        """Forget the checkpoints of a call that is over; let the agent's own model answer next."""
        if self._checkpoints is not None:
            self._checkpoints.end(agent, is_done=not agent.call.lost_to)
        caller = self.callers[agent.index]
        if caller.uses_other:
            self._use_other(agent, caller, False)

    def _walk_in(self, agent: AgentState, caller: Caller, goes_on: bool) -> None:
        """Get a request into a provider that takes in all."""
        if not goes_on:
            agent.look_in_cache(self._agenda.now)
            self._metrics.requests += 1
        self._provider.enter()
        caller.ticket.take_in()

    def _get_in(self, agent: AgentState, caller: Caller, goes_on: bool) -> Iterator[Step]:
        while True:
            why = yield from self._admit(agent, caller, goes_on)
            if not why:
                return
            yield from self._try_again(agent, caller, why)

    def _try_again(self, agent: AgentState, caller: Caller, why: Why) -> Iterator[Step]:
        """Wait before the next request; raise `CallLostError` if there is to be none."""
        retry, metrics = self._spec.retry, self._metrics
        is_refused = why is Why.REFUSED
        if (why.blames_service or is_refused) and caller.sdk_tries < self._sdk.max_retries:
            yield from self._pause(agent, caller, is_refused)
            metrics.retries += 1
            caller.count_sdk_try()
            return
        if retry is not None and caller.tries < retry.max_retries and self._budget.take():
            caller.end_sdk_tries()
            wait_s = caller.try_again()
            if wait_s > 0.0:
                yield from self._phases.wait(agent, "retry", wait_s)
            metrics.retries += 1
            return
        if self.other_can_read(agent) and not caller.uses_other:
            caller.end_sdk_tries()
            self._use_other(agent, caller, True)
            return
        if is_refused:  # the agent asks for nothing else before it would be let in
            yield from self._pause(agent, caller, is_refused)
        raise CallLostError(why)

    def _pause(self, agent: AgentState, caller: Caller, is_refused: bool) -> Iterator[Step]:
        """Wait as long as the client's library does."""
        after_s = caller.retry_after_s if is_refused else 0.0
        pause_s = self._provider.pause_s(caller.sdk_tries, after_s)
        yield from self._phases.wait(agent, "rate_limit" if is_refused else "retry", pause_s)

    def other_can_read(self, agent: AgentState) -> bool:
        """Return whether there is another model, with a window for the call's prompt."""
        caller = self.callers[agent.index]
        return caller.other is not None and agent.memory.prompt_tokens <= caller.window_elsewhere

    def _use_other(self, agent: AgentState, caller: Caller, does: bool) -> None:
        caller.use_other(does)
        agent.answer_with(caller.other if does else None, caller.other_err_logit)
        self._metrics.fallbacks += does

    def _admit(
        self, agent: AgentState, caller: Caller, goes_on: bool
    ) -> Generator[Step, None, Why]:
        """Get a request past the breaker and into the provider; return why not, if not."""
        metrics = self._metrics
        has_breaker = self._spec.breaker is not None
        if has_breaker and not caller.uses_other:
            yield from self._pass_breaker(agent, caller)
        yield from self._bulkhead.enter(agent)
        while has_breaker and not self.breakers.still_admits(agent):
            self._bulkhead.leave(agent)
            yield from self._pass_breaker(agent, caller)
            yield from self._bulkhead.enter(agent)
        if not self._is_limited(caller):
            metrics.requests += not goes_on
            return Why.NOTHING
        provider = self._provider
        after_s = provider.refusal(agent, goes_on)
        if after_s is not None:
            metrics.rate_limits += 1
            caller.be_refused(after_s)
            self._bulkhead.leave(agent)
            self.breakers.withdraw(agent)
            return Why.REFUSED
        metrics.requests += not goes_on
        if provider.has_room:
            provider.enter()
            caller.ticket.take_in()
            return Why.NOTHING
        return (yield from self._queue(agent, caller))

    def _is_limited(self, caller: Caller) -> bool:
        """Return whether the provider's limits concern the requests that are sent now."""
        fallback = self._spec.fallback
        return not caller.uses_other or (fallback is not None and fallback.shares_limits)

    def _pass_breaker(self, agent: AgentState, caller: Caller) -> Iterator[Step]:
        if self.breakers.admit(agent):
            return
        if self.other_can_read(agent):
            self._use_other(agent, caller, True)
            return
        if self.given_up.would_leave_all(agent):
            raise CallLostError(Why.BREAKER)
        yield from self.breakers.wait(agent)

    def _queue(self, agent: AgentState, caller: Caller) -> Generator[Step, None, Why]:
        """Wait in the provider's queue, as long as the client has patience."""
        began_s = self._agenda.now
        seconds = agent.time.duration_s * self._fates.factor(caller)
        place = self._provider.enqueue(agent, caller.ticket, seconds)
        caller.join_queue(place)
        limit_s = self._patience.limit_s()
        if not math.isinf(limit_s):
            self._agenda.at(
                began_s + limit_s, partial(self._lose_patience, agent, place), place.waits
            )
        yield from self._phases.wait(agent, "queue", None)
        if caller.ticket.is_admitted:
            caller.be_served(self._agenda.now - began_s)
            return Why.NOTHING
        caller.leave_queue()
        self._transit.time_out(agent)
        return Why.TIMEOUT

    def _lose_patience(self, agent: AgentState, place: Place) -> None:
        if place.waits():
            place.abandon()
            self._agenda.resume(agent.index)
