"""Tells whether all pages of the answers of an API are there that was asked page by page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from analysis.traces.jsonstream import Record
from analysis.traces.values import count, flag, mapping

_NEXT = ("next_cursor", "nextCursor", "next_page_token", "nextPageToken", "cursor", "next")
"""Fields that say where the next page begins, and are empty on the last one."""

_TELLING = {"meta", "cursors", "has_more", *_NEXT}

Pages = list[dict[str, Any]]
"""The outermost objects around records that say where they are among pages."""


def noted(records: Iterable[Record], pages: Pages) -> Iterator[Record]:
    """Yield records, and keep the objects around them that tell of pages, once they are read."""
    last: dict[str, Any] = {}
    for record in records:
        if record.around and record.around[0] is not last:
            _keep(last, pages)
            last = record.around[0]
        yield record
    _keep(last, pages)


def _keep(around: dict[str, Any], pages: Pages) -> None:
    if not _TELLING.isdisjoint(around):
        pages.append(around)


def notes_on_pages(pages: Pages) -> list[str]:
    """Return what to say of pages that are missing.

    Parameters
    ----------
    pages : list of dict
        What `noted` has kept.
    """
    numbers: dict[tuple[int, int | None], set[int]] = defaultdict(set)
    goes_on = []
    for page in pages:
        meta = mapping(page.get("meta"))
        total, number = count(meta.get("totalPages")), count(meta.get("page"))
        if total is not None and number is not None:
            numbers[total, count(meta.get("totalItems"))].add(number)
        elif (more := _goes_on(page)) is not None:
            goes_on.append(more)
    notes = [
        f"{len(seen):,} of {total:,} pages of an API's answers are there: the calls of the others "
        "are missing"
        for (total, _), seen in numbers.items()
        if len(seen) < total
    ]
    if goes_on and all(goes_on):
        notes.append("an API's answers go on with another page, which is missing")
    return notes


def _goes_on(page: dict[str, Any]) -> bool | None:
    """Return whether another page follows; None where it does not say so."""
    if (more := flag(page.get("has_more"))) is not None:
        return more
    for inside in (page, mapping(page.get("meta")), mapping(page.get("cursors"))):
        for name in _NEXT:
            if name in inside:
                return bool(inside[name])
    return None
