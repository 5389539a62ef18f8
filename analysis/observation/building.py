"""Builds a twin: its team, its work, its failures, and its sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from analysis.calibration.between_turns import BETWEEN_TURNS
from analysis.observation.activity import IDLE
from analysis.observation.arrivals import arriving_workload
from analysis.observation.coordinating import coordinate, let_lead_answer
from analysis.observation.failures import let_calls_fail
from analysis.observation.resampling import let_tasks_say_turns, resampled_workload
from analysis.observation.role_fit import RoleFit, begin_afresh, fit_role, let_start
from analysis.observation.roles import typical
from analysis.observation.runs import SHARES, causes_of
from analysis.observation.stages import staged_workload
from analysis.observation.structure import (
    INDEPENDENT,
    LEAD,
    MESH,
    PIPELINE,
    SINGLE,
    STARTED,
    SUBAGENTS,
    TREE,
    Structure,
)
from analysis.observation.told_tasks import handed_over, told_workload, turn_workload
from analysis.observation.twin import Observed, Twin
from analysis.observation.units import Unit, units_of
from analysis.observation.visits import visited_workload
from analysis.observation.workload import IN_TURN, Work, is_chain, workload_of
from simulator.words import counted, percent

_GAPS = 0.02
"""Share of the agents' time between operations from which it is said that the twin lacks it."""

_ONE_PAUSE = (
    "that a pause after several requests at once is as long as one after a single request "
    "(coordination.round_overhead_s)"
)
"""What is assumed of people, who may take longer over several answers than over one."""

_SIZES = (1, 2, 3, 4, 6, 8, 12, 16)
"""Team sizes that the scenario sweeps, if there are tasks enough for them."""


def build_twin(seen: Observed, name: str, seed: int = 1) -> Twin:
    """Return the twin of the observed runs, before it is tuned.

    Parameters
    ----------
    seen : Observed
    name : str
        Of the scenario.
    seed : int
        Of the scenario.
    """
    fits = _fit_roles(seen)
    structure = _as_worked(seen, fits)
    lead = structure.lead if structure.kind in (LEAD, TREE) and structure.lead in fits else ""
    below = tuple(role for role in fits if role in set(seen.starts.values()))
    workers = [role for role in fits if role not in (lead, *below)] or list(fits)
    if len(fits) == 1:
        lead = ""
    units = _units(seen, fits, workers)
    told = told_workload(structure, seen.runs, seen.tasks, seen.roles)
    staged = None if told else staged_workload(structure, seen.runs, units, seen.roles)
    sizes = {role: _size(role, seen, units) for role in workers}
    if staged:
        sizes |= staged.sizes
        structure = replace(structure, in_rounds=False)
    if structure.kind == PIPELINE:
        workers = [role for role in dict.fromkeys(structure.order) if role in sizes] or workers
    order = [*workers, *([lead] if lead else []), *below]
    fits = {role: fits[role] for role in order}
    twin = Twin({}, {}, fits, lead, 1, below, called=seen.called)
    twin.say("name", name)
    twin.say("question", "What would this team do, were it otherwise?")
    twin.say("seed", seed, "any; another one draws other random numbers")
    twin.say("replications", 200, "runs of each point")
    _say_team(twin, workers, sizes, structure)
    for role in below:
        _begin_afresh(twin, seen, role)
    coordinate(twin, structure, seen, units)
    if twin.lead:
        let_lead_answer(twin, seen, units)
    size = sum(sizes[role] for role in workers)
    work = (
        told
        or staged
        or (_handed_workload(structure, seen, units) if structure.kind == MESH else None)
        or (turn_workload(seen.runs, units, seen.roles) if structure.kind == MESH else None)
        or arriving_workload(structure, seen.runs, units, seen.roles)
        or (visited_workload(seen.runs, units) if _may_wait(twin) else None)
        or resampled_workload(twin, seen, units)
        or workload_of(structure, seen.runs, units, size)
    )
    twin.say("workload", work.spec, work.source)
    if work.assumes:
        has_pauses = "round_overhead_s" in twin.document["coordination"]
        twin.say("assumptions", [work.assumes, *([_ONE_PAUSE] if has_pauses else [])])
    if work.spec["kind"] == "resampled" and not work.is_dealt:
        let_tasks_say_turns(twin)
    if work.is_dealt and _is_claimed(twin):
        twin.say("coordination.protocol", {"kind": "pre_assigned"})
        twin.explain("coordination.protocol", "tasks go to who did them in the trace")
    twin.take_work(work.tasks, work.is_certain)
    _lack_gaps(twin, seen)
    _let_agents_begin(twin, seen, units, sizes)
    let_calls_fail(twin, seen.calls)
    _sweep(twin, structure)
    return twin


