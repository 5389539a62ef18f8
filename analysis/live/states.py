"""What every agent does at each moment of one replication: states that change at single times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.breakdown.lives import Life
from analysis.breakdown.timeline import Span
from simulator.model.trace import Event, Row

WAITING = "waiting"
"""The kind of what an agent does between its spans."""

LEADS = "leads"
"""Why a worker is down that sits in a coordinator's seat: its own is empty."""


@dataclass(frozen=True, slots=True)
class State:
    """What an agent does from a time on, until its next state.

    Attributes
    ----------
    agent : int
    start_s, end_s : float
        Simulated seconds.
    kind : str
        One of `analysis.breakdown.timeline.KINDS`, or `WAITING`.
    why : str
        How it ended, by the trace; empty where the agent waits between calls.
    """

    agent: int
    start_s: float
    end_s: float
    kind: str
    why: str = ""


def states_of(
    spans: Sequence[Span], rows: Sequence[Row], agents: int, lives: Sequence[Life]
) -> list[State]:
    """Return the states of all agents; those of one cover its time without gap or overlap.

    Parameters
    ----------
    spans : sequence of Span
        From `analysis.breakdown.timeline.spans_of`.
    rows : sequence of Row
        The trace that they are of.
    agents : int
        Agents of the team, who are there from the beginning to the end of the run.
    lives : sequence of Life
        Sub-agents, who are there while they live.

    Returns
    -------
    list of State
        Agent by agent, and in the order of time.
    """
    there = dict.fromkeys(range(agents), (0.0, rows[-1].time_s))
    there |= {life.agent: (life.start_s, life.end_s) for life in lives}
    leads = {(row.peer, row.time_s) for row in rows if row.event is Event.LEADS}
    of: defaultdict[int, list[Span]] = defaultdict(list)
    for span in spans:
        of[span.agent].append(span)
    found: list[State] = []
    for agent, (start_s, end_s) in there.items():
        reached = start_s
        for span in of[agent]:
            begin, end = max(reached, span.start_s), min(span.end_s, end_s)
            if end <= begin:
                continue
            if begin > reached:
                found.append(State(agent, reached, begin, WAITING))
            is_leading = span.kind == "down" and (agent, span.start_s) in leads
            found.append(State(agent, begin, end, span.kind, LEADS if is_leading else span.why))
            reached = end
        if end_s > reached:
            found.append(State(agent, reached, end_s, WAITING))
    return found
