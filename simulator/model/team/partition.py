"""The other side of a partition: a copy of the board that goes its own way, merged after."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from simulator.model.agents.agent import AgentState
from simulator.model.board import Board
from simulator.model.protocols import EVERYONE, Dispatcher
from simulator.model.team.commits import WAS
from simulator.model.trace import Event, Row
from simulator.scenario.network import Partition

if TYPE_CHECKING:
    from simulator.model.replication import TeamState


class Side:
    """What an available minority knows and does while it is cut off.

    Parameters
    ----------
    board : Board
    dispatcher : Dispatcher
        As they stand when the partition begins; the side works on copies.
    cut_off : list of AgentState
        Who is on the side.
    """

    def __init__(self, board: Board, dispatcher: Dispatcher, cut_off: list[AgentState]) -> None:
        self.board = copy.deepcopy(board, {id(board.graph): board.graph})
        self.dispatcher = dispatcher.fork(self.board)
        self.cut_off = cut_off
        self._done_before = bytes(board.done)
        self.under_way = [(agent, agent.call) for agent in cut_off if agent.in_call]
        """Calls that began before the partition."""
        self._picks = {agent.index: list(agent.picks) for agent in cut_off}
        self._spent: dict[int, tuple[float, bool]] = {}

    def note(self, task: int, seconds: float, is_rework: bool) -> None:
        """Remember what an attempt on this side has taken."""
        before = self._spent[task][0] if task in self._spent else 0.0
        self._spent[task] = (before + seconds, is_rework)

    def rejoin(self, dispatcher: Dispatcher) -> None:
        """Tell the main side what became of calls that were under way when the team was cut.

        What the minority took with it and has not done is there to be done again. Calls that
        began on this side, and are under way now, come in vain: they build on its board.
        """
        before = {agent.index: call for agent, call in self.under_way}
        for agent, call in self.under_way:
            if not (agent.in_call and agent.call == call):
                for task in self._picks[agent.index]:
                    if not dispatcher.board.done[task]:
                        dispatcher.returned(agent.index, task)
        for agent in self.cut_off:
            if agent.in_call and before.get(agent.index) != agent.call:
                agent.is_astray = True

    def done(self) -> list[tuple[int, float, bool]]:
        """Return the tasks done on this side, each with its seconds and whether it was rework."""
        return [
            (task, *self._spent.get(task, (0.0, False)))
            for task in self.board.graph.order
            if self.board.done[task] and not self._done_before[task]
        ]


def split(team: TeamState, partition: Partition) -> None:
    """Cut the team in two; an available minority goes on with a copy of the board."""
    team.split_s = team.now
    count = max(1, round(partition.minority * len(team.workers)))
    cut_off = team.workers[-count:] if count < len(team.workers) else team.workers[1:]
    for agent in cut_off:
        agent.side = 1
        if agent.mailbox is not None:
            agent.mailbox.side = 1
    if team.minority_goes_on and cut_off:
        team.workspace.split()
        team.other_side = side = Side(team.board, team.dispatcher, cut_off)
        for agent in cut_off:
            agent.board, agent.dispatcher = side.board, side.dispatcher
            agent.awaits_answer = False
            team.woken.append(agent.index)
    team.let_in(cut_off)
    if team.trace is not None:
        team.trace.add(Row(team.now, Event.PARTITION, peer=len(cut_off), outcome="begins"))


def heal(team: TeamState) -> None:
    """Join the sides again; what both did is merged, which takes calls of the minority."""
    cut_off = [agent for agent in team.workers if agent.side]
    side, team.other_side = team.other_side, None
    for agent in cut_off:
        agent.side = 0
        agent.board, agent.dispatcher = team.board, team.dispatcher
        if agent.mailbox is not None:
            agent.mailbox.side = 0
        if agent.in_call and agent.waits_for == "partition":
            team.resume(agent)
    if team.trace is not None:
        team.trace.add(Row(team.now, Event.PARTITION, peer=len(cut_off), outcome="ends"))
    if side is not None:
        team.workspace.heal()
        _merge(team, side)
        side.rejoin(team.dispatcher)
        for agent in cut_off:
            if agent.is_down:
                team.give_away(agent)
    for agent in cut_off:
        if agent.manager is not None and team.reviews.awaited(agent):
            agent.manager.reports.append(agent)
            team.woken.append(agent.manager.index)
    team.let_in(cut_off)
    concerned = cut_off + team.verifiers
    team.woken += [EVERYONE, *(agent.index for agent in concerned)]


def abandon(team: TeamState, side: Side) -> None:
    """Count as done in vain what the minority did, in a run that ends before the partition."""
    for task, seconds, is_rework in side.done():
        _take_back(team, side, task, seconds, is_rework)


def _merge(team: TeamState, side: Side) -> None:
    """Take over what the other side did; what both did was done in vain once.

    Each task that both sides did, and each artifact that both wrote, costs the agent of the
    minority a merge, which it makes in its next call.
    """
    board = team.board
    freed: list[int] = []
    for task, seconds, is_rework in side.done():
        agent = team.agents[side.board.doer[task]]
        if board.done[task]:
            _take_back(team, side, task, seconds, is_rework)
            _owe_merge(team, agent)
            continue
        board.faulty[task] = side.board.faulty[task]
        board.owner[task] = agent.index
        team.dispatcher.forget(task)
        freed += board.complete(task, agent.index, team.now)
        if _overlaps(team, task):
            _owe_merge(team, agent)
    for task in freed:
        if not board.done[task]:
            team.announce([task], team.now)


def _take_back(team: TeamState, side: Side, task: int, seconds: float, is_rework: bool) -> None:
    metrics, fault = team.metrics, side.board.faulty[task]
    team.commits.uncount(fault)
    metrics.duplicate_attempts += 1
    metrics.duplicate_effects += not team.is_idempotent
    metrics.wasted_s += seconds
    if is_rework:
        metrics.rework_s -= seconds
    else:
        metrics.work_s -= seconds
    if team.trace is not None:
        agent = side.board.doer[task]
        said = ("rework" if is_rework else "work") + WAS[fault]
        row = Row(team.now, Event.DIVERGED, agent, team.round, None, task)
        team.trace.add(row._replace(duration_s=seconds, outcome=said))


def _overlaps(team: TeamState, task: int) -> bool:
    """Return whether the majority wrote one of the task's artifacts during the partition."""
    artifacts = team.board.graph.artifacts
    if artifacts is None:
        return False
    return any(team.board.written_s(a) > team.split_s for a in artifacts[task])


def _owe_merge(team: TeamState, agent: AgentState) -> None:
    team.metrics.merges += 1
    team.owed_s[agent.index] = team.owed_s.get(agent.index, 0.0) + team.workspace.merge_s()
