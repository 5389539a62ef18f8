"""Calls that are more than their service: refused, locked out, committed, cut off."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from simulator.model.agents.agent import AgentState
from simulator.model.agents.timesheet import WAITING
from simulator.model.calls.phases import Phases, Step
from simulator.model.calls.service import CallLostError, Service
from simulator.model.why import Why
from simulator.model.workspaces import WorkspaceState


class CallSteps:
    """Takes calls through their phases.

    Parameters
    ----------
    phases : Phases
    service : Service
    workspace : WorkspaceState
    minority_goes_on : bool
        Whether agents that a partition cuts off go on, rather than wait for its end.
    """

    __slots__ = ("_minority_goes_on", "_phases", "_service", "_workspace")

    def __init__(
        self, phases: Phases, service: Service, workspace: WorkspaceState, minority_goes_on: bool
    ) -> None:
        self._phases = phases
        self._service = service
        self._workspace = workspace
        self._minority_goes_on = minority_goes_on

    def of(self, agent: AgentState) -> Generator[Step, None, None]:
        """Yield the seconds until the call goes on, None until it is resumed, up to its end.

        The engine tells the agenda the time before each step, and may throw `CallLostError` or
        `StallError` into the call.
        """
        agent.time.begin_steps()
        agent.call.begin_steps()
        if not agent.call.failed:  # else it is refused before it is sent
            yield from self._send(agent)
        self._phases.enter(agent, WAITING)
        agent.time.end_steps()

    def _send(self, agent: AgentState) -> Iterator[Step]:
        """Take the call through service and workspace; it may be lost on the way."""
        try:
            self._service.begin(agent)
            if agent.call.picks:
                yield from self._workspace.call(agent)
            else:
                yield from self._workspace.serve(agent, agent.time.duration_s)
            self._phases.enter(agent, WAITING)
            while agent.side and not self._minority_goes_on:
                yield from self._phases.wait(agent, "partition", None)
        except CallLostError as lost:
            self._lose(agent, lost.why)

    def _lose(self, agent: AgentState, why: Why) -> None:
        """End a call that has come to nothing."""
        agent.call.fail()
        if agent.time.waits_for:
            self._phases.book_wait(agent)
        self._phases.enter(agent, WAITING)
        self._workspace.abandoned(agent)
        self._service.lost(agent, why)

    def waits(self) -> list[str]:
        """Say what waits in the service, where nothing can happen any more."""
        return self._service.waits()

    def cut_off(self, agent: AgentState) -> None:
        """End a call in flight as it stands."""
        if agent.time.waits_for:
            self._phases.book_wait(agent)
        self._service.cut_off(agent)
