"""Which program this is: version, Python, and where the code comes from."""

from __future__ import annotations

import platform
import re
from contextlib import suppress
from pathlib import Path


def program() -> str:
    """Return a line that tells this program from others, for reports of errors."""
    from simulator import compiled
    from simulator.version import __version__

    python = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    return f"teamsim {__version__} ({_build()}), {compiled.BUILD}, {python}"


def _build() -> str:
    """Return the commit of a source tree, or where the package is installed."""
    root = Path(__file__).resolve().parents[2]
    commit = _commit(root / ".git")
    return f"{root} at {commit[:10]}" if commit else f"in {root}"


def _commit(git: Path) -> str:
    """Return the commit that is checked out; nothing if that cannot be told from the files."""
    with suppress(OSError, UnicodeDecodeError):
        if git.is_file():  # a worktree
            git = (git.parent / _text(git).removeprefix("gitdir: ")).resolve()
        head = _text(git / "HEAD")
        if not head.startswith("ref: "):
            return head if _is_commit(head) else ""
        name = head.removeprefix("ref: ")
        common = git / "commondir"
        home = (git / _text(common)).resolve() if common.is_file() else git
        if (home / name).is_file():
            return _text(home / name)
        for line in _text(home / "packed-refs").splitlines():
            commit, _, packed = line.partition(" ")
            if packed == name and _is_commit(commit):
                return commit
    return ""


def _text(path: Path) -> str:
    return path.read_text("utf-8").strip()


def _is_commit(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{40,64}", text) is not None
