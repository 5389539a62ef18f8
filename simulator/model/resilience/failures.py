"""What goes wrong in a replication and what the team does about it, put together."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from simulator.model.agents.agent import COORDINATOR, WORKER, AgentState
from simulator.model.calls.bulkhead import Bulkhead
from simulator.model.calls.requests import Requests
from simulator.model.protocols import EVERYONE
from simulator.model.resilience.backups import Backups
from simulator.model.resilience.copies import Copies
from simulator.model.resilience.detector import Detector
from simulator.model.resilience.faults import Faults
from simulator.model.resilience.simpler import Simplification
from simulator.model.resilience.succession import Succession
from simulator.model.resilience.supervisor import Supervisor
from simulator.model.trace import PROMPT_TOO_LONG
from simulator.scenario import Scenario

if TYPE_CHECKING:
    from simulator.model.replication import TeamState

_FAILED_FOR_GOOD = frozenset(
    {"timeout", "error", "outage", "malformed", "refused", "breaker", PROMPT_TOO_LONG}
)
"""Why a call is lost after which its tasks may be left as they are."""


class Failures:
    """The faults and the patterns of one replication, and what the team tells them.

    Parameters
    ----------
    team : TeamState
    scenario : Scenario
    """

    def __init__(self, team: TeamState, scenario: Scenario) -> None:
        self._team = team
        self._patterns = patterns = scenario.resilience
        self._failed_at: Counter[int] = Counter()
        """Calls that have failed for good at each task."""
        limits = patterns.bulkhead
        bulkhead = None if limits is None else Bulkhead(limits, scenario.team, team)
        self.requests = Requests(team, scenario, bulkhead)
        self.faults = faults = Faults(team, scenario, self.requests)
        self._copies: Copies | None = None
        if patterns.backup is not None:
            self._copies = Backups(patterns.backup, team)
        elif scenario.copies_tasks:
            self._copies = Copies(team, team.dispatcher.copies_alike)
        supervisor = Supervisor(patterns.supervisor, team, faults) if patterns.supervisor else None
        self._detector = (
            Detector(patterns.detector, team, faults, supervisor) if patterns.detector else None
        )
        self._succession: Succession | None = None
        if patterns.election is not None:
            self._succession = Succession(patterns.election, team, faults)
        self._simpler: Simplification | None = None
        if patterns.simpler_protocol is not None:
            self._simpler = Simplification(patterns.simpler_protocol, team, faults)

    def start(self) -> None:
        """Begin to let things go wrong."""
        self.faults.start()

    def may_begin(self, agent: AgentState) -> bool:
        """Return whether the agent is there to begin a call."""
        return not agent.is_down and (
            self._simpler is None or agent.index not in self._simpler.retired
        )

    def skips(self, what: str) -> bool:
        """Return whether ``messages``, ``reviews`` or ``idle_calls`` are left out now."""
        spec = self._patterns.degraded
        if spec is None or what not in spec.skip:
            return False
        share = self.faults.workers_down / len(self._team.workers)
        return share >= spec.when_down or self.requests.a_breaker_is_open

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
        fallback = self._patterns.fallback
        if fallback is None or not fallback.partial or agent.is_backup or agent.is_astray:
            return []
        if agent.lost_to not in _FAILED_FOR_GOOD:
            return []
        self._failed_at.update(agent.picks)
        return [task for task in agent.picks if self._failed_at[task] >= fallback.partial_after]

    def task_done(self, agent: AgentState, task: int, now: float, is_of_use: bool) -> None:
        """Note that `agent` has done a task, or only given it up."""
        if is_of_use:
            self.faults.recovery.done(now)
        if self._copies is not None:
            self._copies.task_done(agent, task)

    def call_ended(self, agent: AgentState) -> None:
        """Note that a call is over, its effects applied."""
        self.requests.over(agent)
        if self._copies is not None and agent.role == WORKER:
            self._copies.over(agent)
        why, agent.lost_to = agent.lost_to, ""
        if not why:
            if agent.role == COORDINATOR and self._succession is not None:
                self._succession.answered(agent)
            return
        if why == "stuck" and self._detector is not None:
            self._detector.was_stuck(agent)
        if why == "backup":  # another has done the task
            if agent.role == WORKER:
                agent.dispatcher.back(agent.index)
            return
        # Somebody else may be able to do what it cannot.
        self._team.woken.append(EVERYONE)
