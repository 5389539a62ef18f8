"""Every attribute is written in the file of the class that declares it, containers included."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pytest

from docs.house import modules

COUNTERS = {"metrics", "report", "out"}
"""Whom an event concerns counts it: rows of results, and what was read, are written by all."""

FOREIGN: dict[str, set[str] | None] = {
    "simulator.compiled": {"meta_path"},  # how Python finds modules
    "simulator.engine.asynchronous": {"callbacks"},  # SimPy's events
    "simulator.engine.clock": {"_ok", "_value", "callbacks"},
    "simulator.engine.own_process": {"callbacks"},
    "simulator.engine.schedule": {"callbacks"},
    "simulator.late": {"modules", "__class__"},  # the interpreter's, and of packages of others
    "simulator.model.protocols._looked_at": {"__class__"},  # a plugin's dispatcher
    "simulator.model.topologies._topology": {"vars"},  # a graph of networkx
    "simulator.model.uniforms": {"state"},  # a generator of NumPy
    "simulator.scenario.loaders": {"yaml_implicit_resolvers"},  # PyYAML
    "simulator.scenario.source": {"loader"},
    "simulator.api.results": {"attrs"},  # a table of pandas
    "simulator.cli.answers": {"showwarning"},  # hooks of Python itself
    "simulator.cli.interrupts": {"unraisablehook", "excepthook"},
    "simulator.cli.streams": {"stdin", "stdout", "stderr"},
    "simulator.experiment.cluster": {"disabled"},  # a logger
    "simulator.experiment.crew": {"__dict__"},  # of a thread
    "analysis.report.explorer.app": {"layout"},  # an application of Dash
    "analysis.report.explorer.requests": {"config"},  # and its server
    "analysis.plots.style": {"stale"},  # a figure of Matplotlib
    "analysis.observation.costs": {"loc"},  # a table of pandas
    "analysis.statistics.completion": {"loc"},
    "analysis.validation.ablation": {"name"},
    # an entry of a zip archive
    "analysis.traces.archives": {"compress_type", "file_size", "CRC"},
    "analysis.breakdown.otlp": None,  # OTLP's own messages
}
"""Attributes of other libraries' objects, which are set up by writing them; None for all."""

HOT: dict[str, set[str]] = {
    # Each call begins and ends here: methods for that were three of its 25 functions.
    "simulator.model.calls.book": {
        *("number", "picks", "work", "output", "message_tokens"),
        *("in_call", "started_s", "read_s", "duration_s", "waited_s", "free_since", "busy_s"),
    },
    # The time of each call's end: a method for it was one of the 25 functions of a plain call.
    "simulator.model.call_end": {"moved_s", "now"},
    # What a resource says is read once and kept beside it, not read for each of its spans.
    "analysis.traces.readers._otlp_values": {"around"},
}
"""Containers of others that the hot path writes itself."""

IN_PLACE = {
    "add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "extendleft",
    "insert", "intersection_update", "move_to_end", "pop", "popitem", "popleft", "remove",
    "reverse", "rotate", "setdefault", "sort", "subtract", "symmetric_difference_update", "update",
}  # fmt: skip
"""Methods by which containers change."""
FIRST_ARGUMENT = {"heappush", "heappop", "heapify", "heapreplace", "heappushpop", "insort"}
"""Functions that change what they are given first."""


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Write:
    """A place where an attribute, or what it holds, is changed."""

    whose: str
    attribute: str
    line: int
    in_class: str
    """The class whose method does it, or nothing."""
    sets_up: bool
    """Whether that method is the one that makes an object."""
    in_place: bool = False
    """Whether a container that the attribute holds is changed, and not the attribute itself."""

    def __str__(self) -> str:
        return f"{self.line}: {self.whose}.{self.attribute}"


@dataclass
class House:
    """What the classes of a module declare, and what the module writes."""

    declares: dict[str, set[str]]
    """Of each class: what is in its slots, annotated in it, or set on self by its methods."""
    bases: dict[str, list[str]]
    writes: list[Write]


