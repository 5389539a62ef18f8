"""The guide to plugins makes a package that works: each of its files is written, and used."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from simulator import plugins

GUIDE = Path(__file__).parents[1] / "docs" / "guides" / "plugins.md"


def files_in(page: str) -> dict[str, str]:
    """Return the files of a page: a block of code after its name."""
    return dict(re.findall(r"(?ms)^`([\w./]+)`:\n\n```\w+\n(.*?)^```$", page))


def commands_in(page: str) -> list[list[str]]:
    (console,) = re.findall(r"(?ms)^```console\n(.*?)^```$", page)
    return [shlex.split(line.removeprefix("$ ")) for line in console.splitlines()]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the package of the guide, and make its entry points known as an installation does."""
    pytest.importorskip("setuptools")
    home = tmp_path_factory.mktemp("book")
    for name, text in files_in(GUIDE.read_text("utf-8")).items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, "utf-8")
    made = ran(home, "-c", "import setuptools; setuptools.setup()", "-q", "egg_info")
    assert made.returncode == 0, made.stderr
    return home


def ran(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python where the package is found as it is after ``pip install -e``."""
    there = {**os.environ, "PYTHONPATH": os.pathsep.join([str(home), str(GUIDE.parents[2])])}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=home, env=there, capture_output=True, text=True, check=False)


def test_every_block_of_the_guide_is_a_file_that_is_used(package: Path) -> None:
    page = GUIDE.read_text("utf-8")
    blocks = re.findall(r"(?m)^```(\w+)$", page)
    assert len(files_in(page)) == len(blocks) - 1  # all but the commands
    assert set(blocks) == {"toml", "python", "yaml", "console"}
    assert all((package / name).is_file() for name in files_in(page))


@pytest.mark.slow
def test_every_command_of_the_guide_does_what_it_says(package: Path) -> None:
    said = commands_in(GUIDE.read_text("utf-8"))
    assert [command[0] for command in said] == ["pip", "teamsim", "teamsim", "pytest"]
    modules = {
        "teamsim": ["-m", "simulator.cli"],
        "pytest": ["-m", "pytest", "-p", "no:cacheprovider"],
    }
    for name, *arguments in said[1:]:
        done = ran(package, *modules[name], *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        if arguments[0] == "run":
            assert re.search(r"(?m)^tasks_done +6 +6 +6 ", done.stdout)
            assert "200 replications: completed 200" in done.stdout
    assert "3 passed" in done.stdout


@pytest.mark.slow
def test_the_plugins_are_listed_and_described(package: Path) -> None:
    listed = ran(package, "-m", "simulator.cli", "list").stdout
    for name in ("pairs", "longest_first", "book", "triangular"):
        assert re.search(rf"\b{name}\b", listed)
    assert (
        "Size of the editing, in work units."
        in ran(package, "-m", "simulator.cli", "schema").stdout
    )


def test_a_wrong_parameter_of_such_a_plugin_is_told(package: Path) -> None:
    wrong = ["check", "book.yaml", "--set", "workload.editing=-1", "--set", "workload.chaptres=[1]"]
    done = ran(package, "-m", "simulator.cli", *wrong)
    assert done.returncode == 2
    assert "workload.editing" in done.stderr
    assert "did you mean 'chapters'" in done.stderr


def test_all_names_for_authors_are_there_and_importing_them_is_quick() -> None:
    for name in plugins.__all__:
        assert getattr(plugins, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Toplogy'"):
        plugins.Toplogy  # noqa: B018
    code = "import sys, simulator.plugins; print('simulator.model' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False"], done.stderr
