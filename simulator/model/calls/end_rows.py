"""The row that says how a call, or a sub-agent, has ended."""

from __future__ import annotations

from simulator.model.agents.agent import AgentState
from simulator.model.journal import Journal
from simulator.model.trace import Event


def note_end(
    journal: Journal, event: Event, agent: AgentState, outcome: str, is_answered: bool
) -> None:
    """Write that what an agent was in has ended.

    Parameters
    ----------
    journal : Journal
    event : Event
        ``call_end`` or ``subagent_end``.
    agent : AgentState
    outcome : str
    is_answered : bool
        Whether its last request was answered; else the row has the tokens that are paid for
        (requests that failed before have rows of their own).
    """
    share = 1.0 if is_answered else agent.call.paid_share
    is_read = share is not None
    journal.note(
        event,
        agent.index,
        agent.call.number,
        peer=None if agent.loop is None else agent.loop.turn * agent.is_calling,
        duration_s=agent.time.duration_s,
        input_tokens=agent.memory.prompt_tokens * is_read,
        cached_tokens=agent.memory.cached * is_read,
        output_tokens=agent.call.written(share or 0.0),
        outcome=outcome,
    )
