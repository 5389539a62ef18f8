"""Which build runs: the sources themselves, or extension modules that were compiled from them.

``make compiled`` and wheels for common machines put extension modules into ``_compiled``, beside a
manifest that says from which sources they follow. They are used all together, and only while those
sources are what they were: else Python interprets them, as where there is no compiler.

The environment variable ``TEAMSIM_BUILD`` chooses: ``interpreted``, or ``compiled``, which is an
error where that cannot be.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import source_hash, spec_from_file_location
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).resolve().parent
HOME = PACKAGE / "_compiled"
MANIFEST = "manifest.json"
TRANSLATION = PACKAGE.parent / ".ci" / "compiling"
"""What is compiled beside the package and how all is translated; only a checkout has it."""

_INPUTS = ("distributions", "engine", "model", "scenario", "spec.py")
"""Of the package: where the compiled modules are, and the classes whose attributes they use."""


class _Finder:
    """Finds the compiled modules, before Python's own finders find their sources."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is, if it is compiled."""
        file = self._files.get(fullname)
        if file is None:
            return None
        loader = ExtensionFileLoader(fullname, str(file))
        return spec_from_file_location(fullname, file, loader=loader)


def fingerprint(package: Path = PACKAGE) -> str:
    """Return a hash of the sources from which a compiled build follows."""
    files: list[Path] = []
    for name in _INPUTS:
        path = package / name
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return _hash(package, files)


def fingerprint_of_translation(directory: Path = TRANSLATION) -> str:
    """Return a hash of the modules that are written in C, and of what translates the others."""
    kinds = {".py", ".pyx", ".pxd"}
    return _hash(directory, sorted(file for file in directory.iterdir() if file.suffix in kinds))


def _hash(home: Path, files: Sequence[Path]) -> str:
    texts = [
        b"%s\n%s" % (str(file.relative_to(home)).encode(), file.read_bytes()) for file in files
    ]
    return source_hash(b"\0".join(texts)).hex()


def use_compiled() -> str:
    """Let compiled modules be imported, if there are any that may be; say which build runs.

    Raises
    ------
    ImportError
        If ``TEAMSIM_BUILD`` asks for the compiled build, and there is none that may be used.
    """
    wanted = os.environ.get("TEAMSIM_BUILD", "")
    if wanted == "interpreted" or not (wanted or HOME.is_dir()):
        return "interpreted"
    files, problem = _modules(HOME)
    if not problem:
        sys.meta_path.insert(0, _Finder(files))
        return "compiled"
    if wanted == "compiled":
        raise ImportError(f"TEAMSIM_BUILD asks for the compiled build: {problem} in {HOME}")
    return f"interpreted: {problem}"


def _modules(home: Path) -> tuple[dict[str, Path], str]:
    """Return the compiled modules, and what is wrong with them, if anything is."""
    import json

    try:
        manifest = json.loads((home / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return {}, "there is no compiled build"
    if manifest["suffix"] not in EXTENSION_SUFFIXES:
        return {}, "the compiled build is for another Python"
    is_same = manifest["source"] == fingerprint()
    if TRANSLATION.is_dir():
        is_same &= manifest.get("translation") == fingerprint_of_translation()
    if not is_same:
        return {}, "the compiled build is of other sources"
    files = {name: home / (name + manifest["suffix"]) for name in manifest["modules"]}
    if not all(file.is_file() for file in files.values()):
        return {}, "the compiled build is not whole"
    return files, ""


BUILD = use_compiled()
"""Which build runs: ``compiled``, or ``interpreted`` and, where there is one, what is wrong."""
