"""Puts the lines of a Codex rollout in order, and tells one session in a file from the next."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from analysis.traces.values import count, mapping, pick, text

META = "session_meta"
"""The line with which a session begins; a fork has those of the sessions before it, too."""


COUNT = "token_count"
"""The event of a line with which a call ends."""


class Event(NamedTuple):
    """A line: its place for messages, when it was written (ns), and what it says."""

    place: str
    moment: int
    kind: str | None
    payload: Mapping[str, Any]


def identity_of(meta: Mapping[str, Any]) -> str | None:
    """Return the id of the session whose metadata it is."""
    return text(pick(meta, "id", "session_id"))


def parent_of(meta: Mapping[str, Any]) -> str | None:
    """Return the id of the session that started this one as its sub-agent."""
    spawn = mapping(mapping(mapping(meta.get("source")).get("subagent")).get("thread_spawn"))
    return text(pick(meta, "parent_thread_id")) or text(spawn.get("parent_thread_id"))


def apart(events: list[Event], name: str) -> Iterator[list[Event]]:
    """Split the lines of a file in which several sessions follow each other.

    A file whose name has the id of a session is of that one. Else a session begins with its
    metadata. Those of the sessions that it was forked from, or is a sub-agent of, may follow, as it
    begins with a copy of them; any others begin a session.

    Parameters
    ----------
    events : list of Event
        As the file has them.
    name : str
        Of the file.
    """
    if _named([event for event in events if event.kind == META], name):
        yield events
        return
    some: list[Event] = []
    before: set[str | None] = set()
    for event in events:
        if event.kind == META:
            own = identity_of(event.payload)
            if before and own not in before:
                yield some
                some, before = [], set()
            before |= {own, parent_of(event.payload), text(event.payload.get("forked_from_id"))}
        some.append(event)
    yield some


def once(events: Sequence[Event]) -> tuple[list[Event], list[str]]:
    """Return the lines without those that repeat another, and the places of these that count.

    No two lines of a session say the same at one time.
    """
    found: dict[tuple[int, str | None, str], Event] = {}
    copies = []
    for event in events:
        key = event.moment, event.kind, json.dumps(event.payload, sort_keys=True)
        if found.setdefault(key, event) is not event and event.payload.get("type") == COUNT:
            copies.append(event.place)
    return list(found.values()), copies


def in_order(events: list[Event], name: str) -> tuple[list[Event], bool]:
    """Return the lines of a session in the order in which they were written.

    That is the order of their times, unless the totals of tokens, which only grow, fall more often
    in it: then clocks were wrong. The metadata of the session come first: those whose id the name
    of the file has, else the first line, else the latest (a fork has older ones).

    Parameters
    ----------
    events : list of Event
        As the file has them.
    name : str
        Of the file.

    Returns
    -------
    events : list of Event
    is_moved : bool
        Whether that is another order than that of the file.
    """
    metas = [event for event in events if event.kind == META]
    rest = [event for event in events if event.kind != META]
    is_sorted = all(a.moment <= b.moment for a, b in pairwise(rest))
    if is_sorted and (not metas or events[0].kind == META):
        return events, False
    rest, _ = once(rest)
    by_time = sorted(rest, key=lambda event: (event.moment, _total(event) or 0))
    if not is_sorted and _falls(by_time) > _falls(rest):
        return events, False
    first = metas[:1] if events[0].kind == META else []
    latest = sorted(metas, key=lambda meta: -meta.moment)
    own_meta = [*_named(metas, name), *first, *latest][:1]
    return [*own_meta, *by_time], True


def _named(metas: Sequence[Event], name: str) -> list[Event]:
    """Return the metadata of the session whose id a file's name has."""
    known = ((meta, identity_of(meta.payload)) for meta in metas)
    return [meta for meta, own in known if own is not None and own in name]


def _total(event: Event) -> int | None:
    """Return the tokens of the session so far; None if a line does not tell them."""
    if event.payload.get("type") != COUNT:
        return None
    said = mapping(mapping(event.payload.get("info")).get("total_token_usage"))
    known = [n for name in ("input_tokens", "output_tokens") if (n := count(said.get(name)))]
    return sum(known) if known else None


def _falls(events: Sequence[Event]) -> int:
    totals = [total for event in events if (total := _total(event)) is not None]
    return sum(b < a for a, b in pairwise(totals))
