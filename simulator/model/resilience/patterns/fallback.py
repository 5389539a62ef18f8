"""Partial answers: tasks at which calls have failed for good are left as they are.

The other part of a fallback, another model, is a matter of single requests (`Requests`).
"""

from __future__ import annotations

from typing import ClassVar

from simulator.model.agents.agent import AgentState
from simulator.model.resilience._pattern import FailureSetting, Pattern
from simulator.scenario.resilience import Fallback


class PartialAnswers(Pattern):
    """Leaves the tasks of calls that have failed for good, after so many of these."""

    kind: ClassVar[str] = "fallback"

    __slots__ = ("_given_up",)

    def __init__(self, spec: Fallback, setting: FailureSetting) -> None:
        self._given_up = setting.given_up

    def hopeless(self, agent: AgentState) -> list[int]:
        """Return the tasks of a call that has failed which are left as they are."""
        return self._given_up.after_failure(agent)
