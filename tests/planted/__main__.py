"""Plants every bug of the list, one at a time, in a copy of the project, and runs its tests.

``python -m tests.planted [TEXT]`` takes the bugs in whose file TEXT stands.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.planted.bugs import BUGS, Bug
from tests.project_copy import copy_project

COPIED = ("simulator", "analysis", "tests", "scenarios", "pyproject.toml")
FAILED = 1
"""What pytest ends with when tests have failed, and not something else."""
LONGEST_S = 120
"""After so long tests are ended that a bug keeps from ending: they do not pass."""


def is_seen(bug: Bug, copy: Path) -> bool:
    """Return whether a bug's tests fail, or never end, in a copy where it is planted."""
    file = copy / bug.file
    right = file.read_text()
    assert right.count(bug.right) == 1, bug
    file.write_text(right.replace(bug.right, bug.wrong))
    try:
        named = ["-k", bug.names] if bug.names else []
        return tests_end(copy, bug.tests, *named) == FAILED
    except subprocess.TimeoutExpired:
        return True
    finally:
        file.write_text(right)


def tests_end(copy: Path, *tests: str) -> int:
    """Return what pytest ends with in a copy, with the first failure.

    Raises
    ------
    subprocess.TimeoutExpired
        After `LONGEST_S`.
    """
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:xdist",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, *tests],
        cwd=copy,
        check=False,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
    )
    return done.returncode


def main(text: str = "") -> int:
    """Plant the bugs; return how many are not seen."""
    unseen = 0
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory)
        copy_project(COPIED, copy)
        for bug in (bug for bug in BUGS if text in bug.file):
            seen = is_seen(bug, copy)
            unseen += not seen
            said = bug.wrong.splitlines()[-1].strip()
            print(f"{'seen' if seen else 'NOT SEEN':8}  {bug.file}: {said}", flush=True)
    print(f"{unseen} not seen")
    return unseen


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
