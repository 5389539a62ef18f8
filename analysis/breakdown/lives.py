"""The lives of sub-agents in one replication: their parents, times and outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.model.trace import Event, Row


@dataclass(frozen=True, slots=True)
class Life:
    """A sub-agent, from its beginning to its end.

    Attributes
    ----------
    agent : int
        Its number, after those of the team.
    parent : int
        The agent that has started it.
    kind : str
    start_s, end_s : float
        Simulated seconds.
    call : int
        The number of its call.
    outcome : str
        How it ended.
    """

    agent: int
    parent: int
    kind: str
    start_s: float
    end_s: float
    call: int
    outcome: str

    @property
    def name(self) -> str:
        """Its name."""
        return f"{self.kind} {self.agent}"


def lives_of(rows: Sequence[Row]) -> list[Life]:
    """Return the sub-agents of a replication, in the order in which they began.

    Parameters
    ----------
    rows : sequence of Row
        Its trace.
    """
    ends = {row.agent: row for row in rows if row.event is Event.SUBAGENT_END}
    found = []
    for row in rows:
        if row.event is Event.SUBAGENT_START and row.agent is not None:
            end = ends[row.agent]
            times = (row.time_s, end.time_s)
            who = (row.agent, row.peer or 0, str(row.outcome))
            found.append(Life(*who, *times, row.call or 0, str(end.outcome)))
    return found
