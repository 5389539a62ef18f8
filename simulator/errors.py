"""The one exception family that the command line turns into a message and exit code 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class TeamsimError(Exception):
    """An error that the user can correct: in a scenario, a file or an argument."""


class TeamsimWarning(UserWarning):
    """A warning for the user, printed by the command line; the command goes on."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One error in a scenario: where it is, what was found and what is allowed.

    Parameters
    ----------
    origin : str
        ``file:line`` or ``--set path=value``: where the value was given.
    path : str
        Dotted path in the document, ``""`` for the document itself.
    message : str
        What was found and what is allowed.
    """

    origin: str
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.origin}: {self.path}" if self.path else self.origin
        return f"{where}: {self.message}"


class ScenarioError(TeamsimError):
    """A scenario that must not reach the engine; carries every `Problem` found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[ScenarioError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


def nearest_name(found: str, allowed: Iterable[str], cutoff: float = 0.5) -> str:
    """Return the name that is most like an unknown one; an empty text if none is like it.

    Names are alike if difflib's ratio of them is `cutoff` or more.
    """
    return next(iter(difflib.get_close_matches(str(found), sorted(allowed), 1, cutoff)), "")


def unknown_name(what: str, found: str, allowed: Iterable[str]) -> str:
    """Return the message for an unknown name: the allowed names, and the nearest of them."""
    names = sorted(allowed)
    nearest = nearest_name(found, names)
    hint = f"; did you mean {nearest!r}?" if nearest else ""
    return f"unknown {what} {found!r}{hint} (allowed: {', '.join(names) or 'none'})"


def what_is(value: object) -> str:
    """Return what a value is, in few words, for messages about arguments of the wrong type."""
    shown = repr(value)
    kind = type(value).__name__
    return f"{shown} ({kind})" if len(shown) <= 40 and "\n" not in shown else f"a {kind}"
