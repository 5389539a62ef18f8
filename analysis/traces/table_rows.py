"""What a row of a plain table says of one call: which operation it is, and counts in objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from analysis.traces.dialects import OPERATIONS
from analysis.traces.usage import of_api
from analysis.traces.values import mapping, text

_USAGES = ("usage", "token_usage", "usage_metadata", "usageMetadata", "tokens", "token_details")
_BLANK = {"", "nan", "null", "none", "na", "n/a", "nat", "-"}

_NO_NAME = {"nan", "null", "none", "<na>", "\\n"}
"""How programs and data bases write a name that is missing."""

_DOLLARS = re.compile(r"^(?:USD|US\$|\$)\s*|\s*USD$")


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with what its objects hold as further columns: ``response.model``.

    Counts of an object of usage get their canonical names, also of one inside another object, such
    as a whole answer of an API.
    """
    inside = {name: value for name, value in row.items() if isinstance(value, dict)}
    if not inside:
        return row
    found = dict(row)
    for name, value in inside.items():
        if name in _USAGES:
            found = {**_counts(value), **found}
        else:
            found = {**{f"{name}.{k}": v for k, v in value.items()}, **found}
    for value in inside.values():
        for name in _USAGES:
            if isinstance(value.get(name), dict):
                found = {**_counts(value[name]), **found}
    return found


def _counts(usage: Mapping[str, Any]) -> dict[str, int]:
    return {name: n for name, n in of_api(usage).items() if n is not None}


def operation_of(said: str | None, is_sure: bool, row: Mapping[str, Any]) -> str:
    """Return the operation of a row.

    Parameters
    ----------
    said : str or None
        What a column says.
    is_sure : bool
        Whether the column has no other meaning: then a word that is not known stays as it is.
    row : mapping
        The row's values by canonical name.
    """
    known = OPERATIONS.get((said or "").lower())
    if known is not None:
        return known
    if said is not None and is_sure:
        return said
    counted = any(row.get(name) is not None for name in ("response_model", "output_tokens"))
    return "execute_tool" if row.get("tool_name") is not None and not counted else "chat"


def tool_of(row: Mapping[str, Any]) -> str | None:
    """Return the name of a tool that no column names but ``name``."""
    named = {str(name).lower(): value for name, value in row.items()}
    return text(named.get("name")) or text(mapping(named.get("tool")).get("name"))


def name_in(value: Any) -> str | None:
    """Return the name in a cell; None where a word stands for one that is missing."""
    name = text(value)
    return None if name is None or name.lower() in _NO_NAME else name


def is_blank(value: Any) -> bool:
    """Tell whether a cell holds nothing, or a word that stands for nothing."""
    return isinstance(value, str) and value.strip().lower() in _BLANK


def without_dollar(value: Any) -> Any:
    """Return an amount that is written with the sign or name of US dollars without it."""
    return _DOLLARS.sub("", value.strip()) if isinstance(value, str) else value
