"""Layers, plugins from other distributions, and start-up time's cause: what is imported."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from pydantic import ValidationError

from simulator.errors import TeamsimError
from simulator.model.protocols.self_claim import SelfClaim
from simulator.model.workloads import Workload
from simulator.registry import Registry
from simulator.scenario import REGISTRIES
from tests.conftest import scenario

ROOT = Path(__file__).parents[1]


def test_imports_point_down_the_layers() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports; "
               "import sys; sys.exit(lint_imports())"]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_two_public_classes_have_the_same_name() -> None:
    homes = defaultdict(list)
    for file in sorted((ROOT / "simulator").rglob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(str(file.relative_to(ROOT)))
    assert len(homes) > 150
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


@pytest.mark.parametrize("layer", ["model", "scenario"])
def test_what_a_thing_is_is_said_by_its_type(layer: str) -> None:
    found = []
    for file in sorted((ROOT / "simulator" / layer).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            asserts_a_type = isinstance(node, ast.Assert) and "isinstance(" in ast.unparse(
                node.test
            )
            by_name = isinstance(node, ast.Call) and ast.unparse(node.func) in {
                "getattr",
                "setattr",
                "hasattr",
            }
            if asserts_a_type or by_name:
                found.append(f"{file.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    assert found == []


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


def test_a_plugin_of_another_family_is_refused_where_it_is_said() -> None:
    with pytest.raises(ValidationError, match="SelfClaim is no topology: it does not derive from"):
        scenario(topology=SelfClaim())


def test_what_only_looks_like_a_plugin_of_the_model_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"'self_claim' \(SelfClaim\) is no Workload"):
        Workload.of(SelfClaim())
