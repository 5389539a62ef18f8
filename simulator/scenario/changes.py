"""A scenario with some of its fields set to other values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.scenario.schema import Scenario


def with_changes(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """Return a scenario with dotted fields set, checked as a whole.

    Parameters
    ----------
    scenario : Scenario
    changes : mapping of str to any
        Dotted paths and values, as in a sweep.

    Raises
    ------
    KeyError
        If there is no field at a path.
    pydantic.ValidationError
        If the changed scenario is not valid.
    """
    data = scenario.model_dump()
    for path, value in changes.items():
        *parents, last = path.split(".")
        node = data
        for parent in parents:
            node = node[parent]
        node[last] = value
    return Scenario.model_validate(data)
