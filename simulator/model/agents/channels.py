"""Who can read what was said: channels, and all that one agent hears.

On plain networks, messages are shared logs that readers follow by cursor: a broadcast to
n - 1 peers is one append to running sums, and a reader's unread messages are the sums now
minus the sums when it last read. Links that delay, lose or choose have a `Mailbox` for each
reader instead, in which every delivery is an object.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simulator.model.agents.messages import Mailbox, Notes, Outlet
from simulator.model.topologies import Channel


class Log:
    """Running sums of what was sent on one channel."""

    __slots__ = ("messages", "tokens")

    def __init__(self) -> None:
        self.messages = 0
        self.tokens = 0


class Subscription:
    """One reader's cursor on a log, and where it was before the last reading."""

    __slots__ = ("log", "messages_before", "messages_seen", "tokens_before", "tokens_seen")

    def __init__(self, log: Log) -> None:
        self.log = log
        self.messages_seen = self.messages_before = 0
        self.tokens_seen = self.tokens_before = 0

    def go_back(self) -> None:
        """Undo the last reading."""
        self.messages_seen, self.tokens_seen = self.messages_before, self.tokens_before


class Post(Outlet):
    """One sender's access to a log: it reaches `receivers` agents, never itself."""

    __slots__ = ("log", "own", "receivers")

    def __init__(self, log: Log, receivers: int, own: Subscription | None) -> None:
        self.log = log
        self.receivers = receivers
        self.own = own

    def send(self, tokens: int, now: float) -> int:
        """Append one message."""
        log = self.log
        log.messages += 1
        log.tokens += tokens
        own = self.own
        if own is not None:
            own.messages_seen += 1
            own.tokens_seen += tokens
        return self.receivers


class Voice:
    """Where an agent speaks and what it hears."""

    __slots__ = ("inbox", "mailbox", "notes", "outbox")

    def __init__(
        self,
        outbox: Sequence[Outlet] = (),
        inbox: Sequence[Subscription] = (),
        mailbox: Mailbox | None = None,
        notes: Notes | None = None,
    ) -> None:
        self.outbox, self.inbox = outbox, inbox
        self.mailbox, self.notes = mailbox, notes

    def with_notes(self, notes: Notes) -> Voice:
        """Return the same, for an agent that writes and reads notes besides."""
        return Voice(self.outbox, self.inbox, self.mailbox, notes)


class Inbox:
    """All that one agent hears: channels, its mailbox, and notes.

    Parameters
    ----------
    owner : int
        The agent's number.
    voice : Voice

    Attributes
    ----------
    is_shut : bool
        Whether it hears nothing.
    """

    __slots__ = (
        "_has_more",
        "_owner",
        "_shut",
        "_subscriptions",
        "is_shut",
        "mailbox",
        "notes",
    )

    def __init__(self, owner: int, voice: Voice) -> None:
        self._owner = owner
        self._subscriptions = tuple(voice.inbox)
        self.mailbox, self.notes = voice.mailbox, voice.notes
        self._has_more = self.mailbox is not None or self.notes is not None
        self._shut: tuple[tuple[Subscription, ...], bool] = (), False
        self.is_shut = False

    def shut(self) -> None:
        """Hear nothing, until it is opened; what comes waits."""
        self._shut = self._subscriptions, self._has_more
        self._subscriptions, self._has_more = (), False
        self.is_shut = True

    def open(self) -> None:
        """Take back `shut`."""
        if self.is_shut:
            self._subscriptions, self._has_more = self._shut
            self.is_shut = False

    def subscribe(self, log: Log) -> None:
        """Read one more channel from now on."""
        self._subscriptions += (Subscription(log),)

    def read(self, now: float) -> tuple[int, int, int]:
        """Return the number of news, their tokens, and the tokens of others' notes.

        Notes are read anew each time and not kept.
        """
        news = tokens = noted = 0
        for subscription in self._subscriptions:
            log = subscription.log
            subscription.tokens_before = seen = subscription.tokens_seen
            tokens += log.tokens - seen
            subscription.messages_before = seen = subscription.messages_seen
            news += log.messages - seen
            subscription.tokens_seen = log.tokens
            subscription.messages_seen = log.messages
        if self._has_more:
            if self.mailbox is not None:
                mail, mail_tokens = self.mailbox.collect(now)
                news += mail
                tokens += mail_tokens
            if self.notes is not None:
                noted = self.notes.seen_by(self._owner)
                news += noted > 0
        return news, tokens, noted

    def go_back(self) -> None:
        """Undo the last reading."""
        for subscription in self._subscriptions:
            subscription.go_back()
        if self.mailbox is not None:
            self.mailbox.go_back()


def connect(
    channels: Iterable[Channel], agents: int
) -> list[tuple[list[Outlet], list[Subscription]]]:
    """Return each agent's posts and subscriptions on a plain network, shape (agents,).

    Raises
    ------
    IndexError
        If a channel names an agent that does not exist.
    """
    ends: list[tuple[list[Outlet], list[Subscription]]] = [([], []) for _ in range(agents)]
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
