"""What can be set in the explorer, and the scenario that a setting makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import yaml

from analysis.decisions.advice.structures import dealt
from analysis.report.explorer.fields import (
    DRAWN_AGAINST,
    LEFT_OUT,
    Field,
    fields_of,
    nearest_to,
    read,
    written,
)
from analysis.report.explorer.knobs import Knob, knobs_of, settings_of
from analysis.statistics.series import SIZE
from simulator.errors import ScenarioError, TeamsimError, unknown_name
from simulator.scenario import Study, parse_study

DEFAULT = """
name: explored
team:
  size: 1
  agent:
    latency: {kind: seconds, base: {kind: lognormal, median: 8, sigma: 0.6}, per_1k_input_s: 0.3}
    errors: {probability: 0.1, detection: 0.8}
topology: decentralised
coordination: {protocol: pre_assigned}
workload: {kind: parallel_fraction, tasks: 24, parallel_fraction: 0.9}
"""

CHOICES = ("topology", "coordination.protocol", "coordination.timing")
"""Fields with a choice that is always shown."""

MOST_AGENTS = 32
"""In a team."""

GROUPS = "team.groups"

MOST = "most"
"""Name of the size of the largest team in the query of an address."""


_FOR_TEAMS = ("independent", "decentralised", "centralised")
"""Topologies to begin with where that of the scenario is for one agent only."""


@dataclass(frozen=True)
class Setting:
    """Where the controls of a page are.

    Attributes
    ----------
    most : int
        Agents of the largest team.
    said : mapping of str to any
        Values by dotted path, of all controls that are shown, in their order.
    """

    most: int
    said: Mapping[str, Any]

    def query(self) -> str:
        """Return the setting as the query of an address."""
        return urlencode(
            {MOST: self.most, **{path: written(value) for path, value in self.said.items()}}
        )


class Offered:
    """What can be set of a scenario: its fields, and which of them are shown from the start.

    Parameters
    ----------
    study : Study
        Supplies all fields that are not set.

    Attributes
    ----------
    fields : dict of str to Field
        By their paths.
    knobs : list of Knob
        Numbers that have sliders.
    where : dict of str to float
        Where these are at first, by path.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self.fields = fields_of(study.base)
        self.where = settings_of(study.base)
        self.knobs = [knob for knob in knobs_of(study.base) if knob.path in self.where]
        self._knobs = {knob.path: knob for knob in self.knobs}

    @cached_property
    def first(self) -> Setting:
        """The scenario as it is, or with the first topology that teams of its sizes can have."""
        most = min(MOST_AGENTS, max(8, self._study.base.team.worker_count))
        as_it_is = Setting(most, {path: self.now(path) for path in self.shown})
        for topology in (as_it_is.said["topology"], *_FOR_TEAMS):
            setting = Setting(most, {**as_it_is.said, "topology": topology})
            try:
                _ = self.study(setting, most, 1).base
            except ScenarioError:
                continue
            return setting
        return as_it_is

    @property
    def shown(self) -> list[str]:
        """The paths whose controls are always there."""
        return [*CHOICES, *self._knobs]

    def field(self, path: str) -> Field:
        """Return a field; one that is not listed is asked for as YAML, and the schema judges it.

        Raises
        ------
        TeamsimError
            If it is one that the curves are drawn against, or none of a scenario.
        """
        if path in self.fields:
            return self.fields[path]
        first, known = path.partition(".")[0], {each.partition(".")[0] for each in self.fields}
        if path == DRAWN_AGAINST:
            raise TeamsimError(
                f"{path}: the curves are drawn against it, up to the control 'largest team'"
            )
        if path in LEFT_OUT or first not in known:
            raise TeamsimError(unknown_name("field", path[:40], nearest_to(path, self.fields)))
        return Field(path, "", "text", None)

    def now(self, path: str) -> Any:
        """Return the value of a field in the scenario as it is."""
        return self.where[path] if path in self.where else self.field(path).now

    def ends(self, knob: Knob) -> tuple[float, float]:
        """Return the least and the greatest value that a knob may have."""
        now = self.where[knob.path]
        return min(knob.low, now), max(knob.high, now)

    def label(self, path: str) -> str:
        """Return what a control is called."""
        return self._knobs[path].label if path in self._knobs else path

    def checked(self, most: object, said: Mapping[str, Any]) -> Setting:
        """Return the setting that a page asks for, with values as its controls hold them.

        Raises
        ------
        TeamsimError
            If a value cannot be one of its field.
        """
        size = int(_within(most, "largest team", 1, MOST_AGENTS))
        values = {path: self._checked(path, value) for path, value in said.items()}
        shown = {path: values.pop(path, self.now(path)) for path in self.shown}
        return Setting(size, {**shown, **values})

    def _checked(self, path: str, value: Any) -> Any:
        if path in self._knobs:
            knob = self._knobs[path]
            number = _within(value, knob.label, *self.ends(knob))
            return float(number)
        return self.field(path).checked(value)

    def from_query(self, query: Mapping[str, str]) -> Setting:
        """Return the setting that the query of an address asks for (`Setting.query`).

        What it does not say is as in the scenario.

        Raises
        ------
        TeamsimError
            If a value is none of its field, or there is no such field.
        """
        said = dict(query)
        most = self.first.most if MOST not in said else _as_number(said.pop(MOST))
        held = {}
        for path, text in said.items():
            is_text = path not in self._knobs and self.field(path).form == "text"
            held[path] = text if is_text else read(text or "null", path)
        return self.checked(most, held)

    def study(self, setting: Setting, size: int, replications: int) -> Study:
        """Return a study of one team: the scenario at a setting, with so many workers.

        Those of a team of groups are dealt to the groups in proportion to their sizes.

        Raises
        ------
        ScenarioError
            If a path runs through a value that has no fields.
        """
        base = self._study.base
        ends: dict[str, Any] = {} if base.precision is None else {"precision": None}
        ends |= {"expect": []} if base.expect else {}
        changes = {**self._moved(setting), "replications": replications, **ends}
        return self._study.changed({**changes, **self._sized(setting, size)})

    def _sized(self, setting: Setting, size: int) -> dict[str, Any]:
        """Return the changes that give a team its size."""
        groups = self._study.base.team.groups or {}
        sizes: dict[str, Any] = {name: group.size for name, group in groups.items()}
        if GROUPS in setting.said:
            said = setting.said[GROUPS]
            if said is None:
                return {SIZE: size}
            entries = said.items() if isinstance(said, dict) else ()
            sizes = {name: each.get("size") for name, each in entries if isinstance(each, dict)}
        for name in sizes:
            sizes[name] = setting.said.get(f"{GROUPS}.{name}.size", sizes[name])
        if not sizes:
            return {SIZE: size}
        alone = {} if self._study.base.team.size is None else {SIZE: None}
        are_sizes = all(isinstance(each, (int, float)) and each >= 0 for each in sizes.values())
        if not are_sizes or not any(sizes.values()):
            return alone  # the schema says what is wrong with them
        return {**alone, **dealt({name: round(each) for name, each in sizes.items()}, size)}

    def _moved(self, setting: Setting) -> dict[str, Any]:
        """Return the values that are not those of the scenario; what is around others first."""
        moved = {
            path: round(value) if path in self._knobs and self._knobs[path].is_whole else value
            for path, value in setting.said.items()
            if value != self.now(path)
        }
        return dict(sorted(moved.items(), key=lambda each: each[0].count(".")))


def in_words(error: TeamsimError) -> str:
    """Return what is wrong with a setting, without the places of the file that it began with."""
    if not isinstance(error, ScenarioError):
        return str(error)
    said = (f"{each.path}: {each.message}" if each.path else each.message
            for each in error.problems)  # fmt: skip
    return "; ".join(dict.fromkeys(said))


def base_study() -> Study:
    """Return the study that is explored if none is given."""
    return parse_study(DEFAULT)


def as_yaml(study: Study) -> str:
    """Return what a study says of its scenario as the text of a file."""
    return yaml.safe_dump(study.document({}), sort_keys=False, width=100)


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _within(value: object, name: str, low: float, high: float) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise TeamsimError(f"{name}: a number from {low:g} to {high:g} is expected")
