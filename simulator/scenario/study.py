"""A scenario file made ready: overrides and profiles applied, every point validated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from simulator.documents import too_deep
from simulator.errors import Problem, ScenarioError, unknown_name
from simulator.scenario.loop import ENDS
from simulator.scenario.problems import problems_in
from simulator.scenario.roles import SUBAGENT, Role, roles_in
from simulator.scenario.schema import Scenario
from simulator.scenario.shipped import scenario_path
from simulator.scenario.source import Path_, Source, as_path, dotted
from simulator.scenario.sweep import Overrides, SweepError, SweepPoint, parse_sweep, point_name


@dataclass(frozen=True)
class Point:
    """One point of a sweep: a scenario with its place in the experiment."""

    index: int
    name: str
    overrides: Overrides
    """Dotted paths and values by which it differs from the file."""
    baseline: int | None
    """Index of its single-agent baseline (its own index, if it is a baseline)."""
    series: str
    """Name of the entry of a sweep's list that it comes from; empty in a grid."""
    scenario: Scenario


class Study:
    """A scenario file with its sweep.

    Use `load_study` or `parse_study` to make one.
    """

    def __init__(
        self, source: Source, directory: Path, points: tuple[Point, ...] | None = None
    ) -> None:
        self._source = source
        self._directory = directory
        self._made = points
        self._profiles: dict[str, Source] = {}

    @classmethod
    def of_points(cls, points: Sequence[Point]) -> Study:
        """Return a study whose points are there already, as those of an earlier sweep."""
        return cls(Source({}, {}), Path(), tuple(points))

    @cached_property
    def base(self) -> Scenario:
        """The scenario as it stands, without its sweep.

        Raises
        ------
        ScenarioError
            If a field is wrong or missing.
        """
        if self._made is not None:
            return self._made[0].scenario
        return self._scenario(SweepPoint("base", {}, ""))

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Every point of the sweep (the base alone when there is none), baselines included.

        Raises
        ------
        ScenarioError
            If any point is wrong.
        """
        if self._made is not None:
            return self._made
        points: list[Point] = []
        alike: dict[str, Scenario] = {}  # baselines, by what they say differently from the file
        place: dict[str, int] = {}  # by the content of a scenario, the first point that has it
        for entry in self._sweep:
            scenario = self._scenario(entry)
            place.setdefault(scenario.model_dump_json(), len(points))
            points.append(
                Point(len(points), entry.name, entry.overrides, None, entry.series, scenario)
            )
        if not self._baseline:
            return tuple(points)
        for point in tuple(points):
            overrides = {**point.overrides, **self._baseline}
            series = "baseline" if point.series else ""
            alone = SweepPoint(point_name(overrides), overrides, series)
            scenario = alike.get(repr(overrides)) or self._scenario(alone)
            alike[repr(overrides)] = scenario
            index = place.setdefault(scenario.model_dump_json(), len(points))
            if index == len(points):
                points.append(Point(index, alone.name, overrides, index, series, scenario))
            points[point.index] = replace(point, baseline=index)
        return tuple(points)

    @cached_property
    def axes(self) -> list[str]:
        """The dotted paths that differ between points, in the order first met."""
        return list(dict.fromkeys(path for point in self.points for path in point.overrides))

    def problems(self) -> list[Problem]:
        """Return all that is wrong in the file and at any point of its sweep, each once."""
        try:
            _ = self.points
        except ScenarioError as error:
            found = dict.fromkeys(error.problems)
        else:
            return []
        try:
            entries = self._sweep
            alone = [{**entry.overrides, **self._baseline} for entry in entries]
        except ScenarioError:
            return list(found)
        alike = {repr(overrides): SweepPoint("", overrides, "baseline") for overrides in alone}
        for entry in (*entries, *(alike.values() if self._baseline else ())):
            try:
                self._scenario(entry)
            except ScenarioError as error:
                found |= dict.fromkeys(error.problems)
        return list(found)

    def document(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the file says of the base scenario, with dotted fields set.

        The sweep, and what belongs to it, is left out; profiles and defaults are not filled in.
        """
        source = self._source.copy()
        for path, value in changes.items():
            source.set(path, value, "")
        source.drop("sweep", "baseline", "figure", "answer")
        return dict(source.data)

    def where(self, path: str) -> str:
        """Return the file and line of the field at a dotted path, or of the nearest around it."""
        return self._source.origin(as_path(path))

    def _raw(self, key: str) -> Any:
        return self._source.data.get(key) if isinstance(self._source.data, dict) else None

    @cached_property
    def _baseline(self) -> Overrides:
        raw = self._raw("baseline") or {}
        if not isinstance(raw, dict):
            origin = self._source.origin(("baseline",))
            raise ScenarioError([Problem(origin, "baseline", "a baseline maps paths to values")])
        return raw

    @cached_property
    def _sweep(self) -> list[SweepPoint]:
        try:
            return parse_sweep(self._raw("sweep"))
        except SweepError as error:
            path = ("sweep", *error.path)
            problem = Problem(self._source.origin(path), dotted(path), error.message)
            raise ScenarioError([problem]) from None

    def _scenario(self, point: SweepPoint) -> Scenario:
        source = self._source.copy()
        origins = _origins_of_overrides(self._source, point.series)
        for path, value in point.overrides.items():
            source.set(path, value, origins.get(path, source.origin(("sweep",))))
        if isinstance(source.data, dict):
            source.drop("sweep", "baseline")
            self._merge_profiles(source)
        try:
            return Scenario.model_validate(source.data, context={"directory": self._directory})
        except ValidationError as error:
            raise ScenarioError(problems_in(error, source)) from None
        except RecursionError:  # in a file that it names
            raise ScenarioError([Problem(source.origin(()), "", str(too_deep()))]) from None

    def _merge_profiles(self, source: Source) -> None:
        """Let profiles and ``team.agent`` say what the agents of the team leave out."""
        team = source.data.get("team")
        if not isinstance(team, dict):
            return
        groups = team.get("groups")
        kinds: list[tuple[Path_, Role | None]] = list(roles_in(source.data))
        if isinstance(groups, dict):
            kinds += [(("team", "groups", name, "agent"), None) for name in groups]
        above: Path_ = ("team", "agent")
        self._check_tools_taken_away(source, above, {})
        self._merge_profile(source, above)
        for path, role in kinds:
            self._check_tools_taken_away(source, path, source.get((*above, "tools")))
            if self._merge_profile(source, path, role) and isinstance(team.get("agent"), dict):
                base = team["agent"]
                if role is SUBAGENT:
                    base = _without_starts(base)
                _fill_agent(source, path, Source(base, {}), role)

    def _profile_in(self, name: str) -> Source:
        """Return the profile in a file of the user's, read once for all points."""
        if name not in self._profiles:
            self._profiles[name] = Source.read(self._directory / name)
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


