"""Declarations for Cython, a ``.pxd`` file a module: attributes and methods with their C types."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mypy.nodes import ARG_OPT, FuncDef
from mypy.types import (
    CallableType,
    Instance,
    LiteralType,
    NoneType,
    TupleType,
    Type,
    UnionType,
    get_proper_type,
)

from compiling.arrays import ARRAY
from compiling.classes import Checked, Class, Module, signature, variables
from compiling.modules import IN_C, WIDE

_NUMBERS = {"builtins.float": "double", "builtins.int": "long long", "builtins.bool": "bint"}
_EXACT = {
    "builtins.list": "list",
    "builtins.dict": "dict",
    "builtins.set": "set",
    "builtins.frozenset": "frozenset",
    "builtins.tuple": "tuple",
    "builtins.bytearray": "bytearray",
    "builtins.str": "str",
}
"""Types of which no subclass is used where one is named: a subclass raises TypeError."""
_ARRAY = "carray"
_OBJECT = "object"
_ARRAYS = (
    "from cpython.array cimport array as carray",
    "from arrays cimport get_int, put_int, add_int, get_float, put_float, add_float",
)
_NESTED = (ast.FunctionDef, ast.Lambda, ast.GeneratorExp, ast.Yield, ast.YieldFrom)
"""What a function that C can call must not have in it."""


@dataclass(frozen=True)
class Signature:
    """How a function is called: C types of its result and arguments, and the arguments' names."""

    returned: str
    arguments: tuple[str, ...]
    names: tuple[str, ...]
    defaults: int
    """How many of the last arguments may be left out."""
    variables: tuple[tuple[str, str], ...] = ()
    """Those within that have C types, and these."""

    def is_like(self, other: Signature) -> bool:
        """Return whether one may override the other."""
        return (self.returned, self.arguments, self.defaults) == (
            other.returned,
            other.arguments,
            other.defaults,
        )


def _is_wide(name: str) -> bool:
    """Return whether what has a full name may be more than a number of the machine holds."""
    return any(fnmatchcase(name, each) for each in WIDE)


