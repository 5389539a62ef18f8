"""Files that traces are read from: compressed or not, JSON or tables."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import dropwhile
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from analysis.traces.container_logs import without_wrapping
from analysis.traces.encodings import (
    WINDOWS,
    delimiter_of,
    encoding_of,
    is_blank_line,
    without_separator_line,
)
from analysis.traces.jsonstream import Record, Skip, completed, json_records, walked
from analysis.traces.pages import Pages, noted
from analysis.traces.parquet_rows import parquet_head, parquet_rows
from analysis.traces.values import items, mapping
from simulator.errors import TeamsimError

_HEAD = 1 << 20
"""Bytes that are read to find the format of a file."""

_COMPLETED = 1 << 18
"""Characters used of a document that is longer than the head."""

_TEXT_OF_JSON = '"{\\'
"""The start of a text that holds a JSON object; a quoted cell of a table has other marks."""

_SAMPLE = 400
"""Rows that are read to find the format."""

_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
    b"\xfd7zXZ": "xz",
}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".xz": "xz"}
"""Ends of the names of compressed files, and how these are compressed."""

ZIP = b"PK\x03\x04"
"""The first bytes of a zip archive."""

UNREADABLE = (OSError, EOFError, zlib.error, lzma.LZMAError, pa.ArrowException)
"""Errors of reading a file that is missing, forbidden or damaged."""

csv.field_size_limit(1 << 27)  # prompts and answers are cells of exported tables

Watch = Callable[[int], None]
"""Called with the number of bytes, each time some are read."""


@dataclass(frozen=True)
class Head:
    """The start of a file.

    Attributes
    ----------
    start : bytes
        Its first bytes, decompressed.
    layout : {"lines", "document", "table", "parquet", "binary", "empty"}
        Layout of the file.
    rows : list of dict
        The first objects, or rows of a table.
    columns : list of str
        Names of the columns of a table, or of the fields of JSON rows.
    """

    start: bytes
    layout: str
    rows: list[dict[str, Any]]
    columns: list[str]

    @property
    def may_have_decimal_commas(self) -> bool:
        """Whether a table's cells are apart by semicolons, as where decimals have commas."""
        lines = self.start[:4096].decode(encoding_of(self.start), "ignore").splitlines()
        return (
            self.layout == "table"
            and delimiter_of(next(dropwhile(is_blank_line, lines), "")) == ";"
        )

    def share(self, is_one: Callable[[dict[str, Any]], bool]) -> float:
        """Return the share of the rows of some kind."""
        return sum(map(is_one, self.rows)) / max(1, len(self.rows))


