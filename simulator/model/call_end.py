"""How a call of the team ends: where what it has done takes effect, or comes to nothing."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import COORDINATOR, WORKER, AgentState
from simulator.model.agents.call import ATTEMPTS, MERGE
from simulator.model.agents.talk import Talk
from simulator.model.calls.book import CallBook
from simulator.model.calls.end_rows import note_end
from simulator.model.journal import Journal
from simulator.model.protocols._dispatcher import LEFT
from simulator.model.steps import CallSteps
from simulator.model.team.commits import Commits
from simulator.model.team.coordination import Coordination
from simulator.model.team.hand_ins import HandIns
from simulator.model.team.patterns import Patterns
from simulator.model.team.review import Reviews
from simulator.model.team.review_queue import ReviewQueue
from simulator.model.team.settlement import Settlement
from simulator.model.team.sides import Sides
from simulator.model.trace import FAILED, PROMPT_TOO_LONG, Event
from simulator.model.why import Why
from simulator.model.workspaces import WorkspaceState


class CallEnd:
    """Ends the calls of all agents.

    Parameters
    ----------
    agents : sequence of AgentState
    agenda : Agenda
    journal : Journal
    sides : Sides
    talk : Talk
    book : CallBook
    workspace : WorkspaceState
    queue : ReviewQueue
    reviews : Reviews
    coordination : Coordination
    commits : Commits
    hand_ins : HandIns
    settlement : Settlement
    patterns : Patterns
    is_stepwise : bool
        Whether a call is more than its service.
    has_more : bool
        Whether there are coordinators, notes, drift, stale inputs, or agents who forget.
    """

    __slots__ = (
        "_agenda",
        "_agents",
        "_book",
        "_commits",
        "_coordination",
        "_hand_ins",
        "_has_more",
        "_is_stepwise",
        "_is_traced",
        "_journal",
        "_metrics",
        "_patterns",
        "_queue",
        "_reviews",
        "_settlement",
        "_sides",
        "_talk",
        "_workspace",
    )

    def __init__(
        self,
        agents: Sequence[AgentState],
        agenda: Agenda,
        journal: Journal,
        sides: Sides,
        talk: Talk,
        book: CallBook,
        workspace: WorkspaceState,
        queue: ReviewQueue,
        reviews: Reviews,
        coordination: Coordination,
        commits: Commits,
        hand_ins: HandIns,
        settlement: Settlement,
        patterns: Patterns,
        is_stepwise: bool,
        has_more: bool,
    ) -> None:
        self._agents = agents
        self._agenda = agenda
        self._journal = journal
        self._is_traced = journal.trace is not None
        self._metrics = journal.metrics
        self._sides = sides
        self._talk = talk
        self._book = book
        self._workspace = workspace
        self._queue = queue
        self._reviews = reviews
        self._coordination = coordination
        self._commits = commits
        self._hand_ins = hand_ins
        self._settlement = settlement
        self._patterns = patterns
        self._is_stepwise = is_stepwise
        self._has_more = has_more

    def end_call(self, agent: AgentState, now: float) -> None:
        """Commit the call of `agent` against the board as it is now; talk; drift."""
        call, memory, agenda = agent.call, agent.memory, self._agenda
        freed: list[int]
        if agent.byzantine:
            self._misbehave(agent)
        self._book.end(agent, now, not call.failed)
        if call.failed:
            agenda.reach(now)
            freed = []
            outcome = self._give_up(agent, now, freed)
        else:
            agenda.now = agenda.moved_s = now
            if call.picks:
                freed = self._commits.commit(agent, now)
                outcome = "work"
            else:
                freed = []
                outcome = self._end_without_attempts(agent, now, freed)
            if call.message_tokens >= 0 and memory.inbox.notes is None:
                self._talk.send(agent, agent.outbox, call.message_tokens, now)
            if self._has_more:
                self._do_more(agent, now, freed)
            memory.remember(call.output)
        if self._is_stepwise:
            self._end_steps(agent, now)
        if self._is_traced:
            self._note_end(agent, outcome)
        if freed:
            self._sides.announce_on_side_of(agent, freed)
        if self._coordination.is_to_aggregate:
            self._coordination.call_aggregator()
        if agent.dispatcher.woken:
            self._sides.note_woken()

    def _end_steps(self, agent: AgentState, now: float) -> None:
        """Tell workspace and patterns that a call is over, the last turn of a loop."""
        self._workspace.call_ended(agent)
        self._patterns.call_ended(agent)
        if self._settlement.put_off:
            for other, freed in self._settlement.leave_what_waited(now):
                self._sides.announce_on_side_of(other, freed)
        agent.call.settle()

    def _attempts_nothing(self, agent: AgentState) -> bool:
        """Return whether a call is an errand: an answer, a review, a duty, a merge."""
        return bool(agent.role or agent.call.kind or self._queue.is_reviewing(agent))

    def _end_without_attempts(self, agent: AgentState, now: float, freed: list[int]) -> str:
        if self._attempts_nothing(agent):
            return self._end_coordination(agent, now, freed)
        self._metrics.idle_calls += 1
        self._metrics.wasted_s += agent.time.duration_s
        return "idle"

    def _end_coordination(self, agent: AgentState, now: float, freed: list[int]) -> str:
        metrics, call = self._metrics, agent.call
        metrics.coordination_s += agent.time.duration_s
        if self._queue.is_reviewing(agent):
            freed += self._reviews.end(agent, now)
        if agent.role == COORDINATOR or call.kind:
            metrics.coordination_calls += 1
            if agent.role == COORDINATOR:
                self._coordination.answer(agent)
            elif call.kind == MERGE:
                self._sides.merged(agent)
            else:
                agent.dispatcher.duty_done(agent.index)
            call.be(ATTEMPTS)
            return "coordination"
        metrics.review_calls += 1
        return "review"

    def _do_more(self, agent: AgentState, now: float, freed: list[int]) -> None:
        """Do at the end of a call what only some scenarios ask for."""
        if agent.role == WORKER and agent.byzantine != "silent":
            self._hand_ins.notice(agent, now, freed)
        call, notes = agent.call, agent.memory.inbox.notes
        if call.message_tokens >= 0 and notes is not None:
            notes.write(agent.index, call.message_tokens)
            if self._metrics.too_long_prompts:
                self._sides.let_in(self._agents)
        self._coordination.report(agent)
        if agent.kind.drifts:
            agent.wander()
        if call.outdated:
            call.forget_outdated()

    def _misbehave(self, agent: AgentState) -> None:
        """Let a Byzantine agent that is silent keep what it has done to itself."""
        if agent.byzantine != "silent":
            return
        call = agent.call
        call.be_silent()
        if not self._attempts_nothing(agent):
            call.reject(call.picks)
        elif not call.failed:
            call.fail(Why.SILENT)
            call.pay(1.0)

    def _give_up(self, agent: AgentState, now: float, freed: list[int]) -> str:
        """End a call that came to nothing."""
        call, outcome = agent.call, "failed"
        if call.lost_to is Why.PROMPT_TOO_LONG:
            outcome = PROMPT_TOO_LONG
        self._metrics.wasted_s += agent.time.duration_s
        agent.memory.come_to_nothing(goes_on=call.lost_to is Why.CRASH)
        hopeless = self._patterns.hopeless(agent)
        if call.lost_to is Why.TURN_LIMIT and not (call.is_astray or call.is_backup):
            hopeless = call.picks
        settled: list[int] = []
        if hopeless:
            settled = self._do_without(agent, hopeless, now, freed)
            if self._sides.dispatcher.has_lead:
                self._coordination.report(agent)  # its hands are empty: it is given more
        if not (call.is_astray or call.is_backup or call.lost_to is Why.BACKUP):
            for task in call.picks:
                if not (agent.board.done[task] or task in settled or task in agent.board.awaited):
                    agent.dispatcher.returned(agent.index, task)
        call.void()
        self._queue.returned(agent)
        self._coordination.returned(agent)
        if outcome == PROMPT_TOO_LONG:
            self._sides.shut_out(agent)
            if not self._is_stepwise:
                call.settle()
        return outcome

    def _do_without(
        self, agent: AgentState, tasks: Sequence[int], now: float, freed: list[int]
    ) -> list[int]:
        """Do without what a call that has failed for good was to give; return of which tasks.

        They are left as they are; where several answer, the others decide.
        """
        settled: list[int] = []
        for task in tasks:
            if not self._settlement.may_leave(agent, task):
                continue
            settled.append(task)
            answer = agent.dispatcher.do_without(agent.index, task)
            if answer == LEFT:
                self._settlement.leave_as_it_is(agent, task, now, freed)
            elif answer is not None:
                self._metrics.attempts += 1
                began_s = agent.time.started_s
                said = self._hand_ins.hand_in(agent, task, answer, now, freed, began_s, False)
                where = (agent.index, agent.call.number, task)
                self._journal.note(Event.ATTEMPT, *where, duration_s=0.0, outcome=said)
        return settled

    def cut_off(self, agent: AgentState, steps: CallSteps) -> None:
        """End a call in flight with the run; what it has read, and written so far, is paid for."""
        call, time = agent.call, agent.time
        if self._is_stepwise:
            steps.cut_off(agent)
            elapsed_s = time.earlier_s + time.served_s
        else:
            elapsed_s = self._agenda.now - time.started_s
            call.pay(elapsed_s / time.duration_s if elapsed_s > 0.0 else None)
        self._book.cut_off(agent, elapsed_s)
        self._metrics.wasted_s += time.duration_s
        if self._is_traced:
            self._note_end(agent, "cut_off")

    def _note_end(self, agent: AgentState, outcome: str) -> None:
        """Write that a call has ended."""
        is_answered = outcome != "cut_off" and outcome not in FAILED
        note_end(self._journal, Event.CALL_END, agent, outcome, is_answered)
