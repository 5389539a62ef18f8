"""Which build runs, and what Cython is told of the sources."""

from __future__ import annotations

import json
import shutil
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import MappingProxyType

import pytest

from compiling.classes import ROOT, check
from compiling.declarations import Declarations
from compiling.modules import MODULES
from compiling.sources import Sources
from simulator import compiled
from tests.builds.__main__ import differences

WHOLE = MappingProxyType({"suffix": EXTENSION_SUFFIXES[0], "modules": ["simulator.model.board"]})


def build(home: Path, **manifest: object) -> None:
    """Put a build into a directory that says of itself what a real one says, and `manifest`."""
    sources = {
        "source": compiled.fingerprint(),
        "translation": compiled.fingerprint_of_translation(),
    }
    said = {**WHOLE, **sources, **manifest}
    home.mkdir()
    (home / compiled.MANIFEST).write_text(json.dumps(said))
    (home / f"simulator.model.board{WHOLE['suffix']}").touch()


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        ({}, ""),
        ({"suffix": ".cpython-39-other.so"}, "the compiled build is for another Python"),
        ({"source": "0"}, "the compiled build is of other sources"),
        ({"modules": ["simulator.model.agenda"]}, "the compiled build is not whole"),
    ],
)
def test_a_build_is_used_that_is_whole_and_of_these_sources(
    manifest: dict[str, object],
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = tmp_path / "_compiled"
    build(home, **manifest)
    monkeypatch.setattr(compiled, "HOME", home)
    monkeypatch.setattr("sys.meta_path", [])
    monkeypatch.delenv("TEAMSIM_BUILD")
    assert compiled.use_compiled() == (f"interpreted: {problem}" if problem else "compiled")
    monkeypatch.setenv("TEAMSIM_BUILD", "interpreted")
    assert compiled.use_compiled() == "interpreted"
    monkeypatch.setenv("TEAMSIM_BUILD", "compiled")
    if problem:
        with pytest.raises(ImportError, match=problem):
            compiled.use_compiled()
    else:
        assert compiled.use_compiled() == "compiled"


def test_without_a_build_the_sources_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "HOME", tmp_path / "_compiled")
    monkeypatch.delenv("TEAMSIM_BUILD")
    assert compiled.use_compiled() == "interpreted"
    monkeypatch.setenv("TEAMSIM_BUILD", "compiled")
    with pytest.raises(ImportError, match="there is no compiled build"):
        compiled.use_compiled()


