"""Whole numbers that programs give: checked before the work, with what is allowed."""

from __future__ import annotations

import operator
from typing import SupportsIndex, TypeGuard

import numpy as np

from simulator.errors import TeamsimError, what_is


def is_whole(value: object) -> TypeGuard[SupportsIndex]:
    """Return whether a value is a whole number, of Python or numpy."""
    return isinstance(value, SupportsIndex) and not isinstance(value, (bool, np.ndarray))


def whole(name: str, value: object, least: int, most: int) -> int:
    """Return a whole number, also one of numpy.

    Raises
    ------
    TeamsimError
        If it is none, or out of its range.
    """
    if type(value) is int:  # quicker than to ask for the protocol, before every replication
        number = value
    elif is_whole(value):
        number = operator.index(value)
    else:
        raise TeamsimError(f"{name} is a whole number; found {what_is(value)}")
    if number < least:
        raise TeamsimError(f"{name}: {number} is too small, the least is {least}")
    if number > most:
        raise TeamsimError(f"{name}: {number} is too large, the most is {most:,}")
    return number
