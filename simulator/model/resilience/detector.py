"""Failure detection: by heartbeats or by probes, and by calls that take too long."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import WORKER, AgentState
from simulator.model.agents.roster import Roster
from simulator.model.journal import Journal
from simulator.model.streams import Draw, Purpose, Streams
from simulator.model.team.sides import Sides
from simulator.model.timers import AN_INSTANT
from simulator.model.trace import Event
from simulator.model.why import Why
from simulator.scenario.resilience import DetectorSpec

if TYPE_CHECKING:
    from simulator.model.resilience.faults import Faults
    from simulator.model.resilience.supervisor import Supervisor


class Detector:
    """Finds who is dead or stuck, gives its tasks to others and tells the supervisor.

    Parameters
    ----------
    spec : DetectorSpec
    roster : Roster
    streams : Streams
    agenda : Agenda
    journal : Journal
    sides : Sides
    faults : Faults
    supervisor : Supervisor or None
    """

    def __init__(
        self,
        spec: DetectorSpec,
        roster: Roster,
        streams: Streams,
        agenda: Agenda,
        journal: Journal,
        sides: Sides,
        faults: Faults,
        supervisor: Supervisor | None,
    ) -> None:
        self._spec = spec
        self._roster = roster
        self._agenda = agenda
        self._journal = journal
        self._metrics = journal.metrics
        self._sides = sides
        self._faults = faults
        self._supervisor = supervisor
        self._found_dead = 0
        self._targets: list[Draw] = []
        self._due_s: dict[int, float] = {}
        """When the call that each agent is in has taken suspiciously long."""
        self._watched: set[int] = set()
        if spec.kind == "swim":
            self._targets = [
                streams.uniforms(agent.entity, agent.number, Purpose.PROBE)
                for agent in self._roster.agents
            ]
        faults.on_loss.append(self._lost)

    def _lost(self, agent: AgentState) -> None:
        """Set the time at which it is noticed that the agent is silent, or may be."""
        spec, life = self._spec, self._faults.lives[agent.index]
        periods = math.floor(self._agenda.now / spec.period_s)
        if spec.kind == "heartbeat":
            at_s = max(self._agenda.now, periods * spec.period_s + spec.timeout_s)
            can_help = partial(self._can_help, agent, life)
            self._agenda.at(at_s, partial(self._find, agent, life), can_help)
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
        self._agenda.at(time_s, partial(self._probe, agent, life), can_be_found)

    def _can_be_found(self, agent: AgentState, life: int) -> bool:
        """Return whether somebody is there to probe the agent, who is still lost."""
        return self._can_help(agent, life) and not all(each.is_down for each in self._roster.agents)

    def _probe(self, agent: AgentState, life: int) -> None:
        """Let everybody who is up probe somebody at random."""
        if not self._is_lost(agent, life):
            return
        others = len(self._roster.agents) - 1
        for prober in (other for other in self._roster.agents if not other.is_down):
            target = int(self._targets[prober.index]() * others)
            if target + (target >= prober.index) == agent.index:
                self._find(agent, life)
                return
        self._probe_at(self._agenda.now + self._spec.period_s, agent, life)

    def _find(self, agent: AgentState, life: int) -> None:
        if not self._is_lost(agent, life):
            return
        metrics = self._metrics
        seconds = self._agenda.now - agent.down_since_s
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
            self._due_s[agent.index] = self._agenda.now + self._spec.progress_s * (1.0 + AN_INSTANT)
            if agent.index not in self._watched:
                self._watch_until_due(agent)

    def _watch_until_due(self, agent: AgentState) -> None:
        """Set the agent's only timer; one a call would fill the schedule with calls long over."""
        self._watched.add(agent.index)
        self._agenda.at(
            self._due_s[agent.index], partial(self._look_at, agent), lambda: agent.time.in_call
        )

    def _look_at(self, agent: AgentState) -> None:
        """Suspect the agent if the call that it was in is not over; if it is, watch the next."""
        self._watched.discard(agent.index)
        if not agent.time.in_call:
            return
        if self._due_s[agent.index] > self._agenda.now:
            self._watch_until_due(agent)
        else:
            self._note(agent, "stuck")
            self._agenda.interrupt(agent.index, Why.STUCK)

    def was_stuck(self, agent: AgentState) -> None:
        """Give away the tasks of an agent whose call has been cancelled, and restart it."""
        self._reassign(agent)
        if self._supervisor is not None:
            self._supervisor.replace(agent)
        if agent.role == WORKER and not agent.is_down:
            self._sides.take_back(agent)

    def _reassign(self, agent: AgentState) -> None:
        if not self._spec.reassign or agent.role != WORKER:
            return
        self._metrics.reassigned += self._sides.give_away(agent)

    def _note(self, agent: AgentState, what: str) -> None:
        self._metrics.detections += 1
        self._journal.note(Event.DETECTED, agent.index, outcome=what)
