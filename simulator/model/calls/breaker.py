"""A circuit breaker: closed, open, half open (Nygard 2007; Fowler 2014)."""

from __future__ import annotations

from collections import deque

from simulator.model.timers import AN_INSTANT
from simulator.scenario.resilience import BreakerSpec

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half_open"


class Breaker:
    """One breaker; `simulator.scenario.resilience.BreakerSpec` says what it does.

    Attributes
    ----------
    state : str
        ``closed``, ``open`` or ``half_open``.
    opens : int
        How often it has opened.
    term : int
        How often it has opened or closed.
    """

    __slots__ = (
        "_failed",
        "_failures",
        "_opened_s",
        "_spec",
        "_succeeded",
        "_trials",
        "opens",
        "state",
        "term",
    )

    def __init__(self, spec: BreakerSpec) -> None:
        self._spec = spec
        self._failed: deque[bool] = deque(maxlen=spec.window)
        self._failures = 0
        self.state = CLOSED
        self.opens = 0
        self._opened_s = 0.0
        self._trials = 0
        self._succeeded = 0
        self.term = 0

    @property
    def half_open_s(self) -> float:
        """When an open breaker becomes half open."""
        return self._opened_s + self._spec.open_s

    def admit(self, now: float) -> int | None:
        """Let a request through, and return what its result is to be recorded with; or None."""
        if self.state == OPEN and now >= self.half_open_s:
            self.state = HALF_OPEN
            self._trials = self._succeeded = 0
        if self.state == OPEN:
            return None
        if self.state == HALF_OPEN:
            if self._trials == self._spec.trial_calls:
                return None
            self._trials += 1
        return self.term

    def withdraw(self, term: int) -> None:
        """Take back a request that was let through and not sent, or cancelled."""
        if self.state == HALF_OPEN and term == self.term:
            self._trials -= 1

    def record(self, term: int, failed: bool, now: float) -> bool:
        """Note how a request went; return whether that has changed the state.

        What was let through before it last opened or closed says nothing about it any more.
        """
        if term != self.term:
            return False
        if self.state == HALF_OPEN:
            if failed:
                self._open(now)
                return True
            self._succeeded += 1
            if self._succeeded < self._spec.trial_calls:
                return False
            self.state = CLOSED
            self.term += 1
            return True
        if len(self._failed) == self._spec.window:
            self._failures -= self._failed[0]
        self._failed.append(failed)
        self._failures += failed
        seen = len(self._failed)
        enough = self._spec.failure_rate * seen * (1.0 - AN_INSTANT)
        if seen < self._spec.minimum or self._failures < enough:
            return False
        self._open(now)
        return True

    def _open(self, now: float) -> None:
        self.state = OPEN
        self.opens += 1
        self._opened_s = now
        self.term += 1
        self._failed.clear()
        self._failures = 0
