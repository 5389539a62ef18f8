"""Tasks that are left as they are, after calls at them have failed for good."""

from __future__ import annotations

from collections import Counter

from simulator.model.agents.agent import AgentState
from simulator.model.board import NOBODY
from simulator.scenario.resilience import Fallback


class GivenUp:
    """Counts the calls that have failed for good at each task, in votes and debates of each agent.

    Parameters
    ----------
    spec : Fallback or None
        None where no task is ever left as it is.
    """

    __slots__ = ("_after", "_failed_at")

    def __init__(self, spec: Fallback | None) -> None:
        self._after = spec.partial_after if spec is not None and spec.partial else 0
        """How many calls must fail at a task; 0 where none is left."""
        self._failed_at: Counter[tuple[int, int]] = Counter()

    def after_failure(self, agent: AgentState) -> list[int]:
        """Count a call that has failed; return its tasks that are left as they are now."""
        call = agent.call
        if not self._may_leave(agent) or not call.lost_to.is_final:
            return []
        attempts = [_attempt(agent, task) for task in call.picks]
        self._failed_at.update(attempts)
        return [task for task, whose in attempts if self._failed_at[task, whose] >= self._after]

    def would_leave_all(self, agent: AgentState) -> bool:
        """Return whether nobody would try again what the agent's call attempts, if it failed now.

        A call that fails at once would else begin again and fail, without end at one instant.
        """
        picks = agent.call.picks
        return (
            bool(picks) and self._may_leave(agent) and all(self._is_last(agent, t) for t in picks)
        )

    def _is_last(self, agent: AgentState, task: int) -> bool:
        board = agent.board
        if board.done[task]:
            return True
        is_its_own = board.owner[task] in (NOBODY, agent.index)
        failed = self._failed_at[_attempt(agent, task)]
        return is_its_own and not board.missing[task] and failed >= self._after - 1

    def _may_leave(self, agent: AgentState) -> bool:
        call = agent.call
        return bool(self._after) and not (call.is_backup or call.is_astray)


def _attempt(agent: AgentState, task: int) -> tuple[int, int]:
    """Return of what failures are counted: of a task, or of an agent's own attempt at it."""
    return task, agent.index if agent.dispatcher.asks_several else NOBODY
