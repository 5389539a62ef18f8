"""What a row of a plain table says of one call: which operation it is, and counts in objects."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from analysis.traces.dialects import NO_OPERATION, OPERATIONS
from analysis.traces.usage import of_api
from analysis.traces.values import mapping, text
from simulator.words import counted

_USAGES = ("usage", "token_usage", "usage_metadata", "usageMetadata", "tokens", "token_details")
_BLANK = {"", "nan", "null", "none", "na", "n/a", "nat", "-"}

_NO_NAME = {"nan", "null", "none", "<na>", "\\n"}
"""How programs and data bases write a name that is missing."""

TRUE = {"true", "t", "yes", "y", "on", "1", "1.0", "wahr", "ja", "vrai", "oui"}
FALSE = {"false", "f", "no", "n", "off", "0", "0.0", "falsch", "nein", "faux", "non"}
"""Programs write these, PostgreSQL ``t`` and ``f``, and Excel words of the user's language."""

_VAGUE = {"unknown", "event"}
"""Words for rows that are calls of models where they have a model or what it has written."""

_OF_PYTHON = re.compile(r"(\w*tokens)=(\d+)")

_DOLLARS = re.compile(r"^(?:USD|US\$|\$)\s*|\s*USD$")


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with what its objects hold as further columns: ``response.model``.

    Counts of an object of usage get their canonical names, also of one inside another object, such
    as a whole answer of an API.
    """
    inside = {name: value for name, value in row.items() if isinstance(value, dict)}
    for name in _USAGES:
        if name in row and (said := _shown(row[name])):
            inside[name] = said
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


def _shown(value: Any) -> dict[str, Any]:
    """Return the counts of a usage object as Python shows it: ``Usage(prompt_tokens=9, ...)``.

    Those of the reasoning are in an object of their own, as in the answers of the APIs.
    """
    if not isinstance(value, str) or "tokens=" not in value:
        return {}
    found = {each: int(n) for each, n in _OF_PYTHON.findall(value)}
    thought = found.pop("reasoning_tokens", None)
    return found | (
        {} if thought is None else {"output_tokens_details": {"reasoning_tokens": thought}}
    )


def _counts(usage: Mapping[str, Any]) -> dict[str, int]:
    return {name: n for name, n in of_api(usage).items() if n is not None}


def says_operations(said: Sequence[str | None]) -> bool:
    """Tell whether a column says of some rows that they are calls of models."""
    return any(OPERATIONS.get((each or "").lower()) == "chat" for each in set(said))


def knows_operations(said: Sequence[str | None]) -> bool:
    """Tell whether a column says of some rows which operation they are."""
    return any((each or "").lower() in OPERATIONS for each in set(said))


def operation_of(
    said: str | None,
    is_sure: bool,
    tells_chats: bool,
    tells_models: bool,
    row: Mapping[str, Any],
) -> str:
    """Return the operation of a row.

    Parameters
    ----------
    said : str or None
        What a column says.
    is_sure : bool
        Whether the column has no other meaning: then a word that is not known stays as it is.
    tells_chats : bool
        Whether it says of other rows that they are calls of models: then chains are none.
    tells_models : bool
        Whether it does, and rows have models or tokens: then what is not known is none without.
    row : mapping
        The row's values by canonical name.
    """
    known = OPERATIONS.get((said or "").lower())
    if known is not None:
        return known
    counted = any(row.get(name) is not None for name in ("response_model", "output_tokens"))
    if (said or "").lower() in NO_OPERATION:
        is_none = tells_chats and not (counted and (said or "").lower() in _VAGUE)
    else:
        is_none = tells_models and not counted and row.get("input_tokens") is None
    if said is not None and (is_sure or is_none):
        return said if row.get("tool_name") is None or counted or is_sure else "execute_tool"
    return "execute_tool" if row.get("tool_name") is not None and not counted else "chat"


def note_on_chains(
    words: Mapping[str, Sequence[str | None]],
    read: Mapping[str, Sequence[Any]],
    chosen: Mapping[str, str],
) -> str | None:
    """Return what to say of rows with tokens that are chains, and so no calls of models.

    Parameters
    ----------
    words, read : mapping
        The texts and the counts of the rows, by canonical name.
    chosen : mapping
        The table's columns, by canonical name.
    """
    kinds = words.get("operation_name", [])
    rows = zip(kinds, read.get("output_tokens", ()), strict=False)
    left = Counter(
        said
        for said, wrote in rows
        if said is not None and wrote is not None and said.lower() in NO_OPERATION - _VAGUE
    )
    if not left or not says_operations(kinds):
        return None
    return (
        f"{counted(left.total(), 'row')} with tokens are no calls of models, as "
        f"{chosen['operation_name']!r} says ({', '.join(map(repr, left))})"
    )


def tool_of(row: Mapping[str, Any]) -> str | None:
    """Return the name of a tool that no column names but ``name``."""
    named = {str(name).lower(): value for name, value in row.items()}
    return text(named.get("name")) or text(mapping(named.get("tool")).get("name"))


def names_of(cells: Iterable[Any], is_id: bool = False) -> list[str | None]:
    """Return the names in the cells of a column (see `name_in`)."""
    seen: dict[str, str | None] = {}
    found = []
    for cell in cells:
        if isinstance(cell, str):
            if cell not in seen:
                seen[cell] = name_in(cell, is_id)
            found.append(seen[cell])
        else:
            found.append(name_in(cell, is_id))
    return found


def name_in(value: Any, is_id: bool = False) -> str | None:
    """Return the name in a cell; None where a word stands for one that is missing.

    An id that is a whole number has no decimals: data frames write ``1.0`` if others are missing.
    """
    name = text(value)
    if name is None or name.lower() in _NO_NAME:
        return None
    is_float = is_id and name.endswith(".0") and name[:-2].isdigit()
    return name[:-2] if is_float else name


def is_blank(value: Any) -> bool:
    """Tell whether a cell holds nothing, or a word that stands for nothing."""
    return isinstance(value, str) and value.strip().lower() in _BLANK


def is_missing(value: Any) -> bool:
    """Tell whether a cell holds nothing: no value, NaN, or a word that stands for nothing."""
    return value is None or (isinstance(value, float) and math.isnan(value)) or is_blank(value)


def truth(value: Any) -> bool | None:
    """Return what a cell says that may be true or false; None if it says neither."""
    return _truth(str(value))


@lru_cache
def _truth(said: str) -> bool | None:
    said = said.strip().lower()
    return True if said in TRUE else False if said in FALSE else None


def without_dollar(value: Any) -> Any:
    """Return an amount that is written with the sign or name of US dollars without it."""
    return _DOLLARS.sub("", value.strip()) if isinstance(value, str) else value
