"""The walks of CONTRIBUTING.md, followed as they stand in a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.project_copy import ROOT, copy_project

FILES = {
    "a topology": 2,
    "a protocol": 2,
    "a workload": 2,
    "a distribution": 2,
    "a trace reader": 2,
    "a fault of agents": 4,
    "a pattern": 4,
    "a metric": 3,
    "a plot": 3,
}
"""How many files each addition may take, its test included."""

ALSO_RUN = (
    "tests/test_architecture.py",
    "tests/engine/test_every_combination.py::test_every_plugin_is_combined_with_the_others",
    "tests/engine/test_every_combination.py"
    "::test_every_pattern_and_every_fault_is_combined_with_the_others",
    "tests/model/test_failures_alone.py",
    "tests/distributions/test_random_effects.py::test_every_family_is_here",
    "tests/analysis/test_readers.py",
)

COPIED = ("docs", "scenarios", "simulator", "analysis", "tests", "pyproject.toml")


class Walk(NamedTuple):
    """What one walk writes: new files, and changes of files that are there."""

    promised: int
    new: dict[str, str]
    diffs: dict[str, str]

    @property
    def files(self) -> set[str]:
        return self.new.keys() | self.diffs.keys()


def walks(text: str) -> dict[str, Walk]:
    """Return the walks by what they add."""
    found = {}
    for section in re.split(r"(?m)^### Add ", text)[1:]:
        name, count, body = re.split(r": (\d+) files\n", section, maxsplit=1)
        body = re.split(r"(?m)^#", re.sub(r"(?ms)^```.*?^```", quoted, body))[0].replace("\0", "#")
        new = re.findall(r"(?ms)^`([\w/.]+)`:\n\n```python\n(.*?)^```", body)
        diffs = re.findall(r"(?ms)^```diff\n(--- a/([\w/.]+)\n.*?)^```", body)
        assert body.count("\n```python\n") == len(new), f"{name}: a file without its path"
        assert body.count("\n```diff\n") == len(diffs), f"{name}: a change without its path"
        assert len(new) + len(diffs) == len({path for path, _ in new} | {p for _, p in diffs})
        found[name] = Walk(int(count), dict(new), {path: diff for diff, path in diffs})
    return found


def quoted(block: re.Match[str]) -> str:
    """Hide the comments of a block, which look like headings."""
    return re.sub(r"(?m)^#", "\0", block[0])


WALKS = walks((ROOT / "CONTRIBUTING.md").read_text("utf-8"))


def copied(into: Path) -> Path:
    """Return a copy of what the walks need, a repository of its own."""
    copy_project(COPIED, into, "expected")
    subprocess.run(["git", "init", "--quiet"], cwd=into, check=True)
    return into


def apply(diff: str, root: Path, *options: str) -> None:
    """Apply a change.

    Raises
    ------
    AssertionError
        If it does not apply; the message shows it.
    """
    command = ["git", "apply", *options, "-"]
    done = subprocess.run(
        command, cwd=root, input=diff, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stderr}\n{diff}"


def follow(walk: Walk, root: Path) -> None:
    """Write the files of a walk, and make its changes."""
    for path, text in walk.new.items():
        assert not (root / path).exists(), f"{path} is there already"
        (root / path).write_text(text, "utf-8")
    for diff in walk.diffs.values():
        apply(diff, root)


def test_every_kind_of_addition_has_its_walk() -> None:
    assert WALKS.keys() == FILES.keys()


@pytest.mark.parametrize("name", FILES)
def test_a_walk_touches_as_many_files_as_promised_one_of_them_its_test(name: str) -> None:
    walk = WALKS[name]
    assert len(walk.files) == walk.promised == FILES[name], sorted(walk.files)
    tests = [path for path in walk.files if path.startswith("tests/")]
    assert len(tests) == 1
    assert "assert" in (walk.new | walk.diffs)[tests[0]] or tests[0] in walk.diffs


def test_the_walks_name_no_class_that_the_simulator_has_already() -> None:
    named = re.compile(r"(?m)^class ([A-Z]\w*)")
    theirs = {name for walk in WALKS.values() for text in walk.new.values()
              for name in named.findall(text)}  # fmt: skip
    ours = {name for file in (ROOT / "simulator").rglob("*.py")
            for name in named.findall(file.read_text("utf-8"))}  # fmt: skip
    assert len(theirs) > 5
    assert theirs & ours == set()


def test_a_walk_in_an_unknown_form_is_found() -> None:
    text = "### Add x: 1 files\n\n```python\nprint()\n```\n"
    with pytest.raises(AssertionError, match="x: a file without its path"):
        walks(text)
    with pytest.raises(AssertionError, match="x: a change without its path"):
        walks(text.replace("python", "diff"))


def test_each_change_applies_by_itself(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    for walk in WALKS.values():
        for path, diff in walk.diffs.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, tmp_path / path)
            apply(diff, tmp_path, "--check")


@pytest.mark.slow
def test_the_walks_work_as_they_stand(tmp_path: Path) -> None:
    root = copied(tmp_path)
    for walk in WALKS.values():
        follow(walk, root)
    files = sorted(set().union(*(walk.files for walk in WALKS.values())))
    environment = {**os.environ, "PYTHONPATH": str(root)}
    tests = [path for path in files if path.startswith("tests/")]
    quietly = ["-q", "-p", "no:xdist", "-p", "no:cacheprovider", f"--basetemp={root / 'tmp'}"]
    # The walks change nothing that commands import first.
    quietly += ["-k", "not starts_often"]
    for command in (
        ["ruff", "format", "--check", *files],
        ["ruff", "check", *files],
        ["pytest", *quietly, *tests, *ALSO_RUN],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert re.search(r"\d{3} passed", done.stdout)
