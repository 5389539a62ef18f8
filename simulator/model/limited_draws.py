"""Draws that may be too large to be added up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simulator.documents import MOST_NUMBER
from simulator.errors import TeamsimError


def limited(blocks: Iterator[Sequence[float]], what: str) -> Iterator[Sequence[float]]:
    """Yield blocks of draws, unless one is too large: sums of them would not be finite.

    Raises
    ------
    TeamsimError
        Naming what the draws decide.
    """
    for block in blocks:
        largest = max(map(abs, block))
        if not largest <= MOST_NUMBER:
            raise TeamsimError(
                f"a draw of {what} is {largest:g}, and draws go up to {MOST_NUMBER:g}: its "
                "distribution spreads too widely"
            )
        yield block
