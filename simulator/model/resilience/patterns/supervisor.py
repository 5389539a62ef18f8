"""A supervisor: restarts who is found dead or stuck, up to an intensity (Armstrong 2003)."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from simulator.model.agents.agent import AgentState
from simulator.model.resilience._pattern import FailureSetting, Pattern
from simulator.model.streams import Entity, Purpose
from simulator.model.why import Why
from simulator.scenario.resilience import SupervisorSpec


class Supervisor(Pattern):
    """Restarts agents; gives up for good when that happens too often."""

    kind: ClassVar[str] = "supervisor"

    __slots__ = (
        "_agenda",
        "_has_given_up",
        "_health",
        "_metrics",
        "_restart_s",
        "_restarts_s",
        "_spec",
    )

    def __init__(self, spec: SupervisorSpec, setting: FailureSetting) -> None:
        self._spec = spec
        self._agenda = setting.agenda
        self._metrics = setting.journal.metrics
        self._health = setting.health
        self._restart_s = setting.streams.draws(spec.restart_s, Entity.RUN, 0, Purpose.RESTART)
        self._restarts_s: deque[float] = deque()
        self._has_given_up = False

    def found(self, agent: AgentState, is_stuck: bool) -> None:
        """Let an agent that is down come back; one that is stuck goes down first."""
        if self._may_restart():
            if is_stuck:
                self._health.go_down(agent, Why.RESTART)
            self._health.return_after(agent, self._restart_s())

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
