"""How a call of the team begins: where an agent decides what to do, reads, and starts."""

from __future__ import annotations

from math import fsum

from simulator.model.agents.agent import COORDINATOR, WORKER, AgentState
from simulator.model.agents.call import DUTY, MERGE
from simulator.model.agents.habits import Habits
from simulator.model.calls.book import CallBook
from simulator.model.calls.service import Service
from simulator.model.journal import Journal
from simulator.model.team.coordination import Coordination
from simulator.model.team.errand import Errand
from simulator.model.team.patterns import Patterns
from simulator.model.team.review_queue import ReviewQueue
from simulator.model.team.sides import Sides
from simulator.model.timers import AN_INSTANT
from simulator.model.trace import Event


class CallStart:
    """Begins the calls of the team.

    Where a call is more than its service (limits of the provider, locks, commits, partitions),
    it goes through `CallSteps` until it ends.

    Parameters
    ----------
    sides : Sides
    queue : ReviewQueue
    coordination : Coordination
    patterns : Patterns
    service : Service
    book : CallBook
    journal : Journal
    """

    __slots__ = (
        "_book",
        "_coordination",
        "_is_traced",
        "_is_watched",
        "_journal",
        "_patterns",
        "_queue",
        "_service",
        "_sides",
        "_sizes",
    )

    def __init__(
        self,
        sides: Sides,
        queue: ReviewQueue,
        coordination: Coordination,
        patterns: Patterns,
        service: Service,
        book: CallBook,
        journal: Journal,
    ) -> None:
        self._sides = sides
        self._sizes = sides.board.graph.sizes
        self._queue = queue
        self._coordination = coordination
        self._patterns = patterns
        self._is_watched = patterns.watches
        self._service = service
        self._book = book
        self._journal = journal
        self._is_traced = journal.trace is not None

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
            Whether a call has begun; its service lasts ``agent.time.duration_s`` seconds.
        """
        if agent.is_shut_out or agent.is_down or agent.is_retired:
            return False
        if agent.role != WORKER:
            return self._run_errand(agent, now, self._errand_of_staff(agent))
        sides = self._sides
        is_over = sides.board.left <= sides.spare and self._is_over_for(agent)
        if agent.awaits_answer or is_over or (agent.side and not sides.minority_goes_on):
            return False
        if (sides.has_duties or self._queue.by_peers or sides.owed_s) and self._run_errand(
            agent, now, self._errand_of_worker(agent)
        ):
            return True
        habits = agent.habits
        picks: list[int] | None = None
        if not habits.may_idle or not _idles(agent, must_call):
            count = habits.batch_size or _take_count(agent)
            picks = agent.dispatcher.choose(agent.index, count)
        if picks is None:
            picks = []
        elif not picks:
            picks = self._without_work(agent, must_call)
            if picks is None:
                return False
        if len(picks) == 1 and not habits.is_particular:
            work = self._sizes[picks[0]]
        else:
            work = self._work(habits, picks)
            if habits.is_limited and len(picks) > 1:
                fits = habits.capacity() * (1.0 + AN_INSTANT)
                if work > fits:
                    picks, work = self._cut_off(agent, picks, fits)
        p = habits.talk if picks else habits.chatter
        speaks = p > 0.0 and (p >= 1.0 or habits.rolls_talk() < p)
        self._serve(agent, now, picks, work, speaks)
        return True

    def _is_over_for(self, agent: AgentState) -> bool:
        """Return whether no more is asked of a worker: only the aggregator and merges follow."""
        return self._sides.tasks_are_done and agent.index not in self._sides.owed_s

    def leaves_tasks(self, agent: AgentState) -> bool:
        """Return whether an agent in a call leaves to others what anyone may do: a task, a review.

        It idles, or has a duty of its own.
        """
        return not (agent.call.picks or self._queue.is_reviewing(agent))

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
        owed_s = self._sides.begin_merge(agent)
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
        if habits.has_tried(picks):
            return fsum([sizes[task] * habits.effort(task) for task in picks])
        return fsum([sizes[task] for task in picks])

    def _without_work(self, agent: AgentState, must_call: bool) -> list[int] | None:
        """Return what an agent does that finds no task: a backup, an idle call, or (None) none."""
        picks = self._patterns.backups_for(agent)
        if picks:
            return picks
        must_call = must_call and agent.dispatcher.calls_idly
        return [] if must_call and not self._patterns.skips("idle_calls") else None

    def _cut_off(self, agent: AgentState, picks: list[int], fits: float) -> tuple[list[int], float]:
        """Return the first picks that fit into a reply, at least one, and their work."""
        sizes, work = self._sizes, 0.0
        for i, task in enumerate(picks):
            more = sizes[task] * agent.habits.effort(task)
            if i and work + more > fits:
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
        if speaks and self._is_watched:
            speaks = not self._patterns.skips("messages")
        memory, loop = agent.memory, agent.loop
        if self._sides.sets_context and agent.role == WORKER:
            memory.replace(*agent.dispatcher.context_of(agent.index, memory.context_tokens))
        kept = None if loop is None else self._service.resume(agent, picks)
        memory.read(now, agent.board)
        if agent.judgement.depends_on_context:
            agent.settle_errors()
        if loop is None:
            # As `AgentState.compose` does; to call it took 2 % more instructions a call.
            habits = agent.habits
            output, message = habits.fixed_output, -1
            if output < 0:
                output = habits.output.about(work)
            output += memory.summary_tokens
            if speaks:
                message = habits.fixed_message
                if message < 0:
                    message = habits.message.about(memory.unread_tokens)
                output += message
            duration_s = agent.latency.seconds(work, memory.uncached, memory.cached, output)
            if not agent.is_steady:
                duration_s *= agent.pace()
        else:
            loop.begin(work, lasts_s is not None, speaks, kept)
            loop.read(memory.unread_tokens)
            now_speaks, unread_tokens = speaks and loop.is_last, memory.unread_tokens
            output, message, duration_s = agent.compose(loop.work, now_speaks, unread_tokens)
        if lasts_s is not None:
            duration_s = lasts_s
        number = self._book.begin(agent, now, picks, work, output, message, duration_s)
        if self._is_traced:
            self._journal.note(Event.CALL_START, agent.index, number)
        if self._is_watched:
            self._patterns.call_begins(agent)


def _idles(agent: AgentState, must_call: bool) -> bool:
    """Return whether an agent leaves the tasks that there are; without any it just waits."""
    dispatcher = agent.dispatcher
    if not ((must_call and dispatcher.calls_idly) or dispatcher.has_tasks(agent.index)):
        return False
    return agent.habits.idles(is_first=not agent.call.number)


def _take_count(agent: AgentState) -> int:
    """Return how many tasks a call takes on, where that is drawn."""
    if agent.habits.is_unsettled:
        agent.habits.settle(agent.dispatcher.due(agent.index))
    return agent.habits.take_count()