@dataclass(frozen=True)
class Source:
    """A file.

    Attributes
    ----------
    path : Path
    name : str
        Its name in messages.
    watch : callable
        Called with the number of bytes read.
    pages : list of dict
        What `records` has read of pages of an API.
    """

    path: Path
    name: str
    watch: Watch = field(default=lambda _: None, repr=False, compare=False)
    pages: Pages = field(default_factory=list, repr=False, compare=False)

    def open(self) -> BinaryIO:
        """Return the decompressed content; an `OSError` says that it cannot be opened."""
        raw = cast(BinaryIO, io.BufferedReader(_Watched(self.path, self.watch), 1 << 18))
        return without_wrapping(without_separator_line(_unpacked(raw)))

    @cached_property
    def head(self) -> Head:
        """The start of the file, with its layout.

        Raises
        ------
        TeamsimError
            If the file cannot be read.
        """
        start = b""
        try:
            with self.open() as stream:
                while len(start) < _HEAD and (more := stream.read1(1 << 16)):  # type: ignore[attr-defined]
                    start += more
        except UNREADABLE as error:
            if not start:  # else reading it will tell where it breaks off
                raise TeamsimError(f"{self.name} cannot be read: {_why(error)}") from None
        if start.startswith(b"PAR1"):
            return self._parquet_head(start)
        text = start.decode(encoding_of(start), WINDOWS)
        json_text = text.lstrip("\ufeff\x1e\x00 \t\r\n")
        sign = json_text[:1]
        if not sign:
            return Head(start, "empty", [], [])
        is_binary = b"\x00" in start[:4096] and encoding_of(start) == "utf-8"
        # A crash, or a log that was cut while it was written, leaves nulls between lines.
        if is_binary and not _parses(json_text.partition("\n")[0].rstrip("\x00\r")):
            return Head(start, "binary", [], [])
        if sign in "{[" or json_text.startswith(_TEXT_OF_JSON):
            layout = _layout(text)
            rows = list(_sampled(text, layout))
            return Head(start, layout, rows, list(dict.fromkeys(k for row in rows for k in row)))
        rows, columns = _table_head(text)
        # JSON may begin with a damaged line, or be printed among other output.
        if any(line[:1] == "{" for line in text.splitlines()[:50]):
            layout = _layout(text)
            rows_of_json = list(_sampled(text, layout))
            if rows_of_json or not columns:
                return Head(start, layout, rows_of_json, [])
        return Head(start, "table" if columns else "binary", rows, columns)

    def _parquet_head(self, start: bytes) -> Head:
        try:
            with self.open() as stream:
                columns, rows = parquet_head(stream, _SAMPLE)
        except (*UNREADABLE, ValueError) as error:
            raise TeamsimError(f"{self.name} cannot be read as Parquet: {_why(error)}") from None
        return Head(start[:8], "parquet", rows, columns)

    def records(self, nested: frozenset[str], skip: Skip) -> Iterator[Record]:
        """Yield the objects or rows of the file; lists named in `nested` element by element.

        A file that breaks off yields what it has; `skip` is called for the rest.
        """
        layout = self.head.layout
        try:
            with self.open() as stream:
                if layout in {"table", "parquet"}:
                    for number, row in self._rows(stream, skip):
                        yield from walked(row, f"{self.name}, row {number}", nested, skip)
                elif layout in {"lines", "document"}:
                    text = _as_utf8(stream, encoding_of(self.head.start))
                    found = json_records(text, self.name, layout == "lines", nested, skip)
                    yield from noted(found, self.pages)
                else:
                    is_empty = self.head.layout == "empty"
                    skip(self.name, "it is empty" if is_empty else "neither JSON nor a table")
        except UNREADABLE as error:
            skip(self.name, f"it breaks off ({_why(error)})")
        except (csv.Error, UnicodeError) as error:
            skip(self.name, f"no table from here on ({_why(error)})")

    def _rows(self, stream: BinaryIO, skip: Skip) -> Iterator[tuple[int, dict[str, Any]]]:
        if self.head.layout == "parquet":
            yield from enumerate(parquet_rows(stream))
            return
        text = io.TextIOWrapper(stream, encoding_of(self.head.start), WINDOWS, newline="")
        header = next(dropwhile(is_blank_line, iter(text.readline, "")), "")
        delimiter = delimiter_of(header)
        columns = [name.strip() for name in next(csv.reader([header], delimiter=delimiter))]
        lines = _Lines(text)
        for number, cells in enumerate(csv.reader(lines, delimiter=delimiter)):
            if any(cells[len(columns) :]):  # a comma within a text: who knows which cell is which
                why = f"it has {len(cells)} cells, and the header {len(columns)} names"
                skip(f"{self.name}, row {number}", why)
            elif lines.break_off and 0 < len(cells) < len(columns):
                skip(f"{self.name}, row {number}", "it breaks off")
            elif cells and cells[0] in columns and sorted(cells) == sorted(columns):
                columns = cells  # the header of a further table
            elif cells:
                yield number, _row(columns, cells)


class _Watched(io.RawIOBase):
    """A file that reports how much of it was read."""

    def __init__(self, path: Path, watch: Watch) -> None:
        self._file = path.open("rb", buffering=0)
        self._watch = watch

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        size = self._file.readinto(buffer)
        self._watch(size or 0)
        return size

    def close(self) -> None:
        self._file.close()
        super().close()


