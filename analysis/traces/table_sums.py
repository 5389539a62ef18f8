"""Rows of tables that are no calls of their own: sums of calls, and copies of rows above."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.traces.time_units import Ns
from analysis.traces.two_formats import DATE_NS
from simulator.words import counted

_HOUR, _DAY = 3_600 * 10**9, 86_400 * 10**9
_TOTALS = {"total", "totals", "sum", "all", "overall", "summary", "grand total", "gesamt", "summe"}
"""Names of rows with the sums of all others."""

_NAMES = ("agent_id", "run_id", "response_model", "operation_name", "task_id", "call_id")
_COUNTS = ("input_tokens", "output_tokens")
_FEWEST_OF_COPY = 3
"""Rows that follow each other as others do, and not by chance."""

_FEWEST_OF_PATTERN = 10
"""Rows that differ, without dates, which no pattern of calls would repeat."""

_FEWEST = 2
"""Rows of which another can be the sum, or that are said to be alike."""


def are_of_whole_hours(starts: Ns, ends: Ns) -> bool:
    """Tell whether all rows are of whole hours, or days, from one full hour to another.

    So reports of usage tell of all calls of an hour or a day; no call is so long to the second.
    Their starts have dates.
    """
    known = [(a, b) for a, b in zip(starts, ends, strict=True) if a is not None and b is not None]
    return bool(known) and all(
        b > a >= DATE_NS and a % _HOUR == 0 and ((b - a) == _HOUR or (b - a) % _DAY == 0)
        for a, b in known
    )


_MAY_BE_TWICE = (
    "each row is there several times, and no date shows whether these are copies: if the file was "
    "appended to itself, leave them out"
)


@dataclass(frozen=True)
class NoCalls:
    """Rows that are no calls of their own.

    Attributes
    ----------
    copies, sums : set of int
    note : str or None
        What is to be said of rows that may be copies.
    """

    copies: set[int]
    sums: set[int]
    note: str | None


def no_calls_in(
    rows: Sequence[Mapping[str, Any]],
    read: Mapping[str, Sequence[Any]],
    words: Mapping[str, Sequence[str | None]],
    moments: tuple[Ns, Ns] | None,
) -> NoCalls:
    """Return the rows of a table that are copies (`copies_in`) or sums (`sums_in`) of others.

    Parameters
    ----------
    rows : sequence of mapping
    read, words : mapping
        The counts and the texts of the rows, by canonical name.
    moments : tuple or None
        When rows begin and end, ns; None if the table does not say it.
    """
    starts, ends = moments or ([None] * len(rows), [None] * len(rows))
    copies, note = copies_in(rows, starts)
    return NoCalls(copies, set(sums_in(read, words, starts, ends, copies)), note)


def copies_in(rows: Sequence[Mapping[str, Any]], starts: Ns) -> tuple[set[int], str | None]:
    """Return the rows that stand above already, as where a file was appended to itself.

    Rows that are the same in all their cells, dates with them, are copies if several of different
    moments follow each other as they do above, or if all of a table are there as often, and their
    times are finer than seconds. (Calls that began at once may be alike.)

    Parameters
    ----------
    rows : sequence of mapping
    starts : list of int or None
        When they begin, ns; those without dates are no copies.

    Returns
    -------
    copies : set of int
    note : str or None
        What is to be said of others that are the same.
    """
    keys = [tuple(map(str, row.values())) for row in rows]
    seen: dict[tuple[str, ...], list[int]] = {}
    for i, key in enumerate(keys):
        seen.setdefault(key, []).append(i)
    if len(seen) == len(rows):
        return set(), None
    first = [seen[key][0] for key in keys]
    times = {len(each) for each in seen.values()}
    again = [i for i, at in enumerate(first) if at != i]
    if not all((at := starts[i]) is not None and at >= DATE_NS for i in again):
        is_whole = len(times) == 1 and len(seen) >= _FEWEST_OF_PATTERN
        return set(), _MAY_BE_TWICE if is_whole else None
    is_fine = any((at or 0) % 10**9 for at in starts)
    if len(times) == 1 and len(seen) >= _FEWEST_OF_COPY and is_fine:
        return set(again), None
    copies: set[int] = set()
    block: list[int] = []
    for i in [*again, -1]:
        follows = block and i == block[-1] + 1 and first[i] == first[block[-1]] + 1
        if not follows:
            goes_on = len({starts[each] for each in block}) > 1
            copies |= set(block) if len(block) >= _FEWEST_OF_COPY and goes_on else set()
            block = []
        block.append(i)
    others = [i for i in again if i not in copies]
    if len(others) < _FEWEST:  # one may well be alike
        return copies, None
    return copies, (
        f"{counted(len(others), 'row')} the same as others in all cells (row {others[0]}): if "
        "copies, leave them out"
    )


def sums_in(
    read: Mapping[str, Sequence[Any]],
    words: Mapping[str, Sequence[str | None]],
    starts: Ns,
    ends: Ns,
    without: Collection[int] = (),
) -> list[int]:
    """Return the rows that have the sums of all others of their run, or of the table.

    Such a row has as many input and output tokens as the others together, and alone is called a
    total, or begins no later and ends no earlier than any of them, which are not all at once.

    Parameters
    ----------
    read, words : mapping
        The counts and the texts of the rows, by canonical name.
    starts, ends : list of int or None
        When rows begin and end, ns.
    without : collection of int
        Rows that do not count.
    """
    if not set(_COUNTS) <= read.keys():
        return []
    counts = list(zip(*(read[name] for name in _COUNTS), strict=True))
    runs = words.get("run_id", [None] * len(counts))
    of_run: dict[str | None, list[int]] = {}
    for i, (n, wrote) in enumerate(counts):
        if n and wrote and i not in without:
            of_run.setdefault(runs[i], []).append(i)
    everything = [i for some in of_run.values() for i in some]
    sums = (_sum_in(some, counts, starts, ends, words) for some in of_run.values())
    found = {i for i in sums if i is not None}
    if len(of_run) > 1:
        rest = [i for i in everything if i not in found]
        whole = _sum_in(rest, counts, starts, ends, words)
        found |= set() if whole is None else {whole}
    return sorted(found)


def _sum_in(
    rows: Sequence[int],
    counts: Sequence[tuple[Any, Any]],
    starts: Ns,
    ends: Ns,
    words: Mapping[str, Sequence[str | None]],
) -> int | None:
    """Return the row that is the sum of the others."""
    if len(rows) <= _FEWEST:
        return None
    most = max(rows, key=lambda i: counts[i])
    others = [i for i in rows if i != most]
    if counts[most] != tuple(sum(counts[i][k] for i in others) for k in (0, 1)):
        return None
    is_named = any(
        _is_total(words[name][most]) and not any(_is_total(words[name][i]) for i in others)
        for name in _NAMES
        if name in words
    )
    return most if is_named or _covers(most, others, starts, ends) else None


def _is_total(name: str | None) -> bool:
    return (name or "").strip().lower() in _TOTALS


def _covers(row: int, others: Sequence[int], starts: Ns, ends: Ns) -> bool:
    began, ended = starts[row], ends[row]
    begin = [a for i in others if (a := starts[i]) is not None]
    end = [b for i in others if (b := ends[i]) is not None]
    if began is None or ended is None or not begin or not end:
        return False
    return began <= min(begin) and ended >= max(end) and max(begin) >= min(end)
