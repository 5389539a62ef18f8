"""Requests in flight: when each ends, and how."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from simulator.model.calls.provider import Ticket

_NEVER = (math.inf, "")


@dataclass(slots=True)
class Flight:
    """A request and, hedged, a second: after how many seconds each ends, and what goes wrong."""

    first: tuple[float, str]
    second: tuple[float, str] | None = None
    sent_s: float = 0.0
    """When, after the first, the second was sent."""
    ticket: Ticket = field(default_factory=Ticket)
    """That of the second."""

    @property
    def end(self) -> tuple[float, str]:
        """When and how it ends: with the first good answer, if there is to be any."""
        if self.second is None:
            return self.first
        good = [each for each in (self.first, self.second) if not each[1]]
        return min(good) if good else max(self.first, self.second)

    def stall(self, elapsed_s: float) -> int:
        """Let what is in flight never come back; return how many requests that stops."""
        stopped = 0
        if elapsed_s <= self.first[0] < math.inf:
            self.first, stopped = _NEVER, 1
        if self.second is not None and elapsed_s <= self.second[0] < math.inf:
            self.second = _NEVER
            stopped += 1
        return stopped


def as_it_was(request: tuple[float, str], elapsed_s: float) -> str:
    """Return how one of two requests has ended whose answer is not used."""
    return request[1] if request[1] and request[0] <= elapsed_s else "hedged"


def time_left(seconds: float, elapsed_s: float) -> float:
    """Return how long a request that is given up would still have been in service."""
    return 0.0 if math.isinf(seconds) else max(0.0, seconds - elapsed_s)
