"""The team, as data for the page: who is in it and where, who is cut off, and who leads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from analysis.breakdown.lives import Life
from analysis.breakdown.timeline import agent_names
from analysis.live.columns import Columns, Ticks, number
from analysis.live.places import places_of
from simulator.model.trace import Event, Row
from simulator.scenario import Scenario


class Team(TypedDict):
    """Agents, sub-agents, and the places and links of the team."""

    agents: list[str]
    who: str
    workers: int
    places: list[tuple[float, float]]
    links: list[int]
    hearers: dict[str, list[int]]
    layout: str
    parents: list[int]
    subagents: Columns
    cuts: Columns
    leads: Columns


def team_of(
    scenario: Scenario, replication: int, rows: Sequence[Row], lives: Sequence[Life], ticks: Ticks
) -> Team:
    """Return the team of a replication; sub-agents come after the others, by their numbers."""
    places = places_of(scenario, replication)
    begun = sorted(lives, key=lambda life: life.start_s)
    return {
        "agents": [*agent_names(scenario), *(life.name for life in lives)],
        "who": _who(scenario),
        "workers": scenario.team.worker_count,
        "places": places.at,
        "links": [agent for pair in places.links for agent in pair],
        "hearers": {str(agent): each for agent, each in places.hearers.items()},
        "layout": places.words,
        "parents": [life.parent for life in lives],
        "subagents": ticks.columns(
            [life.start_s for life in begun],
            agent=[life.agent for life in begun],
            slot=_slots(begun),
        ),
        "cuts": _cuts(rows, ticks),
        "leads": _leads(rows, ticks),
    }


def _who(scenario: Scenario) -> str:
    """Return who is in a team, as a reader says it."""
    counts = {"worker": scenario.team.worker_count, **scenario.staff}
    said = [f"{n:,} {role}{'s' * (n != 1)}" for role, n in counts.items() if n]
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)


def _slots(lives: Sequence[Life]) -> list[int]:
    """Return a place beside its parent for each sub-agent, that no other has while it lives."""
    taken: dict[int, list[float]] = {}
    found = []
    for life in lives:
        ends = taken.setdefault(life.parent, [])
        free = next((i for i, end_s in enumerate(ends) if end_s <= life.start_s), len(ends))
        ends[free : free + 1] = [life.end_s]
        found.append(free)
    return found


def _cuts(rows: Sequence[Row], ticks: Ticks) -> Columns:
    """Return how many workers, the last ones, are cut off from when on."""
    cuts = [row for row in rows if row.event is Event.PARTITION]
    off = [(row.peer or 0) if row.outcome == "begins" else 0 for row in cuts]
    return ticks.columns([row.time_s for row in cuts], off=off)


def _leads(rows: Sequence[Row], ticks: Ticks) -> Columns:
    """Return which worker sits in a coordinator's seat from when on."""
    found = [row for row in rows if row.event is Event.LEADS]
    seats, by = [number(row.agent) for row in found], [number(row.peer) for row in found]
    return ticks.columns([row.time_s for row in found], seat=seats, by=by)