def _unpacked(raw: BinaryIO) -> BinaryIO:
    kind = _compression(raw.peek(8)[:8])  # type: ignore[attr-defined]
    if kind == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw))
    if kind == "zstd":
        return cast(BinaryIO, io.BufferedReader(pa.CompressedInputStream(raw, "zstd"), 1 << 18))
    if kind == "bz2":
        return cast(BinaryIO, bz2.BZ2File(raw))
    return cast(BinaryIO, lzma.LZMAFile(raw)) if kind == "xz" else raw


def wrongly_named(path: Path, name: str) -> str | None:
    """Return the compression that a file's name says (``name`` if not its own) but it has not."""
    said = COMPRESSIONS.get(Path(name).suffix.lower())
    try:
        with path.open("rb") as stream:
            found = _compression(stream.read(8))
    except OSError:
        return None
    return said if said != found else None


def _compression(start: bytes) -> str | None:
    return next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)


def _as_utf8(stream: BinaryIO, encoding: str) -> BinaryIO:
    """Return a stream of UTF-8; files in UTF-16, which some shells write, are small."""
    if encoding != "utf-16":
        return stream
    text = io.TextIOWrapper(stream, encoding, "replace").read()
    return io.BytesIO(text.encode("utf-8", "replace"))


def _layout(text: str) -> str:
    """Tell whether each line has a value of its own, or documents span several lines."""
    lines = [
        line for line in text.splitlines()[:_SAMPLE] if line.startswith(("{", "[", _TEXT_OF_JSON))
    ]
    whole = sum(_parses(line) for line in lines)
    # A list with an element a line has one that is followed by no comma: the last.
    return "lines" if whole > 1 or (whole and 2 * whole >= len(lines)) else "document"


def _parses(line: str) -> bool:
    try:
        json.loads(line, strict=False)
    except (ValueError, RecursionError):
        return False
    return True


def _sampled(text: str, layout: str) -> Iterator[dict[str, Any]]:
    """Yield the first objects; of a document longer than the head, the part that is complete."""

    def ignore(place: str, why: str) -> None:
        """Report nothing, as the reading itself will report it."""

    if layout == "document" and not _parses(text):
        text = completed(text.lstrip("\ufeff\x1e\x00 \t\r\n")[:_COMPLETED]) or text
    stream = io.BytesIO(text.encode("utf-8", "replace"))
    records = json_records(stream, "", layout == "lines", frozenset(), ignore)
    for record, _ in zip(records, range(_SAMPLE), strict=False):
        yield record.node


def _table_head(text: str) -> tuple[list[dict[str, Any]], list[str]]:
    lines = list(dropwhile(is_blank_line, text.splitlines(keepends=True))) or [""]
    text, delimiter = "".join(lines), delimiter_of(lines[0])
    try:
        reader = csv.reader(io.StringIO(text.replace("\x00", "")), delimiter=delimiter)
        columns = [name.strip().lstrip("\ufeff") for name in next(reader, [])]
        if len(columns) < 2 or len(set(columns)) < len(columns):
            return [], []
        rows = [_row(columns, cells) for cells, _ in zip(reader, range(_SAMPLE), strict=False)]
    except csv.Error:
        return [], []
    return rows, columns


def _row(columns: list[str], cells: list[str]) -> dict[str, Any]:
    """Return a row; cells that hold JSON objects or lists as these, empty ones as None."""
    return {
        k: (c if c[0] not in "{[" else mapping(c) or items(c) or c) if c else None
        for k, c in zip(columns, cells, strict=False)
    }


class _Lines:
    """The lines of a text, without null characters.

    Attributes
    ----------
    break_off : bool
        Whether the last line that was read has no end, as that of a file which was cut off.
    """

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.break_off = False

    def __iter__(self) -> Iterator[str]:
        for line in self._text:
            self.break_off = not line.endswith(("\n", "\r"))
            yield line.replace("\x00", "")


def _why(error: BaseException) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return reason.splitlines()[0][:120] if reason else type(error).__name__
