"""Objects that are copied: what a copy is made of, whichever build makes the objects."""

from __future__ import annotations

from typing import SupportsIndex


class Copied:
    """The base of those that `copy.copy` copies, attribute by attribute.

    A compiled class keeps numbers where Python does not look for attributes, and so must say that
    its `__slots__`, and those of its subclasses, are all there is.
    """

    __slots__ = ()

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[object, ...]:
        """Return how a copy is made: a new object of the class, and the attributes."""
        return _new, (type(self),), self.__getstate__()


def _new(kind: type[Copied]) -> Copied:
    """Return an object without attributes."""
    return kind.__new__(kind)
