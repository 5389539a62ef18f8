"""What goes wrong in a replication and what the team does about it, put together."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import COORDINATOR, WORKER, AgentState
from simulator.model.agents.roster import Roster
from simulator.model.calls.requests import Requests
from simulator.model.journal import Journal
from simulator.model.protocols import EVERYONE
from simulator.model.resilience.backups import Backups
from simulator.model.resilience.copies import Copies
from simulator.model.resilience.detector import Detector
from simulator.model.resilience.faults import Faults
from simulator.model.resilience.succession import Succession
from simulator.model.resilience.supervisor import Supervisor
from simulator.model.streams import Streams
from simulator.model.team.patterns import Patterns
from simulator.model.team.sides import Sides
from simulator.model.why import Why
from simulator.scenario import Scenario


class Failures(Patterns):
    """The faults and the patterns of one replication, and what the team tells them.

    Parameters
    ----------
    scenario : Scenario
    roster : Roster
    streams : Streams
    agenda : Agenda
    journal : Journal
    sides : Sides
    requests : Requests

    Attributes
    ----------
    faults : Faults
    """

    watches: ClassVar[bool] = True

    __slots__ = (
        "_agenda",
        "_copies",
        "_detector",
        "_failed_at",
        "_requests",
        "_spec",
        "_succession",
        "_workers",
        "faults",
    )

    def __init__(
        self,
        scenario: Scenario,
        roster: Roster,
        streams: Streams,
        agenda: Agenda,
        journal: Journal,
        sides: Sides,
        requests: Requests,
    ) -> None:
        metrics, workers = journal.metrics, roster.workers
        self._agenda = agenda
        self._workers = workers
        self._requests = requests
        self._spec = spec = scenario.resilience
        self._failed_at: Counter[int] = Counter()  # calls that have failed for good at each task
        self.faults = faults = Faults(scenario, roster, streams, agenda, journal, sides, requests)
        self._copies: Copies | None = None
        if spec.backup is not None:
            about = (workers, streams, agenda, metrics, requests, sides.board)
            self._copies = Backups(spec.backup, *about)
        elif scenario.copies_tasks:
            alike = sides.dispatcher.copies_alike
            self._copies = Copies(workers, streams, agenda, requests, alike)
        supervisor = None
        if spec.supervisor is not None:
            supervisor = Supervisor(spec.supervisor, streams, agenda, metrics, faults)
        self._detector: Detector | None = None
        if spec.detector is not None:
            around = (roster, streams, agenda, journal, sides, faults, supervisor)
            self._detector = Detector(spec.detector, *around)
        self._succession: Succession | None = None
        if spec.election is not None:
            self._succession = Succession(spec.election, workers, streams, agenda, metrics, faults)

    def forget(self) -> None:
        """Tell nobody any more of losses and returns."""
        self.faults.forget()

    def skips(self, what: str) -> bool:
        """Return whether ``messages``, ``reviews`` or ``idle_calls`` are left out now."""
        spec = self._spec.degraded
        if spec is None or what not in spec.skip:
            return False
        share = self.faults.workers_down / len(self._workers)
        return share >= spec.when_down or self._requests.a_breaker_is_open

    def backups_for(self, agent: AgentState) -> list[int]:
        """Return what an agent without work does again."""
        return [] if self._copies is None else self._copies.copy_for(agent)

    def call_begins(self, agent: AgentState) -> None:
        """Note what the call is at work on."""
        if self._copies is not None and agent.role == WORKER:
            self._copies.begun(agent)
        if self._detector is not None:
            self._detector.watch(agent)

    def is_elsewhere(self, agent: AgentState, task: int) -> bool:
        """Return whether a copy of the task is in progress with another agent."""
        return self._copies is not None and self._copies.is_elsewhere(agent, task)

    def hopeless(self, agent: AgentState) -> list[int]:
        """Return the tasks of a call that has failed which are left as they are."""
        fallback = self._spec.fallback
        if fallback is None or not fallback.partial or agent.call.is_backup or agent.call.is_astray:
            return []
        if not agent.call.lost_to.is_final:
            return []
        self._failed_at.update(agent.call.picks)
        return [
            task for task in agent.call.picks if self._failed_at[task] >= fallback.partial_after
        ]

    def task_done(self, agent: AgentState, task: int, is_of_use: bool) -> None:
        """Note that `agent` has done a task, or only given it up."""
        if is_of_use:
            self.faults.recovery.done(self._agenda.now)
        if self._copies is not None:
            self._copies.task_done(agent, task)

    def call_ended(self, agent: AgentState) -> None:
        """Note that a call is over, its effects applied."""
        self._requests.over(agent)
        if self._copies is not None and agent.role == WORKER:
            self._copies.over(agent)
        why = agent.call.lost_to
        if not why:
            if agent.role == COORDINATOR and self._succession is not None:
                self._succession.answered(agent)
            return
        if why is Why.STUCK and self._detector is not None:
            self._detector.was_stuck(agent)
        if why is Why.BACKUP:  # another has done the task
            if agent.role == WORKER:
                agent.dispatcher.back(agent.index)
            return
        # Somebody else may be able to do what it cannot.
        self._agenda.woken.append(EVERYONE)
