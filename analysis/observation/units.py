"""Units of work: what an agent does from a question to its answer, or in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.observation.activity import Operations

CLOCK_S = 0.002
"""Starts and ends are rounded, often to milliseconds: what follows at once may begin before."""

_NOISE_S = 1e-6
"""Rounding errors of seconds since a run began."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The work of an agent on one question: calls of the model, and tools between them.

    Attributes
    ----------
    agent : int
        Its place among the run's agents.
    start_s, end_s : float
        Start of its first call of the model, and end of its last.
    turns : int
        Its calls of the model that were answered; 1 if none was.
    """

    agent: int
    start_s: float
    end_s: float
    turns: int


def units_of(run: Operations, by_call: bool = False) -> list[Unit]:
    """Return the units of a run in the order of their starts.

    Parameters
    ----------
    run : Operations
    by_call : bool
        Whether each call is a unit. Otherwise a call continues the unit of the call before if
        that asked for tools, or if a tool of the agent began in between. A call that failed is an
        attempt at the next one; if none follows, it belongs to what was given up. What was
        cancelled before anything was answered, as by the end of the run, is no unit.
    """
    found: list[Unit] = []
    for agent in range(len(run.agents)):
        chats: list[int] = []
        tried: list[int] = []
        goes_on = False
        for i in np.flatnonzero(run.agent == agent).tolist():
            if run.tool[i] is not None:
                goes_on = goes_on or bool(chats)
            elif run.failed[i]:
                tried.append(i)
            else:
                if chats and (by_call or not goes_on):
                    found.append(_unit(run, agent, chats))
                    chats = []
                chats += [*tried, i]
                tried, goes_on = [], bool(run.asks[i])
        if chats and tried and (by_call or not goes_on):
            found.append(_unit(run, agent, chats))
            chats = []
        if chats or (tried and not run.cut[tried[-1]]):
            found.append(_unit(run, agent, chats + tried))
    return sorted(found, key=lambda unit: (unit.start_s, unit.agent))


def follows(start_s: float, before: tuple[float, float]) -> bool:
    """Tell whether work began when other work had ended, by clocks that are rounded.

    What began before the middle of other work did not follow it, however short that is.

    Parameters
    ----------
    start_s : float
        Start of the work.
    before : (float, float)
        Start and end of the other work.
    """
    begin, end = before
    return start_s >= end - max(_NOISE_S, min(CLOCK_S, (end - begin) / 2))


def _unit(run: Operations, agent: int, chats: Sequence[int]) -> Unit:
    ends = max(float(run.end[i]) for i in chats)
    answered = len(chats) - int(run.failed[list(chats)].sum())
    return Unit(agent, float(run.start[chats[0]]), ends, max(1, answered))
