"""What times of a table may be: their units, told by their size, and whether starts are ends."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from analysis.traces.decimals import Notation, sign_in
from analysis.traces.values import amount, in_range
from simulator.words import counted

LONGEST_S = 100.0
"""Durations whose median is above this are milliseconds: hardly any call takes minutes."""

_LONGEST = ((LONGEST_S, 10**9), (3_600_000.0, 10**6), (100_000_000.0, 1000))
"""Medians of durations up to these are in the unit beside it; larger ones are nanoseconds."""

WORDS = {10**9: "seconds", 10**6: "milliseconds", 1000: "microseconds", 1: "nanoseconds"}
"""Units of times, by the ns that they have."""

FIRST_DATE, LAST_DATE = 946_684_800 * 10**9, 4_102_444_800 * 10**9
"""1 January 2000 and 2100, in ns since 1970."""

Ns = list[int | None]
"""Moments or lengths of rows, in ns."""

_FIRST_YEAR, _LAST_YEAR = 2000, 2100

_APART = 20.0
"""Durations in seconds and in milliseconds are so many times apart, or more."""


_UNLIKE, _MANY = 0.2, 0.1
"""Durations that are so much of them from others are not the same; few rows may be like that."""
_QUARTER_S, _NEAR_S = 900.0, 5.0

_NUMBER = re.compile(r"[0-9](?:[0-9.,]*[0-9])?")

_FEWEST, _FEWER = 3, 5
"""So many calls must overlap if times are starts, and so many times fewer if they are ends."""


def without_signs(values: Sequence[Any], columns: int) -> list[Any] | None:
    """Return dates that are written as one number (``20260301100000``) as ISO texts.

    None if not all of the column are: in no unit would such be a date of this century. Days alone
    are none where there are two `columns`, starts and ends: calls take seconds.
    """
    known = [v for v in values if v is not None]
    read = {v: _of_digits(v, columns < 2) for v in dict.fromkeys(known)}
    if not known or None in read.values():
        return None
    return [None if v is None else read[v] for v in values]


def _of_digits(value: Any, may_be_day: bool) -> str | None:
    if not isinstance(value, (int, float)) or value != int(value):
        return None
    digits = str(int(value))
    form = {8: "%Y%m%d" if may_be_day else None, 14: "%Y%m%d%H%M%S"}.get(len(digits))
    if form is None or not _FIRST_YEAR <= int(digits[:4]) <= _LAST_YEAR:
        return None
    try:
        return datetime.strptime(digits, form).replace(tzinfo=UTC).isoformat()
    except ValueError:
        return None


def unit_of_lengths(middle: float) -> int:
    """Return the unit of durations, in ns, by their median: hardly any call takes an hour."""
    return next((unit for longest, unit in _LONGEST if middle <= longest), 1)


def units_of(
    values: Sequence[Any], told: int | None, usual: int
) -> tuple[list[int], tuple[int, str] | None]:
    """Return the unit of each time of a column, in ns: of a date that which its size says.

    Parameters
    ----------
    values : sequence
        Numbers, or anything else, of which the unit does not matter.
    told : int, optional
        What the name of the column says. It is that of all times if no date is in it.
    usual : int
        The unit of what is no date.

    Returns
    -------
    units : list of int
    note : tuple of int and str, or None
        Of a column with dates in several units, a row with another one than most, and what to say.
    """
    dates = [_unit_of_date(v) for v in values]
    seen = Counter(unit for unit in dates if unit is not None)
    if told is not None and told not in seen:
        return [told] * len(values), None
    units = [unit or told or usual for unit in dates]
    most = told or max(seen, key=seen.__getitem__, default=usual)
    others = [i for i, unit in enumerate(dates) if unit not in (None, most)]
    if not others:
        return units, None
    first = others[0]
    return units, (
        first,
        f"{values[first]:.0f}, a date in {WORDS[units[first]]}, and other rows have {WORDS[most]}: "
        f"{counted(len(others), 'time')} in another unit, each read as its size says",
    )


def _unit_of_date(value: Any) -> int | None:
    """Return the unit in which a number is a date of this century; None if in none."""
    if not isinstance(value, (int, float)):
        return None
    return next((unit for unit in WORDS if FIRST_DATE <= value * unit <= LAST_DATE), None)


def lengths_in(values: Sequence[Any], unit: int | None) -> list[int | None]:
    """Return durations of which some have their unit (``850ms``) or are as ``0:00:01.25``, in ns.

    Parameters
    ----------
    values : sequence
        Texts and numbers.
    unit : int, optional
        Of the numbers; else they are seconds.
    """
    parts = [part for v in values if isinstance(v, str) for part in _NUMBER.findall(v)]
    written = Notation(sign_in(parts) or ".")
    return [_length(v, unit or 10**9, written) for v in values]


def _length(value: Any, unit: int, written: Notation) -> int | None:
    number = amount(value)
    if number is not None:  # a number among texts
        return in_range(scaled(number, unit))
    if not isinstance(value, str) or not any(each.isalpha() or each == ":" for each in value):
        return None
    try:
        length = pd.to_timedelta(_NUMBER.sub(lambda part: str(written.plain(part[0])), value))
    except (ValueError, OverflowError):
        return None
    return None if pd.isna(length) else in_range(length.value)


def scaled(value: float, factor: int) -> int:
    """Return a number times a factor, exact where it is whole."""
    if factor == 1:
        return int(value)
    whole = int(value)
    return whole * factor + round((value - whole) * factor)


def unlike_others(values: Sequence[float | None], unit: int) -> tuple[int, str] | None:
    """Return a row whose duration may be in another unit than most, and what to say of it.

    Such are some 1000 times as long as the others, and minutes. Where most are milliseconds, such
    are short and have decimals: calls of tools may be as short.
    """
    sizes = np.sort([v for v in values if v is not None and v > 0])
    if len(sizes) < 2:
        return None
    at = int(np.argmax(sizes[1:] / sizes[:-1])) + 1
    low, high = sizes[:at], sizes[at:]
    times = float(np.median(high) / np.median(low))
    is_apart = high[0] >= _APART * low[-1] and 1000 / _APART < times < 1000 * _APART
    is_long = unit == 10**9
    if not is_apart or not (high[0] > LONGEST_S if is_long else (low % 1 > 0).any()):
        return None
    few = high if is_long else low
    first = next(i for i, v in enumerate(values) if v in few)
    return first, (
        f"{values[first]:,.6g}; {len(few)} of {len(sizes)} are like that, and the others some "
        f"{times:,.0f} times as {'short' if is_long else 'long'}: all are taken as {WORDS[unit]}; "
        "if there are seconds and milliseconds, give the column one unit"
    )


def may_be_ends(
    moments: Sequence[int | None], lengths: Sequence[int | None], groups: Sequence[str]
) -> str | None:
    """Return what to say where calls of one group overlap by their starts, and not by their ends.

    Logs are written when a call has ended.
    """
    spans = defaultdict[str, list[tuple[int, int]]](list)
    for at, length, group in zip(moments, lengths, groups, strict=True):
        if at is not None and length is not None:
            spans[group].append((at, length))
    as_starts, as_ends = (
        sum(
            _overlaps((at - back * n, at + n - back * n) for at, n in some)
            for some in spans.values()
        )
        for back in (0, 1)
    )
    if as_starts < max(_FEWEST, _FEWER * as_ends) or _FEWER * as_starts < len(moments):
        return None
    return (
        f"{counted(as_starts, 'call')} begin before the one above has ended, and "
        f"{as_ends or 'none'} would if it were the end: if it is, --column end_s=NAME"
    )


def _overlaps(spans: Iterable[tuple[int, int]]) -> int:
    """Return how many spans begin before the one before them has ended."""
    return sum(start < end for (_, end), (start, _) in pairwise(sorted(spans)))


def added(moments: Ns, lengths: Ns) -> Ns:
    """Return moments with lengths added to them, in ns."""
    return [
        None if at is None or n is None else in_range(at + n)
        for at, n in zip(moments, lengths, strict=True)
    ]


def disagreeing(starts: Ns, ends: Ns, lengths: Ns) -> tuple[int, str, bool] | None:
    """Return a row whose duration is not the time from start to end, and what to say of such rows.

    And whether start and end are in different zones: then they are the same number of quarters of
    an hour apart in all rows. None if hardly any row is like that: calls may wait at first.
    """
    known = [
        (i, b - a - n, n)
        for i, (a, b, n) in enumerate(zip(starts, ends, lengths, strict=True))
        if a is not None and b is not None and n is not None
    ]
    odd = [(i, more) for i, more, n in known if abs(more) > max(10**9, _UNLIKE * n)]
    if not odd or len(odd) < _MANY * len(known):
        return None
    middle = float(np.median([more for _, more in odd])) / 1e9
    whole = round(middle / _QUARTER_S) * _QUARTER_S
    are_in_zones = whole != 0.0 and all(abs(more / 1e9 - whole) < _NEAR_S for _, more, _ in known)
    said = (
        f"in {counted(len(odd), 'row')} of {len(known):,} the times from start to end are not the "
        f"durations (by {middle:,.4g} s, their median)"
    )
    return odd[0][0], said + "; they are in different zones" * are_in_zones, are_in_zones


def filled_from(moments: Ns, others: Ns) -> Ns:
    """Return moments, and others where they are missing."""
    return [b if a is None else a for a, b in zip(moments, others, strict=True)]


def are_coarse(starts: Ns, ends: Ns, lengths: Ns) -> bool:
    """Tell whether ends are in whole seconds from starts, though durations are finer and agree.

    They may be the starts again, where a log has one time for each call.
    """
    spans = [
        (b - a, n)
        for a, b, n in zip(starts, ends, lengths, strict=True)
        if a is not None and b is not None and n is not None
    ]
    if any(n for _, n in spans) and not any(span for span, _ in spans):
        return True
    return (
        bool(spans)
        and all(span % 10**9 == 0 for span, _ in spans)
        and any(n % 10**9 for _, n in spans)
        and float(np.median([abs(span - n) for span, n in spans])) < 2e9
    )
