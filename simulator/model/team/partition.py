"""Partitions: the minority works on a copy of the board, which is merged afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.journal import Journal
from simulator.model.protocols import EVERYONE
from simulator.model.team.coordination import Coordination
from simulator.model.team.patterns import Patterns
from simulator.model.team.settlement import WAS, Settlement
from simulator.model.team.sides import Side, Sides
from simulator.model.timers import always, never
from simulator.model.trace import Event
from simulator.model.workspaces._workspace import WorkspaceState
from simulator.scenario.network import Partition


class Partitions:
    """Cuts the team in two, and joins the two sides again.

    Parameters
    ----------
    workers, verifiers : list of AgentState
    agenda : Agenda
    journal : Journal
    sides : Sides
    coordination : Coordination
    settlement : Settlement
    workspace : WorkspaceState
    patterns : Patterns
    """

    __slots__ = (
        "_agenda",
        "_coordination",
        "_is_idempotent",
        "_journal",
        "_patterns",
        "_settlement",
        "_sides",
        "_verifiers",
        "_workers",
        "_workspace",
    )

    def __init__(
        self,
        workers: list[AgentState],
        verifiers: list[AgentState],
        agenda: Agenda,
        journal: Journal,
        sides: Sides,
        coordination: Coordination,
        settlement: Settlement,
        workspace: WorkspaceState,
        patterns: Patterns,
    ) -> None:
        self._workers = workers
        self._verifiers = verifiers
        self._agenda = agenda
        self._journal = journal
        self._sides = sides
        self._coordination = coordination
        self._settlement = settlement
        self._workspace = workspace
        self._patterns = patterns
        self._is_idempotent = workspace.spec.idempotent

    def set_timers(self, partitions: Iterable[Partition]) -> None:
        """Let the team be cut, and joined again, at the times that the scenario gives."""
        # A cut may get an available minority going, its end whoever waits for it.
        cuts = always if self._sides.minority_goes_on else never
        for each in partitions:
            # After the calls that end at that very instant.
            split = partial(self._agenda.at, each.at_s, partial(self.split, each), cuts)
            self._agenda.at(each.at_s, split, cuts)
            self._agenda.at(each.at_s + each.duration_s, self.heal, self._has_cut)

    def _has_cut(self) -> bool:
        """Return whether somebody is cut off."""
        return any(agent.side for agent in self._workers)

    def split(self, partition: Partition) -> None:
        """Cut the team in two; an available minority goes on with a copy of the board."""
        count = max(1, round(partition.minority * len(self._workers)))
        cut_off = self._workers[-count:] if count < len(self._workers) else self._workers[1:]
        for agent in cut_off:
            agent.move_to(1)
        self._sides.note_split()
        if self._sides.minority_goes_on and cut_off:
            self._workspace.split()
            self._sides.cut(cut_off)
            for agent in cut_off:
                agent.go_on()
                self._agenda.wake(agent.index)
        self._sides.let_in(cut_off)
        self._patterns.cut_off(cut_off)
        self._journal.note(Event.PARTITION, peer=len(cut_off), outcome="begins")

    def heal(self) -> None:
        """Join the sides again; agents of the minority make calls that merge what both did."""
        cut_off = [agent for agent in self._workers if agent.side]
        side = self._sides.join(cut_off)
        for agent in cut_off:
            agent.move_to(0)
            if agent.time.in_call and agent.time.waits_for == "partition":
                self._agenda.resume(agent.index)
        self._journal.note(Event.PARTITION, peer=len(cut_off), outcome="ends")
        if side is not None:
            self._workspace.heal()
            self._merge(side)
            side.rejoin(self._sides.dispatcher)
            self._settlement.forget_side(side.board)
            for agent, freed in self._settlement.leave_what_waited(self._agenda.now):
                self._sides.announce_on_side_of(agent, freed)
            for agent in cut_off:
                if agent.is_down:
                    self._sides.give_away(agent)
            if self._coordination.is_to_aggregate:
                self._coordination.call_aggregator()  # what the minority did may be the last
        for agent in cut_off:
            self._coordination.hand_in_late(agent)
        self._workspace.look_again()
        self._sides.let_in(cut_off)
        self._patterns.cut_off([])
        concerned = cut_off + self._verifiers
        self._agenda.wake(EVERYONE, *[agent.index for agent in concerned])

    def abandon(self) -> None:
        """In a run that ends before the partition does, count the minority's work as wasted."""
        side = self._sides.other
        if side is not None:
            for task, work_s, rework_s in side.done():
                self._take_back(side, task, work_s, rework_s)

    def _merge(self, side: Side) -> None:
        """Take over what the other side did; of what both did, one attempt is wasted.

        Each task that both sides did, and each artifact that both wrote, costs the agent of the
        minority a merge, which it makes in its next call.
        """
        board = self._sides.board
        freed: list[int] = []
        for task, work_s, rework_s in side.done():
            agent = self._workers[side.board.doer[task]]
            if board.done[task]:
                self._take_back(side, task, work_s, rework_s)
                self._sides.owe_merge(agent, self._workspace.merge_s())
                continue
            board.spoil(task, side.board.faulty[task])
            board.give(task, agent.index)
            self._sides.dispatcher.forget(task)
            freed += board.complete(task, agent.index, self._agenda.now) or ()
            if self._overlaps(task):
                self._sides.owe_merge(agent, self._workspace.merge_s())
        for task in freed:
            if not board.done[task]:
                self._sides.announce([task])

    def _take_back(self, side: Side, task: int, work_s: float, rework_s: float) -> None:
        metrics, fault = self._journal.metrics, side.board.faulty[task]
        self._settlement.uncount(fault)
        metrics.duplicate_attempts += 1
        metrics.duplicate_effects += not self._is_idempotent
        metrics.wasted_s += work_s + rework_s
        metrics.work_s -= work_s
        metrics.rework_s -= rework_s
        where = {"agent": side.board.doer[task], "task": task}
        if rework_s:
            if work_s:
                said = "first_attempt"
                self._journal.note(Event.DIVERGED, **where, duration_s=work_s, outcome=said)
            said = "rework" + WAS[fault]
            self._journal.note(Event.DIVERGED, **where, duration_s=rework_s, outcome=said)
        else:
            said = "work" + WAS[fault]
            self._journal.note(Event.DIVERGED, **where, duration_s=work_s, outcome=said)

    def _overlaps(self, task: int) -> bool:
        """Return whether the majority wrote one of the task's artifacts during the partition."""
        artifacts = self._sides.board.graph.artifacts
        if artifacts is None:
            return False
        return any(self._sides.board.written_s(a) > self._sides.split_s for a in artifacts[task])
