"""What one replication has cost at each moment: tokens and money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.model.trace import Event, Row

_PAID = frozenset({Event.REQUEST, Event.CALL_END, Event.TURN, Event.SUBAGENT_END})
"""Events whose tokens are on the bill."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What has been spent in all, from a time on.

    Attributes
    ----------
    time_s : float
    input_tokens, output_tokens : int
        Cached input included.
    usd : float
    """

    time_s: float
    input_tokens: int
    output_tokens: int
    usd: float


def spending_of(rows: Sequence[Row], spent_usd: Sequence[float]) -> list[Spent]:
    """Return what had been spent in all after each time at which something was.

    Parameters
    ----------
    rows : sequence of Row
        The trace of one replication.
    spent_usd : sequence of float
        What had been spent when each of them was written (`simulator.model.trace.Trace`).
    """
    found: list[Spent] = []
    read = wrote = 0
    for row, usd in zip(rows, spent_usd, strict=True):
        if row.event in _PAID:
            read += row.input_tokens or 0
            wrote += row.output_tokens or 0
        now = Spent(row.time_s, read, wrote, usd)
        last = found[-1] if found else Spent(0.0, 0, 0, 0.0)
        if (last.input_tokens, last.output_tokens, last.usd) == (read, wrote, usd):
            continue
        if found and last.time_s == row.time_s:
            found.pop()
        found.append(now)
    return found