def held_in(node: ast.AST) -> ast.Attribute | None:
    """Return the attribute that holds an item, an item of an item, or is the thing itself."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node if isinstance(node, ast.Attribute) else None


def aliases(function: ast.AST) -> dict[str, ast.Attribute]:
    """Return the local names of a function that stand for an attribute, or an item of one."""
    found = {}
    for node in ast.walk(function):
        for name, value in names_given(node):
            attribute = held_in(value)
            if isinstance(name, ast.Name) and attribute is not None:
                found[name.id] = attribute
    return found


def names_given(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield what a node gives a name to: the target, and the value or what holds it."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                yield from zip(target.elts, node.value.elts, strict=True)
            else:
                yield target, node.value
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
        yield node.target, node.iter
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield node.optional_vars, node.context_expr


def changed(node: ast.AST) -> tuple[ast.AST | None, str]:
    """Return what a node changes, and the attribute where the node names it as a string."""
    if isinstance(node, ast.Attribute | ast.Subscript):
        return (node if isinstance(node.ctx, ast.Store | ast.Del) else None), ""
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func).rpartition(".")[2]
        if isinstance(node.func, ast.Attribute) and called in IN_PLACE:
            return node.func.value, ""
        if called in FIRST_ARGUMENT and node.args:
            return node.args[0], ""
        if called in {"setattr", "delattr", "__setattr__", "__delattr__"}:
            return node.args[0], ast.literal_eval(node.args[1])
    return None, ""


def writes(scope: ast.AST, in_class: str = "", method: str = "") -> Iterator[Write]:
    """Yield what is written within a module, a class or a function."""
    local = aliases(scope) if isinstance(scope, FUNCTIONS) else {}
    for node in ast.iter_child_nodes(scope):
        yield from _writes_of(node, local, in_class, method)


def _writes_of(
    node: ast.AST, local: dict[str, ast.Attribute], in_class: str, method: str
) -> Iterator[Write]:
    if isinstance(node, ast.ClassDef):
        yield from writes(node, node.name)
        return
    if isinstance(node, FUNCTIONS):
        name = method or node.name
        inner = local | aliases(node)
        for child in ast.iter_child_nodes(node):
            yield from _writes_of(child, inner, in_class, name)
        return
    target, named = changed(node)
    if target is not None:
        sets_up = method == "__init__"
        if named:
            yield Write(ast.unparse(target), named, node.lineno, in_class, sets_up)
        elif isinstance(target, ast.Call) and ast.unparse(target.func) == "vars":
            yield Write(ast.unparse(target.args[0]), "vars", node.lineno, in_class, sets_up)
        else:
            name = target
            while isinstance(name, ast.Subscript | ast.NamedExpr):
                name = name.value
            is_item = not isinstance(node, ast.Name)
            if is_item and isinstance(name, ast.Name):
                name = local.get(name.id, name)
            if isinstance(name, ast.Attribute):
                whose = ast.unparse(name.value)
                yield Write(whose, name.attr, node.lineno, in_class, sets_up, name is not node)
    for child in ast.iter_child_nodes(node):
        yield from _writes_of(child, local, in_class, method)


def kept(node: ast.ClassDef) -> dict[str, ast.Attribute]:
    """Return the attributes by which a class keeps an attribute of another object."""
    found = {}
    for each in ast.walk(node):
        for target in each.targets if isinstance(each, ast.Assign) else ():
            other = held_in(each.value)
            own = isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self"
            if own and other is not None and ast.unparse(other.value) != "self":
                found[target.attr] = other
    return found


def house(text: str) -> House:
    """Read a module."""
    tree = ast.parse(text)
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    of_others = {node.name: kept(node) for node in classes}
    found = []
    for write in writes(tree):
        other = of_others.get(write.in_class, {}).get(write.attribute)
        if other is None or write.whose != "self" or not write.in_place:
            found.append(write)
        else:
            whose = ast.unparse(other.value)
            found.append(replace(write, whose=whose, attribute=other.attr))
    declares: dict[str, set[str]] = {}
    for node in classes:
        names = {str(x.target.id) for x in node.body
                 if isinstance(x, ast.AnnAssign) and isinstance(x.target, ast.Name)}  # fmt: skip
        for each in node.body:
            if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "__slots__":
                names |= {str(x.value) for x in ast.walk(each) if isinstance(x, ast.Constant)}
        sets = {
            x.attr
            for x in ast.walk(node)
            if isinstance(x, ast.Attribute)
            and isinstance(x.ctx, ast.Store)
            and ast.unparse(x.value) == "self"
        }
        declares[node.name] = names | sets
    bases = {
        node.name: [ast.unparse(x).partition("[")[0].rpartition(".")[2] for x in node.bases]
        for node in classes
    }
    return House(declares, bases, found)


def ancestors(name: str, houses: Mapping[str, House]) -> Iterator[tuple[str, str]]:
    """Yield the classes, each with its module, from which a class inherits."""
    for above in houses.values():
        for base in above.bases.get(name, ()):
            for module, other in houses.items():
                if base in other.bases:
                    yield module, base
                    yield from ancestors(base, houses)


def written_elsewhere(houses: Mapping[str, House]) -> Iterator[str]:
    """Yield what modules write of objects whose class stands in another."""
    for name, own in houses.items():
        foreign = FOREIGN.get(name, set())
        declared = set()
        for each, names in own.declares.items():  # what is inherited stands elsewhere
            above = (houses[m].declares[b] for m, b in ancestors(each, houses) if m != name)
            declared |= names.difference(*above)
        for write in own.writes if foreign is not None else ():
            last = write.whose.rpartition(".")[2].lstrip("_")
            if write.attribute in foreign | HOT.get(name, set()) or last in COUNTERS:
                continue
            if write.whose in ("self", "cls"):
                above = [
                    base
                    for module, base in ancestors(write.in_class, houses)
                    if module != name and write.attribute in houses[module].declares[base]
                ]
                if above and not write.sets_up:
                    yield f"{name}:{write} is {above[0]}'s"
            elif write.attribute not in declared:
                yield f"{name}:{write}"


@pytest.mark.slow
def test_an_attribute_is_written_where_its_class_stands() -> None:
    houses = {name: house(path.read_text("utf-8")) for name, path in modules().items()}
    found = list(written_elsewhere(houses))
    assert not found, "\n".join(found)


A = """
class A:
    __slots__ = ("here", "own")
    def __init__(self, them):
        self.own = them
