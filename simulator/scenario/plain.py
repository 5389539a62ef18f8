"""Values of programs as plain data: what a YAML file could say."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any, Protocol, runtime_checkable

from simulator.arguments import is_whole
from simulator.documents import (
    MOST_DEPTH,
    MOST_VALUES,
    DocumentError,
    checked_number,
    checked_text,
    too_deep,
)
from simulator.errors import Problem, ScenarioError, what_is
from simulator.scenario.source import Path_, dotted


@runtime_checkable
class _Listed(Protocol):
    """An array, or a scalar, of numpy or pandas."""

    def tolist(self) -> object:
        """Return its values in types of Python."""


def plain(value: object, origin: str, path: str = "") -> Any:
    """Return a value as mappings, lists, texts, numbers, true, false and None.

    Parameters
    ----------
    value : object
        It may hold arrays and scalars of numpy and pandas, tuples, ranges and paths, too.
    origin : str
        Where it was given, for errors.
    path : str
        Its dotted path, for errors.

    Raises
    ------
    ScenarioError
        If it holds something else, or is too large or nested too deeply.
    """
    return _Values(origin).plain(value, tuple(path.split(".")) if path else ())


class _Values:
    """Goes through values, and counts them."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._count = 0

    def plain(self, value: object, path: Path_) -> Any:
        self._count += 1
        if self._count > MOST_VALUES:
            raise self._error(path, f"more than {MOST_VALUES:,} values")
        if len(path) > MOST_DEPTH:
            raise self._error(path[:1], str(too_deep()))
        if isinstance(value, Mapping):
            return dict(self._items(value, path))
        if isinstance(value, (list, tuple, range)):
            return [self.plain(each, (*path, i)) for i, each in enumerate(value)]
        try:
            return _scalar(value)
        except DocumentError as error:
            raise self._error(path, str(error)) from None
        except TypeError:
            pass
        if isinstance(value, _Listed) and type(found := value.tolist()) is not type(value):
            self._count -= 1
            return self.plain(found, path)
        raise self._error(
            path,
            "a scenario has numbers, texts, lists, mappings, true, false and None; "
            f"found {what_is(value)}",
        )

    def _items(self, value: Mapping[Any, Any], path: Path_) -> Iterator[tuple[str, Any]]:
        seen: set[str] = set()
        for key, each in value.items():
            if not isinstance(key, str) and not is_whole(key):
                raise self._error(path, f"a key must be a text; found {what_is(key)}")
            name = str(key)
            if name in seen:
                raise self._error((*path, name), "this key is given twice")
            seen.add(name)
            yield self._text(name, path), self.plain(each, (*path, name))

    def _text(self, name: str, path: Path_) -> str:
        try:
            return checked_text(name)
        except DocumentError as error:
            raise self._error(path, str(error)) from None

    def _error(self, path: Path_, message: str) -> ScenarioError:
        return ScenarioError([Problem(self.origin, dotted(path), message)])


def _scalar(value: object) -> Any:
    """Return a scalar in a type of Python.

    Raises
    ------
    DocumentError
        If it is beyond the limits.
    TypeError
        If it is something else.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (str, PurePath)):
        return checked_text(str(value))
    if isinstance(value, float):
        return checked_number(float(value))
    if is_whole(value):
        return checked_number(operator.index(value))
    raise TypeError
