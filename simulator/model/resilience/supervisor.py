"""A supervisor: restarts who is found dead or stuck, up to an intensity (Armstrong 2003)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.metrics import Metrics
from simulator.model.streams import Entity, Purpose, Streams
from simulator.model.why import Why
from simulator.scenario.resilience import SupervisorSpec

if TYPE_CHECKING:
    from simulator.model.resilience.faults import Faults


class Supervisor:
    """Restarts agents; gives up for good when that happens too often.

    Parameters
    ----------
    spec : SupervisorSpec
    streams : Streams
    agenda : Agenda
    metrics : Metrics
    faults : Faults
    """

    def __init__(
        self,
        spec: SupervisorSpec,
        streams: Streams,
        agenda: Agenda,
        metrics: Metrics,
        faults: Faults,
    ) -> None:
        self._spec = spec
        self._agenda = agenda
        self._metrics = metrics
        self._faults = faults
        self._restart_s = streams.draws(spec.restart_s, Entity.RUN, 0, Purpose.RESTART)
        self._restarts_s: deque[float] = deque()
        self._has_given_up = False

    def restart(self, agent: AgentState) -> None:
        """Let an agent that is down come back."""
        if self._may_restart():
            self._faults.return_after(agent, self._restart_s())

    def replace(self, agent: AgentState) -> None:
        """Take an agent that is up down, and let it come back."""
        if self._may_restart():
            self._faults.go_down(agent, Why.RESTART)
            self._faults.return_after(agent, self._restart_s())

    def _may_restart(self) -> bool:
        most, now = self._spec.max_restarts, self._agenda.now
        while self._restarts_s and self._restarts_s[0] <= now - self._spec.within_s:
            self._restarts_s.popleft()
        if most is not None and len(self._restarts_s) >= most:
            self._has_given_up = True
        if self._has_given_up:
            return False
        self._restarts_s.append(now)
        self._metrics.restarts += 1
        return True
