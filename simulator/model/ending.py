"""The end of a replication: what is left, and the row of results."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING

from simulator.model.metrics import Metrics
from simulator.model.team.partition import abandon
from simulator.model.trace import Event, Row

if TYPE_CHECKING:
    from simulator.model.agents.agent import AgentState
    from simulator.model.replication import TeamState


def why_stuck(team: TeamState) -> str:
    """Say what is left and who waits for what, when nothing can happen any more."""
    graph = team.board.graph
    left = [graph.names[t] for t in range(len(graph)) if not team.board.done[t]]
    shown = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
    waits = [*team.workspace.waits(), *team.dispatcher.waits(), *_too_long(team)]
    said = f"; {'; '.join(waits[:5])}" if waits else ""
    return f"nothing can happen any more, and {len(left)} tasks are left: {shown}{said}"


def _too_long(team: TeamState) -> list[str]:
    """Say whose prompts no longer fit."""
    return [
        f"the prompt of agent {agent.index} has {agent.prompt_tokens} tokens, its window "
        f"{agent.window_tokens:g}"
        for agent in team.agents
        if agent.is_shut_out
    ]


def finish(team: TeamState, now: float, outcome: str, reason: str) -> Metrics:
    """End the replication at `now` and return its row; calls in flight are cut off."""
    metrics = team.metrics
    team.now = now
    for agent in team.agents:
        if agent.in_call:
            _cut_off(team, agent)
        elif agent.is_down and team.failures is not None:
            team.failures.faults.book_down(agent, "at_end")
        else:
            agent.waited_s += now - agent.free_since
    if team.other_side is not None:
        abandon(team, team.other_side)
    n = len(team.agents)
    metrics.makespan_s = now
    metrics.outcome = outcome
    metrics.reason = reason
    metrics.success = outcome == "completed"
    metrics.rounds = team.round
    metrics.quality = metrics.tasks_correct / metrics.tasks
    metrics.task_wait_s = team.commits.wait_sum_s / max(1, metrics.tasks_done)
    metrics.goodput = metrics.tasks_correct / now if now > 0.0 else 0.0
    if team.failures is not None:
        metrics.recovery_s = team.failures.faults.recovery.seconds(now, outcome == "completed")
        metrics.availability = 1.0 - metrics.down_s / (n * now) if now > 0.0 else 1.0
    metrics.waiting_s = fsum(agent.waited_s for agent in team.agents)
    metrics.compactions = sum(agent.compactions for agent in team.agents)
    mailboxes = [agent.mailbox for agent in team.agents if agent.mailbox is not None]
    metrics.reordered_messages = sum(mailbox.reordered for mailbox in mailboxes)
    busy_s = fsum(agent.busy_s for agent in team.agents)
    metrics.utilisation = busy_s / (n * now) if now > 0.0 else 0.0
    if team.trace is not None:
        team.trace.add(Row(now, Event.RUN_END, duration_s=now, outcome=outcome))
    return metrics


def _cut_off(team: TeamState, agent: AgentState) -> None:
    """End a call in flight; what it has read, and written so far, is paid for."""
    if team.stepwise:
        team.call_steps.cut_off(agent)
    else:
        elapsed_s = team.now - agent.started_s
        agent.paid_share = elapsed_s / agent.duration_s if elapsed_s > 0.0 else None
        agent.duration_s = elapsed_s
    if agent.paid_share is not None:
        team.pay_in_vain(agent, agent.paid_share)
    agent.busy_s += agent.duration_s
    team.metrics.wasted_s += agent.duration_s
    if team.trace is not None:
        team.trace_call_end(agent, team.now, "cut_off")
