"""What is built and installed works as the source tree does."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from simulator.scenario.shipped import TEMPLATES, names_in, scenario_names
from tests.project_copy import copy_project


@pytest.mark.slow
def test_scenarios_and_templates_ship_in_the_wheel(tmp_path: Path) -> None:
    source, wheels, target = (tmp_path / name for name in ("source", "wheels", "target"))
    source.mkdir()
    copy_project(
        ["simulator", "analysis", "scenarios", "pyproject.toml", "setup.py", "MANIFEST.in",
         "README.md", "LICENSE"], source
    )  # fmt: skip
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", str(wheels), str(source)]
    built = subprocess.run(pip, capture_output=True, text=True, check=False)
    if built.returncode and "setuptools" in built.stderr + built.stdout:
        pytest.skip("setuptools, which builds the wheel, cannot be had here")
    assert built.returncode == 0, built.stderr
    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(target)
    assert names_in(target / "simulator" / "scenarios") == scenario_names()
    assert names_in(target / "simulator" / "templates") == names_in(TEMPLATES)
    assert (target / "simulator" / "scenarios" / "scenario.schema.json").is_file()

    for page in ("report/template.html", "report/explorer/page.html", "live/page/live.html"):
        assert (target / "analysis" / page).is_file()

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    here = {**os.environ, "PYTHONPATH": str(target)}
    for command in (
        ["run", "quickstart", "-r", "2"],
        ["new", "mine.yaml"],
        ["check", "mine.yaml"],
        ["timeline", "quickstart", "--html", "live.html"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "simulator.cli", *command],
            cwd=elsewhere, env=here, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    page = (elsewhere / "live.html").read_text("utf-8")
    assert "player = new Player(content)" in page
    assert "Copyright 2010-2026 Mike Bostock" in page
