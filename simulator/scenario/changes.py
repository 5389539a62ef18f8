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
        Dotted paths and values, as in a sweep; items of a list have numbers from 0.

    Raises
    ------
    LookupError
        If there is no field at a path.
    pydantic.ValidationError
        If the changed scenario is not valid.
    """
    data = scenario.model_dump()
    for path, value in changes.items():
        *parents, last = path.split(".")
        node: Any = data
        for parent in parents:
            node = _opened(node, parent)
        node[int(last) if isinstance(node, list) else last] = value
    return Scenario.model_validate(data)


def _opened(node: Any, key: str) -> Any:
    """Return what is at a key; a tuple there becomes a list, whose items can be set."""
    where = int(key) if isinstance(node, list) else key
    if isinstance(node[where], tuple):
        node[where] = list(node[where])
    return node[where]
