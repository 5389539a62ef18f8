"""The twin of a team: a scenario with its structure, its agents, its work, and their sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.cell import safe_name
from analysis.calibration.rounding import four_digits
from analysis.calibration.sessions import as_distribution
from analysis.observation.role_fit import RoleFit, begin_afresh, fit_role
from analysis.observation.roles import typical
from analysis.observation.runs import Run
from analysis.observation.structure import (
    INDEPENDENT,
    LEAD,
    MESH,
    PIPELINE,
    SINGLE,
    TREE,
    Structure,
)
from analysis.observation.units import Unit, units_of
from analysis.observation.workload import workload_of
from simulator.scenario import Scenario

_SIZES = (1, 2, 3, 4, 6, 8, 12, 16)
"""Team sizes that the scenario sweeps, as far as there are tasks for so many."""

_ANSWERS = 0.8
"""Calls of the lead for each task below which not every task is reported to it."""

Path = str
"""Dotted path of a field."""


@dataclass
class Twin:
    """A scenario that stands for the observed team.

    Attributes
    ----------
    document : dict
        The scenario, as YAML says it.
    sources : dict
        Where what a field says comes from, by dotted path.
    fits : dict of str to RoleFit
        By role; workers first, the lead last.
    lead : str
        Role of coordinators; empty where there are none.
    tasks : int
        Units of work of a run.
    is_certain : bool
        Whether the trace tells which tasks wait for which.
    missing : list of str
        What the twin does not have of the team.
    """

    document: dict[str, Any]
    sources: dict[Path, str]
    fits: dict[str, RoleFit]
    lead: str
    tasks: int
    is_certain: bool = True
    missing: list[str] = field(default_factory=list)

    @property
    def scenario(self) -> Scenario:
        """The scenario, without its sweep."""
        said = {k: v for k, v in self.document.items() if k not in ("sweep", "baseline")}
        return Scenario.model_validate(said)

    @property
    def worker_roles(self) -> list[str]:
        """The role of each worker, in the order of the team."""
        team = self.document["team"]
        if "groups" in team:
            return [n for n, group in team["groups"].items() for _ in range(group["size"])]
        (role,) = [role for role in self.fits if role != self.lead]
        return [role] * team["size"]

    def agent_of(self, role: str) -> dict[str, Any]:
        """Return the agent of a role, as the document says it."""
        team = self.document["team"]
        if role == self.lead:
            found = team["coordinator"]
        elif "groups" in team:
            found = team["groups"][role]["agent"]
        else:
            found = team["agent"]
        return found  # type: ignore[no-any-return]

    def path_of(self, role: str) -> Path:
        """Return the dotted path of the agent of a role."""
        if role == self.lead:
            return "team.coordinator"
        return f"team.groups.{role}.agent" if "groups" in self.document["team"] else "team.agent"


@dataclass(frozen=True)
class Observed:
    """The runs that a twin is made of, those of the structure that was found.

    Attributes
    ----------
    calls : DataFrame
        Their canonical calls.
    runs : list of Run
    roles : dict
        Role of each agent, by run and agent.
    structure : Structure
    delegating : tuple of str
        Tools that wait for other agents.
    """

    calls: pd.DataFrame
    runs: list[Run]
    roles: Mapping[tuple[str, str], str]
    structure: Structure
    delegating: tuple[str, ...] = ()

    def role(self, run: Run, unit: Unit) -> str:
        """Return the role of the agent whose unit it is."""
        return self.roles.get((run.name, run.operations.agents[unit.agent]), "")


def build_twin(seen: Observed, name: str) -> Twin:
    """Return the twin of the observed runs, before it is tuned.

    Parameters
    ----------
    seen : Observed
    name : str
        Of the scenario.
    """
    fits = _fit_roles(seen)
    structure = seen.structure
    lead = structure.lead if structure.kind in (LEAD, TREE) and structure.lead in fits else ""
    workers = [role for role in fits if role != lead] or list(fits)
    if len(fits) == 1:
        lead = ""
    units = {
        run.name: [
            unit
            for role in workers
            for unit in units_of(run.operations, not fits[role].has_loops)
            if seen.role(run, unit) == role
        ]
        for run in seen.runs
    }
    sizes = {role: _size(role, seen, units) for role in workers}
    if structure.kind == PIPELINE:
        workers = [role for role in dict.fromkeys(structure.order) if role in sizes] or workers
    twin = Twin(
        {}, {}, {role: fits[role] for role in [*workers, *([lead] if lead else [])]}, lead, 1
    )
    document, sources = twin.document, twin.sources
    document |= {"name": name, "question": "What would this team do, were it otherwise?"}
    document |= {"seed": 1, "replications": 200}
    sources["seed"] = "any"
    sources["replications"] = "runs of each point"
    document["team"] = _team(twin, workers, sizes)
    _coordinate(twin, structure, seen, units)
    if twin.lead:
        _let_lead_answer(twin, seen, units)
    tasks = {run: len(some) for run, some in units.items()}
    work = workload_of(structure, seen.runs, units, sum(sizes[role] for role in workers))
    document["workload"] = work.spec
    twin.tasks, twin.is_certain = work.tasks, work.is_certain
    sources["workload"] = work.source
    _let_agents_begin(twin, seen, tasks, sizes)
    _let_calls_fail(twin)
    _sweep(twin, structure)
    return twin


def _fit_roles(seen: Observed) -> dict[str, RoleFit]:
    """Return the fits of all roles, the one with most calls first."""
    keys = zip(
        seen.calls["run_id"].astype(str),
        seen.calls["agent_id"].astype("string").fillna("agent").astype(str),
        strict=True,
    )
    role = pd.Series([seen.roles.get(key, "") for key in keys], index=seen.calls.index)
    counts = role[role != ""].value_counts()
    return {
        str(each): fit_role(str(each), seen.calls[role == each], seen.delegating)
        for each in counts.index
    }


def _size(role: str, seen: Observed, units: Mapping[str, Sequence[Unit]]) -> int:
    """Return how many agents of a role there are at a time, at most, in most runs."""
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


def _team(twin: Twin, workers: Sequence[str], sizes: Mapping[str, int]) -> dict[str, Any]:
    """Return the team: agents alike, or groups by role; a coordinator where somebody leads."""
    team: dict[str, Any] = {}
    said = "most at a time in the middle run"
    if len(workers) == 1:
        (role,) = workers
        team |= {"size": sizes[role], "agent": {"family": role}}
        twin.sources["team.size"] = f"{role}: {said}"
    else:
        team["groups"] = {
            role: {"size": sizes[role], "agent": {"family": role}} for role in workers
        }
        for role in workers:
            twin.sources[f"team.groups.{role}.size"] = said
    if twin.lead:
        team["coordinator"] = {"family": twin.lead}
    twin.document["team"] = team
    for role, fit in twin.fits.items():
        agent, path = twin.agent_of(role), twin.path_of(role)
        agent |= fit.spec
        agent["behaviour"] = {"talk": 0}
        agent["tokens"] = {**agent.get("tokens", {}), "message": 0}
        twin.sources |= {f"{path}.{where}": source for where, source in fit.sources.items()}
        twin.sources[f"{path}.behaviour"] = (
            "assumed: what it tells others is part of what it writes"
        )
        twin.sources[f"{path}.tokens.message"] = "0: part of the output, as above"
        named = ", ".join(fit.models) or "not named"
        twin.sources[path] = (
            f"{role}: {fit.calls:,} calls of {fit.agents:,} agents in the trace, model {named}"
        )
        twin.missing += [f"{role}: {each}" for each in fit.missing]
    twin.missing.append(
        "errors of agents: not estimated (a trace does not say which answers were right); in "
        "their place: none"
    )
    return team


def _coordinate(
    twin: Twin, structure: Structure, seen: Observed, units: Mapping[str, Sequence[Unit]]
) -> None:
    """Say topology, protocol and timing."""
    kind = structure.kind if len(twin.fits) > 1 or sum(1 for _ in twin.worker_roles) > 1 else SINGLE
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
    twin.document["topology"], twin.sources["topology"] = topology, said
    if kind in (LEAD, TREE) and structure.evidence == "who started whom":
        twin.sources["topology"] += (
            "; agents that start others: the model has a lead who hands tasks to workers in "
            "place of sub-agents"
        )
    coordination: dict[str, Any] = {"protocol": protocol}
    how = (
        "lead" if kind in (LEAD, TREE) else "stages" if kind == PIPELINE else "no two take one task"
    )
    twin.sources["coordination.protocol"] = f"assumed from the structure: {how}"
    pauses = _pauses(seen, units) if kind == SINGLE else np.zeros(0)
    if pauses.any():
        coordination |= {"timing": "rounds", "round_overhead_s": as_distribution(pauses)}
        twin.sources["coordination.timing"] = "a round is a request; then the person reads, thinks"
        twin.sources["coordination.round_overhead_s"] = (
            f"what passed between requests: {len(pauses):,} pauses, as they were"
        )
    elif structure.in_rounds:
        coordination |= {"timing": "rounds", "idle_agents": "wait"}
        twin.sources["coordination.timing"] = "agents began at the same moments"
    else:
        coordination["timing"] = "asynchronous"
        twin.sources["coordination.timing"] = "agents began each at its own time"
    twin.document["coordination"] = coordination


def _let_lead_answer(twin: Twin, seen: Observed, units: Mapping[str, Sequence[Unit]]) -> None:
    """Let workers report rarely to a lead that made fewer calls than they did tasks."""
    asked = [
        sum(seen.role(run, unit) == twin.lead for unit in units_of(run.operations, by_call=True))
        for run in seen.runs
    ]
    lead = float(np.mean(asked))
    tasks = float(np.mean([len(some) for some in units.values()]))
    if not 0.0 < lead < _ANSWERS * tasks:
        return
    protocol = {"kind": "self_claim", "claims": "immediate", "choice": "first"}
    twin.document["coordination"]["protocol"] = protocol
    twin.sources["coordination.protocol"] = (
        "assumed: the lead makes fewer calls than there are tasks"
    )
    share = four_digits(min(1.0, lead / tasks))
    for role in twin.fits:
        if role != twin.lead:
            twin.agent_of(role)["behaviour"] = {"talk": share}
            twin.sources[f"{twin.path_of(role)}.behaviour"] = (
                f"{lead:.3g} calls of the lead for {tasks:.3g} tasks: so often it is reported to"
            )


def _pauses(seen: Observed, units: Mapping[str, Sequence[Unit]]) -> np.ndarray:
    """Return the seconds between the units of one agent, run by run."""
    found = []
    for run in seen.runs:
        mine = units[run.name]
        found += [max(0.0, after.start_s - before.end_s) for before, after in pairwise(mine)]
    return np.asarray(found)


def _let_agents_begin(
    twin: Twin, seen: Observed, tasks: Mapping[str, int], sizes: Mapping[str, int]
) -> None:
    """Let workers of which each did one thing begin each task with a context of its own."""
    for role, fit in twin.fits.items():
        if role == twin.lead or twin.document["topology"]["kind"] not in (
            "centralised",
            "hierarchical",
        ):
            continue
        runs = max(1, len(seen.runs))
        if fit.agents / runs > 1.2 * sizes[role] and sum(tasks.values()) <= 1.2 * fit.agents:
            mine = seen.calls[
                [
                    seen.roles.get((str(run), str(agent))) == role
                    for run, agent in zip(seen.calls["run_id"], seen.calls["agent_id"], strict=True)
                ]
            ]
            begin_afresh(fit, mine)
            agent, path = twin.agent_of(role), twin.path_of(role)
            agent["context"] = dict(fit.spec["context"])
            twin.sources |= {f"{path}.{where}": source for where, source in fit.sources.items()}


def _let_calls_fail(twin: Twin) -> None:
    """Let requests fail at the provider as often as those of the trace did."""
    hits = sum(fit.failed.hits - 0.5 for fit in twin.fits.values())
    asked = sum(fit.failed.hits + fit.failed.misses - 1.0 for fit in twin.fits.values())
    if hits < 1.0 or hits >= asked:
        if hits >= 1.0:
            twin.missing.append("calls that go well: none did; in their place: a profile's")
        return
    share = hits / asked
    after = np.asarray([fit.failed_s for fit in twin.fits.values()])
    known = after[np.isfinite(after)]
    said: dict[str, Any] = {"probability": four_digits(share)}
    if len(known) and known.mean() > 0.0:
        said["after_s"] = four_digits(float(known.mean()))
    twin.document["provider"] = {"errors": said}
    error = (share * (1.0 - share) / asked) ** 0.5
    twin.sources["provider.errors"] = (
        f"{hits:,.0f} of {asked:,.0f} calls failed: {share:.2%} ± {error:.2%}; seconds: their mean"
    )


def _sweep(twin: Twin, structure: Structure) -> None:
    """Say which team sizes a sweep tries."""
    team = twin.document["team"]
    if "groups" in team:
        sizes = {role: group["size"] for role, group in team["groups"].items()}
        largest = max(sizes, key=lambda role: sizes[role])
        path, n = f"team.groups.{largest}.size", sizes[largest]
    else:
        path, n = "team.size", team["size"]
    tried = sorted({n, *(k for k in _SIZES if k <= max(2 * n, 4) and k <= max(twin.tasks, n))})
    twin.document["sweep"] = {path: tried}
    twin.sources["sweep"] = "team sizes to try; as found: " + str(n)


def twin_name(source: str) -> str:
    """Return a scenario's name made of a file's."""
    short = safe_name(source).strip("-_.")[:40]
    return f"observed-{short}" if short else "observed"
