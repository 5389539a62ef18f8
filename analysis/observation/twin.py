"""The twin of a team: a scenario with its structure, its agents, its work, and their sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from analysis.calibration.cell import safe_name
from analysis.observation.role_fit import RoleFit
from analysis.observation.roles import named_roles
from analysis.observation.runs import Run
from analysis.observation.simulated import Simulated, simulate
from analysis.observation.structure import (
    Structure,
)
from analysis.observation.true_names import TrueNames
from analysis.observation.units import Unit
from analysis.traces.canonical import no_tasks
from simulator.experiment.pool import Progress
from simulator.scenario import Scenario
from simulator.scenario.roles import COORDINATOR, SUBAGENT

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
        Source of each field, by dotted path.
    fits : dict of str to RoleFit
        By role; workers first, then the lead, sub-agents last.
    lead : str
        Role of coordinators; empty if there are none.
    subagents : tuple of str
        Roles of sub-agents.
    tasks : int
        Units of work of a run.
    is_certain : bool
        Whether the trace shows which tasks wait for which.
    missing : list of str
        Features of the team that the twin does not have.
    growth : dict of str to float
        Factor by which the growth of each role's context has been scaled.
    called : mapping
        What neutral names stand for; empty where names are as in the trace.
    """

    document: dict[str, Any]
    sources: dict[Path, str]
    fits: dict[str, RoleFit]
    lead: str
    tasks: int
    subagents: tuple[str, ...] = ()
    is_certain: bool = True
    missing: list[str] = field(default_factory=list)
    growth: dict[str, float] = field(default_factory=dict)
    called: Mapping[str, str] = field(default_factory=dict)

    def runs(self, replications: int, progress: Progress | None = None) -> Simulated:
        """Simulate so many replications: with the random numbers of the names in the trace.

        Names of tools and of agents' families have random numbers of their own. Those under neutral
        names would make another twin.
        """
        names = TrueNames(self.called)
        scenario = Scenario.model_validate(names.put_into(self._said))
        made = simulate(scenario, replications, self.worker_roles, self.lead, progress)
        return Simulated(names.taken_from(made.calls), made.metrics) if self.called else made

    @property
    def scenario(self) -> Scenario:
        """The scenario, without its sweep."""
        return Scenario.model_validate(self._said)

    @property
    def _said(self) -> dict[str, Any]:
        return {k: v for k, v in self.document.items() if k not in ("sweep", "baseline")}

    @property
    def worker_roles(self) -> list[str]:
        """The role of each worker, in the order of the team."""
        team = self.document["team"]
        if "groups" in team:
            return [n for n, group in team["groups"].items() for _ in range(group["size"])]
        (role,) = [role for role in self.fits if role not in (self.lead, *self.subagents)]
        return [role] * team["size"]

    def say(self, path: Path, value: Any, source: str = "") -> None:
        """Say a field of the scenario, which is no agent's, and where it comes from."""
        *above, last = path.split(".")
        node = self.document
        for name in above:
            node = node[name]
        node[last] = value
        if source:
            self.sources[path] = source

    def explain(self, path: Path, source: str) -> None:
        """Say where a field comes from."""
        self.sources[path] = source

    def say_agent(self, role: str, fields: Mapping[str, Any], sources: Mapping[Path, str]) -> None:
        """Say fields of a role's agent, but for those that it lacks, and where they come from.

        `sources` are by paths below the agent.
        """
        kind = COORDINATOR if role == self.lead else SUBAGENT if role in self.subagents else None
        if kind is not None:
            fields = kind.without(fields)
            sources = {where: source for where, source in sources.items() if kind.has(where)}
        self.agent_of(role).update(fields)
        path = self.path_of(role)
        self.sources.update({f"{path}.{where}": source for where, source in sources.items()})

    def explain_further(self, path: Path, said: str) -> None:
        """Say, once, what else a field comes from."""
        before = self.sources.get(path, "")
        if said not in before:
            self.sources[path] = f"{before}; {said}" if before else said

    def lack(self, *what: str) -> None:
        """Note what the twin does not have of the team."""
        self.missing.extend(what)

    def grow(self, role: str, factor: float) -> None:
        """Note by which factor the growth of a role's context has been scaled in all."""
        self.growth[role] = factor

    def take_work(self, tasks: int, is_certain: bool) -> None:
        """Take in how much work a run is, and whether its order is known."""
        self.tasks, self.is_certain = tasks, is_certain

    def agent_of(self, role: str) -> dict[str, Any]:
        """Return the agent of a role, as the document says it."""
        team = self.document["team"]
        if role in self.subagents:
            found = team["subagents"]["kinds"][role]
        elif role == self.lead:
            found = team["coordinator"]
        elif "groups" in team:
            found = team["groups"][role]["agent"]
        else:
            found = team["agent"]
        return found  # type: ignore[no-any-return]

    def path_of(self, role: str) -> Path:
        """Return the dotted path of the agent of a role."""
        if role in self.subagents:
            return f"team.subagents.kinds.{role}"
        if role == self.lead:
            return "team.coordinator"
        return f"team.groups.{role}.agent" if "groups" in self.document["team"] else "team.agent"


@dataclass(frozen=True)
class Observed:
    """The runs that a twin is made of: those with the structure that was found.

    Attributes
    ----------
    calls : DataFrame
        Their canonical calls.
    runs : list of Run
    roles : dict
        Role of each agent, by run and agent.
    structure : Structure
    delegating : tuple of str
        Tools that wait for other agents, and start no sub-agents.
    starts : mapping of str to str
        The role of the sub-agents that a tool starts, by its name.
    tasks : DataFrame
        The canonical table: tasks and what they wait for, in the runs of which the trace tells.
    messages : DataFrame
        The canonical table.
    prices : mapping
        Prices of models that have neutral names.
    called : mapping
        What neutral names stand for.
    """

    calls: pd.DataFrame
    runs: list[Run]
    roles: Mapping[tuple[str, str], str]
    structure: Structure
    delegating: tuple[str, ...] = ()
    starts: Mapping[str, str] = field(default_factory=dict)
    tasks: pd.DataFrame = field(default_factory=no_tasks)
    messages: pd.DataFrame = field(default_factory=pd.DataFrame)
    prices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    called: Mapping[str, str] = field(default_factory=dict)

    def role_of_calls(self) -> pd.Series:
        """Return the role of each call's agent."""
        roles = named_roles(self.calls["run_id"], self.calls["agent_id"], self.roles)
        return pd.Series(roles, index=self.calls.index, dtype=object)

    def role(self, run: Run, unit: Unit) -> str:
        """Return the role of the agent whose unit it is."""
        return self.roles.get((run.name, run.operations.agents[unit.agent]), "")


def twin_name(source: str) -> str:
    """Return a scenario's name made from the name of a file."""
    short = safe_name(source).strip("-_.")[:40]
    return f"observed-{short}" if short else "observed"
