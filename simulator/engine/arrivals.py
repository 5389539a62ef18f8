"""Tasks that arrive as the run goes on."""

from __future__ import annotations

from simulator.engine.schedule import Due, Schedule, Timing
from simulator.model.team.sides import Sides


class TaskArrivals(Due):
    """The arrivals of tasks, one after the other: an event that is due again for the next.

    Parameters
    ----------
    env : Schedule
    sides : Sides
        Where tasks arrive.
    timing : Timing
        Wakes whom they concern.

    Attributes
    ----------
    are_over : bool
        Whether all tasks have arrived.
    """

    __slots__ = ("_arrivals_s", "_env", "_order", "_place", "_sides", "_timing", "are_over")

    def __init__(self, env: Schedule, sides: Sides, timing: Timing) -> None:
        self._env, self._sides, self._timing = env, sides, timing
        self._arrivals_s = arrivals_s = sides.board.graph.arrivals_s
        self._order = sorted(range(len(arrivals_s)), key=arrivals_s.__getitem__)
        self._place = 0
        self.are_over = not self._order

    def happen(self) -> None:
        """Let the tasks arrive that do so now."""
        env, order, arrivals_s = self._env, self._order, self._arrivals_s
        while self._place < len(order):
            task = order[self._place]
            wait_s = arrivals_s[task] - env.now
            if wait_s > 0.0:
                env.due(self, wait_s)
                return
            self._place += 1
            if self._sides.arrive(task, env.now):
                self._timing.react()
        self.are_over = True
