"""A copy of the project in which wrong code is planted, and what its tests say to that."""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection, Sequence
from enum import StrEnum
from pathlib import Path
from py_compile import PycInvalidationMode

from tests.project_copy import copy_project

COPIED = ("simulator", "analysis", "tests", "scenarios", "pyproject.toml")
FAILED = 1
"""What pytest ends with when tests have failed, and not something else."""
NO_TESTS = 5
"""What it ends with if none of them is to run."""
LEAST_S = 30.0
"""Seconds that tests get in any case."""
TIMES = 10.0
"""Tests get so many times the seconds that they take without a change."""


class Outcome(StrEnum):
    """What the tests of a change do."""

    SEEN = "seen"
    UNSEEN = "NOT SEEN"
    ENDLESS = "never ends"
    """They are stopped, see `Trial`: nothing has failed, but nothing is answered either."""


class Trial:
    """A copy of the project.

    Tests that take much longer than they do without a change are stopped. How long that is, is
    measured on the same machine, and again before a stopped test counts: the machine may have
    become busy.
    """

    __slots__ = ("_copy", "_empty", "_usual_s")

    def __init__(self, folder: Path) -> None:
        self._copy = folder
        self._usual_s: dict[tuple[str, ...], float] = {}
        self._empty: set[tuple[str, ...]] = set()
        copy_project(COPIED, folder)
        # Of the same size and second, a changed file would else count as compiled already.
        by_content = PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(folder, quiet=1, invalidation_mode=by_content)

    def usual_s(self, *tests: str) -> float:
        """Return how many seconds tests take without a change; they must pass, if there are any."""
        if tests not in self._usual_s:
            begin = time.monotonic()
            code = self._pytest(tests, None)
            assert code in (0, NO_TESTS), f"without a change, {' '.join(tests)} ends with {code}"
            if code == NO_TESTS:
                self._empty.add(tests)
            self._usual_s[tests] = time.monotonic() - begin
        return self._usual_s[tests]

    def outcome(
        self,
        file: str,
        wrong: str,
        runs: Sequence[tuple[str, ...]],
        seen: Collection[int] = (FAILED,),
    ) -> Outcome:
        """Return what tests say to a file with another text.

        Parameters
        ----------
        file : str
            From the root of the project.
        wrong : str
            The whole text of the file; what stands there now is put back at the end.
        runs : sequence of tuple of str
            Arguments of pytest, which runs once for each of these until a change is seen.
        seen : collection of int
            What pytest ends with if the tests have seen the change.
        """
        found = (self._outcome(file, wrong, tests, seen) for tests in runs)
        return next((each for each in found if each is not Outcome.UNSEEN), Outcome.UNSEEN)

    def _outcome(
        self, file: str, wrong: str, tests: tuple[str, ...], seen: Collection[int]
    ) -> Outcome:
        place = self._copy / file
        right = place.read_text()
        while True:
            longest_s = max(LEAST_S, TIMES * self.usual_s(*tests))
            if tests in self._empty:
                return Outcome.UNSEEN
            place.write_text(wrong)
            try:
                return Outcome.SEEN if self._pytest(tests, longest_s) in seen else Outcome.UNSEEN
            except subprocess.TimeoutExpired:
                place.write_text(right)
                del self._usual_s[tests]
                if TIMES * self.usual_s(*tests) <= longest_s:
                    return Outcome.ENDLESS
            finally:
                place.write_text(right)

    def _pytest(self, tests: tuple[str, ...], longest_s: float | None) -> int:
        """Return what pytest ends with, at the first failure."""
        plugins = ("-p", "no:xdist", "-p", "no:cacheprovider")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", *plugins, *tests],
            cwd=self._copy,
            check=False,
            env={**os.environ, "PYTHONPATH": str(self._copy), "PYTHONDONTWRITEBYTECODE": ""},
            capture_output=True,
            text=True,
            timeout=longest_s,
        )
        return done.returncode


def in_words(outcomes: Counter[Outcome]) -> str:
    """Return ``52 seen, 2 never end, 6 NOT SEEN``."""
    said = {Outcome.SEEN: "seen", Outcome.ENDLESS: "never end", Outcome.UNSEEN: "NOT SEEN"}
    return ", ".join(f"{outcomes[outcome]} {word}" for outcome, word in said.items())
