"""Requests in flight: when each ends, and how."""

from __future__ import annotations

import math
from typing import NamedTuple

from simulator.model.calls.provider import Ticket
from simulator.model.calls.service import share_done
from simulator.model.timers import AN_INSTANT
from simulator.model.why import Why


class Fate(NamedTuple):
    """After how many seconds a request ends, counted from the first, and what goes wrong."""

    seconds: float
    why: Why = Why.NOTHING

    def by(self, elapsed_s: float, why: Why) -> Why:
        """Return how a request has ended by then: as it does by itself, or else as `why` says."""
        has_failed = self.why and self.seconds <= elapsed_s * (1.0 + AN_INSTANT)
        return self.why if has_failed else why


_NEVER = Fate(math.inf)
_NOT_SENT = Ticket()


class Flight:
    """A request and, if it is hedged, a second one.

    Attributes
    ----------
    first : Fate
    second : Fate or None
    sent_s : float
        When, after the first, the second was sent.
    ticket : Ticket
        The second request's ticket at the provider, once it is taken in.
    done : float
        Share of the work that was done when what was in flight stalled.
    first_is_over, second_is_over : bool
        Whether one of them has failed and is settled, while the other goes on.
    is_read : bool
        Whether one of them has come to nothing, was read and is billed.
    """

    __slots__ = (
        "done",
        "first",
        "first_is_over",
        "is_read",
        "second",
        "second_is_over",
        "sent_s",
        "ticket",
    )

    def __init__(self, first: Fate) -> None:
        self.first = first
        self.second: Fate | None = None
        self.sent_s = self.done = 0.0
        self.ticket = _NOT_SENT
        self.first_is_over = self.second_is_over = self.is_read = False

    def take_in_second(self) -> None:
        """Let the provider take in a second request."""
        self.ticket = Ticket(is_admitted=True)

    def send_second(self, sent_s: float, second: Fate) -> None:
        """Send the second request."""
        self.sent_s = sent_s
        self.second = second

    @property
    def end(self) -> Fate:
        """When and how it ends: with the first good answer, or else with the last failure."""
        if self.second is None:
            return self.first
        good = [each for each in (self.first, self.second) if not each.why]
        return min(good) if good else max(self.first, self.second)

    @property
    def fails_s(self) -> float:
        """When one of the two fails while the other goes on; infinite if that does not happen."""
        if self.second is None or not self.is_whole:
            return math.inf
        sooner, later = sorted((self.first, self.second))
        return sooner.seconds if sooner.why and sooner.seconds < later.seconds else math.inf

    @property
    def is_whole(self) -> bool:
        """Whether there are two requests, both in flight."""
        return self.second is not None and not (self.first_is_over or self.second_is_over)

    def drop_first(self) -> None:
        """Let the first request be over, which has failed, while the second goes on."""
        self.first_is_over = True

    def drop_second(self) -> None:
        """Let the second request be over, which has failed, while the first goes on."""
        self.second_is_over = True

    def note_bill(self, is_billed: bool) -> None:
        """Note whether one of the requests, which has come to nothing, was read and is billed."""
        self.is_read = self.is_read or is_billed

    @property
    def second_wins(self) -> bool:
        """Whether it is the second request that is answered."""
        if self.second is None or self.second.why:
            return False
        return self.second.seconds < self.first.seconds or bool(self.first.why)

    def ends(self, elapsed_s: float, why: Why) -> list[tuple[Why, bool]]:
        """Return how each request has ended that was in flight until now, and if it is the second.

        `why` says what has gone wrong with the pair. If nothing has, one is answered and the other,
        unless it had failed by itself, is cancelled.
        """
        found = []
        if not self.first_is_over:
            said = why or (Why.HEDGED if self.second_wins else Why.NOTHING)
            found.append((self.first.by(elapsed_s, said), False))
        if self.second is not None and not self.second_is_over:
            said = why or (Why.NOTHING if self.second_wins else Why.HEDGED)
            found.append((self.second.by(elapsed_s, said), True))
        return found

    def since_second_s(self, elapsed_s: float) -> float:
        """Return for how long the second has been in flight; 0 at the instant of sending."""
        since_s = elapsed_s - self.sent_s
        return since_s if since_s > AN_INSTANT * elapsed_s else 0.0

    def stall(self, elapsed_s: float) -> int:
        """Let what is in flight never come back; return how many requests that stops."""
        stopped, self.done = 0, self.share_done(elapsed_s)
        if elapsed_s <= self.first.seconds < math.inf:
            self.first, stopped = _NEVER, 1
        if self.second is not None and elapsed_s <= self.second.seconds < math.inf:
            self.second = _NEVER
            stopped += 1
        return stopped

    def share_done(self, elapsed_s: float) -> float:
        """Return which share of the work is done, by the request that has done more of it.

        What the provider is going to fail does nothing of it, and what has failed has done nothing.
        """
        shares = [self.done]
        if self.first.why.is_billed and not self.first_is_over:
            shares.append(share_done(elapsed_s, self.first.seconds))
        second = None if self.second_is_over else self.second
        if second is not None and second.why.is_billed:
            seconds = second.seconds - self.sent_s
            shares.append(share_done(self.since_second_s(elapsed_s), seconds))
        return max(shares)


def time_left(seconds: float, elapsed_s: float) -> float:
    """Return how long a request that is given up would still have been in service."""
    left_s = seconds - elapsed_s
    is_over = left_s <= AN_INSTANT * elapsed_s  # what has just ended has a rounding error
    return 0.0 if is_over or math.isinf(seconds) else left_s
