"""Tells whether agents work in rounds, in which all begin together, or in turn, one at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from analysis.observation.activity import Operations
from analysis.observation.runs import Run
from analysis.observation.units import Unit, units_of

OVERLAP = 0.05
"""Share of the agents' time that may overlap if one follows the other."""

_IN_STEP = 0.8
"""A team works in rounds if at least this share of starts is simultaneous with another agent's."""


def turns_of(run: Operations, roles: Collection[str]) -> list[str] | None:
    """Return the agents in the order in which they worked; None if some worked at once.

    A graph that calls its nodes one after another leaves no more behind: who works next got the
    work of who worked before.
    """
    reached: dict[str, float] = {}
    found: list[str] = []
    shared = total = 0.0
    for i in np.argsort(run.start, kind="stable"):
        agent, start, end = run.agents[run.agent[i]], float(run.start[i]), float(run.end[i])
        if agent in roles:
            others = max((until for each, until in reached.items() if each != agent), default=start)
            shared += max(0.0, min(others, end) - start)
            total += end - start
            reached[agent] = max(reached.get(agent, end), end)
            found += [] if found and found[-1] == agent else [agent]
    return found if shared <= OVERLAP * total else None


def in_rounds(runs: Sequence[Run], lead: str, role: Mapping[tuple[str, str], str]) -> bool:
    """Return whether workers begin their units at the same moments, without first units."""
    shared = alone = 0
    for run in runs:
        workers = {
            place
            for place, agent in enumerate(run.operations.agents)
            if role.get((run.name, agent)) not in (None, lead)
        }
        units = [unit for unit in units_of(run.operations) if unit.agent in workers]
        if len(workers) < 2:
            continue
        close_s = 1e-3 * float(np.median([unit.end_s - unit.start_s for unit in units] or [0.0]))
        some = _starts(units, close_s)
        shared, alone = shared + some[0], alone + some[1]
    return shared + alone >= 4 and shared >= _IN_STEP * (shared + alone)


def _starts(units: Sequence[Unit], close_s: float) -> tuple[int, int]:
    """Return how many units begin at the same moment as another agent's, and how many do not."""
    order = sorted((unit.start_s, unit.agent) for unit in units if unit.start_s > close_s)
    shared = 0
    for i, (start, agent) in enumerate(order):
        near = [*order[max(0, i - 1) : i], *order[i + 1 : i + 2]]
        shared += any(abs(s - start) <= close_s and a != agent for s, a in near)
    return shared, len(order) - shared
