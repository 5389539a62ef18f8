"""The work of a run as tasks: their number, and which wait for which, by the times of work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analysis.observation.roles import typical
from analysis.observation.rounds import turns_of
from analysis.observation.runs import Run
from analysis.observation.structure import PIPELINE, SINGLE, Structure
from analysis.observation.units import Unit, follows

_SHARE = 0.8
"""Share of the runs that must have the same stages."""

IN_TURN = _SHARE
"""Share of the runs in which one unit must follow the other."""


APART = "whether requests of a run need the answers to those before, and no team can share them"
"""What is assumed of the work of one agent, which no trace shows."""

_LATER = "whether work that {} needs that, and no other agent can share it"
"""The same of the work of a team."""

_TURNS = "that work which was done in turn had to be (workload.parallel_fraction: 1 if not)"
"""What is assumed of the work of a team of which one agent worked at a time."""

IN_STAGES = "that a stage needs the work before it, as it began when that had ended ({} if not)"
"""What is assumed of work in stages of which only the times are known."""

_ALL_AT_ONCE = "workload: {{kind: parallel_fraction, tasks: {}, parallel_fraction: 1}}"


@dataclass(frozen=True)
class Work:
    """A workload.

    Attributes
    ----------
    spec : dict
        The workload, as a scenario says it.
    source : str
        Its source.
    tasks : int
    is_certain : bool
        Whether the trace shows which tasks wait for which; if not, this is tuned.
    is_dealt : bool
        Whether each task says who does it.
    sizes : mapping of str to int
        Agents of each role that it takes, where the work says that.
    assumes : str
        What is taken for granted of it, which no trace shows.
    """

    spec: dict[str, Any]
    source: str
    tasks: int
    is_certain: bool
    is_dealt: bool = False
    sizes: Mapping[str, int] = field(default_factory=dict)
    assumes: str = ""


def workload_of(
    structure: Structure, runs: Sequence[Run], units: Mapping[str, Sequence[Unit]], size: int
) -> Work:
    """Return the work of the median run.

    Parameters
    ----------
    structure : Structure
    runs : sequence of Run
    units : mapping
        Units of work of each run's workers.
    size : int
        Workers.
    """
    counts = [len(units[run.name]) for run in runs if units[run.name]]
    tasks = typical(counts)
    spread = f"{min(counts)} to {max(counts)} in {len(counts)} runs" if counts else "none seen"
    if structure.kind == PIPELINE:
        stages = max(1, size)
        items = max(1, round(tasks / stages))
        spec = {"kind": "pipeline", "items": items, "stages": stages}
        said = f"stages as agents, items as often as each worked in the median run ({spread} units)"
        return Work(spec, said, items * stages, is_certain=True)
    if structure.kind == SINGLE or size == 1:
        said = f"requests of the median run ({spread})"
        assumes = f"{APART} (workload.parallel_fraction: 0 if they do)"
        return Work(_independent(tasks), said, tasks, is_certain=True, assumes=assumes)
    stages_of = [_stages(units[run.name]) for run in runs if units[run.name]]
    staged = None if structure.in_rounds else _common(stages_of, size)
    if staged is not None:
        return staged
    said = f"units of work of the median run ({spread})"
    some = [units[run.name] for run in runs if units[run.name]]
    assumes = _assumed(some, tasks, size, structure.in_rounds)
    return Work(_independent(tasks), said, tasks, structure.in_rounds, assumes=assumes)


def _assumed(units: Sequence[Sequence[Unit]], tasks: int, size: int, in_rounds: bool) -> str:
    """Return what is assumed of the work of a team, if its agents did more than one piece each."""
    if sum(map(is_chain, units)) >= IN_TURN * len(units):
        return _TURNS
    if tasks <= size:
        return ""
    layers = round(tasks / size)
    later = "came after a round of other work" if in_rounds else "an agent did after other work"
    instead = f"{{kind: layered, layers: {layers}, width: {size}}}"
    return f"{_LATER.format(later)} (workload: {instead} if it does)"


def _independent(tasks: int) -> dict[str, Any]:
    return {"kind": "parallel_fraction", "tasks": tasks, "parallel_fraction": 1}


def _stages(units: Sequence[Unit]) -> list[int]:
    """Return the sizes of stages: a unit begins a new one if all before it have ended."""
    sizes: list[int] = []
    last = (-np.inf, -np.inf)
    for unit in sorted(units, key=lambda each: each.start_s):
        if not sizes or follows(unit.start_s, last):
            sizes.append(0)
        sizes[-1] += 1
        if unit.end_s >= last[1]:
            last = (unit.start_s, unit.end_s)
    return sizes


def work_in_turn(runs: Sequence[Run], structure: Structure) -> bool:
    """Tell whether one agent works at a time in most runs of the structure that was found."""
    alone = [
        turns_of(run.operations, run.operations.agents) is not None
        for run in runs
        if structure.kinds.get(run.name) == structure.kind and len(run.operations.agents) > 1
    ]
    return bool(alone) and sum(alone) >= IN_TURN * len(alone)


def is_chain(units: Sequence[Unit]) -> bool:
    """Tell whether there are several units, and each began when all before it had ended."""
    return len(units) > 1 and max(_stages(units)) == 1


def _common(stages: Sequence[Sequence[int]], size: int) -> Work | None:
    """Return the stages that most runs have; None where they have no clear ones."""
    count = typical([len(each) for each in stages])
    alone = sum(max(each) == 1 for each in stages)
    if alone >= _SHARE * len(stages) and count > 1:
        spec: dict[str, Any] = {"kind": "parallel_fraction", "tasks": count, "parallel_fraction": 0}
        said = f"one after another in {alone} of {len(stages)} runs"
        return Work(spec, said, count, is_certain=True, assumes=_TURNS)
    same = [each for each in stages if len(each) == count]
    if len(same) < _SHARE * len(stages) or count < 2:
        return None
    widths = [typical([each[i] for each in same]) for i in range(count)]
    said = f"stages seen in {len(same)} of {len(stages)} runs"
    tasks = sum(widths)
    assumes = IN_STAGES.format(_ALL_AT_ONCE.format(tasks))
    return Work(_in_stages(widths), said, tasks, is_certain=True, assumes=assumes)


def _in_stages(widths: Sequence[int]) -> dict[str, Any]:
    count = len(widths)
    if len(set(widths)) == 1:
        return {"kind": "layered", "layers": count, "width": widths[0], "coupling": 1}
    if count == 2 and widths[1] == 1:
        return {"kind": "map_reduce", "maps": widths[0], "reduces": 1}
    return {"kind": "dag", "tasks": _dag(widths)}


def _dag(widths: Sequence[int]) -> list[dict[str, Any]]:
    """Return tasks in stages; each task needs all tasks of the stage before."""
    found: list[dict[str, Any]] = []
    before: list[str] = []
    for stage, width in enumerate(widths, 1):
        names = [f"stage-{stage}-task-{i + 1}" for i in range(width)]
        found += [{"id": name, **({"dependencies": before} if before else {})} for name in names]
        before = names
    return found
