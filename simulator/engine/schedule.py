"""What is to happen when: as much of SimPy's environment as its events and processes need."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import cast

import simpy
from simpy.events import NORMAL, ProcessGenerator

from simulator.engine.heap import Heap
from simulator.model.agents.agent import AgentState

NOBODY = -1
"""The number of no agent."""

LAST = NORMAL + 1
"""The priority of what happens after all else at the same time."""


class Due:
    """What happens at some time and is no event of SimPy: nobody waits for it."""

    __slots__ = ()

    def happen(self) -> None:
        """Happen now."""

    def whose(self) -> int:
        """Return the number of the agent whose call goes on by it, `NOBODY` if none does."""
        return NOBODY


class Pause(Due):
    """That some time has passed: processes of SimPy wait for it as for its own time-outs."""

    __slots__ = ("_ok", "_value", "callbacks")

    def __init__(self) -> None:
        self.callbacks: list[Callable[[Pause], None]] | None = []
        self._ok, self._value = True, None

    def happen(self) -> None:
        """Let those go on who wait."""
        callbacks, self.callbacks = self.callbacks, None
        assert callbacks is not None
        for callback in callbacks:
            callback(self)

    def forget(self) -> None:
        """Let nobody wait for it any more."""
        self.callbacks = None


class AfterCall(ABC):
    """What decides how an agent goes on after a call."""

    __slots__ = ()

    @abstractmethod
    def call_ends(self, agent: AgentState) -> None:
        """End a call that has been through its service, and its other steps if it has any."""


class Timing(AfterCall):
    """What decides when agents call."""

    __slots__ = ()

    @abstractmethod
    def go_on(self, agent: AgentState) -> None:
        """Let an agent make its next calls."""

    @abstractmethod
    def react(self) -> None:
        """Wake agents, after something has happened outside any call."""

    @abstractmethod
    def settle(self) -> None:
        """Be told that the run has ended, before it is summed up."""


class CallDue(Due):
    """The end of an agent's call that is nothing but its service."""

    __slots__ = ("_timing", "agent")

    def __init__(self, agent: AgentState, timing: Timing) -> None:
        self.agent, self._timing = agent, timing

    def happen(self) -> None:
        """End the call."""
        self._timing.call_ends(self.agent)

    def whose(self) -> int:
        """Return the agent's number."""
        return self.agent.index


class _End(Due):
    """The end of the run."""

    __slots__ = ("_schedule",)

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule

    def happen(self) -> None:
        """Let nothing else happen."""
        self._schedule.is_over = True


class Schedule:
    """A SimPy environment that is compiled, in which there are also events of our own.

    Attributes
    ----------
    now : float
        Simulated seconds.
    is_over : bool
        Whether nothing else is to happen.
    """

    __slots__ = ("_active_proc", "_queue", "is_over", "now")

    def __init__(self) -> None:
        self.now: float = 0  # as in SimPy, and in traces
        self.is_over = False
        self._queue = Heap()
        self._active_proc: simpy.Process | None = None  # SimPy sets it

    @property
    def active_process(self) -> simpy.Process | None:
        """The process that goes on now, if one does."""
        return self._active_proc

    def schedule(self, event: simpy.Event | Due, priority: int = NORMAL, delay: float = 0) -> None:
        """Let an event happen after `delay` seconds; of those at one time, by priority."""
        self._queue.push(self.now + delay, priority, event)

    def due(self, event: Due, delay: float) -> None:
        """Let an event of our own happen after `delay` seconds.

        Raises
        ------
        ValueError
            If `delay` is negative.
        """
        if delay < 0:
            raise ValueError(f"a delay of {delay} seconds is negative")
        self._queue.push(self.now + delay, NORMAL, event)

    def end(self, delay: float = 0.0) -> None:
        """Let nothing else happen after `delay` seconds, or after what is already to happen now."""
        self.due(_End(self), delay)

    def event(self) -> simpy.Event:
        """Return an event to wait for."""
        return simpy.Event(self)  # type: ignore[arg-type]  # all that events need of one

    def timeout(self, delay: float) -> simpy.Event:
        """Return the event that `delay` seconds have passed, at least 0."""
        pause = Pause()
        self.due(pause, delay)
        return pause  # type: ignore[return-value]  # as much of an event as processes look at

    def process(self, steps: ProcessGenerator) -> simpy.Process:
        """Start a process."""
        return simpy.Process(self, steps)  # type: ignore[arg-type]

    def go_on(self, events: int) -> bool:
        """Let so many events happen; return whether there may be more."""
        queue = self._queue
        for _happened in range(events):  # a name that has a type, unlike `_`
            try:
                happens = queue.pop()
            except IndexError:  # nothing is left
                return False
            self.now = queue.time
            if isinstance(happens, Due):
                ours: Due = happens
                ours.happen()
                if self.is_over:
                    return False
                continue
            event: simpy.Event = happens  # type: ignore[assignment]  # as it is not ours
            callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]
            for callback in callbacks:
                callback(event)
            if not (event._ok or event.defused):
                error = cast(Exception, event._value)
                raise type(error)(*error.args) from error
        return True

    def at_this_instant(self) -> list[object]:
        """Return what is still to happen at the present time."""
        return self._queue.up_to(self.now)

    def has_call_until(self, time_s: float) -> bool:
        """Return whether a call goes on after the present time and up to another."""
        later = self._queue.up_to(time_s, after=self.now)
        return any(isinstance(event, Due) and event.whose() != NOBODY for event in later)

    def forget(self) -> None:
        """Drop all that has not happened; a pause and who waits for it would keep each other."""
        for event in self._queue.up_to(math.inf):
            if isinstance(event, Pause):
                event.forget()
        self._queue.clear()
        self._active_proc = None
