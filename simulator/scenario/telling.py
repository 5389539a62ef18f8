"""Tells in a few lines what a study asks and what it varies: for consoles and notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from simulator.errors import ScenarioError
from simulator.scenario.costs import cost_notes_of
from simulator.scenario.schema import Scenario
from simulator.scenario.sweep import Overrides, label
from simulator.words import counted

_SHOWN = 3
"""Most problems that are told."""


class Varied(Protocol):
    """A point of a study."""

    @property
    def scenario(self) -> Scenario:
        """What is run at the point."""

    @property
    def overrides(self) -> Overrides:
        """Dotted paths and values."""


class Studied(Protocol):
    """What is told of a study."""

    @property
    def base(self) -> Scenario:
        """The scenario without its sweep."""

    @property
    def points(self) -> Sequence[Varied]:
        """Every point of the sweep."""


def assumed(assumptions: Sequence[str]) -> list[str]:
    """Return a sentence on each thing that a scenario takes for granted."""
    return [f"Assumed, not measured: {each}." for each in assumptions]


def told(study: Studied) -> list[str]:
    """Return the lines: name, points and replications; the question; the values of each axis.

    If it is not known what some point costs, a line says how to give a price.
    """
    try:
        base, points = study.base, study.points
    except ScenarioError as error:
        return ["Study that cannot be run:", *map(str, error.problems[:_SHOWN])]
    values: dict[str, dict[str, None]] = {}
    for point in points:
        for path, value in point.overrides.items():
            values.setdefault(path, {})[str(label(value))] = None
    count, each = counted(len(points), "point"), counted(base.replications, "replication")
    return [
        f"Study: {base.name}, seed {base.seed}, {count} of {each}",
        *([base.question] if base.question else []),
        *assumed(base.assumptions),
        *(f"{path}: {', '.join(each)}" for path, each in values.items()),
        *cost_notes_of([point.scenario for point in points]),
    ]
