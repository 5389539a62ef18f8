"""Errors of validation in the user's terms: where it was said, what was found, what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from simulator.errors import Problem
from simulator.scenario.roles import within_heir
from simulator.scenario.schema import Scenario
from simulator.scenario.source import Path_, Source, dotted
from simulator.spec import is_tag


def problems_in(error: ValidationError, source: Source) -> list[Problem]:
    """Return what is wrong, each with the place in the source where it was said."""
    details: dict[Path_, dict[str, Any]] = {
        tuple(step for step in detail["loc"] if not is_tag(step)): dict(detail)
        for detail in error.errors(include_url=False)
    }
    problems = []
    for path, detail in details.items():
        if _is_taken_over(path, details):
            continue
        # Short forms have fewer steps than what they stand for.
        is_there = detail["type"] not in {"missing", "unknown_key"}
        where, message = source.said(path) if is_there else path, _message(detail)
        # A whole scenario has several things wrong with it, a line each.
        for line in message.split("\n") if not where else [message]:
            said, text = (where, line) if where else _split_off_path(line, source)
            problems.append(Problem(source.origin(said), dotted(said), text))
    return problems


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


def _message(detail: dict[str, Any]) -> str:
    kind, message = detail["type"], detail["msg"]
    if kind in {"unknown_key", "kind", "negative", "no_effect"}:
        return str(message)
    if kind == "missing":
        return "this field is required and missing; add it"
    if kind == "model_type":
        message = "should be a mapping of fields"
    if kind == "dict_type":
        message = "should be a mapping of names"
    if kind == "tuple_type":
        message = "should be a list"
    if kind == "string_pattern_mismatch":  # only names have a pattern
        message = "should have letters, digits, '_', '-' and '.', and begin with a letter or digit"
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    message = message.partition(", unable to parse")[0]
    if isinstance(detail["input"], (dict, list)):
        return str(message)
    said = _plain(detail["input"])
    if isinstance(said, str) and not said.isprintable():
        return f"{message}; found {said[:60]!r}"
    found = yaml.safe_dump(said, width=10_000)
    return f"{message}; found {found.removesuffix(chr(10)).removesuffix(chr(10) + '...')[:60]}"


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
