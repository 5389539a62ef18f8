"""Writes a scenario file, with comments above fields."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

WIDTH = 96
"""Most columns of a line."""


def scenario_lines(
    document: Mapping[str, Any], head: Sequence[str], comments: Mapping[str, str] | None = None
) -> list[str]:
    """Return the lines of a scenario file.

    Parameters
    ----------
    document : mapping of str to any
        The fields, plain data.
    head : sequence of str
        Comments above all, a paragraph each.
    comments : mapping of str to str, optional
        Comments above fields, by their dotted paths.
    """
    lines = [line for each in head for line in _comment(each, "")]
    return [*lines, *_fields(document, "", "", comments or {})]


def scenario_name(text: str, otherwise: str) -> str:
    """Return a text as the name of a scenario; `otherwise` where nothing of it can be in one."""
    return re.sub(r"[^A-Za-z0-9_.\-]", "_", text).lstrip("_.-") or otherwise


def _comment(said: str, indent: str) -> list[str]:
    said = " ".join(said.split())
    width = max(40, WIDTH - len(indent) - 2)
    return [f"{indent}# {line}" for line in textwrap.wrap(said, width, break_on_hyphens=False)]


def _fields(
    fields: Mapping[str, Any], path: str, indent: str, sources: Mapping[str, str]
) -> Iterator[str]:
    for name, value in fields.items():
        where = f"{path}{name}"
        if where in sources:
            yield from _comment(sources[where], indent)
        if isinstance(value, Mapping) and value and _holds_more(value, where, sources):
            yield f"{indent}{_key(name)}:"
            yield from _fields(value, f"{where}.", indent + "  ", sources)
        else:
            yield from _leaf(name, value, indent)


def _holds_more(value: Mapping[str, Any], where: str, sources: Mapping[str, str]) -> bool:
    """Return whether a mapping is written field by field: a field has a comment, or much in it."""
    inside = any(source.startswith(f"{where}.") for source in sources)
    return inside or any(
        isinstance(each, Mapping) or _has_lines_of_its_own(each) for each in value.values()
    )


def _key(name: str) -> str:
    return str(yaml.safe_dump({name: 0}, width=1000)).partition(": 0")[0]


def _leaf(name: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, (str, int, float)) or value is None:
        said = yaml.safe_dump([value], default_flow_style=False, width=10_000)
        yield f"{indent}{_key(name)}: {said.removeprefix('- ').rstrip()}"
        return
    if _has_lines_of_its_own(value):
        yield f"{indent}{_key(name)}:"
        for each in value:
            first, *rest = yaml.safe_dump(
                each, sort_keys=False, default_flow_style=True, width=WIDTH - len(indent) - 2
            ).splitlines()
            yield from (f"{indent}- {first}", *(f"{indent}  {line}" for line in rest))
        return
    text = yaml.safe_dump(
        {name: value}, sort_keys=False, default_flow_style=None, width=WIDTH - len(indent)
    )
    yield from (indent + line for line in text.splitlines())


def _has_lines_of_its_own(value: Any) -> bool:
    """Return whether each item of a value is written on a line of its own."""
    return isinstance(value, Sequence) and bool(value) and all(map(_fits_a_line, value))


def _fits_a_line(item: Any) -> bool:
    """Return whether an item of a list is a mapping of plain values, and of lists of such."""
    if not isinstance(item, Mapping):
        return False
    values = [
        part
        for value in item.values()
        for part in (value if isinstance(value, (list, tuple)) else [value])
    ]
    return all(isinstance(part, (str, int, float)) or part is None for part in values)
