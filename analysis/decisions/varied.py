"""Which fields of a scenario can be varied: numbers that are said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simulator.errors import TeamsimError, unknown_name
from simulator.scenario import Scenario
from simulator.scenario.probability import Probability

_OF_THE_STUDY = {"seed", "replications", "precision", "figure", "expect", "name", "question"}
"""Fields that say how the scenario is run or told, and not what it is."""
_SHOWN = 4
"""Most names that a message lists."""


def is_whole(scenario: Scenario, path: str) -> bool:
    """Return whether the field at a dotted path holds a whole number.

    Raises
    ------
    TeamsimError
        If it is not there, or no number.
    """
    node: Any = scenario.model_dump()
    said: list[str] = []
    for key in path.split("."):
        node = _within(node, key, path, ".".join(said))
        said.append(key)
    if said[0] in _OF_THE_STUDY:
        raise TeamsimError(f"{path} says how the scenario is run or told: it cannot be varied")
    if _is_constant(node):
        return False
    if not _is_number(node):
        raise TeamsimError(
            f"{path} {_what_is(node)}: only a number can be varied{_some(path, node)}"
        )
    return isinstance(node, int)


def _within(node: Any, key: str, path: str, around: str) -> Any:
    """Return what a mapping or list has at a key of a path."""
    items = _items(node)
    if key in items:
        return items[key]
    where = around or "the scenario"
    if isinstance(node, Sequence) and not isinstance(node, str):
        allowed = f"0 to {len(items) - 1}" if items else "none"
        raise TeamsimError(
            f"{path}: {where} is a list of {len(items)}: {key!r} is none of its items "
            f"(allowed: {allowed})"
        )
    if not items:
        raise TeamsimError(f"{path}: {where} {_what_is(node)} and has no fields")
    raise TeamsimError(f"{path}: {where}: {unknown_name('field', key, items)}")


def _items(node: Any) -> Mapping[str, Any]:
    """Return what is within a mapping or list, by the key that a path has for it."""
    if isinstance(node, Mapping):
        return node
    is_list = isinstance(node, Sequence) and not isinstance(node, str)
    return {str(i): each for i, each in enumerate(node)} if is_list else {}


def _what_is(node: Any) -> str:
    if isinstance(node, Mapping):
        return "has fields of its own" if node else "is empty"
    if isinstance(node, Sequence) and not isinstance(node, str):
        return f"is a list of {len(node)}" if node else "is an empty list"
    return "is not set (give it a number first)" if node is None else f"is {node!r}"


def _some(path: str, node: Any) -> str:
    """Return the numbers within a node, those that are least deep first."""
    found = sorted(_numbers(path, node), key=lambda name: name.count("."))
    if not found:
        return ""
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f", one of {', '.join(found[:_SHOWN])}{more}"


def _numbers(path: str, node: Any) -> Iterator[str]:
    if _is_number(node) or _is_constant(node):
        yield path
        return
    for key, each in _items(node).items():
        yield from _numbers(f"{path}.{key}", each)


def _is_constant(node: Any) -> bool:
    """Return whether a field with fields of its own may be said as a number, and is but that."""
    if not isinstance(node, Mapping):
        return False
    is_probability = set(node) == set(Probability.model_fields)
    varies = any(node.get(name) for name in ("run_sigma", "agent_sigma"))
    return node.get("kind") == "deterministic" or (is_probability and not varies)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
