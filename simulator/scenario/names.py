"""Fields of what users have named, such as a tool: it must be there."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeGuard, get_args, get_origin

from simulator.errors import Problem, unknown_name
from simulator.scenario.source import Path_, Source, dotted
from simulator.spec import Spec, alternatives, fields_by_key


def is_name(scenario: type[Spec], path: Path_) -> bool:
    """Return whether a path ends in a name that users choose, as ``team.agent.tools.ci`` does."""
    types: list[object] = [scenario]
    for key in path[:-1]:
        found: list[object] = []
        for each in types:
            if get_origin(each) is dict:
                found += alternatives(get_args(each)[1])
            elif _is_spec(each):
                field = fields_by_key(each).get(str(key))
                found += [] if field is None else alternatives(field.annotation)
        types = found
    return any(
        get_origin(each) is dict and any(map(_is_spec, alternatives(get_args(each)[1])))
        for each in types
    )


def _is_spec(value: object) -> TypeGuard[type[Spec]]:
    return isinstance(value, type) and issubclass(value, Spec)


def problem_with_name(path: Path_, source: Source, inherited: Collection[str]) -> Problem | None:
    """Return what is wrong where a field was set of something that was never said.

    Parameters
    ----------
    path : tuple of str or int
        To the name of that.
    source : Source
    inherited : collection of str
        Names that are known beside those said.
    """
    *parents, name = path
    there = source.get(tuple(parents))
    said = {each for each in there if (*parents, each) not in source.made}
    if name in inherited:
        return None
    what, where = str(parents[-1]).removesuffix("s"), dotted(path)
    message = unknown_name(what, str(name), said | set(inherited))
    message += f"; to add one, set all of it: {where}={{...}}"
    return Problem(source.made[path], where, message)
