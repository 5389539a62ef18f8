"""Reads the JSON values of a file one after the other, however they are laid out.

A file may have a document on each line, documents one after another, an array of them, or one
document larger than memory. Lists that a reader names are yielded element by element while they are
read, each element with the part of the surrounding objects that was read by then.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from analysis.traces.encodings import WINDOWS
from analysis.traces.values import parsed

_CHUNK = 1 << 20
_LARGEST = 1 << 26
"""Characters of one value beyond which a file counts as damaged."""

_NEAR_END = 16
"""Characters: an error this near to the end of the text read so far may be an incomplete value."""

_MOST_OPEN = 200
"""Depth of nesting beyond which the beginning of a text is not completed."""

_DEEPEST = 8
"""Depth of lists inside lists that are yielded element by element."""

Skip = Callable[[str, str], None]
"""Called with the place of something that could not be used, and the reason."""


@dataclass(frozen=True, slots=True)
class Record:
    """One value of a file: its place, and the objects around it from the outside in."""

    place: str
    node: dict[str, Any]
    around: tuple[dict[str, Any], ...] = ()


class _Damaged(Exception):
    """The text is no JSON from here on."""


def json_records(
    stream: BinaryIO, name: str, lines: bool, nested: frozenset[str], skip: Skip
) -> Iterator[Record]:
    """Yield the objects of a file.

    Parameters
    ----------
    stream : binary file
    name : str
        What the file is called in places.
    lines : bool
        Whether every line is a value of its own.
    nested : frozenset of str
        Names of lists that are yielded element by element, in place of the object around them.
    skip : callable
        Called for text that is not JSON, and for values that are not objects.
    """
    if lines:
        yield from _of_lines(stream, name, nested, skip)
    else:
        yield from _of_documents(_Window(stream), name, nested, skip)


def _of_lines(stream: BinaryIO, name: str, nested: frozenset[str], skip: Skip) -> Iterator[Record]:
    for number, line in enumerate(stream, start=1):
        if not line.strip(b" \t\r\n\x1e\xef\xbb\xbf\x00,"):
            continue
        place = f"{name}:{number}"
        try:
            value = _loads(line)
        except (ValueError, RecursionError) as error:
            skip(place, f"no JSON ({_reason(error)})")
            continue
        try:
            yield from walked(value, place, nested, skip)
        except RecursionError:
            skip(place, "no JSON (nested too deeply)")


def _loads(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:  # also for nulls at its start, which look like another encoding
        stripped = line.decode("utf-8", WINDOWS).strip("\ufeff\x1e\x00 \t\r\n,")
        return json.loads(stripped, strict=False)


def _reason(error: Exception) -> str:
    return (
        error.msg
        if isinstance(error, json.JSONDecodeError)
        else ("nested too deeply" if isinstance(error, RecursionError) else str(error)[:80])
    )


def walked(
    value: Any,
    place: str,
    nested: frozenset[str],
    skip: Skip,
    around: tuple[dict[str, Any], ...] = (),
) -> Iterator[Record]:
    """Yield the objects of a parsed value, as `json_records` does.

    A text that holds JSON counts as what it holds: programs write traces that are text already.
    """
    if isinstance(value, str) and value[:1] in {"{", "["}:
        value = parsed(value) or value
    if isinstance(value, list):
        for i, each in enumerate(value):
            at = f"{place}[{i}]" if not around and len(value) > 1 else place
            yield from walked(each, at, nested, skip, around)
        return
    if not isinstance(value, dict):
        skip(place, f"a JSON object is expected, found {type(value).__name__}")
        return
    if nested.isdisjoint(value) or len(around) > _DEEPEST:
        yield Record(place, value, around)
        return
    inside = [key for key in nested if isinstance(value.get(key), (list, dict))]
    if not inside:
        yield Record(place, value, around)
        return
    shell = {key: each for key, each in value.items() if key not in inside}
    for key in inside:
        yield from walked(value[key], place, nested, skip, (*around, shell))


def _of_documents(
    window: _Window, name: str, nested: frozenset[str], skip: Skip
) -> Iterator[Record]:
    while True:
        try:
            first = window.peek(", \t\r\n\x1e\ufeff\x00")
            if not first:
                return
            yield from _streamed(window, name, nested, skip, ())
        except (_Damaged, RecursionError) as error:
            place = f"{name}:{window.line()}"
            reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            if window.to_next_line_with_a_value():
                skip(place, f"no JSON ({reason})")
            else:
                skip(place, f"no JSON ({reason}); what follows was not read")
                return


def _streamed(
    window: _Window,
    name: str,
    nested: frozenset[str],
    skip: Skip,
    around: tuple[dict[str, Any], ...],
) -> Iterator[Record]:
    """Yield the objects of the next value; lists element by element."""
    first = window.peek()
    if first == "[":
        for _ in window.elements("]"):
            yield from _streamed(window, name, nested, skip, around)
    elif first == "{" and nested and len(around) <= _DEEPEST:
        place = f"{name}:{window.line()}"
        whole = window.whole_value()
        if whole is None:
            yield from _object(window, name, nested, skip, around)
        else:
            yield from walked(whole, place, nested, skip, around)
    else:
        place = f"{name}:{window.line()}"
        yield from walked(window.value(), place, nested, skip, around)


def _object(
    window: _Window,
    name: str,
    nested: frozenset[str],
    skip: Skip,
    around: tuple[dict[str, Any], ...],
) -> Iterator[Record]:
    """Yield an object, or the elements of its nested lists with the rest of it around them."""
    shell: dict[str, Any] = {}
    place = f"{name}:{window.line()}"
    opened = False
    for _ in window.elements("}"):
        key = window.value()
        if window.peek() != ":":
            raise _Damaged("a ':' is expected")
        window.at += 1
        if key in nested and window.peek() in "[{" and window.peek():
            opened = True
            yield from _streamed(window, name, nested, skip, (*around, shell))
        else:
            shell[str(key)] = window.value()
    if not opened:
        yield Record(place, shell, around)


class _Window:
    """The part of a text that is being parsed; it moves on, and grows for large values."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8")(WINDOWS).decode
        self._text = ""
        self._lines = 1
        self._counted = 0
        self._ended = False
        self._scan = json.JSONDecoder(strict=False).raw_decode
        self.at = 0

    def line(self) -> int:
        """Return the number of the line of the next value."""
        self._lines += self._text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._lines

    def _more(self, characters: int = _CHUNK) -> bool:
        if self._ended:
            return False
        data = self._stream.read1(characters)  # type: ignore[attr-defined]
        self._ended = not data
        self.line()
        self._text = self._text[self.at :] + self._decode(data, self._ended)
        self.at = self._counted = 0
        return True

    def peek(self, blanks: str = " \t\r\n") -> str:
        """Return the next character that is not blank; "" at the end."""
        while True:
            while self.at < len(self._text) and self._text[self.at] in blanks:
                self.at += 1
            if self.at < len(self._text) or not self._more():
                return self._text[self.at : self.at + 1]

    def elements(self, closing: str) -> Iterator[None]:
        """Stop before each element of the list or object that begins here."""
        self.at += 1
        if self.peek() == closing:
            self.at += 1
            return
        while True:
            yield
            after = self.peek()
            if after not in {",", closing}:
                raise _Damaged(f"',' or '{closing}' is expected" if after else "it breaks off")
            self.at += 1
            if after == closing:
                return

    def whole_value(self) -> Any:
        """Parse the object that begins here if it ends in what was read; None if it does not."""
        try:
            found, self.at = self._scan(self._text, self.at)
        except ValueError:
            return None
        return found

    def value(self) -> Any:
        """Parse the value that begins here."""
        self.peek()
        wanted = _CHUNK
        while True:
            try:
                found, end = self._scan(self._text, self.at)
            except json.JSONDecodeError as error:
                goes_on = error.pos >= len(self._text) - _NEAR_END or "Unterminated" in error.msg
                if not goes_on or self._ended:
                    raise _Damaged("it breaks off" if goes_on else error.msg) from None
            except ValueError as error:  # an integer of thousands of digits
                raise _Damaged(str(error)[:60]) from None
            else:
                # A number at the end of what was read may have more digits.
                if self._ended or end < len(self._text) or self._text[end - 1] in '}]"':
                    self.at = end
                    return found
            if len(self._text) - self.at > _LARGEST:
                raise _Damaged(f"a value of more than {_LARGEST >> 20} MB")
            self._more(wanted)
            wanted = min(2 * wanted, _LARGEST)

    def to_next_line_with_a_value(self) -> bool:
        """Move to the next line that begins with an object or a list; False at the end."""
        self.at += 1
        while True:
            found = min(
                (i for i in (self._text.find(f"\n{c}", self.at) for c in "{[") if i >= 0),
                default=-1,
            )
            if found >= 0:
                self.at = found + 1
                return True
            self.at = max(self.at, len(self._text) - 1)
            if not self._more():
                return False


def completed(text: str) -> str:
    """Return the beginning of a JSON text with everything closed that it leaves open.

    It ends after the last element that is whole.
    """
    open_now: list[str] = []
    ends: tuple[int, str] | None = None
    i, n = 0, len(text)
    while i < n:
        c = text[i]
        if c == '"':
            i = _end_of_string(text, i)
            if i < 0:
                break
            continue
        if c in "{[":
            open_now.append("}" if c == "{" else "]")
            if len(open_now) > _MOST_OPEN:
                break
        elif c in "}]":
            if not open_now or open_now.pop() != c:
                break
            ends = (i + 1, "".join(reversed(open_now)))
            if not open_now:
                break
        elif c == "," and open_now:
            ends = (i, "".join(reversed(open_now)))
        i += 1
    return "" if ends is None else text[: ends[0]] + ends[1]


def _end_of_string(text: str, start: int) -> int:
    """Return the place after the string that begins at `start`; -1 if it does not end."""
    at = start + 1
    while True:
        end = text.find('"', at)
        if end < 0:
            return -1
        back = end - 1
        while text[back] == "\\":
            back -= 1
        if (end - back) % 2 == 1:
            return end + 1
        at = end + 1
