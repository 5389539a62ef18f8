"""What is asked of the patterns of resilience in the course of a call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from simulator.model.agents.agent import AgentState


class Patterns:
    """No patterns: nothing goes wrong, and nobody does anything about it."""

    __slots__ = ()

    watches: ClassVar[bool] = False
    """Whether there are any: where not, nobody needs to ask."""

    def call_begins(self, agent: AgentState) -> None:
        """Note that a call begins."""

    def call_goes_on(self, member: int) -> None:
        """Note that a turn begins or ends, of a member of the team or of a sub-agent of its."""

    def call_ended(self, agent: AgentState) -> None:
        """Note that a call is over, its effects applied."""

    def task_done(self, agent: AgentState, task: int, is_of_use: bool) -> None:
        """Note that `agent` has done a task, or only given it up."""

    def skips(self, what: str) -> bool:
        """Return whether ``messages``, ``reviews`` or ``idle_calls`` are left out now."""
        return False

    def backups_for(self, agent: AgentState) -> list[int]:
        """Return the tasks that an agent without work does again."""
        return []

    def is_elsewhere(self, agent: AgentState, task: int) -> bool:
        """Return whether a copy of the task is in progress with another agent, or in review."""
        return False

    def cut_off(self, agents: Sequence[AgentState]) -> None:
        """Note who is cut off by a partition from now on: nobody, when one ends."""

    def hopeless(self, agent: AgentState) -> list[int]:
        """Return the tasks of a call that has failed which are left as they are."""
        return []
