"""The scenario: what a user may say about a team, its work and the experiment."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from simulator.documents import MOST_RUNS
from simulator.errors import unknown_name
from simulator.registry import OneOf, define_families
from simulator.scenario.agent import Agent
from simulator.scenario.claims import problem_in_claims
from simulator.scenario.coordination import CoordinationSpec
from simulator.scenario.deprecated import define_deprecated
from simulator.scenario.expectation import ExpectationText
from simulator.scenario.families import (
    REGISTRIES,
    TOPOLOGIES,
    WORKLOADS,
    WORKSPACES,
    TopologySpec,
    WorkloadSpec,
    WorkspaceSpec,
)
from simulator.scenario.faults import ScriptedFault
from simulator.scenario.figure import Figure
from simulator.scenario.network import Network
from simulator.scenario.provider import Provider
from simulator.scenario.resilience import Resilience
from simulator.scenario.roles import define_roles
from simulator.scenario.subagents import problem_in_starts
from simulator.scenario.sweep import Sweep
from simulator.scenario.team import Team
from simulator.scenario.tools import StationSpec, WeekTime
from simulator.spec import Name, Positive, Spec


class Precision(Spec):
    """When to stop replicating: the mean of a metric is known to a relative precision.

    Replications are made until two conditions hold, or until there are `replications` of them. No
    end of the interval is farther from the mean than `relative` times the mean (Chow & Robbins
    1965), and the expected number of each rare event of the scenario is at least `events`. The
    first round has `minimum` replications; each further round has as many as the conditions need,
    but at most doubles the number. With a distribution of infinite variance, such as a Pareto with
    shape 2, no number is enough.
    """

    metric: str = "makespan_s"
    """A column of the results; ``makespan_s`` stands for the time to success, where a run that did
    not finish is started again."""
    relative: Annotated[float, Field(gt=0, lt=1)] = 0.02
    """Distance from the mean to the end of its interval, over the mean."""
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Coverage of the interval."""
    minimum: Annotated[int, Field(ge=2)] = 20
    """Replications before the first look, and the fewest between two looks. Where they are few, a
    point may stop because its interval is narrow by chance: intervals of 95 % then hold less often,
    with 2 in 89 to 95 %, with 20 in 92 to 96 %."""
    events: Annotated[int, Field(ge=0)] = 30
    """Least expected number of each rare event: stragglers, stalls, crashes, errors, outages, draws
    from the tails of distributions. What befalls agents of the team has a chance with each of their
    own calls, and what befalls sub-agents one with each sub-agent. With 0, the replications may
    miss rare events."""
    budget: Annotated[int, Field(ge=2)] | None = None
    """Replications of all points together, at most; they go where the interval is widest."""


class Limits(Spec):
    """Limits that stop a replication although tasks are left."""

    max_rounds: Annotated[int, Field(ge=1)] = 10_000
    """Rounds of synchronous timing."""
    max_calls: Annotated[int, Field(ge=1)] = 10_000_000
    """Calls started by the whole team and by sub-agents; each turn of a loop is a call. A request
    that is sent again, or twice, belongs to the same call. The run ends when the next call ends; in
    rounds nobody begins another call, and it ends when the round does."""
    deadline_s: Positive | None = None
    """Simulated seconds."""
    budget_usd: Positive | None = None
    """Cost in US dollars, checked when a call ends (in rounds nobody begins another call then, and
    the run ends when the round does) and when a failed request is billed. Requests then in flight
    cost more on top: what they have used so far."""


