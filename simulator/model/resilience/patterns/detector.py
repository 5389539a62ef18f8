"""Failure detection: by heartbeats or by probes, and by calls that take too long."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from simulator.model.agents.agent import WORKER, AgentState
from simulator.model.resilience._pattern import FailureSetting, Pattern
from simulator.model.streams import Draw, Purpose
from simulator.model.timers import AN_INSTANT, whole_periods
from simulator.model.trace import Event
from simulator.model.why import Why
from simulator.scenario.resilience import DetectorSpec


class Detector(Pattern):
    """Finds who is dead or stuck, gives its tasks to others and tells who restarts agents."""

    kind: ClassVar[str] = "detector"

    __slots__ = (
        "_agenda",
        "_agents",
        "_due_s",
        "_found_dead",
        "_health",
        "_is_probing",
        "_journal",
        "_metrics",
        "_sides",
        "_sought",
        "_spec",
        "_targets",
        "_watched",
    )

    def __init__(self, spec: DetectorSpec, setting: FailureSetting) -> None:
        self._spec = spec
        self._agents = setting.agents
        self._agenda = setting.agenda
        self._journal = setting.journal
        self._metrics = setting.journal.metrics
        self._sides = setting.sides
        self._health = setting.health
        self._found_dead = 0
        self._targets: list[Draw] = []
        self._sought: dict[int, tuple[int, float]] = {}
        """The life of each agent that probes may find, and from when on they may."""
        self._is_probing = False
        self._due_s: dict[int, float] = {}
        """When it is suspicious that nothing has happened in the call that each agent is in."""
        self._watched: set[int] = set()
        if spec.kind == "swim":
            self._targets = [setting.uniforms(agent, Purpose.PROBE) for agent in setting.agents]

    def lost(self, agent: AgentState) -> None:
        """Set the time at which it is noticed that the agent is silent, or may be."""
        spec, life = self._spec, self._health.lives[agent.index]
        periods = whole_periods(self._agenda.now, spec.period_s)
        if spec.kind == "heartbeat":
            at_s = max(self._agenda.now, periods * spec.period_s + spec.timeout_s)
            can_help = partial(self._can_help, agent, life)
            self._agenda.at(at_s, partial(self._find, agent, life), can_help)
        else:
            from_s = (periods + 1) * spec.period_s
            self._sought[agent.index] = life, from_s
            if not self._is_probing:
                self._probe_at(from_s)

    def _is_lost(self, agent: AgentState, life: int) -> bool:
        return self._health.lives[agent.index] == life

    def _can_help(self, agent: AgentState, life: int) -> bool:
        """Return whether finding the agent has a consequence: reassignment or a restart."""
        acts = self._spec.reassign or bool(self._health.on_found)
        return acts and self._is_lost(agent, life)

    def _probe_at(self, time_s: float) -> None:
        self._is_probing = True
        self._agenda.at(time_s, self._probe, self._can_find)

    def _can_find(self) -> bool:
        """Return whether somebody is there to probe those who are lost, to some purpose."""
        if all(each.is_down for each in self._agents):
            return False
        return any(
            self._can_help(self._agents[index], life) for index, (life, _) in self._sought.items()
        )

    def _probe(self) -> None:
        """Let everybody who is up probe somebody at random, as long as anybody is sought."""
        now = self._agenda.now
        self._sought = {
            i: each for i, each in self._sought.items() if self._is_lost(self._agents[i], each[0])
        }
        due = {i for i, (_, from_s) in self._sought.items() if from_s <= now * (1.0 + AN_INSTANT)}
        others = len(self._agents) - 1
        for prober in [other for other in self._agents if not other.is_down]:
            if not due:
                break
            target = int(self._targets[prober.index]() * others)
            target += target >= prober.index
            if target in due:
                due.remove(target)
                self._find(self._agents[target], self._sought.pop(target)[0])
        self._is_probing = False
        if self._sought:
            self._probe_at(now + self._spec.period_s)

    def _find(self, agent: AgentState, life: int) -> None:
        if not self._is_lost(agent, life):
            return
        metrics = self._metrics
        seconds = self._agenda.now - agent.down_since_s
        metrics.detection_s += (seconds - metrics.detection_s) / (self._found_dead + 1)
        self._found_dead += 1
        self._note(agent, "dead")
        self._reassign(agent)
        self._tell(agent, is_stuck=False)

    def _tell(self, agent: AgentState, is_stuck: bool) -> None:
        for react in self._health.on_found:
            react(agent, is_stuck)

    def call_begins(self, agent: AgentState) -> None:
        """Look again when the call that begins has taken suspiciously long."""
        if self._spec.progress_s is not None:
            self._set_due(agent.index, self._spec.progress_s)
            if agent.index not in self._watched:
                self._watch_until_due(agent)

    def call_goes_on(self, member: int) -> None:
        """Count anew how long nothing has happened in the call that is under way."""
        if self._spec.progress_s is not None:
            self._set_due(member, self._spec.progress_s)

    def _set_due(self, index: int, progress_s: float) -> None:
        # A call that takes just so long is over: its end has a rounding error.
        self._due_s[index] = self._agenda.now + progress_s * (1.0 + AN_INSTANT)

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

    def call_ended(self, agent: AgentState) -> None:
        """Give away the tasks of an agent that was stuck, and let it be restarted."""
        if agent.call.lost_to is not Why.STUCK:
            return
        self._reassign(agent)
        self._tell(agent, is_stuck=True)
        if agent.role == WORKER and not agent.is_down:
            self._sides.take_back(agent)

    def _reassign(self, agent: AgentState) -> None:
        if not self._spec.reassign or agent.role != WORKER:
            return
        self._metrics.reassigned += self._sides.give_away(agent)

    def _note(self, agent: AgentState, what: str) -> None:
        self._metrics.detections += 1
        self._journal.note(Event.DETECTED, agent.index, outcome=what)
