"""The sources that Cython translates: those of the package, told apart where C needs it.

Lines stay where they are, so that tracebacks name them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from mypy.nodes import MypyFile, SymbolNode, TypeInfo, Var

from compiling import arrays
from compiling.classes import Checked, Module
from compiling.declarations import Declarations


class Sources:
    """Changes the text of modules.

    Parameters
    ----------
    checked : Checked
    declarations : Declarations
    """

    def __init__(self, checked: Checked, declarations: Declarations) -> None:
        self._checked = checked
        self._declarations = declarations
        self._constants = {
            f"{name}.{each}": value
            for name, module in checked.modules.items()
            for each, value in _constants(module.tree).items()
        }

    def of(self, module: Module) -> str:
        """Return what is translated of a module."""
        lines = module.text.split("\n")
        in_c = {id(name) for _, name in self._declarations.called(module)}
        for each in module.tree.body:
            if isinstance(each, ast.ImportFrom):
                self._import_from_home(each, module.file, in_c, lines)
            if isinstance(each, ast.ClassDef):
                self._drop_metaclass(f"{module.name}.{each.name}", each, lines)
        self._replace_parts(module, lines)
        self._type_variables(module, lines)
        for each in ast.walk(module.tree):
            if isinstance(each, ast.Delete):
                _empty(each, lines)
        return "\n".join(lines)

    def _import_from_home(
        self, node: ast.ImportFrom, file: MypyFile, in_c: set[int], lines: list[str]
    ) -> None:
        """Import extension types from where they are defined: C knows them by that module.

        Functions that C calls are imported by the declarations.
        """
        homes: dict[str, list[str]] = {}
        for each in node.names:
            if id(each) in in_c:
                continue
            symbol = file.names.get(each.asname or each.name)
            found = None if symbol is None else symbol.node
            is_fixed = found is not None and found.fullname in self._checked.extensions
            home = self._checked.classes[found.fullname].module if found and is_fixed else None
            homes.setdefault(home or str(node.module), []).append(ast.unparse(each))
        if homes.keys() != {node.module}:
            imports = [f"from {home} import {', '.join(names)}" for home, names in homes.items()]
            lines[node.lineno - 1] = "; ".join(imports)
            for line in range(node.lineno, node.end_lineno or node.lineno):
                lines[line] = ""

    def _drop_metaclass(self, name: str, node: ast.ClassDef, lines: list[str]) -> None:
        """Let an extension type have no metaclass: what is abstract is checked by Python's build.

        Nor can it be told of slots by `dataclass`: it has them anyway.
        """
        if name not in self._checked.extensions:
            return
        line = node.lineno - 1
        lines[line] = lines[line].replace("(ABC):", ":").replace(", ABC):", "):")
        if self._checked.classes[name].is_row:
            lines[line - 1] = lines[line - 1].replace("(slots=True)", "")

    def _type_variables(self, module: Module, lines: list[str]) -> None:
        """Type the variables of what is not declared, in the blank line above each function."""
        lines[:] = [
            f"{line}; import cython" if line == "from __future__ import annotations" else line
            for line in lines
        ]
        for tree, decorator in self._declarations.decorators(module):
            if not lines[tree.lineno - 2]:
                lines[tree.lineno - 2] = " " * tree.col_offset + decorator

    def _replace_parts(self, module: Module, lines: list[str]) -> None:
        """Put numbers in the place of constants, and functions of C where arrays are indexed."""
        found = {*self._constants_in(module), *arrays.edits(module.tree, module.arrays)}
        # What begins at the same place as another begins before it, or is inserted after it.
        for line, start, end, value in sorted(found, reverse=True):
            text = lines[line - 1].encode()  # Python counts bytes
            lines[line - 1] = (text[:start] + value.encode() + text[end:]).decode()

    def _constants_in(self, module: Module) -> Iterator[arrays.Edit]:
        """Return the names of numbers that never change, and these."""
        functions = [node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef)]
        for function in functions:
            own = _bound(function)
            for statement in function.body:
                for node in _outside_of_text(statement):
                    value = self._value(node, own, module)
                    if value is not None and isinstance(node, ast.expr):
                        yield node.lineno, node.col_offset, node.end_col_offset or 0, value

    def _value(self, node: ast.AST, own: set[str], module: Module) -> str | None:
        """Return the number that a name of a module stands for, or a member of an enumeration."""
        member = ""
        if isinstance(node, ast.Attribute):
            member, node = f".{node.attr}", node.value
        if not isinstance(node, ast.Name) or node.id in own:
            return None
        symbol = module.file.names.get(node.id)
        found: SymbolNode | None = None if symbol is None else symbol.node
        if not isinstance(found, TypeInfo if member else Var):
            return None
        return self._constants.get(f"{found.fullname}{member}")


def _empty(node: ast.Delete, lines: list[str]) -> None:
    """Put None where attributes are deleted: C's always have a value."""
    names = [ast.unparse(each) for each in node.targets]
    if all(isinstance(each, ast.Attribute) for each in node.targets):
        line = lines[node.lineno - 1]
        lines[node.lineno - 1] = f"{line[: node.col_offset]}{' = '.join(names)} = None"


def _outside_of_text(node: ast.AST) -> Iterator[ast.AST]:
    """Return all nodes, but for those in f-strings, whose places Python 3.11 does not tell."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.JoinedStr):
            yield from _outside_of_text(child)


def _bound(function: ast.FunctionDef) -> set[str]:
    """Return the names that a function binds itself."""
    arguments = {each.arg for each in ast.walk(function.args) if isinstance(each, ast.arg)}
    stored = {
        each.id
        for each in ast.walk(function)
        if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load)
    }
    return arguments | stored


def _constants(tree: ast.Module) -> dict[str, str]:
    """Return the numbers that a module gives upper-case names, each once, in enumerations too."""
    found = _numbers(tree.body)
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and [ast.unparse(each) for each in node.bases] == [
            "IntEnum"
        ]:
            found |= {f"{node.name}.{name}": value for name, value in _numbers(node.body).items()}
    return found


def _numbers(body: Sequence[ast.stmt]) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in body:
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1):
            continue
        target, value = node.targets[0], node.value
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = list(zip(target.elts, value.elts, strict=True))
        for name, number in pairs:
            try:
                constant = ast.literal_eval(number)
            except ValueError:
                continue
            if isinstance(name, ast.Name) and name.id.isupper() and type(constant) in (int, float):
                found[name.id] = f"({ast.unparse(number)})"
    return found
