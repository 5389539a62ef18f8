"""When each of several independent agents began its pieces of work: their starts and pauses.

Agents that tell each other nothing may begin at different times, and each may pause between two
pieces of work: for people, for the clock, for what the trace does not show. A task that arrives
when such a piece of work began keeps agents as idle as they were. Agents also begin late because
they wait for each other's work, which a task graph says better; then they begin as another ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.calibration.rounding import four_digits
from analysis.observation.runs import Run
from analysis.observation.structure import INDEPENDENT, Structure
from analysis.observation.units import Unit
from analysis.observation.workload import Work
from simulator.words import percent

LEAST_SHARE = 0.05
"""Share of a run in pauses from which a twin has them."""

SHORTEST_S = 1.0
"""Shorter pauses are between calls; what begins so soon after another's end may wait for it."""

_WAITS = 0.5
"""Share of pauses that end with another's work, beyond chance, from which agents wait for it."""

Roles = Mapping[tuple[str, str], str]
"""Role of each agent, by run and agent."""


def arriving_workload(
    structure: Structure, runs: Sequence[Run], units: Mapping[str, Sequence[Unit]], roles: Roles
) -> Work | None:
    """Return the tasks of the run of median length, each arriving when its agent began it.

    Each says who does it. None if the agents are not independent, have hardly any pauses, or wait
    for each other.

    Parameters
    ----------
    structure : Structure
    runs : sequence of Run
    units : mapping
        Units of work of each run's workers.
    roles : mapping
    """
    known = [run for run in runs if units[run.name] and run.operations.makespan_s > 0.0]
    if structure.kind != INDEPENDENT or structure.in_rounds or not known:
        return None
    pauses = {run.name: _pauses(units[run.name]) for run in known}
    shares = [_share(units[run.name], pauses[run.name]) for run in known]
    share = float(np.median(shares))
    if share < LEAST_SHARE or _follow_others([(units[r.name], pauses[r.name]) for r in known]):
        return None
    paused = [run for run in known if any(pauses[run.name])]
    paused.sort(key=lambda run: run.operations.makespan_s)
    middle = paused[(len(paused) - 1) // 2]
    tasks = _tasks(middle, units[middle.name], pauses[middle.name], roles)
    said = (
        f"units of work of the run of median length; each arrives when its agent began it after a "
        f"pause of {SHORTEST_S:g} s or more. In the median run, agents that had not ended yet "
        f"had no work for {percent(share)} of the time"
    )
    return Work({"kind": "dag", "tasks": tasks}, said, len(tasks), is_certain=True, is_dealt=True)


def _pauses(units: Sequence[Unit]) -> list[float]:
    """Return for how long the agent of each unit had had nothing to do; 0 for short pauses."""
    free: dict[int, float] = {}
    found = []
    for unit in units:
        pause = unit.start_s - free.get(unit.agent, 0.0)
        found.append(pause if pause >= SHORTEST_S else 0.0)
        free[unit.agent] = max(free.get(unit.agent, 0.0), unit.end_s)
    return found


def _share(units: Sequence[Unit], pauses: Sequence[float]) -> float:
    """Return the share of pauses in the time from the beginning of a run to each agent's end."""
    ends: dict[int, float] = {}
    for unit in units:
        ends[unit.agent] = max(ends.get(unit.agent, 0.0), unit.end_s)
    return sum(pauses) / sum(ends.values())


def _follow_others(runs: Sequence[tuple[Sequence[Unit], Sequence[float]]]) -> bool:
    """Tell whether most pauses end when another agent's work does.

    Some do by chance: if others end r times in a second, a share 1 - exp(-r s) of all moments is
    within s seconds of an end. Where nearly all are, nothing can be told, and agents are taken to
    wait.
    """
    waited = by_chance = total = 0.0
    for units, pauses in runs:
        ends = np.asarray([unit.end_s for unit in units])
        owners = np.asarray([unit.agent for unit in units])
        for unit, pause in zip(units, pauses, strict=True):
            if pause > 0.0:
                others = ends[owners != unit.agent]
                since = unit.start_s - others
                total += pause
                waited += pause * bool(((since >= -1e-6) & (since <= SHORTEST_S)).any())
                rate = len(others) / float(ends.max())
                by_chance += pause * -np.expm1(-rate * SHORTEST_S)
    return bool(waited - by_chance >= _WAITS * (total - by_chance)) or by_chance > 0.9 * total


def _tasks(
    run: Run, units: Sequence[Unit], pauses: Sequence[float], roles: Roles
) -> list[dict[str, Any]]:
    """Return the tasks in the order in which they began, with who does them."""
    worker = _workers(run, units, roles)
    arrived: dict[int, float] = {}
    found = []
    for i, (unit, pause) in enumerate(zip(units, pauses, strict=True), start=1):
        if pause > 0.0:
            arrived[unit.agent] = four_digits(unit.start_s)
        at = {"arrival_s": arrived[unit.agent]} if unit.agent in arrived else {}
        role, number = worker[unit.agent]
        found.append({"id": f"task-{i}", **at, "family": role, "worker": number})
    return found


def _workers(run: Run, units: Sequence[Unit], roles: Roles) -> dict[int, tuple[str, int]]:
    """Return each agent's role and its number in it.

    An agent that begins when another of its role has ended takes over its number: so there are as
    many of a role as were there at a time.
    """
    spans: dict[int, tuple[float, float]] = {}
    for unit in units:
        start, end = spans.get(unit.agent, (unit.start_s, unit.end_s))
        spans[unit.agent] = (min(start, unit.start_s), max(end, unit.end_s))
    ends: dict[str, list[float]] = {}
    found = {}
    for agent, (start, end) in sorted(spans.items(), key=lambda each: each[1]):
        role = roles.get((run.name, run.operations.agents[agent]), "")
        taken = ends.setdefault(role, [])
        free = next((i for i, until in enumerate(taken) if until <= start), len(taken))
        taken[free : free + 1] = [end]
        found[agent] = role, free + 1
    return found
