"""Errors of validation in the user's terms: where it was said, what was found, what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from simulator.errors import Problem
from simulator.scenario.roles import within_heir
from simulator.scenario.schema import Scenario
from simulator.scenario.source import Path_, Source, dotted
from simulator.scenario.validation_words import allowed_by, is_false, words_of
from simulator.spec import is_tag


def problems_in(error: ValidationError, source: Source) -> list[Problem]:
    """Return what is wrong, each with the place in the source where it was said."""
    details: dict[Path_, dict[str, Any]] = {
        tuple(step for step in detail["loc"] if not is_tag(step)): dict(detail)
        for detail in error.errors(include_url=False)
    }
    problems = []
    for path, detail in _together(details, source).items():
        if _is_taken_over(path, details) or is_false(detail):
            continue
        # Short forms have fewer steps than what they stand for.
        where, message = _where(path, detail, source), words_of(detail)
        # A whole scenario has several things wrong with it, a line each.
        for line in message.split("\n") if not where else [message]:
            said, text = (where, line) if where else _split_off_path(line, source)
            problems.append(Problem(source.origin(said), dotted(said), text))
    return problems


def _where(path: Path_, detail: Mapping[str, Any], source: Source) -> Path_:
    return path if detail["type"] in {"missing", "unknown_key"} else source.said(path)


def _together(
    details: Mapping[Path_, Mapping[str, Any]], source: Source
) -> dict[Path_, Mapping[str, Any]]:
    """Return details in which a value that none of several types takes is told of once."""
    found: dict[Path_, Mapping[str, Any]] = {}
    firsts: dict[Path_, Path_] = {}
    for path, detail in details.items():
        where = _where(path, detail, source)
        first = firsts.setdefault(where, path)
        if first != path and len(path) > len(where) and len(first) > len(where):
            both = allowed_by(found[first]), allowed_by(detail).removeprefix("should be ")
            found[first] = {**found[first], "type": "one_of_types", "msg": " or ".join(both)}
        else:
            found[path] = detail
    return found


def _is_taken_over(path: Path_, details: Mapping[Path_, Mapping[str, Any]]) -> bool:
    """Return whether the same is wrong in ``team.agent``, from where an agent has it."""
    below = within_heir(path)
    there = details.get(("team", "agent", *below)) if below else None
    return there is not None and there["msg"] == details[path]["msg"]


def _split_off_path(message: str, source: Source) -> tuple[tuple[str | int, ...], str]:
    """Return the path with which a message about several fields begins, and the rest."""
    named, colon, rest = message.partition(": ")
    path = tuple(named.split("."))
    if colon and all(part.isidentifier() for part in path) and path[0] in Scenario.model_fields:
        return source.said(path), rest
    return (), message