"""


@pytest.mark.parametrize(
    ("lines", "is_found"),
    [
        ("them.there = 1", True),
        ("them.other.there += 1", True),
        ("a, them.there = 1, 2", True),
        ("[(a, *them.there)] = self.own", True),
        ("for them.there in range(3): pass", True),
        ("with self.own as them.there: pass", True),
        ("del them.there", True),
        ("them.there: int = 1", True),
        ("setattr(them, 'there', 1)", True),
        ("object.__setattr__(them, 'there', 1)", True),
        ("them.there[0] = 1", True),
        ("them.there[0][1] += 1", True),
        ("them.there[:] = []", True),
        ("del them.there[0]", True),
        ("them.there.append(1)", True),
        ("them.there[0].append(1)", True),
        ("self.own.there.add(1)", True),
        ("heappush(them.there, 1)", True),
        ("vars(them).clear()", True),
        ("them.__dict__.update(there=1)", True),
        ("mine = them.there; mine.append(1)", True),
        ("a, mine = 1, them.there[0]; mine[0] = 1", True),
        ("mine = them.there; call(lambda: mine.clear())", True),
        ("mine: list[int] = them.there; mine.append(1)", True),
        ("(mine := them.there).append(1)", True),
        ("if mine := them.there: mine.append(1)", True),
        ("for mine in them.there: mine.append(1)", True),
        ("with them.there as mine: mine.append(1)", True),
        ("self._kept = them.there; self._kept.append(1)", True),
        ("self._kept = them.there[0]; self._kept[1] = 1", True),
        ("self._kept = self.own.there; mine = self._kept; mine.add(1)", True),
        ("self._kept = them.there; self._kept = 1", False),
        ("self._kept = them.here; self._kept.append(1)", False),
        ("self._kept = list(them.there); self._kept.append(1)", False),
        ("them.here = 1", False),
        ("them.here.append(1)", False),
        ("self.own.append(1)", False),
        ("mine = list(them.there); mine.append(1)", False),
        ("mine = them.there; mine = 1", False),
        ("self._metrics.there += 1", False),
        ("them.there.index(1)", False),
        ("a = them.there[0] + 1", False),
    ],
)
def test_a_write_to_what_stands_elsewhere_is_found(lines: str, is_found: bool) -> None:
    text = f"{A}    def f(self, them):\n        {lines}\n"
    assert bool(list(written_elsewhere({"m": house(text)}))) == is_found


@pytest.mark.parametrize(
    ("lines", "is_found"),
    [
        ("self.own = 1", True),
        ("self.own.append(1)", True),
        ("mine = self.own; mine[0] = 1", True),
        ("self.mine = 1", False),
        ("print(self.own)", False),
    ],
)
def test_what_is_inherited_belongs_to_who_declares_it(lines: str, is_found: bool) -> None:
    for name, found in (("f", is_found), ("__init__", False)):
        text = f"class B(A):\n    __slots__ = ('mine',)\n    def {name}(self):\n        {lines}\n"
        further = text.replace("B(A)", "C(B)").replace("mine", "further")
        assert bool(list(written_elsewhere({"a": house(A), "b": house(text)}))) == found
        houses = {"a": house(A), "b": house("class B(A): pass"), "c": house(further)}
        assert bool(list(written_elsewhere(houses))) == found


def test_who_sets_up_what_is_inherited_does_not_own_it() -> None:
    text = """
class B(A):
    def __init__(self, them):
        self.own = 1
    def f(self, them):
        them.own = 2
"""
    assert list(written_elsewhere({"a": house(A), "b": house(text)})) == ["b:6: them.own"]
    assert not list(written_elsewhere({"a": house(A + text)}))
