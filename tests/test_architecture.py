"""Layers, circles and sizes; plugins from other distributions; what makes start-up slow."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import typing
from collections import defaultdict
from collections.abc import Iterator
from enum import Enum
from functools import cached_property
from importlib.metadata import EntryPoint
from pathlib import Path

import networkx as nx
import pytest
from pydantic import ValidationError

from docs.house import folders, imports, modules, statements
from simulator.errors import TeamsimError
from simulator.model.protocols.self_claim import SelfClaim
from simulator.model.tasks import TaskGraph
from simulator.model.workloads import Workload
from simulator.registry import Registry
from simulator.scenario import REGISTRIES
from simulator.spec import Spec
from tests.conftest import scenario

ROOT = Path(__file__).parents[1]

MOST_LINES, MOST_CLASS_LINES, MOST_ATTRIBUTES = 350, 300, 30
LISTS = ("simulator.model.metrics.Metrics",)
"""Classes that are lists of what is counted: they may be longer."""


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


BY_NAME = {"getattr", "setattr", "hasattr", "delattr", "attrgetter"}


def untyped(text: str, may_be_any: bool) -> Iterator[str]:
    """Yield the expressions of a module that hide types from the type checker."""
    for node in ast.walk(ast.parse(text)):
        is_found = False
        if isinstance(node, ast.Assert):
            is_found = "isinstance(" in ast.unparse(node.test)
        elif isinstance(node, ast.Call):
            is_found = ast.unparse(node.func).rpartition(".")[2] in BY_NAME
        elif isinstance(node, ast.alias | ast.Attribute) and not may_be_any:
            is_found = (node.name if isinstance(node, ast.alias) else node.attr) == "Any"
        if is_found:
            yield f"{getattr(node, 'lineno', 0)}: {ast.unparse(node)}"


@pytest.mark.parametrize("layer", ["model", "engine", "scenario"])
def test_what_a_thing_is_is_said_by_its_type(layer: str) -> None:
    # What YAML holds is not known before it has been looked at.
    found = [
        f"{name}:{each}"
        for name, path in modules().items()
        if name.startswith(f"simulator.{layer}.")
        for each in untyped(path.read_text("utf-8"), may_be_any=layer == "scenario")
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    ["assert isinstance(x, int)", "from typing import Any", "import typing; x: typing.Any",
     "from typing import Any as Whatever", "getattr(x, 'y')", "builtins.getattr(x, 'y')",
     "key = operator.attrgetter('y')"],
)  # fmt: skip
def test_what_hides_a_type_is_found(line: str) -> None:
    assert len(list(untyped(line, may_be_any=False))) == 1


def circles(graph: nx.DiGraph) -> list[str]:
    """Return one circle of each group of modules that import each other."""
    groups = (graph.subgraph(group) for group in nx.strongly_connected_components(graph))
    edges = (
        nx.find_cycle(g)
        for g in groups
        if g.number_of_edges() and not nx.is_directed_acyclic_graph(g)
    )
    return [" -> ".join([*(start for start, _ in each), each[0][0]]) for each in edges]


@pytest.fixture(scope="module")
def graph() -> nx.DiGraph:
    return imports()


def test_the_picture_of_the_house_shows_every_folder(graph: nx.DiGraph) -> None:
    picture = (ROOT / "docs" / "house.svg").read_text(encoding="utf-8")
    missing = [name for name in folders(graph) if name.rpartition(".")[2] not in picture]
    assert not missing, "make house draws it anew"


def test_no_modules_import_each_other(graph: nx.DiGraph) -> None:
    assert not circles(graph)


@pytest.mark.parametrize(
    "line",
    ["import simulator.a", "def f():\n    from simulator import a",
     "if TYPE_CHECKING:\n    from simulator.a import f"],
)  # fmt: skip
def test_a_circle_is_found_wherever_the_import_stands(tmp_path: Path, line: str) -> None:
    (tmp_path / "simulator").mkdir()
    (tmp_path / "simulator" / "a.py").write_text("from simulator.b import g\n")
    (tmp_path / "simulator" / "b.py").write_text(f"{line}\n")
    assert circles(imports(tmp_path)) in (
        ["simulator.a -> simulator.b -> simulator.a"],
        ["simulator.b -> simulator.a -> simulator.b"],
    )


MAKERS = re.compile(r"subprocess\.\w+|os\.(fork|forkpty|posix_spawnp?|spawn\w+|system|popen)|"
                    r"(?!simpy\.)(.*\.)?(Process|Pool|ProcessPoolExecutor|create_subprocess_\w+)"
                    )  # fmt: skip
"""What of Python's library starts another process."""


