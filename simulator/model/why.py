"""Why requests and calls come to nothing."""

from __future__ import annotations

from enum import StrEnum


class Why(StrEnum):
    """Why a request or a call has come to nothing; empty where it has not."""

    NOTHING = ""
    TIMEOUT = "timeout"
    """Its client has lost patience."""
    ERROR = "error"
    """The provider has answered with an error."""
    OUTAGE = "outage"
    """The provider was out of service."""
    MALFORMED = "malformed"
    """The reply could not be used."""
    REFUSED = "refused"
    """The provider did not take it in, however often it was asked."""
    BREAKER = "breaker"
    """A circuit breaker has held it back."""
    PROMPT_TOO_LONG = "prompt_too_long"
    """It does not fit the model's window."""
    TURN_LIMIT = "turn_limit"
    """Its loop has had as many turns as it may have."""
    HEDGED = "hedged"
    """The other of two requests was answered first."""
    CUT_OFF = "cut_off"
    """The run has ended."""
    STALL = "stall"
    """It will never come back."""
    CRASH = "crash"
    """Its agent has crashed."""
    PROMOTED = "promoted"
    """Its agent has taken the seat of a coordinator."""
    RESTART = "restart"
    """Its supervisor has restarted its agent."""
    STUCK = "stuck"
    """A detector took its agent for dead."""
    BACKUP = "backup"
    """Another has done the task."""
    SIMPLER = "simpler"
    """The team has gone over to a simpler protocol."""
    LATE = "late"
    """The barrier has waited for enough others."""
    CANCELLED = "cancelled"
    """Nobody waits for it any more."""
    SILENT = "silent"
    """The agent has done the task, and does not hand it in."""

    @property
    def is_billed(self) -> bool:
        """Whether the provider sends a bill for a request that ends so."""
        return self not in _THE_PROVIDERS_OWN

    @property
    def blames_service(self) -> bool:
        """Whether it speaks against the service, for its circuit breaker."""
        return self in _THE_PROVIDERS_OWN or self is Why.TIMEOUT

    @property
    def is_final(self) -> bool:
        """Whether, after enough calls that end so, their tasks may be left as they are."""
        return self in _FOR_GOOD


_THE_PROVIDERS_OWN = frozenset({Why.ERROR, Why.OUTAGE})
_FOR_GOOD = _THE_PROVIDERS_OWN | {
    Why.TIMEOUT,
    Why.MALFORMED,
    Why.REFUSED,
    Why.BREAKER,
    Why.PROMPT_TOO_LONG,
}
