"""YAML text to plain data that remembers where each value was said."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from simulator.documents import (
    MOST_DEPTH,
    MOST_VALUES,
    DocumentError,
    checked_digits,
    checked_number,
    checked_text,
    read_text,
    too_deep,
)
from simulator.errors import Problem, ScenarioError
from simulator.scenario.loaders import QUICK_LOADER, Loader, is_shallow

Path_ = tuple[str | int, ...]


class Source:
    """A document as plain data, with the place in a file (or argument) of each value.

    Attributes
    ----------
    data : Any
        Mappings, lists and scalars.
    made : dict of path to str
        Mappings that are there only because a field within them was set, and where that was said.
    notes : dict of Problem to None
        What is to be said of it although it is right, in order; copies of it have the same.
    """

    def __init__(self, data: Any, origins: dict[Path_, str]) -> None:
        self.data = data
        self.made: dict[Path_, str] = {}
        self.notes: dict[Problem, None] = {}
        self._origins = origins

    def note(self, *notes: Problem) -> None:
        """Note what is to be said of the document, once."""
        self.notes.update(dict.fromkeys(notes))

    def drop(self, *keys: str) -> None:
        """Remove top-level keys that the document has."""
        for key in keys:
            self.data.pop(key, None)

    @classmethod
    def read(cls, path: Path) -> Source:
        """Read a YAML file.

        Raises
        ------
        ScenarioError
            If the file is missing, empty, not UTF-8, not YAML, or too large once expanded.
        """
        try:
            text = read_text(path)
        except DocumentError as error:
            raise ScenarioError([Problem(str(path), "", str(error))]) from None
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, name: str) -> Source:
        """Parse YAML text; `name` is what errors call it."""
        reader = _Reader(name)
        try:
            node = reader.composed(checked_text(text))
        except yaml.YAMLError as error:
            raise ScenarioError([_syntax_problem(name, error)]) from None
        except DocumentError as error:
            raise ScenarioError([Problem(name, "", str(error))]) from None
        if node is None:
            raise ScenarioError([Problem(name, "", "the file is empty; a scenario is a mapping")])
        return cls(reader.value(node, ()), reader.origins)

    def copy(self) -> Source:
        """Return an independent copy."""
        other = Source(copy.deepcopy(self.data), dict(self._origins))
        other.made |= self.made
        other.notes = self.notes
        return other

    def without(self, *keys: str) -> Source:
        """Return an independent copy without top-level keys, and without their origins."""
        kept = {path: said for path, said in self._origins.items() if {*path[:1]}.isdisjoint(keys)}
        other = Source(self.data, kept).copy()
        other.made |= self.made
        other.notes = self.notes
        if isinstance(other.data, dict):
            other.drop(*keys)
        return other

    def with_data(self, data: Any) -> Source:
        """Return other data, of the same origin."""
        return Source(data, self._origins)

    def origin(self, path: Path_) -> str:
        """Return where the value at `path`, or the nearest one around it, was said."""
        for length in range(len(path), -1, -1):
            if path[:length] in self._origins:
                return self._origins[path[:length]]
        return ""

    def said(self, path: Path_) -> Path_:
        """Return the longest beginning of `path` that the document says."""
        node = self.data
        for depth, step in enumerate(path):
            fields: Mapping[Any, Any] = dict(enumerate(node)) if isinstance(node, list) else node
            if not isinstance(fields, dict) or step not in fields:
                return path[:depth]
            node = fields[step]
        return path

    def set(self, dotted: str, value: Any, origin: str) -> None:
        """Set the field at a dotted path, making mappings on the way.

        Raises
        ------
        ScenarioError
            If the path runs through a value that has no fields.
        """
        keys = dotted.split(".")
        if len(keys) > MOST_DEPTH:
            raise ScenarioError([Problem(origin, "", str(too_deep()))])
        node = self.data
        for depth, key in enumerate(keys[:-1]):
            if isinstance(node, dict) and key not in node:
                path = _as_path(keys[: depth + 1])
                self.made[path] = self._origins[path] = origin
            node = self._step(node, key, keys[: depth + 1], origin)
        last: str | int = keys[-1]
        if isinstance(node, list):
            last = _index(node, keys[-1], dotted, origin)
        elif not isinstance(node, dict):
            raise ScenarioError([Problem(origin, dotted, f"{node!r} has no fields")])
        node[last] = copy.deepcopy(value)
        path = _as_path(keys)
        self._origins[path] = origin
        self.made = {each: said for each, said in self.made.items() if each[: len(path)] != path}

    def _step(self, node: Any, key: str, so_far: list[str], origin: str) -> Any:
        if isinstance(node, list):
            return node[_index(node, key, ".".join(so_far), origin)]
        if not isinstance(node, dict):
            raise ScenarioError([Problem(origin, ".".join(so_far), f"{node!r} has no fields")])
        if isinstance(node.get(key), str):  # `topology: ring` is short for `{kind: ring}`
            node[key] = {"kind": node[key]}
        if node.get(key) is None:
            node[key] = {}
        return node[key]

    def merge_under(self, path: Path_, base: Source) -> None:
        """Fill the mapping at `path` with the fields of `base` that it lacks."""
        target = self.get(path)
        for inner, origin in base._origins.items():
            self._origins.setdefault(path + inner, origin)
        _fill(target, base.data)

    def get(self, path: Path_) -> Any:
        """Return the value at `path`, or None if the document has none there."""
        node = self.data
        for key in path:
            if isinstance(node, list):
                node = node[key] if isinstance(key, int) and key < len(node) else None
            else:
                node = node.get(key) if isinstance(node, dict) else None
        return node

    def put(self, path: Path_, value: Any) -> None:
        """Replace the value at a path that is there, said where it was."""
        self.get(path[:-1])[path[-1]] = value

    def move(self, old: Path_, new: Path_) -> None:
        """Move a value to another path, with the places at which it and its parts were said."""
        value = self.get(old[:-1]).pop(old[-1])
        node = self.data
        for key in new[:-1]:
            if isinstance(node, dict) and isinstance(node.get(key), str):
                node[key] = {"kind": node[key]}
            node = node.setdefault(key, {}) if isinstance(node, dict) else node[int(key)]
        node[new[-1]] = value
        said = [path for path in self._origins if path[: len(old)] == old]
        self._origins |= {(*new, *path[len(old) :]): self._origins[path] for path in said}


def _fill(target: dict[str, Any], base: Mapping[str, Any]) -> None:
    for key, value in base.items():
        if key not in target:
            target[key] = copy.deepcopy(value)
        elif isinstance(target[key], dict) and isinstance(value, dict):
            same_kind = target[key].get("kind", value.get("kind")) == value.get("kind")
            if same_kind:
                _fill(target[key], value)


def _index(node: list[Any], key: str, path: str, origin: str) -> int:
    if not _is_index(key) or int(key) >= len(node):
        allowed = f"allowed: 0 to {len(node) - 1}" if node else "allowed: none"
        message = f"{key!r} is no index of a list of {len(node)} ({allowed})"
        raise ScenarioError([Problem(origin, path, message)])
    return int(key)


def _is_index(key: str) -> bool:
    return key.isdecimal() and len(key) < 10


def as_path(path: str) -> Path_:
    """Return the keys of a dotted path, with indices of lists as numbers."""
    return _as_path(path.split("."))


def _as_path(keys: list[str]) -> Path_:
    return tuple(int(key) if _is_index(key) else key for key in keys)


class _Reader:
    """Walks a node tree once, noting line numbers, refusing duplicate keys and bombs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.origins: dict[Path_, str] = {}
        self.loader: yaml.SafeLoader | yaml.CSafeLoader
        self._values = 0
        self._open: set[int] = set()

    def composed(self, text: str) -> yaml.Node | None:
        """Return the tree of a text, composed in C unless something may be wrong with it."""
        if QUICK_LOADER is not None and "\t" not in text:  # C allows tabs in more places
            self.loader = QUICK_LOADER(text)
            try:
                root: yaml.Node | None = self.loader.get_single_node()
                if root is None or is_shallow(root):
                    return root
            except yaml.YAMLError:
                pass
        self.loader = loader = Loader(text)
        try:
            return loader.get_single_node()
        except ValueError as error:  # PyYAML leaves escapes and versions to Python's conversions
            said = str(error) if isinstance(error, DocumentError) else f"not YAML: {error}"
            where = f"{self.name}:{loader.line + 1}"
            raise ScenarioError([Problem(where, "", said)]) from None

    def value(self, node: yaml.Node, path: Path_) -> Any:
        self._values += 1
        if self._values > MOST_VALUES:
            raise self._error(node, path, f"more than {MOST_VALUES:,} values once expanded")
        if id(node) in self._open:
            raise self._error(node, path, "an alias contains itself")
        self.origins[path] = f"{self.name}:{node.start_mark.line + 1}"
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._open.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            result: Any = [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        else:
            result = dict(self._items(node, path))
        self._open.discard(id(node))
        return result

    def _scalar(self, node: yaml.ScalarNode, path: Path_) -> Any:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        self._check_text(node, path)
        try:
            if kind == "int":
                checked_digits(node.value)
            return checked_number(self.loader.construct_object(node))
        except DocumentError as error:
            raise self._error(node, path, str(error)) from None
        except yaml.YAMLError as error:
            raise ScenarioError([_syntax_problem(self.name, error)]) from None
        except (ValueError, KeyError, AttributeError, TypeError, OverflowError):
            # PyYAML leaves what a tag asks for to Python's own conversions, and their errors.
            raise self._error(node, path, f"{node.value[:60]!r} is no {kind}") from None

    def _check_text(self, node: yaml.ScalarNode, path: Path_) -> None:
        try:
            checked_text(node.value)
        except DocumentError as error:
            raise self._error(node, path, str(error)) from None

    def _items(self, node: yaml.Node, path: Path_) -> Iterator[tuple[str, Any]]:
        seen: set[str] = set()
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(key_node, path, "a key must be a plain word")
            key = key_node.value
            if key_node.tag == "tag:yaml.org,2002:merge":
                message = "merge keys are no part of YAML 1.2: write the fields out"
                raise self._error(key_node, (*path, key), message)
            if key in seen:
                raise self._error(key_node, (*path, key), "this key is given twice")
            self._check_text(key_node, (*path, key))
            seen.add(key)
            yield key, self.value(value_node, (*path, key))

    def _error(self, node: yaml.Node, path: Path_, message: str) -> ScenarioError:
        origin = f"{self.name}:{node.start_mark.line + 1}"
        return ScenarioError([Problem(origin, dotted(path), message)])


def dotted(path: Path_) -> str:
    """Write a path the way users type it: ``team.agent.batch``; keys that do not show, quoted."""
    keys = map(str, path)
    return ".".join(key if key.strip() and key.isprintable() else repr(key) for key in keys)


def _syntax_problem(name: str, error: yaml.YAMLError) -> Problem:
    origin, what = name, str(error)
    if isinstance(error, yaml.MarkedYAMLError):
        what = error.problem or what
        if error.problem_mark is not None:
            origin = f"{name}:{error.problem_mark.line + 1}"
    if "'\\t'" in what:
        what = "a tab cannot indent YAML; use spaces"
    return Problem(origin, "", f"not YAML: {what}")
