"""The scenario: what a user may say about a team, its work and the experiment."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from simulator.distributions import DISTRIBUTIONS, NonNegativeDistribution
from simulator.registry import OneOf, Plugin, Registry, define_families
from simulator.scenario.agent import LATENCY_MODELS, Agent, constant
from simulator.scenario.sweep import Sweep
from simulator.spec import Positive, Spec

TOPOLOGIES = Registry("topology", "simulator.model.topologies", "teamsim.topologies")
PROTOCOLS = Registry("protocol", "simulator.model.protocols", "teamsim.protocols")
WORKLOADS = Registry("workload", "simulator.model.workloads", "teamsim.workloads")

REGISTRIES = (TOPOLOGIES, PROTOCOLS, WORKLOADS, LATENCY_MODELS, DISTRIBUTIONS)
"""Every family of plugins that a scenario may name."""


class Team(Spec):
    """Who works: `size` agents alike, and a coordinator where the topology has one."""

    size: Annotated[int, Field(ge=1, le=1_000_000)]
    """Number of agents that take tasks; a coordinator comes on top."""
    agent: Agent
    """Every working agent."""
    coordinator: Agent | None = None
    """The coordinator, where it differs; what it does not say is as in `agent`."""


class Coordination(Spec):
    """How work reaches agents, and when they act."""

    protocol: Annotated[Plugin, OneOf(PROTOCOLS)]
    """How work reaches agents."""
    timing: Literal["rounds", "asynchronous"] = "rounds"
    """``rounds``: all call at once, then a barrier. ``asynchronous``: each on its own."""
    idle_agents: Literal["call", "wait"] = "call"
    """In rounds, whether an agent that finds no task makes its call all the same."""
    round_overhead_s: NonNegativeDistribution = Field(default_factory=lambda: constant(0.0))
    """Time of the harness between two rounds, in seconds (tests, bookkeeping)."""


class Limits(Spec):
    """When a replication is stopped although tasks are left."""

    max_rounds: Annotated[int, Field(ge=1)] = 10_000
    """Rounds of synchronous timing."""
    max_calls: Annotated[int, Field(ge=1)] = 10_000_000
    """Calls started by the whole team."""
    deadline_s: Positive | None = None
    """Simulated seconds."""
    budget_usd: Positive | None = None
    """Cost of all finished calls."""


class Scenario(Spec):
    """A team, its work, and the experiment to run on them."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$")]
    """Short name: letters, digits, ``_``, ``-`` and ``.``."""
    question: str = ""
    """The question that the scenario asks."""
    answer: str = ""
    """What was found when it was run."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Root of all random streams."""
    replications: Annotated[int, Field(ge=1)] = 100
    """Independent replications of each point."""
    team: Team
    """Who works."""
    topology: Annotated[Plugin, OneOf(TOPOLOGIES)]
    """Who hears whom."""
    coordination: Coordination
    """How work reaches agents, and when they act."""
    workload: Annotated[Plugin, OneOf(WORKLOADS)]
    """The tasks."""
    limits: Limits = Limits()
    """When to stop."""
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
        for plugin in (self.topology, self.coordination.protocol, self.workload):
            problem = plugin.problem_in(self)
            if problem is not None:
                raise ValueError(problem)
        return self


def scenario_json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario file, for editors to complete and check."""
    schema = Scenario.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "teamsim scenario"
    definitions = schema["$defs"]
    # A profile supplies what an agent leaves out, a sweep what the file leaves out.
    for name in ("Agent", "Team", "Scenario"):
        definitions.get(name, {}).pop("required", None)
    schema["required"] = ["name"]
    define_families(schema, REGISTRIES)
    return schema
