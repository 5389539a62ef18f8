"""What pydantic finds wrong with a value, in plain words: what is allowed, and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Any

import yaml

_OWN = {"unknown_key", "kind", "negative", "no_effect"}
"""Types of errors whose messages are ours, and say what was found."""
_ALLOWED = {
    "model_type": "should be a mapping of fields",
    "dict_type": "should be a mapping of names",
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "string_type": "should be a text",
    "bool_type": "should be true or false",
    "bool_parsing": "should be true or false",
    "int_from_float": "should be a valid integer, without a fraction",
    # Only names have a pattern.
    "string_pattern_mismatch": "should have letters, digits, '_', '-' and '.', and begin with a "
    "letter or digit",
}
_LONGEST = 60
"""Most characters of a value that are repeated."""


def words_of(detail: Mapping[str, Any]) -> str:
    """Return the message for one of the errors of a `pydantic.ValidationError`."""
    kind, found = detail["type"], detail["input"]
    if kind in _OWN:
        return str(detail["msg"])
    if kind == "missing":
        return "this field is required and missing; add it"
    if kind in ("too_short", "too_long"):
        return _of_length(kind, detail["ctx"], found)
    message = allowed_by(detail)
    if isinstance(found, (dict, list)):
        is_of_type = kind.endswith("_type") or kind == "literal_error"
        return f"{message}; found {_kind_of(found)}" if is_of_type else message
    return f"{message}; found {_shown(found)}"


def allowed_by(detail: Mapping[str, Any]) -> str:
    """Return what is allowed where one of the errors of a `pydantic.ValidationError` is."""
    message = _ALLOWED.get(detail["type"]) or str(detail["msg"])
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    return message.partition(", unable to parse")[0]


def is_false(detail: Mapping[str, Any]) -> bool:
    """Return whether a list is said to be too short that is not.

    pydantic counts only the items that are right.
    """
    found = detail["input"]
    return (
        detail["type"] == "too_short"
        and isinstance(found, Sized)
        and len(found) >= detail["ctx"]["min_length"]
    )


def _of_length(kind: str, limits: Mapping[str, Any], found: Any) -> str:
    is_short = kind == "too_short"
    end = limits["min_length" if is_short else "max_length"]
    count = len(found) if isinstance(found, Sized) else limits["actual_length"]
    items = "item" if end == 1 else "items"
    return f"should have at {'least' if is_short else 'most'} {end:,} {items}; found {count:,}"


def _kind_of(found: dict[Any, Any] | list[Any]) -> str:
    kind = "list" if isinstance(found, list) else "mapping"
    return f"a {kind}" if found else f"an empty {kind}"


def _shown(found: Any) -> str:
    said = found if isinstance(found, (str, int, float, bool, type(None))) else str(found)
    if isinstance(said, str) and not said.isprintable():
        return repr(said[:_LONGEST])
    text = yaml.safe_dump(said, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")[:_LONGEST]
