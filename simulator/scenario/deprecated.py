"""Fields and values that scenarios had under other names, which still work and say so."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.errors import Problem, ScenarioError
from simulator.scenario.roles import agent_places
from simulator.scenario.source import Path_, Source, as_path, dotted

_AGENT = ("team", "agent")


@dataclass(frozen=True)
class Replaced:
    """A field, or a value of one, that scenarios said in an earlier version.

    Attributes
    ----------
    old : str
        Its dotted path; ``*`` stands for any name, and for any item of a list. What begins with
        ``team.agent`` is meant of every agent, those of profiles too.
    new : str
        The path that takes its place, with the same ``*`` in the same order; for a value, `old`.
    since : str
        The version that replaced it.
    goes_in : str
        The version that no longer has it.
    value, becomes : str, optional
        For a value of a field, or the name of a plugin (at ``.kind``): the old and the new one.
    """

    old: str
    new: str
    since: str
    goes_in: str
    value: str | None = None
    becomes: str | None = None

    def note(self, new: str) -> str:
        """Return what is said to who uses it; `new` is the path that takes its place there."""
        what = "" if self.value is None else f"{self.value!r} "
        use = f"use {new}" if self.becomes is None else f"use {self.becomes!r}"
        return f"{what}is deprecated since {self.since} and goes in {self.goes_in}: {use}"


REPLACED: tuple[Replaced, ...] = ()
"""All that is deprecated. An entry is all that a renaming needs: files, ``--set``, sweeps and
profiles that say the old name go on, with a warning, and the JSON Schema lists it as deprecated."""


def carry_over(source: Source, at: Path_ = ()) -> None:
    """Move what a document says under old names to the new ones, and note each.

    Parameters
    ----------
    source : Source
    at : path
        Where the document stands in a scenario: ``("team", "agent")`` for a profile.

    Raises
    ------
    ScenarioError
        If it says both the old and the new name.
    """
    for entry in REPLACED:
        for old, new in _patterns(entry):
            if old[: len(at)] != at:
                continue
            below = old[len(at) :]
            for path in list(_places(below, source.data)):
                _carry(source, entry, path, _filled(new, old[: len(at)] + path)[len(at) :])


def set_field(source: Source, path: str, value: Any, origin: str) -> None:
    """Set the field at a dotted path (`Source.set`); one with an old name under its new one."""
    keys = as_path(path)
    for entry in REPLACED:
        for old, new in _patterns(entry):
            if entry.value is None and len(keys) >= len(old) and _fits(old, keys):
                above = _filled(new, keys[: len(old)])
                source.note(Problem(origin, path, entry.note(dotted(above))))
                path = ".".join(map(str, (*above, *keys[len(old) :])))
    source.set(path, value, origin)


def define_deprecated(schema: dict[str, Any]) -> None:
    """Add what is deprecated to the JSON Schema of a scenario, marked as such."""
    for entry in REPLACED:
        use = entry.note(entry.new).partition(": ")[2]
        said = {"deprecated": True, "description": f"Deprecated since {entry.since}; {use}."}
        for old, new in _patterns(entry):
            there = list(_nodes(schema, new, schema))
            if entry.value is not None:
                for node in there:
                    _define_value(node, {"const": entry.value, **said})
                continue
            for parent in _nodes(schema, old[:-1], schema):
                for mapping in _mappings(parent, schema):
                    known = copy.deepcopy(there[0]) if there else {}
                    known.pop("default", None)
                    mapping["properties"][str(old[-1])] = {**known, **said}


def _define_value(node: dict[str, Any], value: dict[str, Any]) -> None:
    """Let a node of a JSON Schema have one more value."""
    kinds = {name: node.pop(name) for name in ("enum", "const", "$ref", "type") if name in node}
    node["anyOf"] = [*node.get("anyOf", ()), *([kinds] if kinds else ()), value]


def _patterns(entry: Replaced) -> Iterator[tuple[Path_, Path_]]:
    """Yield the old and the new path, once for each place that may have an agent."""
    old, new = (tuple(path.split(".")) for path in (entry.old, entry.new))
    yield old, new
    if old[:2] == _AGENT:
        for place in agent_places():
            yield (*place, *old[2:]), (*place, *new[2:])


def _places(pattern: Sequence[str | int], node: Any) -> Iterator[Path_]:
    """Yield the paths in a document that a pattern stands for."""
    if not pattern:
        yield ()
        return
    key, below = pattern[0], pattern[1:]
    if below == ("kind",) and isinstance(node, dict) and isinstance(node.get(key), str):
        yield (key,)  # a plugin's name alone
        return
    items = node.items() if isinstance(node, dict) else ()
    for name, each in enumerate(node) if isinstance(node, list) else items:
        if key in ("*", name):
            yield from ((name, *path) for path in _places(below, each))


def _fits(pattern: Path_, path: Path_) -> bool:
    return all(key in ("*", name) for key, name in zip(pattern, path, strict=False))


def _filled(pattern: Path_, path: Path_) -> Path_:
    """Return a pattern with the names that another path has for each ``*``."""
    names = iter([name for name in path if name not in pattern])
    return tuple(next(names, key) if key == "*" else key for key in pattern)


def _carry(source: Source, entry: Replaced, old: Path_, new: Path_) -> None:
    origin, there = source.origin(old), source.get(old)
    if entry.value is not None:
        if there == entry.value:
            source.put(old, entry.becomes)
            source.note(Problem(origin, dotted(old), entry.note(dotted(new))))
        return
    if source.get(new) is not None:
        also = f"and {dotted(new)} is said too ({source.origin(new)}): leave this one out"
        raise ScenarioError([Problem(origin, dotted(old), f"is deprecated, {also}")])
    source.move(old, new)
    source.note(Problem(origin, dotted(old), entry.note(dotted(new))))


def _nodes(
    node: dict[str, Any], keys: Sequence[str | int], schema: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a JSON Schema at the keys of a path."""
    if not keys:
        yield node
        return
    key, below = keys[0], keys[1:]
    for each in _kinds(node, schema):
        found = each.get("properties", {}).get(str(key))
        if key == "*":
            found = each.get("additionalProperties") or each.get("items")
        if isinstance(found, dict):
            yield from _nodes(found, below, schema)


def _mappings(node: dict[str, Any], schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (each for each in _kinds(node, schema) if "properties" in each)


def _kinds(node: dict[str, Any], schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what a node of a JSON Schema may be, references and alternatives resolved."""
    if "$ref" in node:
        yield from _kinds(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
        return
    yield node
    for each in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from _kinds(each, schema)
