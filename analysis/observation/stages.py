"""The work of each run as stages: pieces of work that begin together when all before have ended.

A graph of nodes, a chat of agents who speak in turn, a map of many parts and the step that joins
them leave no messages behind, but such stages. How many there are, and who works in them, differs
from run to run; so each replication of the twin has the stages of one of the runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from analysis.calibration.rounding import four_digits
from analysis.observation.arrivals import LEAST_SHARE, SHORTEST_S
from analysis.observation.resampling import FEWEST, chosen
from analysis.observation.roles import typical
from analysis.observation.runs import Run
from analysis.observation.structure import INDEPENDENT, MESH, Structure
from analysis.observation.units import Unit, follows
from analysis.observation.workload import IN_STAGES, IN_TURN, Work
from simulator.words import percent

Roles = Mapping[tuple[str, str], str]
"""Role of each agent, by run and agent."""

Stages = list[list[Unit]]

_ASSUMED = IN_STAGES.format("workload.runs without stages")


def staged_workload(
    structure: Structure, runs: Sequence[Run], units: Mapping[str, Sequence[Unit]], roles: Roles
) -> Work | None:
    """Return the stages of all runs; None if too few runs have them, or there are too few runs.

    Parameters
    ----------
    structure : Structure
    runs : sequence of Run
    units : mapping
        Units of work of each run's workers.
    roles : mapping
    """
    if structure.kind not in (MESH, INDEPENDENT):
        return None
    known = {run.name: units[run.name] for run in runs if units[run.name]}
    length_s = {run.name: run.operations.makespan_s for run in runs}
    stages = {name: found for name, some in known.items() if (found := stages_of(some))}
    paused_s = {name: float(sum(_pauses(some))) for name, some in stages.items()}
    shares = [paused_s[name] / max(length_s[name], 1e-9) for name in stages]
    is_paused = bool(stages) and float(np.median(shares)) > LEAST_SHARE
    if is_paused and structure.kind != MESH:
        return None
    families = {
        run.name: [
            roles.get((run.name, run.operations.agents[unit.agent]), "")
            for stage in stages[run.name]
            for unit in stage
        ]
        for run in runs
        if run.name in stages
    }
    telling = [name for name, some in known.items() if len(some) > 1]
    staged = sum(name in stages for name in telling)
    alike = {(_widths(stages[name]), tuple(some)) for name, some in families.items()}
    if (
        len(stages) < FEWEST
        or len(alike) == 1
        or 2 * len(telling) < len(known)
        or staged < IN_TURN * len(telling)
    ):
        return None
    names = chosen(sorted(stages, key=lambda name: (len(families[name]), name)))
    listed = [
        {
            "sizes": [1] * len(families[name]),
            "stages": list(_widths(stages[name])),
            "families": families[name],
            **({"arrivals_s": _arrivals(stages[name])} if is_paused else {}),
        }
        for name in names
    ]
    counts = [len(some) for some in families.values()]
    said = (
        f"pieces of work that begin together when all before have ended, and who does them, of "
        f"{len(names):,} of {len(known):,} runs ({min(counts)} to {max(counts)} pieces); each "
        "replication draws one of these runs"
    )
    if is_paused:
        said += (
            f"; nobody worked for {percent(float(np.median(shares)))} of the median run: what is "
            "begun then appears when it was begun"
        )
    return Work(
        {"kind": "resampled", "runs": listed},
        said,
        typical(counts),
        is_certain=True,
        is_dealt=True,
        sizes=_sizes(stages, families),
        assumes=_ASSUMED,
    )


def stages_of(units: Sequence[Unit]) -> Stages | None:
    """Return the stages of a run; None if it has none.

    All units of a stage begin within `SHORTEST_S` of its first, and after all before have ended.
    """
    found: Stages = []
    last = (-np.inf, -np.inf)
    for unit in sorted(units, key=lambda each: each.start_s):
        if not found or follows(unit.start_s, last):
            found.append([unit])
        elif unit.start_s > found[-1][0].start_s + SHORTEST_S:
            return None
        else:
            found[-1].append(unit)
        if unit.end_s >= last[1]:
            last = (unit.start_s, unit.end_s)
    return found or None


def _pauses(stages: Stages) -> list[float]:
    """Return for how long nobody had worked before each stage after the first."""
    ends = [max(unit.end_s for unit in stage) for stage in stages]
    begins = [min(unit.start_s for unit in stage) for stage in stages]
    return [begin - end for end, begin in zip(ends, begins[1:], strict=False)]


def _arrivals(stages: Stages) -> list[float]:
    """Return when each unit was begun, if that was after a pause, else when one before it was."""
    found: list[float] = []
    arrived = 0.0
    for stage, pause in zip(stages, [0.0, *_pauses(stages)], strict=True):
        arrived = four_digits(stage[0].start_s) if pause >= SHORTEST_S else arrived
        found += [arrived] * len(stage)
    return found


def _widths(stages: Stages) -> tuple[int, ...]:
    return tuple(len(stage) for stage in stages)


def _sizes(stages: Mapping[str, Stages], families: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return the most agents of each role that work in one stage."""
    most: dict[str, int] = {}
    for name, some in stages.items():
        ends = np.cumsum([0, *_widths(some)])
        for begin, end in pairwise(ends.tolist()):
            stage = families[name][begin:end]
            for role in set(stage):
                most[role] = max(most.get(role, 0), stage.count(role))
    return most
