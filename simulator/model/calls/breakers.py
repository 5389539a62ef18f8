"""The circuit breakers of the models that are asked, and who waits at them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.calls.breaker import CLOSED, OPEN, Breaker
from simulator.model.calls.phases import Phases, Step
from simulator.model.journal import Journal
from simulator.model.trace import Event
from simulator.model.why import Why
from simulator.scenario.resilience import BreakerSpec


class _Gate:
    """A breaker and the line of those that wait at it, first come first served.

    Attributes
    ----------
    breaker : Breaker
    line : dict of int to AgentState
        Those that wait, by their number, in the order in which they came.
    is_timed : bool
        Whether a timer is set for the time at which the open breaker becomes half open.
    """

    __slots__ = ("breaker", "is_timed", "line")

    def __init__(self, breaker: Breaker) -> None:
        self.breaker = breaker
        self.line: dict[int, AgentState] = {}
        self.is_timed = False

    def has_line(self) -> bool:
        """Return whether anybody waits."""
        return bool(self.line)


class Breakers:
    """One breaker for each family of agents, made when it is first asked.

    Who is held back stands in line: a half-open breaker lets through the first of the line, as
    many as it has trials, and the others once it is closed.

    Parameters
    ----------
    spec : BreakerSpec or None
        None where there are no breakers.
    agenda : Agenda
    journal : Journal
    phases : Phases
    """

    __slots__ = ("_agenda", "_gates", "_journal", "_phases", "_spec", "_terms", "_terms_of_hedges")

    def __init__(
        self, spec: BreakerSpec | None, agenda: Agenda, journal: Journal, phases: Phases
    ) -> None:
        self._spec = spec
        self._agenda = agenda
        self._journal = journal
        self._phases = phases
        self._gates: dict[str, _Gate] = {}
        self._terms: dict[int, int] = {}
        """The term in which each agent's request was let through, while it is under way."""
        self._terms_of_hedges: dict[int, int] = {}
        """The same of the second request of a hedged pair."""

    @property
    def is_any_open(self) -> bool:
        """Whether calls are held back: not when an open breaker is due to be half open."""
        now = self._agenda.now
        return any(
            gate.breaker.state == OPEN and now < gate.breaker.half_open_s
            for gate in self._gates.values()
        )

    def _of(self, agent: AgentState) -> _Gate:
        assert self._spec is not None
        family = agent.spec.family
        if family not in self._gates:
            self._gates[family] = _Gate(Breaker(self._spec))
        return self._gates[family]

    def admit(self, agent: AgentState) -> bool:
        """Return whether a request of the agent is let through now."""
        return self._lets_through(self._of(agent).breaker, agent)

    def _lets_through(self, breaker: Breaker, agent: AgentState) -> bool:
        term = breaker.admit(self._agenda.now)
        if term is not None:
            self._terms[agent.index] = term
        return term is not None

    def lets_more_through(self, agent: AgentState) -> bool:
        """Return whether a second request is let through now: a hedge is no trial."""
        return self._spec is None or self._of(agent).breaker.state == CLOSED

    def send_hedge(self, agent: AgentState) -> None:
        """Note that a second request is sent, which counts by its own result."""
        if self._spec is not None:
            self._terms_of_hedges[agent.index] = self._of(agent).breaker.term

    def still_admits(self, agent: AgentState) -> bool:
        """Return whether the agent's request may be sent that was let through a while ago.

        If the breaker has opened meanwhile, the request has to ask again.
        """
        term = self._terms.get(agent.index)
        if term is None or term == self._of(agent).breaker.term:
            return True
        del self._terms[agent.index]
        return False

    def wait(self, agent: AgentState) -> Iterator[Step]:
        """Wait in line until a request of the agent is let through."""
        gate = self._of(agent)
        gate.line[agent.index] = agent
        self._set_timer(gate)
        yield from self._phases.wait(agent, "breaker", None)

    def withdraw(self, agent: AgentState) -> None:
        """Take back the agent's request, if it was let through: its result will not be known."""
        self._terms_of_hedges.pop(agent.index, None)
        term = self._terms.pop(agent.index, None)
        if term is not None:
            gate = self._of(agent)
            gate.breaker.withdraw(term)
            self._let_go_on(gate)

    def record(self, agent: AgentState, why: Why, is_hedge: bool = False) -> None:
        """Tell the breaker how a request of the agent has ended, if it was let through.

        Of two, the one that was cancelled as the other was answered says nothing.
        """
        terms = self._terms_of_hedges if is_hedge else self._terms
        term = terms.pop(agent.index, None)
        if term is None or why is Why.HEDGED:
            return
        gate = self._of(agent)
        breaker = gate.breaker
        opens = breaker.opens
        if breaker.record(term, why.blames_service, self._agenda.now):
            self._journal.metrics.breaker_opens += breaker.opens - opens
            self._journal.note(Event.BREAKER, agent.index, agent.call.number, outcome=breaker.state)
            self._let_go_on(gate)

    def _let_go_on(self, gate: _Gate) -> None:
        """Resume those of the line that are let through now, the first first."""
        line = gate.line
        while line:
            agent = next(iter(line.values()))
            if not self._lets_through(gate.breaker, agent):
                break
            del line[agent.index]
            self._agenda.resume(agent.index)
        self._set_timer(gate)

    def _set_timer(self, gate: _Gate) -> None:
        """See to it that the line goes on when an open breaker becomes half open."""
        if gate.line and gate.breaker.state == OPEN and not gate.is_timed:
            gate.is_timed = True
            self._agenda.at(gate.breaker.half_open_s, partial(self._try_again, gate), gate.has_line)

    def _try_again(self, gate: _Gate) -> None:
        gate.is_timed = False
        self._let_go_on(gate)

    def stop_waiting(self, agent: AgentState) -> None:
        """Let an agent whose call is lost wait no more."""
        for gate in self._gates.values():
            gate.line.pop(agent.index, None)