def _without_starts(agent: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an agent, without its tools that start sub-agents."""
    tools = agent.get("tools")
    if not isinstance(tools, dict):
        return agent
    kept = {n: t for n, t in tools.items() if not (isinstance(t, dict) and t.get("starts"))}
    return {**agent, "tools": kept}


def load_study(path: str | Path, settings: Sequence[str] = ()) -> Study:
    """Read a scenario file and apply ``path=value`` settings to it.

    Parameters
    ----------
    path : str or Path
        A YAML file, or the name of a scenario that ships where there is no such file.
    settings : sequence of str
        ``dotted.path=value`` with the value in YAML, as given by ``--set``.

    Raises
    ------
    ScenarioError
        If the file cannot be read or a setting cannot be applied. Wrong fields are found
        when `Study.base` or `Study.points` is asked for.
    """
    path = scenario_path(Path(path))
    source = Source.read(path)
    for setting in settings:
        _apply(setting, source)
    return Study(source, path.parent)


def parse_study(text: str, name: str = "<text>", directory: Path = Path()) -> Study:
    """Make a study of YAML text; file names in it are relative to `directory`."""
    return Study(Source.parse(text, name), directory)


@cache
def profile_names() -> tuple[str, ...]:
    """Return the names of the agent profiles that ship with the simulator."""
    files = (resources.files("simulator") / "profiles").iterdir()
    return tuple(sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml")))


def profile_text(name: str) -> str:
    """Return the YAML text of a shipped profile."""
    return (resources.files("simulator") / "profiles" / f"{name}.yaml").read_text("utf-8")


_LONGEST_SETTING = 120
"""Longest setting that error messages repeat in full, in characters."""


def _apply(setting: str, source: Source) -> None:
    path, equals, text = setting.partition("=")
    origin = f"--set {setting if len(setting) <= _LONGEST_SETTING else f'{path[:40]}=...'}"
    if not equals or not path.strip():
        raise ScenarioError([Problem(origin, "", "a setting is path=value")])
    try:
        value = Source.parse(text, origin).data if text.strip() else None
    except ScenarioError as error:
        message = error.problems[0].message
        raise ScenarioError([Problem(origin, path, message)]) from None
    if not isinstance(source.data, dict):
        return
    source.set(path.strip(), value, origin)


def _origins_of_overrides(source: Source, series: str) -> dict[str, str]:
    origins: dict[str, str] = {}
    raw = source.data.get("sweep") if isinstance(source.data, dict) else None
    if isinstance(raw, dict):
        origins = {path: source.origin(("sweep", path)) for path in raw}
    for i, entry in enumerate(raw if isinstance(raw, list) else []):
        if isinstance(entry, dict) and entry.get("name") == series:
            origins = {path: source.origin(("sweep", i, path)) for path in entry}
    baseline = source.data.get("baseline") if isinstance(source.data, dict) else None
    for path in baseline if isinstance(baseline, dict) else {}:
        origins.setdefault(path, source.origin(("baseline", path)))
    return origins
