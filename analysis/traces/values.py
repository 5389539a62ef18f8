"""Converts values of files, whatever their type; never raises, and returns None if invalid."""

from __future__ import annotations

import ast
import json
import math
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from unicodedata import normalize

from analysis.traces.zones import in_zone, without_zone

_HITS = {"true", "1", "1.0", "yes", "hit", "cache hit", "semantic hit", "semantic_hit"}

MOST_COUNT = 10**12
"""Largest valid count of tokens or bytes."""

_MOST_NS = 2**62
"""Latest moment, in the year 2116: times beyond it do not fit into the tables."""
_APART_NS = 10_000_000
"""Spans that end so much before they begin at most have no length; others have wrong times."""

_SPACE = re.compile(r" +(?=[+-]\d\d(?::?\d\d)?$)")
"""What some programs write before the offset of a time."""

_LONGEST_LITERAL = 100_000
"""Longest text, in characters, that is read as an object in Python's own notation."""

_UNITS = ((1e10, 10**9), (1e13, 10**6), (1e16, 1000))
"""Numbers below these are dates in seconds, milliseconds, microseconds since 1970; others in ns."""


def mapping(value: Any) -> dict[str, Any]:
    """Return a JSON object, also one that is written into a string; {} if it is none."""
    if isinstance(value, dict):
        return value
    if isinstance(value, str) and value[:1] == "{":
        value = parsed(value) or _literal(value)
        return value if isinstance(value, dict) else {}
    return {}


def items(value: Any) -> list[Any]:
    """Return a JSON list, also one that is written into a string; [] if it is none."""
    if isinstance(value, list):
        return value
    if isinstance(value, str) and value[:1] == "[":
        value = parsed(value) or _literal(value)
        return value if isinstance(value, list) else []
    return []


def names_in(value: Any) -> list[str]:
    """Return the names in a list, or in a text in which they are apart by commas or semicolons."""
    listed = items(value)
    if not listed and isinstance(value, str) and value[:1] != "[":
        listed = value.replace(";", ",").split(",")
    found = (text(each) for each in (listed or [value] if value is not None else []))
    return [each for each in found if each is not None]


def parsed(value: str) -> Any:
    """Return the value of a JSON text; None if it is not JSON."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _literal(value: str) -> Any:
    """Return what a text stands for in Python: so data frames write objects into CSV files."""
    if "'" not in value or len(value) > _LONGEST_LITERAL:
        return None
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


def text(value: Any) -> str | None:
    """Return a name: a text that is not empty, or a number as text.

    Letters with accents are one character, as file names of macOS have two.
    """
    if value is None:
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        if not value.isascii():  # half a surrogate pair is no text that tables can hold
            value = normalize("NFC", value.encode("utf-8", "replace").decode("utf-8"))
        # The same names come again and again.
        return sys.intern(value.strip()) or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else str(value)
    return None


def amount(value: Any) -> float | None:
    """Return a finite number of at least 0, also one that is written as text."""
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0.0 else None


def count(value: Any) -> int | None:
    """Return a whole number from 0 to `MOST_COUNT`."""
    number = amount(value)
    return None if number is None or number > MOST_COUNT else round(number)


def seconds(milliseconds: Any) -> float | None:
    """Return a duration in milliseconds as seconds."""
    number = amount(milliseconds)
    return None if number is None else number / 1000.0


def length_ns(value: Any, unit_ns: float) -> int | None:
    """Return a length in ns, of a number in units of so many ns; None if no table can hold it."""
    number = amount(value)
    length = None if number is None else number * unit_ns
    return None if length is None or length >= _MOST_NS else round(length)


def flag(value: Any) -> bool | None:
    """Return a boolean, also one that is written as text."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(str(value).lower()) if value is not None else None


def is_cache_hit(value: Any) -> bool:
    """Tell whether a gateway says that it answered from its cache, and asked no model.

    LiteLLM writes a boolean (``cache_hit``), Portkey ``HIT`` or ``SEMANTIC HIT``.
    """
    return value is not None and str(value).strip().lower() in _HITS


