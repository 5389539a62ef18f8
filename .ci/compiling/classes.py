"""What mypy knows of the modules that are compiled: their classes, attributes and methods."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mypy import build
from mypy.errors import CompileError
from mypy.modulefinder import BuildSource
from mypy.nodes import (
    ARG_OPT,
    ARG_POS,
    LDEF,
    Decorator,
    Expression,
    FuncDef,
    MypyFile,
    NameExpr,
    TypeInfo,
    Var,
)
from mypy.options import Options
from mypy.traverser import NameAndMemberCollector
from mypy.types import CallableType, Type

from compiling import arrays

ROOT = Path(__file__).resolve().parents[2]

_NO_BASE = {"builtins.object", "abc.ABC"}


@dataclass
class Class:
    """A class of a compiled module, as text and as mypy sees it."""

    module: str
    tree: ast.ClassDef
    info: TypeInfo

    @property
    def name(self) -> str:
        """Its name in its module."""
        return self.info.name

    @property
    def is_row(self) -> bool:
        """Whether it is a plain data class that may change, all of whose fields have defaults."""
        decorators = {ast.unparse(each) for each in self.tree.decorator_list}
        fields = [each for each in self.tree.body if isinstance(each, ast.AnnAssign)]
        return decorators == {"dataclass(slots=True)"} and all(
            isinstance(each.value, ast.Constant) for each in fields
        )

    @property
    def bases(self) -> list[TypeInfo]:
        """Its bases, but for those that only make it abstract."""
        return [each.type for each in self.info.bases if each.type.fullname not in _NO_BASE]

    def attributes(self) -> Iterator[tuple[str, Type | None]]:
        """Return the attributes of its objects that it adds to those of its bases."""
        for name, symbol in self.info.names.items():
            node = symbol.node
            is_own = isinstance(node, Var) and not (node.is_classvar or node.is_property)
            inherited = any(name in each.names for each in self.info.mro[1:])
            if isinstance(node, Var) and is_own and not inherited and not name.startswith("__"):
                yield name, node.type

    def functions(self) -> Iterator[tuple[ast.FunctionDef, FuncDef | None]]:
        """Return its methods; without mypy's view of those that are more than functions."""
        for each in self.tree.body:
            if isinstance(each, ast.FunctionDef):
                symbol = self.info.names.get(each.name)
                node = None if symbol is None else symbol.node
                if isinstance(node, Decorator) and not node.decorators:  # it is but abstract
                    node = node.func
                yield each, node if isinstance(node, FuncDef) else None


@dataclass
class Module:
    """A compiled module."""

    name: str
    text: str
    tree: ast.Module
    file: MypyFile
    arrays: dict[tuple[int, int], str]
    """Where arrays are named, and of what they are: see `arrays.kinds`."""


@dataclass
class Checked:
    """All compiled modules, as mypy has checked them.

    Parameters
    ----------
    modules : dict of str to Module
    classes : dict of str to Class
        By their full names.
    only_python : set of str
        Full names of functions that some module does not call as C does.
    """

    modules: dict[str, Module]
    classes: dict[str, Class]
    only_python: set[str]
    extensions: set[str] = field(default_factory=set)
    """Full names of the classes whose objects have a fixed layout: extension types."""

    def __post_init__(self) -> None:
        decided: dict[str, bool] = {}
        self.extensions = {name for name in self.classes if self._is_extension(name, decided)}

    def _is_extension(self, name: str, decided: dict[str, bool]) -> bool:
        if name not in decided:
            found = self.classes.get(name)
            decided[name] = (
                found is not None
                and _may_be_fixed(found)
                and all(self._is_extension(base.fullname, decided) for base in found.bases)
            )
        return decided[name]


def _may_be_fixed(found: Class) -> bool:
    """Return whether a class may be an extension type, if its base may be one."""
    info, tree = found.info, found.tree
    if len(found.bases) > 1 or info.is_enum or info.is_protocol or info.is_named_tuple:
        return False
    declares = any(
        isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "__slots__"
        for each in tree.body
    )
    return (declares and not tree.decorator_list) or found.is_row


