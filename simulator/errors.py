"""The one exception family that the command line turns into a message and exit code 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class TeamsimError(Exception):
    """Something the user can mend: a wrong scenario, a wrong file, a wrong argument."""


class TeamsimWarning(UserWarning):
    """Something that a user should know, and that stops nothing; the command line prints it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a scenario: where it stands and what would be right.

    Parameters
    ----------
    origin : str
        ``file:line`` or ``--set path=value``: where the value was said.
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


def unknown_name(what: str, found: str, allowed: Iterable[str]) -> str:
    """Say that a name is unknown, which names are allowed and which of them is nearest."""
    names = sorted(allowed)
    nearest = difflib.get_close_matches(str(found), names, n=1, cutoff=0.5)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    return f"unknown {what} {found!r}{hint} (allowed: {', '.join(names) or 'none'})"
