"""The pages of the Python reference: public names with their signatures and docstrings."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from docs.markdown import said

FOLDERS = (
    "statistics",
    "decisions",
    "breakdown",
    "plots",
    "live",
    "report",
    "traces",
    "observation",
    "calibration",
    "validation",
)
"""Folders of `analysis`, in the order in which a reader is likely to need them."""

SECTIONS = ("Parameters", "Attributes", "Returns", "Yields", "Raises", "Notes", "Examples")


def python_pages(root: Path) -> dict[str, str]:
    """Return the pages of the Python reference, by path.

    One of `simulator`, one each of the two modules for authors of plugins, one a folder.
    """
    testing = root / "simulator" / "testing.py"
    pages = {
        "reference/python/simulator.md": _simulator_page(root),
        "reference/python/plugins.md": _plugins_page(root),
        "reference/python/testing.md": "\n".join([_title(testing), *_public(_parsed(testing))]),
    }
    for folder in FOLDERS:
        home = root / "analysis" / folder
        title = f"# analysis.{folder}\n\n{said(_doc(_parsed(home / '__init__.py')))}\n"
        parts = [title]
        for file in sorted(home.rglob("*.py")):
            entries = list(_public(_parsed(file)))
            if file.stem.startswith("_") or not entries:
                continue
            module = ".".join(file.relative_to(root).with_suffix("").parts)
            parts.append(f"## {module}\n\n{said(_doc(_parsed(file)))}\n")
            parts += entries
        if len(parts) > 1:
            pages[f"reference/python/{folder}.md"] = "\n".join(parts)
    return pages


def _simulator_page(root: Path) -> str:
    import simulator

    parts = [
        "# simulator\n\nThe names that programs use. Everything else is in "
        "`analysis`, folder by folder; the pages beside this one list it.\n"
    ]
    return "\n".join(parts + list(_handed_on(simulator)))


def _plugins_page(root: Path) -> str:
    """Return the page of the names that authors of plugins use, with what they inherit."""
    from simulator import plugins

    title = _title(root / "simulator" / "plugins.py")
    return "\n".join([title, *_handed_on(plugins)])


def _title(file: Path) -> str:
    told, _, _ = _doc(_parsed(file)).partition("\n\n``")  # then come the names, which follow here
    return f"# simulator.{file.stem}\n\n{said(told)}\n"


def _handed_on(module: ModuleType) -> Iterator[str]:
    """Yield the entries of the classes and functions that a module hands on."""
    for name in module.__all__:
        item = getattr(module, name)
        if not (inspect.isclass(item) or inspect.isfunction(item)):
            continue
        nodes = {
            node.name: node
            for node in _parsed(Path(inspect.getsourcefile(item) or "")).body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
        }
        yield from _entry(nodes[item.__name__])


def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def _doc(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> str:
    return ast.get_docstring(node) or ""


def _public(module: ast.Module) -> Iterator[str]:
    """Yield the entries of those names whose docstrings say what goes in and comes out."""
    for node in module.body:
        is_named = isinstance(node, ast.FunctionDef | ast.ClassDef)
        if is_named and not node.name.startswith("_") and _is_documented(node):
            yield from _entry(node)


def _is_documented(node: ast.FunctionDef | ast.ClassDef) -> bool:
    docs = [_doc(node)]
    if isinstance(node, ast.ClassDef):
        docs += [_doc(each) for each in node.body if isinstance(each, ast.FunctionDef)]
    return any(re.search(r"(?m)^(Parameters|Attributes|Returns)\n-+$", doc) for doc in docs)


def _entry(node: ast.FunctionDef | ast.ClassDef) -> Iterator[str]:
    yield f"### {node.name}\n"
    yield f"```python\n{_signature(node)}\n```\n"
    yield numpy_style(_doc(node))
    if not isinstance(node, ast.ClassDef):
        return
    for each in node.body:
        if isinstance(each, ast.FunctionDef) and not each.name.startswith("_") and _doc(each):
            yield f"#### {node.name}.{each.name}\n"
            yield f"```python\n{_signature(each)}\n```\n"
            yield numpy_style(_doc(each))


def _signature(node: ast.FunctionDef | ast.ClassDef) -> str:
    if isinstance(node, ast.ClassDef):
        init = [each for each in node.body if getattr(each, "name", "") == "__init__"]
        if not init or not isinstance(init[0], ast.FunctionDef):
            return f"class {node.name}"
        arguments = [each for each in _arguments(init[0]) if each != "self"]
        return _folded(f"class {node.name}", arguments, "")
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    marks = "".join(f"@{ast.unparse(each)}\n" for each in node.decorator_list)
    marks = "".join(mark for mark in marks.splitlines(True) if mark in KEPT)
    return marks + _folded(node.name, _arguments(node), returns)


KEPT = ("@property\n", "@classmethod\n", "@staticmethod\n")


def _arguments(node: ast.FunctionDef) -> list[str]:
    text = ast.unparse(node.args)
    found, depth, start = [], 0, 0
    for i, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            found.append(text[start:i].strip())
            start = i + 1
    return [*found, text[start:].strip()] if text else []


def _folded(name: str, arguments: list[str], returns: str) -> str:
    line = f"{name}({', '.join(arguments)}){returns}"
    if len(line) <= 90:
        return line
    return "\n".join([f"{name}(", *(f"    {each}," for each in arguments), f"){returns}"])


def numpy_style(doc: str) -> str:
    """Return a NumPy-style docstring as Markdown."""
    pieces = re.split(rf"(?m)^({'|'.join(SECTIONS)})\n-+\n", doc)
    parts = [said(pieces[0]).strip() + "\n"]
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        parts.append(f"**{name}**\n")
        if name in ("Notes", "Examples"):
            parts.append((said(body) if name == "Notes" else body).strip() + "\n")
            continue
        parts += list(_items(body))
    return "\n".join(parts)


def _items(body: str) -> Iterator[str]:
    """Yield the entries of a section, each a line of a list."""
    for entry in re.split(r"(?m)^(?=\S)", body.strip("\n")):
        if not entry.strip():
            continue
        head, _, text = entry.partition("\n")
        name, colon, kind = head.partition(" : ")
        shown = f"`{name}`: {said(kind)}" if colon else f"`{head}`"
        text = re.sub(r"\s+", " ", said(text)).strip()
        yield f"- {shown}" + (f". {text}" if text else "")
    yield ""
