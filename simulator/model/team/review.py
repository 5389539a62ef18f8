"""Reviews: what reviewers find in finished tasks."""

from __future__ import annotations

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.answers import CORRECT
from simulator.model.journal import Journal
from simulator.model.protocols import preferably
from simulator.model.team.review_queue import ReviewQueue, Submission
from simulator.model.team.settlement import Settlement
from simulator.model.team.sides import Sides
from simulator.model.trace import Event
from simulator.scenario.coordination import Review


class Reviews:
    """Accepts or rejects what reviewers have read.

    Parameters
    ----------
    spec : Review or None
        None where nobody reviews.
    queue : ReviewQueue
    sides : Sides
    settlement : Settlement
    agenda : Agenda
    journal : Journal
    """

    __slots__ = ("_agenda", "_journal", "_queue", "_settlement", "_sides", "_spec")

    def __init__(
        self,
        spec: Review | None,
        queue: ReviewQueue,
        sides: Sides,
        settlement: Settlement,
        agenda: Agenda,
        journal: Journal,
    ) -> None:
        self._spec = spec
        self._queue = queue
        self._sides = sides
        self._settlement = settlement
        self._agenda = agenda
        self._journal = journal

    def leave_out(self, by: str, now: float) -> None:
        """Review no more, if `by` does.

        What was handed in is accepted unseen, whether it waited or a reviewer had just begun.
        """
        freed: list[int] = []
        for agent, task, answer, started_s, board, is_backup, _ in self._queue.leave_out(by):
            if board.done[task] or agent.board.done[task]:
                continue
            said = self._settlement.settle(agent, task, answer, now, freed, started_s, is_backup)
            where = (agent.index, None, task)
            lasted_s = now - started_s
            self._journal.note(
                Event.HAND_IN, *where, peer=agent.index, duration_s=lasted_s, outcome=said
            )

    def outlast_protocol(self) -> list[int]:
        """Go on with what waits for review, as another protocol begins; return its tasks."""
        return self._queue.outlast_protocol()

    def end(self, reviewer: AgentState, now: float) -> list[int]:
        """Accept or reject what the reviewer has read; return the tasks freed."""
        assert self._spec is not None
        metrics = self._journal.metrics
        freed: list[int] = []
        cut_off: list[Submission] = []
        for item in self._queue.take(reviewer):
            agent, task, answer, started_s, board, is_backup, is_of_before = item
            is_backup |= is_of_before  # nobody has it in hand
            if board is self._sides.board is not agent.board:
                cut_off.append(item)  # what becomes of it shows after the partition
                continue
            self._queue.let_go(item)
            metrics.reviews += 1
            is_faulty = answer != CORRECT
            chance = 1.0 - self._spec.miss if is_faulty else self._spec.false_alarm
            rejected = reviewer.judgement.rejects(chance)
            if reviewer.byzantine:
                rejected = not is_faulty
            if board.done[task] or board is not agent.board:
                outcome = "duplicate"
                metrics.duplicate_attempts += 1
            elif rejected:
                metrics.rejections += 1
                metrics.false_alarms += not is_faulty
                outcome = "false_alarm" if not is_faulty else "rejected"
                if not self._settlement.reject(
                    agent, task, is_faulty, now, freed, started_s, is_backup
                ):
                    outcome = "given_up" if is_faulty else "given_up_correct"
                elif is_of_before:
                    freed.append(task)
                elif is_backup:  # who made it may be gone, or busy: another may back it up
                    self._agenda.wake(preferably(agent.index))
            else:
                outcome = self._settlement.settle(
                    agent, task, answer, now, freed, started_s, is_backup
                )
            self._agenda.wake(agent.index)
            where = (reviewer.index, reviewer.call.number, task)
            lasted_s = now - started_s
            self._journal.note(
                Event.REVIEW, *where, peer=agent.index, duration_s=lasted_s, outcome=outcome
            )
        self._queue.put_back(cut_off)
        return freed
