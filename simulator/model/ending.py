"""The end of a replication: what is left, and the row of results."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.call_end import CallEnd
from simulator.model.journal import Journal
from simulator.model.metrics import Metrics
from simulator.model.resilience.health import Health
from simulator.model.steps import CallSteps
from simulator.model.team.coordination import Coordination
from simulator.model.team.partition import Partitions
from simulator.model.team.settlement import Settlement
from simulator.model.team.sides import Sides
from simulator.model.trace import Event
from simulator.model.workspaces import WorkspaceState


class Closing:
    """Ends a replication and sums it up.

    Parameters
    ----------
    agents : sequence of AgentState
    agenda : Agenda
    journal : Journal
    sides : Sides
    coordination : Coordination
    workspace : WorkspaceState
    steps : CallSteps
    call_end : CallEnd
    partitions : Partitions
    settlement : Settlement
    health : Health or None
        None where nothing can go wrong.
    """

    __slots__ = (
        "_agenda",
        "_agents",
        "_call_end",
        "_coordination",
        "_health",
        "_journal",
        "_partitions",
        "_settlement",
        "_sides",
        "_steps",
        "_workspace",
    )

    def __init__(
        self,
        agents: Sequence[AgentState],
        agenda: Agenda,
        journal: Journal,
        sides: Sides,
        coordination: Coordination,
        workspace: WorkspaceState,
        steps: CallSteps,
        call_end: CallEnd,
        partitions: Partitions,
        settlement: Settlement,
        health: Health | None,
    ) -> None:
        self._agents = agents
        self._agenda = agenda
        self._journal = journal
        self._sides = sides
        self._coordination = coordination
        self._workspace = workspace
        self._steps = steps
        self._call_end = call_end
        self._partitions = partitions
        self._settlement = settlement
        self._health = health

    def why_stuck(self) -> str:
        """Say what is left and who waits for what, when nothing can happen any more."""
        board = self._sides.board
        names = board.graph.names
        left = [names[task] for task in range(len(board.done)) if not board.done[task]]
        shown = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
        waits = [*self._workspace.waits(), *self._sides.waits(), *self._sides.dispatcher.waits()]
        waits += [*self._coordination.waits(), *self._steps.waits(), *self._too_long()]
        what = f"{len(left)} tasks are left: {shown}" if left else "all tasks are done"
        return "; ".join([f"nothing can happen any more, and {what}", *waits[:5]])

    def _too_long(self) -> list[str]:
        """Say whose prompts no longer fit."""
        return [
            f"the prompt of agent {agent.index} has {agent.memory.prompt_tokens} tokens, its "
            f"window {agent.memory.window_tokens:g}"
            for agent in self._agents
            if agent.is_shut_out
        ]

    def finish(self, now: float, outcome: str, reason: str) -> Metrics:
        """End the replication at `now` and return its row; calls in flight are cut off."""
        metrics, agents, n = self._journal.metrics, self._agents, len(self._agents)
        self._agenda.reach(now)
        busy_s: list[float] = []
        waited_s: list[float] = []
        for agent in agents:
            if agent.time.in_call:
                self._call_end.cut_off(agent, self._steps)
            elif agent.is_down and self._health is not None:
                self._health.book_down(agent, "at_end")
            else:
                agent.time.book_free(now)
            busy_s.append(agent.time.busy_s)
            waited_s.append(agent.time.waited_s)
            metrics.compactions += agent.memory.compactions
            mailbox = agent.memory.inbox.mailbox
            if mailbox is not None:
                metrics.reordered_messages += mailbox.reordered
        unmarked = self._sides.close_ledgers()
        self._partitions.abandon()
        metrics.makespan_s = now
        metrics.outcome = outcome
        metrics.reason = reason
        metrics.success = outcome == "completed"
        metrics.rounds = self._journal.round
        metrics.quality = (metrics.tasks_correct + unmarked) / metrics.tasks
        metrics.task_wait_s = self._settlement.wait_sum_s / max(1, metrics.tasks_done)
        metrics.goodput = metrics.tasks_correct / now if now > 0.0 else 0.0
        if self._health is not None:
            recovery = self._health.recovery
            metrics.recovery_s = recovery.seconds(now, outcome == "completed")
            metrics.availability = 1.0 - metrics.down_s / (n * now) if now > 0.0 else 1.0
        metrics.waiting_s = fsum(waited_s)
        metrics.utilisation = fsum(busy_s) / (n * now) if now > 0.0 else 0.0
        self._journal.note(Event.RUN_END, duration_s=now, outcome=outcome)
        return metrics
