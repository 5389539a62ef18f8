"""Times of tables that are written in other ways than ISO 8601: days first, clocks alone, zones."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import time
from itertools import pairwise
from typing import Any

import pandas as pd

from analysis.traces.column_names import plain
from analysis.traces.time_units import Ns
from analysis.traces.zones import without_zone
from simulator.errors import TeamsimError

_ISO = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?P<zone>Z|[+-]\d\d:?\d\d)?)?"
)
"""Nearly all texts of times, which need no more than a look."""

_SLASHED = re.compile(r"\s*(\d{1,2})([/.-])(\d{1,2})\2\d{2,4}\b")
"""Dates that begin with the month or the day; with the day, if dots are between them."""

_MONTH = re.compile(
    r"\b(jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\b.*\d:\d\d|\d:\d\d.* [ap]m$",
    re.IGNORECASE,
)
"""Times with the name of their month, or of the half of the day."""

_CLOCK = re.compile(r":\d\d(?:[.,]\d+)?\s*(Z|UTC|GMT|[+-]\d\d:?\d\d)?$", re.IGNORECASE)
"""The end of a text with a time of day, and its zone if it says one."""

_ALONE = re.compile(
    r"(?P<h>[01]?\d|2[0-3]):(?P<m>[0-5]\d)(?::(?P<s>[0-5]\d(?:[.,]\d+)?))?\s*(?P<half>[ap]m)?",
    re.IGNORECASE,
)
"""A time of day without its date; minutes alone (``12:30``) may be minutes and seconds."""

_MIDNIGHT = re.compile(r"[T ]00:00(?::00(?:\.0+)?)?(?:Z|\+00:?00)?$")
"""The end of a date that a spreadsheet or a data frame has made a time."""

_DATES = {
    "start": ("start_date", "call_date", "request_date", "date", "day"),
    "end": ("end_date", "finish_date"),
}
"""Columns of dates that belong to a column of times of day."""

_DAY, _HALF_DAY, _NEARLY_A_DAY = 86_400 * 10**9, 43_200 * 10**9, 72_000 * 10**9


def is_slashed(value: str) -> bool:
    """Tell whether a text begins with a date such as ``6/13/2026``."""
    return _SLASHED.match(value) is not None


def note_on_zones(columns: Iterable[Sequence[Any]]) -> str | None:
    """Return what to say where some times say their zone and others, hours away, may not."""
    zones: set[bool] = set()
    for values in columns:
        for v in values:
            if not isinstance(v, str):
                continue
            iso = _ISO.fullmatch(v)
            if iso is not None and len(v) > len("2026-03-01"):
                zones.add(iso["zone"] is not None)
            elif iso is None:
                body, zone = without_zone(v)
                clock = _CLOCK.search(body)
                zones |= set() if clock is None else {zone is not None or clock[1] is not None}
    return "some times say their zone; the others are taken as UTC" if len(zones) > 1 else None


def day_first(said: Mapping[str, Sequence[Any]]) -> tuple[bool, str | None]:
    """Tell whether dates such as ``2/3/2026`` begin with the day, in all columns alike.

    Parameters
    ----------
    said : mapping
        The values of the columns of times, by their names.

    Returns
    -------
    begins_with_day : bool
    note : str or None
        What is to be said of it.
    """
    matched = {
        name: [
            part
            for v in values
            if isinstance(v, str) and v[4:5] != "-"
            and (part := _SLASHED.match(v)) and part[2] != "."
        ]
        for name, values in said.items()
    }  # fmt: skip
    parts = [part for some in matched.values() for part in some]
    is_day = any(int(part[1]) > 12 for part in parts)
    is_month = any(int(part[3]) > 12 for part in parts)
    names = " and ".join(repr(name) for name, some in matched.items() if some)
    if is_day and is_month:
        return True, (
            f"{names} have dates that begin with the day and others that begin "
            "with the month; those that may be either are taken as day/month/year"
        )
    if parts and not (is_day or is_month):
        return False, f"{names} taken as month/day/year"
    return is_day, None


def as_iso(values: list[Any], day_first: bool) -> list[Any]:
    """Return times, those with dates such as ``6/13/2026`` or ``Jun 13, 2026`` as ISO texts.

    The name of a zone stays at the end of them.
    """
    odd = [i for i, v in enumerate(values) if isinstance(v, str) and not _ISO.fullmatch(v)]
    parted = [(i, *without_zone(values[i])) for i in odd]
    parted = [row for row in parted if _SLASHED.match(row[1]) or _MONTH.search(row[1])]
    if not parted:
        return values
    found = list(values)
    day_first = day_first or any(
        part is not None and part[2] == "." for part in (_SLASHED.match(row[1]) for row in parted)
    )
    texts = [text.replace(" @ ", " ") for _, text, _ in parted]  # as Kibana writes them
    with warnings.catch_warnings(action="ignore"):
        read = pd.to_datetime(
            pd.Series(texts, dtype=object), dayfirst=day_first, errors="coerce", utc=True,
            format="mixed",
        )  # fmt: skip
    for (i, _, zone), moment in zip(parted, read, strict=True):
        if not pd.isna(moment):
            iso = moment.isoformat()
            found[i] = iso if zone is None else f"{moment.tz_localize(None).isoformat()} {zone}"
    return found


def clocks_in(values: Sequence[Any]) -> list[float | None] | None:
    """Return times of day in seconds since midnight; None if not all of a column are such."""
    found: list[float | None] = []
    for v in values:
        said = _ALONE.fullmatch(str(v).strip()) if isinstance(v, (str, time)) else None
        if v is not None and (said is None or (said["s"] is None and said["half"] is None)):
            return None
        if said is None:
            found.append(None)
            continue
        hour = int(said["h"]) % 12 if said["half"] else int(said["h"])
        hour += 12 if (said["half"] or "").lower() == "pm" else 0
        seconds = float((said["s"] or "0").replace(",", "."))
        found.append(round(hour * 3600 + int(said["m"]) * 60 + seconds, 6))
    return None if all(n is None for n in found) else found


def date_column(what: str, names: Iterable[str], taken: Iterable[str]) -> str | None:
    """Return the column with the dates of times of day; None if there is none.

    Parameters
    ----------
    what : {"start", "end"}
    names : iterable of str
        The columns of the table.
    taken : iterable of str
        Those that hold times of day.
    """
    free = {plain(name): name for name in names if name not in set(taken)}
    return next((free[each] for each in _DATES[what] if each in free), None)


def on_day(day: Any, clock: Any) -> str:
    """Return a time of day with its date, which may have a midnight of its own."""
    return f"{_MIDNIGHT.sub('', str(day).strip())} {clock}"


def _evening(times: Sequence[int]) -> int | None:
    """Return the first time of a run that went past midnight, if it lasted a few hours.

    In no order but this one would it rest for nearly a day.
    """
    steps = pairwise(sorted(times))
    return next((later for before, later in steps if later - before > _NEARLY_A_DAY), None)


def after_midnight(
    moments: Mapping[str, Ns], groups: Sequence[str], have_dates: bool, what: str
) -> dict[str, Ns]:
    """Return times of day with a day more where the clock went past midnight.

    A call that ends half a day before it begins ended on the next day, and so did one that begins
    half a day before the one above it of the same run.

    Parameters
    ----------
    moments : mapping
        ``start`` and ``end`` in ns, or one of both.
    groups : sequence of str
        The run of each row.
    have_dates : bool
        Whether starts have their dates.
    what : str
        The table and its columns, for messages.

    Raises
    ------
    TeamsimError
        If rows of a run seem to be on both sides of midnight, and in no order or of several days.
    """
    found = {name: list(values) for name, values in moments.items()}
    first = found.get("start", found.get("end", []))
    rows: dict[str, list[int]] = {}
    for i, group in enumerate(groups):
        if first[i] is not None:
            rows.setdefault(group, []).append(i)
    for some in rows.values() if not have_dates else ():
        at = [first[i] or 0 for i in some]
        if (cut := _evening(at)) is not None:
            for values in found.values():
                for i, at_first in zip(some, at, strict=True):
                    if at_first < cut and (known := values[i]) is not None:
                        values[i] = known + _DAY
            continue
        steps = [b - a for a, b in pairwise(at)]
        falls = [n < -_HALF_DAY for n in steps]
        last = falls.index(True) if any(falls) else len(at)
        # Else those of the next day are of agent after agent, or of a run of more than a day.
        is_told = max(at[last + 1 :], default=-1) < min(at[: last + 1])
        if any(falls) and (any(n > _HALF_DAY for n in steps) or not is_told):
            raise TeamsimError(
                f"{what} say no date, and clocks of a run go back by half a day, not once past "
                "midnight: give the dates"
            )
        day = 0
        for i, is_next in zip(some[1:], falls, strict=True):
            day += _DAY if is_next else 0
            for values in found.values():
                if (moment := values[i]) is not None:
                    values[i] = moment + day
    if {"start", "end"} <= found.keys():
        found["end"] = [
            b + _DAY if a is not None and b is not None and a - b > _HALF_DAY else b
            for a, b in zip(found["start"], found["end"], strict=True)
        ]
    return found
