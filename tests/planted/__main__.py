"""Plants every bug of the list, one at a time, in a copy of the project, and runs its tests.

``python -m tests.planted [TEXT]`` takes the bugs in whose file TEXT stands.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.planted.bugs import BUGS, Bug

ROOT = Path(__file__).parents[2]
COPIED = ("simulator", "analysis", "tests", "scenarios", "pyproject.toml")
FAILED = 1
"""What pytest ends with when tests have failed, and not something else."""


def is_seen(bug: Bug, copy: Path) -> bool:
    """Return whether a bug's tests fail in a copy of the project where it is planted."""
    file = copy / bug.file
    right = file.read_text()
    assert right.count(bug.right) == 1, bug
    file.write_text(right.replace(bug.right, bug.wrong))
    try:
        return _ended(bug, copy) == FAILED
    finally:
        file.write_text(right)


def _ended(bug: Bug, copy: Path) -> int:
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
    named = ["-k", bug.names] if bug.names else []
    done = subprocess.run(
        [*command, bug.tests, *named],
        cwd=copy,
        check=False,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    return done.returncode


def main(text: str = "") -> int:
    """Plant the bugs; return how many are not seen."""
    unseen = 0
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy / name)
        for bug in (bug for bug in BUGS if text in bug.file):
            seen = is_seen(bug, copy)
            unseen += not seen
            said = bug.wrong.splitlines()[-1].strip()
            print(f"{'seen' if seen else 'NOT SEEN':8}  {bug.file}: {said}", flush=True)
    print(f"{unseen} not seen")
    return unseen


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
