"""Failure detection: by heartbeats or by probes, and by calls that take too long."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from simulator.model.agents.agent import WORKER, AgentState
from simulator.model.streams import Draw, Purpose
from simulator.model.timers import AN_INSTANT
from simulator.model.trace import Event, Row
from simulator.scenario.resilience import Detector as DetectorSpec

if TYPE_CHECKING:
    from simulator.model.replication import TeamState
    from simulator.model.resilience.faults import Faults
    from simulator.model.resilience.supervisor import Supervisor


class Detector:
    """Finds who is dead or stuck, gives its tasks to others and tells the supervisor.

    Parameters
    ----------
    spec : Detector
    team : TeamState
    faults : Faults
    supervisor : Supervisor or None
    """

    def __init__(
        self, spec: DetectorSpec, team: TeamState, faults: Faults, supervisor: Supervisor | None
    ) -> None:
        self._spec = spec
        self._team = team
        self._faults = faults
        self._supervisor = supervisor
        self._found_dead = 0
        self._targets: list[Draw] = []
        self._due_s: dict[int, float] = {}
        """When the call that each agent is in has taken suspiciously long."""
        self._watched: set[int] = set()
        if spec.kind == "swim":
            streams = team.streams
            self._targets = [
                streams.uniforms(agent.entity, agent.number, Purpose.PROBE) for agent in team.agents
            ]
        faults.on_loss.append(self._lost)

    def _lost(self, agent: AgentState) -> None:
        """Set the time at which it is noticed that the agent is silent, or may be."""
        team, spec, life = self._team, self._spec, self._faults.lives[agent.index]
        periods = math.floor(team.now / spec.period_s)
        if spec.kind == "heartbeat":
            at_s = max(team.now, periods * spec.period_s + spec.timeout_s)
            can_help = partial(self._can_help, agent, life)
            team.at(at_s, partial(self._find, agent, life), can_help)
        else:
            self._probe_at((periods + 1) * spec.period_s, agent, life)

    def _is_lost(self, agent: AgentState, life: int) -> bool:
        return self._faults.lives[agent.index] == life

    def _can_help(self, agent: AgentState, life: int) -> bool:
        """Return whether to find the agent changes more than what is known."""
        acts = self._spec.reassign or self._supervisor is not None
        return acts and self._is_lost(agent, life)

    def _probe_at(self, time_s: float, agent: AgentState, life: int) -> None:
        can_be_found = partial(self._can_be_found, agent, life)
        self._team.at(time_s, partial(self._probe, agent, life), can_be_found)

    def _can_be_found(self, agent: AgentState, life: int) -> bool:
        """Return whether somebody is there to probe the agent, who is still lost."""
        return self._can_help(agent, life) and not all(each.is_down for each in self._team.agents)

    def _probe(self, agent: AgentState, life: int) -> None:
        """Let everybody who is up probe somebody at random."""
        if not self._is_lost(agent, life):
            return
        team = self._team
        others = len(team.agents) - 1
        for prober in (other for other in team.agents if not other.is_down):
            target = int(self._targets[prober.index]() * others)
            if target + (target >= prober.index) == agent.index:
                self._find(agent, life)
                return
        self._probe_at(team.now + self._spec.period_s, agent, life)

    def _find(self, agent: AgentState, life: int) -> None:
        if not self._is_lost(agent, life):
            return
        metrics = self._team.metrics
        seconds = self._team.now - agent.down_since_s
        metrics.detection_s += (seconds - metrics.detection_s) / (self._found_dead + 1)
        self._found_dead += 1
        self._note(agent, "dead")
        self._reassign(agent)
        if self._supervisor is not None:
            self._supervisor.restart(agent)

    def watch(self, agent: AgentState) -> None:
        """Look again when the call that begins has taken suspiciously long."""
        if self._spec.progress_s is not None:
            # A call that takes just so long is over: its end has a rounding error.
            self._due_s[agent.index] = self._team.now + self._spec.progress_s * (1.0 + AN_INSTANT)
            if agent.index not in self._watched:
                self._watch_until_due(agent)

    def _watch_until_due(self, agent: AgentState) -> None:
        """Set the agent's only timer; one a call would fill the schedule with calls long over."""
        self._watched.add(agent.index)
        self._team.at(
            self._due_s[agent.index], partial(self._look_at, agent), lambda: agent.in_call
        )

    def _look_at(self, agent: AgentState) -> None:
        """Suspect the agent if the call that it was in is not over; if it is, watch the next."""
        self._watched.discard(agent.index)
        if not agent.in_call:
            return
        if self._due_s[agent.index] > self._team.now:
            self._watch_until_due(agent)
        else:
            self._note(agent, "stuck")
            self._team.interrupt(agent, "stuck")

    def was_stuck(self, agent: AgentState) -> None:
        """Give away the tasks of an agent whose call has been cancelled, and restart it."""
        self._reassign(agent)
        if self._supervisor is not None:
            self._supervisor.replace(agent)
        if agent.role == WORKER and not agent.is_down:
            self._team.take_back(agent)

    def _reassign(self, agent: AgentState) -> None:
        if not self._spec.reassign or agent.role != WORKER:
            return
        self._team.metrics.reassigned += self._team.give_away(agent)

    def _note(self, agent: AgentState, what: str) -> None:
        team = self._team
        team.metrics.detections += 1
        if team.trace is not None:
            row = Row(team.now, Event.DETECTED, agent.index, team.round)
            team.trace.add(row._replace(outcome=what))
