"""Reads text and JSON from outside, within limits; every reader of files uses it.

YAML is read by `simulator.scenario.source`, within the same limits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from simulator.errors import TeamsimError

MOST_BYTES = 20_000_000
"""Bytes of a file that people write: a scenario, a profile, a list of tasks."""
MOST_VALUES = 200_000
"""Values of a document once its aliases are expanded (a YAML bomb holds billions)."""
MOST_DEPTH = 50
"""Depth of nested lists and mappings."""
MOST_DIGITS = 100
"""Digits of a whole number: more take long to read, and no count or sum needs them."""
MOST_NUMBER = 1e15
"""Size of a number with a fraction or an exponent: 30 million years in seconds."""
MOST_WHOLE = 2**63
"""Size of a whole number: seeds have as many values."""

MOST_OWN_BYTES = 500_000_000
"""Bytes of a file that a command has written, or of a table."""

MOST_RUNS = 10**12
"""Replications of a point."""


class DocumentError(TeamsimError, ValueError):
    """A text that cannot be read, or is beyond a limit; the message does not name the file."""


def read_text(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """Return the text of a file, which may also be a pipe or a device.

    Raises
    ------
    DocumentError
        If it is missing, longer than `most_bytes`, or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except FileNotFoundError:
        raise DocumentError("no such file") from None
    except (OSError, ValueError) as error:  # a name with a null byte is a ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        raise DocumentError(f"cannot be read: {reason}") from None
    if len(content) > most_bytes:
        raise DocumentError(f"longer than {most_bytes:,} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(f"not UTF-8, at byte {error.start:,}") from None


def is_there(path: Path) -> bool:
    """Return whether there is a file or directory; a name that no file can have names none."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def parse_json(text: str, any_float: bool = False) -> Any:
    """Return the value of a JSON text.

    Parameters
    ----------
    text : str
    any_float : bool
        Whether fractions may be as large as they like, infinite, or not a number, as in files of
        results.

    Raises
    ------
    DocumentError
        If it is no JSON, or nested more deeply or with larger numbers than the limits allow.
    """
    number = float if any_float else _number
    try:
        found = json.loads(text, parse_int=_whole, parse_float=number, parse_constant=number)
    except RecursionError:
        raise too_deep() from None
    except DocumentError:
        raise
    except ValueError as error:
        raise DocumentError(f"not JSON: {error}") from None
    level, depth = [found], 0
    while level := [each for node in level for each in _inside(node)]:
        depth += 1
        if depth > MOST_DEPTH:
            raise too_deep()
        for each in level if "\\u" in text else ():
            if isinstance(each, str):
                checked_text(each)
    return found


def digest(content: Any) -> str:
    """Return a digest of what can be written as JSON; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with its digest, by which `unsealed` finds out that it is whole."""
    return {**document, "seal": digest(document)}


def read_own(path: Path) -> dict[str, Any]:
    """Return a JSON document that a command has written, as it stands.

    Raises
    ------
    DocumentError
        If it is missing, or no mapping in JSON within the limits.
    """
    found = parse_json(read_text(path, MOST_OWN_BYTES), any_float=True)
    if not isinstance(found, dict):
        raise DocumentError("a mapping is expected")
    return found


def unsealed(document: dict[str, Any]) -> dict[str, Any]:
    """Return a sealed document without its digest.

    Raises
    ------
    DocumentError
        If it is not what was written.
    """
    found = {name: value for name, value in document.items() if name != "seal"}
    if document.get("seal") != digest(found):
        raise DocumentError("it does not hold what was written: its digest is another")
    return found


def too_deep() -> DocumentError:
    """Return the error for a document that is nested too deeply."""
    return DocumentError(f"more than {MOST_DEPTH} lists or mappings within each other")


def checked_number(value: Any) -> Any:
    """Return a value unchanged, unless it is a number beyond the limits.

    Raises
    ------
    DocumentError
        If it is a number beyond the limits.
    """
    if isinstance(value, float) and abs(value) > MOST_NUMBER and abs(value) != float("inf"):
        raise DocumentError(f"{value:g} is too large: numbers go up to {MOST_NUMBER:g}")
    if isinstance(value, int) and abs(value) > MOST_WHOLE:
        raise DocumentError(f"a number is too large: whole numbers go up to {MOST_WHOLE:,}")
    return value


def checked_text(text: str) -> str:
    """Return a text unchanged, if files and tables can hold it.

    Raises
    ------
    DocumentError
        If it has half a surrogate pair, as only an escape or the name of a file can.
    """
    if not text.isascii() and any("\ud800" <= each <= "\udfff" for each in text):
        raise DocumentError("half a surrogate pair is no character")
    return text


def checked_digits(text: str) -> str:
    """Return the text of a number unchanged, unless it has too many digits.

    Raises
    ------
    DocumentError
        If it has too many digits.
    """
    if len(text) > MOST_DIGITS:
        raise DocumentError(f"a number of {len(text):,} digits: {MOST_DIGITS} are enough")
    return text


def _whole(text: str) -> int:
    return int(checked_number(int(checked_digits(text))))


def _number(text: str) -> float:
    found = float(text)
    if not -MOST_NUMBER <= found <= MOST_NUMBER:
        raise DocumentError(f"{text[:20]} is no number up to {MOST_NUMBER:g}")
    return found


def _inside(node: Any) -> Any:
    if isinstance(node, dict):
        return chain(node.keys(), node.values())
    return node if isinstance(node, list) else ()
