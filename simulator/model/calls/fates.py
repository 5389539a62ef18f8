"""How requests fare: how long each takes, and what goes wrong with it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.calls.caller import Caller
from simulator.model.calls.flight import Fate
from simulator.model.calls.provider import ProviderState
from simulator.model.metrics import Metrics
from simulator.model.why import Why

_NOTHING = Why.NOTHING  # a member of an enumeration is slow to look up
_SHORTEST_S = 1e-3
"""A failure takes some time: a call that fails at once for ever would stop the clock."""


class Fates:
    """Draws what becomes of requests.

    Parameters
    ----------
    callers : mapping of int to Caller
    provider : ProviderState
    agenda : Agenda
    metrics : Metrics
    """

    __slots__ = ("_agenda", "_callers", "_metrics", "_provider")

    def __init__(
        self,
        callers: Mapping[int, Caller],
        provider: ProviderState,
        agenda: Agenda,
        metrics: Metrics,
    ) -> None:
        self._callers = callers
        self._provider = provider
        self._agenda = agenda
        self._metrics = metrics

    def factor(self, caller: Caller) -> float:
        """Return what slow phases, brownouts and scripted slowness multiply a request's time by."""
        if caller.uses_other:
            return caller.slowed
        return caller.slowed * self._provider.pace(self._agenda.now)

    def draw(self, agent: AgentState, seconds: float) -> Fate:
        """Return how a request ends that starts now and takes so long if all goes well."""
        caller = self._callers[agent.index]
        seconds, why = seconds * self.factor(caller), _NOTHING
        if caller.may_fail or caller.is_stuck:
            seconds, why = self._fail(agent, caller, seconds)
        if caller.uses_other:
            return Fate(seconds, why)
        answers = caller.error_answers
        if answers is not None and caller.error_p and caller.rolls_error() < caller.error_p:
            seconds, why = min(seconds, max(_SHORTEST_S, answers.after_s())), Why.ERROR
        seconds, fails = self._provider.outages.fate(self._agenda.now, seconds)
        return Fate(seconds, Why.OUTAGE if fails else why)

    def _fail(self, agent: AgentState, caller: Caller, seconds: float) -> tuple[float, Why]:
        """Return how long the request takes by faults of the model that is asked; what fails."""
        faults = (caller.other or agent.spec if caller.uses_other else agent.spec).faults
        p = faults.slow.probability if faults.slow else 0.0
        if p and caller.rolls_slow() < p:
            self._metrics.slow_calls += 1
            seconds *= caller.slow_factors[caller.uses_other]()
        why = Why.NOTHING
        if faults.malformed and caller.rolls_malformed() < faults.malformed:
            why = Why.MALFORMED
        if caller.is_stuck or (faults.stall and caller.rolls_stall() < faults.stall):
            self._metrics.stalls += 1
            seconds = math.inf
        return seconds, why

    def seconds_again(self, agent: AgentState) -> float:
        """Return a new draw of the time that a request of the call takes."""
        caller, memory = self._callers[agent.index], agent.memory
        call = agent.call
        work = call.work if agent.loop is None else agent.loop.work
        size = (work, memory.uncached, memory.cached, call.output + call.skipped)
        if caller.uses_other:
            assert caller.other is not None
            return caller.latency_elsewhere(*size) / caller.other.speed
        seconds = caller.latency_again(*size)
        return seconds if agent.is_steady else seconds * agent.pace()
