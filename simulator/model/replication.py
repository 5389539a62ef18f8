"""The team of one replication: what happens when a call begins and when it ends.

An engine calls `TeamState.begin_call` and, when the agent's ``duration_s`` has passed,
`TeamState.end_call`. Where a call is more than its service (limits of the provider, locks,
commits, partitions), it goes through `TeamState.steps` in between. The engine tells the time;
everything else happens here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from math import fsum

from simulator.model.agents.agent import (
    COORDINATOR,
    DUTY,
    MERGE,
    NOT_LEADING,
    WORKER,
    AgentState,
)
from simulator.model.agents.messages import Outlet
from simulator.model.agents.roster import Roster
from simulator.model.board import Board
from simulator.model.calls.provider import ProviderState
from simulator.model.metrics import Metrics
from simulator.model.protocols import EVERYONE, Dispatcher, Protocol, Setting
from simulator.model.resilience.failures import Failures
from simulator.model.steps import CallSteps
from simulator.model.streams import Streams
from simulator.model.tasks import TaskGraph
from simulator.model.team.commits import Commits
from simulator.model.team.coordination import Coordination
from simulator.model.team.partition import Side, heal, split
from simulator.model.team.review import Reviews
from simulator.model.timers import always
from simulator.model.trace import FAILED, PROMPT_TOO_LONG, Event, Row, Trace
from simulator.model.workspaces import Workspace
from simulator.model.workspaces.quorum import Quorum
from simulator.scenario import Scenario
from simulator.scenario.network import Partition


class TeamState:
    """Agents, board and counters of one replication.

    Parameters
    ----------
    scenario : Scenario
    graph : TaskGraph
        The tasks of this replication.
    streams : Streams
    trace : Trace or None
        Where events are written; None costs nothing.
    """

    def __init__(
        self, scenario: Scenario, graph: TaskGraph, streams: Streams, trace: Trace | None
    ) -> None:
        protocol, workspace = scenario.coordination.protocol, scenario.workspace
        assert isinstance(protocol, Protocol)
        assert isinstance(workspace, Workspace)
        self.streams = streams
        self.trace = trace
        self.now = 0.0
        self.round = 0
        self.calls_begun = 0
        self.woken: list[int] = []
        """Agents (or `SOMEONE`, `EVERYONE`) whom something concerns; the engine empties it."""
        self.resumed: list[AgentState] = []
        """Agents whose waiting call goes on; the engine empties it."""
        self.interrupted: dict[int, str] = {}
        """Agents whose call in flight is lost or stalls, and why; the engine empties it."""
        self.schedule: Callable[[float, Callable[[], None], Callable[[], bool]], None]
        """Set by the engine: does something at a later time (see `at`)."""
        self.stopped: tuple[str, str] | None = None
        """Outcome and reason, once something in the team has ended the run."""

        self.board = Board(graph)
        self.metrics = metrics = Metrics(tasks=len(graph))
        roster = Roster(scenario, graph, streams, metrics)
        self.agents, self.workers = roster.agents, roster.workers
        self.coordinators, self.verifiers = roster.coordinators, roster.verifiers
        self.phases = roster.phases
        self.setting = Setting(
            board=self.board,
            specs=[agent.spec for agent in self.workers],
            managers=roster.managers,
            streams=streams,
            metrics=metrics,
            now=lambda: self.now,
            at=self.at,
        )
        self.dispatcher = protocol.dispatcher(self.setting)
        for agent in self.agents:
            agent.board, agent.dispatcher = self.board, self.dispatcher
        self.provider = ProviderState(scenario.provider, scenario.faults, streams, self)
        self.workspace = workspace.state(self)
        self.reviews = Reviews(scenario.coordination.review, self)
        one_by_one = scenario.coordination.timing != "rounds"
        self.coordination = Coordination(self, one_by_one, roster.handed_in)
        self._delivered = roster.delivered
        self._begin_whole(workspace)
        self.spare = int((1.0 - scenario.resilience.enough) * len(graph) + 1e-9)
        """Tasks that need not be done."""
        self.stepwise = scenario.has_steps or workspace.takes_time
        """Whether a call is more than its service."""
        self.is_idempotent = workspace.idempotent
        self._may_have_other_calls = (
            self.dispatcher.has_duties or self.reviews.by_peers or self.minority_goes_on
        )
        self.commits = Commits(self, workspace)
        self.failures = Failures(self, scenario) if scenario.is_resilient else None
        self.commits.failures = self.failures
        self.call_steps = CallSteps(self)
        self._priced = scenario.is_priced
        self._has_more = self._priced or isinstance(workspace, Quorum) or roster.has_more
        if trace is not None:
            trace.add(Row(0.0, Event.RUN_START))

    def _begin_whole(self, workspace: Workspace) -> None:
        """Set the state of a team that has not been cut in two."""
        self.minority_goes_on = workspace.on_partition == "available"
        self.other_side: Side | None = None
        self.split_s = 0.0
        """When the last partition began."""
        self.owed_s: dict[int, float] = {}
        """Seconds of merging that agents owe after a partition."""

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing left to do."""
        return self.tasks_are_done and not (self.coordination.is_to_aggregate or self.owed_s)

    @property
    def tasks_are_done(self) -> bool:
        """Whether so many tasks are done that no more is asked of the workers."""
        left = self.board.left
        return left <= self.spare and (left > 0 or self.dispatcher.is_over())

    def at(
        self, time_s: float, action: Callable[[], None], matters: Callable[[], bool] = always
    ) -> None:
        """Do something at a later time.

        Parameters
        ----------
        time_s : float
            Simulated seconds.
        action : callable
        matters : callable
            Whether it can still change anything. A team in which nothing else can happen, and
            no timer matters, is stuck.
        """

        def act() -> None:
            action()
            self._note_woken()

        self.schedule(time_s, act, matters)

    def interrupt(self, agent: AgentState, why: str) -> None:
        """Let the call that the agent is in be lost, or with ``stall`` never come back."""
        self.interrupted.setdefault(agent.index, why)

    def take_apart(self) -> None:
        """Break the cycles of references in a team whose replication has ended."""
        for agent in self.agents:
            agent.manager = None
        if self.failures is not None:
            self.failures.faults.on_loss.clear()
        vars(self).clear()

    def stop(self, outcome: str, reason: str) -> None:
        """End the run."""
        self.stopped = self.stopped or (outcome, reason)

    def resume(self, agent: AgentState) -> None:
        """Let an agent that waits until it is resumed go on."""
        self.resumed.append(agent)

    def give_away(self, agent: AgentState) -> int:
        """Give a lost worker's tasks to the others; return how many."""
        other = self.other_side
        count = self.dispatcher.lost(agent.index)
        if other is not None:
            count += other.dispatcher.lost(agent.index)
        self.woken.append(EVERYONE)
        self._note_woken()
        return count

    def take_back(self, agent: AgentState) -> None:
        """Let a worker that is there again be given tasks."""
        if self.failures is None or self.failures.may_begin(agent):
            self.dispatcher.back(agent.index)
            if self.other_side is not None:
                self.other_side.dispatcher.back(agent.index)

    def adopt(self, dispatcher: Dispatcher) -> None:
        """Go on with another protocol, without coordinators."""
        self.dispatcher = dispatcher
        for agent in self.agents:
            agent.dispatcher = dispatcher
        self.coordination.is_to_aggregate = False
        freed = self.reviews.leave_out("coordinator", self.now)
        self.commits.adapt()
        self._may_have_other_calls = (
            dispatcher.has_duties or self.reviews.by_peers or self.minority_goes_on
        )
        self.woken += [dispatcher.task_ready(task) for task in freed]

    def is_of_use(self, agent: AgentState) -> bool:
        """Return whether the agent, which sleeps, could do a task that there is to do."""
        is_held_up = agent.awaits_answer or agent.side or agent.is_shut_out
        return not (agent.role or is_held_up) and (
            self.failures is None or self.failures.may_begin(agent)
        )

    def announce(self, tasks: list[int], now: float) -> None:
        """Put tasks that can start on the board."""
        task_ready, trace = self.dispatcher.task_ready, self.trace
        for task in tasks:
            if trace is not None:
                trace.add(Row(now, Event.TASK_READY, task=task))
            self.woken.append(task_ready(task))
        self._note_woken()

    def arrive(self, task: int, now: float) -> bool:
        """Let a task arrive; return whether it can start."""
        self.now = now
        startable = self.board.arrive(task, now)
        if startable:
            self.announce([task], now)
        other = self.other_side
        if other is not None and other.board.arrive(task, now):
            self.woken.append(other.dispatcher.task_ready(task))
        return startable

    def _note_woken(self) -> None:
        if self.dispatcher.woken:
            self.woken += self.dispatcher.woken
            self.dispatcher.woken.clear()
        if self.other_side is not None and self.other_side.dispatcher.woken:
            self.woken += self.other_side.dispatcher.woken
            self.other_side.dispatcher.woken.clear()

    def begin_call(self, agent: AgentState, now: float, must_call: bool) -> bool:
        """Let an agent read, decide and start to write.

        Parameters
        ----------
        agent : AgentState
            An agent that is not in a call.
        now : float
            Simulated seconds.
        must_call : bool
            Whether a worker makes its call even if it finds no task.

        Returns
        -------
        bool
            Whether a call has begun; its service lasts ``agent.duration_s`` seconds.
        """
        self.now = now
        if agent.is_shut_out or (self.failures is not None and not self.failures.may_begin(agent)):
            return False
        if agent.role != WORKER:
            staff = self.coordination if agent.role == COORDINATOR else self.reviews
            return staff.begin(agent, now)
        if agent.awaits_answer or (agent.side and not self.minority_goes_on):
            return False
        if self._may_have_other_calls and self._begin_other_call(agent, now):
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
            work = self.board.graph.sizes[picks[0]]
        else:
            work = self._work(agent, picks)
        if agent.capacity and work > agent.capacity:
            picks, work = self._cut_off(agent, picks)
        agent.picks = picks
        p = agent.talk if picks else agent.chatter
        self.serve(agent, now, work, p > 0.0 and (p >= 1.0 or agent.rolls_talk() < p))
        return True

    def _work(self, agent: AgentState, picks: list[int]) -> float:
        """Return the work units of several tasks, or of tasks tried before."""
        sizes = self.board.graph.sizes
        if agent.tried:
            return fsum([sizes[task] * agent.effort(task) for task in picks])
        return fsum([sizes[task] for task in picks])

    def _without_work(self, agent: AgentState, must_call: bool) -> list[int] | None:
        """Return what an agent does that finds no task: a backup, an idle call, or (None) none."""
        if self.failures is not None:
            picks = self.failures.backups_for(agent)
            if picks:
                return picks
            must_call = must_call and not self.failures.skips("idle_calls")
        return [] if must_call else None

    def _cut_off(self, agent: AgentState, picks: list[int]) -> tuple[list[int], float]:
        """Return the first picks that fit into one reply, at least one, and their work."""
        sizes, work = self.board.graph.sizes, 0.0
        for i, task in enumerate(picks):
            more = sizes[task] * agent.effort(task)
            if i and work + more > agent.capacity:
                for other in picks[i:]:
                    agent.dispatcher.returned(agent.index, other)
                agent.is_cut = True
                return picks[:i], work
            work += more
        return picks, work

    def _begin_other_call(self, agent: AgentState, now: float) -> bool:
        """Let a worker begin a call that attempts no tasks, if it owes one."""
        if agent.index in self.owed_s:
            agent.leads = MERGE
            self.serve(agent, now, 1.0, False)
            agent.duration_s = self.owed_s[agent.index]
            return True
        units = agent.dispatcher.duty(agent.index)
        if units is not None:
            agent.leads = DUTY
            self.serve(agent, now, units, agent.talk >= 1.0)
            return True
        return self.reviews.by_peers and self.reviews.begin(agent, now)

    def serve(self, agent: AgentState, now: float, work: float, speaks: bool) -> None:
        """Start the call of an agent that has decided what to do in it."""
        agent.work = work
        if speaks and self.failures is not None:
            speaks = not self.failures.skips("messages")
        if self.dispatcher.sets_context and agent.role == WORKER:
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
        if agent.overflows and agent.is_too_long:
            self._ask_for_a_larger_window(agent)
        agent.in_call = True
        agent.started_s = agent.read_s = now
        agent.waited_s += now - agent.free_since
        self.calls_begun += 1
        agent.call = self.calls_begun
        if self.trace is not None:
            self.trace.add(Row(now, Event.CALL_START, agent.index, self.round, agent.call))
        if self.failures is not None:
            self.failures.call_begins(agent)

    def _ask_for_a_larger_window(self, agent: AgentState) -> None:
        """Refuse a call whose prompt is too long, unless another model can take it."""
        if self.failures is None or not self.failures.requests.other_can_read(agent):
            agent.failed, agent.lost_to, agent.duration_s = True, PROMPT_TOO_LONG, 0.0

    def steps(self, agent: AgentState) -> Generator[float | None, None, None]:
        """Yield the seconds until the agent's call goes on, None until it is resumed."""
        return self.call_steps.of(agent)

    def enter(self, agent: AgentState, phase: int) -> None:
        """End the agent's phase, book its time, and begin `phase`."""
        self.call_steps.enter(agent, phase)

    def in_service(self, agent: AgentState, seconds: float) -> Iterator[float | None]:
        """Be in service for so many seconds, longer where requests fail."""
        return self.call_steps.in_service(agent, seconds)

    def wait(self, agent: AgentState, why: str, seconds: float | None) -> Iterator[float | None]:
        """Wait so many seconds, or until resumed, and book it under `why`."""
        return self.call_steps.wait(agent, why, seconds)

    def end_call(self, agent: AgentState, now: float) -> None:
        """Commit the call of `agent` against the board as it is now; talk; drift."""
        self.now = now
        agent.in_call = False
        agent.free_since = now
        agent.busy_s += agent.duration_s
        metrics = self.metrics
        metrics.calls += 1
        freed: list[int] = []
        if agent.byzantine == "silent":
            self._fall_silent(agent)
        if agent.failed:
            outcome = self._give_up(agent, now, freed)
        else:
            metrics.input_tokens += agent.uncached + agent.cached
            metrics.cached_tokens += agent.cached
            metrics.output_tokens += agent.output
            if agent.picks:
                freed = self.commits.commit(agent, now)
                agent.picks = []
                outcome = "work"
            else:
                outcome = self._end_without_attempts(agent, now, freed)
            if agent.message_tokens >= 0 and agent.notes is None:
                self.send(agent, agent.outbox, agent.message_tokens, now)
            if self._has_more:
                self._do_more(agent)
            agent.remember()
        if self.stepwise:
            self._end_steps(agent)
        if self.trace is not None:
            self.trace_call_end(agent, now, outcome)
        if freed:
            self._announce_on_side_of(agent, freed, now)
        if self.coordination.is_to_aggregate and self.tasks_are_done:
            self.woken.append(self.coordinators[0].index)
        if agent.dispatcher.woken:
            self._note_woken()

    def _end_steps(self, agent: AgentState) -> None:
        """Tell workspace and patterns that a call is over."""
        self.workspace.call_ended(agent)
        if self.failures is not None:
            self.failures.call_ended(agent)

    def _end_without_attempts(self, agent: AgentState, now: float, freed: list[int]) -> str:
        if agent.role or agent.leads or agent.reviews:
            return self._end_coordination(agent, now, freed)
        self.metrics.idle_calls += 1
        self.metrics.wasted_s += agent.duration_s
        return "idle"

    def _do_more(self, agent: AgentState) -> None:
        """Do at the end of a call what only some scenarios ask for."""
        if agent.message_tokens >= 0 and agent.notes is not None:
            agent.notes.write(agent.index, agent.message_tokens)
            if self.metrics.too_long_prompts:
                self.let_in(self.agents)
        if agent.manager is not None:
            self.coordination.report(agent)
        if self._priced:
            price = agent.server.price
            self.metrics.cost_usd += price.usd(agent.uncached, agent.cached, agent.output)
        if agent.drifts:
            agent.wander()
        if agent.outdated:
            agent.outdated.clear()

    def _announce_on_side_of(self, agent: AgentState, tasks: list[int], now: float) -> None:
        """Put tasks on the board of the agent's side."""
        if agent.dispatcher is self.dispatcher:
            self.announce(tasks, now)
        else:
            self.woken += [agent.dispatcher.task_ready(task) for task in tasks]

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
        self.metrics.failed_calls += 1
        self.metrics.wasted_s += agent.duration_s
        if agent.paid_share is not None:
            agent.is_read = True
            self.pay_in_vain(agent, agent.paid_share)
        agent.come_to_nothing()
        hopeless = [] if self.failures is None else self.failures.hopeless(agent)
        if hopeless:
            freed += self.commits.leave_as_it_is(agent, hopeless, now)
        if not (agent.is_astray or agent.is_backup or agent.lost_to == "backup"):
            for task in agent.picks:
                if not agent.board.done[task]:
                    agent.dispatcher.returned(agent.index, task)
        agent.picks = []
        agent.rejected.clear()
        agent.is_cut = False
        self.reviews.returned(agent)
        agent.reports.extendleft(reversed(agent.answering))
        agent.answering = []
        agent.leads = NOT_LEADING
        if outcome == PROMPT_TOO_LONG:
            self._shut_out(agent)
        return outcome

    def _shut_out(self, agent: AgentState) -> None:
        """Let an agent wait whose prompt is too long, and others do what it had to do."""
        self.metrics.too_long_prompts += 1
        agent.is_shut_out = True
        if agent.role == WORKER:
            self.give_away(agent)
        if self.failures is None:
            agent.lost_to = ""

    def let_in(self, agents: Iterable[AgentState]) -> None:
        """Let those try again whose prompt was too long and may have become shorter."""
        for agent in agents:
            if agent.is_shut_out:
                agent.is_shut_out = False
                if agent.role == WORKER:
                    self.take_back(agent)
                self.woken.append(agent.index)

    def pay_in_vain(self, agent: AgentState, written: float) -> None:
        """Pay for what a call has read, and the share that it has written, in vain."""
        metrics, output = self.metrics, int(agent.output * written)
        metrics.input_tokens += agent.prompt_tokens
        metrics.cached_tokens += agent.cached
        metrics.output_tokens += output
        metrics.wasted_tokens += agent.prompt_tokens + output
        usd = agent.server.price.usd(agent.uncached, agent.cached, output)
        metrics.cost_usd += usd
        metrics.wasted_usd += usd

    def _end_coordination(self, agent: AgentState, now: float, freed: list[int]) -> str:
        metrics = self.metrics
        metrics.coordination_s += agent.duration_s
        if agent.reviews:
            freed += self.reviews.end(agent, now)
        if agent.role == COORDINATOR or agent.leads:
            metrics.coordination_calls += 1
            if agent.role == COORDINATOR:
                self.coordination.answer(agent)
            elif agent.leads == MERGE:
                del self.owed_s[agent.index]
            else:
                agent.dispatcher.duty_done(agent.index)
            agent.leads = NOT_LEADING
            return "coordination"
        metrics.review_calls += 1
        return "review"

    def send(self, agent: AgentState, outbox: Sequence[Outlet], tokens: int, now: float) -> None:
        """Send one message and count it and its deliveries."""
        metrics = self.metrics
        receivers = 0
        for outlet in outbox:
            receivers += outlet.send(tokens, now)
        metrics.messages += 1
        metrics.deliveries += receivers
        metrics.message_tokens += tokens
        if self._delivered:
            self._trace_deliveries(now)
        if self.trace is not None:
            where = (agent.index, self.round, agent.call)
            self.trace.add(Row(now, Event.MESSAGE, *where, peer=receivers, output_tokens=tokens))

    def _trace_deliveries(self, now: float) -> None:
        if self.trace is not None:
            for sender, receiver in self._delivered:
                row = Row(now, Event.DELIVERY, receiver, self.round, peer=sender)
                self.trace.add(row)
        self._delivered.clear()

    def split(self, partition: Partition) -> None:
        """Cut the team in two."""
        split(self, partition)
        self._note_woken()

    def heal(self) -> None:
        """Join the two sides again."""
        heal(self)
        self._note_woken()

    def retract_round(self) -> None:
        """Take back the round just announced, in which nobody had anything to do."""
        self.round -= 1
        if self.trace is not None:
            self.trace.rows.pop()

    def trace_call_end(self, agent: AgentState, now: float, outcome: str) -> None:
        """Write that a call has ended, where there is a trace."""
        assert self.trace is not None
        # What requests that failed have read and written is in rows of their own.
        share: float | None = 1.0
        if outcome == "cut_off" or outcome in FAILED:
            share = agent.paid_share
        is_read = share is not None
        self.trace.add(
            Row(
                now,
                Event.CALL_END,
                agent.index,
                self.round,
                agent.call,
                duration_s=agent.duration_s,
                input_tokens=agent.prompt_tokens * is_read,
                cached_tokens=agent.cached * is_read,
                output_tokens=int(agent.output * (share or 0.0)),
                outcome=outcome,
            )
        )
