"""The circuit breakers of the models that are asked, and who waits at them."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.calls.breaker import OPEN, Breaker
from simulator.model.calls.phases import Phases, Step
from simulator.model.journal import Journal
from simulator.model.trace import Event
from simulator.scenario.resilience import BreakerSpec


class Breakers:
    """One breaker for each family of agents, made when it is first asked.

    Parameters
    ----------
    spec : BreakerSpec or None
        None where there are no breakers.
    agenda : Agenda
    journal : Journal
    phases : Phases
    """

    __slots__ = ("_agenda", "_breakers", "_journal", "_phases", "_spec", "_terms", "_waiting")

    def __init__(
        self, spec: BreakerSpec | None, agenda: Agenda, journal: Journal, phases: Phases
    ) -> None:
        self._spec = spec
        self._agenda = agenda
        self._journal = journal
        self._phases = phases
        self._breakers: dict[str, Breaker] = {}
        self._waiting: dict[str, list[AgentState]] = {}
        self._terms: dict[int, int] = {}
        """The term in which each agent's request was let through, while it is under way."""

    @property
    def is_any_open(self) -> bool:
        """Whether calls are held back."""
        return any(breaker.state == OPEN for breaker in self._breakers.values())

    def _of(self, agent: AgentState) -> Breaker:
        assert self._spec is not None
        family = agent.spec.family
        if family not in self._breakers:
            self._breakers[family] = Breaker(self._spec)
            self._waiting[family] = []
        return self._breakers[family]

    def admit(self, agent: AgentState) -> bool:
        """Return whether a request of the agent is let through."""
        term = self._of(agent).admit(self._agenda.now)
        if term is not None:
            self._terms[agent.index] = term
        return term is not None

    def wait(self, agent: AgentState) -> Iterator[Step]:
        """Wait until the agent's breaker may let it through."""
        breaker = self._of(agent)
        if breaker.state == OPEN:
            seconds = max(0.0, breaker.half_open_s - self._agenda.now)
            yield from self._phases.wait(agent, "breaker", seconds)
        else:
            self._waiting[agent.spec.family].append(agent)
            yield from self._phases.wait(agent, "breaker", None)

    def withdraw(self, agent: AgentState) -> None:
        """Take back the agent's request, if it was let through: its result will not be known."""
        term = self._terms.pop(agent.index, None)
        if term is not None:
            self._of(agent).withdraw(term)
            self._let_go_on(agent)

    def record(self, agent: AgentState, is_fault: bool) -> None:
        """Tell the breaker how the agent's request has ended, if it was let through."""
        term = self._terms.pop(agent.index, None)
        if term is None:
            return
        breaker = self._of(agent)
        opens = breaker.opens
        if breaker.record(term, is_fault, self._agenda.now):
            self._journal.metrics.breaker_opens += breaker.opens - opens
            self._journal.note(Event.BREAKER, agent.index, agent.call.number, outcome=breaker.state)
            self._let_go_on(agent)

    def _let_go_on(self, agent: AgentState) -> None:
        """Resume those that wait for the breaker of the agent's family."""
        waiting = self._waiting[agent.spec.family]
        for other in waiting:
            if other.time.waits_for == "breaker":
                self._agenda.resume(other.index)
        waiting.clear()

    def stop_waiting(self, agent: AgentState) -> None:
        """Let an agent whose call is lost wait no more."""
        for waiting in self._waiting.values():
            if agent in waiting:
                waiting.remove(agent)
