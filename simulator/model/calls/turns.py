"""Calls that are loops: one turn after another, each served as a call is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.agents.loop import Kept, Loop
from simulator.model.calls.bill import Bill
from simulator.model.calls.checkpoints import Attempt, attempts_at
from simulator.model.calls.phases import Phases, Step
from simulator.model.calls.runs import CUT_OFF
from simulator.model.calls.service import CallLostError, Service
from simulator.model.calls.tools import Tools
from simulator.model.journal import Journal
from simulator.model.trace import Event
from simulator.model.why import Why


class Turns(Service):
    """Serves calls turn by turn; the last turn is settled as any call is, when the call ends.

    Parameters
    ----------
    inner : Service
        Serves a turn.
    agenda : Agenda
    journal : Journal
    bill : Bill
    tools : Tools
    phases : Phases
    goes_on : callable or None
        Told, whenever a turn begins or ends, for which member of the team it works.
    has_checkpoints : bool
        Whether a crash leaves the turns of a loop that have ended.
    keeps_rounds : bool
        Whether agents of the team wait for each other after every turn.
    """

    __slots__ = (
        "_agenda",
        "_bill",
        "_has_checkpoints",
        "_inner",
        "_is_traced",
        "_journal",
        "_keeps_rounds",
        "_kept",
        "_metrics",
        "_note_progress",
        "_phases",
        "tools",
    )

    def __init__(
        self,
        inner: Service,
        agenda: Agenda,
        journal: Journal,
        bill: Bill,
        tools: Tools,
        phases: Phases,
        goes_on: Callable[[int], None] | None,
        has_checkpoints: bool = False,
        keeps_rounds: bool = False,
    ) -> None:
        self._has_checkpoints = has_checkpoints
        self._keeps_rounds = keeps_rounds
        self._phases = phases
        self._kept: dict[Attempt, Kept] = {}  # what a crash has left of each task's loop
        self._inner = inner
        self.tools = tools
        self._note_progress = goes_on
        self._agenda = agenda
        self._journal = journal
        self._is_traced = journal.trace is not None
        self._metrics = journal.metrics
        self._bill = bill

    def begin(self, agent: AgentState) -> None:
        """Note that a call begins."""
        self._inner.begin(agent)

    def serve(self, agent: AgentState, seconds: float) -> Iterator[Step]:
        """Serve the first turn, or a part of it; after its last part, the rest of the loop."""
        loop, whole_s = agent.loop, agent.time.duration_s
        yield from self._inner.serve(agent, seconds)
        if loop is not None and loop.serve(seconds / whole_s if whole_s > 0.0 else 1.0):
            yield from self._go_on(agent, loop)

    def _go_on(self, agent: AgentState, loop: Loop) -> Iterator[Step]:
        """Take the turns after the first."""
        own = self.tools.of(agent)
        while not loop.is_last:
            self._settle(agent, loop)
            if self._agenda.check_limits():
                yield None
            if loop.has_tools:
                calls = loop.toolkit.calls()
                if calls:
                    yield from self.tools.call(own, calls)
                if own.tokens or own.has_failed:
                    tokens, has_failed = own.take()
                    agent.memory.take_in(tokens)
                    if has_failed:
                        loop.take_one_more()
            if self._has_checkpoints:
                loop.complete_turn()
                loop.save(agent.memory.saved())
            if self._keeps_rounds and agent.is_of_team:
                self._agenda.end_turn(agent.index, agent.time.earlier_s)
                yield from self._phases.wait(agent, "barrier", None)
            self._begin_turn(agent, loop)
            yield from self._inner.serve(agent, agent.time.duration_s)
        if loop.has_tools:
            self.tools.cancel(agent)
        for attempt in attempts_at(agent.call.picks, agent) if self._kept else ():
            self._kept.pop(attempt, None)
        if loop.is_at_limit:
            self._metrics.loops_at_limit += 1
            if loop.gives_up and (agent.call.picks or not agent.is_of_team):
                self._settle(agent, loop)
                self._lose(agent, Why.TURN_LIMIT)

    def _settle(self, agent: AgentState, loop: Loop) -> None:
        """Settle a turn that is not the last."""
        memory, call, time = agent.memory, agent.call, agent.time
        self._bill.call(agent)
        if self._is_traced:
            self._note(agent)
        if agent.kind.drifts:
            agent.wander()
        memory.remember(call.output, goes_on=True)
        self._inner.over(agent)
        time.end_turn()
        loop.end_turn()
        if self._note_progress is not None:
            self._note_progress(agent.member)

    def _note(self, agent: AgentState) -> None:
        """Write that a turn has ended after which the loop goes on."""
        self._journal.note(
            Event.TURN,
            agent.index,
            agent.call.number,
            duration_s=agent.time.served_s,
            input_tokens=agent.memory.prompt_tokens,
            cached_tokens=agent.memory.cached,
            output_tokens=agent.call.output,
        )

    def _begin_turn(self, agent: AgentState, loop: Loop) -> None:
        """Read what is new, and begin to write."""
        memory = agent.memory
        self._agenda.count_turn()
        if self._note_progress is not None:
            self._note_progress(agent.member)
        if loop.hears:
            memory.read(self._agenda.now, None)
        else:
            memory.inbox.shut()
            memory.read(self._agenda.now, None)
            memory.inbox.open()
        loop.next_turn(memory.unread_tokens)
        if agent.judgement.depends_on_context:
            agent.settle_errors()
        speaks = loop.speaks and loop.is_last
        output, message, duration_s = agent.compose(loop.work, speaks, loop.unread_tokens)
        agent.call.go_on(output, message)
        agent.time.begin_turn(duration_s)
        self._inner.begin(agent)
        if memory.overflows and memory.is_too_long() and not self._inner.other_can_read(agent):
            self._lose(agent, Why.PROMPT_TOO_LONG)

    @staticmethod
    def _lose(agent: AgentState, why: Why) -> None:
        agent.call.fail(why)
        raise CallLostError(why)

    def lost(self, agent: AgentState, why: Why) -> None:
        """Say what is paid of the turn in flight, if any is; those before it are paid."""
        self.tools.cancel(agent)
        if self._has_checkpoints and agent.loop is not None and agent.call.picks:
            self._break_off(agent, agent.loop, why is Why.CRASH)
        self._inner.lost(agent, why)
        self._pay_nothing_between(agent)

    def _break_off(self, agent: AgentState, loop: Loop, has_crashed: bool) -> None:
        """Keep what a checkpoint has of a loop that is lost."""
        if has_crashed:
            kept = loop.kept(agent.index, agent.memory.is_read)
            self._kept.update(dict.fromkeys(attempts_at(agent.call.picks, agent), kept))
            agent.memory.put_away(loop.has_saved_news)
        elif loop.is_resumed:  # the checkpoint of the crash is where it will go on again
            agent.memory.put_away(False)

    def cut_off(self, agent: AgentState) -> None:
        """Say what is paid of the turn that ends with the run, if any is in service."""
        self.tools.cancel(agent, CUT_OFF)
        self._inner.cut_off(agent)
        self._pay_nothing_between(agent)

    @staticmethod
    def _pay_nothing_between(agent: AgentState) -> None:
        if not agent.is_calling:
            agent.call.pay(None)

    def waits(self) -> list[str]:
        """Say what waits for a station."""
        return self.tools.waits()

    def resume(self, agent: AgentState, tasks: Sequence[int]) -> Kept | None:
        """Let an agent go on with a loop of which a crash has left something, of all its tasks."""
        attempts = attempts_at(tasks, agent) if self._kept else []
        if not attempts or not all(attempt in self._kept for attempt in attempts):
            return None
        kept = min(self._kept[attempt] for attempt in attempts)
        said = agent.memory.resume(kept.said, is_own=kept.agent == agent.index)
        return kept._replace(said=said, agent=agent.index)

    def join(self, agent: AgentState) -> None:
        """Serve one more agent from now on."""
        self._inner.join(agent)

    def leave(self, agent: AgentState) -> None:
        """Serve an agent no more."""
        self.tools.leave(agent)
        self._inner.leave(agent)

    def over(self, agent: AgentState) -> None:
        """Let the agent's own model answer what it asks next."""
        self._inner.over(agent)

    def other_can_read(self, agent: AgentState) -> bool:
        """Return whether another model has a window for the call's prompt."""
        return self._inner.other_can_read(agent)