class Declarations:
    """Writes the declarations of compiled modules.

    Parameters
    ----------
    checked : Checked
    """

    def __init__(self, checked: Checked) -> None:
        self._checked = checked
        self._methods = {
            name: {each.name: self._method(found, each, node) for each, node in found.functions()}
            for name, found in checked.classes.items()
            if name in checked.extensions
        }
        self._agree()

    def of(self, module: Module) -> str:
        """Return the text of a module's declarations."""
        used: set[str] = set()
        lines: list[str] = []
        for name, found in self._checked.classes.items():
            if found.module == module.name and name in self._checked.extensions:
                lines += self._class(name, found, used)
        for each in module.tree.body:
            if isinstance(each, ast.FunctionDef):
                node = module.file.names[each.name].node
                said = self._function(module, each, node if isinstance(node, FuncDef) else None)
                if said is not None:
                    if said.variables:
                        lines.append(self._in_locals(said.variables, used))
                    lines.append(self._declared(each.name, said, used, ()))
                elif isinstance(node, FuncDef):
                    self._in_locals([*self._arguments(node), *self._variables(each, node)], used)
        others = [self._checked.classes[name] for name in sorted(used)]
        imports = [
            f"from {each.module} cimport {each.name}"
            for each in others
            if each.module != module.name
        ]
        imports += [
            f"from {node.module} cimport {ast.unparse(name)}" for node, name in self.called(module)
        ]
        return "\n".join(["cimport cython", *_ARRAYS, *imports, *lines, ""])

    def called(self, module: Module) -> Iterator[tuple[ast.ImportFrom, ast.alias]]:
        """Return which imports of a module are functions of another that C calls."""
        for node in module.tree.body:
            home = self._checked.modules.get(str(getattr(node, "module", None)))
            if isinstance(node, ast.ImportFrom) and home is not None:
                functions = self._functions_in_c(home)
                yield from ((node, name) for name in node.names if name.name in functions)

    def _functions_in_c(self, module: Module) -> set[str]:
        """Return the names of a module's functions that C can call."""
        if module.name in IN_C:
            return set()
        found = set()
        for each in module.tree.body:
            if isinstance(each, ast.FunctionDef):
                node = module.file.names[each.name].node
                if isinstance(node, FuncDef) and self._function(module, each, node) is not None:
                    found.add(each.name)
        return found

    def _class(self, name: str, found: Class, used: set[str]) -> Iterator[str]:
        used.update(base.fullname for base in found.bases)
        for tree, node in found.functions():
            if node is not None and not self._methods[name][tree.name]:
                # They are named there.
                self._in_locals([*self._arguments(node), *self._variables(tree, node)], used)
        bases = ", ".join(base.name for base in found.bases)
        yield f"cdef class {found.name}({bases}):" if bases else f"cdef class {found.name}:"
        yield "    pass"
        for attribute, kind in found.attributes():
            c_type = _OBJECT if _is_wide(f"{name}.{attribute}") else self._c_type(kind)
            yield f"    cdef public {self._shown(c_type, used)} {attribute}"
        for method, said in self._methods[name].items():
            if said is not None:
                if said.variables:
                    yield "    " + self._in_locals(said.variables, used)
                yield "    " + self._declared(method, said, used, ("self",))

    def _variables(self, tree: ast.FunctionDef, node: FuncDef) -> Iterator[tuple[str, str]]:
        """Return the variables of a function that have C types, and these."""
        own = _stored_outside_of_comprehensions(tree)
        for name, kind in variables(node).items():
            c_type = self._c_type(kind)
            if name in own and c_type != _OBJECT and not _is_wide(f"{node.fullname}.{name}"):
                yield name, c_type

    def decorators(self, module: Module) -> Iterator[tuple[ast.FunctionDef, str]]:
        """Return what types the arguments and variables of functions that only Python can call.

        They are not declared: each is decorated with its types.
        """
        for tree, node in self._only_python(module):
            # Variables that a function within uses are cells, and have no C types.
            is_special = tree.name.startswith("__") and tree.name != "__init__"
            if not (tree.decorator_list or _has_scopes(tree) or is_special):
                shown = self._in_locals(
                    [*self._arguments(node), *self._variables(tree, node)], set()
                )
                if shown:
                    yield tree, shown

    def _only_python(self, module: Module) -> Iterator[tuple[ast.FunctionDef, FuncDef]]:
        for name, found in self._checked.classes.items():
            if found.module == module.name and name in self._checked.extensions:
                for tree, node in found.functions():
                    if node is not None and not self._methods[name][tree.name]:
                        yield tree, node
        for each in module.tree.body:
            if isinstance(each, ast.FunctionDef):
                symbol = module.file.names[each.name].node
                if isinstance(symbol, FuncDef) and not self._function(module, each, symbol):
                    yield each, symbol

    def _arguments(self, node: FuncDef) -> Iterator[tuple[str, str]]:
        """Return the arguments of a function that are objects of compiled classes, and these."""
        if isinstance(node.type, CallableType):
            pairs = zip(node.arg_names, node.arg_kinds, node.type.arg_types, strict=True)
            for name, kind, said in pairs:
                c_type = self._c_type(said)
                if name != "self" and not kind.is_star() and c_type in self._checked.extensions:
                    yield name or "", c_type

    def _in_locals(self, variables: Iterable[tuple[str, str]], used: set[str]) -> str:
        """Return a decorator with the types of variables; nothing without any."""
        kinds = [f"{name}={_in_decorator(self._shown(kind, used))}" for name, kind in variables]
        return f"@cython.locals({', '.join(kinds)})" if kinds else ""

    def _declared(self, name: str, said: Signature, used: set[str], first: tuple[str, ...]) -> str:
        fixed = len(said.names) - said.defaults
        arguments = [
            f"{self._shown(kind, used)} {each}" + ("=*" if place >= fixed else "")
            for place, (kind, each) in enumerate(zip(said.arguments, said.names, strict=True))
        ]
        # No value of a C tuple can say that there was an error.
        end = " except *" if said.returned.startswith("(") else ""
        shown = self._shown(said.returned, used)
        return f"cpdef {shown} {name}({', '.join([*first, *arguments])}){end}"

    def _shown(self, c_type: str, used: set[str]) -> str:
        """Return a type as a declaration names it, and note that it is used."""
        if c_type not in self._checked.extensions:
            return c_type
        used.add(c_type)
        return self._checked.classes[c_type].name

    def _method(
        self, found: Class, tree: ast.FunctionDef, node: FuncDef | None
    ) -> Signature | None:
        if tree.name.startswith("__"):
            return None
        return self._signature(f"{found.info.fullname}.{tree.name}", tree, node, is_method=True)

    def _function(
        self, module: Module, tree: ast.FunctionDef, node: FuncDef | None
    ) -> Signature | None:
        return self._signature(f"{module.name}.{tree.name}", tree, node)

    def _signature(
        self, name: str, tree: ast.FunctionDef, node: FuncDef | None, is_method: bool = False
    ) -> Signature | None:
        """Return how C calls a function; None if only Python can."""
        types = signature(node)
        decorators = {ast.unparse(each) for each in tree.decorator_list}
        inside = [each for each in ast.walk(tree) if each is not tree]
        if (
            node is None
            or types is None
            or node.fullname in self._checked.only_python
            or decorators - {"abstractmethod"}
            or any(isinstance(each, _NESTED) or _is_super(each) for each in inside)
        ):
            return None
        skip = int(is_method)
        names = tuple(each or "" for each in node.arg_names[skip:])
        arguments = tuple(
            _OBJECT if _is_wide(f"{name}.{each}") else self._c_type(kind)
            for each, kind in zip(names, types.arg_types[skip:], strict=True)
        )
        defaults = sum(kind == ARG_OPT for kind in node.arg_kinds)
        within = tuple(self._variables(tree, node))
        return Signature(self._returned(types.ret_type), arguments, names, defaults, within)

    def _returned(self, kind: Type) -> str:
        """Return the C type of a result: several numbers are a C tuple of them."""
        kind = get_proper_type(kind)
        if isinstance(kind, TupleType) and kind.partial_fallback.type.fullname == "builtins.tuple":
            types = [self._c_type(each) for each in kind.items]
            if all(each in _NUMBERS.values() for each in types):
                return f"({', '.join(types)})"
        return self._c_type(kind)

    def _c_type(self, kind: Type | None) -> str:
        """Return the C type that holds what a Python type may be: the class's full name for one."""
        if kind is None:
            return _OBJECT
        kind = get_proper_type(kind)
        if isinstance(kind, UnionType):
            items = [get_proper_type(each) for each in kind.items]
            some = {self._c_type(each) for each in items if not isinstance(each, NoneType)}
            c_type = some.pop() if len(some) == 1 else _OBJECT
            may_be_none = any(isinstance(each, NoneType) for each in items)
            return _OBJECT if may_be_none and c_type in _NUMBERS.values() else c_type
        if isinstance(kind, LiteralType):
            kind = kind.fallback
        if not isinstance(kind, Instance):
            return _OBJECT
        name = kind.type.fullname
        if name in self._checked.extensions:
            return name
        if name == ARRAY:
            return _ARRAY
        return _NUMBERS.get(name) or _EXACT.get(name) or _OBJECT

    def _agree(self) -> None:
        """Leave to Python what is not called alike in a class and in its bases."""
        changes = True
        while changes:
            changes = False
            for name, methods in self._methods.items():
                for base in self._checked.classes[name].info.mro[1:]:
                    theirs = self._methods.get(base.fullname, {})
                    for each in methods.keys() & theirs.keys():
                        mine, their = methods[each], theirs[each]
                        if mine is None and their is None:
                            continue
                        if mine is None or their is None or not mine.is_like(their):
                            methods[each] = theirs[each] = None
                            changes = True


def _in_decorator(c_type: str) -> str:
    return "cython.longlong" if c_type == "long long" else c_type


def _stored_outside_of_comprehensions(tree: ast.FunctionDef) -> set[str]:
    """Return the names of a function's variables; those of comprehensions are their own."""

    def stored(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            return
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        for child in ast.iter_child_nodes(node):
            yield from stored(child)

    return set(stored(tree)) - {each.arg for each in tree.args.args}


def _has_scopes(tree: ast.FunctionDef) -> bool:
    """Return whether there are functions or generators within a function."""
    inner = (ast.FunctionDef, ast.Lambda, ast.GeneratorExp)
    return any(isinstance(each, inner) for each in ast.walk(tree) if each is not tree)


def _is_super(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "super"
