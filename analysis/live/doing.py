"""What the agents do, as data for the page: states, their looks, and the tasks in hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from analysis.breakdown.lives import Life
from analysis.live.columns import NOBODY, Columns, Ticks, number
from analysis.live.states import LEADS, WAITING, State
from analysis.plots.kinds import KIND_COLOURS
from simulator.model.trace import Event, Row


class Doing(TypedDict):
    """What all agents do over time."""

    kinds: list[dict[str, str]]
    states: Columns
    state_names: list[tuple[str, str, bool]]
    hands: Columns


def doing_of(
    rows: Sequence[Row], states: Sequence[State], lives: Sequence[Life], ticks: Ticks
) -> Doing:
    """Return what the agents of a replication do, from its trace, states and sub-agents."""
    columns, names = _states(states, lives, ticks)
    return {
        "kinds": _kinds(),
        "states": columns,
        "state_names": names,
        "hands": _hands(rows, ticks),
    }


def _kinds() -> list[dict[str, str]]:
    """Return the kinds of states with the colours that they have in other pictures."""
    return [
        {"name": kind, "colour": colour, "label": _LABELS[kind]}
        for kind, colour in {**KIND_COLOURS, WAITING: "#FFFFFF"}.items()
    ]


_LABELS = {
    "work": "works (model call)",
    "rework": "works again",
    "in vain": "works in vain",
    "idle": "call without a task",
    "coordination": "coordinates",
    "review": "reviews",
    "workspace": "reads or commits",
    "failed": "request fails",
    "tools": "tools run",
    "sub-agents": "its sub-agents run",
    "queued": "queues for a tool",
    "held up": "held up",
    "down": "down",
    WAITING: "waits",
}
"""What the kinds of states are, in the room that a legend has."""

_WORDS = {
    "work": "works on a task (a model call)",
    "rework": "works again on a task that had failed (a model call)",
    "in vain": "works in vain (a model call)",
    "idle": "is in a model call that takes no task",
    "coordination": "coordinates (a model call)",
    "review": "reviews (a model call)",
    "workspace": "reads or commits to the workspace",
    "failed": "request that fails",
    "tools": "its tools run",
    "sub-agents": "waits for its sub-agents",
    "queued": "queues for a tool",
    "held up": "held up",
    "down": "down",
    WAITING: "waits between calls",
}
"""What the kinds of states are, for readers who do not know their names."""

_WITH_WHY = ("failed", "held up")
"""Kinds of states that say why, since that is known while they last."""


def _words(kind: str, why: str) -> tuple[str, str, bool]:
    """Return the kind of a state, what it is in words, and whether its agent leads elsewhere."""
    if why == LEADS:
        return kind, "leads in the seat of a coordinator; its own is empty", True
    said = f": {why.replace('_', ' ')}" if kind in _WITH_WHY and why else ""
    return kind, _WORDS[kind] + said, False


def _states(
    states: Sequence[State], lives: Sequence[Life], ticks: Ticks
) -> tuple[Columns, list[tuple[str, str, bool]]]:
    """Return the states of all in the order of time, and the names of those that there are.

    A sub-agent that has ended has the state -1.
    """
    changes = [(state.start_s, state.agent, _words(state.kind, state.why)) for state in states]
    names = list(dict.fromkeys(name for _, _, name in changes))
    place = {name: i for i, name in enumerate(names)}
    found = [(life.end_s, life.agent, NOBODY) for life in lives]
    found += [(time_s, agent, place[name]) for time_s, agent, name in changes]
    found.sort(key=lambda change: change[0])
    columns = ticks.columns(
        [time_s for time_s, _, _ in found],
        agent=[agent for _, agent, _ in found],
        to=[to for _, _, to in found],
    )
    return columns, names


def _hands(rows: Sequence[Row], ticks: Ticks) -> Columns:
    """Return the tasks of calls: the first of them and how many more, from when on."""
    of_call: dict[int | None, list[int]] = {}
    for row in rows:
        if row.event in (Event.ATTEMPT, Event.REVIEW) and row.task is not None:
            of_call.setdefault(row.call, []).append(row.task)
    times, agents, tasks, more = [], [], [], []
    for row in rows:
        if row.event in (Event.CALL_START, Event.CALL_END) and row.call in of_call:
            begins, mine = row.event is Event.CALL_START, of_call[row.call]
            times.append(row.time_s)
            agents.append(number(row.agent))
            tasks.append(mine[0] if begins else NOBODY)
            more.append(len(mine) - 1 if begins else 0)
    return ticks.columns(times, agent=agents, task=tasks, more=more)
