"""Messages as shared logs that readers follow by cursor.

A broadcast to n - 1 peers is one append: running sums of messages and tokens. A reader's
unread messages are the sums now minus the sums when it last read.
"""

from __future__ import annotations

from collections.abc import Iterable

from simulator.model.topologies import Channel


class Log:
    """Running sums of what was sent on one channel."""

    __slots__ = ("messages", "tokens")

    def __init__(self) -> None:
        self.messages = 0
        self.tokens = 0


class Subscription:
    """One reader's cursor on a log."""

    __slots__ = ("log", "messages_seen", "tokens_seen")

    def __init__(self, log: Log) -> None:
        self.log = log
        self.messages_seen = 0
        self.tokens_seen = 0

    @property
    def unread(self) -> int:
        """Messages that wait to be read."""
        return self.log.messages - self.messages_seen


class Post:
    """One sender's access to a log: it reaches `receivers` agents, never itself."""

    __slots__ = ("log", "own", "receivers")

    def __init__(self, log: Log, receivers: int, own: Subscription | None) -> None:
        self.log = log
        self.receivers = receivers
        self.own = own

    def send(self, tokens: int) -> None:
        """Append one message."""
        log = self.log
        log.messages += 1
        log.tokens += tokens
        own = self.own
        if own is not None:
            own.messages_seen += 1
            own.tokens_seen += tokens


def connect(
    channels: Iterable[Channel], agents: int
) -> list[tuple[list[Post], list[Subscription]]]:
    """Return each agent's posts and subscriptions, shape (agents,).

    Raises
    ------
    IndexError
        If a channel names an agent that does not exist.
    """
    ends: list[tuple[list[Post], list[Subscription]]] = [([], []) for _ in range(agents)]
    for channel in channels:
        log = Log()
        subscriptions = {agent: Subscription(log) for agent in channel.receivers}
        for agent, subscription in subscriptions.items():
            ends[agent][1].append(subscription)
        for agent in channel.senders:
            own = subscriptions.get(agent)
            receivers = len(subscriptions) - (own is not None)
            if receivers:
                ends[agent][0].append(Post(log, receivers, own))
    return ends
