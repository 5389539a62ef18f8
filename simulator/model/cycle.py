"""What happens when a call begins and when it ends: the one place that starts and ends calls.

An engine calls `Cycle.begin_call` and, when the agent's ``duration_s`` has passed,
`Cycle.end_call`. Where a call is more than its service (limits of the provider, locks, commits,
partitions), it goes through `CallSteps` in between.
"""

from __future__ import annotations

from math import fsum

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import (
    COORDINATOR,
    DUTY,
    MERGE,
    NOT_LEADING,
    WORKER,
    AgentState,
)
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
        picks: list[int] | None = None
        if not agent.idle_p or not agent.idles():
            picks = agent.dispatcher.choose(agent.index, agent.batch_size or agent.take_count())
        if picks is None:
            picks = []
        elif not picks:
            picks = self._without_work(agent, must_call and agent.dispatcher.calls_idly)
            if picks is None:
                return False
        if len(picks) == 1 and not agent.tried:
            work = self._sizes[picks[0]]
        else:
            work = self._work(agent, picks)
        if agent.capacity and work > agent.capacity:
            picks, work = self._cut_off(agent, picks)
        agent.picks = picks
        p = agent.talk if picks else agent.chatter
        self._serve(agent, now, work, p > 0.0 and (p >= 1.0 or agent.rolls_talk() < p))
        return True

    def _run_errand(self, agent: AgentState, now: float, errand: Errand | None) -> bool:
        """Begin a call that attempts no tasks, if there is one to make."""
        if errand is None:
            return False
        self._serve(agent, now, errand.work, errand.speaks)
        if errand.lasts_s is not None:
            agent.duration_s = errand.lasts_s
        return True

    def _errand_of_staff(self, agent: AgentState) -> Errand | None:
        staff = self._coordination if agent.role == COORDINATOR else self._queue
        return staff.next_call(agent)

    def _errand_of_worker(self, agent: AgentState) -> Errand | None:
        """Return the merge, the duty or the review that a worker owes, if it does."""
        owed_s = self._sides.owed_s.get(agent.index)
        if owed_s is not None:
            agent.leads = MERGE
            return Errand(1.0, False, owed_s)
        units = agent.dispatcher.duty(agent.index)
        if units is not None:
            agent.leads = DUTY
            return Errand(units, agent.talk >= 1.0)
        return self._queue.next_call(agent) if self._queue.by_peers else None

    def _work(self, agent: AgentState, picks: list[int]) -> float:
        """Return the work units of several tasks, or of tasks tried before."""
        sizes = self._sizes
        if agent.tried:
            return fsum([sizes[task] * agent.effort(task) for task in picks])
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
            more = sizes[task] * agent.effort(task)
            if i and work + more > agent.capacity:
                for other in picks[i:]:
                    agent.dispatcher.returned(agent.index, other)
                agent.is_cut = True
                return picks[:i], work
            work += more
        return picks, work

    def _serve(self, agent: AgentState, now: float, work: float, speaks: bool) -> None:
        """Start the call of an agent that has decided what to do in it."""
        agent.work = work
        if speaks and self._patterns.watches:
            speaks = not self._patterns.skips("messages")
        if self._sides.dispatcher.sets_context and agent.role == WORKER:
            kept, added = agent.dispatcher.context_of(agent.index, agent.context_tokens)
            agent.keep_prefix(kept)
            agent.context_tokens = kept + added
        agent.read(now)
        output = int(agent.output_draw() + agent.output_per_work_unit * work)
        output += agent.summary_tokens
        if speaks:
            tokens = agent.message_tokens = int(
                agent.message_draw() + agent.relay * agent.unread_tokens
            )
            output += tokens
        else:
            agent.message_tokens = -1
        agent.output = output
        agent.duration_s = agent.latency(work, agent.uncached, agent.cached, output)
        if not agent.steady_pace:
            agent.duration_s *= agent.pace()
        if agent.overflows and agent.is_too_long and not self._service.other_can_read(agent):
            agent.failed, agent.lost_to, agent.duration_s = True, PROMPT_TOO_LONG, 0.0
        agent.in_call = True
        agent.started_s = agent.read_s = now
        agent.waited_s += now - agent.free_since
        self.calls_begun += 1
        agent.call = self.calls_begun
        if self._journal.trace is not None:
            self._journal.note(Event.CALL_START, agent.index, agent.call)
        if self._patterns.watches:
            self._patterns.call_begins(agent)

    def end_call(self, agent: AgentState, now: float) -> None:
        """Commit the call of `agent` against the board as it is now; talk; drift."""
        agent.in_call = False
        agent.free_since = now
        agent.busy_s += agent.duration_s
        self._metrics.calls += 1
        freed: list[int] = []
        if agent.byzantine == "silent":
            self._fall_silent(agent)
        if agent.failed:
            self._agenda.reach(now)
            outcome = self._give_up(agent, now, freed)
        else:
            self._agenda.move(now)
            self._bill.call(agent)
            if agent.picks:
                freed = self._commits.commit(agent, now)
                agent.picks = []
                outcome = "work"
            else:
                outcome = self._end_without_attempts(agent, now, freed)
            if agent.message_tokens >= 0 and agent.notes is None:
                self._talk.send(agent, agent.outbox, agent.message_tokens, now)
            if self._has_more:
                self._do_more(agent)
            agent.remember()
        if self._is_stepwise:
            self._end_steps(agent)
        if self._journal.trace is not None:
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
        agent.lost_to = ""

    def _end_without_attempts(self, agent: AgentState, now: float, freed: list[int]) -> str:
        if agent.role or agent.leads or agent.reviews:
            return self._end_coordination(agent, now, freed)
        self._metrics.idle_calls += 1
        self._metrics.wasted_s += agent.duration_s
        return "idle"

    def _end_coordination(self, agent: AgentState, now: float, freed: list[int]) -> str:
        metrics = self._metrics
        metrics.coordination_s += agent.duration_s
        if agent.reviews:
            freed += self._reviews.end(agent, now)
        if agent.role == COORDINATOR or agent.leads:
            metrics.coordination_calls += 1
            if agent.role == COORDINATOR:
                self._coordination.answer(agent)
            elif agent.leads == MERGE:
                self._sides.merged(agent)
            else:
                agent.dispatcher.duty_done(agent.index)
            agent.leads = NOT_LEADING
            return "coordination"
        metrics.review_calls += 1
        return "review"

    def _do_more(self, agent: AgentState) -> None:
        """Do at the end of a call what only some scenarios ask for."""
        if agent.message_tokens >= 0 and agent.notes is not None:
            agent.notes.write(agent.index, agent.message_tokens)
            if self._metrics.too_long_prompts:
                self._sides.let_in(self._agents)
        if agent.manager is not None:
            self._coordination.report(agent)
        if agent.drifts:
            agent.wander()
        if agent.outdated:
            agent.outdated.clear()

    def _fall_silent(self, agent: AgentState) -> None:
        """Let a Byzantine agent keep what it has done to itself."""
        agent.message_tokens = -1
        if agent.role or agent.leads or agent.reviews:
            if not agent.failed:
                agent.failed, agent.lost_to, agent.paid_share = True, "silent", 1.0
        else:
            agent.rejected.update(agent.picks)

    def _give_up(self, agent: AgentState, now: float, freed: list[int]) -> str:
        """End a call that came to nothing."""
        outcome = "failed"
        if agent.lost_to == PROMPT_TOO_LONG:
            outcome = PROMPT_TOO_LONG
        agent.failed = False
        self._metrics.failed_calls += 1
        self._metrics.wasted_s += agent.duration_s
        if agent.paid_share is not None:
            agent.is_read = True
            self._bill.in_vain(agent, agent.paid_share)
        agent.come_to_nothing()
        hopeless = self._patterns.hopeless(agent)
        if hopeless:
            freed += self._commits.leave_as_it_is(agent, hopeless, now)
        if not (agent.is_astray or agent.is_backup or agent.lost_to == "backup"):
            for task in agent.picks:
                if not agent.board.done[task]:
                    agent.dispatcher.returned(agent.index, task)
        agent.picks = []
        agent.rejected.clear()
        agent.is_cut = False
        self._queue.returned(agent)
        agent.reports.extendleft(reversed(agent.answering))
        agent.answering = []
        agent.leads = NOT_LEADING
        if outcome == PROMPT_TOO_LONG:
            self._sides.shut_out(agent)
            if not self._is_stepwise:
                agent.lost_to = ""
        return outcome

    def cut_off(self, agent: AgentState, steps: CallSteps) -> None:
        """End a call in flight with the run; what it has read, and written so far, is paid for."""
        if self._is_stepwise:
            steps.cut_off(agent)
        else:
            elapsed_s = self._agenda.now - agent.started_s
            agent.paid_share = elapsed_s / agent.duration_s if elapsed_s > 0.0 else None
            agent.duration_s = elapsed_s
        if agent.paid_share is not None:
            self._bill.in_vain(agent, agent.paid_share)
        agent.busy_s += agent.duration_s
        self._metrics.wasted_s += agent.duration_s
        if self._journal.trace is not None:
            self._note_end(agent, "cut_off")

    def _note_end(self, agent: AgentState, outcome: str) -> None:
        """Write that a call has ended."""
        # What requests that failed have read and written is in rows of their own.
        share: float | None = 1.0
        if outcome == "cut_off" or outcome in FAILED:
            share = agent.paid_share
        is_read = share is not None
        self._journal.note(
            Event.CALL_END,
            agent.index,
            agent.call,
            duration_s=agent.duration_s,
            input_tokens=agent.prompt_tokens * is_read,
            cached_tokens=agent.cached * is_read,
            output_tokens=int(agent.output * (share or 0.0)),
            outcome=outcome,
        )
