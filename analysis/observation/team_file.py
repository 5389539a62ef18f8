"""Writes a twin as a scenario file, with a comment on the source of each number."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from analysis.observation.twin import Twin

_WIDTH = 96


def team_yaml(twin: Twin, head: Sequence[str]) -> str:
    """Return the scenario file of a twin.

    Parameters
    ----------
    twin : Twin
    head : sequence of str
        Comments above it, one on each line.
    """
    lines = [line for each in head for line in _comment(each, "")]
    lines += _fields(twin.document, "", "", twin.sources)
    if twin.missing:
        lines += ["", "# Not in the traces, or too rarely to be estimated:"]
        for each in dict.fromkeys(twin.missing):
            wrapped = textwrap.wrap(each, _WIDTH - 4, break_on_hyphens=False)
            lines += [f"# - {wrapped[0]}", *(f"#   {line}" for line in wrapped[1:])]
    return "\n".join(lines) + "\n"


def _comment(said: str, indent: str) -> list[str]:
    said = " ".join(said.split())
    width = max(40, _WIDTH - len(indent) - 2)
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
    """Return whether a mapping is written field by field, because a field has a comment."""
    inside = any(source.startswith(f"{where}.") for source in sources)
    return inside or any(isinstance(each, Mapping) for each in value.values())


def _key(name: str) -> str:
    return str(yaml.safe_dump({name: 0}, width=1000)).partition(": 0")[0]


def _leaf(name: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, (str, int, float)) or value is None:
        said = yaml.safe_dump([value], default_flow_style=False, width=10_000)
        yield f"{indent}{_key(name)}: {said.removeprefix('- ').rstrip()}"
        return
    text = yaml.safe_dump(
        {name: value}, sort_keys=False, default_flow_style=None, width=_WIDTH - len(indent)
    )
    yield from (indent + line for line in text.splitlines())
