"""Start and end of the calls of a table, from whatever columns and units it has."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from analysis.traces.column_names import found_times
from analysis.traces.report import shortened
from analysis.traces.table_dates import (
    after_midnight,
    as_iso,
    clocks_in,
    date_column,
    day_first,
    is_slashed,
    note_on_zones,
    on_day,
)
from analysis.traces.time_units import (
    WORDS,
    Ns,
    added,
    are_coarse,
    disagreeing,
    filled_from,
    lengths_in,
    may_be_ends,
    scaled,
    unit_of_lengths,
    units_of,
    unlike_others,
    without_signs,
)
from analysis.traces.values import amount, factor_of, in_range, nanoseconds
from analysis.traces.zones import why_not, without_zone
from simulator.errors import TeamsimError

EXTRA = ("duration_s", "start_s", "end_s")
"""Columns in seconds that a user may name in place of start_ns and end_ns."""

_TOLD = {
    "duration_s": ("duration", 10**9),
    "start_s": ("start", 10**9),
    "end_s": ("end", 10**9),
    "start_ns": ("start", 1),
    "end_ns": ("end", 1),
    "first_chunk_s": ("first_chunk", 10**9),
}
_DATE = 1e8
"""Smaller numbers are times since some start, not dates."""

_FIRST_DAY, _LAST_DAY = 36_526.0, 73_051.0
_DAY_OF_1970 = 25_569.0
"""1 January 2000, 2100 and 1970 as numbers of spreadsheets."""

_SHORTEST_S = 0.02
"""Calls are longer, and further apart: smaller steps between times are parts of days."""

_BEGINS = re.compile("start|beg[ai]n")
"""Names of times that can be no ends."""


class Times:
    """The columns of a table that hold times.

    Parameters
    ----------
    column : callable
        Returns a column by its name, given whether it may be text: numbers, texts or None.
    dates : callable
        Returns a column of dates.
    names : sequence of str
        All columns.
    empty : collection of str
        Those that say nothing in any row.
    told : mapping
        Canonical names to columns, as the user has named them.
    file : str
        Name of the table in messages.
    places : sequence of str
        Where each row is, for messages.
    """

    def __init__(
        self,
        column: Callable[[str, bool], list[Any]],
        dates: Callable[[str], list[Any]],
        names: Sequence[str],
        empty: Collection[str],
        told: Mapping[str, str],
        file: str,
        places: Sequence[str],
    ) -> None:
        self._file = file
        self._places = places
        self._notes: list[str] = []
        found = found_times(name for name in names if name not in empty)
        for name, (what, unit) in _TOLD.items():
            if name in told:
                found = {key: pair for key, pair in found.items() if pair[0] != told[name]}
                found[what] = (told[name], unit)
        if "duration" not in found and not {"start", "end"} <= found.keys():
            none = [repr(name) for name, _ in found_times(empty).values()]
            said = f"; {' and '.join(none)} have no times" if none else ""
            there = shortened(", ".join(names))
            raise TeamsimError(
                f"{file} lacks a duration: say --column duration_s=NAME (it has {there}{said})"
            )
        duration = found.get("duration")
        self._duration = None if duration is None else self._lengths(column, *duration)
        first = found.get("first_chunk")
        self._first = None if first is None else self._lengths(column, *first)
        moments: dict[str, tuple[tuple[str, int | None], list[Any]]] = {
            what: (found[what], dates(found[what][0])) for what in ("start", "end") if what in found
        }
        self._clocks: str | None = None
        self._have_dates = False
        self._read_clocks(moments, [name for name in names if name not in empty], dates)
        self._read_digits(moments)
        self._note(note_on_zones(values for _, values in moments.values()))
        self._said = {what: (name, values) for what, ((name, _), values) in moments.items()}
        self._read_days(moments)
        factor = self._common_factor(moments)
        is_day_first, note = day_first(dict(self._said.values()))
        self._note(note)
        self._moments: dict[str, Ns] = {}
        for what, ((name, told_unit), values) in moments.items():
            units = self._factors(name, values, told_unit, factor)
            days = as_iso(values, is_day_first)
            self._moments[what] = [_moment(v, each) for v, each in zip(days, units, strict=True)]

    def _read_digits(self, moments: dict[str, tuple[tuple[str, int | None], list[Any]]]) -> None:
        """Make ISO texts of dates that are digits alone, in all columns whose names say no unit."""
        read = {what: without_signs(values, len(moments)) for what, (_, values) in moments.items()}
        if all(unit is None for (_, unit), _ in moments.values()) and None not in read.values():
            for what, ((name, unit), _) in list(moments.items()):
                self._notes.append(f"{self._file}: {name!r} taken as dates without signs in them")
                moments[what] = (name, unit), read[what] or []

    def _note(self, note: str | None) -> None:
        if note is not None:
            self._notes.append(f"{self._file}: {note}")

    def _read_clocks(
        self,
        moments: dict[str, tuple[tuple[str, int | None], list[Any]]],
        names: Sequence[str],
        dates: Callable[[str], list[Any]],
    ) -> None:
        """Add their dates to times of day, or make seconds of them where a table has no dates."""
        clocks = {what: clocks_in(values) for what, (_, values) in moments.items()}
        if not clocks or None in clocks.values():
            return
        columns = [name for (name, _), _ in moments.values()]
        self._clocks = " and ".join(map(repr, columns))
        of_starts = date_column("start", names, columns)
        self._have_dates = of_starts is not None
        for what, ((name, _), values) in list(moments.items()):
            day = date_column(what, names, columns) or of_starts
            if day is None:
                moments[what] = (name, 10**9), clocks[what] or []
            else:
                pairs = zip(dates(day), values, strict=True)
                both = [None if None in pair else on_day(*pair) for pair in pairs]
                moments[what] = (name, None), both
        self._note(
            f"the times of {self._clocks} say no date: "
            + (f"that of {of_starts!r} is taken" if of_starts else "runs begin on the same day")
        )

    def wrong_in(self, i: int) -> str | None:
        """Return what is no time in a row; None if its times are missing, or are understood."""
        for what, moments in self._moments.items():
            name, values = self._said[what]
            if moments[i] is None and values[i] is not None:
                zone = without_zone(str(values[i]))[1]
                why = None if zone is None else why_not(zone)
                said = f"column {name!r}: {str(values[i])[:40]!r} is no time"
                return said if why is None else f"{said} ({why})"
        return None

    def _factors(self, name: str, values: Sequence[Any], told: int | None, usual: int) -> list[int]:
        """Return the unit of each time of a column; note it where they are not the same."""
        units, note = units_of(values, told, usual)
        if note is not None:
            self._notes.append(f"{self._places[note[0]]}: {name!r} is {note[1]}")
        return units

    @property
    def has_moments(self) -> bool:
        """Whether the table has the times of calls, not only their durations."""
        return bool(self._moments)

    @property
    def has_ends(self) -> bool:
        """Whether the table has both when calls begin and when they end."""
        return {"start", "end"} <= self._moments.keys()

    def first_chunk(self, i: int) -> float | None:
        """Return the seconds to the first chunk of a row."""
        ns = None if self._first is None else self._first[i]
        return None if ns is None else ns / 1e9

    def of(self, groups: Sequence[str], runs: Sequence[str]) -> tuple[Ns, Ns, list[str]]:
        """Return starts and ends in ns, and notes on how columns were interpreted.

        Parameters
        ----------
        groups : sequence of str
            The group of each row; without starts, calls of one group follow each other.
        runs : sequence of str
            The run of each row; times of day without dates go past midnight within one.

        Raises
        ------
        TeamsimError
            If times of day have no dates, and no order in which they go past midnight.
        """
        if self._clocks is not None:
            where = f"{self._file}: {self._clocks}"
            self._moments = after_midnight(self._moments, runs, self._have_dates, where)
        starts, ends = self._moments.get("start"), self._moments.get("end")
        lengths = self._duration
        if starts is not None and ends is not None:
            if lengths is None:
                return starts, ends, self._notes
            if not are_coarse(starts, ends, lengths):
                if (odd := disagreeing(starts, ends, lengths)) is not None:
                    row, why, are_in_zones = odd
                    used = "start and duration" if are_in_zones else "the times"
                    self._notes.append(f"{self._places[row]}: {why}: {used} are used")
                    if are_in_zones:
                        return starts, added(starts, lengths), self._notes
                back = [None if n is None else -n for n in lengths]
                return (
                    filled_from(starts, added(ends, back)),
                    filled_from(ends, added(starts, lengths)),
                    self._notes,
                )
            self._notes.append(f"{self._file}: ends are coarse: start and duration are used")
        assert lengths is not None
        if starts is not None:
            name = self._said["start"][0]
            is_told = _BEGINS.search(name.lower()) is not None
            if not is_told and (note := may_be_ends(starts, lengths, groups)) is not None:
                self._notes.append(f"{self._file}: {name!r} is taken as the start of calls; {note}")
            return starts, added(starts, lengths), self._notes
        if ends is not None:
            return added(ends, [None if n is None else -n for n in lengths]), ends, self._notes
        name = self._file.rpartition("/")[2]
        self._notes.append(f"{name} has no start times: calls are taken to follow each other")
        at: dict[str, int] = defaultdict(int)
        starts = []
        for group, length in zip(groups, lengths, strict=True):
            starts.append(at[group])
            at[group] = in_range(at[group] + (length or 0)) or 0
        return starts, added(starts, lengths), self._notes

    def _lengths(self, column: Callable[[str, bool], list[Any]], name: str, unit: int | None) -> Ns:
        values = column(name, True)
        if not all(v is None or _is_number(v) for v in values):
            lengths = lengths_in(values, unit)
            is_read = (n is not None for n, v in zip(lengths, values, strict=True) if _is_text(v))
            if any(is_read):
                return lengths
            values = column(name, False)  # words, which are errors
        if unit is None:
            known = [v for v in values if v is not None and v >= 0]
            middle = float(np.median(known)) if known else 0.0
            unit = unit_of_lengths(middle)
            self._notes.append(
                f"{self._file}: {name!r} is taken as {WORDS[unit]} (its median is {middle:,.4g})"
            )
            if (odd := unlike_others(values, unit)) is not None:
                self._notes.append(f"{self._places[odd[0]]}: {name!r} is {odd[1]}")
        return [None if v is None or v < 0 else in_range(scaled(v, unit)) for v in values]

    def _read_days(self, moments: dict[str, tuple[tuple[str, int | None], list[Any]]]) -> None:
        """Make seconds of dates that are numbers of days, as spreadsheets keep them."""
        told = {what: values for what, ((_, unit), values) in moments.items() if unit is None}
        numbers = sorted(v for values in told.values() for v in values if _is_number(v))
        if not numbers or not _FIRST_DAY <= numbers[0] <= numbers[-1] <= _LAST_DAY:
            return
        steps = np.diff(np.unique(numbers))  # agents may begin at the same time
        beside_dates = False
        if {"start", "end"} <= told.keys():
            pairs = list(zip(told["start"], told["end"], strict=True))
            steps = np.array([b - a for a, b in pairs if _is_number(a) and _is_number(b)])
            beside_dates = any((_is_number(a) and _is_date(b)) or (_is_date(a) and _is_number(b))
                               for a, b in pairs)  # fmt: skip
        if float(np.median(steps)) > _SHORTEST_S if len(steps) else not beside_dates:
            return
        told = {what: values for what, values in told.items() if any(map(_is_number, values))}
        for what, values in told.items():
            dates = [
                round((v - _DAY_OF_1970) * 86_400.0, 3) if _is_number(v) else v for v in values
            ]
            moments[what] = ((moments[what][0][0], 10**9), dates)
        self._notes.append(
            f"{self._file}: {' and '.join(repr(moments[what][0][0]) for what in told)} taken as "
            "days, as spreadsheets count them"
        )

    def _common_factor(
        self, moments: Mapping[str, tuple[tuple[str, int | None], list[Any]]]
    ) -> int:
        """Return the unit of times that are numbers, if the name of their column has none."""
        numbers = [
            v for (_, unit), values in moments.values() if unit is None for v in values
            if isinstance(v, (int, float))
        ]  # fmt: skip
        if not numbers:
            return 10**9
        middle = float(np.median(numbers))
        if middle >= _DATE:
            factor = factor_of(middle)
        elif {"start", "end"} <= moments.keys():
            pairs = zip(moments["start"][1], moments["end"][1], strict=True)
            lengths = [b - a for a, b in pairs if _is_number(a) and _is_number(b)]
            factor = unit_of_lengths(float(np.median(lengths)) if lengths else 0.0)
        else:
            factor = 10**9
        names = " and ".join(repr(name) for (name, unit), _ in moments.values() if unit is None)
        self._notes.append(f"{self._file}: {names} taken as {WORDS[factor]}")
        return factor


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and amount(value) is None


def _is_date(value: Any) -> bool:
    is_told = isinstance(value, str) and amount(value) is None
    return is_told and (is_slashed(value) or nanoseconds(value) is not None)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _moment(value: Any, factor: int) -> int | None:
    if isinstance(value, (int, float)):
        return in_range(scaled(value, factor))
    return nanoseconds(value)
