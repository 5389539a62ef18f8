"""Finds in the trace of one replication when agents wait for tools that are not served yet."""

from __future__ import annotations

from collections import defaultdict

from analysis.breakdown.stretches import Stretch, gaps_between
from simulator.model.trace import Event, Row

ON_TOOLS = ("tool", "subagent")
"""Outcomes of waits between two turns of a loop."""


class ToolQueues:
    """Tells the waits for tools that stations serve from those for tools that still queue there.

    Every row of a trace is shown to it, in order.
    """

    def __init__(self) -> None:
        self._served: defaultdict[int | None, list[Stretch]] = defaultdict(list)

    def show(self, row: Row) -> list[Stretch]:
        """Note when a tool was served; return when no tool of a wait for tools was.

        Parameters
        ----------
        row : Row

        Returns
        -------
        list of (float, float)
            Starts and ends, in simulated seconds; none if the row is no wait for tools.
        """
        if row.event is Event.TOOL:
            self._served[row.call].append((row.time_s - (row.duration_s or 0.0), row.time_s))
        if row.event is not Event.WAIT or row.outcome not in ON_TOOLS:
            return []
        seconds = row.duration_s or 0.0
        begun_s = row.time_s - seconds
        served = [
            (max(0.0, start - begun_s), max(0.0, end - begun_s))
            for start, end in self._served.pop(row.call, ())
        ]
        return [(begun_s + start, begun_s + end) for start, end in gaps_between(served, seconds)]
