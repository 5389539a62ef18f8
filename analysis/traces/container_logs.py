"""Takes lines out of what containers' runtimes wrap around them: Docker, and Kubernetes' CRI."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

_HEAD = 1 << 15
"""Bytes in which the first line of a log is told; Docker breaks lines up after 16 kB of text."""

_DOCKER = {"log", "stream", "time", "attrs", "kubernetes", "docker"}
"""Fields of a line of Docker's, and of what collectors add to it; tables of calls have others."""

_STREAMS = {"stdout", "stderr"}

_LONG = re.compile(rb'\s*\{\s*"log"\s*:\s*"(?:[^"\\]|\\.)*+(?:"[^\n]{0,300})?\\?\Z', re.DOTALL)
"""The start of a line whose text goes on behind it: escaped, 16 kB are up to six times as long."""

_CRI = re.compile(rb"(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([FP])(?: |$)")


def without_wrapping(stream: BinaryIO) -> BinaryIO:
    r"""Return a stream of what a container wrote, if the lines of one are those of its runtime.

    Docker writes ``{"log": "...\n", "stream": "stdout", "time": "..."}``, Kubernetes
    ``2026-03-01T09:00:00.1Z stdout F ...``. Both break long lines up: the parts are put together,
    in the place of the last, and blank lines are in those of the others, so that lines have the
    numbers of the file. The stream must be able to peek.
    """
    start = stream.peek(_HEAD)[:_HEAD]  # type: ignore[attr-defined]
    if _of_docker(start.lstrip().partition(b"\n")[0]) is not None or _LONG.match(start):
        return cast(BinaryIO, io.BufferedReader(_Lines(_unwrapped(stream, _of_docker))))
    if _CRI.match(start):
        return cast(BinaryIO, io.BufferedReader(_Lines(_unwrapped(stream, _of_cri))))
    return stream


def _of_docker(line: bytes) -> tuple[str, bytes, bool] | None:
    """Return the stream of a line, its text, and whether it is whole; None if it is no Docker's."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not isinstance(said.get("log"), str):
        return None
    if said.keys() - _DOCKER or said.get("stream") not in _STREAMS:
        return None
    text = said["log"]
    return said["stream"], text.encode("utf-8", "replace"), text.endswith("\n")


def _of_cri(line: bytes) -> tuple[str, bytes, bool] | None:
    found = _CRI.match(line)
    if found is None:
        return None
    is_whole = found.group(3) == b"F"
    text = line[found.end() :]
    return found.group(2).decode(), text if is_whole else text.rstrip(b"\r\n"), is_whole


def _unwrapped(stream: BinaryIO, of_line: Any) -> Iterator[bytes]:
    parts: dict[str, bytes] = {}
    for line in stream:
        found = of_line(line)
        if found is None:  # as one that breaks off: to be reported where it is read
            yield line
            continue
        name, text, is_whole = found
        if is_whole:
            yield parts.pop(name, b"") + text
        else:
            parts[name] = parts.get(name, b"") + text
            yield b"\n"
    yield from (text + b"\n" for text in parts.values())


class _Lines(io.RawIOBase):
    """The stream of some lines."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines, self._rest = lines, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = next(self._lines, b"")
        said, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(said)] = said
        return len(said)
