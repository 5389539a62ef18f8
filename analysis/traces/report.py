"""Reports what a reading found and what it left out, with counts and first places."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from simulator.errors import TeamsimError

_SHOWN = 500
"""Most characters of a place with its reason; damaged files may have very long names."""


def shortened(said: str) -> str:
    """Return a text shortened to fit on a line."""
    return said if len(said) <= _SHOWN else f"{said[: _SHOWN // 2]} ... {said[-_SHOWN // 2 :]}"


@dataclass(slots=True)
class Tally:
    """How often something happened, and where first."""

    count: int = 0
    first: str | None = None

    def add(self, where: str, times: int = 1) -> None:
        """Count it."""
        if times:
            self.count += times
            self.first = self.first or shortened(where)


@dataclass(slots=True)
class ReadingReport:
    """Counts of what was read and what was left out.

    Attributes
    ----------
    files : Counter
        Files by format.
    rows : int
        Lines, spans, observations and table rows that were read.
    calls, tool_calls, messages, agents, runs : int
        Numbers in the tables; `calls` are those of a model.
    failed : Tally
        Calls of a model that ended in an error or a time-out, or were cancelled (they are in the
        tables).
    cache_hits : Tally
        Requests that a gateway answered from its cache; they are in the tables, but are no calls of
        a model.
    duplicates : Tally
        Calls left out because they are in the tables already: copies in forked sessions, two
        instrumentors on one client, a framework's span around the client's.
    placeholders : Tally
        Token counts left out because the writer did not know them yet.
    errors : Tally
        Rows and values that could not be used.
    unread : Tally
        Files in directories that have no known format.
    """

    files: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    calls: int = 0
    tool_calls: int = 0
    messages: int = 0
    agents: int = 0
    runs: int = 0
    failed: Tally = field(default_factory=Tally)
    cache_hits: Tally = field(default_factory=Tally)
    duplicates: Tally = field(default_factory=Tally)
    placeholders: Tally = field(default_factory=Tally)
    errors: Tally = field(default_factory=Tally)
    unread: Tally = field(default_factory=Tally)

    def line(self) -> str:
        """Return all of it as one line."""
        kinds = ", ".join(f"{kind} {n:,}" for kind, n in sorted(self.files.items()))
        found = ", ".join(
            f"{n:,} {name if n != 1 else name.removesuffix('s')}"
            for name, n in (
                ("rows", self.rows),
                ("calls", self.calls),
                ("tool calls", self.tool_calls),
                ("messages", self.messages),
                ("agents", self.agents),
                ("runs", self.runs),
            )
        )
        n = sum(self.files.values())
        left = [
            f"{tally.count:,} {what if tally.count != 1 else _single(what)} (first: {tally.first})"
            for what, tally in self.left_out().items()
            if tally.count
        ]
        hits = self.cache_hits
        cached = f"; answered by a gateway's cache: {hits.count:,} (first: {hits.first})"
        failed = f"; failed calls: {self.failed.count:,} (first: {self.failed.first})"
        return (
            f"read {n:,} file{'s' if n != 1 else ''} ({kinds}): {found}"
            + (failed if self.failed.count else "")
            + (cached if hits.count else "")
            + "; left out: "
            + (", ".join(left) if left else "nothing")
        )

    def left_out(self) -> dict[str, Tally]:
        """Return the tallies of everything left out, by name."""
        return {
            "duplicates": self.duplicates,
            "placeholders for counts": self.placeholders,
            "rows or values with errors": self.errors,
            "files of no known format": self.unread,
        }

    def without_places(self) -> ReadingReport:
        """Return the report without the names of files, sessions and spans."""
        tallies = {
            each.name: replace(tally, first="not said" if tally.first else None)
            for each in fields(self)
            if isinstance(tally := getattr(self, each.name), Tally)
        }
        return replace(self, **tallies)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        return asdict(self) | {"files": dict(self.files)}

    def check_complete(self) -> None:
        """Raise an error if the reading left something out.

        Raises
        ------
        TeamsimError
            If there are duplicates, placeholders, errors or files that were not read.
        """
        # Duplicates, of which nothing is lost, come last.
        tallies = sorted(self.left_out().items(), key=lambda each: each[1] is self.duplicates)
        said = [
            f"{each.count:,} {what}, the first: {each.first}"
            for what, each in tallies
            if each.count
        ]
        if said:
            raise TeamsimError(f"left out: {'; '.join(said)}")


def _single(what: str) -> str:
    """Return the singular of a name."""
    for many, one in (("duplicates", "duplicate"), ("placeholders", "placeholder"),
                      ("rows or values with errors", "row or value with an error"),
                      ("files", "file")):  # fmt: skip
        if what.startswith(many):
            return one + what[len(many) :]
    return what
