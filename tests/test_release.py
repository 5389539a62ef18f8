"""Versions, deprecations, and what is done when a version is released."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
import types
import warnings
from pathlib import Path

import pytest
import yaml

from simulator.handed_on import Deprecated, handed_on

ROOT = Path(__file__).parents[1]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Return a package one of whose names has become another."""
    made = types.ModuleType("made_up")
    homes = {"sqrt": "math"}
    renamed = {"square_root": Deprecated("sqrt", "2.0")}
    made.__dict__["__getattr__"], _ = handed_on("made_up", homes, renamed)
    monkeypatch.setitem(sys.modules, "made_up", made)
    return made


def test_a_deprecated_name_warns_who_uses_it_and_still_works(package: types.ModuleType) -> None:
    said = "made_up.square_root is deprecated and goes in 2.0: use made_up.sqrt"
    with pytest.warns(DeprecationWarning, match=f"^{re.escape(said)}$") as seen:
        assert package.square_root(9.0) == 3.0
    assert seen[0].filename == __file__  # the line of who uses it
    with pytest.warns(DeprecationWarning, match="goes in 2.0"):
        from made_up import square_root  # type: ignore[import-not-found]
    assert square_root(16.0) == 4.0


def test_other_names_do_not_warn(package: types.ModuleType) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert package.sqrt(4.0) == 2.0
        with pytest.raises(AttributeError, match="no attribute 'cube_root'"):
            package.cube_root  # noqa: B018


@pytest.mark.parametrize(
    "name",
    [
        "simulator",
        "simulator.plugins",
        "simulator.experiment",
        "simulator.scenario",
        "analysis.plots",
        "analysis.validation",
        "analysis.calibration",
    ],
)
def test_names_that_nobody_has_used_are_listed(name: str) -> None:
    """So notebooks complete ``ts.`` before anything was imported."""
    code = f"import {name} as it; print(*dir(it)); assert sorted(it.__all__) == dir(it)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    listed = done.stdout.split()
    assert len(listed) == len(set(listed)) >= 2
    package = importlib.import_module(name)
    assert all(getattr(package, each) is not None for each in listed)


def test_the_version_is_a_semantic_one_and_on_top_of_the_changelog() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)
    first = re.findall(r"(?m)^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"))[0]
    assert re.fullmatch(rf"{re.escape(VERSION)} \((unreleased|\d{{4}}-\d\d-\d\d)\)", first)


def project(at: Path, heading: str) -> Path:
    """Write as much of a project as a release looks at before it builds."""
    (at / ".ci").mkdir(parents=True)
    (at / ".ci" / "release").write_text((ROOT / ".ci" / "release").read_text("utf-8"))
    (at / "pyproject.toml").write_text('[project]\nname = "p"\nversion = "1.2.3"\n')
    (at / "CHANGELOG.md").write_text(f"# Changelog\n\n## {heading}\n\n- It works.\n")
    return at


@pytest.mark.parametrize(
    ("heading", "tag", "message"),
    [
        ("1.2.3 (2026-11-27)", "v1.2.4", "the tag is v1.2.4, and pyproject.toml has version 1.2.3"),
        ("1.2.3 (2026-11-27)", "1.2.3", "the tag is 1.2.3, and"),
        ("1.2.3 (unreleased)", "v1.2.3", "CHANGELOG.md has no date for 1.2.3"),
        ("1.203 (2026-11-27)", "v1.2.3", "CHANGELOG.md has no date for 1.2.3"),
    ],
)
def test_a_tag_that_is_not_of_the_version_is_not_released(
    tmp_path: Path, heading: str, tag: str, message: str
) -> None:
    command = ["bash", str(project(tmp_path / "p", heading) / ".ci" / "release"), tag]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert message in done.stderr


def test_a_tag_of_the_version_goes_on_to_build(tmp_path: Path) -> None:
    # There is no commit here: what comes after the checks fails at the copy of it.
    script = project(tmp_path / "p", "1.2.3 (2026-11-27)") / ".ci" / "release"
    done = subprocess.run(
        ["bash", str(script), "v1.2.3"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "not a git repository" in done.stderr


def test_the_workflow_runs_the_release_for_tags_alone() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8"))
    assert workflow[True] == {"push": {"tags": ["v*.*.*"]}}  # YAML reads `on` as true
    assert workflow["permissions"] == {"contents": "read"}
    steps = workflow["jobs"]["build"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == [
        'bash .ci/release "$GITHUB_REF_NAME"'
    ]
    assert steps[-1]["with"]["path"] == "dist/"