def rows_on(page: Mapping[str, Any], names: Iterable[str]) -> list[dict[str, Any]]:
    """Return the first rows of each list on a page of an export, or itself if it is none."""
    return [mapping(each) for name in names for each in items(page.get(name))[:5]] or [dict(page)]


def pick(node: Mapping[str, Any], *names: str) -> Any:
    """Return the first value under these names that is not missing or empty."""
    for name in names:
        value = node.get(name)
        is_nan = isinstance(value, float) and math.isnan(value)
        if value is not None and value != "" and not is_nan:
            return value
    return None


def nanoseconds(value: Any) -> int | None:
    """Return a moment in ns since 1970.

    ISO 8601 texts (UTC where no zone is said), and numbers whose size tells their unit: seconds,
    milliseconds, microseconds or nanoseconds since 1970.
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if isinstance(value, datetime):
        return _of_datetime(value)
    if isinstance(value, str) and (_begins_with_year(value) or not _is_number(value)):
        return _of_text(value)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    number = amount(value)
    if number is None or number == 0.0:
        return None
    exact = int(value) if isinstance(value, (int, str)) and str(value).isdigit() else None
    return in_range(exact * factor_of(number) if exact else round(number * factor_of(number)))


def wrong_time(value: Any) -> str:
    """Say of a time stamp that `nanoseconds` cannot read what is wrong with it."""
    if value is None:
        return "without timestamp"
    return f"whose timestamp is {str(value)[:40]!r}, which is no time"


def factor_of(moment: float) -> int:
    """Return how many ns the unit of a moment has, told by the size of a recent date in it."""
    return next((factor for below, factor in _UNITS if moment < below), 1)


def exact_ns(value: Any) -> int | None:
    """Return a moment that should be in ns: a number, its digits, its halves, or an ISO text."""
    value = long_number(value)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return in_range(int(value))
    except (ValueError, OverflowError):
        pass
    if isinstance(value, str) and not _is_number(value):
        return nanoseconds(value)
    number = amount(value)
    return None if number is None else in_range(int(number))


def times_of(
    began: Any, ended: Any, moment: Callable[[Any], int | None] = nanoseconds
) -> tuple[int | None, int | None]:
    """Return when a span began and ended, in ns.

    One that ends a little before it begins has no length: its two times were read from clocks that
    are up to `_APART_NS` apart.
    """
    start, end = moment(began), moment(ended)
    if start is not None and end is not None and 0 < start - end <= _APART_NS:
        end = start
    return start, end


def long_number(value: Any) -> Any:
    """Return the number of ``{low, high}``, as JavaScript writes 64 bits; else the value."""
    if not isinstance(value, dict) or not {"low", "high"} <= value.keys():
        return value
    low, high = value["low"], value["high"]
    if not all(isinstance(half, int) and abs(half) < 2**32 for half in (low, high)):
        return None
    return (high << 32) + (low & 0xFFFFFFFF)


def in_range(ns: int) -> int | None:
    """Return a moment if the tables can hold it."""
    return ns if 0 <= ns < _MOST_NS else None


def _begins_with_year(value: str) -> bool:
    return value[4:5] == "-" and value[:4].isdigit()


def _of_text(value: str) -> int | None:
    """Return the moment of an ISO text, which may name its zone."""
    try:
        return _of_datetime(datetime.fromisoformat(value))
    except (ValueError, OverflowError):
        pass
    local, name = without_zone(value)
    local = _SPACE.sub("", local)
    try:
        moment = datetime.fromisoformat(local)
        return _of_datetime(moment if name is None else in_zone(moment, name))
    except (ValueError, OverflowError):
        return _of_long_fraction(local) if name is None else None


def _of_datetime(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return in_range((since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000)


def _of_long_fraction(value: str) -> int | None:
    """Read ISO times whose fraction has more digits than Python's parser takes."""
    head, dot, tail = value.strip().partition(".")
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
    if not dot or not digits:
        return None
    zone = tail[len(digits) :]
    try:
        whole = _of_datetime(datetime.fromisoformat(head + zone))
    except (ValueError, OverflowError):
        return None
    return None if whole is None else whole + int(digits[:9].ljust(9, "0"))


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
