"""Numbers as spreadsheets write them: which sign stands before decimals, which between thousands.

``1,234`` may be 1234 or 1.234, and so may ``1.234``. Most columns have another cell, such as
``12,5`` or ``1,234.5``, that shows it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Sign = Literal[",", "."]
"""What stands before decimals; the other one may stand between thousands."""

_DOUBTFUL = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")
_COMMA = re.compile(
    r"[+-]?[0-9]*,[0-9]+|[+-]?[0-9]{1,3}(?:(?:\.[0-9]{3}){2,}|(?:\.[0-9]{3})+,[0-9]+)"
)
_POINT = re.compile(
    r"[+-]?[0-9]*\.[0-9]*(?:[eE][+-]?[0-9]+)?"
    r"|[+-]?[0-9]{1,3}(?:(?:,[0-9]{3}){2,}|(?:,[0-9]{3})+\.[0-9]+)"
)
"""Numbers that have a comma, or a point, before their decimals, or would have it there."""

_SPACES = re.compile("[0-9]{1,3}([ \u00a0\u202f'\u2019][0-9]{3})+([.,][0-9]+)?")
"""Numbers with thousands apart by spaces, as in French and by ISO, or by apostrophes, as Swiss."""

_ROUNDED = re.compile(r"([0-9][0-9.,]*)\s?([kKM])(?:\s?tok(?:en)?s?)?")
"""Counts in thousands or millions."""

_SAMPLE = 1000
"""Rows of which the other columns are looked at."""


@dataclass(frozen=True, slots=True)
class Notation:
    """How the numbers of a column are written.

    Attributes
    ----------
    sign : {",", "."}, optional
        What stands before decimals; None where nothing shows it.
    is_count : bool
        Whether they are whole, so that a sign of which nothing is shown is between thousands. Else
        it is before decimals.
    doubtful : str, optional
        A number that may be read in two ways, where nothing shows which is right.
    is_fixed : bool
        Whether numbers that show another sign are none.
    """

    sign: Sign | None
    is_count: bool = False
    doubtful: str | None = None
    is_fixed: bool = False

    def plain(self, cell: Any) -> Any:
        """Return a cell as Python writes numbers; what is no text of a number stays as it is."""
        cell = without_spaces(cell)
        if not isinstance(cell, str):
            return cell
        said = cell.strip()
        if "," not in said and "." not in said:
            return cell
        sign = self.sign if self.is_fixed else _shown(said) or self.sign
        if _DOUBTFUL.fullmatch(said) and sign is None:
            return re.sub("[.,]", "" if self.is_count else ".", said)
        if sign == "," and (_COMMA.fullmatch(said) or _DOUBTFUL.fullmatch(said)):
            return said.replace(".", "").replace(",", ".")
        if sign == "." and (_POINT.fullmatch(said) or _DOUBTFUL.fullmatch(said)):
            return said.replace(",", "")
        return cell

    def whole(self, cell: Any) -> Any:
        """Return the same of a count, which may be written in thousands or millions: ``1.2k``."""
        found = _ROUNDED.fullmatch(cell.strip()) if isinstance(cell, str) else None
        if found is None:
            return self.plain(cell)
        try:
            n = float(replace(self, is_count=False).plain(found[1]))
        except ValueError:
            return cell
        return n * (1_000_000.0 if found[2] == "M" else 1_000.0)


ENGLISH = Notation(".", is_fixed=True)
"""That of tables whose cells are apart by something else than semicolons, unless they show commas
before decimals."""


class Notations:
    """How the columns of a table are written.

    Parameters
    ----------
    rows : sequence of mapping
        Its rows, by the names of the columns.
    amounts : collection of str
        Columns of counts, costs and durations, which may show it for each other. Others may hold
        versions (``2.1``) or lists (``1,2``).
    is_european : bool
        Whether cells are apart by semicolons, as where decimals have commas.
    """

    def __init__(
        self, rows: Sequence[Mapping[str, Any]], amounts: Collection[str], is_european: bool
    ) -> None:
        self._rows = rows
        self._amounts = amounts
        self._is_european = is_european
        self._found: dict[str, Notation] = {}

    def of(self, name: str, is_count: bool) -> Notation:
        """Return how the numbers of a column are written, which are whole if it `is_count`."""
        if name not in self._found:
            self._found[name] = self.told(name, is_count)
        return self._found[name]

    def notes(self) -> list[str]:
        """Return what was taken for granted of the columns that were asked for."""
        return [
            f"numbers of {name!r} such as {found.doubtful!r} are taken as "
            f"{found.plain(found.doubtful)}: nothing shows whether their sign is before decimals "
            "or between thousands"
            for name, found in self._found.items()
            if found.doubtful is not None
        ]

    def told(self, name: str, is_count: bool) -> Notation:
        """Return the same, of a column that may stay unread: `notes` says nothing of it."""
        cells = [row.get(name) for row in self._rows]
        if self._is_european:
            return self._seen(name, cells, is_count)
        if not any(isinstance(cell, str) and "," in cell for cell in cells):
            return ENGLISH
        found = self._seen(name, cells, is_count)
        if found.sign == ",":
            return found
        return ENGLISH if is_count else replace(ENGLISH, doubtful=found.doubtful)

    def _seen(self, name: str, cells: Sequence[Any], is_count: bool) -> Notation:
        cells = [without_spaces(cell) for cell in cells]
        if (seen := sign_in(cells)) is not None:
            return Notation(seen, is_count)
        others = {
            _shown(without_spaces(cell))
            for row in self._rows[:_SAMPLE]
            for other, cell in row.items()
            if other != name and other in self._amounts
        } - {None}
        sign = others.pop() if len(others) == 1 else None
        if sign is not None and not is_count:
            return Notation(sign, is_count)
        texts = [cell.strip() for cell in cells if isinstance(cell, str)]
        doubtful = [text for text in texts if _DOUBTFUL.fullmatch(text)]
        if sign is not None and all(text.endswith(f"{sign}000") for text in doubtful):
            return Notation(sign, is_count)  # a program has written whole numbers with decimals
        some = next((text for text in doubtful if sign is None or sign in text), None)
        return Notation(None, is_count, some)


def sign_in(cells: Iterable[Any]) -> Sign | None:
    """Return what stands before decimals in most of the numbers that show it; None if none does."""
    seen = Counter(map(_shown, cells))
    del seen[None]
    return max(seen, key=seen.__getitem__, default=None)


def _shown(cell: Any) -> Sign | None:
    """Return what a number shows to be before decimals."""
    if not isinstance(cell, str):
        return None
    said = cell.strip()
    if ("," not in said and "." not in said) or _DOUBTFUL.fullmatch(said):
        return None
    return "." if _POINT.fullmatch(said) else "," if _COMMA.fullmatch(said) else None


def without_spaces(value: Any) -> Any:
    """Return a number whose thousands are apart by spaces or apostrophes without these."""
    is_apart = isinstance(value, str) and _SPACES.fullmatch(value.strip())
    return re.sub("[^0-9.,]", "", value) if is_apart else value


def is_rounded(cell: Any) -> bool:
    """Tell whether a count is written in thousands or millions: ``1.2k``."""
    return isinstance(cell, str) and _ROUNDED.fullmatch(cell.strip()) is not None
