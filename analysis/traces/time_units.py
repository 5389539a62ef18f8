"""Units of numbers that are times, told by their size: also where a column has two of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from simulator.words import counted

LONGEST_S = 100.0
"""Durations whose median is above this are milliseconds: hardly any call takes minutes."""

WORDS = {10**9: "seconds", 10**6: "milliseconds", 1000: "microseconds", 1: "nanoseconds"}
"""Units of times, by the ns that they have."""

_FIRST_DATE, _LAST_DATE = 946_684_800 * 10**9, 4_102_444_800 * 10**9
"""1 January 2000 and 2100, in ns since 1970."""

_APART = 20.0
"""Durations in seconds and in milliseconds are so many times apart, or more."""


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
    return next((unit for unit in WORDS if _FIRST_DATE <= value * unit <= _LAST_DATE), None)


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
