"""Bytes of trace files as text: UTF-8 or UTF-16, and bytes that are none as Windows writes them.

And the first lines of tables: what their cells are apart by, and which lines say nothing.
"""

from __future__ import annotations

import codecs
import io
import re
from typing import Any, BinaryIO, cast

WINDOWS = "teamsim-windows"
"""How to decode bytes that are no UTF-8: as Windows-1252, in which Excel writes CSV files. Names
that differ stay apart."""

_DELIMITERS = ",\t;|"

_SEPARATOR_LINE = re.compile(r'"?sep=[^\w\r\n]*(?=\r?\n)')
"""It tells Excel what the cells of a table are apart by, as the header shows, too. Who has stored
the table again may have filled it up with empty cells."""
_LONGEST = 1024
"""Bytes that hold such a line, and a mark of the encoding before it."""


def _of_windows(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(WINDOWS, _of_windows)


def encoding_of(start: bytes) -> str:
    """Return the encoding of a text, told by its first bytes."""
    if start[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "utf-16"
    return "utf-8-sig" if start[:3] == b"\xef\xbb\xbf" else "utf-8"


def without_separator_line(stream: BinaryIO) -> BinaryIO:
    """Return a stream that has a blank line for a first one such as ``sep=;``.

    So lines have the numbers that an editor shows, and the mark of the encoding stays. The stream
    must be able to peek, as those do that read files or unpack them.
    """
    start = stream.peek(_LONGEST)[:_LONGEST]  # type: ignore[attr-defined]
    encoding = encoding_of(start)
    line = _SEPARATOR_LINE.match(start.decode(encoding, "ignore"))
    if line is None:
        return stream
    mark = {"utf-16": start[:2], "utf-8-sig": codecs.BOM_UTF8}.get(encoding, b"")
    stream.read(len(mark) + line.end() * (2 if encoding == "utf-16" else 1))
    return cast(BinaryIO, io.BufferedReader(_Marked(mark, stream)))


class _Marked(io.RawIOBase):
    """What is left of a stream, after a mark."""

    def __init__(self, mark: bytes, rest: BinaryIO) -> None:
        self._mark, self._rest = mark, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        said = self._mark[: len(buffer)] or self._rest.read(len(buffer))
        self._mark = self._mark[len(said) :]
        buffer[: len(said)] = said
        return len(said)

    def close(self) -> None:
        self._rest.close()
        super().close()


def is_blank_line(line: str) -> bool:
    """Return whether a line has nothing in it, only empty cells, or a remark (``# of March``)."""
    said = line.strip(f"\ufeff \r\n{_DELIMITERS}")
    return not said or (said[0] == "#" and set(said).isdisjoint(_DELIMITERS))


def delimiter_of(header: str) -> str:
    """Return what cells of a table are apart by, told by its first line."""
    return max(_DELIMITERS, key=header.count)
