"""A scenario made ready: overrides and profiles applied, every point validated."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from simulator.documents import too_deep
from simulator.errors import Problem, ScenarioError, TeamsimWarning
from simulator.scenario.deprecated import carry_over, set_field
from simulator.scenario.inheritance import Heirs
from simulator.scenario.names import is_name, problem_with_name
from simulator.scenario.problems import problems_in
from simulator.scenario.schema import Scenario
from simulator.scenario.source import Path_, Source, as_path, dotted
from simulator.scenario.sweep import Overrides, SweepError, SweepPoint, parse_sweep, point_name
from simulator.scenario.telling import told


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

    Use `simulator.scenario.load_study` or `parse_study` to make one.
    """

    def __init__(
        self, source: Source, directory: Path, points: tuple[Point, ...] | None = None
    ) -> None:
        self._source = source
        self._directory = directory
        self._made = points
        self._heirs = Heirs(directory)
        self._warned: set[Problem] = set()

    def __repr__(self) -> str:
        return "\n".join(told(self))

    def _repr_html_(self) -> str:
        return "".join(f"<p>{escape(line)}</p>" for line in told(self))

    @classmethod
    def of_points(cls, points: Sequence[Point]) -> Study:
        """Return a study whose points are there already, as those of an earlier sweep."""
        return cls(Source({}, {}), Path(), tuple(points))

    @classmethod
    def of_scenario(cls, scenario: Scenario) -> Study:
        """Return a study of one point: a scenario as it stands."""
        return cls.of_points([Point(0, scenario.name, {}, None, "", scenario)])

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
            set_field(source, path, value, "")
        source.drop("sweep", "baseline", "figure", "answer")
        return dict(source.data)

    def changed(self, changes: Mapping[str, Any]) -> Study:
        """Return a study of the base scenario with dotted fields set.

        Agents that take over from the team's follow its changes. A path may lead into what the file
        says in short or not at all: a number for a distribution, a field of a profile. Whether the
        changed scenario is valid shows when its `base` is asked for.

        Raises
        ------
        ScenarioError
            If a path runs through a value that has no fields.
        """
        source = self._source.copy()
        source.drop("sweep", "baseline", "figure", "answer")
        full = Source(self.base.model_dump(mode="json", by_alias=True), {})
        for path, value in changes.items():
            keys = as_path(path)
            for length in range(1, len(keys)):
                there, whole = source.get(keys[:length]), full.get(keys[:length])
                if isinstance(there, (dict, list)) or (there is None and not whole):
                    continue
                known = whole if isinstance(whole, dict) else {}
                source.set(".".join(map(str, keys[:length])), known, "changed")
            set_field(source, path, value, "changed")
        return Study(source, self._directory)

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

    @cached_property
    def _unswept(self) -> Source:
        """The file without its sweep, which is long if there are many points."""
        return self._source.without("sweep", "baseline")

    @cached_property
    def _origins_of_overrides(self) -> dict[str, dict[str, str]]:
        """Where the sweep says each path, by the name of a series; that of a grid is empty."""
        raw, origin = self._raw("sweep"), self._source.origin
        if isinstance(raw, dict):
            return {"": {path: origin(("sweep", path)) for path in raw}}
        return {
            str(entry.get("name")): {path: origin(("sweep", i, path)) for path in entry}
            for i, entry in enumerate(raw if isinstance(raw, list) else [])
            if isinstance(entry, dict)
        }

    def _scenario(self, point: SweepPoint) -> Scenario:
        source = self._unswept.copy()
        origins = self._origins_of_overrides.get(point.series, {})
        for path, value in point.overrides.items():
            origin = origins.get(path) or self._source.origin(
                ("baseline", path) if path in self._baseline else ("sweep",)
            )
            set_field(source, path, value, origin)
        if isinstance(source.data, dict):
            carry_over(source)
            self._check_names(source)
            self._heirs.fill(source)
            self._warn()
        try:
            return Scenario.model_validate(source.data, context={"directory": self._directory})
        except ValidationError as error:
            raise ScenarioError(problems_in(error, source)) from None
        except RecursionError:  # in a file that it names
            raise ScenarioError([Problem(source.origin(()), "", str(too_deep()))]) from None

    @property
    def deprecated(self) -> list[Problem]:
        """What the file and its profiles say under old names, as far as it has been looked at."""
        return list(self._source.notes)

    def _warn(self) -> None:
        """Warn of what is deprecated, once."""
        for note in self._source.notes.keys() - self._warned:
            warnings.warn(str(note), TeamsimWarning, stacklevel=2)
            self._warned.add(note)

    def _check_names(self, source: Source) -> None:
        """Refuse to set fields of tools, stations, groups and the like that are not there."""
        problems: dict[Path_, Problem] = {}
        for path in source.made:  # what is around something comes first
            is_within = any(path[: len(wrong)] == wrong for wrong in problems)
            if is_within or not is_name(Scenario, path):
                continue
            is_tool = path[-2] == "tools"
            inherited = self._heirs.tools_for(source, path[:-2]) if is_tool else set()
            problem = problem_with_name(path, source, inherited)
            if problem is not None:
                problems[path] = problem
        if problems:
            raise ScenarioError(problems.values())
