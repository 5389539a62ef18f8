"""Cells of plain tables as numbers and texts; those that are none are counted as errors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from analysis.traces.canonical import CALLS
from analysis.traces.collector import Collector
from analysis.traces.column_names import amounts_in
from analysis.traces.decimals import ENGLISH, Notations, is_rounded
from analysis.traces.source import Source
from analysis.traces.table_rows import is_blank, is_missing, without_dollar
from analysis.traces.values import MOST_COUNT, amount, text
from simulator.words import counted

_EXACT = 0.01
"""Counts are nearer to whole numbers, relative to them: means of counts may be rounded."""

_ROUNDED = re.compile(r"\d[.,]?\d{0,7}[eE]\+?(?:9|1\d)")
"""Dates as numbers of more digits than these have."""

_DOLLARS = {"USD", "$", "US$", "US DOLLAR", "US DOLLARS"}


class TableCells:
    """The rows of one table.

    Parameters
    ----------
    source : Source
    rows : list of dict
    places : list of str
        Where each row is, for messages.
    out : Collector
    """

    def __init__(
        self, source: Source, rows: list[dict[str, Any]], places: list[str], out: Collector
    ) -> None:
        self._source = source
        self.rows = rows
        self._places = places
        self._out = out
        self._rounded: dict[str, list[str]] = {}
        amounts = amounts_in(dict.fromkeys(name for row in rows[:1000] for name in row))
        self._notations = Notations(rows, amounts, source.head.may_have_decimal_commas)

    @property
    def name(self) -> str:
        """The name of the file."""
        return self._source.path.name

    def note(self, *notes: str | None) -> None:
        """Note what is to be said of the file."""
        self._out.notes.extend(f"{self.name}: {note}" for note in notes if note is not None)

    def notations(self) -> list[str]:
        """Return what was taken for granted of the numbers of its columns."""
        return self._notations.notes() + [
            f"counts of {name!r} such as {cells[0]!r} are rounded ({counted(len(cells), 'row')})"
            for name, cells in self._rounded.items()
        ]

    def text_or_number(self, name: str, may_be_text: bool) -> list[Any]:
        """Return a column of times; invalid values are counted and become None."""
        how = self._notations.of(name, is_count=False)
        if may_be_text and any(_is_words(how.plain(row.get(name))) for row in self.rows[:50]):
            return [
                str(cell)[:40] if isinstance(cell, (dict, list)) else cell
                for cell in (row.get(name) for row in self.rows)
            ]
        return [
            None if pd.isna(each) else each
            for each in self._checked(name, low=-np.inf, most=np.inf).tolist()
        ]

    def dates(self, name: str) -> list[Any]:
        """Return a column of dates; those of which a spreadsheet has kept few digits are errors."""
        for place, row in zip(self._places, self.rows, strict=True):
            cell = row.get(name)
            if isinstance(cell, str) and _ROUNDED.fullmatch(cell.strip()):
                self._out.skip(f"{place}, column {name!r}", f"{cell!r} has lost its last digits")
                row[name] = None
        return self.text_or_number(name, True)

    def numbers(self, ours: str, theirs: str) -> list[float | int | None]:
        """Return a column of counts or amounts; invalid values are counted and become None."""
        whole = CALLS[ours] == "Int64"
        values = self._checked(theirs, low=0.0, most=float(MOST_COUNT), whole=whole)
        return [None if np.isnan(n) else round(n) if whole else n for n in values.tolist()]

    def holds_counts(self, name: str) -> bool:
        """Tell whether a column holds whole numbers, and one above 1: else it says yes or no."""
        how = self._notations.told(name, is_count=True)
        is_several = False
        for row in self.rows:
            cell = row.get(name)
            if cell is None or is_blank(cell):
                continue
            n = amount(how.whole(cell))
            if n is None or n != round(n):
                return False
            is_several = is_several or n > 1
        return is_several

    def holds_amounts(self, name: str) -> bool:
        """Tell whether a column holds numbers, and not only 0 and 1: else words, or yes and no."""
        plain = self._notations.told(name, is_count=False).plain
        found = [
            amount(plain(without_dollar(row.get(name))))
            for row in self.rows
            if not is_missing(row.get(name))
        ]
        return all(n is not None for n in found) and any(n not in (0, 1) for n in found)

    def in_dollars(self, costs: Sequence[float | None], currency: str) -> list[float | None]:
        """Return the costs that are in US dollars; one in another currency is an error."""
        found = []
        for place, row, cost in zip(self._places, self.rows, costs, strict=True):
            said = text(row.get(currency))
            is_dollar = said is None or said.upper() in _DOLLARS
            found.append(cost if is_dollar else None)
            if cost is not None and not is_dollar:
                self._out.skip(f"{place}, column {currency!r}", f"{said!r} is not USD")
        return found

    def _checked(
        self, name: str, low: float, most: float, whole: bool = False
    ) -> np.ndarray[Any, Any]:
        cells = (row.get(name) for row in self.rows)
        raw = pd.Series([c if type(c) is str else _scalar(c) for c in cells], dtype=object)
        how = self._notations.of(name, whole)
        # Nearly all cells are plain numbers. (pandas reads huge integers as objects.)
        numbers = pd.to_numeric(raw, errors="coerce").to_numpy(float, copy=True, na_value=np.nan)
        odd = np.flatnonzero(np.isnan(numbers) if how == ENGLISH else np.ones(len(raw), bool))
        if len(odd):
            some = raw.iloc[odd]
            if most == MOST_COUNT:
                some = some.map(without_dollar)
            if whole and any((rounded := some.map(is_rounded)).tolist()):
                self._rounded[name] = some[rounded].tolist()
            some = some.map(how.whole if whole else how.plain)
            read = pd.to_numeric(some, errors="coerce")
            numbers[odd] = read.to_numpy(dtype=float, na_value=np.nan)
            raw[odd] = some
        none = np.isnan(numbers)
        none[none] = [not is_missing(each) for each in raw[none]]
        self._say(none, name, raw, "is no number")
        with np.errstate(invalid="ignore"):
            low_, high = numbers < low, (numbers > most) | np.isinf(numbers)
            part = whole & (np.abs(numbers - np.round(numbers)) > _EXACT * np.abs(numbers)) & ~high
            self._say(low_, name, raw, f"is below {low:g}")
            self._say(high & ~low_, name, raw, "is too large")
            self._say(part & ~low_, name, raw, "is no whole number")
            bad = low_ | high | part
        return np.where(bad, np.nan, numbers)

    def _say(self, which: np.ndarray[Any, Any], name: str, raw: pd.Series, what: str) -> None:
        for i in np.flatnonzero(which):
            said = str(raw.iloc[i])[:40]
            self._out.skip(f"{self._places[i]}, column {name!r}", f"{said!r} {what}")


def _scalar(value: Any) -> Any:
    """Return a number or a text; booleans and nested objects are not numbers."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float, str, type(None))):
        return str(value)[:40]
    try:
        return float(value) if isinstance(value, int) else value
    except OverflowError:
        return float("inf")


def _is_words(value: Any) -> bool:
    if value is None or isinstance(value, (int, float)):
        return False
    try:
        float(str(value))
    except ValueError:
        return True
    return False