def makes_processes(text: str) -> bool:
    """Return whether a module starts processes, under whatever name it imports the means."""
    if not re.search(r"subprocess|\bos\b|Process|Pool", text):
        return False  # it does not even name them
    tree = ast.parse(text)
    origin = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            package = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            origin |= {each.asname or each.name: package + each.name for each in node.names}
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    parts = [(call.split(".")[0], call) for call in calls]
    whole = [origin.get(first, first) + call[len(first) :] for first, call in parts]
    return any(MAKERS.fullmatch(call) for call in whole)


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ("from multiprocessing import Process as Helper\nHelper(target=f)", True),
        ("context = get_context('spawn')\ncontext.Process(target=f)", True),
        ("import concurrent.futures as pools\npools.ProcessPoolExecutor()", True),
        ("import subprocess as s\ns.run(['ls'])", True),
        ("from os import fork\nfork()", True),
        ("dispatcher.fork(board)\nenv.process(steps)", False),
        ('"""Unlike ProcessPoolExecutor(), this is no context.Process()."""', False),
    ],
)
def test_what_starts_a_process_is_found(text: str, does: bool) -> None:
    assert makes_processes(text) == does


def test_the_pool_alone_makes_processes() -> None:
    makers = {name for name, path in modules().items() if makes_processes(path.read_text("utf-8"))}
    assert makers == {"simulator.experiment.pool", "simulator.experiment.pool_worker"}


def has_no_slots(thing: type) -> bool:
    """Return whether any attribute can be set on instances of a class of a run's state or rules.

    Specifications of scenarios, enumerations, errors and tuples are exempt, and so are classes with
    a cached property, which needs a ``__dict__``.
    """
    is_other = issubclass(thing, Spec | Enum | BaseException | tuple) or is_protocol(thing)
    works_out = any(isinstance(each, cached_property) for each in vars(thing).values())
    return not (is_other or works_out) and thing.__dictoffset__ != 0


def is_protocol(thing: type) -> bool:
    """Return whether a class only declares what other classes have."""
    return typing.Protocol in thing.__bases__


@pytest.mark.parametrize("layer", ["model", "engine"])
def test_what_an_object_of_a_run_has_is_in_its_slots(layer: str) -> None:
    names = [name for name in modules() if name.startswith(f"simulator.{layer}")]
    things = [
        thing
        for name in names
        for thing in vars(importlib.import_module(name)).values()
        if isinstance(thing, type) and thing.__module__ == name
    ]
    assert len(things) > {"model": 150, "engine": 5}[layer]
    assert [f"{each.__module__}.{each.__name__}" for each in things if has_no_slots(each)] == []


def test_a_class_without_slots_is_found_though_its_base_has_them() -> None:
    class WithSlots:
        __slots__ = ("x",)

    class Open(WithSlots):
        pass

    assert [has_no_slots(each) for each in (WithSlots, Open, TaskGraph)] == [False, True, False]


WHOLE = {"Replication", "Scenario"}
MAY_KNOW_ALL = {
    "simulator.model.replication",  # puts the parts together
    "simulator.model.model",  # makes a scenario ready for many replications
    "simulator.engine.simulation",  # puts a replication and its engine together
}


def who_is_given_everything(text: str) -> Iterator[str]:
    """Yield the functions of a module that are given a whole replication or scenario."""
    for node in statements(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef):
            continue
        for each in ast.walk(node.args):
            said = (
                ast.unparse(each.annotation)
                if isinstance(each, ast.arg) and each.annotation
                else ""
            )
            if WHOLE & set(re.findall(r"\w+", said)):
                yield f"{node.lineno}: {node.name}({each.arg}: {said})"


