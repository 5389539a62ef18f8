"""The time of one agent: when its call began, what it is doing in it, how long it has waited."""

from __future__ import annotations

WAITING, SERVING, COMMITTING, WASTING = 0, 1, 2, 3
"""Phases of a call that takes more than its service; what was wasted is known only after."""


class Timesheet:
    """Where an agent's time goes. All times are simulated seconds.

    A `CallBook` begins and ends its calls.

    Attributes
    ----------
    in_call : bool
        Whether the agent is in a call.
    started_s : float
        When the call began.
    read_s : float
        When it read the artifacts that it writes.
    duration_s : float
        How long the call lasts, or has lasted in service.
    phase, since_s : int, float
        What the call is doing, and since when, where it takes more than its service.
    waits_for : str
        What it waits for, if it does.
    earlier_s, served_s : float
        How long it has been in service: in earlier turns of a loop, and in this one.
    served_at_pace : float
        What slow phases of the provider multiply its service by.
    free_since : float
        When the agent's last call ended, or it came back.
    busy_s, waited_s : float
        How long it has been in calls, and has waited, in all.
    last_admitted : int
        The number of its last request that the provider admitted.
    """

    __slots__ = (
        "busy_s",
        "duration_s",
        "earlier_s",
        "free_since",
        "in_call",
        "last_admitted",
        "phase",
        "read_s",
        "served_at_pace",
        "served_s",
        "since_s",
        "started_s",
        "waited_s",
        "waits_for",
    )

    def __init__(self) -> None:
        self.in_call = False
        self.started_s = self.read_s = self.duration_s = 0.0
        self.phase = WAITING
        self.since_s = self.earlier_s = self.served_s = 0.0
        self.served_at_pace = 1.0
        self.waits_for = ""
        self.free_since = self.busy_s = self.waited_s = 0.0
        self.last_admitted = 0

    def cut_off(self, seconds: float) -> None:
        """End the call with the run, after so many seconds of service."""
        self.duration_s = seconds
        self.busy_s += seconds

    def stretch(self, factor: float) -> None:
        """Let the call last so many times as long."""
        self.duration_s *= factor

    def begin_steps(self) -> None:
        """Let the call that has begun go through phases; it waits first."""
        self.phase, self.since_s = WAITING, self.started_s
        self.earlier_s = self.served_s = 0.0

    def end_turn(self) -> None:
        """End a turn of a loop that goes on."""
        self.earlier_s += self.served_s
        self.served_s = 0.0

    def begin_turn(self, duration_s: float) -> None:
        """Begin a turn that lasts so long, if nothing comes between."""
        self.duration_s = duration_s

    def end_steps(self) -> None:
        """Let the call have lasted as long as it was in service."""
        self.duration_s = self.earlier_s + self.served_s

    def enter(self, phase: int, now: float) -> None:
        """Go on to another phase; time in service and time that was waited are booked here."""
        if self.phase == SERVING:
            self.served_s += now - self.since_s
        elif self.phase == WAITING:
            self.waited_s += now - self.since_s
        self.phase = phase
        self.since_s = now

    def begin_service(self, now: float) -> None:
        """Go on from waiting to service."""
        self.waited_s += now - self.since_s
        self.phase, self.since_s = SERVING, now

    def end_service(self, now: float) -> None:
        """Go on from service to waiting."""
        self.served_s += now - self.since_s
        self.phase, self.since_s = WAITING, now

    def end_wait(self, now: float) -> float:
        """Wait for nothing any more; return for how many seconds it was waited."""
        elapsed_s = now - self.since_s
        self.waited_s += elapsed_s
        self.since_s, self.waits_for = now, ""
        return elapsed_s

    def throw_away(self) -> None:
        """Let the present phase have been in vain."""
        self.phase = WASTING

    def wait_for(self, what: str) -> None:
        """Wait for something."""
        self.waits_for = what

    def read_anew(self, now: float) -> None:
        """Read the artifacts that the call writes once more."""
        self.read_s = now

    def slow_down(self, pace: float) -> None:
        """Let slow phases multiply the service by so much."""
        self.served_at_pace = pace

    def admitted(self, number: int) -> None:
        """Note the number of the request that the provider has taken in."""
        self.last_admitted = number

    def book_free(self, now: float) -> None:
        """Book as waited the time since the last call.

        Call `free_from` before the next call, or that time is booked again.
        """
        self.waited_s += now - self.free_since

    def wait_more(self, seconds: float) -> None:
        """Book more seconds as waited."""
        self.waited_s += seconds

    def free_from(self, now: float) -> None:
        """Let the agent be free from a time on: it does not wait before."""
        self.free_since = now
