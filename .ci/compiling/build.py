"""Builds the extension modules: stages sources and declarations, lets Cython and C translate."""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from Cython import __version__ as CYTHON
from Cython.Build import cythonize
from setuptools import Distribution, Extension

from compiling.arrays import DECLARED
from compiling.classes import ROOT, check
from compiling.declarations import Declarations
from compiling.modules import IN_C, MODULES
from compiling.sources import Sources
from simulator.compiled import MANIFEST, fingerprint, fingerprint_of_translation

STAGE = ROOT / "build" / "compiled"
"""Where sources are staged, and objects are kept for the next time."""

_DIRECTIVES = {
    "language_level": "3",
    "annotation_typing": False,  # declarations say the types
    "infer_types": True,
    "overflowcheck": True,  # a number that does not fit is an error, and never another number
    "nonecheck": True,  # so is an attribute of None
    "auto_pickle": False,  # `Copied` says how objects are copied
    "cpow": False,
    "cdivision": False,  # as Python divides
}

_FLAGS = ["-O2", "-g0", "-ffp-contract=off", "-Wno-maybe-uninitialized"]
_FLAGS += ["-Werror=incompatible-pointer-types"]  # a function taken for another kind of function
"""Without contraction, sums of products are rounded as Python rounds them, on every machine."""


def build(into: Path, modules: Sequence[str] = MODULES, workers: int = 2) -> None:
    """Compile modules into a directory, which then holds nothing else.

    Raises
    ------
    RuntimeError
        If mypy, Cython or the compiler fails.
    """
    stage, source, translation = STAGE, fingerprint(), fingerprint_of_translation()
    _write_sources(stage, modules)
    before = Path.cwd()
    os.chdir(stage)  # names of files are those of modules then
    try:
        _compile(stage, modules, workers)
    finally:
        os.chdir(before)
    shutil.rmtree(into, ignore_errors=True)
    suffix = str(sysconfig.get_config_var("EXT_SUFFIX"))
    into.mkdir(parents=True)
    for name in (*modules, *IN_C):
        file = name.replace(".", "/") + suffix
        shutil.copy2(stage / "made" / file, into / (name + suffix))
    manifest = {
        "suffix": suffix,
        "modules": [*modules, *IN_C],
        "cython": CYTHON,
        "source": source,
        "translation": translation,
    }
    (into / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")


def _write_sources(stage: Path, modules: Sequence[str]) -> None:
    """Write what is translated; files that are as they were keep their times."""
    declared = [name for name in IN_C if _beside(name, ".pxd").is_file()]
    checked = check([*modules, *declared])
    declarations = Declarations(checked)
    sources = Sources(checked, declarations)
    stage.mkdir(parents=True, exist_ok=True)
    _write(stage / DECLARED.name, DECLARED.read_text("utf-8"))
    for name in modules:
        module = checked.modules[name]
        file = stage / (name.replace(".", "/") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        _write(file, sources.of(module))
        _write(file.with_suffix(".pxd"), declarations.of(module))
        for folder in file.parents[: name.count(".")]:
            _write(folder / "__init__.py", "")
    for name in IN_C:  # into folders that are there by now: modules of each are compiled
        for kind in (".pyx", ".pxd") if name in declared else (".pyx",):
            text = _beside(name, kind).read_text("utf-8")
            _write(stage / (name.replace(".", "/") + kind), text)


def _beside(name: str, kind: str) -> Path:
    """Return the file of a module in C, which is beside this one."""
    return Path(__file__).with_name(name.rpartition(".")[2] + kind)


def _write(file: Path, text: str) -> None:
    if not file.is_file() or file.read_text("utf-8") != text:
        file.write_text(text, "utf-8")


def _compile(stage: Path, modules: Sequence[str], workers: int) -> None:
    files = {name: name.replace(".", "/") + ".py" for name in modules}
    files |= {name: name.replace(".", "/") + ".pyx" for name in IN_C}
    extensions = [
        Extension(name, [file], extra_compile_args=_FLAGS) for name, file in files.items()
    ]
    made = cythonize(extensions, nthreads=workers, quiet=True, compiler_directives=_DIRECTIVES)
    command = Distribution({"name": "compiled", "ext_modules": made}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(stage / "made"), str(stage / "objects")
    command.parallel = workers
    command.ensure_finalized()
    command.run()
