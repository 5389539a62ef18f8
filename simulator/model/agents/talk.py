"""Talk: messages sent, counted and written down."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.model.agents.agent import AgentState
from simulator.model.agents.messages import Outlet
from simulator.model.journal import Journal
from simulator.model.trace import Event


class Talk:
    """Sends what agents say.

    Parameters
    ----------
    journal : Journal
    delivered : list of (int, int)
        Sender and receiver of deliveries to mailboxes, since this was last emptied.
    """

    __slots__ = ("_delivered", "_journal", "_metrics")

    def __init__(self, journal: Journal, delivered: list[tuple[int, int]]) -> None:
        self._journal = journal
        self._metrics = journal.metrics
        self._delivered = delivered

    def send(self, agent: AgentState, outbox: Sequence[Outlet], tokens: int, now: float) -> None:
        """Send one message and count it and its deliveries."""
        metrics, journal = self._metrics, self._journal
        receivers = 0
        for outlet in outbox:
            receivers += outlet.send(tokens, now)
        metrics.messages += 1
        metrics.deliveries += receivers
        metrics.message_tokens += tokens
        if self._delivered:
            for sender, receiver in self._delivered:
                journal.note(Event.DELIVERY, receiver, peer=sender)
            self._delivered.clear()
        if journal.trace is not None:
            where = (agent.index, agent.call.number)
            journal.note(Event.MESSAGE, *where, peer=receivers, output_tokens=tokens)
