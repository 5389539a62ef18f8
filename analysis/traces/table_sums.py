"""Rows of tables that are no calls but sums of calls: of an hour or a day, or of the rows above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.traces.time_units import Ns

_HOUR, _DAY = 3_600 * 10**9, 86_400 * 10**9
_TOTALS = {"total", "totals", "sum", "all", "overall", "summary", "grand total", "gesamt", "summe"}
"""Names of rows with the sums of all others."""

_NAMES = ("agent_id", "run_id", "response_model", "operation_name", "task_id", "call_id")
_COUNTS = ("input_tokens", "output_tokens")
_FEWEST = 2
"""Rows of which another can be the sum."""


def are_of_whole_hours(starts: Ns, ends: Ns) -> bool:
    """Tell whether all rows are of whole hours, or days, from one full hour to another.

    So reports of usage tell of all calls of an hour or a day; no call is so long to the second.
    """
    known = [(a, b) for a, b in zip(starts, ends, strict=True) if a is not None and b is not None]
    return bool(known) and all(
        b > a and a % _HOUR == 0 and ((b - a) == _HOUR or (b - a) % _DAY == 0) for a, b in known
    )


def sums_in(
    read: Mapping[str, Sequence[Any]],
    words: Mapping[str, Sequence[str | None]],
    starts: Ns,
    ends: Ns,
) -> list[int]:
    """Return the rows that have the sums of all others of their run, or of the table.

    Such a row has as many input and output tokens as the others together, and begins no later and
    ends no earlier than any of them, or is called a total.

    Parameters
    ----------
    read, words : mapping
        The counts and the texts of the rows, by canonical name.
    starts, ends : list of int or None
        When rows begin and end, ns.
    """
    if not set(_COUNTS) <= read.keys():
        return []
    counts = list(zip(*(read[name] for name in _COUNTS), strict=True))
    runs = words.get("run_id", [None] * len(counts))
    of_run: dict[str | None, list[int]] = {}
    for i, (n, wrote) in enumerate(counts):
        if n and wrote:
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
    names = (words[name][most] for name in _NAMES if name in words)
    is_named = any((name or "").strip().lower() in _TOTALS for name in names)
    return most if is_named or _covers(most, others, starts, ends) else None


def _covers(row: int, others: Sequence[int], starts: Ns, ends: Ns) -> bool:
    began, ended = starts[row], ends[row]
    return (
        began is not None
        and ended is not None
        and all((a := starts[i]) is None or began <= a for i in others)
        and all((b := ends[i]) is None or ended >= b for i in others)
    )
