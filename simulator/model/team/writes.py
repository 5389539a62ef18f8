"""What attempts write, and whose writes are lost because of it."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.board import CONFLICT, FIRST, NOBODY
from simulator.model.journal import Journal
from simulator.model.streams import Entity, Purpose, Streams
from simulator.model.team.settlement import WAS, Settlement
from simulator.model.team.sides import Sides
from simulator.model.trace import Event


class Writes:
    """Writes artifacts.

    Parameters
    ----------
    agents : sequence of AgentState
    streams : Streams
    agenda : Agenda
    journal : Journal
    sides : Sides
    settlement : Settlement
    loss : float
        Probability that a write which nobody has read before is lost under another.
    """

    __slots__ = (
        "_agenda",
        "_agents",
        "_is_traced",
        "_journal",
        "_loss",
        "_metrics",
        "_rolls_loss",
        "_settlement",
        "_sides",
    )

    def __init__(
        self,
        agents: Sequence[AgentState],
        streams: Streams,
        agenda: Agenda,
        journal: Journal,
        sides: Sides,
        settlement: Settlement,
        loss: float,
    ) -> None:
        self._agents = agents
        self._agenda = agenda
        self._journal = journal
        self._is_traced = journal.trace is not None
        self._metrics = journal.metrics
        self._sides = sides
        self._settlement = settlement
        self._loss = loss
        self._rolls_loss = streams.uniforms(Entity.RUN, 0, Purpose.WORKSPACE)

    def write(self, agent: AgentState, task: int, now: float, is_blocked: bool) -> None:
        """Write what an attempt at a task has made, unless that is an earlier draft."""
        drafts = agent.habits.drafts
        if drafts is not None and not drafts.writes(task, is_blocked):
            return
        board = agent.board
        artifacts = board.artifacts
        if not self._is_traced and artifacts is None:  # one artifact a task, and no trace
            outcome = board.write(task, agent.index, task, agent.time.read_s, now)
            if outcome != FIRST:
                self._metrics.rewrites += 1
                self._metrics.concurrent_writes += outcome == CONFLICT
            return
        for artifact in (task,) if artifacts is None else artifacts[task]:
            other = board.writer(artifact) if self._is_traced else NOBODY
            if self._loss:
                self._overwrite(agent, task, artifact)
            outcome = board.write(artifact, agent.index, task, agent.time.read_s, now)
            if outcome != FIRST:
                self._metrics.rewrites += 1
                self._metrics.concurrent_writes += outcome == CONFLICT
            if self._is_traced:
                where = (agent.index, agent.call.number, None, artifact)
                said = "first" if outcome == FIRST else "rewrite"
                self._journal.note(Event.WRITE, *where, outcome=said)
                if outcome == CONFLICT:
                    self._journal.note(Event.CONFLICT, *where, peer=other)

    def _overwrite(self, agent: AgentState, task: int, artifact: int) -> None:
        """Lose what the write overwrites unseen; the task is redone if its tests find the loss."""
        board, metrics = agent.board, self._metrics
        lost = board.overwritten(artifact, agent.index, agent.time.read_s)
        if lost in (NOBODY, task) or not board.done[lost]:
            return
        if self._rolls_loss() >= self._loss:
            return
        metrics.lost_updates += 1
        loser = self._agents[board.doer[lost]]
        fault = board.faulty[lost]
        outcome = "faulty"
        if loser.judgement.finds_fault():
            outcome = "redo"
            were_done = self._sides.tasks_are_done
            self._settlement.uncount(fault)
            board.undo(lost)
            self._agenda.wake(agent.dispatcher.reopen(lost))
            if were_done:  # nobody was asked any more
                self._sides.wake_everyone()
        elif not fault:
            self._settlement.spoil(board, lost)
        if self._is_traced:
            where = (agent.index, agent.call.number, lost, artifact)
            self._journal.note(Event.LOST, *where, outcome=outcome + WAS[fault])