@pytest.mark.parametrize("changed", ["spec.py", "model/board.py", "scenario/schema.py"])
def test_the_fingerprint_changes_with_any_source_that_counts(changed: str, tmp_path: Path) -> None:
    package = tmp_path / "simulator"
    shutil.copytree(compiled.PACKAGE, package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    assert compiled.fingerprint(package) == compiled.fingerprint()
    with (package / changed).open("a") as file:
        file.write("# changed\n")
    assert compiled.fingerprint(package) != compiled.fingerprint()


@pytest.mark.parametrize("changed", ["heap.pyx", "arrays.pxd", "sources.py"])
def test_a_build_is_of_other_sources_if_what_is_written_in_c_has_changed(
    changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "HOME", tmp_path / "home")
    monkeypatch.setenv("TEAMSIM_BUILD", "")
    monkeypatch.setattr("sys.meta_path", [])
    build(tmp_path / "home")
    beside = tmp_path / "compiling"
    shutil.copytree(compiled.TRANSLATION, beside)
    found = compiled.fingerprint_of_translation
    monkeypatch.setattr(compiled, "fingerprint_of_translation", lambda: found(beside))
    assert compiled.use_compiled() == "compiled"
    (beside / "notes.txt").write_text("no source")
    assert compiled.use_compiled() == "compiled"
    file = beside / changed
    file.write_text(file.read_text("utf-8") + "# more\n", "utf-8")
    assert compiled.use_compiled() == "interpreted: the compiled build is of other sources"
    monkeypatch.setattr(compiled, "TRANSLATION", tmp_path / "nowhere")  # as in a wheel
    assert compiled.use_compiled() == "compiled"


def test_modules_that_are_compiled_are_there_and_have_no_class_of_pydantic() -> None:
    for name in MODULES:
        text = (ROOT / (name.replace(".", "/") + ".py")).read_text("utf-8")
        assert "pydantic" not in text, name


BASE = '''
from abc import ABC, abstractmethod

FULL = 7

class Base(ABC):
    __slots__ = ("left", "share")

    def __init__(self) -> None:
        self.left = FULL
        self.share: float | None = None

    @abstractmethod
    def take(self, count: int) -> tuple[int, float]:
        """Take some."""

    def give(self, count: int, more: float = 1.0) -> list[int]:
        """Give some."""
        return [FULL] * count

    def tell(self, *whom: int) -> None:
        """Tell some."""
'''
OTHER = '''
from toy import Base

class Other(Base):
    __slots__ = ("near",)

    def __init__(self, near: Base | None) -> None:
        super().__init__()
        self.near = near

    def take(self, count: int) -> tuple[int, float]:
        """Take as many."""
        taken = count + 1
        near, several = self.near, [taken for taken in range(3)]
        return taken + len(several), 0.5 if near is None else 1.5

    def give(self, count: int, more: float = 2.0) -> list[int]:
        """Give as many."""
        return [count for _ in range(sum(each for each in [count]))]
'''


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    package = tmp_path / "toy"
    package.mkdir()
    (package / "__init__.py").write_text("from toy.base import Base as Base\n")
    (package / "base.py").write_text(BASE)
    (package / "other.py").write_text(OTHER)
    return tmp_path


@pytest.mark.slow
def test_what_cython_is_told_comes_from_the_annotations(toy: Path) -> None:
    checked = check(["toy.base", "toy.other"], toy)
    say = Declarations(checked)
    assert say.of(checked.modules["toy.base"]).splitlines()[:1] == ["cimport cython"]
    assert say.of(checked.modules["toy.base"]).splitlines()[3:] == [
        "cdef class Base:",
        "    pass",
        "    cdef public long long left",
        "    cdef public object share",  # may be None
        "    cpdef (long long, double) take(self, long long count) except *",
    ]  # `give` has a generator in a subclass, `tell` any number of arguments
    assert say.of(checked.modules["toy.other"]).splitlines()[3:] == [
        "from toy.base cimport Base",
        "cdef class Other(Base):",
        "    pass",
        "    cdef public Base near",
        "    @cython.locals(taken=cython.longlong, near=Base, several=list)",
        "    cpdef (long long, double) take(self, long long count) except *",
    ]


@pytest.mark.slow
def test_what_is_translated_has_no_metaclass_and_numbers_for_names(toy: Path) -> None:
    checked = check(["toy.base", "toy.other"], toy)
    of = Sources(checked, Declarations(checked)).of
    base = of(checked.modules["toy.base"])
    assert "class Base:" in base
    assert "self.left = (7)" in base
    assert "return [(7)] * count" in base
    assert len(base.splitlines()) == len(BASE.splitlines())
    assert "from toy.base import Base" in of(checked.modules["toy.other"])


ARRAYS = """
from array import array

class Counts:
    __slots__ = ("of",)

    def __init__(self) -> None:
        self.of = array("i", [0, 0])

    def add(self, place: int, others: list[int]) -> int:
        self.of[place] = self.of[others[-1]]
        self.of[-1] -= 2
        return others[place]
"""


@pytest.mark.slow
def test_numbers_of_arrays_are_read_and_written_as_those_of_c(toy: Path) -> None:
    (toy / "toy" / "base.py").write_text(ARRAYS)
    checked = check(["toy.base"], toy)
    module, say = checked.modules["toy.base"], Declarations(checked)
    assert "    cdef public carray of" in say.of(module).splitlines()
    assert Sources(checked, say).of(module).splitlines()[-3:] == [
        "        put_int(self.of, place, (get_int(self.of, others[-1])))",
        "        add_int(self.of, -1, -(2))",
        "        return others[place]",
    ]


def test_a_difference_is_named_by_its_first_row() -> None:
    ours = {"a": ((1.0,), [(0.0, "x"), (1.0, "y")]), "b": ((2.0,), []), "c": ("error",)}
    theirs = {"a": ((1.0,), [(0.0, "x"), (1.5, "y")]), "b": ((2.5,), []), "c": ("error",)}
    assert list(differences(ours, theirs)) == ["a: row 1 of the trace", "b: its metrics"]
    assert list(differences(ours, ours)) == []
    assert list(differences(ours, {})) == [f"{name}: its metrics" for name in "abc"]