class Scenario(Spec):
    """A team, its work, and the experiment to run on them."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$")]
    """Short name: letters, digits, ``_``, ``-`` and ``.``."""
    question: str = ""
    """The question that the scenario asks."""
    answer: str = ""
    """What was found when it was run."""
    assumptions: tuple[str, ...] = ()
    """What is taken for granted and was not measured; ``advise`` and ``report`` say it."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Root of all random streams."""
    replications: Annotated[int, Field(ge=1, le=MOST_RUNS)] = 100
    """Independent replications of each point; with `precision`, the most that are made."""
    precision: Precision | None = None
    """Stop replicating a point when its mean is known well enough."""
    expect: tuple[ExpectationText, ...] = ()
    """What ``teamsim run`` holds the runs against, such as ``makespan_s.p95 < 600`` (metric,
    statistic, comparison, number); sweeps do not look at it."""
    team: Team
    """Who works."""
    topology: Annotated[TopologySpec, OneOf(TOPOLOGIES)]
    """Who hears whom."""
    coordination: CoordinationSpec
    """How work reaches agents, and when they act."""
    workload: Annotated[WorkloadSpec, OneOf(WORKLOADS)]
    """The tasks."""
    workspace: Annotated[WorkspaceSpec, OneOf(WORKSPACES)] = Field(
        default_factory=lambda: WORKSPACES.get("last_writer_wins").model_validate({})
    )
    """What happens when agents write the same artifact, and when a partition separates them."""
    network: Network = Network()
    """The links between agents."""
    provider: Provider = Provider()
    """Limits and slow phases that all agents share."""
    stations: dict[Name, StationSpec] = Field(default_factory=dict)
    """Stations that serve tools, by name: a CI, a database, a person."""
    starts_at: WeekTime = WeekTime()
    """The time of the week at which the run begins; the working hours of stations refer to it."""
    faults: tuple[ScriptedFault, ...] = ()
    """Faults at given times; random faults are fields of agents, provider and network."""
    resilience: Resilience = Resilience()
    """The patterns by which the team answers failures."""
    limits: Limits = Limits()
    """When to stop."""
    figure: Figure | None = None
    """The picture of the sweep; scaling curves against ``team.size`` when absent."""
    sweep: Sweep | None = None
    """Dotted paths and their values (all combinations), or a list of named points."""
    baseline: dict[str, Any] | None = None
    """Dotted paths and values that turn a point of the sweep into its single-agent baseline."""

    @model_validator(mode="before")
    @classmethod
    def _must_be_a_mapping(cls, data: Any) -> Any:
        if not isinstance(data, (dict, Scenario)):
            raise ValueError("a scenario is a mapping of fields")
        return data

    @model_validator(mode="after")
    def _plugins_agree(self) -> Self:
        workers = self.team.worker_count
        problems = (
            self.topology.problem_in(workers),
            self.coordination.protocol.problem_in(self.topology, workers),
            self.network.problem_in_partitions(),
            self._problem_in_review(),
            self._problem_in_tools(),
            self._problem_in_rounds(),
            self._problem_in_faults(),
            self._problem_in_resilience(),
            problem_in_claims(self.team, self.coordination, self.resilience),
        )
        if any(problems):
            raise ValueError("\n".join(filter(None, problems)))
        return self

    def _problem_in_review(self) -> str | None:
        review, workers = self.coordination.review, self.team.worker_count
        if review is None:
            return None
        if review.by == "peers" and workers == 1:
            return "coordination.review: one worker has no peers to review what it does"
        if review.by == "coordinator" and not self.topology.has_lead(workers):
            return (
                "coordination.review: there is no coordinator to review in topology "
                f"{self.topology.kind!r} (use centralised, hierarchical or hybrid)"
            )
        return None

    @cached_property
    def is_priced(self) -> bool:
        """Whether any call costs money."""
        return any(not spec.price.is_free for spec in self.models)

    @cached_property
    def models(self) -> list[Agent]:
        """All that may answer a call: the kinds of workers, the staff, the fallback model."""
        team, fallback = self.team, self.resilience.fallback
        specs = [*team.kinds, team.coordinator, team.verifier, fallback and fallback.model]
        return [*(spec for spec in specs if spec), *self.subagents]

    @cached_property
    def subagents(self) -> list[Agent]:
        """The kinds of sub-agents."""
        subagents = self.team.subagents
        return [] if subagents is None else list(subagents.kinds.values())

    @property
    def copies_tasks(self) -> bool:
        """Whether the protocol sends tasks to several agents and cancels the slower ones."""
        return self.coordination.protocol.copies_tasks

    @cached_property
    def is_resilient(self) -> bool:
        """Whether calls can fail or be cancelled, or there are patterns for such failures."""
        team = self.team
        specs = [*team.kinds, team.coordinator, team.verifier, *self.subagents]
        return (
            bool(self.faults)
            or self.copies_tasks
            or self.provider.fails
            or self.resilience.any
            or any(spec.faults.any for spec in specs if spec is not None)
        )

    @cached_property
    def has_steps(self) -> bool:
        """Whether provider, network, loops or failures give a call more steps than its service."""
        provider = self.provider
        return (
            self.is_resilient
            or provider.refuses
            or provider.slow is not None
            or any(model.needs_steps for model in self.models)
            or bool(self.network.partitions)
        )

    @property
    def staff(self) -> dict[str, int]:
        """How many coordinators and verifiers there are."""
        review = self.coordination.review
        return {
            "coordinator": self.topology.coordinators(self.team.worker_count),
            "verifier": review.verifiers if review and review.by == "verifiers" else 0,
        }

    @cached_property
    def tool_names(self) -> list[str]:
        """The names of all agents' tools, in order."""
        return sorted({name for model in self.models for name in model.tools})

    def _problem_in_tools(self) -> str | None:
        for path, model in self._models_by_path():
            for name, tool in model.tools.items():
                if tool.station is not None and tool.station not in self.stations:
                    said = unknown_name("station", tool.station, list(self.stations))
                    return f"{path}.tools.{name}.station: {said}"
                if tool.starts and tool.station and self.stations[tool.station].outages:
                    return (
                        f"{path}.tools.{name}.station: a sub-agent works at the provider and has "
                        f"no 'outages' of its station {tool.station!r}"
                    )
            if problem := problem_in_starts(model, self.team.subagents):
                return f"{path}.{problem}"
        return None if self.team.subagents is None else self.team.subagents.problem()

    def _models_by_path(self) -> Iterator[tuple[str, Agent]]:
        """Yield all that may answer a call, each with its dotted path."""
        team, fallback = self.team, self.resilience.fallback
        kinds = {} if team.subagents is None else team.subagents.kinds
        groups = team.groups or {}
        found: dict[str, Agent | None] = {
            "team.agent": team.agent,
            **{f"team.groups.{name}.agent": group.agent for name, group in groups.items()},
            "team.coordinator": team.coordinator,
            "team.verifier": team.verifier,
            "resilience.fallback.model": fallback.model if fallback else None,
            **{f"team.subagents.kinds.{name}": kind for name, kind in kinds.items()},
        }
        for path, model in found.items():
            if model is not None:
                yield path, model

    def _problem_in_rounds(self) -> str | None:
        coordination = self.coordination
        if coordination.round_of == "loop":
            return None
        if coordination.timing != "rounds":
            return f"coordination.round_of: there are no rounds with timing {coordination.timing!r}"
        if coordination.calls_per_round > 1:
            return "coordination.round_of: a round of one turn each has no 'calls_per_round'"
        if self.workspace.holds_others_up:
            return (
                f"coordination.round_of: in workspace {self.workspace.kind!r} an agent that waits "
                "at the barrier would hold up others that must reach it; use 'round_of: loop'"
            )
        if self.resilience.wait_for < 1.0:
            return (
                "resilience.wait_for: a barrier after each turn would cancel whole loops; use it "
                "with 'round_of: loop'"
            )
        return None

    @cached_property
    def has_rounds_of_turns(self) -> bool:
        """Whether agents wait for each other after every turn of their loops."""
        return self.coordination.round_of == "turn"

    def _problem_in_faults(self) -> str | None:
        workers = self.team.worker_count
        staff = self.staff if self.faults else {}
        for fault in self.faults:
            for who in fault.agents:
                if isinstance(who, int) and who >= workers:
                    return f"faults: there is no worker {who}, only 0 to {workers - 1}"
                if isinstance(who, str) and not staff[who]:
                    return f"faults: there is no {who} in this team"
        return None

    def _problem_in_resilience(self) -> str | None:
        patterns = self.resilience
        if patterns.bulkhead is not None:
            known = list(self.team.groups) if self.team.groups else ["team"]
            for name in patterns.bulkhead:
                if name not in known:
                    return f"resilience.bulkhead: {unknown_name('group', name, known)}"
        protocol = self.coordination.protocol
        if patterns.backup is not None and not protocol.can_back_up:
            return (
                f"resilience.backup: with protocol {protocol.kind!r} no task belongs to one agent, "
                "so that another could repeat it (use self_claim, pre_assigned, work_stealing, ...)"
            )
        may_diverge = self.network.partitions and self.workspace.on_partition == "available"
        if patterns.simpler_protocol is not None:
            if may_diverge:
                return (
                    "resilience.simpler_protocol: the two sides of a partition must not end up "
                    "with different protocols; use 'on_partition: consistent'"
                )
            simpler = patterns.simpler_protocol.protocol
            if not simpler.can_take_over:
                return (
                    f"resilience.simpler_protocol: {simpler.kind!r} is no simpler protocol (use "
                    "self_claim, pre_assigned or work_stealing)"
                )
        return None


def scenario_json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario file, for editors to complete and check."""
    schema = Scenario.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "teamsim scenario"
    for name in ("Agent", "Group", "Team", "Scenario"):  # profiles and sweeps say the rest
        schema["$defs"].get(name, {}).pop("required", None)
    schema["required"] = ["name"]
    define_roles(schema["$defs"])
    define_families(schema, REGISTRIES)
    define_deprecated(schema)
    return schema
