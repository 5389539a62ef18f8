"""The end of a replication: what is left, and the row of results."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING

from simulator.model.metrics import Metrics
from simulator.model.trace import Event

if TYPE_CHECKING:
    from simulator.model.replication import Replication


def why_stuck(run: Replication) -> str:
    """Say what is left and who waits for what, when nothing can happen any more."""
    graph = run.sides.board.graph
    left = [graph.names[t] for t in range(len(graph)) if not run.sides.board.done[t]]
    shown = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
    waits = [*run.workspace.waits(), *run.sides.dispatcher.waits(), *_too_long(run)]
    said = f"; {'; '.join(waits[:5])}" if waits else ""
    return f"nothing can happen any more, and {len(left)} tasks are left: {shown}{said}"


def _too_long(run: Replication) -> list[str]:
    """Say whose prompts no longer fit."""
    return [
        f"the prompt of agent {agent.index} has {agent.memory.prompt_tokens} tokens, its window "
        f"{agent.memory.window_tokens:g}"
        for agent in run.agents
        if agent.is_shut_out
    ]


def finish(run: Replication, now: float, outcome: str, reason: str) -> Metrics:
    """End the replication at `now` and return its row; calls in flight are cut off."""
    metrics = run.metrics
    run.agenda.reach(now)
    for agent in run.agents:
        if agent.time.in_call:
            run.call_end.cut_off(agent, run.steps)
        elif agent.is_down and run.failures is not None:
            run.failures.health.book_down(agent, "at_end")
        else:
            agent.time.book_free(now)
    run.partitions.abandon()
    n = len(run.agents)
    metrics.makespan_s = now
    metrics.outcome = outcome
    metrics.reason = reason
    metrics.success = outcome == "completed"
    metrics.rounds = run.journal.round
    metrics.quality = metrics.tasks_correct / metrics.tasks
    metrics.task_wait_s = run.settlement.wait_sum_s / max(1, metrics.tasks_done)
    metrics.goodput = metrics.tasks_correct / now if now > 0.0 else 0.0
    if run.failures is not None:
        metrics.recovery_s = run.failures.health.recovery.seconds(now, outcome == "completed")
        metrics.availability = 1.0 - metrics.down_s / (n * now) if now > 0.0 else 1.0
    metrics.waiting_s = fsum(agent.time.waited_s for agent in run.agents)
    metrics.compactions = sum(agent.memory.compactions for agent in run.agents)
    mailboxes = [agent.memory.inbox.mailbox for agent in run.agents]
    metrics.reordered_messages = sum(box.reordered for box in mailboxes if box is not None)
    busy_s = fsum(agent.time.busy_s for agent in run.agents)
    metrics.utilisation = busy_s / (n * now) if now > 0.0 else 0.0
    run.journal.note(Event.RUN_END, duration_s=now, outcome=outcome)
    return metrics
