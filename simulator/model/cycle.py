"""What happens when a call begins and when it ends: the one place that starts and ends calls.

An engine calls `Cycle.begin_call` and, when the agent's ``duration_s`` has passed,
`Cycle.end_call`. Where a call is more than its service (limits of the provider, locks, commits,
partitions), it goes through `CallSteps` in between.
"""

from __future__ import annotations

from math import fsum

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import COORDINATOR, WORKER, AgentState
from simulator.model.agents.call import ATTEMPTS, DUTY, MERGE
from simulator.model.agents.habits import Habits
from simulator.model.agents.talk import Talk
from simulator.model.calls.bill import Bill
from simulator.model.calls.service import Service
from simulator.model.journal import Journal
from simulator.model.steps import CallSteps
from simulator.model.team.commits import Commits
from simulator.model.team.coordination import Coordination
from simulator.model.team.errand import Errand
from simulator.model.team.patterns import Patterns
from simulator.model.team.review import Reviews
from simulator.model.team.review_queue import ReviewQueue
from simulator.model.team.sides import Sides
from simulator.model.trace import FAILED, PROMPT_TOO_LONG, Event
from simulator.model.why import Why
from simulator.model.workspaces import WorkspaceState


class Cycle:
    """Begins and ends the calls of all agents.

    Parameters
    ----------
    agents : list of AgentState
    agenda : Agenda
    journal : Journal
    sides : Sides
    talk : Talk
    bill : Bill
    service : Service
    workspace : WorkspaceState
    queue : ReviewQueue
    reviews : Reviews
    coordination : Coordination
    commits : Commits
    patterns : Patterns
    is_stepwise : bool
        Whether a call is more than its service.
    has_more : bool
        Whether there are coordinators, notes, drift or stale inputs.

    Attributes
    ----------
    calls_begun : int
        Calls begun so far; they are numbered from 1.
    """

    __slots__ = (
        "_agenda",
        "_agents",
        "_bill",
        "_commits",
        "_coordination",
        "_has_more",
        "_is_stepwise",
        "_is_traced",
        "_journal",
        "_metrics",
        "_patterns",
        "_queue",
        "_reviews",
        "_service",
        "_sides",
        "_sizes",
        "_talk",
        "_workspace",
        "calls_begun",
    )

    def __init__(
        self,
        agents: list[AgentState],
        agenda: Agenda,
        journal: Journal,
        sides: Sides,
        talk: Talk,
        bill: Bill,
        service: Service,
        workspace: WorkspaceState,
        queue: ReviewQueue,
        reviews: Reviews,
        coordination: Coordination,
        commits: Commits,
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
        self._sizes = sides.board.graph.sizes
        self._talk = talk
        self._bill = bill
        self._service = service
        self._workspace = workspace
        self._queue = queue
        self._reviews = reviews
        self._coordination = coordination
        self._commits = commits
        self._patterns = patterns
        self._is_stepwise = is_stepwise
        self._has_more = has_more
        self.calls_begun = 0

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing left to do."""
        sides = self._sides
        return sides.tasks_are_done and not (self._coordination.is_to_aggregate or sides.owed_s)

    def begin_call(self, agent: AgentState, now: float, must_call: bool) -> bool:
        """Let an agent read, decide and start to write.

        Parameters
        ----------
        agent : AgentState
            An agent that is not in a call.
        now : float
            Simulated seconds, which the agenda has reached.
        must_call : bool
            Whether a worker makes its call even if it finds no task.

        Returns
        -------
        bool
            Whether a call has begun; its service lasts ``agent.duration_s`` seconds.
        """
        if agent.is_shut_out or agent.is_down or agent.is_retired:
            return False
        if agent.role != WORKER:
            return self._run_errand(agent, now, self._errand_of_staff(agent))
        sides = self._sides
        if agent.awaits_answer or (agent.side and not sides.minority_goes_on):
            return False
        has_errands = agent.dispatcher.has_duties or self._queue.by_peers or sides.owed_s
        if has_errands and self._run_errand(agent, now, self._errand_of_worker(agent)):
            return True
        habits = agent.habits
        picks: list[int] | None = None
        if not habits.idle_p or not habits.idles(is_first=not agent.call.number):
            picks = agent.dispatcher.choose(agent.index, habits.batch_size or habits.take_count())
        if picks is None:
            picks = []
        elif not picks:
            picks = self._without_work(agent, must_call and agent.dispatcher.calls_idly)
            if picks is None:
                return False
        if len(picks) == 1 and not habits.tried:
            work = self._sizes[picks[0]]
        else:
            work = self._work(habits, picks)
        if habits.capacity and work > habits.capacity:
            picks, work = self._cut_off(agent, picks)
        p = habits.talk if picks else habits.chatter
        speaks = p > 0.0 and (p >= 1.0 or habits.rolls_talk() < p)
        self._serve(agent, now, picks, work, speaks)
        return True

    def _run_errand(self, agent: AgentState, now: float, errand: Errand | None) -> bool:
        """Begin a call that attempts no tasks, if there is one to make."""
        if errand is None:
            return False
        self._serve(agent, now, [], errand.work, errand.speaks, errand.lasts_s)
        return True

    def _errand_of_staff(self, agent: AgentState) -> Errand | None:
        staff = self._coordination if agent.role == COORDINATOR else self._queue
        return staff.next_call(agent)

    def _errand_of_worker(self, agent: AgentState) -> Errand | None:
        """Return the merge, the duty or the review that a worker owes, if it does."""
        owed_s = self._sides.owed_s.get(agent.index)
        if owed_s is not None:
            agent.call.be(MERGE)
            return Errand(1.0, False, owed_s)
        units = agent.dispatcher.duty(agent.index)
        if units is not None:
            agent.call.be(DUTY)
            return Errand(units, agent.habits.talk >= 1.0)
        return self._queue.next_call(agent) if self._queue.by_peers else None

    def _work(self, habits: Habits, picks: list[int]) -> float:
        """Return the work units of several tasks, or of tasks tried before."""
        sizes = self._sizes
        if habits.tried:
            return fsum([sizes[task] * habits.effort(task) for task in picks])
        return fsum([sizes[task] for task in picks])

    def _without_work(self, agent: AgentState, must_call: bool) -> list[int] | None:
        """Return what an agent does that finds no task: a backup, an idle call, or (None) none."""
        picks = self._patterns.backups_for(agent)
        if picks:
            return picks
        return [] if must_call and not self._patterns.skips("idle_calls") else None

    def _cut_off(self, agent: AgentState, picks: list[int]) -> tuple[list[int], float]:
        """Return the first picks that fit into one reply, at least one, and their work."""
        sizes, work = self._sizes, 0.0
        for i, task in enumerate(picks):
            more = sizes[task] * agent.habits.effort(task)
            if i and work + more > agent.habits.capacity:
                for other in picks[i:]:
                    agent.dispatcher.returned(agent.index, other)
                agent.call.cut_reply()
                return picks[:i], work
            work += more
        return picks, work

    def _serve(
        self,
        agent: AgentState,
        now: float,
        picks: list[int],
        work: float,
        speaks: bool,
        lasts_s: float | None = None,
    ) -> None:
        """Start the call of an agent that has decided what to do in it."""
        if speaks and self._patterns.watches:
            speaks = not self._patterns.skips("messages")
        memory, habits = agent.memory, agent.habits
        if self._sides.dispatcher.sets_context and agent.role == WORKER:
            memory.replace(*agent.dispatcher.context_of(agent.index, memory.context_tokens))
        memory.read(now, agent.board)
        if agent.judgement.depends_on_context:
            agent.settle_errors()
        output = int(habits.output() + habits.output_per_work_unit * work)
        output += memory.summary_tokens
        message = -1
        if speaks:
            message = int(habits.message() + habits.relay * memory.unread_tokens)
            output += message
        duration_s = agent.latency(work, memory.uncached, memory.cached, output)
        if not agent.is_steady:
            duration_s *= agent.pace()
        if memory.overflows and memory.is_too_long and not self._service.other_can_read(agent):
            agent.call.fail(Why.PROMPT_TOO_LONG)
            duration_s = 0.0
        self.calls_begun = number = self.calls_begun + 1
        agent.call.begin(number, picks, work, output, message)
        agent.time.begin(now, duration_s if lasts_s is None else lasts_s)
        if self._is_traced:
            self._journal.note(Event.CALL_START, agent.index, number)
        if self._patterns.watches:
            self._patterns.call_begins(agent)

    def end_call(self, agent: AgentState, now: float) -> None:
        """Commit the call of `agent` against the board as it is now; talk; drift."""
        call, memory = agent.call, agent.memory
        agent.time.end(now)
        self._metrics.calls += 1
        freed: list[int] = []
        if agent.byzantine == "silent":
            self._fall_silent(agent)
        if call.failed:
            self._agenda.reach(now)
            outcome = self._give_up(agent, now, freed)
        else:
            self._agenda.move(now)
            self._bill.call(agent)
            if call.picks:
                freed = self._commits.commit(agent, now)
                outcome = "work"
            else:
                outcome = self._end_without_attempts(agent, now, freed)
            if call.message_tokens >= 0 and memory.inbox.notes is None:
                self._talk.send(agent, agent.outbox, call.message_tokens, now)
            if self._has_more:
                self._do_more(agent)
            memory.remember(call.output)
        if self._is_stepwise:
            self._end_steps(agent)
        if self._is_traced:
            self._note_end(agent, outcome)
        if freed:
            self._sides.announce_on_side_of(agent, freed)
        if self._coordination.is_to_aggregate:
            self._coordination.call_aggregator()
        if agent.dispatcher.woken:
            self._sides.note_woken()

    def _end_steps(self, agent: AgentState) -> None:
        """Tell workspace and patterns that a call is over."""
        self._workspace.call_ended(agent)
        self._patterns.call_ended(agent)
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

    def _do_more(self, agent: AgentState) -> None:
        """Do at the end of a call what only some scenarios ask for."""
        call, notes = agent.call, agent.memory.inbox.notes
        if call.message_tokens >= 0 and notes is not None:
            notes.write(agent.index, call.message_tokens)
            if self._metrics.too_long_prompts:
                self._sides.let_in(self._agents)
        self._coordination.report(agent)
        if agent.drifts:
            agent.wander()
        if call.outdated:
            call.outdated.clear()

    def _fall_silent(self, agent: AgentState) -> None:
        """Let a Byzantine agent keep what it has done to itself."""
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
        self._metrics.failed_calls += 1
        self._metrics.wasted_s += agent.time.duration_s
        if call.paid_share is not None:
            agent.memory.note_read()
            self._bill.in_vain(agent, call.paid_share)
        agent.memory.come_to_nothing()
        hopeless = self._patterns.hopeless(agent)
        if hopeless:
            freed += self._commits.leave_as_it_is(agent, hopeless, now)
        if not (call.is_astray or call.is_backup or call.lost_to is Why.BACKUP):
            for task in call.picks:
                if not agent.board.done[task]:
                    agent.dispatcher.returned(agent.index, task)
        call.clear()
        self._queue.returned(agent)
        self._coordination.returned(agent)
        if outcome == PROMPT_TOO_LONG:
            self._sides.shut_out(agent)
            if not self._is_stepwise:
                call.settle()
        return outcome

    def cut_off(self, agent: AgentState, steps: CallSteps) -> None:
        """End a call in flight with the run; what it has read, and written so far, is paid for."""
        call, time = agent.call, agent.time
        if self._is_stepwise:
            steps.cut_off(agent)
            time.cut_off(time.served_s)
        else:
            elapsed_s = self._agenda.now - time.started_s
            call.pay(elapsed_s / time.duration_s if elapsed_s > 0.0 else None)
            time.cut_off(elapsed_s)
        if call.paid_share is not None:
            self._bill.in_vain(agent, call.paid_share)
        self._metrics.wasted_s += time.duration_s
        if self._is_traced:
            self._note_end(agent, "cut_off")

    def _note_end(self, agent: AgentState, outcome: str) -> None:
        """Write that a call has ended."""
        # What requests that failed have read and written is in rows of their own.
        share: float | None = 1.0
        if outcome == "cut_off" or outcome in FAILED:
            share = agent.call.paid_share
        is_read = share is not None
        self._journal.note(
            Event.CALL_END,
            agent.index,
            agent.call.number,
            duration_s=agent.time.duration_s,
            input_tokens=agent.memory.prompt_tokens * is_read,
            cached_tokens=agent.memory.cached * is_read,
            output_tokens=int(agent.call.output * (share or 0.0)),
            outcome=outcome,
        )