def signature(node: FuncDef | None) -> CallableType | None:
    """Return the types of a function whose arguments can all be given by their places."""
    if node is None or not isinstance(node.type, CallableType) or node.type.variables:
        return None
    if any(kind not in (ARG_POS, ARG_OPT) for kind in node.arg_kinds):
        return None
    return node.type


def variables(node: FuncDef) -> dict[str, Type]:
    """Return the types of a function's variables, but for those that have several."""
    types: dict[str, Type] = {}
    kinds: dict[str, set[str]] = {}
    collector = NameAndMemberCollector()
    node.body.accept(collector)
    for each in collector.name_exprs:
        if isinstance(each, NameExpr) and each.kind == LDEF and isinstance(each.node, Var):
            kinds.setdefault(each.name, set()).add(str(each.node.type))
            if each.node.type is not None:
                types[each.name] = each.node.type
    return {name: kind for name, kind in types.items() if len(kinds[name]) == 1}


def check(names: Sequence[str], root: Path = ROOT) -> Checked:
    """Let mypy read modules of a package, which is in `root`.

    Raises
    ------
    RuntimeError
        If mypy cannot.
    """
    options = Options()
    options.incremental, options.cache_dir = False, os.devnull
    options.follow_imports, options.ignore_missing_imports = "silent", True
    options.python_executable = None  # types of the package are enough, and those of Python
    options.ignore_errors = True  # `make lint` has shown them
    options.preserve_asts, options.export_types = True, True
    options.mypy_path = [str(root)]
    paths = {name: root / (name.replace(".", "/") + ".py") for name in names}
    sources = [BuildSource(str(path), name) for name, path in paths.items()]
    try:
        result = build.build(sources, options)
    except CompileError as error:
        raise RuntimeError("\n".join(error.messages)) from error
    modules, classes = dict[str, Module](), dict[str, Class]()
    for name, path in paths.items():
        text = path.read_text("utf-8")
        file = result.files[name]
        found = arrays.kinds(file, result.types)
        modules[name] = module = Module(name, text, ast.parse(text), file, found)
        for each in module.tree.body:
            if isinstance(each, ast.ClassDef):
                node = module.file.names[each.name].node
                assert isinstance(node, TypeInfo)
                classes[node.fullname] = Class(name, each, node)
    named = (name for module in modules.values() for name in _only_python(module, result.types))
    return Checked(modules, classes, set(named))


def _only_python(module: Module, types: Mapping[Expression, Type]) -> Iterator[str]:
    """Return the full names of functions that a module does not call as C does.

    It gives them arguments with stars or leaves out some before others, or it takes methods as
    values: C would not know whose they are.
    """
    collector = NameAndMemberCollector()
    module.file.accept(collector)
    found: dict[tuple[int, int], FuncDef] = {}
    for each in [*collector.member_exprs, *collector.name_exprs]:
        kind = types.get(each)
        node = kind.definition if isinstance(kind, CallableType) else None
        if isinstance(node, Decorator):
            node = node.func
        if isinstance(node, FuncDef):
            place = each.line, each.end_column or 0
            found[place] = node
    called = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            place = node.func.lineno, node.func.end_col_offset or 0
            called.add(place)
            if place in found and _is_awkward(node, found[place]):
                yield found[place].fullname
    yield from (node.fullname for place, node in found.items() if place not in called)


def _is_awkward(call: ast.Call, function: FuncDef) -> bool:
    """Return whether a call has stars, or leaves out arguments before one with a keyword."""
    if any(isinstance(each, ast.Starred) for each in call.args):
        return True
    names = [each for each in function.arg_names if each != "self"]
    given = [each.arg for each in call.keywords]
    return names[len(call.args) : len(call.args) + len(given)] != given
