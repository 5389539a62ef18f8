"""Checks what programs give beside a scenario, and says what is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from simulator.arguments import is_whole, whole
from simulator.documents import MOST_RUNS, MOST_WHOLE
from simulator.errors import TeamsimError, what_is
from simulator.experiment.pool import default_workers

_MOST_WORKERS = 1024


def replications_in(value: int | None, least: int = 1) -> int | None:
    """Return a number of replications, or None for the scenario's.

    Raises
    ------
    TeamsimError
        If it is out of range.
    """
    return None if value is None else whole("replications", value, least, MOST_RUNS)


def seed_in(value: int | None) -> int | None:
    """Return a seed, or None for the scenario's.

    Raises
    ------
    TeamsimError
        If it is out of range.
    """
    return None if value is None else whole("seed", value, 0, MOST_WHOLE - 1)


def workers_in(value: int) -> int:
    """Return a number of processes: one for each core for 0, as on the command line.

    Raises
    ------
    TeamsimError
        If it is out of range.
    """
    return whole("workers", value, 0, _MOST_WORKERS) or default_workers()


def sizes_in(value: int | Sequence[int]) -> list[int]:
    """Return team sizes, of which one may stand alone.

    Raises
    ------
    TeamsimError
        If one of them is no whole number from 1.
    """
    if isinstance(value, (str, bytes)) or not (hasattr(value, "__iter__") or is_whole(value)):
        raise TeamsimError(f"sizes are whole numbers, as [2, 4, 8]; found {what_is(value)}")
    said = value if isinstance(value, Iterable) else [value]
    return sorted({whole("sizes", each, 1, MOST_WHOLE) for each in said})


def path_in(what: str, value: object) -> Path:
    """Return the path of a file or directory that may be there.

    Raises
    ------
    TeamsimError
        If it is no path, or one that nothing can have.
    """
    if not isinstance(value, (str, Path)):
        raise TeamsimError(f"{what}, by a text or a path; found {what_is(value)}")
    if not str(value).strip():
        raise TeamsimError(f"{what}, by a text or a path; the text is empty")
    if "\x00" in str(value):
        raise TeamsimError(f"{what}; found {what_is(value)}, with a null byte")
    try:
        Path(value).exists()
    except OSError as error:
        raise TeamsimError(f"{what}; found {what_is(value)}: {error.strerror}") from None
    return Path(value)


def names_in(what: str, value: str | Sequence[str]) -> tuple[str, ...]:
    """Return names, of which one may stand alone.

    Raises
    ------
    TeamsimError
        If something else is among them.
    """
    said = [value] if isinstance(value, str) else value
    if not isinstance(said, (list, tuple)) or not all(isinstance(each, str) for each in said):
        raise TeamsimError(f"{what}: one name or a list of names; found {what_is(value)}")
    return tuple(said)
