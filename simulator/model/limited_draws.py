"""Draws that may be too large to be added up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simulator.documents import MOST_NUMBER
from simulator.errors import TeamsimError


def limited(blocks: Iterator[Sequence[float]], what: str) -> Iterator[Sequence[float]]:
    """Yield blocks of draws up to the first that is too large or no number: no sum is finite then.

    That one is refused when it is drawn, not when its block is made: a run that needs no more than
    the draws before it is as good as any.

    Raises
    ------
    TeamsimError
        Naming what the draws decide.
    """
    for block in blocks:
        # One by one: `max` passes over what is no number, unless that comes first.
        for place, each in enumerate(block):
            if not abs(each) <= MOST_NUMBER:
                yield block[:place]
                raise TeamsimError(
                    f"a draw of {what} is {abs(each):g}, and draws go up to {MOST_NUMBER:g}: its "
                    "distribution spreads too widely"
                )
        yield block
