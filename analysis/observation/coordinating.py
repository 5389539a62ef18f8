"""How the agents of a twin work together: topology, protocol, timing, pauses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from analysis.calibration.rounding import four_digits
from analysis.calibration.sessions import as_distribution
from analysis.observation.arrivals import LEAST_SHARE
from analysis.observation.structure import (
    INDEPENDENT,
    LEAD,
    MESH,
    PIPELINE,
    SINGLE,
    SUBAGENTS,
    TIMES,
    TREE,
    Structure,
)
from analysis.observation.twin import Observed, Twin
from analysis.observation.units import Unit, follows, units_of
from analysis.observation.visits import pauses_of
from analysis.observation.workload import work_in_turn

_ANSWERS = 0.8
"""If the lead makes fewer calls for each task than this, not every task is reported to it."""


def coordinate(
    twin: Twin, structure: Structure, seen: Observed, units: Mapping[str, Sequence[Unit]]
) -> None:
    """Set topology, protocol and timing of a twin, in place.

    Parameters
    ----------
    twin : Twin
    structure : Structure
    seen : Observed
    units : mapping
        Units of work of each run's workers.
    """
    others = len(twin.fits) - len(twin.subagents) > 1 or len(twin.worker_roles) > 1
    kind = structure.kind if others else SINGLE
    if kind == SUBAGENTS:
        kind = INDEPENDENT if len(twin.worker_roles) > 1 else SINGLE
    if kind in (LEAD, TREE) and not twin.lead:
        kind = INDEPENDENT
    sure = f"confidence {structure.confidence:.2f}, from {structure.evidence}"
    claim = {"kind": "self_claim", "claims": "immediate", "choice": "first"}
    alone: dict[str, Any] = {"kind": "independent", "aggregate": False}
    topology, protocol, said = {
        SINGLE: (alone, claim, "one agent; 'independent' lets the sweep add others"),
        INDEPENDENT: (alone, claim, f"agents at work at once who tell each other nothing ({sure})"),
        MESH: ({"kind": "decentralised"}, claim, f"a mesh ({sure})"),
        PIPELINE: ({"kind": "pipeline"}, {"kind": "pipeline"}, f"a pipeline ({sure})"),
        LEAD: ({"kind": "centralised"}, {"kind": "lead_assign"}, f"a lead with workers ({sure})"),
        TREE: (
            {"kind": "hierarchical", "fan_out": max(2, structure.fan_out),
             "depth": max(1, structure.depth)},
            {"kind": "lead_assign"},
            f"a tree of agents {structure.depth} levels deep ({sure})",
        ),
    }[kind]  # fmt: skip
    twin.say("topology", topology, said)
    if kind == MESH and seen.structure.kind == MESH and work_in_turn(seen.runs, seen.structure):
        told = "whom each tells not known" if structure.evidence == TIMES else "who tell each other"
        twin.explain(
            "topology",
            f"agents who work in turn, one at a time ({sure}), {told}: in the twin all hear all",
        )
    if kind == MESH and seen.structure.kind != MESH:
        twin.explain(
            "topology",
            f"a {seen.structure.kind} ({sure}), whose agents work one at a time: in the twin each "
            "begins when the one before has ended",
        )
    if kind in (LEAD, TREE) and structure.evidence == "who started whom":
        twin.explain_further(
            "topology",
            "agents that start others, which outlive the calls that started them: in the twin a "
            "lead hands tasks to workers in their place",
        )
    coordination: dict[str, Any] = {"protocol": protocol}
    how = (
        "lead" if kind in (LEAD, TREE) else "stages" if kind == PIPELINE else "no two take one task"
    )
    twin.explain("coordination.protocol", f"assumed from the structure: {how}")
    pauses = _pauses(seen, units) if kind == SINGLE else np.zeros(0)
    if pauses.any():
        coordination |= {"timing": "rounds", "round_overhead_s": as_distribution(pauses)}
        twin.explain("coordination.timing", "a round is a request; then the person reads, thinks")
        twin.explain(
            "coordination.round_overhead_s",
            f"what passed between requests: {len(pauses):,} pauses, as they were",
        )
    elif structure.in_rounds:
        coordination |= {"timing": "rounds", "idle_agents": "wait"}
        twin.explain("coordination.timing", "agents began at the same moments")
        visits = _between_rounds(seen, units)
        if visits.any():
            coordination["round_overhead_s"] = as_distribution(visits)
            twin.explain(
                "coordination.round_overhead_s",
                f"pauses for people after {np.count_nonzero(visits):,} of {len(visits):,} rounds, "
                "as they were",
            )
    else:
        coordination["timing"] = "asynchronous"
        twin.explain("coordination.timing", "agents began each at its own time")
    twin.say("coordination", coordination)


def let_lead_answer(twin: Twin, seen: Observed, units: Mapping[str, Sequence[Unit]]) -> None:
    """Let workers report less often, if the lead made fewer calls than there were tasks; in place.

    Parameters
    ----------
    twin : Twin
        With a lead, and `coordinate` applied.
    seen : Observed
    units : mapping
        Units of work of each run's workers.
    """
    asked = [
        sum(seen.role(run, unit) == twin.lead for unit in units_of(run.operations, by_call=True))
        for run in seen.runs
    ]
    lead = float(np.mean(asked))
    tasks = float(np.mean([len(some) for some in units.values()]))
    if not 0.0 < lead < _ANSWERS * tasks:
        return
    protocol = {"kind": "self_claim", "claims": "immediate", "choice": "first"}
    said = "assumed: the lead makes fewer calls than there are tasks"
    twin.say("coordination.protocol", protocol, said)
    share = four_digits(min(1.0, lead / tasks))
    for role in twin.fits:
        if role != twin.lead:
            why = f"{lead:.3g} calls of the lead for {tasks:.3g} tasks: so often it is reported to"
            twin.say_agent(role, {"behaviour": {"talk": share}}, {"behaviour": why})


def _pauses(seen: Observed, units: Mapping[str, Sequence[Unit]]) -> np.ndarray:
    """Return the seconds between the units of one agent, run by run."""
    found = []
    for run in seen.runs:
        mine = units[run.name]
        found += [max(0.0, after.start_s - before.end_s) for before, after in pairwise(mine)]
    return np.asarray(found)


def _between_rounds(seen: Observed, units: Mapping[str, Sequence[Unit]]) -> np.ndarray:
    """Return the seconds of pauses for people between two rounds of work, run by run.

    All are 0 if they are hardly any of the runs.
    """
    found, length_s = [], 0.0
    for run in seen.runs:
        pauses = np.asarray(pauses_of(run.activity)).reshape(-1, 2)
        last: tuple[float, float] | None = None
        for unit in units[run.name]:
            if last is not None and follows(unit.start_s, last):
                between = np.clip(pauses, last[1], unit.start_s)
                found.append(float((between[:, 1] - between[:, 0]).sum()))
                last = None
            if last is None or unit.end_s >= last[1]:
                last = (unit.start_s, unit.end_s)
        length_s += run.operations.makespan_s
    seconds = np.asarray(found)
    return seconds if seconds.sum() >= LEAST_SHARE * length_s else np.zeros(0)
