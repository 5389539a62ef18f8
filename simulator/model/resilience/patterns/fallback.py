"""Partial answers: tasks at which calls have failed for good are left as they are.

The other part of a fallback, another model, is a matter of single requests (`Requests`).
"""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from simulator.model.agents.agent import AgentState
from simulator.model.resilience._pattern import FailureSetting, Pattern
from simulator.scenario.resilience import Fallback


class PartialAnswers(Pattern):
    """Counts the calls that have failed for good at each task."""

    kind: ClassVar[str] = "fallback"

    __slots__ = ("_failed_at", "_spec")

    def __init__(self, spec: Fallback, setting: FailureSetting) -> None:
        self._spec = spec
        self._failed_at: Counter[int] = Counter()

    def hopeless(self, agent: AgentState) -> list[int]:
        """Return the tasks of a call that has failed which are left as they are."""
        call = agent.call
        if not self._spec.partial or call.is_backup or call.is_astray or not call.lost_to.is_final:
            return []
        self._failed_at.update(call.picks)
        return [task for task in call.picks if self._failed_at[task] >= self._spec.partial_after]
