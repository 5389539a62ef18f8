"""Draws that may be too large to be added up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simulator.documents import MOST_NUMBER
from simulator.errors import TeamsimError


def limited(blocks: Iterator[Sequence[float]], what: str) -> Iterator[Sequence[float]]:
    """Yield blocks of draws, unless one is too large or no number: sums would not be finite.

    Raises
    ------
    TeamsimError
        Naming what the draws decide.
    """
    for block in blocks:
        # One by one: `max` passes over what is no number, unless that comes first.
        wrong = [abs(each) for each in block if not abs(each) <= MOST_NUMBER]
        if wrong:
            largest = max(wrong)
            raise TeamsimError(
                f"a draw of {what} is {largest:g}, and draws go up to {MOST_NUMBER:g}: its "
                "distribution spreads too widely"
            )
        yield block
