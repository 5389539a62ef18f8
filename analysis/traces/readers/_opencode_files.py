"""What opencode keeps of sessions: files of its storage, its data base, and what it exports.

Everywhere a message is a row of what is said about it, and a row for each of its parts (text, a
tool, a step of the model). Rows of the data base have what they say as JSON in ``data``.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from analysis.traces.collector import Collector
from analysis.traces.jsonstream import Record, Skip
from analysis.traces.source import UNREADABLE, Head, Source
from analysis.traces.values import items, mapping, pick, text

DATA_BASE = b"SQLite format 3\x00"
"""The first bytes of a data base."""

_TABLES = ("session", "message", "part")


@dataclass
class Message:
    """A message: its place, what is said about it, and its parts by id."""

    place: str
    source: str
    info: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def in_order(self) -> list[dict[str, Any]]:
        """The parts in the order in which they began, which is that of their ids."""
        return [self.parts[name] for name in sorted(self.parts)]


@dataclass
class Stored:
    """Sessions by id; messages by session and id, which is enough where ids are made neutral."""

    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    messages: dict[tuple[str | None, str], Message] = field(default_factory=dict)

    def add(self, record: Record, source: str, out: Collector) -> None:
        """Add what a record tells."""
        out.report.rows += 1
        for around in record.around:
            self._add_session(mapping(around.get("info")))
        node = _row(record.node)
        if isinstance(node.get("parts"), list):
            info = mapping(node.get("info"))
            self._message(info, "id", record.place, source).info.update(info)
            for part in items(node["parts"]):
                self._add_part(mapping(part), record.place, source)
        elif "messageID" in node:
            self._add_part(node, record.place, source)
        elif "sessionID" in node and "role" in node:
            self._message(node, "id", record.place, source).info.update(node)
        else:
            self._add_session(node)

    def start(self, session: str, parent: str) -> None:
        """Note who has started a session, unless it says so itself."""
        self.sessions.setdefault(session, {}).setdefault("parentID", parent)

    def _message(self, said: Mapping[str, Any], name: str, place: str, source: str) -> Message:
        key = text(said.get("sessionID")), text(said.get(name)) or place
        return self.messages.setdefault(key, Message(place, source))

    def _add_part(self, part: dict[str, Any], place: str, source: str) -> None:
        message = self._message(part, "messageID", place, source)
        message.parts[text(part.get("id")) or str(len(message.parts))] = part

    def _add_session(self, info: dict[str, Any]) -> None:
        identity = text(info.get("id"))
        if identity is not None and "role" not in info:
            self.sessions.setdefault(identity, {}).update(info)


def _row(node: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the data base under the names that files have; others as they are."""
    said = mapping(node.get("data"))
    if said and "session_id" in node:
        ids = {"sessionID": node["session_id"], "id": node.get("id")}
        of_message = {"messageID": node["message_id"]} if "message_id" in node else {}
        return {**said, **ids, **of_message}
    return node | {"parentID": node["parent_id"]} if "parent_id" in node else node


def is_one(row: Mapping[str, Any]) -> bool:
    """Tell whether a row is a session, a message or a part."""
    info = mapping(row.get("info"))
    if isinstance(row.get("messages"), list) and ("projectID" in info or "directory" in info):
        return True
    if isinstance(row.get("parts"), list) and "role" in info and "sessionID" in info:
        return True
    if "session_id" in row:
        said = mapping(row.get("data"))
        return ("role" in said and "time" in said) or ("message_id" in row and "type" in said)
    if "sessionID" in row and "id" in row:
        return "role" in row or ("messageID" in row and "type" in row)
    return {"id", "directory", "version"} <= row.keys() and (
        "projectID" in row or "project_id" in row
    )


def is_data_base(head: Head) -> bool:
    """Tell whether a file is opencode's data base: it has tables of messages and of parts."""
    start = head.start
    return start.startswith(DATA_BASE) and all(
        word in start for word in (b"message_id", b"session_id", b"part")
    )


def records_of(source: Source, skip: Skip) -> Iterator[Record]:
    """Yield the rows of a file."""
    if source.head.start.startswith(DATA_BASE):
        yield from _of_data_base(source, skip)
    else:
        yield from source.records(frozenset({"messages"}), skip)


@contextmanager
def _unpacked(source: Source) -> Iterator[Path]:
    """Provide a file that is not compressed."""
    with source.path.open("rb") as raw:
        is_plain = raw.read(len(DATA_BASE)) == DATA_BASE
    if is_plain:
        yield source.path
        return
    with TemporaryDirectory() as directory:
        copy = Path(directory) / "opencode.db"
        with source.open() as packed, copy.open("wb") as file:
            shutil.copyfileobj(packed, file)
        yield copy


class _Base(sqlite3.Connection):
    """A data base that is only read; what is damaged in one text takes no other row with it."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        self.text_factory = partial(str, encoding="utf-8", errors="replace")


def _of_data_base(source: Source, skip: Skip) -> Iterator[Record]:
    try:
        with (
            _unpacked(source) as path,
            closing(_Base(path)) as base,
        ):
            for table in _TABLES:
                rows = base.execute(f"SELECT * FROM {table}")
                names = [column[0] for column in rows.description]
                for number, row in enumerate(rows):
                    place = f"{source.name}, {table} {number}"
                    yield Record(place, dict(zip(names, row, strict=True)))
    except (sqlite3.Error, *UNREADABLE) as error:
        skip(source.name, f"it cannot be read as a data base of opencode ({error})")


def root_of(session: str, sessions: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the session at the top: sub-agents have one of their own, below who started them."""
    seen = {session}
    while (above := parent_of(session, sessions)) is not None and above not in seen:
        seen.add(above)
        session = above
    return session


def parent_of(session: str, sessions: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return the session that has started another; None if none is known."""
    return text(pick(sessions.get(session, {}), "parentID", "parent_id"))