def test_nobody_is_given_the_whole_replication_or_scenario() -> None:
    found = {
        name: list(who_is_given_everything(path.read_text("utf-8")))
        for name, path in modules().items()
        if name.startswith(("simulator.model", "simulator.engine"))
    }
    assert {name for name, functions in found.items() if functions} == MAY_KNOW_ALL


@pytest.mark.parametrize(
    "line",
    ["def f(run: Replication): pass", "class A:\n    def f(self, *, s: 'Scenario | None'): pass",
     "def f(each: list[scenario.Scenario]): pass"],
)  # fmt: skip
def test_who_is_given_everything_is_found(line: str) -> None:
    assert len(list(who_is_given_everything(line))) == 1


def own_nodes(node: ast.ClassDef) -> Iterator[ast.AST]:
    """Yield what is in a class and not in a class within it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.ClassDef):
            yield from ast.walk(child)


def attributes(node: ast.ClassDef) -> set[str]:
    """Return what a class has: annotated fields, slots, and all that its methods set on self."""
    found = set()
    for field in node.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            found.add(field.target.id)
        elif isinstance(field, ast.Assign) and ast.unparse(field.targets[0]) == "__slots__":
            found |= {str(each.value) for each in ast.walk(field) if isinstance(each, ast.Constant)}
    for each in own_nodes(node):
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store):
            found |= {each.attr} if ast.unparse(each.value) == "self" else set()
    return found


def too_large(name: str, text: str) -> Iterator[str]:
    """Yield the file and the classes of a module that have too many lines or attributes."""
    lines = text.count("\n")
    if lines > MOST_LINES:
        yield f"{name} has {lines} lines"
    for node in statements(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MOST_CLASS_LINES:
                yield f"{name}.{node.name} has {lines} lines"
            if len(attributes(node)) > MOST_ATTRIBUTES:
                yield f"{name}.{node.name} has {len(attributes(node))} attributes"


def test_no_file_and_no_class_is_large() -> None:
    held = modules()
    assert len(held) > 250
    found = [
        each for name, path in held.items() for each in too_large(name, path.read_text("utf-8"))
    ]
    large = [each for each in found if not each.startswith(LISTS)]
    assert not large, "\n".join(large)
    assert len(found) > len(large)


def test_all_kinds_of_attributes_are_counted() -> None:
    text = """
class A:
    __slots__ = ("slot", "other")
    field: int
    constant = 1
    class Inner:
        inner: int
    def f(self, them):
        self.x = self.y = self.read
        self.z: int = 0
        self.n += 1
        them.w, (self.p, self.q) = 1, (2, 3)
