"""One replication of a scenario: the cycle of an LLM call, apart from the clock.

An engine calls `TeamState.begin_call` and, when the agent's ``duration_s`` has passed,
`TeamState.end_call`. It tells the time; everything else happens here.
"""

from __future__ import annotations

from simulator.model.agent import AgentState
from simulator.model.board import CONFLICT, FIRST, NOBODY, Board
from simulator.model.messages import connect
from simulator.model.metrics import Metrics
from simulator.model.protocols import Protocol
from simulator.model.streams import Draw, Entity, Purpose, Streams
from simulator.model.tasks import TaskGraph
from simulator.model.topologies import Topology
from simulator.model.trace import Event, Row, Trace
from simulator.scenario import Scenario
from simulator.scenario.agent import Price


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
        team, topology = scenario.team, scenario.topology
        protocol = scenario.coordination.protocol
        assert isinstance(topology, Topology)
        assert isinstance(protocol, Protocol)
        workers = team.size
        size = workers + topology.has_coordinator
        ends = connect(topology.channels(workers), size)
        self.agents = [
            AgentState(
                (team.coordinator or team.agent) if i == workers else team.agent,
                i,
                i == workers,
                len(graph),
                streams,
                outbox,
                inbox,
            )
            for i, (outbox, inbox) in enumerate(ends)
        ]
        self.workers = self.agents[:workers]
        self.coordinator = self.agents[workers] if topology.has_coordinator else None
        self.board = Board(graph)

        def uniforms(agent: int, purpose: Purpose) -> Draw:
            return streams.uniforms(Entity.AGENT, agent, purpose)

        behaviour = team.agent.behaviour
        self.dispatcher = protocol.dispatcher(self.board, workers, behaviour, uniforms)
        self.metrics = Metrics(agents=size, tasks=len(graph))
        self.trace = trace
        self.round = 0
        self.calls_begun = 0
        self._faults_exist = False
        self._wait_sum_s = 0.0
        specs = [team.agent, *([team.coordinator] if team.coordinator else [])]
        self._priced = any(spec.price != Price() for spec in specs)
        if trace is not None:
            trace.add(Row(0.0, Event.RUN_START))

    def task_ready(self, task: int, now: float) -> int:
        """Tell the protocol that `task` can start; return whom it concerns."""
        if self.trace is not None:
            self.trace.add(Row(now, Event.TASK_READY, task=task))
        return self.dispatcher.task_ready(task)

    def begin_call(self, agent: AgentState, now: float, must_call: bool) -> bool:
        """Let a worker read, decide and start to write.

        Parameters
        ----------
        agent : AgentState
            A worker that is not in a call.
        now : float
            Simulated seconds.
        must_call : bool
            Whether it makes its call even if it finds no task.

        Returns
        -------
        bool
            Whether a call has begun; it lasts ``agent.duration_s`` seconds.
        """
        picks: list[int] | None = None
        if not agent.idle_p or agent.rolls_idle() >= agent.idle_p:
            picks = self.dispatcher.choose(agent.index, agent.take_count())
        if picks is None:
            picks = []
        elif not picks and not must_call:
            return False
        sizes = self.board.graph.sizes
        if len(picks) == 1:
            work = sizes[picks[0]]
        else:
            work = sum([sizes[task] for task in picks]) if picks else 0.0
        agent.picks = picks
        p = agent.talk if picks else agent.chatter
        self._serve(agent, now, work, p > 0.0 and (p >= 1.0 or agent.rolls_talk() < p))
        return True

    def begin_coordination(self, agent: AgentState, now: float, reports: int) -> None:
        """Let the coordinator start a call that answers `reports` reports.

        For its latency a report counts as a work unit.
        """
        self._serve(agent, now, float(reports), True)

    def _serve(self, agent: AgentState, now: float, work: float, speaks: bool) -> None:
        agent.work = work
        agent.read()
        output = int(agent.output_draw() + agent.output_per_work_unit * work)
        if speaks:
            tokens = int(agent.message_draw())
            agent.message_tokens = tokens
            output += tokens
        else:
            agent.message_tokens = -1
        agent.output = output
        agent.duration_s = agent.latency(work, agent.uncached, agent.cached, output)
        agent.in_call = True
        agent.started_s = now
        agent.waited_s += now - agent.free_since
        self.calls_begun += 1
        agent.call = self.calls_begun
        if self.trace is not None:
            self.trace.add(Row(now, Event.CALL_START, agent.index, self.round, agent.call))

    def end_call(self, agent: AgentState, now: float) -> list[int]:
        """Commit the call of `agent` against the board as it is now; talk; drift.

        Returns
        -------
        list of int
            Tasks that can start because of it; the engine passes them to `task_ready`.
        """
        metrics = self.metrics
        agent.in_call = False
        agent.free_since = now
        agent.busy_s += agent.duration_s
        metrics.calls += 1
        metrics.input_tokens += agent.uncached + agent.cached
        metrics.cached_tokens += agent.cached
        metrics.output_tokens += agent.output
        if self._priced:
            metrics.cost_usd += _cost_usd(agent)
        freed: list[int] = []
        if agent.picks:
            freed = self._commit(agent, now)
            outcome = "work"
        elif agent.is_coordinator:
            metrics.coordination_calls += 1
            metrics.coordination_s += agent.duration_s
            outcome = "coordination"
        else:
            metrics.idle_calls += 1
            metrics.wasted_s += agent.duration_s
            outcome = "idle"
        if agent.message_tokens >= 0:
            self._talk(agent, now)
        agent.remember()
        if agent.drifts:
            agent.wander()
        if self.trace is not None:
            self._trace_call_end(agent, now, outcome)
        return freed

    def _commit(self, agent: AgentState, now: float) -> list[int]:
        board, picks, sizes = self.board, agent.picks, self.board.graph.sizes
        self.metrics.attempts += len(picks)
        share_s = agent.duration_s / agent.work
        # Claims are made before the call's own results are on the board.
        blocked = [task for task in picks if board.missing[task] and not board.done[task]]
        freed: list[int] = []
        if not blocked:
            for task in picks:
                self._try(agent, task, share_s * sizes[task], now, freed)
            return freed
        self._note_blocked(agent, blocked, now)
        works_ahead = self.dispatcher.works_ahead
        tried = set()
        for task in picks:
            seconds = share_s * sizes[task]
            if board.missing[task] or (task in blocked and not works_ahead):
                self.dispatcher.pick_abandoned(agent.index, task)
                self._waste(agent, task, seconds, now, "blocked")
            else:
                self._try(agent, task, seconds, now, freed)
                tried.add(task)
        # What the call freed and tried itself concerns nobody any more.
        if self.trace is not None:
            for task in tried.intersection(freed):
                self.trace.add(Row(now, Event.TASK_READY, task=task))
        return [task for task in freed if task not in tried]

    def _try(
        self, agent: AgentState, task: int, seconds: float, now: float, freed: list[int]
    ) -> None:
        """Attempt a task whose dependencies are done, unless somebody else has it."""
        if not self.board.done[task] and self.dispatcher.may_attempt(agent.index, task):
            self._attempt(agent, task, seconds, now, freed)
        else:
            self.metrics.duplicate_attempts += 1
            self._waste(agent, task, seconds, now, "duplicate")

    def _waste(
        self, agent: AgentState, task: int, seconds: float, now: float, outcome: str
    ) -> None:
        self.metrics.wasted_s += seconds
        self._write(agent, task, now)
        if self.trace is not None:
            self._trace_attempt(agent, task, seconds, now, outcome)

    def _note_blocked(self, agent: AgentState, blocked: list[int], now: float) -> None:
        self.metrics.blocked_claims += len(blocked)
        if self.trace is not None:
            for task in blocked:
                row = Row(now, Event.CLAIM_BLOCKED, agent.index, self.round, agent.call, task)
                self.trace.add(row)

    def _attempt(
        self, agent: AgentState, task: int, seconds: float, now: float, freed: list[int]
    ) -> None:
        board, metrics = self.board, self.metrics
        if board.failures[task]:
            metrics.rework_s += seconds
        else:
            metrics.work_s += seconds
        self._write(agent, task, now)
        faulty = agent.err_p > 0.0 and agent.rolls_error() < agent.err_p
        if faulty and agent.rolls_detection() < agent.spec.errors.detection:
            board.failures[task] += 1
            metrics.failed_tests += 1
            self.dispatcher.attempt_ended(agent.index, task, False)
            outcome = "failed_test"
        else:
            if not faulty and self._faults_exist:
                faulty = self._inherits_fault(agent, task)
            if faulty:
                board.faulty[task] = 1
                self._faults_exist = True
            self.dispatcher.attempt_ended(agent.index, task, True)
            freed += board.complete(task, now)
            metrics.tasks_done += 1
            metrics.tasks_correct += not faulty
            waited_s = agent.started_s - board.ready_s[task]
            if waited_s > 0.0:  # below 0 where a call worked ahead
                self._wait_sum_s += waited_s
            outcome = "faulty" if faulty else "done"
        if self.trace is not None:
            self._trace_attempt(agent, task, seconds, now, outcome)

    def _inherits_fault(self, agent: AgentState, task: int) -> bool:
        board, p = self.board, agent.spec.errors.propagation
        return any(
            board.faulty[needed] and agent.rolls_propagation() < p
            for needed in board.graph.dependencies[task]
        )

    def _write(self, agent: AgentState, task: int, now: float) -> None:
        board = self.board
        artifacts = board.graph.artifacts
        for artifact in (task,) if artifacts is None else artifacts[task]:
            other = board.writer(artifact) if self.trace is not None else NOBODY
            outcome = board.write(artifact, agent.index, agent.started_s, now)
            if outcome != FIRST:
                self.metrics.rewrites += 1
                self.metrics.concurrent_writes += outcome == CONFLICT
            if self.trace is not None:
                where = (agent.index, self.round, agent.call, None, artifact)
                said = "first" if outcome == FIRST else "rewrite"
                self.trace.add(Row(now, Event.WRITE, *where, outcome=said))
                if outcome == CONFLICT:
                    self.trace.add(Row(now, Event.CONFLICT, *where, peer=other))

    def _talk(self, agent: AgentState, now: float) -> None:
        metrics, tokens = self.metrics, agent.message_tokens
        receivers = 0
        for post in agent.outbox:
            post.send(tokens)
            receivers += post.receivers
        metrics.messages += 1
        metrics.deliveries += receivers
        metrics.message_tokens += tokens
        if self.trace is not None:
            where = (agent.index, self.round, agent.call)
            self.trace.add(Row(now, Event.MESSAGE, *where, peer=receivers, output_tokens=tokens))

    def retract_round(self) -> None:
        """Take back the round just announced, in which nobody had anything to do."""
        self.round -= 1
        if self.trace is not None:
            self.trace.rows.pop()

    def finish(self, now: float, outcome: str) -> Metrics:
        """End the replication at `now` and return its row; calls in flight are cut off."""
        metrics = self.metrics
        for agent in self.agents:
            if agent.in_call:
                agent.duration_s = now - agent.started_s
                agent.busy_s += agent.duration_s
                metrics.wasted_s += agent.duration_s
                if self.trace is not None:
                    self._trace_call_end(agent, now, "cut_off")
            else:
                agent.waited_s += now - agent.free_since
        n = len(self.agents)
        metrics.makespan_s = now
        metrics.outcome = outcome
        metrics.success = outcome == "completed"
        metrics.rounds = self.round
        metrics.quality = metrics.tasks_correct / metrics.tasks
        metrics.task_wait_s = self._wait_sum_s / max(1, metrics.tasks_done)
        metrics.waiting_s = sum(agent.waited_s for agent in self.agents)
        busy_s = sum(agent.busy_s for agent in self.agents)
        metrics.utilisation = busy_s / (n * now) if now > 0.0 else 0.0
        if self.trace is not None:
            self.trace.add(Row(now, Event.RUN_END, duration_s=now, outcome=outcome))
        return metrics

    def _trace_call_end(self, agent: AgentState, now: float, outcome: str) -> None:
        assert self.trace is not None
        self.trace.add(
            Row(
                now,
                Event.CALL_END,
                agent.index,
                self.round,
                agent.call,
                duration_s=agent.duration_s,
                input_tokens=agent.uncached + agent.cached,
                cached_tokens=agent.cached,
                output_tokens=agent.output,
                outcome=outcome,
            )
        )

    def _trace_attempt(
        self, agent: AgentState, task: int, seconds: float, now: float, outcome: str
    ) -> None:
        assert self.trace is not None
        where = (agent.index, self.round, agent.call, task)
        self.trace.add(Row(now, Event.ATTEMPT, *where, duration_s=seconds, outcome=outcome))


def _cost_usd(agent: AgentState) -> float:
    price = agent.spec.price
    return (
        agent.uncached * price.input_per_mtok
        + agent.cached * price.cached_input_per_mtok
        + agent.output * price.output_per_mtok
    ) / 1e6
