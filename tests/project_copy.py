"""A copy of parts of the project, where tests may change it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]


def copy_project(names: Iterable[str], into: Path, *unwanted: str) -> None:
    """Copy folders and files of the project, without caches and what is `unwanted`."""
    for name in names:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", *unwanted)
            shutil.copytree(source, into / name, ignore=ignored)
        else:
            shutil.copy(source, into / name)