"""
    (outer,) = ast.parse(text).body
    assert isinstance(outer, ast.ClassDef)
    assert attributes(outer) == {"slot", "other", "field", "x", "y", "z", "n", "p", "q"}
    assert list(too_large("m", text)) == []
    many = "class A:\n" + "".join(f"    x{i}: int\n" for i in range(351))
    assert len(list(too_large("m", many))) == 3


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


ARRAYS = {"scipy.stats", "scipy.optimize", "scipy._lib._array_api"}
"""What wraps or needs libraries of arrays, which takes a tenth of a second and more."""

TABLES = {"pandas", "pyarrow.compute", "pyarrow.dataset"}
"""What computes with tables; Arrow imports it unasked in many of its conversions."""

FETCHING = {"asyncio", "genai_prices.update_prices"}
"""What could fetch newer prices."""


STARTS: dict[str, tuple[str, set[str]]] = {
    "help": (
        "from simulator.cli.main import app",
        {
            "numpy",
            "scipy",
            "pandas",
            "matplotlib",
            "pyarrow",
            "simpy",
            "pydantic",
            "yaml",
            "importlib.metadata",
            "importlib.resources",
            "simulator.version",
        },
    ),
    "list": (
        "from simulator.cli.main import app; app(['list'], standalone_mode=False)",
        {
            "scipy.special",
            "pandas",
            "pyarrow",
            "simpy",
            "simulator.model.streams",
            "genai_prices",
        },
    ),
    "check": (
        "from simulator.cli.main import app; "
        "app(['check', 'scenarios/quickstart.yaml'], standalone_mode=False)",
        {
            "scipy.special",
            "pandas",
            "matplotlib",
            "pyarrow",
            "simpy",
            "simulator.engine",
            "simulator.experiment.runner",
            "filelock",
            *FETCHING,
        },
    ),
    "run": (
        "from simulator.cli.main import app; "
        "app(['run', 'scenarios/quickstart.yaml', '-r', '2'], standalone_mode=False)",
        {"matplotlib", "pyarrow.parquet", "numpy.ma", "filelock", *ARRAYS, *TABLES, *FETCHING},
    ),
    "sweep": (
        "from simulator.scenario import load_study; "
        "from simulator.experiment import run_sweep; "
        "run_sweep(load_study('scenarios/quickstart.yaml', ['replications=1']))",
        {"matplotlib", "pyarrow.parquet", *ARRAYS, *TABLES, *FETCHING},
    ),
    "sweep_command": (
        "from simulator.cli.main import app; from tempfile import mkdtemp; "
        "app(['sweep', 'scenarios/quickstart.yaml', '--out', mkdtemp(), "
        "'--set', 'replications=1', '--workers', '1'], standalone_mode=False)",
        {"matplotlib", *ARRAYS, *TABLES, *FETCHING},
    ),
    "chaos": (
        "from simulator.cli.main import app; "
        "app(['chaos', 'scenarios/quickstart.yaml', '-r', '2'], standalone_mode=False)",
        {"matplotlib", *ARRAYS, *FETCHING},
    ),
    "worker": (
        "import simulator.worker, simulator.experiment.crew, simulator.experiment.points_job",
        {"scipy.special", "pandas", "pyarrow.parquet", "filelock", "asyncio", "genai_prices"},
    ),
    "prediction": (
        "import simulator.worker, analysis.calibration.simulated_runs",
        {"scipy.stats", "scipy.optimize", "pandas", "pyarrow", "analysis.calibration.cell"},
    ),
    "stacks": ("import simulator.worker, analysis.breakdown.causes", {"scipy.special", "pandas"}),
    "predict": (
        "import simulator.cli.fitting, simulator.cli.fitting_runs",
        {"scipy.stats", "scipy.optimize", "networkx", "matplotlib", *ARRAYS},
    ),
    "plot": (
        "from analysis.plots import save, scaling_figure, sweep_figure",
        {"scipy.stats", "scipy.optimize", "analysis.plots.gantt"},
    ),
    "report": ("import analysis.report.page", {"scipy.stats", "scipy.optimize", "matplotlib"}),
}
"""What often starts, as code, and what that must not import."""


@pytest.mark.parametrize(
    "names",
    [
        # One after another in one process: each may import more than those before.
        ("help", "list", "check", "run", "sweep", "sweep_command", "chaos"),
        ("prediction", "stacks", "worker", "report", "predict", "plot"),
    ],
    ids=lambda names: names[-1],
)
def test_what_starts_often_imports_nothing_heavy(names: tuple[str, ...]) -> None:
    code = "import sys\n"
    for name in names:
        starts, heavy = STARTS[name]
        code += f"{starts}\nfound = {heavy} & set(sys.modules)\n"
        code += f"if found: sys.exit(f'{name}: {{found}}')\n"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_plugin_of_another_family_is_refused_where_it_is_said() -> None:
    with pytest.raises(ValidationError, match="SelfClaim is no topology: it does not derive from"):
        scenario(topology=SelfClaim())


def test_what_only_looks_like_a_plugin_of_the_model_is_refused_by_name() -> None:
    with pytest.raises(TeamsimError, match=r"'self_claim' \(SelfClaim\) is no Workload"):
        Workload.of(SelfClaim())
