"""What can be set in the explorer: knobs, choices, and the scenario that they make."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import yaml

from analysis.decisions.loop_numbers import loop_numbers
from simulator.errors import TeamsimError, unknown_name
from simulator.scenario import Scenario, parse_study
from simulator.scenario.changes import with_changes

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

TOPOLOGIES = ("independent", "decentralised", "centralised", "ring", "gossip", "blackboard")
PROTOCOLS = ("pre_assigned", "self_claim", "lead_assign", "work_stealing", "replicate_and_vote")
TIMINGS = ("rounds", "asynchronous")

MOST_AGENTS = 32
"""In a team."""

_MOST = "most"


@dataclass(frozen=True)
class Knob:
    """A number that can be moved."""

    path: str
    label: str
    low: float
    high: float
    step: float
    is_whole: bool = False


KNOBS = (
    Knob("workload.parallel_fraction", "parallel fraction p", 0.0, 1.0, 0.05),
    Knob("workload.tasks", "tasks", 4, 60, 4, is_whole=True),
    Knob("team.agent.errors.probability.probability", "error probability", 0.0, 0.6, 0.02),
    Knob("team.agent.errors.detection", "errors that tests find", 0.0, 1.0, 0.05),
    Knob("team.agent.drift.step.value", "drift a call", 0.0, 0.2, 0.01),
    Knob("team.agent.tokens.message.value", "tokens of a message", 0, 2000, 50),
    Knob("team.agent.faults.malformed", "malformed replies", 0.0, 0.5, 0.02),
)


@dataclass(frozen=True)
class Setting:
    """Where knobs and choices are.

    Attributes
    ----------
    values : mapping of str to float
        Dotted paths and values of the knobs.
    most : int
        Agents of the largest team.
    topology, protocol, timing : str
        Names.
    """

    values: Mapping[str, float]
    most: int
    topology: str
    protocol: str
    timing: str

    def scenario(self, base: Scenario, size: int, replications: int) -> Scenario:
        """Return the scenario of a team of this size.

        Raises
        ------
        pydantic.ValidationError
            If the combination is not valid.
        """
        whole = {knob.path for knob in knobs_of(base) if knob.is_whole}
        numbers = {p: round(v) if p in whole else float(v) for p, v in self.values.items()}
        changes = {
            **numbers,
            "topology": {"kind": self.topology},
            "coordination.protocol": {"kind": self.protocol},
            "coordination.timing": self.timing,
            "replications": replications,
            "precision": None,
            "team.size": size,
        }
        return with_changes(base, changes)

    def query(self) -> str:
        """Return the setting as the query of an address."""
        choices = {
            _MOST: self.most,
            "topology": self.topology,
            "protocol": self.protocol,
            "timing": self.timing,
        }
        return urlencode({**choices, **{path: repr(v) for path, v in self.values.items()}})


class Offered:
    """The knobs and choices that are offered for a scenario.

    Parameters
    ----------
    base : Scenario
        Supplies all fields that the knobs do not set, and where the knobs are first.
    """

    def __init__(self, base: Scenario) -> None:
        self.where = settings_of(base)
        self.knobs = [knob for knob in knobs_of(base) if knob.path in self.where]

    def ends(self, knob: Knob) -> tuple[float, float]:
        """Return the least and the greatest value that a knob may have."""
        now = self.where[knob.path]
        return min(knob.low, now), max(knob.high, now)

    def checked(
        self, most: object, topology: object, protocol: object, timing: object, *moved: object
    ) -> Setting:
        """Return the setting that a page asks for; `moved` are the knobs, in their order.

        Raises
        ------
        TeamsimError
            If a value is not one that is offered.
        """
        size = int(_within(most, "largest team", 1, MOST_AGENTS))
        if len(moved) != len(self.knobs):
            raise TeamsimError(f"{len(self.knobs)} knobs are expected")
        values = {
            knob.path: _within(value, knob.label, *self.ends(knob))
            for knob, value in zip(self.knobs, moved, strict=True)
        }
        return Setting(
            values,
            size,
            _known("topology", topology, TOPOLOGIES),
            _known("protocol", protocol, PROTOCOLS),
            _known("timing", timing, TIMINGS),
        )

    def from_query(self, query: Mapping[str, str]) -> Setting:
        """Return the setting that the query of an address asks for (`Setting.query`).

        Raises
        ------
        TeamsimError
            If a value is not one that is offered, or one is not given or not known.
        """
        expected = [_MOST, "topology", "protocol", "timing", *(knob.path for knob in self.knobs)]
        for name in query:
            if name not in expected:
                raise TeamsimError(unknown_name("setting", name[:40], expected))
        for name in expected:
            if name not in query:
                raise TeamsimError(f"the setting {name} is missing")
        moved = [_as_number(query[knob.path]) for knob in self.knobs]
        names = query["topology"], query["protocol"], query["timing"]
        return self.checked(_as_number(query[_MOST]), *names, *moved)


def base_scenario() -> Scenario:
    """Return the scenario that is explored if none is given."""
    return parse_study(DEFAULT).base


def knobs_of(scenario: Scenario) -> list[Knob]:
    """Return the knobs that may be moved in a scenario: `KNOBS`, and the numbers of its loops."""
    loops = []
    for number in loop_numbers(scenario):
        step = 1.0 if number.is_whole else _round_step(number.now / 20)
        high = 1.0 if number.what == "end" else 4 * number.now
        low = max(1.0, step) if number.is_whole else step
        loops.append(Knob(number.path, number.label, low, high, step, number.is_whole))
    return [*KNOBS, *loops]


def _round_step(value: float) -> float:
    """Return the power of ten below a value."""
    return 10.0 ** math.floor(math.log10(value))


def settings_of(scenario: Scenario) -> dict[str, float]:
    """Return the knobs' values in a scenario, without knobs for which it has no number."""
    found = {}
    data = scenario.model_dump()
    for knob in knobs_of(scenario):
        node: Any = data
        for part in knob.path.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        if isinstance(node, (int, float)) and not isinstance(node, bool):
            found[knob.path] = float(node)
    return found


def as_yaml(scenario: Scenario) -> str:
    """Return the scenario as the text of a file, without default values."""
    said = scenario.model_dump(mode="json", exclude_defaults=True)
    said["topology"] = scenario.topology.model_dump(mode="json", exclude_defaults=True) | {
        "kind": scenario.topology.kind
    }
    for owner, name in ((said["coordination"], "protocol"), (said, "workload")):
        plugin = scenario.workload if name == "workload" else scenario.coordination.protocol
        owner[name] = plugin.model_dump(mode="json", exclude_defaults=True)
        owner[name]["kind"] = plugin.kind
    return yaml.safe_dump(said, sort_keys=False, width=100)


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _within(value: object, name: str, low: float, high: float) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise TeamsimError(f"{name}: a number from {low:g} to {high:g} is expected")


def _known(what: str, name: object, names: Sequence[str]) -> str:
    if isinstance(name, str) and name in names:
        return name
    raise TeamsimError(unknown_name(what, str(name)[:40], names))
