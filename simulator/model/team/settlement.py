"""Which tasks count as done, and with what faults."""

from __future__ import annotations

from collections.abc import Iterable

from simulator.model.agents.agent import AgentState
from simulator.model.answers import CORRECT
from simulator.model.board import ESCAPED, KNOWN, Board
from simulator.model.journal import Journal
from simulator.model.team.patterns import Patterns
from simulator.model.trace import Event

WAS = ("", "_was_faulty", "_was_known")
"""What the trace says of the fault, none, `ESCAPED` or `KNOWN`, of a task that is undone."""


class Settlement:
    """Marks tasks done, sends them back to be done again, and counts both.

    Parameters
    ----------
    journal : Journal
    patterns : Patterns
    inputs_may_fail : bool
        Whether inputs can be wrong although no task is faulty (misunderstood, outdated).

    Attributes
    ----------
    inputs_may_fail : bool
        Whether what a task builds on may be wrong. Until something is faulty there is nothing
        to inherit.
    wait_sum_s : float
        Seconds that finished tasks have waited since they could start.
    """

    __slots__ = (
        "_is_watched",
        "_journal",
        "_metrics",
        "_patterns",
        "inputs_may_fail",
        "wait_sum_s",
    )

    def __init__(self, journal: Journal, patterns: Patterns, inputs_may_fail: bool) -> None:
        self._journal = journal
        self._metrics = journal.metrics
        self._patterns = patterns
        self._is_watched = patterns.watches
        self.inputs_may_fail = inputs_may_fail
        self.wait_sum_s = 0.0

    def settle(
        self,
        agent: AgentState,
        task: int,
        answer: int,
        now: float,
        freed: list[int],
        started_s: float,
        is_backup: bool = False,
        is_known: bool = False,
    ) -> str:
        """Mark a task done; return what the trace calls it.

        `started_s` is when the call began that did it, `is_backup` whether that was a backup;
        `is_known` says that its fault is known.
        """
        board, metrics = agent.board, self._metrics
        if answer != CORRECT:
            board.spoil(task, KNOWN if is_known else ESCAPED)
            self.inputs_may_fail = True
            metrics.faulty_detected += is_known
            metrics.faulty_undetected += not is_known
        else:
            metrics.tasks_correct += 1
        if is_backup:
            agent.dispatcher.take_over(agent.index, task)
        if agent.dispatcher.watches_attempts:
            agent.dispatcher.attempt_ended(agent.index, task, True)
        startable = board.complete(task, agent.index, now)
        if startable:
            freed += startable
        metrics.tasks_done += 1
        if self._is_watched:
            self._patterns.task_done(agent, task, is_of_use=not is_known)
        waited_s = started_s - board.ready_s[task]
        if waited_s > 0.0:  # below 0 where a call worked ahead
            self.wait_sum_s += waited_s
        return "faulty" if answer != CORRECT else "done"

    def reject(
        self,
        agent: AgentState,
        task: int,
        is_faulty: bool,
        now: float,
        freed: list[int],
        started_s: float,
        is_backup: bool,
    ) -> bool:
        """Send a task back to be done again; return False if it is given up as it is.

        It is not given up while a copy of it is in progress, which may succeed. A task at which
        a backup has failed is still in the hands of its owner.
        """
        failures = agent.board.note_failure(task)
        most = agent.kind.erring.max_attempts
        is_last = most is not None and failures >= most
        if is_last and not self._patterns.is_elsewhere(agent, task):
            fault = int(is_faulty)
            self.settle(agent, task, fault, now, freed, started_s, is_backup, is_faulty)
            return False
        if not is_backup:
            agent.dispatcher.attempt_ended(agent.index, task, False)
        return True

    def leave_as_it_is(self, agent: AgentState, tasks: Iterable[int], now: float) -> list[int]:
        """Leave tasks at which calls have failed as they are: done, with a known fault.

        Returns the tasks that can start because of it.
        """
        board = agent.board
        freed: list[int] = []
        for task in tasks:
            can_be = not (board.missing[task] or board.done[task])
            if not (can_be and agent.dispatcher.may_attempt(agent.index, task)):
                continue
            self._metrics.attempts += 1
            self._metrics.partial_tasks += 1
            self.settle(agent, task, 1, now, freed, agent.time.started_s, False, True)
            where = (agent.index, agent.call.number, task)
            self._journal.note(Event.ATTEMPT, *where, duration_s=0.0, outcome="partial")
        return freed

    def uncount(self, fault: int) -> None:
        """Take back a task that was counted as done, and its fault."""
        metrics = self._metrics
        metrics.tasks_done -= 1
        if fault == KNOWN:
            metrics.faulty_detected -= 1
        elif fault == ESCAPED:
            metrics.faulty_undetected -= 1
        else:
            metrics.tasks_correct -= 1

    def spoil(self, board: Board, task: int) -> None:
        """Make a task faulty that was done without a fault; nobody sees it."""
        board.spoil(task, ESCAPED)
        self.inputs_may_fail = True
        self._metrics.tasks_correct -= 1
        self._metrics.faulty_undetected += 1
