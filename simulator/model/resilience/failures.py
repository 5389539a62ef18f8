"""The faults and the patterns of a replication, and what each of them is told and asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.resilience._pattern import (
    AGENT_FAULTS,
    PATTERNS,
    AgentFault,
    FailureSetting,
    Pattern,
)
from simulator.model.resilience.copies import Copies
from simulator.model.resilience.health import Health
from simulator.model.resilience.script import Script
from simulator.model.team.patterns import Patterns
from simulator.model.team.sides import Sides
from simulator.model.why import Why
from simulator.scenario.faults import AgentFaults, ScriptedFault
from simulator.scenario.resilience import Resilience


def _patterns(resilience: Resilience, setting: FailureSetting) -> list[Pattern]:
    """Return the patterns that a scenario asks for, in the order of its fields.

    Patterns of single requests (time-outs, retries, breakers, hedges) are not in the registry:
    the service applies them.
    """
    names, absent = PATTERNS.names(), dict(Resilience())
    return [
        PATTERNS.get(name)(spec, setting)
        for name, spec in resilience
        if name in names and spec != absent[name]
    ]


def _faults(setting: FailureSetting) -> list[AgentFault]:
    """Return what goes wrong with agents at random, in the order of the fields that say so."""
    names, absent = AGENT_FAULTS.names(), dict(AgentFaults())
    said = [(agent, dict(agent.spec.faults)) for agent in setting.agents]
    made = []
    for name in (each for each in absent if each in names):
        specs = {agent: faults[name] for agent, faults in said if faults[name] != absent[name]}
        if specs:
            made.append(AGENT_FAULTS.get(name)(specs, setting))
    return made


class Failures(Patterns):
    """The faults and the patterns of one replication.

    Parameters
    ----------
    agenda : Agenda
    health : Health
    sides : Sides
    over : callable
        Told of each call that is over: its agent's own model answers again.

    Attributes
    ----------
    health : Health
    parts : list of Pattern
        The patterns, in the order of the scenario's fields, then the faults.
    """

    watches: ClassVar[bool] = True

    __slots__ = (
        "_agenda",
        "_on_backup",
        "_on_begin",
        "_on_copy",
        "_on_cut",
        "_on_done",
        "_on_end",
        "_on_failure",
        "_on_going_on",
        "_on_skip",
        "_over",
        "_script",
        "_sides",
        "health",
        "parts",
    )

    def __init__(
        self,
        agenda: Agenda,
        health: Health,
        sides: Sides,
        over: Callable[[AgentState], None],
    ) -> None:
        self._agenda = agenda
        self._sides = sides
        self._over = over
        self.health = health
        self.parts: list[Pattern] = []

    def set_up(
        self,
        resilience: Resilience,
        script: Sequence[ScriptedFault],
        copies_tasks: bool,
        setting: FailureSetting,
    ) -> None:
        """Make the faults and the patterns.

        Parameters
        ----------
        resilience : Resilience
        script : sequence of ScriptedFault
        copies_tasks : bool
            Whether several agents may be at work on one task.
        setting : FailureSetting
        """
        parts = _patterns(resilience, setting)
        if copies_tasks:
            parts.append(Copies(setting.sides.dispatcher.copies_alike, setting))
        parts += _faults(setting)
        self._script = Script(
            script, setting.agents, setting.agenda, setting.health, setting.callers
        )
        self._tell(parts)

    def _tell(self, parts: list[Pattern]) -> None:
        """Tell and ask `parts` from now on, each by the methods that it overrides."""
        self.parts = parts
        self._on_begin = [
            p.call_begins for p in parts if type(p).call_begins is not Patterns.call_begins
        ]
        self._on_going_on = [
            p.call_goes_on for p in parts if type(p).call_goes_on is not Patterns.call_goes_on
        ]
        self._on_end = [
            p.call_ended for p in parts if type(p).call_ended is not Patterns.call_ended
        ]
        self._on_cut = [p.cut_off for p in parts if type(p).cut_off is not Patterns.cut_off]
        self._on_done = [p.task_done for p in parts if type(p).task_done is not Patterns.task_done]
        self._on_skip = [p.skips for p in parts if type(p).skips is not Patterns.skips]
        self._on_backup = [
            p.backups_for for p in parts if type(p).backups_for is not Patterns.backups_for
        ]
        self._on_copy = [
            p.is_elsewhere for p in parts if type(p).is_elsewhere is not Patterns.is_elsewhere
        ]
        self._on_failure = [p.hopeless for p in parts if type(p).hopeless is not Patterns.hopeless]
        self.health.tell(
            [p.lost for p in parts if type(p).lost is not Pattern.lost],
            [p.back for p in parts if type(p).back is not Pattern.back],
            [p.found for p in parts if type(p).found is not Pattern.found],
        )

    def start(self) -> None:
        """Let faults begin to strike."""
        for part in self.parts:
            part.start()
        self._script.start()

    def forget(self) -> None:
        """Tell nobody anything any more: patterns hold those who tell them."""
        self.health.forget()
        for part in self.parts:
            part.forget()
        self._tell([])

    def call_begins(self, agent: AgentState) -> None:
        """Note that a call begins."""
        for note in self._on_begin:
            note(agent)

    def call_goes_on(self, member: int) -> None:
        """Note that a turn begins or ends."""
        for note in self._on_going_on:
            note(member)

    def call_ended(self, agent: AgentState) -> None:
        """Note that a call is over; wake others where one came to nothing."""
        self._over(agent)
        for note in self._on_end:
            note(agent)
        why = agent.call.lost_to
        if why and why is not Why.BACKUP:
            # Somebody else may be able to do what it cannot.
            self._sides.wake_everyone()

    def task_done(self, agent: AgentState, task: int, is_of_use: bool) -> None:
        """Note that `agent` has done a task, or only given it up."""
        if is_of_use:
            self.health.recovery.done(self._agenda.now)
        for note in self._on_done:
            note(agent, task, is_of_use)

    def skips(self, what: str) -> bool:
        """Return whether any pattern leaves something out now."""
        return bool(self._on_skip) and any(skips(what) for skips in self._on_skip)

    def backups_for(self, agent: AgentState) -> list[int]:
        """Return what the first pattern that has anything gives an agent without work."""
        for backups_for in self._on_backup:
            tasks = backups_for(agent)
            if tasks:
                return tasks
        return []

    def is_elsewhere(self, agent: AgentState, task: int) -> bool:
        """Return whether a copy of the task is in progress with another agent."""
        return any(is_elsewhere(agent, task) for is_elsewhere in self._on_copy)

    def cut_off(self, agents: Sequence[AgentState]) -> None:
        """Note who is cut off by a partition from now on: nobody, when one ends."""
        for note in self._on_cut:
            note(agents)

    def hopeless(self, agent: AgentState) -> list[int]:
        """Return the tasks of a call that has failed which are left as they are."""
        return [task for hopeless in self._on_failure for task in hopeless(agent)]
