"""What a call that attempts tasks does to the board when it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulator.model.agents.agent import AgentState
from simulator.model.answers import CORRECT
from simulator.model.journal import Journal
from simulator.model.team.hand_ins import HandIns
from simulator.model.team.settlement import Settlement
from simulator.model.team.sides import Sides
from simulator.model.team.writes import Writes
from simulator.model.trace import Event

Sizes = Mapping[int, float] | Sequence[float]
"""Work units of each task that a call attempts."""


class Commits:
    """Claims, attempts, faults and writes, against the board as it is when a call ends.

    Parameters
    ----------
    sides : Sides
    hand_ins : HandIns
    settlement : Settlement
    writes : Writes
    journal : Journal
    is_idempotent : bool
        Whether doing a task twice does no harm.
    """

    __slots__ = (
        "_hand_ins",
        "_is_idempotent",
        "_is_plain",
        "_is_simple",
        "_is_traced",
        "_journal",
        "_metrics",
        "_settlement",
        "_sides",
        "_sizes",
        "_writes",
    )

    def __init__(
        self,
        sides: Sides,
        hand_ins: HandIns,
        settlement: Settlement,
        writes: Writes,
        journal: Journal,
        is_idempotent: bool,
    ) -> None:
        self._sides = sides
        self._sizes = sides.board.graph.sizes
        self._hand_ins = hand_ins
        self._settlement = settlement
        self._writes = writes
        self._journal = journal
        self._is_traced = journal.trace is not None
        self._metrics = journal.metrics
        self._is_idempotent = is_idempotent
        self.adapt()

    def adapt(self) -> None:
        """Look again at what protocol and reviews ask for, which may have changed."""
        dispatcher = self._sides.dispatcher
        self._is_plain = not dispatcher.gives_answers
        simple = self._is_plain and dispatcher.ledger is None
        self._is_simple = simple and not self._hand_ins.are_reviewed

    def commit(self, agent: AgentState, now: float) -> list[int]:
        """Commit the tasks that the agent has picked; return those that can start because of it."""
        board, call = agent.board, agent.call
        picks = call.picks
        count = len(picks)
        self._metrics.attempts += count
        habits = agent.habits
        if habits.drafts is not None:
            habits.drafts.settle(picks)
        is_particular = habits.is_particular or agent.judgement.is_particular
        sizes = self._prepare(agent) if is_particular else self._sizes
        if call.rejected or call.is_astray:
            picks = self._sort_out(agent, sizes, now)
        elif count == 1 and (not board.missing[picks[0]] or board.done[picks[0]]):
            freed: list[int] = []
            self._attempt(agent, picks[0], agent.time.duration_s, now, freed)
            return freed
        return self._commit_several(agent, picks, sizes, now)

    def _commit_several(
        self, agent: AgentState, picks: list[int], sizes: Sizes, now: float
    ) -> list[int]:
        """Commit tasks of which some may be blocked; return those that can start."""
        board = agent.board
        freed: list[int] = []  # `list[int]()` takes ten times as long
        share_s = agent.time.duration_s / agent.call.work
        # Claims are made before the call's own results are on the board.
        blocked = [task for task in picks if board.missing[task] and not board.done[task]]
        if not blocked:
            for task in picks:
                self._attempt(agent, task, share_s * sizes[task], now, freed)
            return freed
        self._note_blocked(agent, blocked)
        works_ahead = agent.dispatcher.works_ahead
        hindered, tried = set(blocked), set()
        for task in picks:
            seconds = share_s * sizes[task]
            if board.missing[task] or (task in hindered and not works_ahead):
                if not agent.call.is_backup:
                    agent.dispatcher.pick_abandoned(agent.index, task)
                self._waste(agent, task, seconds, now, "blocked")
            else:
                self._attempt(agent, task, seconds, now, freed)
                tried.add(task)
        # Tasks that this call freed and also tried concern nobody else.
        for task in tried.intersection(freed) if self._is_traced else ():
            self._journal.note(Event.TASK_READY, task=task)
        return [task for task in freed if task not in tried]

    def _prepare(self, agent: AgentState) -> Sizes:
        """Settle what concerns the call as a whole; return the work units of its tasks."""
        picks = agent.call.picks
        sizes: Sizes = self._sizes
        agent.judgement.begin_call()
        if agent.call.is_cut:
            self._cut_off(agent)
        habits = agent.habits
        if habits.redo_work == 1.0:
            return sizes
        if habits.has_tried(picks):
            sizes = {task: sizes[task] * habits.effort(task) for task in picks}
        if not agent.call.is_cut:
            habits.note_tried(picks)
        return sizes

    def _cut_off(self, agent: AgentState) -> None:
        """Reject all picks if the reply, which exceeded its limit, is of no use."""
        if (
            not agent.call.is_astray
            and agent.judgement.rolls_truncation() < agent.kind.working.truncation_loss
        ):
            self._metrics.lost_replies += 1
            agent.call.reject(agent.call.picks)
        else:
            agent.call.keep_reply()

    def _sort_out(self, agent: AgentState, sizes: Sizes, now: float) -> list[int]:
        """Book as wasted the picks that cannot take effect; return the others."""
        share_s = agent.time.duration_s / agent.call.work
        if not agent.call.is_astray:
            return self._book_rejected(agent, share_s, sizes)
        agent.call.forget_rejected()
        for task in agent.call.picks:
            self._waste(agent, task, share_s * sizes[task], now, "refused")
        return []

    def _book_rejected(self, agent: AgentState, share_s: float, sizes: Sizes) -> list[int]:
        """Book as wasted the picks that the workspace has refused; return the others."""
        rejected, was_cut = agent.call.take_rejected()
        outcome = "lost" if was_cut else "refused"
        for task in rejected:
            seconds = share_s * sizes[task]
            self._metrics.wasted_s += seconds
            if not agent.call.is_backup:
                agent.dispatcher.returned(agent.index, task)
            if self._is_traced:
                self._trace_attempt(agent, task, seconds, outcome)
        return [task for task in agent.call.picks if task not in rejected]

    def _waste(
        self, agent: AgentState, task: int, seconds: float, now: float, outcome: str
    ) -> None:
        self._metrics.wasted_s += seconds
        self._writes.write(agent, task, now, outcome == "blocked")
        if self._is_traced:
            self._trace_attempt(agent, task, seconds, outcome)

    def _note_blocked(self, agent: AgentState, blocked: list[int]) -> None:
        self._metrics.blocked_claims += len(blocked)
        for task in blocked if self._is_traced else ():
            self._journal.note(Event.CLAIM_BLOCKED, agent.index, agent.call.number, task)

    def _attempt(
        self, agent: AgentState, task: int, seconds: float, now: float, freed: list[int]
    ) -> None:
        """Attempt a task whose dependencies are done, unless somebody else has it."""
        board, metrics = agent.board, self._metrics
        dispatcher = agent.dispatcher
        # A backup attempts another agent's task, which becomes its own only when it is done.
        is_free = agent.call.is_backup or not dispatcher.watches_attempts
        may = is_free or dispatcher.may_attempt(agent.index, task)
        if board.done[task] or not may:
            metrics.duplicate_attempts += 1
            metrics.duplicate_effects += not self._is_idempotent
            self._waste(agent, task, seconds, now, "duplicate")
            return
        is_rework = bool(board.failures[task])
        if is_rework:
            metrics.rework_s += seconds
        else:
            metrics.work_s += seconds
        if agent.side:
            self._note_on_other_side(agent, task, seconds, is_rework)
        self._writes.write(agent, task, now, False)
        if self._is_plain and not agent.byzantine:
            answer = agent.judgement.answer(task) if agent.judgement.errs else CORRECT
            is_tested = True
        else:
            answer, is_tested = self._answer(agent, task)
        if answer and is_tested and agent.judgement.finds_fault():
            metrics.failed_tests += 1
            self._hand_ins.overwrite(agent, task)
            started_s, is_backup = agent.time.started_s, agent.call.is_backup
            redo = self._settlement.reject(agent, task, True, now, freed, started_s, is_backup)
            outcome = "failed_test" if redo else "given_up"
        else:
            if not answer and self._settlement.inputs_may_fail:
                answer = int(self._inherits_fault(agent, task))
            if self._is_simple:
                started_s, is_backup = agent.time.started_s, agent.call.is_backup
                outcome = self._settlement.settle(
                    agent, task, answer, now, freed, started_s, is_backup
                )
            else:
                outcome = self._hand_in(agent, task, answer, now, freed)
        if self._is_traced:
            self._trace_attempt(agent, task, seconds, outcome)

    def _note_on_other_side(
        self, agent: AgentState, task: int, seconds: float, is_rework: bool
    ) -> None:
        other_side = self._sides.other
        if other_side is not None and agent.board is other_side.board:
            other_side.note(task, seconds, is_rework)

    def _answer(self, agent: AgentState, task: int) -> tuple[int, bool]:
        """Return what the attempt answers, and whether tests look at it."""
        if agent.byzantine:
            return 1, False  # it does not test its own answer
        answer = agent.dispatcher.answer(agent.index, task)
        if answer is not None:
            return answer, False  # an opinion has no tests
        return agent.judgement.answer(task) if agent.judgement.errs else CORRECT, True

    def _hand_in(
        self, agent: AgentState, task: int, answer: int, now: float, freed: list[int]
    ) -> str:
        """Take an answer to the vote, the review or the board, unless the agent forgets it."""
        decided = agent.dispatcher.decide(agent.index, task, answer)
        if decided is None:
            return "answer"
        started_s, is_backup = agent.time.started_s, agent.call.is_backup
        self._hand_ins.overwrite(agent, task)
        if not is_backup and self._hand_ins.forgets(agent, task, decided):
            return "unmarked" if decided == CORRECT else "unmarked_faulty"
        return self._hand_ins.hand_in(agent, task, decided, now, freed, started_s, is_backup)

    def _inherits_fault(self, agent: AgentState, task: int) -> bool:
        """Return whether what the task builds on is faulty, outdated or misunderstood."""
        board, hand_off = agent.board, agent.kind.erring.hand_off
        if task in agent.call.outdated and agent.judgement.inherits_fault():
            return True
        for needed in board.graph.dependencies[task]:
            if board.faulty[needed] and agent.judgement.inherits_fault():
                return True
            other = board.doer[needed] != agent.index
            if hand_off and other and agent.judgement.rolls_hand_off() < hand_off:
                return True
        return False

    def _trace_attempt(self, agent: AgentState, task: int, seconds: float, outcome: str) -> None:
        where = (agent.index, agent.call.number, task)
        self._journal.note(Event.ATTEMPT, *where, duration_s=seconds, outcome=outcome)
