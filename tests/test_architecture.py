"""Layers, plugins from other distributions, and start-up time's cause: what is imported."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from simulator.errors import TeamsimError
from simulator.registry import Registry
from simulator.scenario import REGISTRIES

ROOT = Path(__file__).parents[1]


def test_imports_point_down_the_layers() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports; "
               "import sys; sys.exit(lint_imports())"]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.family)
def test_a_file_is_a_plugin_and_its_name_is_the_yaml_name(registry: Registry) -> None:
    assert registry.names()
    for name in registry.names():
        plugin = registry.get(name)
        assert plugin.model_fields["kind"].default == name
        assert plugin.__doc__


def test_an_unknown_plugin_names_the_nearest() -> None:
    topologies = REGISTRIES[0]
    with pytest.raises(TeamsimError, match="did you mean 'centralised'"):
        topologies.get("centralized")


def test_a_plugin_of_another_distribution_joins_by_entry_point() -> None:
    registry = Registry("topology", "simulator.model.topologies", "teamsim.topologies")
    point = EntryPoint(
        "elsewhere", "simulator.model.topologies.single:Single", "teamsim.topologies"
    )
    registry.__dict__["_entry_points"] = {"elsewhere": point}
    assert "elsewhere" in registry.names()
    assert registry.get("elsewhere").__name__ == "Single"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from simulator.cli.main import app; "
        "heavy = {'numpy', 'scipy', 'pandas', 'matplotlib', 'pyarrow', 'simpy', 'pydantic'}; "
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
