"""Numbers of random streams that belong to something with a name."""

from __future__ import annotations

import hashlib
import zlib


def number_of(name: str) -> int:
    """Return the number under which a named entity (a model family) has its streams."""
    return zlib.crc32(name.encode())


def number_of_child(entity: int, number: int, name: str, ordinal: int) -> int:
    """Return the number of what an agent has made the n-th of that name: its own in the run."""
    path = f"{int(entity)}/{number}/{name}/{ordinal}"
    return int.from_bytes(hashlib.blake2b(path.encode(), digest_size=8).digest(), "little")


def purpose_of(name: str) -> int:
    """Return the purpose of draws that one plugin alone makes, by its name.

    Whoever adds a plugin needs no number of `Purpose`; none of these is one of those.
    """
    return 2**32 + number_of(name)
