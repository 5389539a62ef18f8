"""Zones that times name at their end: ``Europe/Berlin``, ``EST``, ``GMT+0100 (Central European)``.

A name is read if it has one meaning. ``CST`` is Central Standard Time and China's, ``IST`` that of
India, Israel and Ireland, ``BST`` that of Britain in summer and of Bangladesh: such are refused.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

_HOURS = {
    "UTC": 0.0, "GMT": 0.0, "Z": 0.0, "WET": 0.0, "WEST": 1.0, "CET": 1.0, "CEST": 2.0, "MEZ": 1.0,
    "MESZ": 2.0, "EET": 2.0, "EEST": 3.0, "MSK": 3.0, "EST": -5.0, "EDT": -4.0, "CDT": -5.0,
    "MST": -7.0, "MDT": -6.0, "PST": -8.0, "PDT": -7.0, "AKST": -9.0, "AKDT": -8.0, "HST": -10.0,
    "JST": 9.0, "KST": 9.0, "HKT": 8.0, "SGT": 8.0, "AWST": 8.0, "ACST": 9.5, "ACDT": 10.5,
    "AEST": 10.0, "AEDT": 11.0, "NZST": 12.0, "NZDT": 13.0,
}  # fmt: skip
"""Hours from UTC of short names; those of North America as RFC 2822 has them."""

_SEVERAL = {"CST", "IST", "BST", "AST", "ADT", "ET", "CT", "MT", "PT", "ECT", "GST", "SST", "AMT",
            "WST"}  # fmt: skip
"""Short names of several zones, or of one whose offset changes in summer."""

_OFFSET = re.compile(r"(?:(?:GMT|UTC)\s*)?([+-])(\d{1,2}):?(\d\d)?", re.IGNORECASE)
_IN_SIGNS = re.compile(r"\s*[\[(][^\[\]()]*[\])]$")
"""A name after the offset: of Java's ``[Europe/Berlin]``, of JavaScript's ``(Central ...)``."""

_NAMED = re.compile(
    r"^(?P<rest>.*\d(?::\d\d(?:[.,]\d+)?)?(?:\s*[ap]\.?m\.?(?![a-z]))?)\s*"
    r"(?P<zone>(?:GMT|UTC)\s*[+-]\d{1,2}(?::?\d\d)?|[A-Z]{1,5}|[A-Z][A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+)$",
    re.IGNORECASE | re.DOTALL,
)
_ENDS_WITH_OFFSET = re.compile(r":\d\d.*(?:Z|[+-]\d\d(?::?\d\d)?)$")
_BEFORE_SIGNS = re.compile(r"(?:\d|Z|[A-Z]{3,4})$")


def without_zone(said: str) -> tuple[str, str | None]:
    """Return a time without the name of its zone, and the name; None if it has none.

    Offsets alone (``+01:00``), and ``Z``, stay where they are.
    """
    said = said.strip()
    inside = _IN_SIGNS.search(said)
    if inside is not None and _BEFORE_SIGNS.search(said[: inside.start()]):
        name, said = inside[0].strip(" ()[]"), said[: inside.start()]
        if not _has_offset(said) and not _NAMED.match(said):
            said = f"{said} {name}"
    found = _NAMED.match(said)
    if found is None or found["zone"].upper() in {"Z", "T", "AM", "PM"}:
        return said, None
    rest = found["rest"].strip()
    return rest, None if _has_offset(rest) else found["zone"]  # as Go writes: +0100 CET


def _has_offset(said: str) -> bool:
    return _ENDS_WITH_OFFSET.search(said) is not None


def in_zone(local: datetime, name: str) -> datetime | None:
    """Return a moment in a zone; None if the zone is not known, or has no such one moment.

    When clocks are set back an hour comes twice, and when they are set forward one is missing.
    """
    zone = _zone(name)
    if zone is None:
        return None
    first, again = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    return first if first.utcoffset() == again.utcoffset() else None


def why_not(name: str) -> str | None:
    """Return why no moment is known of a time in a zone; None if its name is no zone at all."""
    if name.upper() in _SEVERAL:
        return f"{name} may be several zones: write the offset, such as +01:00"
    if isinstance(_zone(name), ZoneInfo):
        return f"clocks are set in {name}, so that this is two moments or none: write the offset"
    return None


@lru_cache(256)
def _zone(name: str) -> tzinfo | None:
    hours = _HOURS.get(name.upper())
    if hours is not None:
        return timezone(timedelta(hours=hours)) if hours else UTC
    offset = _OFFSET.fullmatch(name.strip())
    if offset is not None:
        ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        day = timedelta(days=1)
        return timezone(-ahead if offset[1] == "-" else ahead) if ahead < day else None
    try:
        return ZoneInfo(name) if "/" in name else None
    except (OSError, ValueError, KeyError):  # a KeyError: no such zone
        return None