def _units(
    seen: Observed, fits: Mapping[str, RoleFit], workers: Sequence[str]
) -> dict[str, list[Unit]]:
    """Return the units of work of each run's workers."""
    return {
        run.name: [
            unit
            for role in workers
            for unit in units_of(run.operations, not fits[role].has_loops)
            if seen.role(run, unit) == role
        ]
        for run in seen.runs
    }


def _as_worked(seen: Observed, fits: Mapping[str, RoleFit]) -> Structure:
    """Return the structure, a mesh where agents worked in turn, one at a time, in most runs.

    In a line in which they worked several times, stages of a pipeline would begin their next item
    meanwhile; so would the workers of a lead who starts none, but hands over or speaks in turn.
    """
    structure = seen.structure
    starts_none = structure.kind == LEAD and structure.evidence != STARTED
    if structure.kind != PIPELINE and not starts_none:
        return structure
    units = _units(seen, fits, list(fits))
    known = [units[run.name] for run in seen.runs if len(units[run.name]) > 1]
    again = sum(len({unit.agent for unit in some}) < len(some) for some in known)
    chained = sum(is_chain(some) for some in known)
    enough = IN_TURN * len(known)
    if known and chained >= enough and (starts_none or again >= enough):
        return replace(structure, kind=MESH)
    return structure


def _handed_workload(
    structure: Structure, seen: Observed, units: Mapping[str, Sequence[Unit]]
) -> Work | None:
    handed = handed_over(seen.messages, seen.runs, units)
    return told_workload(structure, seen.runs, handed, seen.roles)


def _is_claimed(twin: Twin) -> bool:
    """Return whether workers claim tasks, and each role has a family of workers of its own."""
    return bool(twin.document["coordination"]["protocol"]["kind"] == "self_claim")


def _may_wait(twin: Twin) -> bool:
    """Return whether tasks may arrive over time; a round's overhead or a pipeline says it else."""
    is_asynchronous = twin.document["coordination"]["timing"] == "asynchronous"
    return bool(is_asynchronous and twin.document["topology"]["kind"] != "pipeline")


def _lack_gaps(twin: Twin, seen: Observed) -> None:
    """Note the time between operations that nothing explains, and what stands in its place."""
    spent = [causes_of(run) for run in seen.runs]
    total = sum(each[cause] for each in spent for cause in SHARES)
    idle = sum(each[IDLE] for each in spent)
    if total > 0.0 and idle > _GAPS * total:
        instead = (
            f"the tool {BETWEEN_TURNS}, for those between turns"
            if any(BETWEEN_TURNS in fit.spec.get("tools", {}) for fit in twin.fits.values())
            else "the pauses between requests"
            if "round_overhead_s" in twin.document["coordination"]
            else "the times at which work arrives"
            if any("arrival_s" in task for task in _listed(twin.document["workload"]))
            else "none"
        )
        twin.lack(
            f"gaps without a reason in the trace: {percent(idle / total)} of the agents' "
            f"time; in their place: {instead}"
        )


