"""How a call is served: by requests that can fail, or plainly."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.agents.loop import Kept
from simulator.model.agents.timesheet import COMMITTING, SERVING, WAITING
from simulator.model.calls.phases import Phases, Step
from simulator.model.calls.provider import ProviderState
from simulator.model.timers import AN_INSTANT
from simulator.model.why import Why


class CallLostError(Exception):
    """A call comes to nothing; what is thrown says why."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


class StallError(Exception):
    """What is in flight will never come back."""


class Service(ABC):
    """Serves calls, from their first request to the last."""

    __slots__ = ()

    def begin(self, agent: AgentState) -> None:  # noqa: B027 (most have nothing to note)
        """Note that a call begins."""

    @abstractmethod
    def serve(self, agent: AgentState, seconds: float) -> Iterator[Step]:
        """Be taken in by the provider and served for so many seconds, longer in bad times.

        Where a call is served in parts, the first part is a request and the others continue it.
        Raises `CallLostError` if nothing helps.
        """

    def join(self, agent: AgentState) -> None:  # noqa: B027 (most keep nothing for each agent)
        """Serve one more agent from now on."""

    def leave(self, agent: AgentState) -> None:  # noqa: B027
        """Serve an agent no more."""

    def over(self, agent: AgentState) -> None:  # noqa: B027 (most have but one model)
        """Let the agent's own model answer what it asks next."""

    @abstractmethod
    def lost(self, agent: AgentState, why: Why) -> None:
        """Note that a call has come to nothing; free what it holds, and say what is paid."""

    @abstractmethod
    def cut_off(self, agent: AgentState) -> None:
        """Note that a call in service ends with the run; say what is paid."""

    def waits(self) -> list[str]:
        """Say what waits, where nothing can happen any more."""
        return []

    def resume(self, agent: AgentState, tasks: Sequence[int]) -> Kept | None:
        """Let an agent go on where a crash has left a loop that attempts tasks, if it has."""
        return None

    def other_can_read(self, agent: AgentState) -> bool:
        """Return whether another model has a window for the call's prompt."""
        return False


class PlainService(Service):
    """Requests that never fail once the provider has taken them in.

    Parameters
    ----------
    agenda : Agenda
    phases : Phases
    provider : ProviderState
    """

    __slots__ = ("_agenda", "_phases", "_provider")

    def __init__(self, agenda: Agenda, phases: Phases, provider: ProviderState) -> None:
        self._agenda = agenda
        self._phases = phases
        self._provider = provider

    def serve(self, agent: AgentState, seconds: float) -> Iterator[Step]:
        """Be taken in by the provider and served for so many seconds."""
        provider, time, agenda = self._provider, agent.time, self._agenda
        planned_s, goes_on = time.duration_s, time.served_s > 0.0
        life = agent.memory.life
        if provider.refuses:
            if not (yield from provider.admits(agent, goes_on)):
                raise CallLostError(Why.REFUSED)
            provider.enter()
        if life is not None and not goes_on:
            agent.look_in_cache(agenda.now)
            if planned_s > 0.0:
                seconds *= time.duration_s / planned_s  # what admission has found out is in it
        if time.phase >= COMMITTING:
            self._phases.enter(agent, SERVING)
        else:
            time.begin_service(agenda.now)
        if provider.has_paces:
            pace = provider.pace(agenda.now)
            time.slow_down(pace)
            seconds *= pace
        try:
            yield seconds
        except CallLostError:  # a sub-agent for which nobody waits any more
            self._break_off(agent, seconds)
            raise
        finally:
            if life is not None:  # also where it is lost meanwhile
                life.use(agenda.now)
        time.end_service(agenda.now)
        if provider.refuses:
            provider.finished()
            if provider.refunds:
                provider.settle(agent, agent.call.output)

    def _break_off(self, agent: AgentState, seconds: float) -> None:
        """Leave the provider in the middle of a service of so many seconds."""
        provider, time = self._provider, agent.time
        if not provider.refuses:
            return
        elapsed_s = self._agenda.now - time.since_s
        provider.finished(max(0.0, seconds - elapsed_s))
        if provider.refunds:
            whole_s = time.duration_s * time.served_at_pace
            done = share_done(time.served_s + elapsed_s, whole_s)
            provider.settle(agent, agent.call.written(done))

    def lost(self, agent: AgentState, why: Why) -> None:
        """Say what is paid of a call that has come to nothing."""
        agent.call.pay(_share_served(agent))

    def cut_off(self, agent: AgentState) -> None:
        """Say what is paid of a call that ends with the run."""
        self._phases.enter(agent, WAITING)
        agent.call.pay(_share_served(agent))


def _share_served(agent: AgentState) -> float | None:
    """Return which share of its service a call has had; None where it has had none."""
    if agent.time.served_s <= 0.0:
        return None
    return share_done(agent.time.served_s, agent.time.duration_s * agent.time.served_at_pace)


def share_done(elapsed_s: float, whole_s: float) -> float:
    """Return which share of a request is done after `elapsed_s`, 0 to 1.

    A reply that came whole is paid whole: where only a rounding error is missing, all is done.
    """
    return elapsed_s / whole_s if elapsed_s < whole_s * (1.0 - AN_INSTANT) else 1.0
