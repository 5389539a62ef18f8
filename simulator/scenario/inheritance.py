"""What agents take over: from profiles, and from the team's agent."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from simulator.errors import Problem, ScenarioError, unknown_name
from simulator.scenario.deprecated import carry_over
from simulator.scenario.loop import ENDS
from simulator.scenario.roles import Role, heirs_in
from simulator.scenario.source import Path_, Source, dotted

_TEAM: Path_ = ("team", "agent")


class Heirs:
    """Lets agents take over what they leave out.

    Parameters
    ----------
    directory : Path
        Where files of profiles are looked for.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._profiles: dict[str, Source] = {}

    def fill(self, source: Source) -> None:
        """Let profiles and ``team.agent`` say what the agents of the team leave out."""
        team = source.data.get("team")
        if not isinstance(team, dict):
            return
        self._check_tools_taken_away(source, _TEAM, {})
        self._merge_profile(source, _TEAM)
        for path, role in list(heirs_in(source.data)):
            self._check_tools_taken_away(source, path, source.get((*_TEAM, "tools")))
            if self._merge_profile(source, path, role) and isinstance(team.get("agent"), dict):
                _fill_agent(source, path, Source(_for(path, team["agent"]), {}), role)

    def tools_for(self, source: Source, path: Path_) -> set[str]:
        """Return the names of the tools that the agent at `path` would take over."""
        bases = [self._named_profile(source, path)]
        if path != _TEAM:
            of_team = Source(source.get(_TEAM), {}), self._named_profile(source, _TEAM)
            bases += [Source(_for(path, each.data), {}) for each in of_team if each is not None]
        tools = [base.get(("tools",)) for base in bases if base is not None]
        return {name for each in tools if isinstance(each, dict) for name in each}

    def _profile_in(self, name: str) -> Source:
        """Return the profile in a file of the user's, read once for all points."""
        if name not in self._profiles:
            profile = Source.read(self._directory / name)
            if not isinstance(profile.data, dict):
                message = "a profile is a mapping of an agent's fields"
                raise ScenarioError([Problem(profile.origin(()), "", message)])
            carry_over(profile, _TEAM)
            self._profiles[name] = profile
        return self._profiles[name]

    def _check_tools_taken_away(self, source: Source, path: Path_, of_team: Any) -> None:
        """Refuse to take away a tool that neither the profile nor the team's agent has."""
        tools = source.get((*path, "tools"))
        away = [n for n, tool in tools.items() if tool is None] if isinstance(tools, dict) else []
        if not away:
            return
        profile = self._named_profile(source, path)
        bases = (of_team, profile.get(("tools",)) if profile else {})
        known = {name for tools in bases if isinstance(tools, dict) for name in tools}
        for name in away:
            if name not in known:
                where = (*path, "tools", name)
                message = f"there is no such tool to take away: {unknown_name('tool', name, known)}"
                raise ScenarioError([Problem(source.origin(where), dotted(where), message)])

    def _merge_profile(self, source: Source, path: Path_, role: Role | None = None) -> bool:
        """Merge the profile that the agent at `path` names; return whether there is an agent."""
        if not isinstance(source.get(path), dict):
            return False
        profile = self._named_profile(source, path)
        if profile is not None:
            source.note(*profile.notes)
            _fill_agent(source, path, profile, role)
        return True

    def _named_profile(self, source: Source, path: Path_) -> Source | None:
        """Return the profile that the agent at `path` names, if it names one."""
        name = source.get((*path, "profile"))
        if not isinstance(name, str):
            return None
        if name.endswith((".yaml", ".yml")):
            return self._profile_in(name)
        if name in profile_names():
            return _shipped_profile(name)
        where = (*path, "profile")
        message = unknown_name("profile", name, profile_names())
        raise ScenarioError([Problem(source.origin(where), dotted(where), message)])


@cache
def _shipped_profile(name: str) -> Source:
    """Return a shipped profile, read once; nobody changes it."""
    return Source.parse(profile_text(name), f"profile {name}")


def _fill_agent(source: Source, path: Path_, base: Source, role: Role | None) -> None:
    """Fill the agent at `path` from `base`, except for a second way in which its loop ends."""
    if role is not None and isinstance(base.data, dict):
        base = base.with_data(role.without(base.data))
    loop, below = source.get((*path, "loop")), base.get(("loop",))
    if isinstance(loop, dict) and isinstance(below, dict) and not loop.keys().isdisjoint(ENDS):
        base, where = base.copy(), base.origin(("loop",))
        base.set("loop", {name: each for name, each in below.items() if name not in ENDS}, where)
    source.merge_under(path, base)


def _for(path: Path_, agent: Any) -> Any:
    """Return the fields of the team's agent that the agent at `path` takes over.

    Sub-agents do not take over its tools that start sub-agents.
    """
    tools = agent.get("tools") if isinstance(agent, dict) else None
    if path[1] != "subagents" or not isinstance(tools, dict):
        return agent
    kept = {n: t for n, t in tools.items() if not (isinstance(t, dict) and t.get("starts"))}
    return {**agent, "tools": kept}


@cache
def profile_names() -> tuple[str, ...]:
    """Return the names of the agent profiles that ship with the simulator."""
    files = (resources.files("simulator") / "profiles").iterdir()
    return tuple(sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml")))


def profile_text(name: str) -> str:
    """Return the YAML text of a shipped profile."""
    return (resources.files("simulator") / "profiles" / f"{name}.yaml").read_text("utf-8")
