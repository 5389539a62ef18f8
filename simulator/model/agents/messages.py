"""Messages that are objects: links that delay, lose or choose, a mailbox for each reader; notes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush

from simulator.model.metrics import Metrics
from simulator.model.streams import Draw


class Outlet(ABC):
    """Where an agent sends what it says."""

    __slots__ = ()

    @abstractmethod
    def send(self, tokens: int, now: float) -> int:
        """Send one message; return to how many agents."""


class Mailbox:
    """What one agent has been sent and has not read.

    Attributes
    ----------
    side : int
        The side of a partition on which its owner is.
    """

    __slots__ = ("_newest_s", "_read", "_waiting", "owner", "reordered", "side")

    def __init__(self, owner: int) -> None:
        self.owner = owner
        self.side = 0
        self.reordered = 0
        self._waiting: list[tuple[float, float, int, int]] = []
        self._newest_s: dict[int, float] = {}
        self._read: list[tuple[tuple[float, float, int, int], float]] = []
        """What was read last, and the newest that its sender had sent before that."""

    def move_to(self, side: int) -> None:
        """Be on another side of a partition."""
        self.side = side

    def put(self, arrival_s: float, sent_s: float, sender: int, tokens: int) -> None:
        """Take in a delivery that can be read from `arrival_s` on."""
        heappush(self._waiting, (arrival_s, sent_s, sender, tokens))

    def collect(self, now: float) -> tuple[int, int]:
        """Return the number of news among the messages that have arrived, and all their tokens.

        A message that a later one of the same sender has overtaken is read, but no news.
        """
        waiting, newest_s = self._waiting, self._newest_s
        self._read.clear()
        news = total = 0
        while waiting and waiting[0][0] <= now:
            delivery = heappop(waiting)
            _, sent_s, sender, tokens = delivery
            before_s = newest_s.get(sender, -1.0)
            self._read.append((delivery, before_s))
            total += tokens
            if sent_s < before_s:
                self.reordered += 1
            else:
                newest_s[sender] = sent_s
                news += 1
        return news, total

    def go_back(self) -> None:
        """Undo the last reading: put back what was collected."""
        for delivery, before_s in reversed(self._read):
            _, sent_s, sender, _ = delivery
            self.reordered -= sent_s < before_s
            self._newest_s[sender] = before_s
            heappush(self._waiting, delivery)
        self._read.clear()


class Deliveries:
    """What mailboxes have been sent and nobody has noted in the trace yet.

    Attributes
    ----------
    pairs : list of (int, int)
        Sender and receiver of each.
    """

    __slots__ = ("pairs",)

    def __init__(self) -> None:
        self.pairs: list[tuple[int, int]] = []

    def add(self, sender: int, receiver: int) -> None:
        """Take in a delivery."""
        self.pairs.append((sender, receiver))

    def take(self) -> list[tuple[int, int]]:
        """Return the deliveries, and keep none of them."""
        taken, self.pairs = self.pairs, []
        return taken


class Link(Outlet):
    """One sender's way to the mailboxes of a channel, with delay, loss and partitions.

    Senders on a channel share its list of mailboxes; nobody hears itself.
    """

    __slots__ = (
        "_arrival_s",
        "_deliveries",
        "_metrics",
        "delay",
        "duplicates",
        "duplication",
        "in_order",
        "loss",
        "mailboxes",
        "own",
        "rolls",
    )

    def __init__(
        self,
        own: Mailbox,
        mailboxes: Sequence[Mailbox],
        delay: Draw,
        loss: float,
        duplication: float,
        rolls: Draw,
        duplicates: Draw,
        in_order: bool,
        metrics: Metrics,
        deliveries: Deliveries,
    ) -> None:
        self.own = own
        self.mailboxes = mailboxes
        self.delay = delay
        self.loss = loss
        self.duplication = duplication
        self.rolls = rolls
        self.duplicates = duplicates
        self.in_order = in_order
        self._metrics = metrics
        self._deliveries = deliveries
        self._arrival_s: dict[int, float] = {}

    def send(self, tokens: int, now: float) -> int:
        """Send one message to everybody on the channel; return how many it will reach."""
        own = self.own
        return sum([self.deliver(box, tokens, now) for box in self.mailboxes if box is not own])

    def deliver(self, mailbox: Mailbox, tokens: int, now: float) -> bool:
        """Send one delivery; return whether it arrives. Partitions stop it."""
        if mailbox.side != self.own.side or (self.loss and self.rolls() < self.loss):
            self._metrics.lost_messages += 1
            return False
        self._put(mailbox, tokens, now)
        if self.duplication and self.duplicates() < self.duplication:
            self._metrics.duplicated_messages += 1
            self._put(mailbox, tokens, now)
        return True

    def _put(self, mailbox: Mailbox, tokens: int, now: float) -> None:
        arrival_s = now + self.delay()
        if self.in_order:
            arrival_s = max(arrival_s, self._arrival_s.get(mailbox.owner, 0.0))
            self._arrival_s[mailbox.owner] = arrival_s
        mailbox.put(arrival_s, now, self.own.owner, tokens)
        self._deliveries.add(self.own.owner, mailbox.owner)

    def hear(self, mailbox: Mailbox, tokens: int, now: float) -> bool:
        """Get from a peer what it said last, if it is on the same side."""
        if not tokens or mailbox.side != self.own.side:
            return False
        self.own.put(now, now, mailbox.owner, tokens)
        self._deliveries.add(mailbox.owner, self.own.owner)
        return True


class Gossip(Outlet):
    """One agent's way to a few peers drawn anew for each message."""

    __slots__ = ("_link", "_own_place", "_peers", "_pull", "_rolls", "_said")

    def __init__(self, link: Link, peers: int, rolls: Draw, said: list[int], pull: bool) -> None:
        self._link = link
        self._own_place = link.mailboxes.index(link.own)
        self._peers = min(peers, len(link.mailboxes) - 1)
        self._rolls = rolls
        self._said = said
        self._pull = pull

    def send(self, tokens: int, now: float) -> int:
        """Send to the peers drawn and, where gossip pulls, hear what they said last."""
        link, said = self._link, self._said
        own = link.own.owner
        said[own] = tokens
        arrived = 0
        for peer in self._draw():
            mailbox = link.mailboxes[peer]
            arrived += link.deliver(mailbox, tokens, now)
            if self._pull:
                arrived += link.hear(mailbox, said[mailbox.owner], now)
        return arrived

    def _draw(self) -> Iterable[int]:
        others, drawn = len(self._link.mailboxes) - 1, dict[int, None]()
        while len(drawn) < self._peers:
            place = int(self._rolls() * others)
            drawn[place + (place >= self._own_place)] = None
        return drawn


class Notes:
    """A blackboard: one note an agent, which its next one replaces, read by everybody."""

    __slots__ = ("_tokens", "total")

    def __init__(self, agents: int) -> None:
        self._tokens = [0] * agents
        self.total = 0

    def write(self, agent: int, tokens: int) -> None:
        """Replace the agent's note."""
        self.total += tokens - self._tokens[agent]
        self._tokens[agent] = tokens

    def seen_by(self, agent: int) -> int:
        """Return the tokens of the others' notes."""
        return self.total - self._tokens[agent]
