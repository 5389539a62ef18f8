"""Who works."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from simulator.scenario.agent import Agent
from simulator.scenario.roles import COORDINATOR, VERIFIER
from simulator.scenario.subagents import Subagents
from simulator.spec import Fraction, Name, Spec


class Group(Spec):
    """Workers of one kind, in a team of several kinds."""

    size: Annotated[int, Field(ge=0, le=1_000_000)]
    """How many."""
    agent: Agent
    """Each of them; fields not given are those of the team's `agent`."""


class Team(Spec):
    """Who works: `size` equal agents, or `groups`. Coordinators and verifiers come on top."""

    size: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Number of workers, the agents that take tasks; each is an `agent`."""
    agent: Agent | None = None
    """Every worker."""
    groups: dict[Name, Group] | None = None
    """Groups of workers by name, in place of `size`."""
    coordinator: Annotated[Agent, COORDINATOR] | None = None
    """Coordinators, if they differ; fields not given are those of `agent`."""
    verifier: Annotated[Agent, VERIFIER] | None = None
    """Verifiers, if they differ; fields not given are those of `agent`."""
    subagents: Subagents | None = None
    """Agents that others start, and that end with their loop."""
    family_similarity: Fraction = 0.0
    """Correlation, between two families, of how difficult a task is (on a normal scale)."""

    @model_validator(mode="after")
    def _says_who_works(self) -> Self:
        if (self.size is None) == (self.groups is None):
            raise ValueError("a team needs either 'size' and 'agent', or 'groups'")
        if self.size is not None and self.agent is None:
            raise ValueError("a team of 'size' agents needs 'agent'")
        if self.groups is not None and not self.workers:
            raise ValueError("the groups of a team must have at least one worker together")
        return self

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return the fields; tools of `agent` that others lack are null for them.

        They would take them over where it is read again.
        """
        found: dict[str, Any] = write(self)
        tools = (found.get("agent") or {}).get("tools") or {}
        groups, subagents = found.get("groups") or {}, found.get("subagents") or {}
        heirs = [group.get("agent") for group in groups.values()]
        heirs += [found.get("coordinator"), found.get("verifier")]
        for heir in [*heirs, *subagents.get("kinds", {}).values()]:
            if heir is not None and tools:
                own = heir.get("tools") or {}
                heir["tools"] = own | dict.fromkeys(name for name in tools if name not in own)
        return found

    @property
    def workers(self) -> list[Agent]:
        """Every worker, group by group, shape (workers,)."""
        if self.groups is None:
            assert self.agent is not None
            assert self.size is not None
            return [self.agent] * self.size
        return [g.agent for g in self.groups.values() for _ in range(g.size)]

    @property
    def kinds(self) -> list[Agent]:
        """The different workers, one each."""
        if self.groups is None:
            assert self.agent is not None
            return [self.agent]
        return [group.agent for group in self.groups.values()]

    @cached_property
    def forgetful(self) -> str | None:
        """Dotted path of the first kind of workers who may forget to hand in, if there is one."""
        groups = {f"team.groups.{name}.agent": g.agent for name, g in (self.groups or {}).items()}
        kinds = groups if self.groups is not None else {"team.agent": self.kinds[0]}
        return next((path for path, kind in kinds.items() if kind.forgetting is not None), None)

    @property
    def group_of_workers(self) -> list[str]:
        """Name of each worker's group; ``team`` where all workers are alike."""
        sizes = {name: group.size for name, group in (self.groups or {}).items()}
        sizes = sizes or {"team": self.worker_count}
        return [name for name, size in sizes.items() for _ in range(size)]

    @property
    def worker_count(self) -> int:
        """Number of workers."""
        if self.groups is None:
            assert self.size is not None
            return self.size
        return sum(group.size for group in self.groups.values())
