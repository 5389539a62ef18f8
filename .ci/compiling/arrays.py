"""Changes of text that let C read and write the numbers of Python's arrays (`arrays.pxd`)."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from mypy.nodes import Expression, MypyFile
from mypy.traverser import NameAndMemberCollector
from mypy.types import Instance, Type, get_proper_type

DECLARED = Path(__file__).with_suffix(".pxd")
ARRAY = "array.array"
_KINDS = {"builtins.int": "int", "builtins.float": "float"}

Edit = tuple[int, int, int, str]
"""A line, the bytes in it from one to before another, and what is put in their place."""


def kinds(file: MypyFile, types: Mapping[Expression, Type]) -> dict[tuple[int, int], str]:
    """Return where in a module arrays are named, by line and end, and of what they are."""
    collector = NameAndMemberCollector()
    file.accept(collector)
    found = {}
    for each in [*collector.member_exprs, *collector.name_exprs]:
        kind = get_proper_type(types.get(each))
        if isinstance(kind, Instance) and kind.type.fullname == ARRAY:
            item = get_proper_type(kind.args[0])
            if isinstance(item, Instance) and item.type.fullname in _KINDS:
                found[each.line, each.end_column or 0] = _KINDS[item.type.fullname]
    return found


def edits(tree: ast.AST, places: Mapping[tuple[int, int], str]) -> Iterator[Edit]:
    """Return the changes of a module, or of a part of it, in which arrays are at `places`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.JoinedStr):
            continue
        yield from edits(node, places)
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            yield from _put(node.targets[0], node.value, "put", places)
        elif isinstance(node, ast.AugAssign):
            sign = {ast.Add: "", ast.Sub: "-"}.get(type(node.op))
            if sign is not None:
                yield from _put(node.target, node.value, "add", places, sign)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            kind = _kind(node, places)
            if kind is not None:
                yield from _call(node, f"get_{kind}")
                yield _end(node)[0], _end(node)[1] - 1, _end(node)[1], ")"


def _kind(node: ast.AST, places: Mapping[tuple[int, int], str]) -> str | None:
    if not isinstance(node, ast.Subscript) or isinstance(node.slice, ast.Slice):
        return None
    return places.get(_end(node.value))


def _put(
    target: ast.expr,
    value: ast.expr,
    verb: str,
    places: Mapping[tuple[int, int], str],
    sign: str = "",
) -> Iterator[Edit]:
    kind = _kind(target, places)
    if kind is None or target.end_lineno != value.lineno:
        return
    yield from _call(target, f"{verb}_{kind}")
    line, end = _end(target)
    yield line, end - 1, value.col_offset, f", {sign}("
    yield *_end(value), _end(value)[1], "))"


def _call(node: ast.expr, name: str) -> Iterator[Edit]:
    assert isinstance(node, ast.Subscript)
    line, end = _end(node.value)
    yield node.lineno, node.col_offset, node.col_offset, f"{name}("
    yield line, end, end + 1, ", "


def _end(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or 0, node.end_col_offset or 0