def _listed(workload: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the tasks that a workload lists; a workload of another kind says how many they are."""
    return workload["tasks"] if workload["kind"] == "dag" else ()


def _fit_roles(seen: Observed) -> dict[str, RoleFit]:
    """Return the fits of all roles, the one with most calls first."""
    role = seen.role_of_calls()
    counts = role[role != ""].value_counts()
    fits = {
        str(each): fit_role(
            str(each),
            seen.calls[role == each],
            seen.delegating,
            tuple(seen.starts),
            seen.prices,
            _waits_for_none(str(each), seen.structure),
            seen.called,
        )
        for each in counts.index
    }
    for fit in fits.values():
        let_start(fit, seen.starts)
    return fits


def _waits_for_none(role: str, structure: Structure) -> bool:
    """Tell whether agents of a role wait for no others, but for sub-agents, in their requests."""
    if structure.kind == LEAD:
        return role != structure.lead
    return structure.kind in (SINGLE, INDEPENDENT, SUBAGENTS, PIPELINE)


def _size(role: str, seen: Observed, units: Mapping[str, Sequence[Unit]]) -> int:
    """Return the peak number of agents of a role at a time, in the median run."""
    found = []
    for run in seen.runs:
        mine = [unit for unit in units[run.name] if seen.role(run, unit) == role]
        spans: dict[int, tuple[float, float]] = {}
        for unit in mine:
            start, end = spans.get(unit.agent, (unit.start_s, unit.end_s))
            spans[unit.agent] = (min(start, unit.start_s), max(end, unit.end_s))
        moments = sorted([(s, 1) for s, _ in spans.values()] + [(e, -1) for _, e in spans.values()])
        if moments:
            found.append(int(np.cumsum([step for _, step in moments]).max()))
    return typical(found)


def _say_team(
    twin: Twin, workers: Sequence[str], sizes: Mapping[str, int], structure: Structure
) -> None:
    """Set the team: equal agents, or groups by role; a coordinator if one leads; sub-agents."""
    team: dict[str, Any] = {}
    said = "most at a time in the median run"
    if len(workers) == 1:
        (role,) = workers
        team |= {"size": sizes[role], "agent": {"family": role}}
        twin.explain("team.size", f"{role}: {said}")
    else:
        team["groups"] = {
            role: {"size": sizes[role], "agent": {"family": role}} for role in workers
        }
        for role in workers:
            twin.explain(f"team.groups.{role}.size", said)
    if twin.lead:
        team["coordinator"] = {"family": twin.lead}
    if twin.subagents:
        team["subagents"] = {
            "kinds": {role: {"family": role} for role in twin.subagents},
            "max_depth": structure.depth,
        }
        twin.explain("team.subagents.max_depth", "most levels of sub-agents in the median run")
    twin.say("team", team)
    for role, fit in twin.fits.items():
        tokens = {**fit.spec.get("tokens", {}), "message": 0}
        fields = {**fit.spec, "behaviour": {"talk": 0}, "tokens": tokens}
        talk = "assumed: what it tells others is part of what it writes"
        message = "0: part of the output, as above"
        twin.say_agent(role, fields, {**fit.sources, "behaviour": talk, "tokens.message": message})
        named = ", ".join(fit.models) or "not named"
        twin.explain(
            twin.path_of(role),
            f"{role}: {counted(fit.calls, 'call')} of {counted(fit.agents, 'agent')} in the trace, "
            f"model {named}",
        )
        twin.lack(*(f"{role}: {each}" for each in fit.missing))
    twin.lack(
        "errors of agents: not estimated (a trace does not say which answers were right); in "
        "their place: none"
    )


def _let_agents_begin(
    twin: Twin, seen: Observed, units: Mapping[str, Sequence[Unit]], sizes: Mapping[str, int]
) -> None:
    """If each agent of a role did just one task, let every task begin with a new context."""
    runs = max(1, len(seen.runs))
    for role, size in sizes.items():
        fit = twin.fits[role]
        tasks = sum(seen.role(run, unit) == role for run in seen.runs for unit in units[run.name])
        if fit.agents / runs > 1.2 * size and tasks <= 1.2 * fit.agents:
            _begin_afresh(twin, seen, role)


def _begin_afresh(twin: Twin, seen: Observed, role: str) -> None:
    fit = twin.fits[role]
    begin_afresh(fit, seen.calls[seen.role_of_calls() == role])
    twin.say_agent(role, {"context": fit.spec["context"]}, fit.sources)


def _sweep(twin: Twin, structure: Structure) -> None:
    """Set the team sizes of the sweep."""
    team = twin.document["team"]
    if "groups" in team:
        sizes = {role: group["size"] for role, group in team["groups"].items()}
        largest = max(sizes, key=lambda role: sizes[role])
        path, n = f"team.groups.{largest}.size", sizes[largest]
    else:
        path, n = "team.size", team["size"]
    tried = sorted({n, *(k for k in _SIZES if k <= max(2 * n, 4) and k <= max(twin.tasks, n))})
    axes: dict[str, Any] = {path: tried}
    said = f"team sizes to try; as found: {n}"
    if twin.document["coordination"]["protocol"]["kind"] == "pre_assigned":
        axes["coordination.protocol"] = ["pre_assigned", "self_claim"]
        said += "; with tasks for who did them in the trace, and for anybody"
    twin.say("sweep", axes, said)
