"""What YAML may say about sub-agents: who there may be, and how many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated

from pydantic import Field

from simulator.errors import unknown_name
from simulator.scenario.agent import Agent
from simulator.scenario.roles import SUBAGENT
from simulator.spec import Name, Spec

MOST_DEPTH = 100
"""Levels of sub-agents below the team, whatever is said."""


class Subagents(Spec):
    """Agents that others start with a tool (`tools`, `starts`), and that end with their loop.

    A sub-agent is no member of the team: it takes no tasks, reads no board, gets no messages and
    sends nothing but its report. Its time does not count as the team's. It uses the same provider,
    tools and stations, and its tokens are on the same bill. Its attempts do not err
    (`ToolSpec.errors` says how often a report is useless). A sub-agent that crashes is gone, and
    none is Byzantine.
    """

    kinds: dict[Name, Annotated[Agent, SUBAGENT]]
    """Kinds of sub-agents by name. Fields not given are those of the team's `agent`, except for its
    tools that start sub-agents."""
    max_depth: Annotated[int, Field(ge=1, le=MOST_DEPTH)] | None = None
    """Levels of sub-agents below the team: with 1, sub-agents start none. At the last level,
    tools that start sub-agents are not there. When absent, a run that goes deeper than 100 levels
    is an error."""
    max_total: Annotated[int, Field(ge=0)] | None = None
    """Sub-agents that may be started in a run; a turn goes on without those that would be too many.
    No limit when absent."""

    @cached_property
    def last_kinds(self) -> dict[str, Agent]:
        """The kinds at the last level, which start none."""
        return {name: _without_starts(kind) for name, kind in self.kinds.items()}

    def problem(self) -> str | None:
        """Return why the kinds may start each other without end, if they may."""
        if self.max_depth is not None or self.max_total is not None:
            return None
        circle = _circle({name: list(_started_by(kind)) for name, kind in self.kinds.items()})
        if circle is None:
            return None
        return (
            f"team.subagents: {' > '.join(map(repr, circle))} may start each other without end: "
            "say 'max_depth' or 'max_total'"
        )


def problem_in_starts(agent: Agent, subagents: Subagents | None) -> str | None:
    """Return what is wrong with the sub-agents that an agent starts, after where it is wrong."""
    known = [] if subagents is None else list(subagents.kinds)
    for name, tool in agent.tools.items():
        if tool.starts is not None and tool.starts.agent not in known:
            said = unknown_name("sub-agent", tool.starts.agent, known)
            return f"tools.{name}.starts.agent: {said}"
    return None


def _without_starts(kind: Agent) -> Agent:
    """Return a kind of sub-agents that starts none."""
    tools = {name: tool for name, tool in kind.tools.items() if tool.starts is None}
    return kind.model_copy(update={"tools": tools})


def _started_by(agent: Agent) -> Iterator[str]:
    """Yield the kinds that an agent may start."""
    if agent.loops:
        for tool in agent.tools.values():
            if tool.starts is not None and tool.chance > 0.0:
                yield tool.starts.agent


def _circle(starts: Mapping[str, list[str]]) -> list[str] | None:
    """Return a circle of kinds in which each may start the next, if there is one."""
    done: set[str] = set()

    def walk(path: list[str]) -> list[str] | None:
        for kind in starts.get(path[-1], []):
            if kind in path:
                return [*path[path.index(kind) :], kind]
            if kind not in done:
                found = walk([*path, kind])
                if found is not None:
                    return found
        done.add(path[-1])
        return None

    for kind in starts:
        if kind not in done:
            found = walk([kind])
            if found is not None:
                return found
    return None
