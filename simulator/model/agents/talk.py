"""Talk: messages sent, counted and written down."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.model.agents.agent import AgentState
from simulator.model.agents.messages import Deliveries, Outlet
from simulator.model.journal import Journal
from simulator.model.trace import Event


class Talk:
    """Sends what agents say.

    Parameters
    ----------
    journal : Journal
    deliveries : Deliveries
        Where links to mailboxes put theirs.
    """

    __slots__ = ("_deliveries", "_journal", "_metrics")

    def __init__(self, journal: Journal, deliveries: Deliveries) -> None:
        self._journal = journal
        self._metrics = journal.metrics
        self._deliveries = deliveries

    def send(self, agent: AgentState, outbox: Sequence[Outlet], tokens: int, now: float) -> None:
        """Send one message and count it and its deliveries."""
        metrics, journal = self._metrics, self._journal
        receivers = 0
        for outlet in outbox:
            receivers += outlet.send(tokens, now)
        metrics.messages += 1
        metrics.deliveries += receivers
        metrics.message_tokens += tokens
        if self._deliveries.pairs:
            for sender, receiver in self._deliveries.take():
                journal.note(Event.DELIVERY, receiver, peer=sender)
        if journal.trace is not None:
            where = (agent.index, agent.call.number)
            journal.note(Event.MESSAGE, *where, peer=receivers, output_tokens=tokens)
