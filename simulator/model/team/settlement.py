"""Which tasks count as done, and with what faults."""

from __future__ import annotations

from typing import NamedTuple

from simulator.model.agents.agent import AgentState
from simulator.model.answers import CORRECT
from simulator.model.board import ESCAPED, KNOWN, Board
from simulator.model.journal import Journal
from simulator.model.team.patterns import Patterns
from simulator.model.trace import Event

WAS = ("", "_was_faulty", "_was_known")
"""What the trace says of the fault, none, `ESCAPED` or `KNOWN`, of a task that is undone."""


class LastFailure(NamedTuple):
    """A failure after which a task is left as it is, unless a copy in progress does it yet."""

    agent: AgentState
    call: int
    task: int
    board: Board
    started_s: float
    """When the call began that failed."""
    is_faulty: bool
    is_backup: bool
    is_partial: bool
    """Whether the call came to nothing, rather than the attempt failing its tests or review."""


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
    put_off : list of LastFailure
        Of tasks that are left as they are when no copy of them is in progress any more.
    wait_sum_s : float
        Seconds that finished tasks have waited since they could start.
    """

    __slots__ = (
        "_is_watched",
        "_journal",
        "_metrics",
        "_patterns",
        "inputs_may_fail",
        "put_off",
        "wait_sum_s",
    )

    def __init__(self, journal: Journal, patterns: Patterns, inputs_may_fail: bool) -> None:
        self._journal = journal
        self._metrics = journal.metrics
        self._patterns = patterns
        self._is_watched = patterns.watches
        self.inputs_may_fail = inputs_may_fail
        self.put_off: list[LastFailure] = []
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

        While a copy of it is in progress, which may succeed, it is neither given up nor attempted
        again. A task at which a backup has failed is still in the hands of its owner.
        """
        board = agent.board
        failures = board.note_failure(task)
        most = agent.kind.erring.max_attempts
        if task not in board.awaited and (most is None or failures < most):
            if not is_backup:
                agent.dispatcher.attempt_ended(agent.index, task, False)
            return True
        failure = LastFailure(
            agent, agent.call.number, task, board, started_s, is_faulty, is_backup, False
        )
        if self._waits_for_copies(failure):
            return True
        self._leave(failure, now, freed)
        return False

    def _waits_for_copies(self, failure: LastFailure) -> bool:
        """Let nobody attempt a task again that others are at work on; return whether they are."""
        agent, task, board = failure.agent, failure.task, failure.board
        if not self._patterns.is_elsewhere(agent, task):
            return False
        if not failure.is_backup:
            agent.dispatcher.handed_in(agent.index, task)
        if task not in board.awaited:
            board.leave_to_copies(task)
            self.put_off.append(failure)
        return True

    def _leave(self, failure: LastFailure, now: float, freed: list[int]) -> None:
        """Settle a task as it is: with a known fault, unless a reviewer was wrong."""
        agent, _, task, _, started_s, is_faulty, is_backup, is_partial = failure
        if is_partial:
            self._metrics.attempts += 1
            self._metrics.partial_tasks += 1
        self.settle(agent, task, int(is_faulty), now, freed, started_s, is_backup, is_faulty)
        if is_partial:
            where = (agent.index, failure.call, task)
            self._journal.note(Event.ATTEMPT, *where, duration_s=0.0, outcome="partial")

    def leave_what_waited(self, now: float) -> list[tuple[AgentState, list[int]]]:
        """Leave the tasks of which no copy is in progress any more, of those put off.

        Those of an agent that a partition has cut off since wait for its end. Returns the agents
        who had failed at them, each with the tasks that can start because of it.
        """
        found: list[tuple[AgentState, list[int]]] = []
        waited, self.put_off = self.put_off, []
        for failure in waited:
            agent, task, board = failure.agent, failure.task, failure.board
            if board.done[task] or task not in board.awaited:  # done, and maybe undone since
                continue
            if agent.board is not board or self._patterns.is_elsewhere(agent, task):
                self.put_off.append(failure)
                continue
            freed: list[int] = []
            self._leave(failure, now, freed)
            found.append((agent, freed))
            if not failure.is_partial:
                self._journal.note(
                    Event.HAND_IN,
                    agent.index,
                    None,
                    task,
                    peer=agent.index,
                    duration_s=now - failure.started_s,
                    outcome="given_up" if failure.is_faulty else "given_up_correct",
                )
        return found

    def forget_side(self, board: Board) -> None:
        """Put off nothing any more that failed on a board which there is no longer."""
        self.put_off = [failure for failure in self.put_off if failure.board is not board]

    def leave_as_it_is(self, agent: AgentState, task: int, now: float, freed: list[int]) -> None:
        """Leave a task at which a call has failed as it is: done, with a known fault.

        It waits for a copy of it that is in progress. What can start because of it is added to
        `freed`.
        """
        call, started_s = agent.call.number, agent.time.started_s
        failure = LastFailure(agent, call, task, agent.board, started_s, True, False, True)
        if not self._waits_for_copies(failure):
            self._leave(failure, now, freed)

    def may_leave(self, agent: AgentState, task: int) -> bool:
        """Return whether it is up to an agent that a task is left: it could have done it now."""
        board = agent.board
        can_be = not (board.missing[task] or board.done[task])
        return can_be and agent.dispatcher.may_attempt(agent.index, task)

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
