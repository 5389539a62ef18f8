"""A process of the engine's own, for what goes on in steps all through a replication."""

from __future__ import annotations

from collections.abc import Iterator

import simpy
from simpy.events import URGENT

from simulator.engine.schedule import Due, Schedule


class OwnProcess(Due):
    """A process that cannot be waited for, interrupted or asked for a value, as SimPy's can.

    So a step of it takes less time, which counts where there is one in each round.

    Parameters
    ----------
    env : Schedule
    steps : iterator of Event or None
        Each step ends with the event that the next waits for; with None where it has let the
        process itself happen later.
    """

    __slots__ = ("_env", "_event", "_steps")

    def __init__(self, env: Schedule, steps: Iterator[simpy.Event | None]) -> None:
        self._env, self._steps = env, steps
        self._event: simpy.Event | None = None

    def start(self) -> None:
        """Take the first step now, before all else that happens."""
        self._env.schedule(self, URGENT)

    def happen(self) -> None:
        """Take the next step."""
        event = next(self._steps, None)
        while event is not None and event.callbacks is None:  # it has happened already
            event = next(self._steps, None)
        self._event = event
        if event is not None:
            event.callbacks.append(self._go_on)

    def _go_on(self, event: simpy.Event) -> None:
        """Take the next step, now that the event has happened for which it waits."""
        self.happen()

    def forget(self) -> None:
        """Wait for nothing any more: an event and who waits for it would keep each other."""
        if self._event is not None and self._event.callbacks is not None:
            self._event.callbacks.clear()
